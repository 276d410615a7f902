//! Double-entry postings: what a payment moves between accounts.
//!
//! An account is named by its kind and its owner: `float:58341122`. A balance is credits less
//! debits, so that the balances of one currency sum to zero.
//!
//! | kind | owner | what it is | raised by |
//! |---|---|---|---|
//! | `float` | float | a collector's prefunded money | credit |
//! | `funding` | float | money received for the float, at the bank or in cash | debit |
//! | `collector_cash` | float | fees that the collector took in cash and owes | debit |
//! | `clearing` | rail | what participants owe for approved payments | debit |
//! | `payable` | biller | what the biller is owed | credit |
//! | `fee_income` | biller | fees earned from the biller's payments | credit |
//! | `participant_payable` | participant | what a participant is owed that is paid itself | credit |
//! | `participant_fee_income` | participant | fees earned from its payments | credit |
//! | `cap` | participant and currency | memorandum: what is left of a net debit cap, less the cap | credit |
//! | `cap_used` | participant and currency | memorandum: what approved payments used of the cap | credit |
//! | `external_received` | biller | memorandum: what a biller says was paid to it elsewhere | debit |
//! | `external_applied` | biller | memorandum: what of that was applied to its bills | credit |
//!
//! The guard keeps the balances of the kinds that have a floor, `float` and `cap`: see
//! [`is_guarded`]. They are moved by entries alone.

mod entry;

use smallvec::SmallVec;

use crate::fee::Charge;
use crate::id::{AccountId, BillerId, FloatRef, ParticipantId};
use crate::message::{Originator, Rail};
use crate::money::{Currency, Money, MoneyError};
use crate::policy::FloatDebits;
use crate::text::Text;

pub use entry::{Entry, EntryError};

/// Name of the ledger account for a kind and an owner: `float:58341122`.
///
/// Shape: longer owners are cut at the account's 48 characters.
pub fn account(kind: &str, owner: &str) -> AccountId {
    let mut name = [0; AccountId::LEN_MAX];
    let mut len = 0;
    for part in [kind, ":", owner] {
        let taken = part.len().min(name.len() - len);
        name[len..len + taken].copy_from_slice(&part.as_bytes()[..taken]);
        len += taken;
    }
    AccountId(Text::from_ascii(&name[..len]).expect("invariant: kinds and ids are printable ASCII"))
}

/// Debit or credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// D.
    Debit,
    /// C.
    Credit,
}

impl Side {
    /// The opposite side.
    pub fn other(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }
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

impl Posting {
    /// What the account gains, in minor units; negative for a debit.
    pub fn credit_minor(&self) -> i128 {
        match self.side {
            Side::Debit => -i128::from(self.amount.minor),
            Side::Credit => i128::from(self.amount.minor),
        }
    }
}

/// Lines that may become an entry: see [`Entry::new`].
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

/// Kinds of a biller's accounts: what it is owed, and what is earned from its payments.
const OF_BILLER: [&str; 2] = ["payable", "fee_income"];
/// The same of a participant that is paid itself.
const OF_PARTICIPANT: [&str; 2] = ["participant_payable", "participant_fee_income"];

/// Kinds of the accounts that the guard keeps.
const GUARDED: [&str; 2] = ["float", "cap"];

/// Whether the guard keeps the balance of an account: a payment may not take it below a floor.
pub fn is_guarded(account: &AccountId) -> bool {
    let kind = account.as_str().split_once(':').map_or("", |(kind, _)| kind);
    GUARDED.contains(&kind)
}

/// The account of a float.
pub fn float_account(float: &FloatRef) -> AccountId {
    account("float", float.as_str())
}

/// The account that runs down to a participant's net debit cap: nothing at first, and what its
/// payments used of the cap below that.
pub fn cap_account(participant: &ParticipantId, currency: Currency) -> AccountId {
    account("cap", &format!("{participant}:{}", currency.code()))
}

fn cap_used_account(participant: &ParticipantId, currency: Currency) -> AccountId {
    account("cap_used", &format!("{participant}:{}", currency.code()))
}

/// The entry of an approval.
///
/// Shape:  debits on the source; credits on `payable:<payee>` (the amount less what is kept back)
///         and on `fee_income:<payee>`, where the payee is a biller. A participant's are
///         `participant_payable:` and `participant_fee_income:`, so that a name that both have is
///         two accounts. Lines of zero are left out; where a fixed fee is more than
///         the amount, `payable` is debited. Where the payment counts against the net debit cap of
///         `capped`, its total is moved from `cap` to `cap_used`.
/// Units:  minor units of the amount's currency; the lines sum to zero.
/// Errors: `Overflow` when a line leaves i64.
pub fn approval(
    source: Source<'_>,
    payee: &Originator,
    amount: Money,
    charge: &Charge,
    capped: Option<&ParticipantId>,
) -> Result<Entry, MoneyError> {
    let mut postings = Postings::new();
    let mut post = |account, credit: Money| -> Result<(), MoneyError> {
        let (side, amount) = match credit.minor {
            0 => return Ok(()),
            1.. => (Side::Credit, credit),
            ..0 => (Side::Debit, credit.checked_neg()?),
        };
        postings.push(Posting { account, side, amount });
        Ok(())
    };
    match source {
        Source::Clearing(rail) => {
            post(account("clearing", rail.name()), charge.total.checked_neg()?)?;
        }
        Source::Float(float, FloatDebits::Total) => {
            post(float_account(float), charge.total.checked_neg()?)?;
        }
        Source::Float(float, FloatDebits::Amount) => {
            post(float_account(float), amount.checked_neg()?)?;
            post(account("collector_cash", float.as_str()), charge.on_top.checked_neg()?)?;
        }
    }
    let [payable, fee_income] = match payee {
        Originator::Biller(_) => OF_BILLER,
        Originator::Participant(_) => OF_PARTICIPANT,
    };
    post(account(payable, payee.as_str()), amount.checked_sub(charge.kept_back)?)?;
    post(account(fee_income, payee.as_str()), charge.income()?)?;
    if let Some(participant) = capped {
        post(cap_account(participant, amount.currency), charge.total.checked_neg()?)?;
        post(cap_used_account(participant, amount.currency), charge.total)?;
    }
    Ok(Entry::new(postings).expect("invariant: total is amount and fees, whoever bears them"))
}

/// The entry of a payment that was made elsewhere: a memorandum, for no money is moved or owed here.
///
/// Shape: `amount` is more than zero.
pub fn external(biller: BillerId, amount: Money) -> Entry {
    let line = |kind, side| Posting { account: account(kind, biller.as_str()), side, amount };
    let postings: Postings =
        [line("external_received", Side::Debit), line("external_applied", Side::Credit)]
            .into_iter()
            .collect();
    Entry::new(postings).expect("invariant: both lines are of one amount")
}

/// The entry of a partial reversal: the payee gives the part back to where the money came from, and
/// the part is no longer used of a net debit cap. Fees stay as they are.
///
/// Shape:  `approval` is what [`approval`] made; `given_back` is more than zero.
/// Errors: none where the approval names no source or no payee, or nothing is given back.
pub fn partial_reversal(approval: &Entry, given_back: Money) -> Option<Entry> {
    let mut lines = approval.lines().iter();
    let source = lines.clone().next()?.account;
    let payee = lines.clone().find_map(|line| {
        let (kind, owner) = line.account.as_str().split_once(':')?;
        let kinds = [OF_BILLER, OF_PARTICIPANT].into_iter().find(|kinds| kinds.contains(&kind))?;
        Some(account(kinds[0], owner))
    })?;
    let part = |account, side| Posting { account, side, amount: given_back };
    let mut postings: Postings =
        [part(payee, Side::Debit), part(source, Side::Credit)].into_iter().collect();
    let mut of_kind = |wanted| {
        lines.find(|line| line.account.as_str().split_once(':').is_some_and(|it| it.0 == wanted))
    };
    if let (Some(cap), Some(used)) = (of_kind("cap"), of_kind("cap_used")) {
        postings.extend([part(used.account, Side::Debit), part(cap.account, Side::Credit)]);
    }
    Entry::new(postings).ok()
}

/// The contra-entry of a whole reversal: what partial reversals left of the approval is taken
/// back, fees included. With them it leaves every account as before the payment.
///
/// Shape:  `given_back` is what confirmed partial reversals gave back, zero where there was none.
/// Errors: none where the approval is not one of [`approval`]'s.
pub fn whole_reversal(approval: &Entry, given_back: Money) -> Option<Entry> {
    let parts = match given_back.minor {
        0 => Entry::default(),
        _ => partial_reversal(approval, given_back)?,
    };
    let left = Entry::net(approval.contra().chain(parts.contra())).ok()?;
    Entry::new(left).ok()
}

/// The entry that puts money into a float; a negative amount takes it out again.
///
/// Errors: an amount of zero, or the least of i64.
pub fn top_up(float: &FloatRef, amount: Money) -> Result<Entry, EntryError> {
    moved(account("funding", float.as_str()), float_account(float), amount)
}

/// The entry that gives a participant room under its net debit cap again, because it has paid what
/// it owed; a negative amount takes room away.
///
/// Errors: an amount of zero, or the least of i64.
pub fn cap_movement(participant: &ParticipantId, amount: Money) -> Result<Entry, EntryError> {
    let currency = amount.currency;
    moved(cap_used_account(participant, currency), cap_account(participant, currency), amount)
}

/// An amount goes from one account to another; a negative one the other way.
fn moved(from: AccountId, to: AccountId, amount: Money) -> Result<Entry, EntryError> {
    match amount.checked_neg() {
        Ok(back) if amount.minor < 0 => Entry::pair(to, from, back),
        Ok(_) | Err(_) => Entry::pair(from, to, amount),
    }
}

#[cfg(test)]
mod tests;
