//! Walks segments in order, holding every frame against what must come next.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use super::reader::{FrameRead, Rest};
use super::segment::{self, path_of, sync_dir};
use super::{Damage, FrameFault, Head, SegmentEnd, SegmentReader, Step, read_anchor};

/// An unfinished frame at the very end. It was never acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// First sequence of the segment.
    pub segment: u64,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

/// What a walk passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walked {
    pub segments: u64,
    pub frames: u64,
    pub records: u64,
    pub head: Head,
    /// The last segment, if there is any.
    pub segment: Option<u64>,
    /// Where its last frame ends.
    pub segment_end: u64,
    pub torn: Option<Torn>,
    pub anchor: Option<Head>,
}

impl Walked {
    /// Where the last segment is written on, if there is one.
    pub fn last_segment(&self) -> Option<SegmentEnd> {
        let offset = self.segment_end;
        self.segment.map(|first_sequence| SegmentEnd { first_sequence, offset })
    }
}

/// Where a walk begins: at the segment that continues after this head.
pub(crate) type Start = Head;

/// Where a walk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// At the end of the journal, which must reach its anchor.
    Head,
    /// Before the segment that begins with this record.
    Before(u64),
}

/// Walks all segments from `start` to `end`, giving every frame to `visit`.
pub(crate) fn walk<E: From<Damage>>(
    data: &Path,
    start: Start,
    end: End,
    mut visit: impl FnMut(u64, &FrameRead<'_>) -> Result<(), E>,
) -> Result<Walked, E> {
    let io = |error: io::Error| E::from(Damage::Io(error));
    let dir = segment::dir_of(data);
    // The anchor first: it may only lag behind what is read after it.
    let anchor = read_anchor(data).map_err(io)?;
    let firsts = segment::list(&dir).map_err(io)?;
    let wanted = |first: &u64| {
        *first > start.sequence
            && match end {
                End::Head => true,
                End::Before(limit) => *first < limit,
            }
    };
    let firsts: Vec<u64> = firsts.into_iter().filter(wanted).collect();
    let mut walked = Walked {
        segments: 0,
        frames: 0,
        records: 0,
        head: start,
        segment: None,
        segment_end: 0,
        torn: None,
        anchor,
    };
    for (index, first) in firsts.iter().enumerate() {
        let is_last = index + 1 == firsts.len() && end == End::Head;
        walk_segment(&dir, *first, is_last, &mut walked, &mut visit)?;
    }
    match end {
        End::Head => held_against_anchor(&walked)?,
        End::Before(_) => {}
    }
    Ok(walked)
}

fn walk_segment<E: From<Damage>>(
    dir: &Path,
    segment: u64,
    is_last: bool,
    walked: &mut Walked,
    visit: &mut impl FnMut(u64, &FrameRead<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let io = |error: io::Error| E::from(Damage::Io(error));
    let expected = walked.head.sequence + 1;
    let (mut reader, before) = SegmentReader::open(dir, segment).map_err(io)?;
    match before {
        Err(fault) => return headless(&mut reader, segment, is_last, fault, walked),
        Ok(before) if before.sequence + 1 != segment || segment != expected => {
            return Err(Damage::MissingSegment { expected, found: segment }.into());
        }
        Ok(before) if before.chain != walked.head.chain => {
            return Err(Damage::Chain { segment, offset: 0 }.into());
        }
        Ok(_) => {}
    }
    walked.segments += 1;
    walked.segment = Some(segment);
    loop {
        walked.segment_end = reader.offset();
        let fault = match reader.next().map_err(io)? {
            Step::Frame(frame) => {
                follows(segment, &frame, walked)?;
                visit(segment, &frame)?;
                continue;
            }
            Step::End => return Ok(()),
            Step::Blank => FrameFault::NoMagic,
            Step::Bad(fault) => fault,
        };
        match reader.rest(fault).map_err(io)? {
            Rest::Whole => {}
            Rest::Blank => return Ok(()),
            Rest::Torn(len) if is_last => {
                walked.torn = Some(Torn { segment, offset: reader.offset(), len });
                return Ok(());
            }
            Rest::Torn(_) | Rest::Damaged => {
                return Err(Damage::Frame { segment, offset: reader.offset(), fault }.into());
            }
        }
    }
}

/// A segment without a whole header is torn when it is the last and nothing follows in it.
fn headless<E: From<Damage>>(
    reader: &mut SegmentReader,
    segment: u64,
    is_last: bool,
    fault: FrameFault,
    walked: &mut Walked,
) -> Result<(), E> {
    let io = |error: io::Error| E::from(Damage::Io(error));
    reader.seek(0);
    if !is_last || reader.rest(fault).map_err(io)? == Rest::Damaged {
        return Err(Damage::Frame { segment, offset: 0, fault }.into());
    }
    let len = reader.file_len().map_err(io)?;
    walked.torn = Some(Torn { segment, offset: 0, len });
    Ok(())
}

fn follows(segment: u64, frame: &FrameRead<'_>, walked: &mut Walked) -> Result<(), Damage> {
    let (offset, found) = (frame.offset, frame.first_sequence);
    let expected = walked.head.sequence + 1;
    if found != expected {
        return Err(Damage::Gap { segment, offset, expected, found });
    }
    if frame.chain != frame.chain_after(&walked.head.chain) {
        return Err(Damage::Chain { segment, offset });
    }
    let sequence = walked.head.sequence + u64::from(frame.count);
    walked.head = Head { sequence, chain: frame.chain };
    walked.frames += 1;
    walked.records += u64::from(frame.count);
    match walked.anchor {
        Some(anchor) if anchor.sequence == sequence && anchor.chain != frame.chain => {
            Err(Damage::Rewritten { sequence })
        }
        Some(_) | None => Ok(()),
    }
}

fn held_against_anchor(walked: &Walked) -> Result<(), Damage> {
    match walked.anchor {
        Some(anchor) if anchor.sequence > walked.head.sequence => {
            Err(Damage::CutTail { end: walked.head.sequence, anchored: anchor.sequence })
        }
        Some(_) | None => Ok(()),
    }
}

/// Cuts an unfinished frame off, durably; a segment without a whole header goes altogether.
pub(crate) fn cut(data: &Path, torn: &Torn) -> io::Result<()> {
    let dir = segment::dir_of(data);
    let path = path_of(&dir, torn.segment);
    if torn.offset == 0 {
        fs::remove_file(path)?;
        return sync_dir(&dir);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(torn.offset)?;
    file.sync_all()
}
