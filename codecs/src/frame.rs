//! Cutting a byte stream into frames: a length, perhaps a header, and a message.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::Decoder;

/// How a line frames its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSpec {
    /// How the length is written.
    pub length: LengthKind,
    /// What stands between the length and the message; the length counts it.
    pub header: HeaderKind,
    /// Longest message taken or sent, in bytes, without header.
    pub body_len_max: usize,
}

/// How the length in front of a frame is written. It never counts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthKind {
    /// Two bytes, big-endian.
    Binary2,
    /// Four bytes, big-endian.
    Binary4,
    /// Four ASCII digits.
    Ascii4,
    /// Four digits in two bytes of BCD.
    Bcd2,
    /// Four hexadecimal ASCII characters.
    Hex4,
}

/// What stands between the length and the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderKind {
    /// Nothing.
    None,
    /// A transport protocol data unit header of five bytes.
    Tpdu,
}

/// A TPDU header: protocol identifier, two bytes of destination, two bytes of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tpdu(pub [u8; 5]);

impl Tpdu {
    /// The header of the reply: destination and source swapped.
    pub fn reply(self) -> Self {
        let [id, to_high, to_low, from_high, from_low] = self.0;
        Self([id, from_high, from_low, to_high, to_low])
    }
}

/// One frame, cut from the stream without copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The header, where the line has one.
    pub header: Option<Tpdu>,
    /// The message.
    pub body: Bytes,
}

/// Why a stream could not be framed. After any of these the stream is out of step: close it.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Reading or writing failed, or the stream ended within a frame.
    #[error("stream failed")]
    Io(#[from] std::io::Error),
    /// A frame is longer than the line allows.
    #[error("frame of {stated} bytes, at most {max} allowed")]
    TooLong {
        /// Its length, header included.
        stated: usize,
        /// The longest frame, header included.
        max: usize,
    },
    /// The length is not written in digits.
    #[error("length of a frame holds a byte that is no digit at position {offset}")]
    NotDigit {
        /// Position within the length, from 0.
        offset: usize,
    },
    /// A frame is shorter than its header.
    #[error("frame of {stated} bytes cannot hold its header of {need}")]
    ShortHeader {
        /// Its length.
        stated: usize,
        /// The header's length.
        need: usize,
    },
    /// A header was given for a line without, or none for a line with headers.
    #[error("header given does not fit the line's framing")]
    HeaderMismatch,
}

/// Cuts and writes the frames of one line.
#[derive(Debug, Clone)]
pub struct Framer {
    spec: FrameSpec,
}

/// A frame begun in a buffer, whose length is still to be written.
#[derive(Debug)]
#[must_use = "a frame begun must be finished"]
pub struct FrameStart {
    at: usize,
}

impl LengthKind {
    /// Bytes the length takes.
    fn width(self) -> usize {
        match self {
            Self::Binary2 | Self::Bcd2 => 2,
            Self::Binary4 | Self::Ascii4 | Self::Hex4 => 4,
        }
    }

    /// The largest length that can be written.
    fn capacity(self) -> usize {
        match self {
            Self::Binary2 | Self::Hex4 => 0xFFFF,
            Self::Binary4 => 0xFFFF_FFFF,
            Self::Ascii4 | Self::Bcd2 => 9999,
        }
    }

    fn read(self, bytes: &[u8]) -> Result<usize, FrameError> {
        match self {
            Self::Binary2 | Self::Binary4 => Ok(number(bytes, 256, |byte| Some(byte.into()))?),
            Self::Ascii4 => number(bytes, 10, |byte| char::from(byte).to_digit(10)),
            Self::Hex4 => number(bytes, 16, |byte| char::from(byte).to_digit(16)),
            Self::Bcd2 => number(bytes, 100, |byte| {
                let (high, low) = (byte >> 4, byte & 0x0F);
                (high < 10 && low < 10).then(|| u32::from(high * 10 + low))
            }),
        }
    }

    /// Writes a length no greater than the capacity into `width` bytes.
    fn write(self, length: usize, out: &mut [u8]) {
        let mut rest = length;
        for slot in out.iter_mut().rev() {
            let base = match self {
                Self::Binary2 | Self::Binary4 => 256,
                Self::Ascii4 => 10,
                Self::Hex4 => 16,
                Self::Bcd2 => 100,
            };
            let digit = u8::try_from(rest % base).expect("invariant: bases are at most 256");
            *slot = match self {
                Self::Binary2 | Self::Binary4 => digit,
                Self::Ascii4 => b'0' + digit,
                Self::Hex4 => b"0123456789ABCDEF"[usize::from(digit)],
                Self::Bcd2 => ((digit / 10) << 4) | (digit % 10),
            };
            rest /= base;
        }
    }
}

fn number(
    bytes: &[u8],
    base: usize,
    digit: impl Fn(u8) -> Option<u32>,
) -> Result<usize, FrameError> {
    bytes.iter().enumerate().try_fold(0, |value, (offset, byte)| {
        let digit = digit(*byte).ok_or(FrameError::NotDigit { offset })?;
        Ok(value * base + usize::try_from(digit).expect("invariant: a digit fits"))
    })
}

impl HeaderKind {
    fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Tpdu => 5,
        }
    }
}

impl Framer {
    /// A framer for a line.
    pub fn new(spec: FrameSpec) -> Self {
        Self { spec }
    }

    /// The longest frame this line takes, header included.
    pub fn frame_len_max(&self) -> usize {
        let wanted = self.spec.body_len_max.saturating_add(self.spec.header.len());
        wanted.min(self.spec.length.capacity())
    }

    /// Appends a frame with this message.
    ///
    /// Errors: `TooLong`, `HeaderMismatch`; nothing is appended then.
    pub fn encode(
        &self,
        header: Option<Tpdu>,
        body: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), FrameError> {
        let start = self.begin(header, out)?;
        out.put_slice(body);
        self.finish(start, out)
    }

    /// Begins a frame whose message the caller appends to `out` itself; [`Framer::finish`] ends it.
    pub fn begin(
        &self,
        header: Option<Tpdu>,
        out: &mut BytesMut,
    ) -> Result<FrameStart, FrameError> {
        if header.is_some() != (self.spec.header == HeaderKind::Tpdu) {
            return Err(FrameError::HeaderMismatch);
        }
        let at = out.len();
        out.put_bytes(0, self.spec.length.width());
        if let Some(Tpdu(bytes)) = header {
            out.put_slice(&bytes);
        }
        Ok(FrameStart { at })
    }

    /// Writes the length of a frame begun.
    ///
    /// Errors: `TooLong`; the frame is taken back then.
    pub fn finish(&self, start: FrameStart, out: &mut BytesMut) -> Result<(), FrameError> {
        let content_at = start.at + self.spec.length.width();
        let stated = out.len() - content_at;
        if stated > self.frame_len_max() {
            out.truncate(start.at);
            return Err(FrameError::TooLong { stated, max: self.frame_len_max() });
        }
        self.spec.length.write(stated, &mut out[start.at..content_at]);
        Ok(())
    }

    /// Takes back a frame begun, with all that was appended since.
    pub fn abandon(&self, start: FrameStart, out: &mut BytesMut) {
        out.truncate(start.at);
    }

    /// Appends a keep-alive: a frame of length zero.
    pub fn keep_alive(&self, out: &mut BytesMut) {
        let at = out.len();
        out.put_bytes(0, self.spec.length.width());
        self.spec.length.write(0, &mut out[at..]);
    }
}

/// Keep-alives (frames of length zero) are skipped silently. An error means: close the line.
impl Decoder for Framer {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, stream: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let width = self.spec.length.width();
        while stream.len() >= width {
            let stated = self.spec.length.read(&stream[..width])?;
            if stated == 0 {
                stream.advance(width);
                continue;
            }
            let (need, max) = (self.spec.header.len(), self.frame_len_max());
            if stated > max {
                return Err(FrameError::TooLong { stated, max });
            }
            if stated < need {
                return Err(FrameError::ShortHeader { stated, need });
            }
            if stream.len() < width + stated {
                stream.reserve(width + stated - stream.len());
                return Ok(None);
            }
            stream.advance(width);
            return Ok(Some(self.cut(stream, stated)));
        }
        Ok(None)
    }
}

impl Framer {
    fn cut(&self, stream: &mut BytesMut, stated: usize) -> Frame {
        let mut body = stream.split_to(stated).freeze();
        let header = match self.spec.header {
            HeaderKind::None => None,
            HeaderKind::Tpdu => {
                let mut bytes = [0; 5];
                bytes.copy_from_slice(&body.split_to(5));
                Some(Tpdu(bytes))
            }
        };
        Frame { header, body }
    }
}

#[cfg(test)]
mod tests;
