use proptest::prelude::*;

use super::*;
use crate::id::{BillNo, ClientRef, FloatRef, OperatorId};
use crate::message::{Originator, PaymentRequest, Rail};
use crate::plan::plan;
use crate::policy::{Policy, Scope, Window};
use crate::reservation::{Counter, Reservation};
use crate::testing::{self, NOON, limit, pesos, request};
use crate::text::Text;
use crate::time::{Timestamp, Zone};

const HOUR: i64 = 3_600_000_000;

/// The lender's rules with these limits instead.
fn limited_by(limits: Vec<LimitRule>) -> Policy {
    Policy { limits: limits.into(), ..testing::policy() }
}

fn reserve(request: &PaymentRequest, policy: &Policy, now: Timestamp) -> Reservation {
    plan(request, policy, now).expect("a plan").reservation
}

fn refusal(request: &PaymentRequest, policy: &Policy) -> (Reason, Option<&'static str>) {
    let refusal = plan(request, policy, NOON).expect_err("a refusal");
    (refusal.reason, refusal.field)
}

fn count(scope: Scope, window: Window, max: i64) -> LimitRule {
    limit("count", Measure::Count { scope, window, max }, Reason::DailyCountExceeded)
}

fn sum(scope: Scope, window: Window, max: i64) -> LimitRule {
    let max = pesos(max);
    limit("sum", Measure::Sum { scope, window, max }, Reason::DailyAmountExceeded)
}

fn amount(min: Option<i64>, max: Option<i64>) -> LimitRule {
    let (min, max) = (min.map(pesos), max.map(pesos));
    limit("amount", Measure::Amount { min, max }, Reason::AmountOverLimit)
}

fn only_counter(request: &PaymentRequest, policy: &Policy, now: Timestamp) -> Counter {
    let [counter] = reserve(request, policy, now).counters[..] else { panic!("one counter") };
    counter
}

#[test]
fn both_bounds_of_an_amount_are_inclusive_and_say_their_own_reason() {
    let policy = limited_by(vec![amount(Some(500), Some(1_000))]);
    for minor in [500, 1_000] {
        assert!(plan(&request(minor), &policy, NOON).is_ok(), "{minor}");
    }
    let refused = |minor| plan(&request(minor), &policy, NOON).expect_err("a refusal");
    let (low, high) = (refused(499), refused(1_001));
    assert_eq!(low.reason, Reason::AmountBelowMinimum);
    assert_eq!(low.detail, Some(Detail::Limit(BrokenLimit::Least(pesos(500)))));
    assert_eq!(high.reason, Reason::AmountOverLimit);
    assert_eq!(high.detail, Some(Detail::Limit(BrokenLimit::Most(pesos(1_000)))));
}

#[test]
fn limits_in_another_currency_say_nothing() {
    let mut asked = request(100_000_000);
    asked.amount.currency = testing::currency("USD");
    let rules = vec![amount(None, Some(1)), sum(Scope::Client, Window::Day, 1)];
    assert!(reserve(&asked, &limited_by(rules), NOON).counters.is_empty());
    asked.remaining_debt = Some(pesos(1));
    let debt = Measure::RemainingDebt { must_leave: pesos(100) };
    let policy = limited_by(vec![limit("debt", debt, Reason::MustLeaveBalance)]);
    assert!(plan(&asked, &policy, NOON).is_ok());
}

#[test]
fn a_debt_told_in_another_currency_is_no_way_around_the_rule() {
    let mut asked = request(50_000);
    asked.remaining_debt = Some(Money::new(i64::MAX, testing::currency("USD")));
    let expect = (Reason::FormatError, Some("remaining_debt"));
    assert_eq!(refusal(&asked, &testing::policy()), expect);
}

#[test]
fn a_rule_is_only_for_its_billers_rails_and_products() {
    let change: [fn(&mut LimitRule); 3] = [
        |rule| rule.billers = vec![testing::biller_id("isp")],
        |rule| rule.rails = vec![Rail::Card],
        |rule| rule.products = vec![Product::new("tor").unwrap()],
    ];
    for narrow in change {
        let mut rule = amount(None, Some(1));
        assert!(plan(&request(100), &limited_by(vec![rule.clone()]), NOON).is_err());
        narrow(&mut rule);
        assert!(plan(&request(100), &limited_by(vec![rule]), NOON).is_ok());
    }
}

#[test]
fn a_sum_adds_the_amount_without_fees_under_its_own_ceiling() {
    let policy = limited_by(vec![sum(Scope::Operator, Window::Month, 1_000_000)]);
    let counter = only_counter(&request(50_000), &policy, NOON);
    assert_eq!((counter.delta, counter.ceiling), (50_000, 1_000_000));
    assert_eq!(counter.reason, Reason::DailyAmountExceeded);
    assert_eq!(counter.window_end.to_string(), "2026-12-01T06:00:00.000Z");
}

#[test]
fn a_month_is_one_window_and_the_next_one_another() {
    let policy = limited_by(vec![count(Scope::Client, Window::Month, 5)]);
    let at = |days: i64| only_counter(&request(100), &policy, NOON.plus_micros(days * 24 * HOUR));
    assert_eq!(at(-22), at(7), "1 and 30 November");
    assert_ne!(at(8).key, at(7).key);
}

/// A scope, what changes its value, and the field whose absence is refused.
type ScopeRow = (Scope, fn(&mut PaymentRequest), fn(&mut PaymentRequest), Option<&'static str>);

const SCOPES: [ScopeRow; 6] = [
    (
        Scope::Client,
        |r| r.client = Some(ClientRef::new("2").unwrap()),
        |r| r.client = None,
        Some("client"),
    ),
    (
        Scope::Operator,
        |r| r.operator = Some(OperatorId::new("2").unwrap()),
        |r| r.operator = None,
        Some("operator"),
    ),
    (
        Scope::Terminal,
        |r| r.trace.terminal = Text::new("2").unwrap(),
        |r| r.trace.terminal = Text::EMPTY,
        Some("terminal"),
    ),
    (
        Scope::Float,
        |r| r.float_ref = Some(FloatRef::new("2").unwrap()),
        |r| (r.float_ref, r.rail) = (None, Rail::Wallet),
        Some("float_ref"),
    ),
    (
        Scope::Biller,
        |r| r.biller = Some(testing::biller_id("isp")),
        |r| r.biller = None,
        Some("biller"),
    ),
    (
        Scope::Originator,
        |r| r.originator = Originator::Participant(testing::participant_id("bank-b")),
        |_| {},
        None,
    ),
];

#[test]
fn each_scope_counts_by_its_own_value_and_cannot_be_dodged_by_leaving_it_out() {
    let amount_changed = request(200);
    for (scope, change, omit, field) in SCOPES {
        let mut policy = limited_by(vec![count(scope, Window::Day, 1)]);
        policy.billers.insert(testing::biller_id("isp"), testing::biller("isp"));
        let first = only_counter(&request(100), &policy, NOON);
        assert_eq!(first, only_counter(&amount_changed, &policy, NOON), "{scope:?}");
        let mut other = request(100);
        change(&mut other);
        assert_ne!(first.key, only_counter(&other, &policy, NOON).key, "{scope:?}");
        let mut without = request(100);
        omit(&mut without);
        if let Some(field) = field {
            assert_eq!(refusal(&without, &policy), (Reason::FormatError, Some(field)));
        }
    }
}

#[test]
fn operators_of_two_originators_and_clients_of_two_billers_are_different_people() {
    let policy = |scope| {
        let mut policy = limited_by(vec![count(scope, Window::Day, 1)]);
        policy.billers.insert(testing::biller_id("isp"), testing::biller("isp"));
        policy
    };
    let mut other_originator = request(100);
    other_originator.originator = Originator::Participant(testing::participant_id("bank-a"));
    let mut other_biller = request(100);
    other_biller.biller = Some(testing::biller_id("isp"));
    for (scope, other) in [(Scope::Operator, other_originator), (Scope::Client, other_biller)] {
        let policy = policy(scope);
        let key = |request| only_counter(request, &policy, NOON).key;
        assert_ne!(key(&other), key(&request(100)), "{scope:?}");
    }
}

#[test]
fn without_an_operator_the_terminal_tells_repeats_apart() {
    let policy = testing::policy();
    let slot = |terminal: &str| {
        let mut asked = request(100);
        asked.operator = None;
        asked.trace.terminal = Text::new(terminal).unwrap();
        reserve(&asked, &policy, NOON).slots[0].key
    };
    assert_eq!(slot("T1"), slot("T1"));
    assert_ne!(slot("T1"), slot("T2"));
}

#[test]
fn another_operation_or_another_s_bill_is_claimed_apart() {
    let bill = || Some(BillNo::new("F-1").unwrap());
    let changes: [fn(&mut PaymentRequest); 6] = [
        |r| r.amount.minor += 1,
        |r| r.amount.currency = testing::currency("USD"),
        |r| r.client = Some(ClientRef::new("2").unwrap()),
        |r| r.operator = Some(OperatorId::new("2").unwrap()),
        |r| r.originator = Originator::Participant(testing::participant_id("bank-b")),
        |r| r.biller = Some(testing::biller_id("isp")),
    ];
    let mut policy = testing::policy();
    policy.billers.insert(testing::biller_id("isp"), testing::biller("isp"));
    let slots = |change: fn(&mut PaymentRequest)| {
        let mut asked = PaymentRequest { bill: bill(), ..request(100) };
        change(&mut asked);
        let slots = reserve(&asked, &policy, NOON).slots;
        (slots[0].key, slots[1].key)
    };
    let first = slots(|_| {});
    for (position, change) in changes.into_iter().enumerate() {
        let (operation, bill) = slots(change);
        assert_ne!(operation, first.0, "change {position}");
        let another_s_bill = position == 5;
        assert_eq!(bill != first.1, another_s_bill, "change {position}");
    }
    let other_bill = slots(|r| r.bill = Some(BillNo::new("F-2").unwrap()));
    assert_ne!(other_bill.0, first.0, "two bills of one amount are two payments");
    assert_ne!(other_bill.1, first.1);
}

#[test]
fn two_rules_about_repeats_do_not_block_each_other() {
    let rule = |name| limit(name, Measure::RepeatedOperation, Reason::DuplicateTransaction);
    let slots = reserve(&request(100), &limited_by(vec![rule("a"), rule("b")]), NOON).slots;
    assert_ne!(slots[0].key, slots[1].key);
}

#[test]
fn rules_of_two_names_count_apart() {
    let mut second = count(Scope::Client, Window::Day, 3);
    second.name = "another".into();
    let policy = limited_by(vec![count(Scope::Client, Window::Day, 3), second]);
    let counters = reserve(&request(100), &policy, NOON).counters;
    assert_ne!(counters[0].key, counters[1].key);
}

proptest! {
    #[test]
    fn what_is_allowed_stays_allowed_when_it_is_less_and_refused_when_it_is_more(
        minor in 1_i64..20_000,
        less in 0_i64..20_000,
        max in 1_i64..20_000,
        debt in 0_i64..20_000,
    ) {
        let must_leave = Measure::RemainingDebt { must_leave: pesos(100) };
        let debt_rule = limit("debt", must_leave, Reason::MustLeaveBalance);
        let policy = limited_by(vec![amount(None, Some(max)), debt_rule]);
        let allowed = |minor| {
            let mut asked = request(minor);
            asked.remaining_debt = Some(pesos(debt));
            plan(&asked, &policy, NOON).is_ok()
        };
        prop_assert_eq!(allowed(minor), minor <= max && minor + 100 <= debt);
        let smaller = (minor - less).max(1);
        prop_assert!(!allowed(minor) || allowed(smaller));
    }

    #[test]
    fn a_window_ends_after_now_and_what_follows_it_has_another_key(
        at in 0_i64..4_000_000_000,
        later in 0_i64..3_000_000,
        first in -50_400_i32..50_400,
        changes in proptest::collection::vec((0_i64..4_000_000_000, -50_400_i32..50_400), 0..4),
        monthly in any::<bool>(),
    ) {
        let mut offsets = vec![(Timestamp(i64::MIN), first)];
        offsets.extend(changes.into_iter().map(|(s, offset)| (Timestamp(s * 1_000_000), offset)));
        offsets.sort();
        let window = if monthly { Window::Month } else { Window::Day };
        let mut policy = limited_by(vec![count(Scope::Client, window, 1)]);
        let lender = policy.billers.get_mut(&testing::biller_id("lender")).unwrap();
        lender.zone = Zone { offsets }.into();
        let (now, then) = (Timestamp(at * 1_000_000), Timestamp((at + later) * 1_000_000));
        let counter = |now| only_counter(&request(100), &policy, now);
        prop_assert!(counter(now).window_end > now);
        if then >= counter(now).window_end {
            prop_assert_ne!(counter(then).key, counter(now).key);
        }
    }
}

#[test]
fn each_counter_and_hold_says_its_own_limit() {
    let rules = vec![
        count(Scope::Client, Window::Day, 2),
        sum(Scope::Operator, Window::Month, 1_000_000),
        count(Scope::Client, Window::Month, 9),
    ];
    let plan = plan(&request(50_000), &limited_by(rules), NOON).expect("a plan");
    let told = |limit: &BrokenLimit| limit.text(crate::reason::Language::En);
    let counters: Vec<String> = plan.limits.counters.iter().flatten().map(told).collect();
    let expect = [
        "At most 2 payments per day per customer",
        "At most 10000.00 MXN per month per operator",
        "At most 9 payments per month per customer",
    ];
    assert_eq!(counters, expect);
    assert_eq!(plan.limits.counters.len(), plan.reservation.counters.len());
    assert_eq!(plan.limits.holds.len(), plan.reservation.holds.len());
}
