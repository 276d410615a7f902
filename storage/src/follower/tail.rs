//! Reads the journal's frames behind the writer, from segment to segment.

use std::path::{Path, PathBuf};

use crate::journal::{Damage, FrameFault, SegmentReader, Step, dir_of, list};

/// The reading end.
pub(crate) struct Tail {
    dir: PathBuf,
    reader: Option<(u64, SegmentReader)>,
    next_sequence: u64,
}

/// One frame.
pub(crate) struct TailFrame {
    pub first_sequence: u64,
    pub body: Vec<u8>,
}

impl Tail {
    /// Reads on after a record.
    pub fn after(data: &Path, sequence: u64) -> Self {
        Self { dir: dir_of(data), reader: None, next_sequence: sequence + 1 }
    }

    /// The record it gives next, once that is durable.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The next frame, which must be durable; begins with records it gave before when it was
    /// made to go on within a frame.
    pub fn next_frame(&mut self) -> Result<TailFrame, Damage> {
        loop {
            let (segment, reader) = self.reader()?;
            let offset = reader.offset();
            match reader.next()? {
                Step::Frame(frame) => {
                    let (first_sequence, body) = (frame.first_sequence, frame.body.to_vec());
                    let end = first_sequence + u64::from(frame.count);
                    if end <= self.next_sequence {
                        continue;
                    }
                    self.next_sequence = end;
                    return Ok(TailFrame { first_sequence, body });
                }
                Step::End => self.next_segment(segment)?,
                Step::Bad(fault) => {
                    reader.forget_ahead();
                    match reader.next()? {
                        Step::Frame(_) => reader.seek(offset),
                        Step::End | Step::Bad(_) => {
                            return Err(Damage::Frame { segment, offset, fault });
                        }
                    }
                }
            }
        }
    }

    fn reader(&mut self) -> Result<(u64, &mut SegmentReader), Damage> {
        if self.reader.is_none() {
            let expected = self.next_sequence;
            let segments = list(&self.dir)?;
            let within = segments.iter().copied().rfind(|first| *first <= expected);
            let found = segments.first().copied().unwrap_or(0);
            let segment = within.ok_or(Damage::MissingSegment { expected, found })?;
            self.open(segment)?;
        }
        let (segment, reader) = self.reader.as_mut().expect("invariant: opened above");
        Ok((*segment, reader))
    }

    fn next_segment(&mut self, after: u64) -> Result<(), Damage> {
        let expected = self.next_sequence;
        let next = list(&self.dir)?.into_iter().find(|first| *first > after);
        let found = next.ok_or(Damage::MissingSegment { expected, found: after })?;
        self.open(found)
    }

    fn open(&mut self, segment: u64) -> Result<(), Damage> {
        let (reader, before) = SegmentReader::open(&self.dir, segment)?;
        let fault = |fault: FrameFault| Damage::Frame { segment, offset: 0, fault };
        before.map_err(fault)?;
        self.reader = Some((segment, reader));
        Ok(())
    }
}
