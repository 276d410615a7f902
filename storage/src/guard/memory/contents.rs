//! What a guard in memory holds, row by row: for another guard that is to hold the same.

use router::early::EarlyReversal;
use router::id::{AccountId, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::money::Currency;
use router::reservation::{ClaimOwner, CounterKey, SlotKey};
use router::time::Timestamp;

use super::{ClaimTerm, MemoryGuard, Open};

impl MemoryGuard {
    /// The latest end of a window whose counters may have been forgotten; none if there is none.
    pub fn forgotten_windows(&self) -> Option<Timestamp> {
        Some(self.forgotten_until()).filter(|end| end.0 > i64::MIN)
    }

    /// Accounts: what each has and what of it is held, in minor units.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, Currency, i128, i128)> {
        self.accounts.iter().map(|((id, currency), row)| (*id, *currency, row.balance, row.held))
    }

    /// What an account has in a currency, in minor units; zero where nothing named it.
    pub fn balance_minor(&self, account: AccountId, currency: Currency) -> i128 {
        self.accounts.get(&(account, currency)).map_or(0, |row| row.balance)
    }

    /// Counters that may still count: what each has reached, and when its window closes.
    pub fn counters(&self) -> impl Iterator<Item = (CounterKey, i64, Timestamp)> {
        let elapsed = self.time.elapsed();
        let live = self.counters.iter().filter(move |(_, row)| row.drop_at > elapsed);
        live.map(|(key, row)| (CounterKey(*key), row.value, row.window_end))
    }

    /// Slots that may still be taken: by what, and for how long.
    pub fn slots(&self) -> impl Iterator<Item = (SlotKey, ClaimOwner, ClaimTerm)> {
        let elapsed = self.time.elapsed();
        let live = self.slots.iter().filter(move |(_, row)| !row.is_over(elapsed));
        live.map(|(key, row)| (SlotKey(*key), row.owner, row.claim))
    }

    /// Reservations without an outcome.
    pub fn open(&self) -> impl Iterator<Item = (PaymentId, &Open)> {
        self.open.iter().map(|(id, open)| (*id, open))
    }

    /// Reversals that came before their originals, and may still refuse one.
    pub fn early_reversals(&self) -> impl Iterator<Item = &EarlyReversal> {
        self.early.live(self.time.elapsed())
    }

    /// Remembered keys; of the fingerprints the upper half is kept.
    pub fn keys(&self) -> impl Iterator<Item = (IdempotencyKey, Fingerprint, PaymentId)> {
        // Later ones last, so that they count where a key was used again.
        self.keys.previous.rows().chain(self.keys.current.rows()).map(|row| {
            let fingerprint = Fingerprint(u128::from(row.fingerprint) << 64);
            (IdempotencyKey(row.key), fingerprint, PaymentId(row.payment))
        })
    }
}
