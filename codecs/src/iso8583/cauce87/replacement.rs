//! Replacement amounts (DE95): what is to stand of a payment after a partial reversal.
//!
//! ```text
//! DE95 = transaction n12 · settlement n12 · transaction fee x+n8 · settlement fee x+n8
//! ```
//! Source: ISO 8583:1987, data element 95; DE4 of the message stays the original's amount.

use router::reason::Reason;

use super::MapError;
use super::reader::{Reader, digits};

/// The data element.
pub(super) const FIELD: u8 = 95;
const LEN: usize = 42;

/// What is to stand, in minor units; none where all of the payment is to be undone.
///
/// Errors: an element that is no such amounts; amounts that replace anything else than the
///         transaction's.
pub(super) fn read(reader: Reader<'_>) -> Result<Option<i64>, MapError> {
    let Some(content) = reader.field(FIELD) else { return Ok(None) };
    let malformed = || reader.fault(Reason::FormatError, FIELD, "not replacement amounts");
    let amounts: &[u8; LEN] = content.try_into().map_err(|_| malformed())?;
    let amount = |from: usize| digits(&amounts[from..from + 12]).ok_or_else(malformed);
    let (stands, settlement) = (amount(0)?, amount(12)?);
    for from in [24, 33] {
        let fee = digits(&amounts[from + 1..from + 9]).filter(|_| b"CD".contains(&amounts[from]));
        if fee.ok_or_else(malformed)? != 0 {
            let detail = "a fee cannot be replaced";
            return Err(reader.fault(Reason::PartialReversalNotSupported, FIELD, detail));
        }
    }
    if settlement != 0 && settlement != stands {
        let detail = "the settlement amount must be zero or the transaction's";
        return Err(reader.fault(Reason::ReversalAmountMismatch, FIELD, detail));
    }
    Ok(Some(stands).filter(|stands| *stands > 0))
}

/// The element that says what is to stand of the transaction, in minor units; without fees.
pub(super) fn element(stands_minor: u64) -> Option<[u8; LEN]> {
    let text = format!("{stands_minor:012}{:012}C00000000C00000000", 0);
    text.into_bytes().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::cauce87::{Wire, read as read_wire};

    /// A reversal advice with this DE95, laid out by hand after the specification.
    fn advice(replacement: &str) -> Vec<u8> {
        let bitmap = "A0000000000000000000000200000000";
        let head = [b"0420".as_slice(), &hex::decode(bitmap).unwrap(), b"000000"].concat();
        [head.as_slice(), replacement.as_bytes()].concat()
    }

    fn check(replacement: &str, expect: Result<Option<i64>, Reason>) {
        let bytes = advice(replacement);
        let Wire { index, .. } = read_wire(&bytes).unwrap();
        let found = read(Reader { index: &index, bytes: &bytes });
        assert_eq!(
            found.map_err(|error| (error.reason, error.field)),
            match expect {
                Ok(stands) => Ok(stands),
                Err(reason) => Err((reason, FIELD)),
            },
            "{replacement}"
        );
    }

    #[test]
    fn the_transaction_s_replacement_amount_is_what_stands() {
        let fees = "C00000000D00000000";
        check(&format!("000000004000000000000000{fees}"), Ok(Some(4_000)));
        check(&format!("000000004000000000004000{fees}"), Ok(Some(4_000)));
        check(&format!("000000000000000000000000{fees}"), Ok(None));
    }

    #[test]
    fn replacement_amounts_that_say_anything_else_are_refused() {
        let mismatch = Err(Reason::ReversalAmountMismatch);
        check("000000004000000000003000C00000000C00000000", mismatch);
        let unsupported = Err(Reason::PartialReversalNotSupported);
        check("000000004000000000000000D00000100C00000000", unsupported);
        check("000000004000000000000000C00000000D00000001", unsupported);
        let malformed = Err(Reason::FormatError);
        check("00000000400A000000000000C00000000C00000000", malformed);
        check("000000004000000000000000X00000000C00000000", malformed);
        check("000000004000000000000000C0000000AC00000000", malformed);
    }

    #[test]
    fn what_is_written_is_laid_out_as_the_standard_has_it() {
        let element = element(4_000).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        assert_eq!(element.as_deref(), Some("000000004000000000000000C00000000C00000000"));
        assert_eq!(super::element(1_000_000_000_000), None, "twelve digits");
    }
}
