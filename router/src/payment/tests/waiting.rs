//! Payments that wait for their payer.

use super::*;
use crate::exchange::Awaited;
use crate::record::{Confirming, Expired, WaitBegun};

fn after_seconds(seconds: i64) -> Timestamp {
    NOON.plus_micros(seconds * 1_000_000)
}

/// It waits for a one-time key until so many seconds after noon.
pub(super) fn awaiting(until: i64) -> Record {
    Record::Awaiting(Box::new(WaitBegun {
        payment: ID,
        at: NOON,
        awaited: Awaited::OneTimeKey,
        until: after_seconds(until),
        reference: Text::new("order-7").unwrap(),
    }))
}

pub(super) fn confirming(second: i64) -> Record {
    Record::Confirming(Confirming { payment: ID, at: after_seconds(second) })
}

pub(super) fn expired(second: i64) -> Record {
    Record::Expired(Expired { payment: ID, at: after_seconds(second) })
}

pub(super) fn ways(way: MakeWay) -> Vec<Way> {
    use PaymentState as State;
    let waits = || vec![awaiting(60)];
    vec![
        way(
            "waiting",
            waits(),
            State::AwaitingPayer,
            &["awaiting", "confirming", "expired", "outcome"],
        ),
        way(
            "confirmed by its payer",
            [waits(), vec![confirming(59)]].concat(),
            State::Sent,
            &["rerouted", "awaiting", "outcome"],
        ),
        way("expired", [waits(), vec![expired(60)]].concat(), State::Expired, &["late_answer"]),
        way(
            "a yes behind its expiry",
            [waits(), vec![expired(60), late(yes())]].concat(),
            State::Reversing,
            &["owed", "late_answer"],
        ),
    ]
}

#[test]
fn a_payment_that_waits_keeps_what_it_reserved_until_it_expires() {
    let mut payment = after(&[intent()]);
    assert_eq!(payment.apply(&awaiting(60)).unwrap(), Effects::default());
    assert!(payment.is_open() && payment.outcome.is_none());
    assert_eq!(payment.waits_until(), Some(after_seconds(60)));
    for early in [59, -1] {
        assert!(payment.clone().apply(&expired(early)).is_err(), "it waits at second {early}");
    }
    let effects = payment.apply(&expired(60)).unwrap();
    let notice = Some(NoticeType::PaymentExpired);
    assert_eq!(effects, Effects { settle: Some(Settle::Release), notice, owes_reversal: false });
    assert_eq!((payment.is_open(), payment.waits_until()), (false, None));
    assert_eq!(payment.outcome, Some(Outcome::Declined(Decline::ours(Reason::PayerTimeout))));
}

#[test]
fn a_confirmation_counts_until_the_wait_is_over_and_not_after() {
    let payment = after(&[intent(), awaiting(60)]);
    assert!(payment.clone().apply(&confirming(60)).is_err());
    let mut confirmed = payment.clone();
    confirmed.apply(&confirming(59)).unwrap();
    assert!(confirmed.apply(&expired(61)).is_err(), "money may move from now on");
    // A wrong key, one more try, and the participant's answer.
    confirmed.apply(&awaiting(90)).unwrap();
    assert_eq!(confirmed.waits_until(), Some(after_seconds(90)));
    confirmed.apply(&confirming(70)).unwrap();
    assert_eq!(confirmed.apply(&concluded(yes())).unwrap().settle, Some(Settle::Post));
}

#[test]
fn a_wait_that_is_over_before_it_begins_is_refused() {
    for until in [0, -5] {
        let mut payment = after(&[intent()]);
        let illegal = IllegalStep { state: PaymentState::Sent, record: "awaiting" };
        assert_eq!(payment.apply(&awaiting(until)), Err(illegal));
    }
}

#[test]
fn an_approval_behind_an_expiry_is_reversed_and_what_was_held_stays_released() {
    let mut payment = after(&[intent(), awaiting(60), expired(60)]);
    assert!(payment.is_news(&yes()));
    assert!(payment.apply(&late(yes())).unwrap().owes_reversal);
    payment.apply(&owed()).unwrap();
    assert_eq!(payment.apply(&confirmed()).unwrap().settle, None);
    assert_eq!(payment.state, PaymentState::Reversed);
}
