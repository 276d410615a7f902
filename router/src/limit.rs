//! Limits: which rules apply to a payment, as counters, holds and immediate refusals.

mod claim;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use crate::money::Money;
use crate::plan::{Asked, Refusal};
use crate::policy::{LimitRule, Measure, allows};
use crate::reason::Reason;

pub(crate) use claim::reservation;

/// The limits of one payment, in the order of the policy.
pub(crate) type Limits<'a> = SmallVec<[&'a LimitRule; 8]>;

/// The limits that are about this request.
pub(crate) fn matching<'a>(rules: &'a [LimitRule], asked: &Asked<'_>) -> Limits<'a> {
    let request = asked.request;
    let about = |rule: &&LimitRule| {
        allows(&rule.rails, Some(&request.rail))
            && allows(&rule.billers, asked.biller_id())
            && allows(&rule.products, request.product.as_ref())
    };
    rules.iter().filter(about).collect()
}

/// The limits that a request passes or breaks by itself, in the catalogue's order: product, then
/// amount, then remaining debt.
pub(crate) fn check(limits: &Limits<'_>, asked: &Asked<'_>) -> Result<(), Refusal> {
    for check in [check_product, check_amount, check_remaining_debt] {
        for rule in limits {
            check(rule, asked)?;
        }
    }
    Ok(())
}

fn check_product(rule: &LimitRule, asked: &Asked<'_>) -> Result<(), Refusal> {
    let Measure::ProductAllowed { products } = &rule.measure else { return Ok(()) };
    let allowed = asked.request.product.as_ref().is_some_and(|product| products.contains(product));
    if allowed { Ok(()) } else { Err(asked.refuse(rule.reason, "product")) }
}

fn check_amount(rule: &LimitRule, asked: &Asked<'_>) -> Result<(), Refusal> {
    let Measure::Amount { min, max } = &rule.measure else { return Ok(()) };
    let amount = asked.request.amount;
    let in_currency = |bound: &&Money| bound.currency == amount.currency;
    if let Some(most) = max.as_ref().filter(in_currency)
        && amount.minor > most.minor
    {
        return Err(beyond(asked, rule.reason, "max.", *most));
    }
    if let Some(least) = min.as_ref().filter(in_currency)
        && amount.minor < least.minor
    {
        let low = Reason::AmountBelowMinimum;
        let reason = if rule.reason == Reason::AmountOverLimit { low } else { rule.reason };
        return Err(beyond(asked, reason, "min.", *least));
    }
    Ok(())
}

fn check_remaining_debt(rule: &LimitRule, asked: &Asked<'_>) -> Result<(), Refusal> {
    let Measure::RemainingDebt { must_leave } = &rule.measure else { return Ok(()) };
    let Some(debt) = asked.request.remaining_debt else { return Ok(()) };
    let amount = asked.request.amount;
    if must_leave.currency != amount.currency {
        return Ok(());
    }
    if debt.currency != amount.currency {
        // Otherwise a debt told in another currency would be a way around the rule.
        return Err(asked.refuse(Reason::FormatError, "remaining_debt"));
    }
    let most = debt.minor.saturating_sub(must_leave.minor).max(0);
    if amount.minor > most {
        return Err(beyond(asked, rule.reason, "max.", Money::new(most, amount.currency)));
    }
    Ok(())
}

/// A refusal that names the nearest amount allowed. "max." and "min." read the same in every
/// language of the catalogue.
fn beyond(asked: &Asked<'_>, reason: Reason, bound: &str, nearest: Money) -> Refusal {
    let detail = Some(format!("{bound} {nearest}").into_boxed_str());
    Refusal { detail, ..asked.refuse(reason, "amount") }
}
