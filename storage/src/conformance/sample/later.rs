//! Steps of samples that wait, are inquired about, or are refunded.

use router::exchange::{Awaited, InquiryFinding};
use router::id::RefundId;
use router::outcome::{Approval, Decline};
use router::posting::{Entry, partial_reversal};
use router::reason::Reason;
use router::record::{
    Confirming, Expired, Inquiry, Record, Refund, RefundBegun, RefundDone, RefundFailed,
    RefundStep, WaitBegun,
};
use router::text::Text;

use super::{Sample, at, money};

/// How long samples wait, in microseconds.
pub const WAIT_MICROS: i64 = 120_000_000;

impl Sample {
    /// Its participant waits for the payer's one-time key.
    pub fn awaiting(&self) -> Record {
        self.awaiting_what(Awaited::OneTimeKey)
    }

    /// Its participant waits for this.
    pub fn awaiting_what(&self, awaited: Awaited) -> Record {
        Record::Awaiting(Box::new(WaitBegun {
            payment: self.id(),
            at: at(self.at + 3),
            awaited,
            until: at(self.at + WAIT_MICROS),
            reference: Text::new("order-000123456789").unwrap(),
        }))
    }

    /// Its payer's confirmation is about to be sent.
    pub fn confirming(&self) -> Record {
        Record::Confirming(Confirming { payment: self.id(), at: at(self.at + 4) })
    }

    /// What it waited for did not come, so many microseconds after the end of the wait.
    pub fn expired(&self, after: i64) -> Record {
        Record::Expired(Expired { payment: self.id(), at: at(self.at + WAIT_MICROS + after) })
    }

    /// What an inquiry about it found.
    pub fn inquired(&self, finding: InquiryFinding) -> Record {
        let entry = match finding {
            InquiryFinding::Approved(_) | InquiryFinding::DeemedApproved => self.entry(),
            InquiryFinding::Declined(_) | InquiryFinding::NotFound => Entry::default(),
        };
        let (payment, at, raw_code) = (self.id(), at(self.at + 6), Text::new("00").unwrap());
        Record::Inquiry(Box::new(Inquiry { payment, at, finding, raw_code, entry }))
    }

    /// A refund of it, by number, is about to be asked for.
    pub fn refund_begun(&self, number: u128, amount_minor: i64) -> Record {
        let begun = RefundBegun {
            paid_minor: self.amount_minor(),
            amount_minor,
            fingerprint: self.fingerprint,
            reason: "ordered twice".into(),
            attempt: self.intent().attempt,
        };
        self.refund(number, RefundStep::Begun(begun))
    }

    /// Refund of that number, at a place among its refunds, was carried out.
    pub fn refund_done(&self, (place, number): (u64, u128), amount_minor: i64) -> Record {
        let entry = partial_reversal(&self.entry(), money(amount_minor)).unwrap();
        let approval = Approval::default();
        let done = RefundDone { place, amount_minor, approval, entry };
        self.refund(number, RefundStep::Done(Box::new(done)))
    }

    /// It was not.
    pub fn refund_failed(&self, (place, number): (u64, u128), amount_minor: i64) -> Record {
        let decline = Decline { reason: Reason::IssuerUnavailable, network_code: Some(*b"91") };
        self.refund(number, RefundStep::Failed(RefundFailed { place, amount_minor, decline }))
    }

    fn refund(&self, number: u128, step: RefundStep) -> Record {
        let (payment, at, refund) = (self.id(), at(self.at + 8), RefundId::of(self.id(), number));
        Record::Refund(Box::new(Refund { payment, at, refund, step }))
    }
}
