use super::*;
use crate::detail::Detail;
use crate::id::{AccountId, FloatRef, OperatorId, Product};
use crate::message::{Originator, Rail};
use crate::policy::{FloatDebits, Measure, Route};
use crate::posting::account;
use crate::reservation::Keep;
use crate::testing::{self, NOON, pesos, policy, request};
use crate::text::Text;

fn refused(request: &PaymentRequest, policy: &Policy) -> Refusal {
    plan(request, policy, NOON).expect_err("a refusal")
}

/// A change to the request, and why it is refused with which field; none where it is planned.
type Row = (&'static str, fn(&mut PaymentRequest), Option<(Reason, Option<&'static str>)>);

const ROWS: &[Row] = &[
    ("99,999.99", |r| r.amount.minor = 9_999_999, None),
    (
        "100,000.00",
        |r| r.amount.minor = 10_000_000,
        Some((Reason::AmountOverLimit, Some("amount"))),
    ),
    ("0.00", |r| r.amount.minor = 0, Some((Reason::AmountInvalid, Some("amount")))),
    ("-1", |r| r.amount.minor = -100, Some((Reason::AmountInvalid, Some("amount")))),
    ("499.00 of 500.00", |r| owe(r, 49_900, 50_000), None),
    (
        "499.01 of 500.00",
        |r| owe(r, 49_901, 50_000),
        Some((Reason::MustLeaveBalance, Some("amount"))),
    ),
    (
        "500.00 of 500.00",
        |r| owe(r, 50_000, 50_000),
        Some((Reason::MustLeaveBalance, Some("amount"))),
    ),
    ("credimax", |r| r.product = product("credimax"), None),
    ("tor", |r| r.product = product("tor"), Some((Reason::ProductNotAllowed, Some("product")))),
    (
        "micronegocio",
        |r| r.product = product("micronegocio"),
        Some((Reason::ProductNotAllowed, Some("product"))),
    ),
    ("no product", |r| r.product = None, Some((Reason::ProductNotAllowed, Some("product")))),
    ("no client", |r| r.client = None, Some((Reason::FormatError, Some("client")))),
    (
        "another's float",
        |r| r.originator = Originator::Biller(testing::biller_id("stranger")),
        Some((Reason::FloatNotFound, Some("float_ref"))),
    ),
    (
        "a float that is not there",
        |r| r.float_ref = Some(FloatRef::new("99").unwrap()),
        Some((Reason::FloatNotFound, Some("float_ref"))),
    ),
    (
        "nobody to debit",
        |r| (r.rail, r.float_ref) = (Rail::Account, None),
        Some((Reason::FormatError, Some("payer"))),
    ),
    ("no float", |r| r.float_ref = None, Some((Reason::FormatError, Some("float_ref")))),
    (
        "unknown biller",
        |r| r.biller = Some(testing::biller_id("nobody")),
        Some((Reason::ServiceNotEnabled, Some("biller"))),
    ),
];

fn owe(request: &mut PaymentRequest, amount: i64, debt: i64) {
    request.amount = pesos(amount);
    request.remaining_debt = Some(pesos(debt));
}

fn product(name: &str) -> Option<Product> {
    Some(Product::new(name).unwrap())
}

#[test]
fn the_lender_s_rules_hold_row_by_row() {
    let policy = policy();
    for (name, change, expect) in ROWS {
        let mut request = request(50_000);
        change(&mut request);
        let refusal = plan(&request, &policy, NOON).err();
        assert_eq!(refusal.map(|refusal| (refusal.reason, refusal.field)), *expect, "{name}");
    }
}

fn told(refusal: &Refusal) -> String {
    let detail = refusal.detail.as_ref().expect("a detail");
    detail.text(crate::reason::Language::En).into_owned()
}

#[test]
fn a_refusal_names_the_highest_amount_allowed_and_its_day() {
    let policy = policy();
    let mut asked = request(10_000_000);
    let refusal = refused(&asked, &policy);
    assert_eq!(told(&refusal), "At most 99999.99 MXN per transaction");
    assert_eq!(refusal.business_date.to_string(), "2026-11-23");
    owe(&mut asked, 50_000, 50_000);
    let refusal = refused(&asked, &policy);
    assert_eq!(told(&refusal), "At least 1.00 MXN must remain; up to 499.00 MXN is accepted");
    owe(&mut asked, 50, 50);
    let refusal = refused(&asked, &policy);
    assert_eq!(told(&refusal), "At least 1.00 MXN must remain; up to 0.00 MXN is accepted");
}

#[test]
fn the_first_broken_rule_in_the_catalogue_s_order_is_the_one_told() {
    let mut policy = policy();
    policy.routes = Default::default();
    let mut request = request(10_000_000);
    request.remaining_debt = Some(pesos(1));
    request.product = product("tor");
    request.client = None;
    request.amount.currency = testing::currency("ARS");
    request.originator = Originator::Participant(testing::participant_id("nobody"));
    let lender = policy.billers.get_mut(&testing::biller_id("lender")).unwrap();
    lender.currencies = vec![testing::currency("MXN")];
    lender.rails = vec![Rail::Account];

    assert_eq!(refused(&request, &policy).reason, Reason::ParticipantSuspended);
    request.originator = Originator::Participant(testing::participant_id("collector"));
    assert_eq!(refused(&request, &policy).reason, Reason::CurrencyNotAllowed);
    request.amount.currency = testing::currency("MXN");
    assert_eq!(refused(&request, &policy).reason, Reason::ServiceNotEnabled);
    policy.billers.get_mut(&testing::biller_id("lender")).unwrap().rails.push(Rail::CashFloat);
    assert_eq!(refused(&request, &policy).reason, Reason::ProductNotAllowed);
    request.product = product("credimax");
    assert_eq!(refused(&request, &policy).reason, Reason::AmountOverLimit);
    request.amount = pesos(9_999_999);
    assert_eq!(refused(&request, &policy).reason, Reason::MustLeaveBalance);
    request.remaining_debt = None;
    assert_eq!(refused(&request, &policy).reason, Reason::FormatError);
    request.client = testing::request(1).client;
    assert_eq!(refused(&request, &policy).reason, Reason::NoRoute);
    policy.routes = testing::policy().routes;
    assert!(plan(&request, &policy, NOON).is_ok());
}

#[test]
fn a_rail_that_nothing_serves_and_a_currency_that_is_not_taken_are_told_with_what_is() {
    let mut policy = policy();
    policy.routes =
        vec![Route { rails: vec![Rail::Account], ..testing::route(&["bank-b"]) }].into();
    let mut request = request(100);
    request.rail = Rail::Wallet;
    policy.billers.values_mut().for_each(|biller| biller.rails.clear());
    let told = |request: &PaymentRequest, policy: &Policy| {
        let refusal = refused(request, policy);
        (refusal.reason, refusal.detail)
    };
    let text = |text: &str| Some(Detail::Text(text.into()));
    let expect = (Reason::NoRoute, text("the rail wallet is not served here"));
    assert_eq!(told(&request, &policy), expect);
    policy.routes = vec![Route { rails: vec![Rail::Wallet], ..testing::route(&[]) }].into();
    assert_eq!(told(&request, &policy), (Reason::NoRoute, None), "served, and no bank is reached");
    let taken = vec![testing::currency("MXN"), testing::currency("VES")];
    policy.billers.values_mut().for_each(|biller| biller.currencies = taken.clone());
    request.amount.currency = testing::currency("ARS");
    let expect = (Reason::CurrencyNotAllowed, text("allowed: MXN, VES"));
    assert_eq!(told(&request, &policy), expect);
}

#[test]
fn a_suspended_participant_neither_asks_nor_is_asked() {
    let mut policy = policy();
    let suspend = |policy: &mut Policy, name| {
        let participant = policy.participants.get_mut(&testing::participant_id(name)).unwrap();
        participant.status = ParticipantStatus::Suspended;
    };
    suspend(&mut policy, "bank-a");
    let routes = plan(&request(100), &policy, NOON).unwrap().routes;
    assert_eq!(routes.as_slice(), [testing::participant_id("bank-b")]);
    suspend(&mut policy, "bank-b");
    assert_eq!(refused(&request(100), &policy).reason, Reason::NoRoute);
    suspend(&mut policy, "collector");
    assert_eq!(refused(&request(100), &policy).reason, Reason::ParticipantSuspended);
}

#[test]
fn a_participant_is_not_asked_in_a_currency_it_does_not_take_nor_if_nobody_knows_it() {
    let mut policy = policy();
    policy.routes =
        [testing::route(&["nobody"])].into_iter().chain(policy.routes.iter().cloned()).collect();
    let bank = policy.participants.get_mut(&testing::participant_id("bank-a")).unwrap();
    bank.currencies = vec![testing::currency("USD")];
    let routes = plan(&request(100), &policy, NOON).unwrap().routes;
    assert_eq!(routes.as_slice(), [testing::participant_id("bank-b")]);
}

#[test]
fn routes_are_tried_in_the_policy_s_order_each_participant_once() {
    let planned = plan(&request(100), &policy(), NOON).unwrap();
    let expected = ["bank-a", "bank-b"].map(testing::participant_id);
    assert_eq!(planned.routes.as_slice(), expected);
}

#[test]
fn a_route_is_taken_only_when_all_its_criteria_match() {
    let mut with_card = request(10_000);
    with_card.payer.card = Some(testing::card("4111111111111111"));
    with_card.payer.bank_code = Some(Text::new("0102").unwrap());
    type Case = (&'static str, fn(&mut Route), bool);
    let cases: &[Case] = &[
        ("card prefix", |route| route.card_prefixes = vec!["5".into(), "411111".into()], true),
        ("other card prefix", |route| route.card_prefixes = vec!["411112".into()], false),
        ("bank code", |route| route.bank_codes = vec!["0102".into()], true),
        ("other bank code", |route| route.bank_codes = vec!["010".into()], false),
        ("rail", |route| route.rails = vec![Rail::CashFloat], true),
        ("other rail", |route| route.rails = vec![Rail::Card], false),
        ("biller", |route| route.billers = vec![testing::biller_id("lender")], true),
        ("other biller", |route| route.billers = vec![testing::biller_id("isp")], false),
        ("currency", |route| route.currencies = vec![testing::currency("MXN")], true),
        ("other currency", |route| route.currencies = vec![testing::currency("ARS")], false),
        ("least", |route| route.min_minor = Some(10_000), true),
        ("more than least", |route| route.min_minor = Some(10_001), false),
        ("most", |route| route.max_minor = Some(10_000), true),
        ("less than most", |route| route.max_minor = Some(9_999), false),
    ];
    for (name, narrow, expect) in cases {
        let mut route = testing::route(&["bank-a"]);
        narrow(&mut route);
        let policy = Policy { routes: vec![route].into(), ..policy() };
        assert_eq!(plan(&with_card, &policy, NOON).is_ok(), *expect, "{name}");
    }
    let mut by_card = testing::route(&["bank-a"]);
    by_card.card_prefixes = vec!["4".into()];
    let policy = Policy { routes: vec![by_card].into(), ..policy() };
    assert_eq!(refused(&request(10_000), &policy).reason, Reason::NoRoute);
}

#[test]
fn the_commission_is_twelve_whatever_the_amount_and_the_float_loses_the_total() {
    for minor in [100, 50_000, 9_999_999] {
        let planned = plan(&request(minor), &policy(), NOON).unwrap();
        assert_eq!(planned.total, pesos(minor + 1_200));
        assert_eq!(planned.fees.len(), 1);
        assert_eq!(planned.fees[0].amount, pesos(1_200));
        let [hold] = planned.reservation.holds.as_slice() else { panic!("one hold") };
        assert_eq!(hold.account, account("float", "58341122"));
        assert_eq!((hold.amount, hold.floor_minor), (pesos(minor + 1_200), 0));
        assert_eq!(hold.reason, Reason::FloatInsufficient);
    }
}

#[test]
fn a_float_that_loses_the_amount_alone_leaves_the_fee_with_the_collector() {
    let mut policy = policy();
    let lender = policy.billers.get_mut(&testing::biller_id("lender")).unwrap();
    lender.float_debits = FloatDebits::Amount;
    let planned = plan(&request(50_000), &policy, NOON).unwrap();
    assert_eq!(planned.reservation.holds[0].amount, pesos(50_000));
    let accounts: Vec<_> =
        planned.entry.lines().iter().map(|line| line.account.to_string()).collect();
    let expected =
        ["float:58341122", "collector_cash:58341122", "payable:lender", "fee_income:lender"];
    assert_eq!(accounts, expected);
}

#[test]
fn the_same_operation_is_a_duplicate_and_another_one_counts_against_the_day() {
    let policy = policy();
    let reserve = |change: fn(&mut PaymentRequest)| {
        let mut request = request(50_000);
        change(&mut request);
        plan(&request, &policy, NOON).unwrap().reservation
    };
    let first = reserve(|_| {});
    let [slot] = first.slots.as_slice() else { panic!("one slot") };
    assert_eq!(slot.reason_while_open, Reason::DuplicateTransaction);
    assert_eq!(slot.reason_once_kept, Reason::DuplicateTransaction);
    // Midnight of the lender's day, six hours behind.
    assert_eq!(slot.keep, Keep::Until(NOON.plus_micros(12 * 3_600_000_000)));

    let again = reserve(|r| r.trace.terminal = Text::new("TERM0002").unwrap());
    assert_eq!(again.slots, first.slots, "the operator decides, not the terminal");
    for other in [
        reserve(|r| r.amount.minor += 1),
        reserve(|r| r.operator = Some(OperatorId::new("op-2").unwrap())),
    ] {
        assert_ne!(other.slots[0].key, slot.key);
        assert_eq!(other.counters, first.counters, "one payment a day and client");
    }
    let [counter] = first.counters.as_slice() else { panic!("one counter") };
    assert_eq!((counter.delta, counter.ceiling), (1, 1));
    assert_eq!(counter.reason, Reason::DailyCountExceeded);
}

#[test]
fn tomorrow_has_its_own_counters_and_slots() {
    let (policy, request) = (policy(), request(50_000));
    let at = |hours: i64| {
        plan(&request, &policy, NOON.plus_micros(hours * 3_600_000_000)).unwrap().reservation
    };
    assert_eq!(at(11), at(0));
    assert_ne!(at(12).counters[0].key, at(0).counters[0].key);
    assert_ne!(at(12).slots[0].key, at(0).slots[0].key);
}

#[test]
fn a_participant_with_a_cap_holds_what_it_will_owe() {
    let mut policy = policy();
    let collector = policy.participants.get_mut(&testing::participant_id("collector")).unwrap();
    collector.net_debit_caps = vec![pesos(1), Money::new(1, testing::currency("USD"))];
    let planned = plan(&request(50_000), &policy, NOON).unwrap();
    let [_, cap] = planned.reservation.holds.as_slice() else { panic!("float and cap") };
    assert_eq!(cap.account, account("cap", "collector:MXN"));
    assert_eq!(cap.amount, planned.total);
    assert_eq!(cap.floor_minor, -1);
    assert_eq!(cap.reason, Reason::NetDebitCapExceeded);
    let moved: Vec<_> = planned.entry.guarded_moves().collect();
    let of_holds = planned.reservation.holds.iter();
    let held: Vec<_> =
        of_holds.map(|hold| (hold.account, hold.amount.checked_neg().unwrap())).collect();
    assert_eq!(moved, held, "what is held is what an approval takes");
}

#[test]
fn a_merchant_that_asks_is_the_biller() {
    let mut request = request(50_000);
    request.originator = Originator::Biller(testing::biller_id("lender"));
    request.biller = None;
    let planned = plan(&request, &policy(), NOON).unwrap();
    assert!(planned.entry.lines().iter().any(|line| line.account == account("payable", "lender")));
    request.originator = Originator::Biller(testing::biller_id("nobody"));
    assert_eq!(refused(&request, &policy()).reason, Reason::ServiceNotEnabled);
}

#[test]
fn without_a_biller_the_originator_is_owed_and_days_are_utc() {
    let mut policy = policy();
    let rules = policy.limits.iter().filter(|rule| rule.measure != Measure::RepeatedOperation);
    policy.limits = rules.cloned().collect();
    let mut request = request(50_000);
    request.biller = None;
    let late = NOON.plus_micros(7 * 3_600_000_000); // 2026-11-24T01:00Z, still the 23rd in Mexico
    let planned = plan(&request, &policy, late).unwrap();
    assert_eq!(planned.business_date.to_string(), "2026-11-24");
    assert!(
        planned
            .entry
            .lines()
            .iter()
            .any(|line| line.account == account("participant_payable", "collector"))
    );
}

#[test]
fn an_amount_whose_total_does_not_fit_is_invalid() {
    let policy = Policy { limits: Default::default(), ..policy() };
    assert_eq!(refused(&request(i64::MAX), &policy).reason, Reason::AmountInvalid);
}

#[test]
fn account_names_are_cut_at_their_length() {
    assert_eq!(account("float", "58341122").as_str(), "float:58341122");
    assert_eq!(account("float", &"9".repeat(60)).as_str().len(), AccountId::LEN_MAX);
    assert_eq!(account(&"k".repeat(60), "x").as_str().len(), AccountId::LEN_MAX);
}
