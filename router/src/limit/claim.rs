//! The limits that depend on other payments, written down as slots, counters and holds.

use smallvec::SmallVec;

use crate::detail::{BrokenLimit, ReservedLimits};
use crate::id::BillNo;
use crate::limit::Limits;
use crate::limit::bill::{self, BillClaim};
use crate::message::{Originator, digest128};
use crate::money::Money;
use crate::policy::{LimitRule, Measure, Scope, Window};
use crate::posting::{Entry, Source, cap_account, float_account};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::request_context::RequestContext;
use crate::reservation::{Counter, CounterKey, Hold, Keep, Reservation, Slot, SlotKey};
use crate::time::Timestamp;

/// Everything that must be reserved for a request.
///
/// Shape:  slots of repeated operations before the slot of a bill: whoever repeats a payment is
///         told to reprint its ticket, not that the bill is paid. The counter of a bill before
///         those of limits, for the same reason.
/// Errors: `format_error` naming the field a limit counts by, where the request leaves it out.
pub(crate) fn reservation(
    limits: &Limits<'_>,
    asked: &RequestContext<'_>,
    entry: &Entry,
) -> Result<(Reservation, ReservedLimits), Refusal> {
    let mut reserved = ReservedLimits::default();
    let mut reservation = Reservation {
        key: asked.request.key,
        fingerprint: asked.request.fingerprint,
        slots: Default::default(),
        counters: Default::default(),
        holds: Default::default(),
    };
    let bill_slot = bill::claim(asked).map(|BillClaim { slot, counter, limit }| {
        reservation.counters.push(counter);
        reserved.counters.push(limit);
        slot
    });
    for rule in limits {
        match &rule.measure {
            Measure::RepeatedOperation => {
                reservation.slots.push(operation_slot(rule, asked)?);
            }
            Measure::Count { scope, window, max } => {
                let (scope, window, max) = (*scope, *window, *max);
                let count = Count { scope, window, delta: 1, ceiling: max };
                reservation.counters.push(count.counter(rule, asked)?);
                reserved.counters.push(Some(BrokenLimit::Count { max, scope, window }));
            }
            Measure::Sum { scope, window, max }
                if max.currency == asked.request.amount.currency =>
            {
                let (delta, ceiling) = (asked.request.amount.minor, max.minor);
                let (scope, window, max) = (*scope, *window, *max);
                let count = Count { scope, window, delta, ceiling };
                reservation.counters.push(count.counter(rule, asked)?);
                reserved.counters.push(Some(BrokenLimit::Sum { max, scope, window }));
            }
            Measure::Sum { .. }
            | Measure::Amount { .. }
            | Measure::RemainingDebt { .. }
            | Measure::ProductAllowed { .. } => {}
        }
    }
    reservation.slots.extend(bill_slot);
    for (hold, limit) in holds(asked, entry)? {
        reservation.holds.push(hold);
        reserved.holds.push(limit);
    }
    Ok((reservation, reserved))
}

/// The same operation again on the same day. An original that is approved or undecided blocks it,
/// a declined or reversed one does not. Where bills are named, another bill is another operation.
fn operation_slot(rule: &LimitRule, asked: &RequestContext<'_>) -> Result<Slot, Refusal> {
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

/// What an approval takes from the accounts that have a floor: the collector's float, then what the
/// asking participant may still owe under its net debit cap. The amounts are those of the entry.
fn holds(asked: &RequestContext<'_>, entry: &Entry) -> Result<Holds, Refusal> {
    let currency = asked.request.amount.currency;
    let mut holds = Holds::new();
    let mut hold = |account, floor_minor, reason, limit| {
        let minor = i64::try_from(entry.net_debit(&account, currency));
        let minor = minor.map_err(|_| asked.refuse(Reason::AmountInvalid, "amount"))?;
        if minor > 0 {
            let amount = Money::new(minor, currency);
            holds.push((Hold { account, amount, floor_minor, reason }, limit));
        }
        Ok(())
    };
    if let Source::Float(float, _) = asked.source()? {
        hold(float_account(float), 0, Reason::FloatInsufficient, None)?;
    }
    if let Some((participant, cap)) = asked.net_debit_cap() {
        // The account starts at nothing and runs down to the cap below it.
        let (account, floor_minor) =
            (cap_account(participant, currency), cap.minor.saturating_neg());
        let limit = Some(BrokenLimit::NetDebit(cap));
        hold(account, floor_minor, Reason::NetDebitCapExceeded, limit)?;
    }
    Ok(holds)
}

/// Holds, each with what it says when it refuses.
type Holds = SmallVec<[(Hold, Option<BrokenLimit>); 2]>;

struct Count {
    scope: Scope,
    window: Window,
    delta: i64,
    ceiling: i64,
}

impl Count {
    fn counter(&self, rule: &LimitRule, asked: &RequestContext<'_>) -> Result<Counter, Refusal> {
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
        let (key, reason_once_full) = (CounterKey(key), None);
        Ok(Counter { key, delta, ceiling, window_end, reason, reason_once_full })
    }

    /// Kind and number of the window that the payment falls into, and when it closes.
    fn window(&self, asked: &RequestContext<'_>) -> (&'static [u8], i32, Timestamp) {
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
        asked: &RequestContext<'a>,
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
