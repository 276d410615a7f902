//! Reading on behind a field whose end cannot be told: one that the format does not define, or whose
//! length makes no sense. Without that, a request with one such field in front of its trace number
//! could not be answered.

use super::{Index, slot};
use crate::error::{DecodeError, ErrorKind};
use crate::iso8583::field::Field;
use crate::iso8583::index::Present;
use crate::iso8583::spec::{FIELDS, Spec, THIRD, ThirdBitmap};

/// Systems trace audit number: what the fields behind are looked for.
const TRACE: u8 = 11;
/// Transmission date and time: what proves that a place is the right one, for a message cut short
/// may be read from a wrong one.
const TRANSMITTED_AT: u8 = 7;
/// Places looked at for the next field; a field of the standard has 999 characters at most, those
/// in front of the trace number no more than 20.
const PLACES_MAX: usize = 64;

/// The fields behind the one that cannot be read, with start and end of each.
type Behind = Vec<(u8, usize, usize)>;

impl Spec {
    /// Adds the fields behind the one that an error is about, where there is one place alone from
    /// which all of them are well made and end with the message. Only where the trace number is
    /// among them.
    pub(super) fn resume(
        &self,
        bytes: &[u8],
        present: Present,
        error: &DecodeError,
        index: &mut Index,
    ) {
        let is_endless = match error.kind {
            ErrorKind::UndefinedField
            | ErrorKind::BadLength
            | ErrorKind::TooLong
            | ErrorKind::ShortData => true,
            ErrorKind::ShortLength
            | ErrorKind::Trailing
            | ErrorKind::BadBitmap
            | ErrorKind::ShortTlv
            | ErrorKind::BadContent => false,
        };
        let has_third = self.third == ThirdBitmap::InField65 && present.has(THIRD);
        let is_named = present.has(TRACE) && present.has(TRANSMITTED_AT);
        if !is_endless || has_third || !(2..TRANSMITTED_AT).contains(&error.field) || !is_named {
            return;
        }
        let mut left = present;
        let numbers: Vec<u8> = std::iter::from_fn(|| left.take()).collect();
        // Fields that are not defined either end where the first begins that is.
        let behind = |number: &u8| *number <= error.field || self.field(*number).is_none();
        let numbers: Vec<u8> = numbers.into_iter().skip_while(behind).collect();
        let places = error.offset..bytes.len().min(error.offset + PLACES_MAX);
        let mut found = places.filter_map(|at| self.whole_from(bytes, at, &numbers));
        let Some(first) = found.next() else { return };
        // Readings that agree on the trace number and all behind it differ in nothing that matters.
        let behind_trace = |behind: &Behind| {
            let at = behind.iter().position(|(number, ..)| *number == TRACE);
            behind[at.unwrap_or(0)..].to_vec()
        };
        if found.any(|other| behind_trace(&other) != behind_trace(&first)) {
            return;
        }
        for (number, start, end) in first {
            index.slots[usize::from(number)] = slot(start, end);
            index.present.insert(number);
        }
    }

    /// The fields from a place on, where all are well made and end with the message.
    fn whole_from(&self, bytes: &[u8], at: usize, numbers: &[u8]) -> Option<Behind> {
        let mut behind = Vec::with_capacity(numbers.len().min(FIELDS));
        let mut next = at;
        for number in numbers {
            let field: &Field = self.field(*number)?;
            let found = field.find(*number, bytes, next).ok()?;
            let content = bytes.get(found.start..found.end)?;
            if field.first_violation(content, found.units).is_some() {
                return None;
            }
            if *number == TRANSMITTED_AT && !is_instant(&field.latin1(content, found.units)) {
                return None;
            }
            behind.push((*number, found.start, found.end));
            next = found.end;
        }
        (next == bytes.len()).then_some(behind)
    }
}

/// Whether digits are an instant of any year, MMDDhhmmss.
fn is_instant(digits: &[u8]) -> bool {
    let bounds = [1..=12, 1..=31, 0..=23, 0..=59, 0..=60];
    let pairs = digits.chunks_exact(2).map(|pair| match pair {
        [tens @ b'0'..=b'9', units @ b'0'..=b'9'] => Some((tens - b'0') * 10 + units - b'0'),
        _ => None,
    });
    digits.len() == 10
        && pairs.zip(bounds).all(|(pair, bounds)| pair.is_some_and(|pair| bounds.contains(&pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A format of three fields and no amount (DE4, DE5).
    fn spec() -> Spec {
        let toml = "name = \"small\"\nmti = \"ascii\"\nbitmap = \"binary\"\n[fields]\n\
                    2 = { content = \"n\", length_max = 19, length_digits = 2, secret = true }\n\
                    3 = { content = \"n\", length = 6 }\n7 = { content = \"n\", length = 10 }\n\
                    11 = { content = \"n\", length = 6 }\n\
                    41 = { content = \"ans\", length = 8 }\n";
        Spec::from_toml(toml).expect("a format")
    }

    fn message(fields: &[u8], text: &str) -> Vec<u8> {
        let bits = fields.iter().fold(0_u64, |bits, field| bits | 1 << (64 - field));
        [b"0200", &bits.to_be_bytes()[..], text.as_bytes()].concat()
    }

    fn check(bytes: &[u8], kind: ErrorKind, field: u8, trace: Option<&str>) {
        let mut index = Index::default();
        let error = spec().index(bytes, &mut index).expect_err("a broken message");
        assert_eq!((error.kind, error.field), (kind, field));
        let found = index.field(bytes, 11).map(|trace| trace.escape_ascii().to_string());
        assert_eq!(found.as_deref(), trace);
        assert_eq!(index.has(41), trace.is_some());
    }

    #[test]
    fn a_field_that_is_not_defined_does_not_hide_the_trace_number() {
        let whole = message(&[3, 4, 7, 11, 41], "0000000000000150001123211722000042TERM0001");
        check(&whole, ErrorKind::UndefinedField, 4, Some("000042"));
    }

    #[test]
    fn a_length_that_makes_no_sense_does_not_hide_the_trace_number() {
        let text = |length: &str| format!("{length}40000012345678900000001123211722000042TERM0001");
        let fields = [2, 3, 7, 11, 41];
        check(&message(&fields, &text("99")), ErrorKind::TooLong, 2, Some("000042"));
        check(&message(&fields, &text("x6")), ErrorKind::BadLength, 2, Some("000042"));
    }

    #[test]
    fn what_does_not_end_with_the_message_is_not_read_on() {
        let cut = message(&[3, 4, 7, 11, 41], "000000000000015000112321172200004");
        check(&cut, ErrorKind::UndefinedField, 4, None);
        let apart = message(&[3, 4, 7, 8, 11, 41], "0000000000000150001123211722x000042TERM0001");
        check(&apart, ErrorKind::UndefinedField, 4, None);
        let beside = message(&[3, 4, 5, 7, 11, 41], "000000000015015112321172200004 TERM0001");
        check(&beside, ErrorKind::UndefinedField, 4, None);
    }
}
