//! The guard of one machine: everything in memory, rebuilt from the journal at start.
//!
//! No clock is read here: what time it is, and how much of it has passed, is taken from the `at` of
//! what was decided ([`ElapsedTime`]). Replaying the same records gives the same state, to the byte
//! of its image. Counters, slots and keys are dropped by elapsed time alone, so a wrong instant
//! makes nothing forgotten.

mod contents;
mod early;
mod elapsed;
mod image;
mod keys;

use std::collections::hash_map::Entry as MapEntry;

use foldhash::{HashMap, HashMapExt};
use router::early::EarlyReversal;
use router::id::{AccountId, PaymentId};
use router::message::IdempotencyKey;
use router::money::Currency;
use router::posting::Entry;
use router::reservation::{ClaimOwner, Counter, Hold, Keep, Reservation, Settle, Slot};
use router::time::Timestamp;
use smallvec::SmallVec;

use super::{
    Balance, GateEpoch, GiveBack, Guard, GuardError, LimitPlace, ReservationEnd, ReserveAsk,
    Sought, Verdict, Wants,
};
use crate::settings::micros;
use early::EarlyByHandle;
use elapsed::ElapsedTime;
use keys::KnownKeys;
pub(crate) use keys::NewKey;

/// How long after its window a counter is still kept, for asks decided late.
const WINDOW_GRACE_MICROS: i64 = 3_600_000_000;
/// Decisions between two looks for closed windows.
const SWEEP_EVERY: u32 = 65_536;

/// Guard state in memory.
pub struct MemoryGuard {
    time: ElapsedTime,
    /// The latest window end among counters that were dropped: a counter of a window that closes
    /// no later may have been forgotten, so it takes nothing more.
    dropped_until: Timestamp,
    keys: KnownKeys,
    accounts: HashMap<(AccountId, Currency), Account>,
    counters: HashMap<u128, CounterRow>,
    slots: HashMap<u128, SlotRow>,
    open: HashMap<PaymentId, Open>,
    early: EarlyByHandle,
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
    /// Elapsed time at which it may be dropped, in microseconds.
    drop_at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SlotRow {
    owner: ClaimOwner,
    claim: ClaimTerm,
    /// Elapsed time at which a claim that ends at an instant may be dropped, in microseconds.
    drop_at: i64,
}

/// For how long a slot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimTerm {
    /// Until its payment has an outcome.
    Open,
    /// Until its payment is reversed.
    Kept,
    /// Until its payment is reversed, or an instant.
    KeptUntil(Timestamp),
}

/// What an open reservation gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Accounts, and the amount it holds of each, in minor units.
    pub holds: SmallVec<[(AccountId, Currency, i64); 1]>,
    /// Counters, and the number it added to each.
    pub counters: SmallVec<[(u128, i64); 1]>,
    /// Slots, and what an approval does to them.
    pub slots: SmallVec<[(u128, Keep); 1]>,
}

impl MemoryGuard {
    /// An empty guard that knows keys for at least `key_retention`.
    pub fn new(key_retention: std::time::Duration) -> Self {
        Self {
            time: ElapsedTime::default(),
            dropped_until: Timestamp(i64::MIN),
            keys: KnownKeys::new(micros(key_retention)),
            accounts: HashMap::new(),
            counters: HashMap::new(),
            slots: HashMap::new(),
            open: HashMap::new(),
            early: EarlyByHandle::default(),
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
        let key = self.regrant_but_key(payment, at, wants);
        self.keys.insert(&key);
    }

    /// The same, but for the request's key, which is to be remembered later: before anything is
    /// decided, and in the order of the payments.
    pub(crate) fn regrant_but_key(
        &mut self,
        payment: PaymentId,
        at: Timestamp,
        wants: Wants<'_>,
    ) -> NewKey {
        self.advance(at);
        if let Wants::Reserve(reservation) = wants {
            self.apply(payment, at, reservation);
        }
        let (key, fingerprint) = wants.identity();
        NewKey { key, fingerprint, payment, elapsed: self.time.elapsed() }
    }

    /// Remembers keys of payments that were granted before. One after another, each waits for memory
    /// twice; together, the processor waits for many of them at once.
    pub(crate) fn remember(&mut self, keys: impl IntoIterator<Item = NewKey>) {
        keys.into_iter().for_each(|key| self.keys.insert(&key));
    }

    fn decide(&mut self, ask: &ReserveAsk<'_>) -> Verdict {
        let (key, fingerprint) = ask.wants.identity();
        if let Some((same, owner)) = self.keys.find(&ask.sought()) {
            return if same { Verdict::Duplicate(owner) } else { Verdict::KeyReused(owner) };
        }
        let refused = match ask.wants {
            Wants::Reserve(_) if self.is_reversed(ask) => Some(Verdict::REVERSED_BEFOREHAND),
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

    fn is_reversed(&self, ask: &ReserveAsk<'_>) -> bool {
        ask.requested.is_some_and(|requested| self.early.refuse(requested.request, ask.at))
    }

    fn check(&self, at: Timestamp, reservation: &Reservation) -> Result<(), Verdict> {
        for slot in &reservation.slots {
            self.check_slot(at, slot)?;
        }
        for (index, counter) in reservation.counters.iter().enumerate() {
            let before = reservation.counters[..index].iter();
            let taken = before.filter(|other| other.key == counter.key).map(|other| other.delta);
            let taken = taken.map(i128::from).sum();
            self.check_counter(counter, taken, LimitPlace::Counter(index))?;
        }
        for (index, hold) in reservation.holds.iter().enumerate() {
            let before = reservation.holds[..index].iter();
            let same = |other: &&Hold| {
                (other.account, other.amount.currency) == (hold.account, hold.amount.currency)
            };
            let taken = before.filter(same).map(|other| i128::from(other.amount.minor)).sum();
            self.check_hold(hold, taken, LimitPlace::Hold(index))?;
        }
        Ok(())
    }

    fn check_slot(&self, at: Timestamp, slot: &Slot) -> Result<(), Verdict> {
        let Some(row) = self.slots.get(&slot.key.0) else { return Ok(()) };
        let reason = match row.claim {
            ClaimTerm::KeptUntil(until) if until <= at => return Ok(()),
            ClaimTerm::Open => slot.reason_while_open,
            ClaimTerm::Kept | ClaimTerm::KeptUntil(_) => slot.reason_once_kept,
        };
        Err(Verdict::Exceeded { reason, owner: Some(row.owner), headroom: None, place: None })
    }

    fn check_counter(
        &self,
        counter: &Counter,
        taken: i128,
        place: LimitPlace,
    ) -> Result<(), Verdict> {
        let value = self.counters.get(&counter.key.0).map_or(0, |row| row.value);
        let left = i128::from(counter.ceiling) - i128::from(value) - taken;
        let left = if counter.window_end <= self.dropped_until { 0 } else { left };
        if i128::from(counter.delta) <= left {
            return Ok(());
        }
        let headroom = Some(to_i64(left.max(0)));
        let (reason, place) = (counter.reason_with(left), Some(place));
        Err(Verdict::Exceeded { reason, owner: None, headroom, place })
    }

    fn check_hold(&self, hold: &Hold, taken: i128, place: LimitPlace) -> Result<(), Verdict> {
        let account = self.accounts.get(&(hold.account, hold.amount.currency));
        let account = account.copied().unwrap_or_default();
        let left = account.balance - account.held - taken - i128::from(hold.floor_minor);
        if hold.amount.minor >= 0 && i128::from(hold.amount.minor) <= left {
            return Ok(());
        }
        let headroom = Some(to_i64(left.max(0)));
        let (reason, place) = (hold.reason, Some(place));
        Err(Verdict::Exceeded { reason, owner: None, headroom, place })
    }

    fn apply(&mut self, payment: PaymentId, at: Timestamp, reservation: &Reservation) {
        let Reservation { key: _, fingerprint: _, holds, counters, slots } = reservation;
        for slot in slots {
            let drop_at = match slot.keep {
                Keep::Until(until) => self.drop_at(at, until),
                Keep::UntilOutcome | Keep::WhileApproved => i64::MAX,
            };
            let owner = ClaimOwner::Payment(payment);
            let row = SlotRow { owner, claim: ClaimTerm::Open, drop_at };
            self.slots.insert(slot.key.0, row);
        }
        for counter in counters {
            let (window_end, drop_at) = (counter.window_end, self.drop_at(at, counter.window_end));
            let fresh = CounterRow { value: 0, window_end, drop_at };
            let row = self.counters.entry(counter.key.0).or_insert(fresh);
            row.value = row.value.saturating_add(counter.delta);
            row.window_end = row.window_end.max(window_end);
            row.drop_at = row.drop_at.max(drop_at);
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

    /// Remembers a reversal that came before its original.
    pub(crate) fn take_early(&mut self, early: &EarlyReversal) {
        self.advance(early.at);
        let drop_at = self.drop_at(early.at, early.until);
        self.early.put(*early, drop_at);
    }

    /// Raises and lowers balances as an entry says.
    pub(crate) fn credit(&mut self, entry: &Entry) {
        for (account, gained) in entry.guarded_moves() {
            let row = self.accounts.entry((account, gained.currency)).or_default();
            row.balance += i128::from(gained.minor);
        }
    }

    pub(crate) fn end(&mut self, settlement: &ReservationEnd<'_>) {
        let payment = settlement.payment;
        match settlement.settle {
            Settle::Post => self.post(payment, settlement.entry),
            Settle::Release => self.release(payment),
            Settle::Undo => {
                self.credit(settlement.entry);
                if let Some(reservation) = settlement.reservation {
                    self.undo(payment, reservation);
                }
            }
        }
    }

    fn post(&mut self, payment: PaymentId, entry: &Entry) {
        let Some(open) = self.open.remove(&payment) else { return };
        for (account, currency, minor) in open.holds {
            self.accounts.entry((account, currency)).or_default().held -= i128::from(minor);
        }
        self.credit(entry);
        let owner = ClaimOwner::Payment(payment);
        for (slot, keep) in open.slots {
            match keep {
                Keep::UntilOutcome => self.free(slot, owner),
                Keep::WhileApproved => self.keep(slot, owner, ClaimTerm::Kept),
                Keep::Until(until) => self.keep(slot, owner, ClaimTerm::KeptUntil(until)),
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
        let owner = ClaimOwner::Payment(payment);
        for (slot, _) in open.slots {
            self.free(slot, owner);
        }
    }

    fn undo(&mut self, payment: PaymentId, reservation: &Reservation) {
        for counter in &reservation.counters {
            self.give_back(counter.key.0, counter.delta);
        }
        let owner = ClaimOwner::Payment(payment);
        for slot in &reservation.slots {
            self.free(slot.key.0, owner);
        }
    }

    fn give_back(&mut self, counter: u128, delta: i64) {
        if let MapEntry::Occupied(mut row) = self.counters.entry(counter) {
            row.get_mut().value = row.get().value.saturating_sub(delta);
            // One at zero says what none says.
            if row.get().value == 0 {
                row.remove();
            }
        }
    }

    fn free(&mut self, slot: u128, owner: ClaimOwner) {
        if self.slots.get(&slot).is_some_and(|row| row.owner == owner) {
            self.slots.remove(&slot);
        }
    }

    fn keep(&mut self, slot: u128, owner: ClaimOwner, claim: ClaimTerm) {
        if let Some(row) = self.slots.get_mut(&slot).filter(|row| row.owner == owner) {
            row.claim = claim;
        }
    }

    fn advance(&mut self, at: Timestamp) {
        self.time.see(at);
        self.until_sweep -= 1;
        if self.until_sweep == 0 {
            self.sweep();
        }
    }

    /// Drops claims that closed long ago. Changes no decision: their time says that they ended.
    fn sweep(&mut self) {
        self.until_sweep = SWEEP_EVERY;
        self.dropped_until = self.forgotten_until();
        let elapsed = self.time.elapsed();
        self.counters.retain(|_, row| row.drop_at > elapsed);
        self.slots.retain(|_, row| !row.is_over(elapsed));
        self.early.sweep(elapsed);
    }

    /// Elapsed time at which something is dropped that closes at `end` and is wanted at `at`.
    fn drop_at(&self, at: Timestamp, end: Timestamp) -> i64 {
        let open_for = end.0.saturating_sub(at.0).max(0);
        self.time.elapsed().saturating_add(open_for).saturating_add(WINDOW_GRACE_MICROS)
    }

    /// The latest window end among counters that were dropped, or may be.
    fn forgotten_until(&self) -> Timestamp {
        let elapsed = self.time.elapsed();
        let over = self.counters.values().filter(|row| row.drop_at <= elapsed);
        over.map(|row| row.window_end).fold(self.dropped_until, Timestamp::max)
    }
}

impl SlotRow {
    fn is_over(&self, elapsed: i64) -> bool {
        match self.claim {
            ClaimTerm::Open | ClaimTerm::Kept => false,
            ClaimTerm::KeptUntil(_) => self.drop_at <= elapsed,
        }
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

    fn withhold(&mut self, token: PaymentId, entry: &Entry) -> Result<GateEpoch, GuardError> {
        let mut holds = SmallVec::new();
        for (account, taken) in entry.guarded_debits() {
            let row = self.accounts.entry((account, taken.currency)).or_default();
            row.held += i128::from(taken.minor);
            holds.push((account, taken.currency, taken.minor));
        }
        let open = Open { holds, counters: SmallVec::new(), slots: SmallVec::new() };
        self.open.insert(token, open);
        Ok(GateEpoch::ONLY)
    }

    fn give_back(&mut self, group: &GiveBack<'_>) -> Result<(), GuardError> {
        group.endings.iter().for_each(|settlement| self.end(settlement));
        group.credits.iter().for_each(|credit| self.credit(credit.entry));
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

    /// An amount that is given back is available at once.
    fn is_behind(&self) -> bool {
        false
    }

    /// It has one epoch, and is replaced by none.
    fn raise_epoch(&mut self, _trusted: GateEpoch) {}

    fn forestall(&mut self, early: &EarlyReversal) -> Result<GateEpoch, GuardError> {
        self.take_early(early);
        Ok(GateEpoch::ONLY)
    }

    fn find_original(&mut self, sought: &Sought) -> Result<Option<PaymentId>, GuardError> {
        Ok(self.keys.find(sought).map(|(_, owner)| owner))
    }

    fn find_key(&mut self, key: IdempotencyKey) -> Result<Option<PaymentId>, GuardError> {
        Ok(self.keys.owner(key))
    }
}

fn to_i64(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
