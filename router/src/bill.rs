//! A registered bill: its amount on a day, its state, and the amount that may be paid of it.
//!
//! The register says what is owed, the journal what was paid; the rules here join the two. Whether
//! a payment is admitted in the end is the guard's to say, which counts what was paid of the bill
//! exactly ([`crate::request_context::BillTerms`]).

#[cfg(test)]
mod tests;

use crate::id::BillId;
use crate::money::Money;
use crate::reason::Reason;
use crate::request_context::BillTerms;
use crate::time::{Date, Timestamp};

/// Most due dates of one bill.
pub const DUE_DATES_MAX: usize = 3;

/// What the register says of one bill, as far as it decides what may be paid.
///
/// Shape: all amounts are in the currency of `amount`; due dates ascend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredBill {
    /// Its amount; more than zero.
    pub amount: Money,
    /// What it comes to until each of these days, the day included; behind the last it stays at the
    /// last amount.
    pub due: Vec<DueAmount>,
    /// Whether it may be paid in parts.
    pub allows_partial: bool,
    /// The least amount of one payment, unless less is left of the bill.
    pub min_minor: Option<i64>,
    /// The greatest amount of one payment.
    pub max_minor: Option<i64>,
    /// What must stay owed after every payment.
    pub must_leave_minor: Option<i64>,
    /// When it stops being payable.
    pub expires_at: Option<Timestamp>,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
}

/// What a bill comes to until a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueAmount {
    /// The last day on which it is this much, in the biller's time zone.
    pub date: Date,
    /// How much, in minor units of the bill's currency; more than zero.
    pub minor: i64,
}

/// The payments of a bill, as the journal says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BillStanding {
    /// What stands of approved payments, in minor units of the bill's currency.
    pub paid_minor: i64,
    /// Whether a payment of it is under way.
    pub is_in_payment: bool,
    /// The day of the last of these payments; what was paid whole on its day stays paid whole.
    pub last_paid_on: Option<Date>,
    /// Whether the last of these payments was made elsewhere.
    pub was_last_external: bool,
}

impl BillStanding {
    /// Where a bill stands of which all was paid.
    fn paid_state(&self) -> BillState {
        if self.was_last_external { BillState::PaidExternal } else { BillState::Paid }
    }
}

/// Where a bill stands. The names are those of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BillState {
    /// Nothing was paid yet.
    Open,
    /// A payment is under way.
    InPayment,
    /// A part was paid.
    PartiallyPaid,
    /// All was paid.
    Paid,
    /// All was paid outside the network.
    PaidExternal,
    /// Its last due date is over, and not all was paid.
    Overdue,
    /// The biller took it back.
    Cancelled,
    /// Its time is over.
    Expired,
}

impl BillState {
    /// Every state, in the order the documentation lists them.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::InPayment,
        Self::PartiallyPaid,
        Self::Paid,
        Self::PaidExternal,
        Self::Overdue,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The name used in JSON and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InPayment => "in_payment",
            Self::PartiallyPaid => "partially_paid",
            Self::Paid => "paid",
            Self::PaidExternal => "paid_external",
            Self::Overdue => "overdue",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// The instant and the biller's calendar day at which a bill is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillMoment {
    /// Now.
    pub now: Timestamp,
    /// Today, in the biller's time zone.
    pub today: Date,
}

/// What the register said of the bill of a payment when the payment was planned. The journal keeps
/// it, so a payment's notices about its bill do not change with the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedBill {
    /// The bill.
    pub id: BillId,
    /// Its version.
    pub version: u32,
    /// Its amount on that day, in minor units of the payment's currency; more than zero.
    pub amount_minor: i64,
    /// Its last due date, where it has one.
    pub last_due: Option<Date>,
}

/// A payment that the bill's terms rule out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillRefusal {
    /// Why.
    pub reason: Reason,
    /// What may be paid of the bill now.
    pub payable_now: Money,
}

impl PlannedBill {
    /// The rest once so much was paid; never below zero.
    ///
    /// Units: minor units of the payment's currency.
    pub fn remaining_minor(&self, paid_minor: i64) -> i64 {
        self.amount_minor.saturating_sub(paid_minor).max(0)
    }

    /// Its state with the sum that was paid of it on a day.
    pub fn state(&self, standing: BillStanding, today: Date) -> BillState {
        if self.remaining_minor(standing.paid_minor) == 0 {
            standing.paid_state()
        } else if standing.is_in_payment {
            BillState::InPayment
        } else if self.last_due.is_some_and(|due| due < today) {
            BillState::Overdue
        } else if standing.paid_minor > 0 {
            BillState::PartiallyPaid
        } else {
            BillState::Open
        }
    }
}

impl RegisteredBill {
    /// What the journal keeps of it beside a payment.
    pub fn planned(&self, id: BillId, version: u32, today: Date) -> PlannedBill {
        let amount_minor = self.amount_on(today).minor;
        let last_due = self.due.last().map(|due| due.date);
        PlannedBill { id, version, amount_minor, last_due }
    }

    /// What the bill comes to on a day.
    pub fn amount_on(&self, today: Date) -> Money {
        let of_today = self.due.iter().find(|due| today <= due.date);
        let minor = of_today.or(self.due.last()).map_or(self.amount.minor, |due| due.minor);
        Money::new(minor, self.amount.currency)
    }

    /// The rest on a day; never below zero. A part that was paid in time stays paid.
    pub fn remaining(&self, standing: BillStanding, today: Date) -> Money {
        let total = self.total(standing, today);
        let left = total.minor.saturating_sub(standing.paid_minor).max(0);
        Money::new(left, total.currency)
    }

    /// What is owed of it in all, what was paid of it included: nothing beyond what was paid once it
    /// was cancelled or has expired.
    pub fn charged(&self, standing: BillStanding, moment: BillMoment) -> Money {
        let total = self.total(standing, moment.today);
        let is_closed = self.closed(moment).is_some();
        let minor = if is_closed { total.minor.min(standing.paid_minor) } else { total.minor };
        Money::new(minor, total.currency)
    }

    /// What it comes to on a day: what it came to on the day of its last payment, where all was paid
    /// then.
    fn total(&self, standing: BillStanding, today: Date) -> Money {
        let then = standing.last_paid_on.map(|day| self.amount_on(day.min(today)));
        let paid = then.filter(|then| then.minor <= standing.paid_minor);
        paid.unwrap_or_else(|| self.amount_on(today))
    }

    /// Where it stands. What was cancelled or has expired says so, unless all was paid before.
    pub fn state(&self, standing: BillStanding, moment: BillMoment) -> BillState {
        let is_paid = self.remaining(standing, moment.today).minor == 0;
        let is_expired = self.expires_at.is_some_and(|end| end <= moment.now);
        let is_overdue = self.due.last().is_some_and(|due| due.date < moment.today);
        if is_paid {
            standing.paid_state()
        } else if standing.is_in_payment {
            BillState::InPayment
        } else if self.cancelled_at.is_some() {
            BillState::Cancelled
        } else if is_expired {
            BillState::Expired
        } else if is_overdue {
            BillState::Overdue
        } else if standing.paid_minor > 0 {
            BillState::PartiallyPaid
        } else {
            BillState::Open
        }
    }

    /// What may be paid of it now: what is left, less what must stay; zero where nothing may.
    pub fn payable_now(&self, standing: BillStanding, moment: BillMoment) -> Money {
        let left = self.remaining(standing, moment.today);
        let payable = match self.closed(moment) {
            Some(_) => 0,
            None => left.minor.saturating_sub(self.must_leave_minor.unwrap_or(0)).max(0),
        };
        Money::new(payable, left.currency)
    }

    /// Holds a payment of `amount` against the bill; gives what the guard counts it by.
    ///
    /// Shape:  what was paid may lag behind the journal: the guard's own count decides in the end.
    /// Errors: the reason of the decline catalogue with what may be paid now: cancelled, expired,
    ///         paid, another currency, less must stay than would, or an amount that does not fit.
    pub fn check(
        &self,
        amount: Money,
        standing: BillStanding,
        moment: BillMoment,
    ) -> Result<BillTerms, BillRefusal> {
        let payable_now = self.payable_now(standing, moment);
        let refused = |reason| Err(BillRefusal { reason, payable_now });
        let left = self.remaining(standing, moment.today);
        if left.minor == 0 {
            return refused(Reason::BillAlreadyPaid);
        }
        if let Some(reason) = self.closed(moment) {
            return refused(reason);
        }
        if amount.currency != left.currency {
            return refused(Reason::CurrencyNotAllowed);
        }
        if payable_now.minor < amount.minor && amount.minor <= left.minor {
            return refused(Reason::MustLeaveBalance);
        }
        if !self.fits(amount.minor, payable_now.minor) {
            return refused(Reason::AmountMismatch);
        }
        // The rest of a bill whose payment was reversed in part is one more payment.
        let allows_partial = self.allows_partial || standing.paid_minor > 0;
        Ok(BillTerms { amount: self.amount_on(moment.today), allows_partial })
    }

    /// Why nothing may be paid any more, where that is so.
    fn closed(&self, moment: BillMoment) -> Option<Reason> {
        if self.cancelled_at.is_some() {
            return Some(Reason::BillCancelled);
        }
        let is_expired = self.expires_at.is_some_and(|end| end <= moment.now);
        is_expired.then_some(Reason::BillExpired)
    }

    /// Whether one payment may be of this amount, of what may be paid.
    fn fits(&self, minor: i64, payable: i64) -> bool {
        if minor == payable {
            return self.max_minor.is_none_or(|max| minor <= max);
        }
        self.allows_partial
            && minor < payable
            && self.min_minor.is_none_or(|min| min <= minor)
            && self.max_minor.is_none_or(|max| minor <= max)
    }
}
