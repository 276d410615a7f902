//! Closed lists as numbers. Each number is written once here and never reused.

use std::sync::LazyLock;

use router::fee::{Bearer, FeeTiming};
use router::message::Rail;
use router::notice::NoticeType;
use router::outcome::Cause;
use router::posting::Side;
use router::reason::Reason;

use super::DecodeError;
use super::bytes::{Reader, put_u16};

/// Reasons go by their catalogue number, which outlives the order of the list.
static REASON_NUMBERS: LazyLock<Vec<(u16, Reason)>> = LazyLock::new(|| {
    let number = |reason: Reason| reason.info().no.parse().expect("invariant: numbers are digits");
    let mut numbers: Vec<_> =
        Reason::ALL.into_iter().map(|reason| (number(reason), reason)).collect();
    numbers.sort_by_key(|(number, _)| *number);
    numbers
});

pub(super) fn put_reason(reason: Reason, out: &mut Vec<u8>) {
    let found = REASON_NUMBERS.iter().find(|(_, known)| *known == reason);
    put_u16(found.expect("invariant: every reason has a number").0, out);
}

pub(super) fn reason(reader: &mut Reader<'_>) -> Result<Reason, DecodeError> {
    let at = reader.at();
    let number = reader.u16()?;
    let found = REASON_NUMBERS.binary_search_by_key(&number, |(number, _)| *number);
    found
        .map(|index| REASON_NUMBERS[index].1)
        .map_err(|_| DecodeError::Value { field: "reason", at })
}

macro_rules! coded {
    ($put:ident, $read:ident, $type:ty, $field:literal, $($variant:ident = $code:literal),+) => {
        pub(crate) fn $put(value: $type, out: &mut Vec<u8>) {
            out.push(match value { $(<$type>::$variant => $code),+ });
        }

        pub(crate) fn $read(reader: &mut Reader<'_>) -> Result<$type, DecodeError> {
            let at = reader.at();
            match reader.u8()? {
                $($code => Ok(<$type>::$variant),)+
                _ => Err(DecodeError::Value { field: $field, at }),
            }
        }
    };
}

coded!(
    put_rail,
    rail,
    Rail,
    "rail",
    P2c = 1,
    C2p = 2,
    Card = 3,
    Psd2 = 4,
    Wallet = 5,
    Account = 6,
    CashFloat = 7
);
coded!(put_bearer, bearer, Bearer, "fee bearer", Payer = 1, Merchant = 2);
coded!(put_timing, timing, FeeTiming, "fee timing", Net = 1, Invoice = 2);
coded!(put_side, side, Side, "posting side", Debit = 1, Credit = 2);
coded!(
    put_cause,
    cause,
    Cause,
    "cause",
    Timeout = 1,
    LineLost = 2,
    Restart = 3,
    BadAnswer = 4,
    ContradictsRequest = 5,
    PartialApproval = 6
);
coded!(
    put_notice_type,
    notice_type,
    NoticeType,
    "notice type",
    PaymentApproved = 1,
    PaymentDeclined = 2,
    PaymentUnknown = 3,
    PaymentReversed = 4
);
