//! What is wrong with a stream of frames, and where.

/// Why a stream could not be framed. After any of these the stream is out of step: close it.
///
/// Units: offsets in bytes from the start of the frame, length included.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Reading or writing failed, or the stream ended within a frame.
    #[error("stream failed")]
    Io(#[from] std::io::Error),
    /// A frame is longer than the line allows.
    #[error("frame of {stated} bytes, at most {max} allowed")]
    TooLong {
        /// Bytes behind the length: header, message and trailer.
        stated: usize,
        /// The most there may be.
        max: usize,
    },
    /// The length is not written in digits.
    #[error("length of a frame holds a byte that is no digit at position {offset}")]
    NotDigit {
        /// Where.
        offset: usize,
    },
    /// A byte beside the length is not zero.
    #[error("byte beside the length of a frame is not zero at position {offset}")]
    NotZero {
        /// Where.
        offset: usize,
    },
    /// A length that counts itself is smaller than itself.
    #[error("length of a frame counts its own {need} bytes and states {stated}")]
    ShortLength {
        /// What it states.
        stated: usize,
        /// What it takes itself.
        need: usize,
    },
    /// A frame is shorter than its header and trailer.
    #[error("frame of {stated} bytes cannot hold its header of {need}")]
    ShortHeader {
        /// Bytes behind the length.
        stated: usize,
        /// The least header and trailer take.
        need: usize,
    },
    /// A header that tells its own length tells one it cannot have.
    #[error("header of a frame states an impossible length at position {offset}")]
    BadHeader {
        /// Where.
        offset: usize,
    },
    /// A frame does not end with its trailer.
    #[error("frame does not end with its trailer at position {offset}")]
    NoTrailer {
        /// Where it should be.
        offset: usize,
    },
    /// A message to be sent holds the byte that ends a frame without length.
    #[error("message holds the end of a frame at position {offset}")]
    TrailerWithin {
        /// Where in the message.
        offset: usize,
    },
    /// A message of no bytes, which could not be told from a keep-alive.
    #[error("message of no bytes cannot be framed")]
    Empty,
    /// A header was given for a line without, none for a line with headers, or one of another kind.
    #[error("header given does not fit the line's framing")]
    HeaderMismatch,
}

impl FrameError {
    /// The kind's name, for metrics and the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::TooLong { .. } => "too_long",
            Self::NotDigit { .. } | Self::NotZero { .. } | Self::ShortLength { .. } => "bad_length",
            Self::ShortHeader { .. } => "short_header",
            Self::BadHeader { .. } => "bad_header",
            Self::NoTrailer { .. } | Self::TrailerWithin { .. } => "bad_trailer",
            Self::Empty => "empty",
            Self::HeaderMismatch => "header_mismatch",
        }
    }

    /// Where it is, as far as it is at one place.
    pub fn offset(&self) -> usize {
        match *self {
            Self::NotDigit { offset }
            | Self::NotZero { offset }
            | Self::BadHeader { offset }
            | Self::NoTrailer { offset }
            | Self::TrailerWithin { offset } => offset,
            Self::Io(_)
            | Self::TooLong { .. }
            | Self::ShortLength { .. }
            | Self::ShortHeader { .. }
            | Self::Empty
            | Self::HeaderMismatch => 0,
        }
    }
}
