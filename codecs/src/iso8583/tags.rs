//! Tags within a field: two digits of tag, two digits of length, the value (TTLL, DE48).

use bytes::{BufMut, BytesMut};

use crate::error::{DecodeError, ErrorKind, PackError};

/// Longest value of a tag.
pub const VALUE_LEN_MAX: usize = 99;

/// One tag, borrowed from the message. Tags that nobody knows are given like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// 0..=99.
    pub number: u8,
    /// Its value.
    pub value: &'a [u8],
    /// Where the value begins, in bytes from the start of the message.
    pub offset: usize,
}

/// The tags of a field, in the order they were sent.
#[derive(Debug, Clone)]
pub struct Tags<'a> {
    rest: &'a [u8],
    field: u8,
    offset: usize,
}

/// Reads the tags of a field whose content begins at `offset` of the message.
///
/// Errors: `short_tlv` at the tag that is cut short or whose tag or length is no number; the
///         iterator ends there.
pub fn read(content: &[u8], field: u8, offset: usize) -> Tags<'_> {
    Tags { rest: content, field, offset }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Result<Tag<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.take().ok_or_else(|| {
            let (have, kind) = (self.rest.len(), ErrorKind::ShortTlv);
            self.rest = &[];
            kind.at(self.field, self.offset, 4, have)
        }))
    }
}

impl<'a> Tags<'a> {
    fn take(&mut self) -> Option<Tag<'a>> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        let number = two_digits([head[0], head[1]])?;
        let len = usize::from(two_digits([head[2], head[3]])?);
        let (value, rest) = rest.split_at_checked(len)?;
        let offset = self.offset + head.len();
        self.rest = rest;
        self.offset = offset + len;
        Some(Tag { number, value, offset })
    }
}

/// Appends a tag.
///
/// Errors: [`PackError::Tag`] when the value is longer than [`VALUE_LEN_MAX`].
pub fn write(field: u8, number: u8, value: &[u8], out: &mut BytesMut) -> Result<(), PackError> {
    let have = value.len();
    if have > VALUE_LEN_MAX || number > 99 {
        return Err(PackError::Tag { field, tag: number, have, allowed: VALUE_LEN_MAX });
    }
    let len = u8::try_from(have).expect("invariant: at most 99");
    out.put_slice(&[b'0' + number / 10, b'0' + number % 10, b'0' + len / 10, b'0' + len % 10]);
    out.put_slice(value);
    Ok(())
}

fn two_digits([tens, units]: [u8; 2]) -> Option<u8> {
    (tens.is_ascii_digit() && units.is_ascii_digit()).then(|| (tens - b'0') * 10 + units - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_in_their_order_known_or_not() {
        let tags: Result<Vec<_>, _> = read(b"0206C12345990277770001X", 48, 100).collect();
        let tag = |number, value, offset| Tag { number, value, offset };
        let expect = vec![tag(2, &b"C12345"[..], 104), tag(99, b"77", 114), tag(77, b"", 120)];
        assert_eq!(tags.map_err(|error| error.offset), Err(120));
        let tags: Result<Vec<_>, _> = read(b"0206C1234599027777000101X", 48, 100).collect();
        assert_eq!(tags, Ok([expect, vec![tag(1, b"X", 124)]].concat()));
    }

    #[test]
    fn a_tag_cut_short_is_named_by_its_offset() {
        let error = |offset, have| ErrorKind::ShortTlv.at(48, offset, 4, have);
        let last = |content| read(content, 48, 100).last();
        assert_eq!(last(b"0201A0205abc"), Some(Err(error(105, 7))));
        assert_eq!(last(b"0201A02"), Some(Err(error(105, 2))));
        assert_eq!(last(b"0201Ax201A"), Some(Err(error(105, 5))));
    }

    #[test]
    fn a_value_is_at_most_99_long() {
        let mut out = BytesMut::new();
        assert_eq!(write(48, 7, b"credimax", &mut out), Ok(()));
        assert_eq!(&out[..], b"0708credimax");
        let error = PackError::Tag { field: 48, tag: 12, have: 100, allowed: 99 };
        assert_eq!(write(48, 12, &[b'a'; 100], &mut out), Err(error));
    }
}
