//! Cutting a byte stream into frames: a length, perhaps a header, a message, perhaps a trailer.
//!
//! A [`FrameSpec`] says how a line does it, in code by a preset or in configuration by a
//! [`RawFraming`]; a [`Framer`] cuts and writes. A message is never copied on the way in.

mod config;
mod error;
mod header;
mod length;
mod spec;
mod unfinished;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::Decoder;

pub use config::RawFraming;
pub use error::FrameError;
pub use header::{Header, HeaderKind};
pub use length::{Counts, LengthKind};
pub use spec::{BODY_LEN_CEILING, BODY_LEN_DEFAULT, FrameSpec, FramingMistake, KeepAlive, Trailer};
pub use unfinished::UnfinishedFrame;

/// End of text.
const ETX: u8 = 0x03;

/// One message, cut from the stream without copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The header, where the line has one. A rejected message says so here.
    pub header: Option<Header>,
    /// The message.
    pub body: Bytes,
}

/// What a stream brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Message(Frame),
    /// A frame of nothing, where the line echoes them.
    KeepAlive,
}

/// Cuts and writes the frames of one line.
#[derive(Debug, Clone)]
pub struct Framer {
    spec: FrameSpec,
    own_header: Option<Header>,
    /// What the length can say at most.
    capacity: usize,
    /// How much of the stream is known to hold no end, on a line without length.
    searched: usize,
}

/// A frame begun in a buffer, whose length is still to be written.
#[derive(Debug)]
#[must_use = "a frame begun must be finished"]
pub struct FrameStart {
    at: usize,
    body_at: usize,
}

/// Where the parts of a whole frame are.
#[derive(Debug, Clone, Copy)]
struct Extent {
    prefix: usize,
    header: usize,
    body: usize,
    trailer: usize,
}

impl Extent {
    fn is_keep_alive(self) -> bool {
        self.header == 0 && self.body == 0
    }
}

impl Framer {
    /// A framer for a line.
    ///
    /// Errors: every part of the spec that does not go with the others.
    pub fn new(spec: FrameSpec) -> Result<Self, Vec<FramingMistake>> {
        let mistakes = spec.mistakes();
        if mistakes.is_empty() {
            let (own_header, capacity) = (spec.header.blank(), spec.length.capacity());
            Ok(Self { spec, own_header, capacity, searched: 0 })
        } else {
            Err(mistakes)
        }
    }

    fn with_own_header(self, header: Header) -> Self {
        Self { own_header: Some(header), ..self }
    }

    /// How the line frames its messages.
    pub fn spec(&self) -> &FrameSpec {
        &self.spec
    }

    /// The same framing with a header of `len` bytes, which the length counts: five bytes are a TPDU,
    /// any other number is repeated in answers as it came. Zero takes nothing away.
    ///
    /// Shape:  a framing without header.
    /// Errors: the header does not fit the framing, or has more than 255 bytes.
    pub fn with_header_of(self, len: usize) -> Result<Self, Vec<FramingMistake>> {
        let header = match u8::try_from(len) {
            Ok(0) => return Ok(self),
            Ok(len) if len == HeaderKind::TPDU_LEN => HeaderKind::Tpdu,
            Ok(len) => HeaderKind::Fixed(len),
            Err(_) => {
                return Err(vec![FramingMistake::new("header_len", "1 to 255 bytes are allowed")]);
            }
        };
        // Without a header, a length that does not count it says the same as one that does.
        let counts = match self.spec.counts {
            Counts::Message | Counts::HeaderAndMessage => Counts::HeaderAndMessage,
            Counts::LengthAndMessage | Counts::All => Counts::All,
        };
        Self::new(FrameSpec { header, counts, ..self.spec })
    }

    /// The header of what this side sends unasked, where the line has headers.
    pub fn own_header(&self) -> Option<&Header> {
        self.own_header.as_ref()
    }

    /// The longest message this line takes behind a header like our own, in bytes.
    pub fn message_len_max(&self) -> usize {
        self.body_len_max(self.own_header().map_or(0, |header| header.raw().len()))
    }

    /// Appends a frame with this message.
    ///
    /// Errors: `TooLong`, `Empty`, `HeaderMismatch`, `TrailerWithin`; nothing is appended then.
    pub fn encode(
        &self,
        header: Option<&Header>,
        body: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), FrameError> {
        let start = self.begin(header, out)?;
        out.put_slice(body);
        self.finish(start, out)
    }

    /// Begins a frame whose message the caller appends to `out` itself; [`Framer::finish`] ends it.
    ///
    /// Errors: `HeaderMismatch`.
    pub fn begin(
        &self,
        header: Option<&Header>,
        out: &mut BytesMut,
    ) -> Result<FrameStart, FrameError> {
        if header.map_or(HeaderKind::None, Header::kind) != self.spec.header {
            return Err(FrameError::HeaderMismatch);
        }
        let at = out.len();
        out.put_bytes(0, self.spec.length.width());
        if let Some(header) = header {
            out.put_slice(header.raw());
        }
        Ok(FrameStart { at, body_at: out.len() })
    }

    /// Writes length and trailer of a frame begun.
    ///
    /// Errors: `TooLong`, `Empty`, `TrailerWithin`; the frame is taken back then.
    pub fn finish(&self, start: FrameStart, out: &mut BytesMut) -> Result<(), FrameError> {
        let FrameStart { at, body_at } = start;
        if let Err(error) = self.check_body(&out[body_at..], body_at - at) {
            out.truncate(at);
            return Err(error);
        }
        let body = out.len() - body_at;
        if self.spec.trailer == Trailer::Etx {
            out.put_u8(ETX);
        }
        let FrameSpec { length, counts, header, .. } = self.spec;
        let width = length.width();
        let header_at = at + width;
        header.complete(&mut out[header_at..body_at], body);
        let stated = counts.stated(width, body_at - header_at, out.len() - body_at);
        length.write(stated, &mut out[at..header_at]);
        Ok(())
    }

    /// Takes back a frame begun, with all that was appended since.
    pub fn abandon(&self, start: FrameStart, out: &mut BytesMut) {
        out.truncate(start.at);
    }

    /// Appends a keep-alive: a length of zero with nothing behind it, or a trailer alone.
    pub fn keep_alive(&self, out: &mut BytesMut) {
        let at = out.len();
        let width = self.spec.length.width();
        out.put_bytes(0, width);
        match self.spec.length {
            LengthKind::None => out.put_u8(ETX),
            length => length.write(0, &mut out[at..]),
        }
    }

    fn check_body(&self, body: &[u8], before: usize) -> Result<(), FrameError> {
        let header = before - self.spec.length.width();
        if body.is_empty() {
            return Err(FrameError::Empty);
        }
        self.check_len(header, body.len())?;
        let ends_early = match self.spec.length {
            LengthKind::None => memchr::memchr(ETX, body),
            _ => None,
        };
        ends_early.map_or(Ok(()), |offset| Err(FrameError::TrailerWithin { offset }))
    }

    fn check_len(&self, header: usize, body: usize) -> Result<(), FrameError> {
        let (max, around) = (self.body_len_max(header), header + self.spec.trailer.len());
        match body > max {
            true => Err(FrameError::TooLong { stated: around + body, max: around + max }),
            false => Ok(()),
        }
    }

    /// The longest message behind a header of this length.
    fn body_len_max(&self, header: usize) -> usize {
        let FrameSpec { length, counts, trailer, body_len_max, .. } = self.spec;
        let around = counts.stated(length.width(), header, trailer.len());
        body_len_max.min(self.capacity.saturating_sub(around))
    }
}

/// An error means: close the line.
impl Decoder for Framer {
    type Item = Received;
    type Error = FrameError;

    fn decode(&mut self, stream: &mut BytesMut) -> Result<Option<Received>, FrameError> {
        loop {
            let whole = match self.spec.length {
                LengthKind::None => self.find_end(stream)?,
                _ => self.measure(stream)?,
            };
            let Some(extent) = whole else { return Ok(None) };
            if !extent.is_keep_alive() {
                return Ok(Some(Received::Message(self.cut(stream, extent))));
            }
            stream.advance(extent.prefix + extent.trailer);
            if self.spec.keep_alive == KeepAlive::Echo {
                return Ok(Some(Received::KeepAlive));
            }
        }
    }
}

impl Framer {
    /// The frame a stream begins with, once it is whole.
    fn measure(&self, stream: &mut BytesMut) -> Result<Option<Extent>, FrameError> {
        let FrameSpec { length, counts, trailer, .. } = self.spec;
        let prefix = length.width();
        let Some((digits, rest)) = stream.split_at_checked(prefix) else { return Ok(None) };
        let counted = behind_length(length.read(digits)?, counts, prefix)?;
        if counted == 0 {
            return Ok(Some(Extent { prefix, header: 0, body: 0, trailer: 0 }));
        }
        self.check_counted(counted)?;
        let available = if counts.header() { rest.len().min(counted) } else { rest.len() };
        let header = self.spec.header.measure(&rest[..available], prefix)?;
        let behind = match (header, counts.header()) {
            (_, true) => counted,
            (Some(header), false) => header + counted,
            (None, false) => self.spec.header.len_min() + counted,
        };
        let Some(header) = header.filter(|_| rest.len() >= behind) else {
            let missing = behind.saturating_sub(rest.len());
            if missing == 0 && counts.header() {
                let need = self.spec.header.len_min() + trailer.len();
                return Err(FrameError::ShortHeader { stated: counted, need });
            }
            stream.reserve(missing);
            return Ok(None);
        };
        self.extent(rest, header, behind).map(Some)
    }

    /// The frame whose `behind` bytes after the length are there, checked.
    fn extent(&self, rest: &[u8], header: usize, behind: usize) -> Result<Extent, FrameError> {
        let (prefix, trailer) = (self.spec.length.width(), self.spec.trailer.len());
        let need = header + trailer;
        let Some(body) = behind.checked_sub(need) else {
            return Err(FrameError::ShortHeader { stated: behind, need });
        };
        self.check_len(header, body)?;
        if self.spec.trailer == Trailer::Etx && rest[behind - 1] != ETX {
            return Err(FrameError::NoTrailer { offset: prefix + behind - 1 });
        }
        Ok(Extent { prefix, header, body, trailer })
    }

    /// Refuses a length before anything is awaited for it.
    fn check_counted(&self, counted: usize) -> Result<(), FrameError> {
        let FrameSpec { counts, header, trailer, body_len_max, .. } = self.spec;
        let (least, most) = match counts.header() {
            true => (header.len_min(), header.len_max()),
            false => (0, 0),
        };
        let (need, max) = (least + trailer.len(), most + body_len_max + trailer.len());
        if counted < need {
            return Err(FrameError::ShortHeader { stated: counted, need });
        }
        match counted > max {
            true => Err(FrameError::TooLong { stated: counted, max }),
            false => Ok(()),
        }
    }

    /// The frame a stream without lengths begins with, once its end is there.
    fn find_end(&mut self, stream: &BytesMut) -> Result<Option<Extent>, FrameError> {
        let from = self.searched.min(stream.len());
        let found = memchr::memchr(ETX, &stream[from..]).map(|at| from + at);
        let body = found.unwrap_or(stream.len());
        self.check_len(0, body)?;
        self.searched = if found.is_some() { 0 } else { body };
        Ok(found.map(|body| Extent { prefix: 0, header: 0, body, trailer: 1 }))
    }

    fn cut(&self, stream: &mut BytesMut, extent: Extent) -> Frame {
        let Extent { prefix, header, body, trailer } = extent;
        stream.advance(prefix);
        let mut content = stream.split_to(header + body).freeze();
        stream.advance(trailer);
        let header = Header::measured(self.spec.header, content.split_to(header));
        Frame { header, body: content }
    }
}

/// Bytes behind a length that states so many; none for a keep-alive.
fn behind_length(stated: usize, counts: Counts, width: usize) -> Result<usize, FrameError> {
    match counts.itself() {
        // A poll states 0 even where a length counts itself.
        true if stated > 0 => {
            stated.checked_sub(width).ok_or(FrameError::ShortLength { stated, need: width })
        }
        _ => Ok(stated),
    }
}

#[cfg(test)]
mod tests;
