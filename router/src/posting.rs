//! Double-entry postings: what a payment moves between accounts.

use smallvec::SmallVec;

use crate::id::AccountId;
use crate::money::Money;

/// Debit or credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// D.
    Debit,
    /// C.
    Credit,
}

/// One line of a journal entry; the amount is more than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: AccountId,
    /// Which side of it.
    pub side: Side,
    /// How much.
    pub amount: Money,
}

/// The lines of one entry; they sum to zero per currency.
pub type Postings = SmallVec<[Posting; 4]>;
