use std::time::Duration;

use super::*;
use crate::id::BillNo;
use crate::message::PaymentRequest;
use crate::money::Money;
use crate::plan::{Plan, plan, plan_on_terms};
use crate::policy::Policy;
use crate::reason::Language;
use crate::request_context::BillTerms;
use crate::testing::{self, NOON, currency, pesos, policy};

const DAY: Duration = Duration::from_secs(86_400);

/// A payment of the bill F-1, in centavos.
fn request(minor: i64) -> PaymentRequest {
    let bill = Some(BillNo::new("F-1").unwrap());
    PaymentRequest { bill, ..testing::request(minor) }
}

fn terms(minor: i64, allows_partial: bool) -> Option<BillTerms> {
    Some(BillTerms { amount: pesos(minor), allows_partial })
}

fn refused(minor: i64, terms: Option<BillTerms>) -> Reason {
    plan_on_terms(&request(minor), terms, &policy(), NOON).expect_err("a refusal").reason
}

fn counter(plan: &Plan) -> Counter {
    plan.reservation.counters[0]
}

#[test]
fn a_bill_has_a_slot_until_the_outcome_and_a_counter_before_those_of_limits() {
    let planned = plan(&request(50_000), &policy(), NOON).unwrap();
    let [repeat, bill] = planned.reservation.slots.as_slice() else { panic!("two slots") };
    assert_eq!(repeat.reason_while_open, Reason::DuplicateTransaction);
    assert_eq!((bill.keep, bill.reason_while_open), (Keep::UntilOutcome, Reason::BillInProgress));
    let [paid, once_a_day] = planned.reservation.counters.as_slice() else { panic!("two") };
    assert_eq!(paid.key.0, bill.key.0, "one place in the gate for both");
    assert_eq!(once_a_day.reason, Reason::DailyCountExceeded);
    assert_eq!(planned.limits.counters[0], None, "the reason says all");
    assert_eq!(planned.limits.counters.len(), 2);
}

#[test]
fn a_bill_of_unknown_terms_is_paid_once_whatever_debt_the_originator_tells() {
    for remaining_debt in [None, Some(pesos(900_000))] {
        let told = PaymentRequest { remaining_debt, ..request(50_000) };
        let counter = counter(&plan(&told, &policy(), NOON).unwrap());
        assert_eq!((counter.delta, counter.ceiling), (50_000, 50_000));
        for left in [0, 1, 49_999] {
            assert_eq!(counter.reason_with(left), Reason::BillAlreadyPaid);
        }
    }
}

#[test]
fn a_bill_in_parts_counts_to_its_own_amount_and_says_what_is_left() {
    let planned = plan_on_terms(&request(50_000), terms(120_000, true), &policy(), NOON).unwrap();
    let counter = counter(&planned);
    assert_eq!((counter.delta, counter.ceiling), (50_000, 120_000));
    assert_eq!(counter.reason_with(20_000), Reason::AmountMismatch);
    assert_eq!(counter.reason_with(0), Reason::BillAlreadyPaid);
    let limit = planned.limits.counters[0].clone().unwrap();
    let told = limit.clone().with_left(Some(20_000)).unwrap();
    assert_eq!(told.text(Language::En), "Up to 200.00 MXN of the bill may be paid");
    assert_eq!(told.text(Language::Es), "De la factura se pueden pagar hasta 200.00 MXN");
    assert_eq!(limit.with_left(Some(0)), None, "a paid bill has nothing left to tell");
}

#[test]
fn an_amount_that_the_terms_rule_out_is_refused_without_asking_the_guard() {
    assert_eq!(refused(50_001, terms(50_000, true)), Reason::AmountMismatch);
    assert_eq!(refused(49_999, terms(50_000, false)), Reason::AmountMismatch);
    assert_eq!(refused(50_001, terms(50_000, false)), Reason::AmountMismatch);
    let dollars = BillTerms { amount: Money::new(50_000, currency("USD")), allows_partial: true };
    assert_eq!(refused(50_000, Some(dollars)), Reason::CurrencyNotAllowed);
    let whole = plan_on_terms(&request(50_000), terms(50_000, false), &policy(), NOON);
    assert!(whole.is_ok(), "{whole:?}");
}

#[test]
fn terms_or_none_count_on_one_counter_so_that_neither_forgets_the_other_s_payments() {
    let unknown = plan(&request(50_000), &policy(), NOON).unwrap();
    let known = plan_on_terms(&request(20_000), terms(50_000, true), &policy(), NOON).unwrap();
    assert_eq!(counter(&unknown).key, counter(&known).key);
    let other = BillNo::new("F-2").ok();
    let other = plan(&PaymentRequest { bill: other, ..request(50_000) }, &policy(), NOON).unwrap();
    assert_ne!(counter(&unknown).key, counter(&other).key);
}

#[test]
fn a_bill_is_remembered_for_ever_or_so_long_after_its_last_payment() {
    let end = |bill_retention| {
        let policy = Policy { bill_retention, ..policy() };
        counter(&plan(&request(50_000), &policy, NOON).unwrap()).window_end
    };
    assert_eq!(end(None), Timestamp(i64::MAX));
    assert_eq!(end(Some(DAY)), NOON.plus_micros(86_400_000_000));
    assert_eq!(end(Some(Duration::MAX)), Timestamp(i64::MAX));
}
