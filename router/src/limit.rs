//! Limits: which rules apply to a payment, as counters, holds and immediate refusals.

mod bill;
mod claim;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use crate::detail::{BrokenLimit, Detail};
use crate::id::Product;
use crate::money::Money;
use crate::policy::{LimitRule, Measure};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::request_context::RequestContext;

pub(crate) use bill::{check as check_bill, claim as bill_claim};
pub(crate) use claim::reservation;

/// The limits that apply to one payment, in the order of the policy.
pub(crate) type Limits<'a> = SmallVec<[&'a LimitRule; 8]>;

/// The limits that a request passes or breaks by itself, in the catalogue's order: product, then
/// amount, then remaining debt.
pub(crate) fn check(limits: &Limits<'_>, asked: &RequestContext<'_>) -> Result<(), Refusal> {
    for check in [check_product, check_amount, check_remaining_debt] {
        for rule in limits {
            check(rule, asked)?;
        }
    }
    Ok(())
}

fn check_product(rule: &LimitRule, asked: &RequestContext<'_>) -> Result<(), Refusal> {
    let Measure::ProductAllowed { products } = &rule.measure else { return Ok(()) };
    let allowed = asked.request.product.as_ref().is_some_and(|product| products.contains(product));
    if allowed {
        return Ok(());
    }
    let names: Vec<&str> = products.iter().map(Product::as_str).collect();
    let limit = BrokenLimit::Products(names.join(", ").into());
    Err(Refusal { detail: Some(Detail::Limit(limit)), ..asked.refuse(rule.reason, "product") })
}

fn check_amount(rule: &LimitRule, asked: &RequestContext<'_>) -> Result<(), Refusal> {
    let Measure::Amount { min, max } = &rule.measure else { return Ok(()) };
    let amount = asked.request.amount;
    let in_currency = |bound: &&Money| bound.currency == amount.currency;
    if let Some(most) = max.as_ref().filter(in_currency)
        && amount.minor > most.minor
    {
        return Err(beyond(asked, rule.reason, BrokenLimit::Most(*most)));
    }
    if let Some(least) = min.as_ref().filter(in_currency)
        && amount.minor < least.minor
    {
        let low = Reason::AmountBelowMinimum;
        let reason = if rule.reason == Reason::AmountOverLimit { low } else { rule.reason };
        return Err(beyond(asked, reason, BrokenLimit::Least(*least)));
    }
    Ok(())
}

fn check_remaining_debt(rule: &LimitRule, asked: &RequestContext<'_>) -> Result<(), Refusal> {
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
        let most = Money::new(most, amount.currency);
        let limit = BrokenLimit::Remaining { least: *must_leave, most };
        return Err(beyond(asked, rule.reason, limit));
    }
    Ok(())
}

/// A refusal of an amount, with the limit that it is beyond.
fn beyond(asked: &RequestContext<'_>, reason: Reason, limit: BrokenLimit) -> Refusal {
    Refusal { detail: Some(Detail::Limit(limit)), ..asked.refuse(reason, "amount") }
}
