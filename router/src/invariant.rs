//! What must hold at every journal position; tests, audits and the start-up check share these.
//!
//! Each function looks at values and gives the violations that it finds; none of them does I/O. The
//! load audit gathers [`PaymentFacts`] from the client, the journal, the issuer and the merchant
//! and gives them to [`audit_payment`].

mod audit;

use std::collections::HashSet;

use crate::id::{AccountId, PaymentId};
use crate::ledger::Ledger;
use crate::message::IdempotencyKey;
use crate::money::Currency;
use crate::notice::NoticeType;
use crate::outcome::Outcome;
use crate::payment::{OutcomeKind, Payment, PaymentState};
use crate::posting::Entry;
use crate::reservation::Counter;

pub use audit::{PaymentFacts, ToldNotice, audit_payment};

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The accounts of one currency do not sum to zero.
    #[error("the accounts in {currency} sum to {off_minor} minor units instead of zero")]
    LedgerUnbalanced {
        /// In which currency.
        currency: Currency,
        /// Credits less debits, in minor units.
        off_minor: i128,
    },
    /// The guard has another balance of an account than its entries make.
    #[error(
        "account {account} has {off_minor} minor units of {currency} more in the guard than by its entries"
    )]
    GuardDiffers {
        /// The account.
        account: AccountId,
        /// In which currency.
        currency: Currency,
        /// The guard's balance less that of the entries, in minor units.
        off_minor: i128,
    },
    /// A record posts something else than its payment owes there.
    #[error(
        "the entry moves {off_minor} minor units of {currency} more on {account} than it should"
    )]
    EntryDiffers {
        /// The first account that differs.
        account: AccountId,
        /// In which currency.
        currency: Currency,
        /// The change of its balance by the entry, less the change due, in minor units.
        off_minor: i128,
    },
    /// Money appeared on an account, or vanished from it.
    #[error("account {account} came by {gained_minor} minor units nobody gave it")]
    AccountNotConserved {
        /// The account.
        account: AccountId,
        /// Completed, open and available less everything put in; negative where money is lost.
        gained_minor: i128,
    },
    /// A counter stands above its ceiling.
    #[error("counter {key:032x} stands at {value}, at most {ceiling} allowed", key = .counter.key.0, ceiling = .counter.ceiling)]
    CounterExceeded {
        /// The counter.
        counter: Counter,
        /// Where it stands.
        value: i64,
    },
    /// One key was approved twice.
    #[error("key {key:032x} was approved more than once", key = .key.0)]
    ApprovedTwice {
        /// The key.
        key: IdempotencyKey,
    },
    /// The answer to an originator differs from the durable outcome.
    #[error("{payment} was answered `{}` and recorded `{}`", .answer.name(), .recorded.name())]
    AnswerDiffers {
        /// The payment.
        payment: PaymentId,
        /// The answer to the originator.
        answer: OutcomeKind,
        /// What the journal holds.
        recorded: OutcomeKind,
    },
    /// A payment was given up as unknown and nothing is owed for it.
    #[error("{payment} was told as unknown, stands as `{}` and owes nothing", .state.name())]
    UnknownNotOwed {
        /// The payment.
        payment: PaymentId,
        /// Where it stands.
        state: PaymentState,
    },
    /// A partial reversal does not leave something, less than before.
    #[error(
        "{payment}: after {parts} partial reversals {stands_minor} minor units stand of {from_minor}"
    )]
    PartDoesNotFit {
        /// The payment.
        payment: PaymentId,
        /// Its partial reversals up to the one that does not fit.
        parts: usize,
        /// What stood before it.
        from_minor: i64,
        /// What stands after it.
        stands_minor: i64,
    },
    /// Refunds give back more than stands of their payment.
    #[error("{payment}: refunds take {taken_minor} minor units of {stands_minor} that stand")]
    RefundsExceedPayment {
        /// The payment.
        payment: PaymentId,
        /// What refunds gave back, or are to give back.
        taken_minor: i64,
        /// What stands without them.
        stands_minor: i64,
    },
    /// The originator received an answer that the journal does not support.
    #[error("{key}: the originator heard `{}`, the journal says {}", .answer.name(), state_name(*.journal))]
    AnswerNotInJournal {
        /// The originator's name of the payment.
        key: Box<str>,
        /// The answer or notice it received.
        answer: OutcomeKind,
        /// What the journal says; none where it knows nothing.
        journal: Option<PaymentState>,
    },
    /// A participant was asked for a payment that the journal does not know.
    #[error("{key}: an issuer was asked and the journal knows nothing")]
    SentWithoutIntent {
        /// The originator's name of the payment.
        key: Box<str>,
    },
    /// The payer was debited more than once, or given back more than was taken.
    #[error("{key}: {net_debits} net debits at the issuer")]
    DebitedWrongly {
        /// The originator's name of the payment.
        key: Box<str>,
        /// Debits less reversals at the issuer.
        net_debits: i64,
    },
    /// Issuer and journal disagree on whether the payer paid.
    #[error("{key}: {net_debits} net debits at the issuer, the journal says {}", state_name(*.journal))]
    IssuerDisagrees {
        /// The originator's name of the payment.
        key: Box<str>,
        /// What the journal says; none where it knows nothing.
        journal: Option<PaymentState>,
        /// Debits less reversals at the issuer.
        net_debits: i64,
    },
    /// Everything is quiet and the payment is still open.
    #[error("{key}: still `{}` after everything settled", .state.name())]
    LeftOpen {
        /// The originator's name of the payment.
        key: Box<str>,
        /// Where it stands.
        state: PaymentState,
    },
    /// A notice to a merchant is missing.
    #[error("{key}: the merchant never heard `{}`", .kind.name())]
    NoticeMissing {
        /// The originator's name of the payment.
        key: Box<str>,
        /// The notice that is missing.
        kind: NoticeType,
    },
    /// A merchant received a notice of something that did not happen.
    #[error("{key}: the merchant heard `{}`, the journal says {}", .kind.name(), state_name(*.journal))]
    NoticeUntrue {
        /// The originator's name of the payment.
        key: Box<str>,
        /// The answer or notice it received.
        kind: NoticeType,
        /// What the journal says; none where it knows nothing.
        journal: Option<PaymentState>,
    },
    /// Notices of one event have more than one id.
    #[error("{key}: `{}` was told under {ids} ids", .kind.name())]
    NoticeIdsDiffer {
        /// The originator's name of the payment.
        key: Box<str>,
        /// The event.
        kind: NoticeType,
        /// How many ids.
        ids: usize,
    },
}

fn state_name(state: Option<PaymentState>) -> &'static str {
    state.map_or("nothing", PaymentState::name)
}

/// The accounts of each currency sum to zero.
pub fn trial_balance(ledger: &Ledger) -> Result<(), Violation> {
    let sums = ledger.trial_balance().into_iter();
    match sums.into_iter().find(|sum| sum.1 != 0) {
        None => Ok(()),
        Some((currency, off_minor)) => Err(Violation::LedgerUnbalanced { currency, off_minor }),
    }
}

/// The guard's balance of an account is what its entries make.
pub fn guard_agrees(
    ledger: &Ledger,
    account: AccountId,
    currency: Currency,
    guard_minor: i128,
) -> Result<(), Violation> {
    match guard_minor - ledger.balance(account, currency) {
        0 => Ok(()),
        off_minor => Err(Violation::GuardDiffers { account, currency, off_minor }),
    }
}

/// An entry moves what it should, on every account.
pub fn entry_is_due(entry: &Entry, due: &Entry) -> Result<(), Violation> {
    for line in entry.lines().iter().chain(due.lines()) {
        let (account, currency) = (line.account, line.amount.currency);
        let off_minor = due.net_debit(&account, currency) - entry.net_debit(&account, currency);
        if off_minor != 0 {
            return Err(Violation::EntryDiffers { account, currency, off_minor });
        }
    }
    Ok(())
}

/// The figures of one account at one journal position, in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountFigures {
    /// The account.
    pub account: AccountId,
    /// The opening balance.
    pub opening: i128,
    /// The sum put in from outside payments, less the sum taken out.
    pub topups: i128,
    /// What approved payments took, less what reversals gave back.
    pub completed: i128,
    /// What payments without an outcome hold.
    pub open: i128,
    /// What the guard calls available.
    pub available: i128,
}

/// Opening balance and top-ups equal completed, open and available together.
pub fn account_conserves(figures: &AccountFigures) -> Result<(), Violation> {
    let put_in = figures.opening + figures.topups;
    match figures.completed + figures.open + figures.available - put_in {
        0 => Ok(()),
        gained_minor => {
            Err(Violation::AccountNotConserved { account: figures.account, gained_minor })
        }
    }
}

/// A counter that stands at `value` has not passed its ceiling.
pub fn counter_within(counter: &Counter, value: i64) -> Result<(), Violation> {
    if value <= counter.ceiling {
        return Ok(());
    }
    Err(Violation::CounterExceeded { counter: *counter, value })
}

/// No key has more than one approved payment: one item for each payment.
pub fn one_approval_per_key<'a>(
    payments: impl IntoIterator<Item = (IdempotencyKey, &'a Outcome)>,
) -> Result<(), Violation> {
    let mut approved = HashSet::new();
    for (key, outcome) in payments {
        if OutcomeKind::of(outcome) == OutcomeKind::Approved && !approved.insert(key) {
            return Err(Violation::ApprovedTwice { key });
        }
    }
    Ok(())
}

/// The answer to the originator is the outcome in the journal.
pub fn answer_matches_outcome(
    payment: PaymentId,
    answer: OutcomeKind,
    outcome: &Outcome,
) -> Result<(), Violation> {
    let recorded = OutcomeKind::of(outcome);
    if answer == recorded {
        return Ok(());
    }
    Err(Violation::AnswerDiffers { payment, answer, recorded })
}

/// A payment that was given up as unknown is open until its undoing is confirmed.
pub fn unknown_is_owed(payment: &Payment) -> Result<(), Violation> {
    let undone = payment.state == PaymentState::Reversed && payment.reversed_at.is_some();
    if !payment.was_given_up() || payment.is_open() || undone {
        return Ok(());
    }
    Err(Violation::UnknownNotOwed { payment: payment.id, state: payment.state })
}

/// The partial reversals of a payment begin with its amount, and each leaves something of what the
/// one before left: together they never give back more than was taken.
pub fn parts_fit(payment: &Payment) -> Result<(), Violation> {
    let mut stood = payment.request.amount.minor;
    for (parts, part) in (1..).zip(&payment.parts) {
        let (from_minor, stands_minor) = (part.from_minor, part.stands_minor);
        if from_minor != stood || stands_minor <= 0 || from_minor <= stands_minor {
            let payment = payment.id;
            return Err(Violation::PartDoesNotFit { payment, parts, from_minor, stands_minor });
        }
        stood = stands_minor;
    }
    Ok(())
}

/// The refunds of a payment, those under way counted, give back no more than stands of it.
pub fn refunds_fit(payment: &Payment) -> Result<(), Violation> {
    let taken_minor = payment.refund_sums().map_or(0, |sums| sums.taken_minor);
    let stands_minor = payment.stands_minor();
    if taken_minor <= stands_minor {
        return Ok(());
    }
    Err(Violation::RefundsExceedPayment { payment: payment.id, taken_minor, stands_minor })
}

#[cfg(test)]
mod tests;
