//! The guard of one machine: everything in memory, rebuilt from the journal at start.
//!
//! Time is the greatest `at` among what was decided so far, never a clock: replaying the same
//! records gives the same state, to the byte of its image.

mod contents;
mod image;
mod keys;

use foldhash::{HashMap, HashMapExt};
use router::id::{AccountId, PaymentId};
use router::message::IdempotencyKey;
use router::money::Currency;
use router::record::AccountMovement;
use router::reservation::{Counter, Hold, Keep, Reservation, Settle, Slot};
use router::time::Timestamp;
use smallvec::SmallVec;

use super::{
    Balance, GateEpoch, GiveBack, Guard, GuardError, ReserveAsk, Settlement, Verdict, Wants,
};
use crate::settings::micros;
use keys::Keys;

/// How long after its window a counter is still kept, for asks decided late. One that is decided
/// later than this after its window closed is refused.
const WINDOW_GRACE_MICROS: i64 = 3_600_000_000;
/// Decisions between two looks for closed windows.
const SWEEP_EVERY: u32 = 65_536;

/// Guard state in memory.
pub struct MemoryGuard {
    clock: Timestamp,
    keys: Keys,
    accounts: HashMap<(AccountId, Currency), Account>,
    counters: HashMap<u128, CounterRow>,
    slots: HashMap<u128, SlotRow>,
    open: HashMap<PaymentId, Open>,
    until_sweep: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Account {
    balance: i128,
    held: i128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CounterRow {
    value: i64,
    window_end: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SlotRow {
    owner: PaymentId,
    claim: Claim,
}

/// For how long a slot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Until its payment has an outcome.
    Open,
    /// Until its payment is reversed.
    Kept,
    /// Until its payment is reversed, or an instant.
    KeptUntil(Timestamp),
}

impl Claim {
    fn is_over(self, horizon: Timestamp) -> bool {
        match self {
            Self::Open | Self::Kept => false,
            Self::KeptUntil(until) => until <= horizon,
        }
    }
}

/// What an open reservation gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Accounts, and what it holds of them, in minor units.
    pub holds: SmallVec<[(AccountId, Currency, i64); 1]>,
    /// Counters, and what it added to them.
    pub counters: SmallVec<[(u128, i64); 1]>,
    /// Slots, and what an approval does to them.
    pub slots: SmallVec<[(u128, Keep); 1]>,
}

impl MemoryGuard {
    /// An empty guard that knows keys for at least `key_retention`.
    pub fn new(key_retention: std::time::Duration) -> Self {
        Self {
            clock: Timestamp(i64::MIN),
            keys: Keys::new(micros(key_retention)),
            accounts: HashMap::new(),
            counters: HashMap::new(),
            slots: HashMap::new(),
            open: HashMap::new(),
            until_sweep: SWEEP_EVERY,
        }
    }

    /// Reservations without an outcome.
    pub fn open_len(&self) -> usize {
        self.open.len()
    }

    /// Keys remembered.
    pub fn keys_len(&self) -> usize {
        self.keys.len()
    }

    /// Takes back what a replayed intent had been granted; it is not checked again.
    pub(crate) fn regrant(&mut self, payment: PaymentId, at: Timestamp, wants: Wants<'_>) {
        self.advance(at);
        let (key, fingerprint) = wants.identity();
        self.keys.insert(key, fingerprint, payment, at);
        if let Wants::Reserve(reservation) = wants {
            self.apply(payment, reservation);
        }
    }

    fn decide(&mut self, ask: &ReserveAsk<'_>) -> Verdict {
        let (key, fingerprint) = ask.wants.identity();
        if let Some((same, owner)) = self.keys.find(key, fingerprint) {
            return if same { Verdict::Duplicate(owner) } else { Verdict::KeyReused(owner) };
        }
        let refused = match ask.wants {
            Wants::Reserve(reservation) => self.check(ask.at, reservation).err(),
            Wants::Remember(..) => None,
        };
        match refused {
            None => {
                self.regrant(ask.payment, ask.at, ask.wants);
                Verdict::Granted
            }
            Some(exceeded) => {
                self.regrant(ask.payment, ask.at, Wants::Remember(key, fingerprint));
                exceeded
            }
        }
    }

    fn check(&self, at: Timestamp, reservation: &Reservation) -> Result<(), Verdict> {
        for slot in &reservation.slots {
            self.check_slot(at, slot)?;
        }
        for (index, counter) in reservation.counters.iter().enumerate() {
            let before = reservation.counters[..index].iter();
            let taken = before.filter(|other| other.key == counter.key).map(|other| other.delta);
            self.check_counter(counter, taken.map(i128::from).sum())?;
        }
        for (index, hold) in reservation.holds.iter().enumerate() {
            let before = reservation.holds[..index].iter();
            let same = |other: &&Hold| {
                (other.account, other.amount.currency) == (hold.account, hold.amount.currency)
            };
            let taken = before.filter(same).map(|other| i128::from(other.amount.minor)).sum();
            self.check_hold(hold, taken)?;
        }
        Ok(())
    }

    fn check_slot(&self, at: Timestamp, slot: &Slot) -> Result<(), Verdict> {
        let Some(row) = self.slots.get(&slot.key.0) else { return Ok(()) };
        let reason = match row.claim {
            Claim::KeptUntil(until) if until <= at => return Ok(()),
            Claim::Open => slot.reason_while_open,
            Claim::Kept | Claim::KeptUntil(_) => slot.reason_once_kept,
        };
        Err(Verdict::Exceeded { reason, owner: Some(row.owner), headroom: None })
    }

    fn check_counter(&self, counter: &Counter, taken: i128) -> Result<(), Verdict> {
        let value = self.counters.get(&counter.key.0).map_or(0, |row| row.value);
        let left = i128::from(counter.ceiling) - i128::from(value) - taken;
        let left = if self.is_forgotten(counter.window_end) { 0 } else { left };
        if i128::from(counter.delta) <= left {
            return Ok(());
        }
        let headroom = Some(to_i64(left.max(0)));
        Err(Verdict::Exceeded { reason: counter.reason, owner: None, headroom })
    }

    fn check_hold(&self, hold: &Hold, taken: i128) -> Result<(), Verdict> {
        let account = self.accounts.get(&(hold.account, hold.amount.currency));
        let account = account.copied().unwrap_or_default();
        let left = account.balance - account.held - taken - i128::from(hold.floor_minor);
        if hold.amount.minor >= 0 && i128::from(hold.amount.minor) <= left {
            return Ok(());
        }
        let headroom = Some(to_i64(left.max(0)));
        Err(Verdict::Exceeded { reason: hold.reason, owner: None, headroom })
    }

    fn apply(&mut self, payment: PaymentId, reservation: &Reservation) {
        let Reservation { key: _, fingerprint: _, holds, counters, slots } = reservation;
        for slot in slots {
            self.slots.insert(slot.key.0, SlotRow { owner: payment, claim: Claim::Open });
        }
        for counter in counters {
            let fresh = CounterRow { value: 0, window_end: counter.window_end };
            let row = self.counters.entry(counter.key.0).or_insert(fresh);
            row.value = row.value.saturating_add(counter.delta);
            row.window_end = row.window_end.max(counter.window_end);
        }
        for hold in holds {
            let account = self.accounts.entry((hold.account, hold.amount.currency)).or_default();
            account.held += i128::from(hold.amount.minor);
        }
        let hold = |hold: &Hold| (hold.account, hold.amount.currency, hold.amount.minor);
        let open = Open {
            holds: holds.iter().map(hold).collect(),
            counters: counters.iter().map(|counter| (counter.key.0, counter.delta)).collect(),
            slots: slots.iter().map(|slot| (slot.key.0, slot.keep)).collect(),
        };
        self.open.insert(payment, open);
    }

    /// Raises or lowers a balance.
    pub(crate) fn credit(&mut self, movement: &AccountMovement) {
        let account = (movement.account, movement.delta.currency);
        self.accounts.entry(account).or_default().balance += i128::from(movement.delta.minor);
    }

    pub(crate) fn end(&mut self, settlement: &Settlement<'_>) {
        let payment = settlement.payment;
        match settlement.settle {
            Settle::Post => self.post(payment),
            Settle::Release => self.release(payment),
            Settle::Undo => {
                if let Some(reservation) = settlement.reservation {
                    self.undo(payment, reservation);
                }
            }
        }
    }

    fn post(&mut self, payment: PaymentId) {
        let Some(open) = self.open.remove(&payment) else { return };
        for (account, currency, minor) in open.holds {
            let row = self.accounts.entry((account, currency)).or_default();
            row.held -= i128::from(minor);
            row.balance -= i128::from(minor);
        }
        for (slot, keep) in open.slots {
            match keep {
                Keep::UntilOutcome => self.free(slot, payment),
                Keep::WhileApproved => self.keep(slot, payment, Claim::Kept),
                Keep::Until(until) => self.keep(slot, payment, Claim::KeptUntil(until)),
            }
        }
    }

    fn release(&mut self, payment: PaymentId) {
        let Some(open) = self.open.remove(&payment) else { return };
        for (account, currency, minor) in open.holds {
            self.accounts.entry((account, currency)).or_default().held -= i128::from(minor);
        }
        for (counter, delta) in open.counters {
            self.give_back(counter, delta);
        }
        for (slot, _) in open.slots {
            self.free(slot, payment);
        }
    }

    fn undo(&mut self, payment: PaymentId, reservation: &Reservation) {
        for hold in &reservation.holds {
            let account = self.accounts.entry((hold.account, hold.amount.currency)).or_default();
            account.balance += i128::from(hold.amount.minor);
        }
        for counter in &reservation.counters {
            self.give_back(counter.key.0, counter.delta);
        }
        for slot in &reservation.slots {
            self.free(slot.key.0, payment);
        }
    }

    fn give_back(&mut self, counter: u128, delta: i64) {
        if let Some(row) = self.counters.get_mut(&counter) {
            row.value = row.value.saturating_sub(delta);
        }
    }

    fn free(&mut self, slot: u128, payment: PaymentId) {
        if self.slots.get(&slot).is_some_and(|row| row.owner == payment) {
            self.slots.remove(&slot);
        }
    }

    fn keep(&mut self, slot: u128, payment: PaymentId, claim: Claim) {
        if let Some(row) = self.slots.get_mut(&slot).filter(|row| row.owner == payment) {
            row.claim = claim;
        }
    }

    fn advance(&mut self, at: Timestamp) {
        self.clock = self.clock.max(at);
        self.until_sweep -= 1;
        if self.until_sweep == 0 {
            self.sweep();
        }
    }

    /// Drops what closed long ago. Changes no decision: what is dropped is known by its time.
    fn sweep(&mut self) {
        self.until_sweep = SWEEP_EVERY;
        let horizon = self.horizon();
        self.counters.retain(|_, row| row.window_end > horizon);
        self.slots.retain(|_, row| !row.claim.is_over(horizon));
    }

    fn is_over(&self, claim: Claim) -> bool {
        claim.is_over(self.horizon())
    }

    fn is_forgotten(&self, window_end: Timestamp) -> bool {
        window_end <= self.horizon()
    }

    fn horizon(&self) -> Timestamp {
        self.clock.plus_micros(-WINDOW_GRACE_MICROS)
    }
}

impl Guard for MemoryGuard {
    fn reserve(
        &mut self,
        batch: &[ReserveAsk<'_>],
        verdicts: &mut Vec<Verdict>,
    ) -> Result<GateEpoch, GuardError> {
        verdicts.extend(batch.iter().map(|ask| self.decide(ask)));
        Ok(GateEpoch::ONLY)
    }

    fn withhold(
        &mut self,
        token: PaymentId,
        movement: &AccountMovement,
    ) -> Result<GateEpoch, GuardError> {
        let (account, currency) = (movement.account, movement.delta.currency);
        let minor = movement.delta.minor.saturating_neg();
        self.accounts.entry((account, currency)).or_default().held += i128::from(minor);
        let holds = [(account, currency, minor)].into_iter().collect();
        let open = Open { holds, counters: SmallVec::new(), slots: SmallVec::new() };
        self.open.insert(token, open);
        Ok(GateEpoch::ONLY)
    }

    fn give_back(&mut self, group: &GiveBack<'_>) -> Result<(), GuardError> {
        group.endings.iter().for_each(|settlement| self.end(settlement));
        group.credits.iter().for_each(|credit| self.credit(credit.movement));
        Ok(())
    }

    fn balance(
        &mut self,
        account: AccountId,
        currency: Currency,
    ) -> Result<Option<Balance>, GuardError> {
        let found = self.accounts.get(&(account, currency));
        Ok(found.map(|row| Balance { balance: to_i64(row.balance), held: to_i64(row.held) }))
    }

    fn find_key(&mut self, key: IdempotencyKey) -> Result<Option<PaymentId>, GuardError> {
        Ok(self.keys.owner(key))
    }
}

fn to_i64(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}
