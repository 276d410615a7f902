//! The handle that everything outside the crate uses.

use std::sync::Arc;
use std::time::Duration;

use router::id::{AccountId, BillerId, EndpointId, Folio, ParticipantId, PaymentId, Stan};
use router::message::IdempotencyKey;
use router::payment::{Effects, IllegalStep, Payment};
use router::record::{Endpoint, Intent, Record, Refused};
use router::text::Text;
use router::time::{Date, Timestamp};
use tokio::sync::watch;

pub use crate::guard::Balance;
use crate::guard::GuardError;
use crate::outbox::{Attempted, NoticeRow, Owed};
use crate::seal::Sealer;
use crate::settings::Settings;

/// A store, cheap to clone. The journal closes when [`Store::close`] was awaited.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    failed: watch::Sender<bool>,
    notices: watch::Sender<u64>,
}

/// What a start found.
#[derive(Debug)]
pub struct Recovered {
    /// Payments that are sent, unknown or being reversed: each is owed an inquiry or a reversal,
    /// as one that may have been sent.
    pub open: Vec<Payment>,
    /// The first folio that no record names.
    pub folio_next: u64,
    /// Endpoints that are set.
    pub endpoints: Vec<Endpoint>,
    /// Sequence of the last record.
    pub sequence: u64,
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

/// Waits for the outcome of a payment under way.
#[derive(Debug)]
pub struct OutcomeWait {
    payment: PaymentId,
}

impl OutcomeWait {
    /// The payment it waits for.
    pub fn payment(&self) -> PaymentId {
        self.payment
    }

    /// Waits until the payment has an outcome and gives it. Bound it by your own deadline.
    ///
    /// Cancel-safe: dropping it forgets the wait.
    pub async fn outcome(self) -> Result<Payment, StoreError> {
        Err(StoreError::Closed)
    }
}

/// A durable record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its position.
    pub sequence: u64,
    /// What it does beyond changing the payment.
    pub effects: Effects,
}

/// Why a store gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Too much waits already; nothing was decided, the asker may repeat.
    #[error("the journal's queue is full")]
    Overloaded,
    /// A write or sync failed earlier. The process must end; what was under way is decided by
    /// the next start.
    #[error("the journal has failed and takes nothing more")]
    Failed,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The record cannot follow what happened before; nothing was appended.
    #[error(transparent)]
    Illegal(#[from] IllegalStep),
    /// The record's payment is not known.
    #[error("payment {0} is not known")]
    UnknownPayment(PaymentId),
    /// The record begins a payment; that goes through `admit` or `refuse`.
    #[error("a record of kind `{kind}` cannot be appended by itself")]
    NotAppendable {
        /// Its kind.
        kind: &'static str,
    },
    /// The guard gave no answer.
    #[error("the guard gave no answer")]
    Guard(#[from] GuardError),
    /// The record does not fit a frame.
    #[error("a record of {len} bytes is over the ceiling of {max}")]
    RecordTooLong {
        /// Its length.
        len: usize,
        /// The ceiling.
        max: usize,
    },
    /// The read models are still being rebuilt and did not find it yet.
    #[error("the read models have reached {at} of {head} records")]
    ViewsBehind {
        /// Position of the read models.
        at: u64,
        /// Position of the journal.
        head: u64,
    },
    /// Too many wait for one payment.
    #[error("{max} callers wait for payment {payment} already")]
    TooManyWaiters {
        /// The payment.
        payment: PaymentId,
        /// The ceiling.
        max: usize,
    },
    /// The read models cannot be read.
    #[error("the read models cannot be read: {detail}")]
    Views {
        /// What is known of it.
        detail: Box<str>,
    },
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the folder open.
    #[error("the data folder is in use by another process")]
    InUse,
    /// This part of the store is not in this build.
    #[error("the embedded journal is not in this build")]
    NotBuilt,
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
}

impl Store {
    /// Opens or makes the store of a folder, replays it, and starts its threads.
    ///
    /// Blocks for the time of the replay; call it before the runtime serves anything.
    pub fn open(settings: Settings, sealer: Sealer) -> Result<(Self, Recovered), OpenError> {
        let _ = (settings, sealer);
        Err(OpenError::NotBuilt)
    }

    /// Decides a payment and makes its intent, or its refusal, durable.
    ///
    /// Not cancel-safe: a dropped call may still be granted. Its payment is then open until an
    /// outcome is appended, so run it in a task that outlives the asker's connection.
    pub async fn admit(&self, intent: Intent) -> Result<Admission, StoreError> {
        let _ = intent;
        Err(self.gone())
    }

    /// Makes a refusal by plan durable, after the same look at its key.
    ///
    /// Gives `Refused`, or `Replay`, `InFlight`, `KeyReused` when the key was used. Dropping the
    /// call may leave the refusal recorded; that does no harm.
    pub async fn refuse(&self, refused: Refused) -> Result<Admission, StoreError> {
        let _ = refused;
        Err(self.gone())
    }

    /// Makes one more step of a known payment durable, or an account, endpoint or mark record.
    ///
    /// Of two racing steps that exclude each other one wins; the other gets
    /// [`StoreError::Illegal`]. Dropping the call may leave the record appended.
    pub async fn append(&self, record: Record) -> Result<Appended, StoreError> {
        let _ = record;
        Err(self.gone())
    }

    /// A payment. Cancel-safe, as all look-ups.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        let _ = id;
        Err(self.gone())
    }

    /// The payment of a folio.
    pub async fn payment_by_folio(&self, folio: Folio) -> Result<Option<Payment>, StoreError> {
        let _ = folio;
        Err(self.gone())
    }

    /// The payment of a key that is still remembered.
    pub async fn payment_by_key(&self, key: IdempotencyKey) -> Result<Option<Payment>, StoreError> {
        let _ = key;
        Err(self.gone())
    }

    /// The latest payment that a participant asked for by this trace.
    pub async fn payment_by_trace(
        &self,
        asker: ParticipantId,
        stan: Stan,
        transmitted_at: Text<10>,
    ) -> Result<Option<Payment>, StoreError> {
        let _ = (asker, stan, transmitted_at);
        Err(self.gone())
    }

    /// Payments of a biller's day, in the order of their ids, after `after`.
    pub async fn payments_of_biller(
        &self,
        biller: BillerId,
        date: Date,
        after: Option<PaymentId>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let _ = (biller, date, after, limit);
        Err(self.gone())
    }

    /// Payments that are sent, unknown or being reversed.
    pub async fn open_payments(&self) -> Result<Vec<Payment>, StoreError> {
        Err(self.gone())
    }

    /// What an account has.
    pub async fn account_balance(&self, account: AccountId) -> Result<Balance, StoreError> {
        let _ = account;
        Err(self.gone())
    }

    /// Waits for the outcome of a payment; at once when it has one.
    pub fn outcome_of(&self, payment: PaymentId) -> Result<OutcomeWait, StoreError> {
        Ok(OutcomeWait { payment })
    }

    /// Endpoints that are set.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        Vec::new()
    }

    /// Notices an endpoint is still owed after a position, in order.
    pub async fn outbox(
        &self,
        endpoint: EndpointId,
        after_sequence: u64,
        limit: usize,
    ) -> Result<Vec<Owed>, StoreError> {
        let _ = (endpoint, after_sequence, limit);
        Err(self.gone())
    }

    /// A notice was accepted.
    pub fn notice_done(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
    ) -> Result<(), StoreError> {
        let _ = (endpoint, sequence, attempted);
        Err(self.gone())
    }

    /// A notice is to be tried again at `next_at`; also revives a dead one.
    pub fn notice_retry(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
        next_at: Timestamp,
    ) -> Result<(), StoreError> {
        let _ = (endpoint, sequence, attempted, next_at);
        Err(self.gone())
    }

    /// A notice is given up.
    pub fn notice_dead(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
    ) -> Result<(), StoreError> {
        let _ = (endpoint, sequence, attempted);
        Err(self.gone())
    }

    /// Changes whenever new notices are owed; holds the position they are known up to.
    pub fn notices_signal(&self) -> watch::Receiver<u64> {
        self.inner.notices.subscribe()
    }

    /// The log of an endpoint's notices, newest first, before a position.
    pub async fn notices(
        &self,
        endpoint: EndpointId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        let _ = (endpoint, before, limit);
        Err(self.gone())
    }

    /// Turns true when a write or sync failed: end the process then.
    pub fn failed(&self) -> watch::Receiver<bool> {
        self.inner.failed.subscribe()
    }

    /// Figures of the moment.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    /// Last durable record.
    pub fn position(&self) -> u64 {
        self.stats().durable
    }

    /// Takes nothing more, makes everything taken durable, writes the head anchor, and stops.
    pub async fn close(self) {}

    fn gone(&self) -> StoreError {
        if *self.inner.failed.borrow() { StoreError::Failed } else { StoreError::Closed }
    }
}
