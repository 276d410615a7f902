//! Double-entry postings: what a payment moves between accounts.

use smallvec::SmallVec;

use crate::fee::Charge;
use crate::id::{AccountId, FloatRef};
use crate::message::Rail;
use crate::money::{Money, MoneyError};
use crate::plan::account;
use crate::policy::FloatDebits;

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

/// Where the money of a payment comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// A participant, who owes it from now on: `clearing:<rail>`.
    ///
    /// Named after the rail and not after the participant, so that a change of route before
    /// anything left changes no posting; who owes it is in the payment's last attempt.
    Clearing(Rail),
    /// A collector's prefunded float, `float:<ref>`. Where it loses the amount alone, the payer's
    /// fees stay with the collector as cash: `collector_cash:<ref>`.
    Float(&'a FloatRef, FloatDebits),
}

/// The postings of an approval.
///
/// Shape:  debits on the source; credits on `payable:<payee>` (the amount less what is kept back)
///         and on `fee_income:<payee>`. Lines of zero are left out; where a fixed fee is more than
///         the amount, `payable` is debited.
/// Units:  minor units of the amount's currency; the lines sum to zero.
/// Errors: `Overflow` when a line leaves i64.
pub fn approval(
    source: Source<'_>,
    payee: &str,
    amount: Money,
    charge: &Charge,
) -> Result<Postings, MoneyError> {
    let mut postings = Postings::new();
    let mut post = |kind, owner, credit: Money| -> Result<(), MoneyError> {
        let (side, amount) = match credit.minor {
            0 => return Ok(()),
            1.. => (Side::Credit, credit),
            ..0 => (Side::Debit, credit.checked_neg()?),
        };
        postings.push(Posting { account: account(kind, owner), side, amount });
        Ok(())
    };
    match source {
        Source::Clearing(rail) => post("clearing", rail.name(), charge.total.checked_neg()?)?,
        Source::Float(float, FloatDebits::Total) => {
            post("float", float.as_str(), charge.total.checked_neg()?)?;
        }
        Source::Float(float, FloatDebits::Amount) => {
            post("float", float.as_str(), amount.checked_neg()?)?;
            post("collector_cash", float.as_str(), charge.on_top.checked_neg()?)?;
        }
    }
    post("payable", payee, amount.checked_sub(charge.kept_back)?)?;
    post("fee_income", payee, charge.income()?)?;
    Ok(postings)
}
