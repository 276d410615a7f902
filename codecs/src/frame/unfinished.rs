//! A frame that has begun and not ended: how much of it there is, and how much it states.

use std::fmt;

use super::{Framer, behind_length};

/// A frame that has begun and not ended.
///
/// Units: bytes from the start of the frame, its length included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnfinishedFrame {
    /// What has come of it.
    pub had: usize,
    /// What it takes by its length, with the least that its header can take; none while the length
    /// has not come, or on a line without lengths.
    pub stated: Option<usize>,
    /// Whether what is missing is as long as the length itself, which does not count on this line.
    pub may_count_itself: bool,
}

impl Framer {
    /// The frame that a stream ends within; none where the stream is empty.
    pub fn unfinished(&self, stream: &[u8]) -> Option<UnfinishedFrame> {
        let had = stream.len();
        let spec = &self.spec;
        let width = spec.length.width();
        if had == 0 {
            return None;
        }
        let length = stream.split_at_checked(width).filter(|_| width > 0);
        let stated = length.and_then(|(digits, rest)| {
            let counted = behind_length(spec.length.read(digits).ok()?, spec.counts, width).ok()?;
            let header = match spec.counts.header() {
                true => 0,
                false => spec.header.measure(rest, width).ok()?.unwrap_or(spec.header.len_min()),
            };
            Some(width + header + counted)
        });
        let missing = stated.and_then(|stated| stated.checked_sub(had));
        let may_count_itself = !spec.counts.itself() && missing == Some(width);
        Some(UnfinishedFrame { had, stated, may_count_itself })
    }
}

/// Says it in words, without content.
impl fmt::Display for UnfinishedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { had, stated, may_count_itself } = self;
        match stated {
            Some(stated) => write!(f, "a frame of {stated} bytes by its length ended after {had}")?,
            None => {
                write!(f, "a frame ended after {had} bytes, before its end or length was told")?
            }
        }
        match may_count_itself {
            true => f.write_str("; its length seems to count its own bytes, this line's does not"),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FrameSpec, HeaderKind, LengthKind, Trailer};
    use super::*;

    fn check(spec: FrameSpec, stream: &[u8], expect: Option<(usize, Option<usize>, bool)>) {
        let framer = Framer::new(spec).expect("a framing");
        let found = framer.unfinished(stream);
        let found = found.map(|it| (it.had, it.stated, it.may_count_itself));
        assert_eq!(found, expect, "{}", stream.escape_ascii());
    }

    #[test]
    fn a_frame_that_has_not_ended_tells_what_came_of_what_its_length_states() {
        let binary2 = FrameSpec::BINARY2;
        let nac = FrameSpec { header: HeaderKind::Tpdu, ..binary2 };
        let etx = FrameSpec { length: LengthKind::None, trailer: Trailer::Etx, ..binary2 };
        check(binary2, b"", None);
        check(binary2, b"\0", Some((1, None, false)));
        check(binary2, b"\0\x140800", Some((6, Some(22), false)));
        check(nac, b"\0\x14\x60", Some((3, Some(22), false)));
        check(etx, b"0800", Some((4, None, false)));
    }

    #[test]
    fn a_length_that_counts_itself_where_it_should_not_is_told() {
        let ascii4 = FrameSpec { length: LengthKind::Ascii(4), ..FrameSpec::BINARY2 };
        check(FrameSpec::BINARY2, b"\0\x060800", Some((6, Some(8), true)));
        check(ascii4, b"00080800", Some((8, Some(12), true)));
    }
}
