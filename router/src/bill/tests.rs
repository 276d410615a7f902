use super::*;
use crate::testing::{NOON, pesos};

const TODAY: Date = Date(20_000);

fn bill() -> RegisteredBill {
    RegisteredBill {
        amount: pesos(100_000),
        due: Vec::new(),
        allows_partial: false,
        min_minor: None,
        max_minor: None,
        must_leave_minor: None,
        expires_at: None,
        cancelled_at: None,
    }
}

fn due(days: i32, minor: i64) -> DueAmount {
    DueAmount { date: Date(TODAY.0 + days), minor }
}

fn at(days: i32) -> BillMoment {
    BillMoment { now: NOON, today: Date(TODAY.0 + days) }
}

fn paid(paid_minor: i64) -> BillStanding {
    BillStanding { paid_minor, ..BillStanding::default() }
}

fn refused(bill: &RegisteredBill, minor: i64, standing: BillStanding) -> (Reason, i64) {
    let refusal = bill.check(pesos(minor), standing, at(0)).expect_err("a refusal");
    (refusal.reason, refusal.payable_now.minor)
}

#[test]
fn a_bill_comes_to_the_amount_of_its_next_due_date_and_stays_at_the_last() {
    let bill =
        RegisteredBill { due: vec![due(0, 90_000), due(10, 100_000), due(20, 110_000)], ..bill() };
    let on = |days| bill.amount_on(Date(TODAY.0 + days)).minor;
    assert_eq!(
        [on(-5), on(0), on(1), on(10), on(11), on(20), on(21)],
        [90_000, 90_000, 100_000, 100_000, 110_000, 110_000, 110_000]
    );
    assert_eq!(bill.state(paid(0), at(20)), BillState::Open, "the last day is not over");
    assert_eq!(bill.state(paid(0), at(21)), BillState::Overdue);
    assert_eq!(bill.payable_now(paid(0), at(21)).minor, 110_000, "an overdue bill is payable");
}

#[test]
fn a_bill_is_paid_whole_unless_it_allows_parts() {
    assert_eq!(refused(&bill(), 99_999, paid(0)), (Reason::AmountMismatch, 100_000));
    assert_eq!(refused(&bill(), 100_001, paid(0)), (Reason::AmountMismatch, 100_000));
    let terms = bill().check(pesos(100_000), paid(0), at(0)).unwrap();
    assert_eq!(terms, BillTerms { amount: pesos(100_000), allows_partial: false });
    let parts = RegisteredBill { allows_partial: true, ..bill() };
    let terms = parts.check(pesos(1), paid(0), at(0)).unwrap();
    assert_eq!(terms, BillTerms { amount: pesos(100_000), allows_partial: true });
    assert_eq!(refused(&parts, 60_001, paid(40_000)), (Reason::AmountMismatch, 60_000));
}

#[test]
fn the_rest_of_a_bill_whose_payment_was_reversed_in_part_is_payable() {
    let terms = bill().check(pesos(30_000), paid(70_000), at(0)).unwrap();
    assert!(terms.allows_partial, "the guard has counted the part that stands");
    assert_eq!(refused(&bill(), 20_000, paid(70_000)), (Reason::AmountMismatch, 30_000));
}

#[test]
fn a_payment_keeps_to_the_least_and_the_greatest_amount_unless_less_is_left() {
    let bill = RegisteredBill {
        allows_partial: true,
        min_minor: Some(20_000),
        max_minor: Some(50_000),
        ..bill()
    };
    assert_eq!(refused(&bill, 19_999, paid(0)).0, Reason::AmountMismatch);
    assert_eq!(refused(&bill, 50_001, paid(0)).0, Reason::AmountMismatch);
    assert!(bill.check(pesos(20_000), paid(0), at(0)).is_ok());
    assert!(bill.check(pesos(50_000), paid(0), at(0)).is_ok());
    assert!(bill.check(pesos(5_000), paid(95_000), at(0)).is_ok(), "the last bit");
    assert_eq!(refused(&bill, 100_000, paid(0)).0, Reason::AmountMismatch, "all is above the max");
}

#[test]
fn what_must_stay_of_a_debt_is_told_apart_from_an_amount_that_does_not_fit() {
    let bill = RegisteredBill { allows_partial: true, must_leave_minor: Some(100), ..bill() };
    assert!(bill.check(pesos(99_900), paid(0), at(0)).is_ok());
    assert_eq!(refused(&bill, 99_901, paid(0)), (Reason::MustLeaveBalance, 99_900));
    assert_eq!(refused(&bill, 100_000, paid(0)), (Reason::MustLeaveBalance, 99_900));
    assert_eq!(refused(&bill, 100_001, paid(0)), (Reason::AmountMismatch, 99_900));
}

#[test]
fn a_bill_that_was_paid_cancelled_or_has_expired_says_which() {
    let cancelled = RegisteredBill { cancelled_at: Some(NOON), ..bill() };
    let expired = RegisteredBill { expires_at: Some(NOON), ..bill() };
    let later = RegisteredBill { expires_at: Some(NOON.plus_micros(1)), ..bill() };
    assert_eq!(refused(&cancelled, 100_000, paid(0)), (Reason::BillCancelled, 0));
    assert_eq!(refused(&expired, 100_000, paid(0)), (Reason::BillExpired, 0));
    assert!(later.check(pesos(100_000), paid(0), at(0)).is_ok());
    assert_eq!(refused(&bill(), 1, paid(100_000)), (Reason::BillAlreadyPaid, 0));
    let state = |bill: &RegisteredBill, paid_minor| bill.state(paid(paid_minor), at(0)).name();
    assert_eq!([state(&cancelled, 0), state(&expired, 0)], ["cancelled", "expired"]);
    assert_eq!([state(&cancelled, 100_000), state(&expired, 100_000)], ["paid", "paid"]);
    assert_eq!([state(&bill(), 0), state(&bill(), 1)], ["open", "partially_paid"]);
    let under_way = BillStanding { is_in_payment: true, ..paid(0) };
    assert_eq!(bill().state(under_way, at(0)), BillState::InPayment);
}

#[test]
fn an_amount_in_another_currency_is_refused() {
    let dollars = Money::new(100_000, crate::testing::currency("USD"));
    let refusal = bill().check(dollars, paid(0), at(0)).expect_err("a refusal");
    assert_eq!(refusal.reason, Reason::CurrencyNotAllowed);
}

#[test]
fn what_the_journal_keeps_of_a_bill_tells_where_it_stands_as_the_register_does() {
    let bill = RegisteredBill { due: vec![due(0, 90_000), due(10, 100_000)], ..bill() };
    let id = BillId::from_parts(1_795_000_000_000, 7);
    for days in [0, 1, 10, 11] {
        let today = Date(TODAY.0 + days);
        let planned = bill.planned(id, 3, today);
        assert_eq!((planned.id, planned.version), (id, 3));
        for paid_minor in [0, 40_000, 90_000, 100_000] {
            for is_in_payment in [false, true] {
                let standing = BillStanding { is_in_payment, ..paid(paid_minor) };
                assert_eq!(planned.state(standing, today), bill.state(standing, at(days)));
                let remaining = bill.remaining(standing, today).minor;
                assert_eq!(planned.remaining_minor(paid_minor), remaining);
            }
        }
    }
}

#[test]
fn what_was_paid_whole_in_time_stays_paid_when_the_bill_comes_to_more() {
    let bill = RegisteredBill { due: vec![due(0, 90_000), due(10, 100_000)], ..bill() };
    let paid_on = |days, minor| {
        let last_paid_on = Some(Date(TODAY.0 + days));
        BillStanding { last_paid_on, ..paid(minor) }
    };
    for days in [0, 1, 11] {
        assert_eq!(bill.remaining(paid_on(0, 90_000), Date(TODAY.0 + days)).minor, 0);
        assert_eq!(bill.state(paid_on(0, 90_000), at(days)), BillState::Paid);
    }
    assert_eq!(refused(&bill, 10_000, paid_on(0, 90_000)), (Reason::BillAlreadyPaid, 0));
    let left = |standing| bill.remaining(standing, Date(TODAY.0 + 1)).minor;
    assert_eq!(left(paid_on(0, 50_000)), 50_000, "a part is no whole");
    assert_eq!(left(paid_on(1, 90_000)), 10_000, "the last part was late");
    assert_eq!(left(paid_on(0, 80_000)), 20_000, "something was given back");
    let amended = RegisteredBill { due: vec![due(0, 95_000), due(10, 100_000)], ..bill };
    assert_eq!(amended.remaining(paid_on(0, 90_000), TODAY).minor, 5_000, "it says more by now");
}

#[test]
fn a_bill_whose_last_payment_was_made_elsewhere_is_paid_externally() {
    let elsewhere = |paid_minor| BillStanding { was_last_external: true, ..paid(paid_minor) };
    assert_eq!(bill().state(elsewhere(100_000), at(0)), BillState::PaidExternal);
    assert_eq!(bill().state(elsewhere(40_000), at(0)), BillState::PartiallyPaid);
    assert_eq!(bill().state(paid(100_000), at(0)), BillState::Paid);
}
