//! The records of payments that wait, are inquired about, or are refunded.

use router::exchange::{Awaited, InquiryFinding};
use router::record::{
    Confirming, Expired, Inquiry, Refund, RefundBegun, RefundDone, RefundFailed, RefundStep,
    WaitBegun,
};

use super::DecodeError;
use super::field::{Field, ValueReader, ValueWriter, fields, variants};
use super::steps::put_history;

fields!(WaitBegun { 0 => payment, 1 => at, 2 => awaited, 3 => until, 4 => reference });
fields!(Confirming { 0 => payment, 1 => at });
fields!(Expired { 0 => payment, 1 => at });
fields!(Inquiry { 0 => payment, 1 => at, 2 => finding, 3 => raw_code, 4 => entry });
fields!(RefundBegun {
    0 => paid_minor,
    1 => amount_minor,
    2 => fingerprint,
    3 => reason,
    4 => attempt,
});
fields!(RefundDone { 0 => place, 1 => amount_minor, 2 => approval, 3 => entry });
fields!(RefundFailed { 0 => place, 1 => amount_minor, 2 => decline });
variants!(RefundStep, "refund step", Begun = 1, Done = 2, Failed = 3);

// Number 3 is the history of the payment that a refund opens again, as in a reversal.
fields!(pub(super) read refund, Refund { 0 => payment, 1 => at, 2 => step, 4 => refund });

pub(super) fn put_refund(record: &Refund, history: Option<&[u8]>, out: &mut Vec<u8>) {
    let Refund { payment, at, refund, step } = record;
    ValueWriter::new(out).map(|out| {
        out.field(0, payment);
        out.field(1, at);
        out.field(2, step);
        put_history(history, out);
        out.field(4, refund);
    });
}

/// The number of what is awaited; the address of a redirect stands in a list alone.
impl Field for Awaited {
    fn write(&self, out: &mut ValueWriter<'_>) {
        match self {
            Self::OneTimeKey => out.unsigned(1),
            Self::Confirmation => out.unsigned(2),
            Self::Redirect(url) => {
                out.array(1);
                url.write(out);
            }
        }
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "what is awaited";
        if reader.is_array() {
            reader.array_of(1, FIELD)?;
            return Field::read(reader).map(Self::Redirect);
        }
        let at = reader.at();
        match reader.code(FIELD)? {
            1 => Ok(Self::OneTimeKey),
            2 => Ok(Self::Confirmation),
            _ => reader.invalid(FIELD, at),
        }
    }
}

/// The number of a finding; an answer that was found stands in a pair with it.
impl Field for InquiryFinding {
    fn write(&self, out: &mut ValueWriter<'_>) {
        match self {
            Self::Approved(approval) => {
                out.array(2);
                out.unsigned(1);
                approval.write(out);
            }
            Self::Declined(decline) => {
                out.array(2);
                out.unsigned(2);
                decline.write(out);
            }
            Self::NotFound => out.unsigned(3),
            Self::DeemedApproved => out.unsigned(4),
        }
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "finding";
        let has_answer = reader.is_array();
        if has_answer {
            reader.array_of(2, FIELD)?;
        }
        let at = reader.at();
        match (has_answer, reader.code(FIELD)?) {
            (true, 1) => Field::read(reader).map(Self::Approved),
            (true, 2) => Field::read(reader).map(Self::Declined),
            (false, 3) => Ok(Self::NotFound),
            (false, 4) => Ok(Self::DeemedApproved),
            _ => reader.invalid(FIELD, at),
        }
    }
}
