//! The tables of a terminal, which many hosts send in a field of private use.
//!
//! Their specifications give the field as bytes and describe the tables elsewhere, so that a field that
//! was copied from one says nothing of them. The layout is the same everywhere: two bytes of length in
//! BCD, which count the number of the table too, the number as two characters, then the content.

use super::Maker;
use crate::iso8583::content::Content;
use crate::iso8583::field::Encoding;
use crate::iso8583::spec::raw::{RawField, RawParts};

/// The name by which a field of bytes is taken for tables.
const NAME: &str = "tables";

/// Whether a field that states no parts holds tables: bytes that the format names so.
pub(super) fn is_so_named(raw: &RawField, encoding: Encoding) -> bool {
    raw.name == NAME && is_bytes(raw, encoding)
}

/// What a field of tables is made of. Bytes that are no tables stay bytes.
pub(super) fn parts() -> RawParts {
    RawParts {
        kind: "tagged".to_owned(),
        order: Some("length_first".to_owned()),
        tag_length: Some(2),
        length_digits: Some(4),
        length_encoding: Some("bcd".to_owned()),
        length_includes_tag: true,
        or_bytes: true,
        ..RawParts::default()
    }
}

fn is_bytes(raw: &RawField, encoding: Encoding) -> bool {
    raw.content == Content::Binary && encoding == Encoding::Raw
}

impl Maker<'_> {
    /// Only a field of bytes can keep bytes in place of its parts.
    pub(super) fn bytes_alone(&mut self, key: &str, raw: &RawField, encoding: Encoding) {
        if !is_bytes(raw, encoding) {
            let problem = "only a field of content `b` in encoding `raw` can be bytes";
            self.mistakes.add(&format!("{key}.or_bytes"), problem);
        }
    }
}
