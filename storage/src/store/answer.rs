//! What a store answers.

use std::time::Duration;

use router::endpoint::Endpoint;
use router::id::PaymentId;
use router::payment::Payment;
use router::time::Timestamp;

use super::OutcomeWait;

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
