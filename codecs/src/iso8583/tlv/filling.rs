//! Bytes that fill a field of BER-TLV up: which of them are no tags.
//!
//! 00 is never a tag. FF is filling where the data ends behind it, or where 00, FF or the first byte of
//! a tag of EMV's follows that holds no objects: 42, 4F, 50, 56, 57, 5A, 5F, or 80 and more. Card numbers
//! are among them (57, 5A), and would be shown as the value of a tag that nobody knows. Before anything
//! else FF begins a tag, such as FF0E. Two cases stay open, and are decided by the content, because tags
//! that begin with FF are templates: a template of one byte that EMV defines (70) may follow filling or
//! be the second byte (FF70), and 81 may begin a tag or stand in FF8106. There FF begins a tag where
//! its value is made of objects itself.
//!
//! Source: EMV Book 3, annex B1 and B4; ISO/IEC 7816-4, BER-TLV data objects. Which of two meanings
//! FF has is decided here, because no standard does.

use super::Tlvs;

/// Templates within templates that are looked into.
pub(super) const NESTING_MAX: u8 = 4;

/// Tags of one byte below 80 that EMV defines and that hold no objects: in front of them FF is filling.
///
/// Source: EMV Book 3, annex A; EMV Contactless Book C-1 and C-2, annex A.
const PRIMITIVE: [u8; 6] = [0x42, 0x4F, 0x50, 0x56, 0x57, 0x5A];

/// Templates of one byte that EMV defines, and the first byte of its tags for contactless kernels:
/// behind FF they may be either.
///
/// Source: EMV Book 3, annex A; EMV Contactless Book C-2, annex A.
const OPEN: [u8; 8] = [0x61, 0x6F, 0x70, 0x71, 0x72, 0x73, 0x77, 0x81];

/// What FF is before another byte.
enum Meaning {
    Filling,
    Tag,
    /// A tag where its value is made of objects.
    Template,
}

/// Bytes of filling at the start of some data.
pub(super) fn len(data: &[u8], nesting: u8) -> usize {
    let is_filling = |at: &usize| match data[*at] {
        0x00 => true,
        0xFF => !begins_tag(&data[*at..], nesting),
        _ => false,
    };
    (0..data.len()).take_while(is_filling).count()
}

/// Whether an object would be taken for filling when it is read again.
pub(super) fn hides(tag: &[u8], value: &[u8]) -> bool {
    match tag {
        [0x00, ..] => true,
        [0xFF, next, ..] => match meaning(*next) {
            Meaning::Filling => true,
            Meaning::Tag => false,
            Meaning::Template => !holds_objects(value, NESTING_MAX),
        },
        _ => false,
    }
}

/// Whether the FF at the start of the data is the first byte of a tag.
fn begins_tag(data: &[u8], nesting: u8) -> bool {
    let Some(next) = data.get(1) else { return false };
    match meaning(*next) {
        Meaning::Filling => false,
        Meaning::Tag => true,
        Meaning::Template => {
            let object = Tlvs { data, at: 0, nesting }.object();
            object.is_ok_and(|object| holds_objects(object.value, nesting))
        }
    }
}

fn meaning(next: u8) -> Meaning {
    match next {
        next if PRIMITIVE.contains(&next) => Meaning::Filling,
        next if OPEN.contains(&next) => Meaning::Template,
        0x00 | 0x5F | 0x80.. => Meaning::Filling,
        _ => Meaning::Tag,
    }
}

fn holds_objects(value: &[u8], nesting: u8) -> bool {
    let Some(nesting) = nesting.checked_sub(1) else { return false };
    let mut objects = Tlvs { data: value, at: 0, nesting };
    match objects.next() {
        None => false,
        Some(first) => first.is_ok() && objects.all(|object| object.is_ok()),
    }
}
