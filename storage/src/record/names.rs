//! Closed lists as numbers. Each number is written once here and never used again.

use std::sync::LazyLock;

use router::fee::{Bearer, FeeTiming};
use router::message::Rail;
use router::notice::NoticeType;
use router::outcome::Cause;
use router::posting::Side;
use router::reason::Reason;

use super::DecodeError;
use super::field::{Field, ValueReader, ValueWriter, codes};
use crate::packing;

/// Reasons go by their catalogue number, which outlives the order of the list.
static REASON_NUMBERS: LazyLock<Vec<(u16, Reason)>> = LazyLock::new(|| {
    let number = |reason: Reason| reason.info().no.parse().expect("invariant: numbers are digits");
    let mut numbers: Vec<_> =
        Reason::ALL.into_iter().map(|reason| (number(reason), reason)).collect();
    numbers.sort_by_key(|(number, _)| *number);
    numbers
});

impl Field for Reason {
    fn write(&self, out: &mut ValueWriter<'_>) {
        let found = REASON_NUMBERS.iter().find(|(_, known)| known == self);
        out.unsigned(found.expect("invariant: every reason has a number").0.into());
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let number = reader.unsigned("reason")?;
        let found = REASON_NUMBERS.binary_search_by_key(&number, |(known, _)| (*known).into());
        found.map_or_else(|_| reader.invalid("reason", at), |index| Ok(REASON_NUMBERS[index].1))
    }
}

codes!(
    Rail,
    "rail",
    P2c = 1,
    C2p = 2,
    Card = 3,
    Psd2 = 4,
    Wallet = 5,
    Account = 6,
    CashFloat = 7,
    External = 8
);
codes!(Bearer, "fee bearer", Payer = 1, Merchant = 2);
codes!(FeeTiming, "fee timing", Net = 1, Invoice = 2);
codes!(Side, "posting side", Debit = 1, Credit = 2);
codes!(
    Cause,
    "cause",
    Timeout = 1,
    LineLost = 2,
    Restart = 3,
    BadAnswer = 4,
    ContradictsRequest = 5,
    PartialApproval = 6,
);
codes!(
    NoticeType,
    "notice type",
    PaymentApproved = 1,
    PaymentDeclined = 2,
    PaymentUnknown = 3,
    PaymentReversed = 4,
    PaymentExpired = 5,
    PaymentRefunded = 6,
);

/// The same number as one byte, as the rows of notices have it.
pub(crate) fn put_notice_type(kind: NoticeType, out: &mut Vec<u8>) {
    kind.write(&mut ValueWriter::new(out));
}

pub(crate) fn notice_type(reader: &mut packing::Reader<'_>) -> Result<NoticeType, DecodeError> {
    let at = reader.at();
    let code = [reader.u8()?];
    NoticeType::read(&mut ValueReader::new(&code))
        .map_err(|_| DecodeError::Value { field: "notice type", at })
}
