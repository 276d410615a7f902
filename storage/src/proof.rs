//! The proof that a journal's ledger balances, record by record.
//!
//! Balances are folded twice: by the ledger from entries alone, and by a guard from holds, outcomes
//! and reversals as at a start. What differs is named by the first record that makes it so.

use std::collections::BTreeMap;
use std::time::Duration;

use router::id::AccountId;
use router::invariant::{
    AccountFigures, Violation, account_conserves, entry_is_due, guard_agrees, trial_balance,
};
use router::ledger::{AccountBalance, Ledger};
use router::money::Currency;
use router::posting::{Entry, is_guarded};
use router::record::Record;

use crate::guard::MemoryGuard;
use crate::journal::{Damage, TailFrame};
use crate::record::{DecodeError, bodies, decode, kind_name};
use crate::state::{State, damage};

/// Proves the entries of one lane, a record at a time.
pub struct LedgerProof {
    state: State,
}

/// What entries moved on one account, by what moved it, in minor units.
type Moved = BTreeMap<(AccountId, Currency), i128>;

impl LedgerProof {
    /// How long keys are known by a state that is read for its balances: none is asked for.
    pub const KEY_RETENTION: Duration = Duration::from_secs(60);

    /// From the first record of a lane on.
    pub fn new() -> Self {
        Self::after(State::new(Self::KEY_RETENTION))
    }

    /// From the record behind a state on, whose own balances are taken as they are.
    pub fn after(state: State) -> Self {
        Self { state }
    }

    /// Takes the next frame.
    ///
    /// Errors: [`Damage`] names the first record that breaks the ledger or cannot follow.
    pub fn take(&mut self, frame: &TailFrame) -> Result<(), Damage> {
        self.take_records(frame.first_sequence, &frame.body)
    }

    /// The same up to a position, that one included.
    ///
    /// Errors: as [`LedgerProof::take`].
    pub fn take_until(&mut self, last: u64, frame: &TailFrame) -> Result<(), Damage> {
        self.take_records_until(last, frame.first_sequence, &frame.body)
    }

    /// Takes records that stand one after another.
    pub(crate) fn take_records(&mut self, first: u64, records: &[u8]) -> Result<(), Damage> {
        self.take_records_until(u64::MAX, first, records)
    }

    /// Takes records up to a position, that one included.
    pub(crate) fn take_records_until(
        &mut self,
        last: u64,
        first: u64,
        records: &[u8],
    ) -> Result<(), Damage> {
        for (sequence, body) in (first..=last).zip(bodies(records)) {
            let body = body.map_err(|source| Damage::Record { sequence, source })?;
            self.take_record(sequence, body)?;
        }
        Ok(())
    }

    fn take_record(&mut self, sequence: u64, body: &[u8]) -> Result<(), Damage> {
        let record = decode(body).map_err(|source| undecoded(sequence, body, source))?;
        let kind = record.kind();
        let broken = |source| Damage::Ledger { sequence, kind, source: Box::new(source) };
        let due = self.due_entry(sequence, &record)?;
        if let (Some(entry), Some(Some(due))) = (record.entry(), &due) {
            entry_is_due(entry, due).map_err(broken)?;
        }
        self.state.apply(sequence, body)?;
        if let (Some(entry), Some(None)) = (record.entry(), &due) {
            // It may follow, and nothing that it could post can be worked out.
            entry_is_due(entry, &Entry::default()).map_err(broken)?;
        }
        for (account, moved) in record.entry().iter().flat_map(|entry| entry.guarded_moves()) {
            let in_guard = self.state.guard.balance_minor(account, moved.currency);
            guard_agrees(&self.state.ledger, account, moved.currency, in_guard).map_err(broken)?;
        }
        Ok(())
    }

    /// What a record of an open payment must post, by all earlier records of the payment; none in it
    /// where that cannot be worked out, as for a record that may not follow.
    fn due_entry(&self, sequence: u64, record: &Record) -> Result<Option<Option<Entry>>, Damage> {
        let open = record.payment().and_then(|id| self.state.fold.open.get(&id));
        let Some(open) = open else { return Ok(None) };
        let payment = open.history.payment().map_err(|error| damage(sequence, error))?;
        Ok(Some(payment.due_entry(record)))
    }

    /// Proves the whole of it at a position: every currency sums to zero, and each account of the
    /// guard has what its entries make and holds what its open payments hold (I10).
    ///
    /// Errors: [`Damage::Books`] names the account and by how much it is off.
    pub fn balances(&self, sequence: u64) -> Result<(), Damage> {
        let books = |source| Damage::Books { sequence, source: Box::new(source) };
        trial_balance(&self.state.ledger).map_err(books)?;
        conserves(&self.state).map_err(books)
    }

    /// Holds a snapshot of this very position against what its records make.
    ///
    /// Errors: as [`LedgerProof::balances`].
    pub fn agrees_with(&self, sequence: u64, snapshot: &State) -> Result<(), Damage> {
        let books = |source| Damage::Books { sequence, source: Box::new(source) };
        trial_balance(&snapshot.ledger).map_err(books)?;
        conserves(snapshot).map_err(books)?;
        let both = [&self.state.ledger, &snapshot.ledger].map(Ledger::accounts);
        for AccountBalance { account, currency, .. } in both.into_iter().flatten() {
            let of = |ledger: &Ledger| ledger.balance(account, currency);
            let gained_minor = of(&snapshot.ledger) - of(&self.state.ledger);
            if gained_minor != 0 {
                return Err(books(Violation::AccountNotConserved { account, gained_minor }));
            }
        }
        Ok(())
    }

    /// The same, to be kept.
    pub fn into_ledger(self) -> Ledger {
        self.state.ledger
    }

    /// The balances so far.
    pub fn ledger(&self) -> &Ledger {
        &self.state.ledger
    }
}

impl Default for LedgerProof {
    fn default() -> Self {
        Self::new()
    }
}

/// Each account that the guard keeps has what entries put in less what they took, and holds what its
/// open payments hold.
fn conserves(state: &State) -> Result<(), Violation> {
    let open = held_by_open(&state.guard);
    for (account, currency, balance, held) in state.guard.accounts() {
        guard_agrees(&state.ledger, account, currency, balance)?;
        let figures = AccountFigures {
            account,
            opening: state.ledger.balance(account, currency),
            topups: 0,
            completed: 0,
            open: open.get(&(account, currency)).copied().unwrap_or(0),
            available: balance - held,
        };
        account_conserves(&figures)?;
    }
    for AccountBalance { account, currency, .. } in state.ledger.accounts() {
        if is_guarded(&account) {
            let in_guard = state.guard.balance_minor(account, currency);
            guard_agrees(&state.ledger, account, currency, in_guard)?;
        }
    }
    Ok(())
}

fn held_by_open(guard: &MemoryGuard) -> Moved {
    let mut held = Moved::new();
    for (account, currency, minor) in guard.open().flat_map(|(_, open)| &open.holds) {
        *held.entry((*account, *currency)).or_default() += i128::from(*minor);
    }
    held
}

fn undecoded(sequence: u64, body: &[u8], source: DecodeError) -> Damage {
    match (source, kind_name(body)) {
        (DecodeError::Entry(source), Ok(kind)) => Damage::Entry { sequence, kind, source },
        (source, Ok(_) | Err(_)) => Damage::Record { sequence, source },
    }
}

#[cfg(test)]
mod tests;
