//! The guard: checks a reservation and applies it in one step, knowing no business rule.
//!
//! Everything of a reservation is checked, then everything is applied; or nothing is. Slots are
//! checked first, then counters, then holds, each in the order listed. A batch is decided in its
//! order, each ask seeing what the ones before it took, so every limit holds whatever the size of
//! the batches.

mod memory;

use router::early::EarlyReversal;
use router::id::{AccountId, PaymentId};
use router::message::{Fingerprint, IdempotencyKey, PaymentRequest};
use router::money::Currency;
use router::posting::Entry;
use router::reason::Reason;
use router::reservation::{ClaimOwner, Reservation, Settle};
use router::time::Timestamp;

pub(crate) use memory::NewKey;
pub use memory::{ClaimTerm, MemoryGuard, Open};

/// One question to the guard.
#[derive(Debug, Clone, Copy)]
pub struct ReserveAsk<'a> {
    /// The payment that asks.
    pub payment: PaymentId,
    /// When its request was received.
    pub at: Timestamp,
    /// The reservation it asks for.
    pub wants: Wants<'a>,
    /// The request; none where its key alone counts: it is refused already, or was decided before.
    pub requested: Option<Requested<'a>>,
}

/// What a request is known by besides its key.
#[derive(Debug, Clone, Copy)]
pub struct Requested<'a> {
    /// The request.
    pub request: &'a PaymentRequest,
    /// The oldest payment that a repeat with a DE7 of its own may repeat was made then.
    pub day_began: Timestamp,
}

/// What a payment asked for before is looked up by.
#[derive(Debug, Clone, Copy)]
pub struct Sought {
    /// The key.
    pub key: IdempotencyKey,
    /// What exactly is asked, and whether by a repeat.
    pub fingerprint: Fingerprint,
    /// As [`Requested::day_began`]; none where the key alone counts.
    pub day_began: Option<Timestamp>,
}

/// What an ask wants.
#[derive(Debug, Clone, Copy)]
pub enum Wants<'a> {
    /// Everything of a reservation, or nothing.
    Reserve(&'a Reservation),
    /// That the key of a payment refused by plan is remembered; it reserves nothing.
    Remember(IdempotencyKey, Fingerprint),
}

impl Wants<'_> {
    /// The originator and the exact request.
    pub fn identity(&self) -> (IdempotencyKey, Fingerprint) {
        match self {
            Self::Reserve(reservation) => (reservation.key, reservation.fingerprint),
            Self::Remember(key, fingerprint) => (*key, *fingerprint),
        }
    }
}

impl From<IdempotencyKey> for Sought {
    /// By the key alone.
    fn from(key: IdempotencyKey) -> Self {
        Self { key, fingerprint: Fingerprint(0), day_began: None }
    }
}

impl ReserveAsk<'_> {
    /// What an earlier payment of the same request is looked up by.
    pub fn sought(&self) -> Sought {
        let (key, fingerprint) = self.wants.identity();
        Sought { key, fingerprint, day_began: self.requested.map(|it| it.day_began) }
    }
}

/// A counter or hold of a reservation, by its place in the reservation's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitPlace {
    /// A counter.
    Counter(usize),
    /// A hold.
    Hold(usize),
}

/// The guard's answer to one ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is reserved, or the key remembered, under the payment's id.
    Granted,
    /// The key was used for the same thing by this payment, or the request repeats it; nothing is
    /// changed.
    Duplicate(PaymentId),
    /// The key was used for something else by this payment, or the request calls itself a repeat
    /// and what it repeats asked for something else, or cannot be told; nothing is changed.
    KeyReused(PaymentId),
    /// A rule would be broken. The key is remembered as this payment's; nothing else is changed.
    Exceeded {
        /// What the rule says of it.
        reason: Reason,
        /// What has the slot, where a slot was asked for.
        owner: Option<ClaimOwner>,
        /// What could still be taken, where a counter or hold was asked for; at least 0 for
        /// a limit that is not overdrawn already.
        headroom: Option<i64>,
        /// Which counter or hold it is, where it is one.
        place: Option<LimitPlace>,
    },
}

impl Verdict {
    /// A reversal came before the request, and names it.
    pub const REVERSED_BEFOREHAND: Self = Self::Exceeded {
        reason: Reason::ReversedBeforehand,
        owner: None,
        headroom: None,
        place: None,
    };
}

/// How one reservation ends.
#[derive(Debug, Clone, Copy)]
pub struct ReservationEnd<'a> {
    /// The payment.
    pub payment: PaymentId,
    /// How it ends.
    pub settle: Settle,
    /// What it had reserved, or the share of that which ends here; needed by [`Settle::Undo`],
    /// whose payment may be months old.
    pub reservation: Option<&'a Reservation>,
    /// What the record posts, empty for [`Settle::Release`]. Balances are moved by this alone.
    pub entry: &'a Entry,
    /// Position of the record that ends it.
    pub sequence: u64,
}

/// A durable entry of no payment that lowers no balance of the guard.
#[derive(Debug, Clone, Copy)]
pub struct Credit<'a> {
    /// The entry it posts.
    pub entry: &'a Entry,
    /// Position of its record.
    pub sequence: u64,
}

/// A payment whose first record is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The payment.
    pub payment: PaymentId,
    /// The key it was asked under.
    pub key: IdempotencyKey,
}

/// The changes of one durable group of records, as the guard takes them.
#[derive(Debug, Clone, Copy)]
pub struct GiveBack<'a> {
    /// Payments that were admitted or refused: what the guard granted them has its record now.
    pub begun: &'a [Begun],
    /// Reservations that ended, in the order of their records.
    pub endings: &'a [ReservationEnd<'a>],
    /// Balances that rise, in the order of their records.
    pub credits: &'a [Credit<'a>],
    /// The last record of the group: with this call, everything up to it is reflected.
    pub through: u64,
}

/// Under which incarnation of a guard something was decided. A guard that may have forgotten
/// something gets the next one, and what was decided before can no longer be appended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GateEpoch(pub u64);

impl GateEpoch {
    /// Of a guard that cannot forget: it lives and dies with the process.
    pub const ONLY: Self = Self(0);
}

/// What an account has in one currency. Accounts of one name in two currencies share nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// The sum put in less the sum posted, in minor units.
    pub balance: i64,
    /// What open reservations hold of it, in minor units.
    pub held: i64,
}

/// Why a guard gave no answer. Nothing of the batch was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It cannot be reached, or is being rebuilt.
    #[error("the guard is not available: {detail}")]
    Unavailable {
        /// The cause, as far as it is known.
        detail: Box<str>,
    },
}

/// Checks and applies reservations.
pub trait Guard: Send {
    /// Decides a batch in its order; `verdicts` gets one answer for each ask, in the same order.
    ///
    /// Gives the epoch under which it was decided: only under that may the records be appended.
    fn reserve(
        &mut self,
        batch: &[ReserveAsk<'_>],
        verdicts: &mut Vec<Verdict>,
    ) -> Result<GateEpoch, GuardError>;

    /// Makes what an entry will take from a balance unavailable before its record is durable,
    /// whatever is there. Posting `token` as a payment, with the entry, lowers the balance.
    fn withhold(&mut self, token: PaymentId, entry: &Entry) -> Result<GateEpoch, GuardError>;

    /// Ends reservations and raises balances, once their records are durable. Ending one that is
    /// not open changes nothing, except by [`Settle::Undo`], which the caller gives once for each
    /// share of a payment.
    fn give_back(&mut self, group: &GiveBack<'_>) -> Result<(), GuardError>;

    /// Whether something is kept that could not be given back. It is tried again with every call;
    /// where none comes, the caller gives back an empty group once in a while.
    fn is_behind(&self) -> bool;

    /// The journal takes nothing any more that was decided under an earlier epoch than this.
    ///
    /// A guard of an earlier epoch is being replaced by one that is made from the journal, which
    /// may have been read already. So it decides nothing more, and what is given back from now on
    /// is kept for a guard of this epoch or a later one.
    fn raise_epoch(&mut self, trusted: GateEpoch);

    /// What an account has in a currency; none if no movement and no granted hold ever named it.
    fn balance(
        &mut self,
        account: AccountId,
        currency: Currency,
    ) -> Result<Option<Balance>, GuardError>;

    /// Remembers a reversal that came before its original: an original that it names is refused
    /// from now on, whichever key it has. Counts at once, before its record is durable.
    fn forestall(&mut self, early: &EarlyReversal) -> Result<GateEpoch, GuardError>;

    /// The payment that used a key, while it is remembered.
    fn find_key(&mut self, key: IdempotencyKey) -> Result<Option<PaymentId>, GuardError>;

    /// The payment that a request asked for before, whether it asked for the same thing or not.
    fn find_original(&mut self, sought: &Sought) -> Result<Option<PaymentId>, GuardError>;
}
