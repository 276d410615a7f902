//! Answers of one line that are ready together: framed one behind another, and queued as one.

use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use codecs::frame::Header;
use parking_lot::Mutex;

use super::{Line, NotSent, Outbound, Queued};

/// Bytes of answers that are queued at once without waiting for the end of the turn: a quarter of the
/// least that may wait for a line.
const QUEUED_LEN: usize = 16 << 10;
/// Room for places that is kept.
const PLACES_KEPT: usize = 64;

/// Answers that are ready to be handed to the writer of their line, and what is given back once they
/// are.
///
/// An answer that a line says in a format of its own, or that is traced, is queued alone.
#[derive(Debug)]
pub struct ReadyAnswers<P> {
    line: Arc<Line>,
    ready: Mutex<Ready<P>>,
}

#[derive(Debug)]
struct Ready<P> {
    frames: BytesMut,
    /// Where the last whole frame ends.
    whole_len: usize,
    count: usize,
    /// The places of all requests that were answered since the last hand-over.
    places: Vec<P>,
    /// Bytes of the answers that were handed over last.
    usual_len: usize,
}

impl<P> ReadyAnswers<P> {
    /// For the answers of a line.
    pub fn new(line: Arc<Line>) -> Self {
        let (frames, places) = (BytesMut::new(), Vec::new());
        let ready = Ready { frames, whole_len: 0, count: 0, places, usual_len: 0 };
        Self { line, ready: Mutex::new(ready) }
    }

    /// Adds an answer, which `write` appends to a buffer; where it appends nothing there is none. The
    /// request's places are given back with the next hand-over.
    pub fn add(&self, header: Option<&Header>, places: P, write: impl FnOnce(&mut BytesMut)) {
        let header = header.map(Header::reply);
        let is_packed = !self.line.identity.is_traced() && self.line.message_format.is_none();
        let mut ready = self.ready.lock();
        match is_packed {
            true => {
                ready.pack(&self.line, header.as_ref(), write);
                if ready.frames.len() >= QUEUED_LEN {
                    self.queue(&mut ready);
                }
            }
            false => {
                let mut body = BytesMut::with_capacity(256);
                write(&mut body);
                self.answer_alone(header, body.freeze());
            }
        }
        ready.places.push(places);
    }

    fn queue(&self, ready: &mut Ready<P>) {
        if ready.count == 0 {
            return;
        }
        let whole_len = mem::take(&mut ready.whole_len);
        let mut frames = mem::take(&mut ready.frames);
        // What an answer left that panicked while it was written.
        frames.truncate(whole_len);
        let count = mem::take(&mut ready.count);
        ready.usual_len = frames.len();
        if self.line.answer_many(frames, count).is_err() {
            undelivered(count);
        }
    }

    fn answer_alone(&self, header: Option<Header>, body: Bytes) {
        if !body.is_empty() && self.line.answer(Outbound { header, body }).is_err() {
            undelivered(1);
        }
    }

    /// Hands what is ready to the line's writer.
    pub fn hand_over(&self) {
        let mut ready = self.ready.lock();
        self.queue(&mut ready);
        // Not before: a drain waits for them, and then closes the line.
        ready.places.clear();
        ready.places.shrink_to(PLACES_KEPT);
    }
}

impl<P> Ready<P> {
    fn pack(&mut self, line: &Line, header: Option<&Header>, write: impl FnOnce(&mut BytesMut)) {
        if self.count == 0 {
            self.frames.reserve(self.usual_len);
        }
        // What an answer left that panicked while it was written.
        self.frames.truncate(self.whole_len);
        let framed = line.framer.begin(header, &mut self.frames).and_then(|start| {
            let empty_len = self.frames.len();
            write(&mut self.frames);
            match self.frames.len() == empty_len {
                true => {
                    line.framer.abandon(start, &mut self.frames);
                    Ok(0)
                }
                false => line.framer.finish(start, &mut self.frames).map(|()| 1),
            }
        });
        match framed {
            Ok(count) => self.count += count,
            Err(error) => tracing::error!(%error, "an answer does not fit a frame"),
        }
        self.whole_len = self.frames.len();
    }
}

impl Line {
    /// Queues answers in their frames, `count` of them.
    ///
    /// Errors: as [`Self::answer`].
    fn answer_many(&self, frames: BytesMut, count: usize) -> Result<(), NotSent> {
        self.put_answers(Queued::Answers(frames, count))
    }
}

fn undelivered(count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    metrics::counter!("cauce_answers_undelivered_total").increment(count);
}
