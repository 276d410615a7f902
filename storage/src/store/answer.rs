//! What a store answers.

use std::time::Duration;

use router::endpoint::Endpoint;
use router::id::PaymentId;
use router::payment::{Effects, Payment};
use router::reservation::Settle;
use router::time::Timestamp;

use super::OutcomeWait;
use crate::record::bytes::{Reader, put_option, put_u64};
use crate::record::{DecodeError, notice_type, put_notice_type};

/// What a start found.
#[derive(Debug)]
pub struct Recovered {
    /// Payments that something is still to come of: what follows is read from the state of each. One
    /// that is sent may have reached its participant; one that waits goes on waiting.
    pub open: Vec<Payment>,
    /// The first folio that no record names.
    pub folio_next: u64,
    /// Endpoints that are set.
    pub endpoints: Vec<Endpoint>,
    /// Sequence of the last record.
    pub sequence: u64,
    /// When the last record was made; none before the first.
    pub last_at: Option<Timestamp>,
    /// Records replayed, beyond what a snapshot held.
    pub records_replayed: u64,
    /// Bytes of an unfinished frame cut from the end.
    pub torn_bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// What became of an admission.
#[derive(Debug)]
pub enum Admission {
    /// Reserved, and the intent is durable: it may be sent.
    Granted {
        /// Position of the intent.
        sequence: u64,
    },
    /// A repeat of a payment that has an outcome; the outcome may be unknown.
    Replay(Box<Payment>),
    /// A repeat of a payment that has none yet.
    InFlight(PaymentId, OutcomeWait),
    /// The key was used for something else, by this payment.
    KeyReused(PaymentId),
    /// Refused by a rule; the refusal is durable.
    Refused(Box<Payment>),
}

/// A durable record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its position.
    pub sequence: u64,
    /// What it does beyond changing the payment.
    pub effects: Effects,
}

impl Appended {
    /// As one node answers it to another.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Effects { settle, notice, owes_reversal } = self.effects;
        let mut out = Vec::with_capacity(12);
        put_u64(self.sequence, &mut out);
        put_option(settle.as_ref(), &mut out, |settle, out| {
            out.push(match settle {
                Settle::Post => 1,
                Settle::Release => 2,
                Settle::Undo => 3,
            });
        });
        put_option(notice.as_ref(), &mut out, |kind, out| put_notice_type(*kind, out));
        out.push(u8::from(owes_reversal));
        out
    }

    /// Reads that answer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let sequence = reader.u64()?;
        let settle = reader.option(|reader| {
            let at = reader.at();
            match reader.u8()? {
                1 => Ok(Settle::Post),
                2 => Ok(Settle::Release),
                3 => Ok(Settle::Undo),
                _ => Err(DecodeError::Value { field: "settlement", at }),
            }
        })?;
        let notice = reader.option(notice_type)?;
        let owes_reversal = reader.u8()? != 0;
        reader.finish()?;
        Ok(Self { sequence, effects: Effects { settle, notice, owes_reversal } })
    }
}

/// One page of payments.
#[derive(Debug, Default)]
pub struct Page {
    /// The payments, oldest first.
    pub payments: Vec<Payment>,
    /// Where the next page begins; none at the end.
    pub next: Option<PaymentId>,
}

/// Figures of the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commands waiting for the writer.
    pub queue_len: usize,
    /// Last durable record.
    pub durable: u64,
    /// Last record the read models reflect.
    pub projected: u64,
    /// Payments held in memory.
    pub live: usize,
    /// Payments that wait for their payer or a confirmation.
    pub waiting: usize,
}

#[cfg(test)]
mod tests {
    use router::notice::NoticeType;

    use super::*;

    #[test]
    fn what_one_node_answers_another_reads_back() {
        for effects in [
            Effects::default(),
            Effects {
                settle: Some(Settle::Undo),
                notice: Some(NoticeType::PaymentApproved),
                owes_reversal: true,
            },
        ] {
            let appended = Appended { sequence: 7 << 48 | 12, effects };
            assert_eq!(Appended::from_bytes(&appended.to_bytes()), Ok(appended));
        }
        assert!(Appended::from_bytes(&[1, 2, 3]).is_err());
    }
}
