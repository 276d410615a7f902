//! The limits that depend on other payments, written down as slots, counters and holds.

use crate::fee::Charge;
use crate::id::{AccountId, BillNo};
use crate::limit::{BrokenLimit, Limits, ReservedLimits};
use crate::message::{Originator, digest128};
use crate::money::Money;
use crate::plan::{Asked, Refusal, account};
use crate::policy::{FloatDebits, LimitRule, Measure, Scope, Window};
use crate::posting::Source;
use crate::reason::Reason;
use crate::reservation::{Counter, CounterKey, Hold, Keep, Reservation, Slot, SlotKey};
use crate::time::Timestamp;

/// Everything that must be reserved for a request.
///
/// Shape:  slots of repeated operations before the slot of a bill: whoever repeats a payment is
///         told to reprint its ticket, not that the bill is paid.
/// Errors: `format_error` naming the field a limit counts by, where the request leaves it out.
pub(crate) fn reservation(
    limits: &Limits<'_>,
    asked: &Asked<'_>,
    charge: &Charge,
) -> Result<(Reservation, ReservedLimits), Refusal> {
    let mut reserved = ReservedLimits::default();
    let mut reservation = Reservation {
        key: asked.request.key,
        fingerprint: asked.request.fingerprint,
        slots: Default::default(),
        counters: Default::default(),
        holds: Default::default(),
    };
    for rule in limits {
        match &rule.measure {
            Measure::RepeatedOperation => {
                reservation.slots.push(operation_slot(rule, asked)?);
            }
            Measure::Count { scope, window, max } => {
                let (scope, window, max) = (*scope, *window, *max);
                let count = Count { scope, window, delta: 1, ceiling: max };
                reservation.counters.push(count.counter(rule, asked)?);
                reserved.counters.push(BrokenLimit::Count { max, scope, window });
            }
            Measure::Sum { scope, window, max } if max.currency == charge.total.currency => {
                let (delta, ceiling) = (asked.request.amount.minor, max.minor);
                let (scope, window, max) = (*scope, *window, *max);
                let count = Count { scope, window, delta, ceiling };
                reservation.counters.push(count.counter(rule, asked)?);
                reserved.counters.push(BrokenLimit::Sum { max, scope, window });
            }
            Measure::Sum { .. }
            | Measure::Amount { .. }
            | Measure::RemainingDebt { .. }
            | Measure::ProductAllowed { .. } => {}
        }
    }
    reservation.slots.extend(bill_slot(asked));
    if let Some(hold) = float_hold(asked, charge)? {
        reservation.holds.push(hold);
        reserved.holds.push(None);
    }
    if let Some((hold, cap)) = cap_hold(asked, charge) {
        reservation.holds.push(hold);
        reserved.holds.push(Some(BrokenLimit::NetDebit(cap)));
    }
    Ok((reservation, reserved))
}

/// The same operation again on the same day. An original that is approved or undecided blocks it,
/// a declined or reversed one does not. Where bills are named, another bill is another operation.
fn operation_slot(rule: &LimitRule, asked: &Asked<'_>) -> Result<Slot, Refusal> {
    let request = asked.request;
    let client = request.client.as_ref();
    let client = client.ok_or_else(|| asked.refuse(Reason::FormatError, "client"))?;
    let at = match &request.operator {
        Some(operator) => [b"operator".as_slice(), operator.as_str().as_bytes()],
        None => [b"terminal".as_slice(), request.trace.terminal.as_bytes()],
    };
    let ([originator_kind, originator], payee) = (owner(&request.originator), asked.payee());
    let [payee_kind, payee] = owner(&payee);
    let key = digest128(&[
        b"operation",
        rule.name.as_bytes(),
        payee_kind,
        payee,
        originator_kind,
        originator,
        at[0],
        at[1],
        client.as_str().as_bytes(),
        request.bill.as_ref().map_or("", BillNo::as_str).as_bytes(),
        &request.amount.minor.to_be_bytes(),
        request.amount.currency.code().as_bytes(),
        &asked.business_date.0.to_be_bytes(),
    ]);
    Ok(Slot {
        key: SlotKey(key),
        keep: Keep::Until(asked.zone.end_of(asked.business_date)),
        reason_while_open: rule.reason,
        reason_once_kept: rule.reason,
    })
}

/// A bill is paid once.
fn bill_slot(asked: &Asked<'_>) -> Option<Slot> {
    let bill = asked.request.bill.as_ref()?;
    let payee = asked.payee();
    let [payee_kind, payee] = owner(&payee);
    let key = digest128(&[b"bill", payee_kind, payee, bill.as_str().as_bytes()]);
    Some(Slot {
        key: SlotKey(key),
        keep: Keep::WhileApproved,
        reason_while_open: Reason::BillInProgress,
        reason_once_kept: Reason::BillAlreadyPaid,
    })
}

/// What the collector's float loses, which must be in it.
fn float_hold(asked: &Asked<'_>, charge: &Charge) -> Result<Option<Hold>, Refusal> {
    let (float, amount) = match asked.source()? {
        Source::Float(float, FloatDebits::Total) => (float, charge.total),
        Source::Float(float, FloatDebits::Amount) => (float, asked.request.amount),
        Source::Clearing(_) => return Ok(None),
    };
    let account = account("float", float.as_str());
    Ok(Some(Hold { account, amount, floor_minor: 0, reason: Reason::FloatInsufficient }))
}

/// What the asking participant will owe, which its net debit cap must still allow.
fn cap_hold(asked: &Asked<'_>, charge: &Charge) -> Option<(Hold, Money)> {
    let participant = asked.participant?;
    let currency = charge.total.currency;
    let cap = participant.net_debit_caps.iter().find(|cap| cap.currency == currency)?;
    let account = cap_account(participant.id.as_str(), charge.total);
    let reason = Reason::DailyAmountExceeded;
    // The account starts at nothing and runs down to the cap below it.
    let floor_minor = cap.minor.saturating_neg();
    Some((Hold { account, amount: charge.total, floor_minor, reason }, *cap))
}

fn cap_account(participant: &str, amount: Money) -> AccountId {
    account("cap", &format!("{participant}:{}", amount.currency.code()))
}

struct Count {
    scope: Scope,
    window: Window,
    delta: i64,
    ceiling: i64,
}

impl Count {
    fn counter(&self, rule: &LimitRule, asked: &Asked<'_>) -> Result<Counter, Refusal> {
        let ((window, index, window_end), payee) = (self.window(asked), asked.payee());
        let [scope, owner_kind, owner, value] = self.scope(asked, &payee)?;
        let key = digest128(&[
            b"counter",
            rule.name.as_bytes(),
            scope,
            owner_kind,
            owner,
            value,
            window,
            &index.to_be_bytes(),
        ]);
        let (delta, ceiling, reason) = (self.delta, self.ceiling, rule.reason);
        Ok(Counter { key: CounterKey(key), delta, ceiling, window_end, reason })
    }

    /// Kind and number of the window that the payment falls into, and when it closes.
    fn window(&self, asked: &Asked<'_>) -> (&'static [u8], i32, Timestamp) {
        let date = asked.business_date;
        match self.window {
            Window::Day => (b"day", date.0, asked.zone.end_of(date)),
            Window::Month => {
                let last_day = date.month_end();
                (b"month", last_day.0, asked.zone.end_of(last_day))
            }
        }
    }

    /// The name of the scope, whose it is (kind and name), and its value.
    fn scope<'a>(
        &self,
        asked: &Asked<'a>,
        payee: &'a Originator,
    ) -> Result<[&'a [u8]; 4], Refusal> {
        let request = asked.request;
        let missing = |field| asked.refuse(Reason::FormatError, field);
        let [originator_kind, originator] = owner(&request.originator);
        Ok(match self.scope {
            Scope::Client => {
                let client = request.client.as_ref().ok_or_else(|| missing("client"))?;
                let [payee_kind, payee] = owner(payee);
                [b"client", payee_kind, payee, client.as_str().as_bytes()]
            }
            Scope::Operator => {
                let operator = request.operator.as_ref().ok_or_else(|| missing("operator"))?;
                [b"operator", originator_kind, originator, operator.as_str().as_bytes()]
            }
            Scope::Terminal => {
                let terminal = Some(&request.trace.terminal).filter(|text| !text.is_empty());
                let terminal = terminal.ok_or_else(|| missing("terminal"))?;
                [b"terminal", originator_kind, originator, terminal.as_bytes()]
            }
            Scope::Float => {
                let float = request.float_ref.as_ref().ok_or_else(|| missing("float_ref"))?;
                [b"float", b"", b"", float.as_str().as_bytes()]
            }
            Scope::Biller => {
                let biller = asked.biller_id().ok_or_else(|| missing("biller"))?;
                [b"biller", b"", b"", biller.as_str().as_bytes()]
            }
            Scope::Originator => [b"originator", originator_kind, originator, b""],
        })
    }
}

/// An originator's kind and name.
fn owner(originator: &Originator) -> [&[u8]; 2] {
    [originator.kind().as_bytes(), originator.as_str().as_bytes()]
}
