//! Every position of a journal, held against books of the suite's own.

use std::collections::BTreeMap;

use router::id::{AccountId, PaymentId};
use router::invariant::{AccountFigures, account_conserves, trial_balance};
use router::ledger::Ledger;
use router::money::Currency;
use router::payment::Payment;
use router::posting::Entry;
use router::record::Record;

use crate::journal::{Damage, TailFrame};
use crate::proof::LedgerProof;
use crate::record::{bodies, decode};
use crate::state::State;

/// What moved one account, and what open payments hold of it, in minor units.
#[derive(Debug, Clone, Copy, Default)]
struct MovedSums {
    put_in: i128,
    completed: i128,
    open: i128,
}

/// The books, kept from decoded records alone.
#[derive(Default)]
struct BooksAt {
    payments: BTreeMap<PaymentId, (Payment, Entry)>,
    accounts: BTreeMap<(AccountId, Currency), MovedSums>,
}

/// The accounts of every currency sum to zero behind every record, and each account of the guard
/// conserves what was put into it (I10): opening balance and top-ups are what is completed, open and
/// available. Gives the balances behind each record.
///
/// Panics with the record that breaks this.
pub fn every_position_balances(
    frames: impl Iterator<Item = Result<TailFrame, Damage>>,
) -> Vec<(u64, Ledger)> {
    let (mut state, mut books) = (State::new(LedgerProof::KEY_RETENTION), BooksAt::default());
    let mut ledgers = Vec::new();
    for frame in frames {
        let frame = frame.unwrap();
        for (sequence, body) in (frame.first_sequence..).zip(bodies(&frame.body)) {
            let body = body.unwrap();
            let record = decode(body).unwrap();
            state.apply(sequence, body).unwrap();
            books.take(&record);
            assert_eq!(trial_balance(state.ledger()), Ok(()), "{sequence}: {record:?}");
            books.conserve(&state, sequence, &record);
            ledgers.push((sequence, state.ledger().clone()));
        }
    }
    ledgers
}

impl BooksAt {
    fn take(&mut self, record: &Record) {
        if let Record::Account(movement) = record {
            for (account, gained) in movement.entry.guarded_moves() {
                self.of(account, gained.currency).put_in += i128::from(gained.minor);
            }
        }
        let Some(id) = record.payment() else { return };
        if let Some((payment, _)) = Payment::begin(record) {
            // A refusal plans nothing, so it holds nothing.
            let planned = payment.planned_entry.clone();
            self.hold(&planned, 1);
            self.payments.insert(id, (payment, planned));
            return;
        }
        let (payment, held) = self.payments.get_mut(&id).unwrap();
        let effects = payment.apply(record).unwrap();
        if effects.settle.is_some() {
            let held = std::mem::take(held);
            self.hold(&held, -1);
        }
        let entry = record.entry().cloned().unwrap_or_default();
        for (account, gained) in entry.guarded_moves() {
            self.of(account, gained.currency).completed -= i128::from(gained.minor);
        }
    }

    fn hold(&mut self, planned: &Entry, sign: i128) {
        for (account, taken) in planned.guarded_debits() {
            self.of(account, taken.currency).open += sign * i128::from(taken.minor);
        }
    }

    fn of(&mut self, account: AccountId, currency: Currency) -> &mut MovedSums {
        self.accounts.entry((account, currency)).or_default()
    }

    fn conserve(&self, state: &State, sequence: u64, record: &Record) {
        for (account, currency, balance, held) in state.guard().accounts() {
            let moved = self.accounts.get(&(account, currency)).copied().unwrap_or_default();
            let figures = AccountFigures {
                account,
                opening: 0,
                topups: moved.put_in,
                completed: moved.completed,
                open: moved.open,
                available: balance - held,
            };
            let conserved = account_conserves(&figures);
            assert_eq!(conserved, Ok(()), "{sequence}: {figures:?} behind {record:?}");
            assert_eq!(held, moved.open, "{sequence}: held of {account} behind {record:?}");
        }
    }
}
