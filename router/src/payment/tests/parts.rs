//! Payments that are reversed in parts.

use super::*;
use crate::invariant::Violation;
use crate::ledger::Ledger;
use crate::reservation::Share;

#[test]
fn parts_are_given_back_one_after_another_and_never_more_than_stands() {
    let mut payment = after(&[intent(), concluded(yes())]);
    let share_of = |payment: &Payment, record: &Record| payment.progress().share_given_back(record);
    let given = |payment: &Payment| {
        payment.given_back().map(|(confirmed, owed)| (confirmed.minor, owed.minor))
    };
    assert_eq!(given(&payment), None);
    let effects = payment.apply(&part_owed(50_000, 30_000)).unwrap();
    assert_eq!(effects, Effects { settle: None, notice: None, owes_reversal: true });
    assert_eq!((payment.part_owed(), payment.is_open()), (Some(30_000), true));
    // What stood by then is named: of two that were computed from the same, one cannot follow.
    for (from, stands) in [(50_000, 20_000), (30_000, 30_000), (30_000, 0), (30_000, 40_000)] {
        assert!(payment.clone().apply(&part_owed(from, stands)).is_err(), "{from} to {stands}");
    }
    payment.apply(&part_owed(30_000, 10_000)).unwrap();
    assert_eq!(given(&payment), Some((0, 40_000)));
    for stands in [9_999, 50_000] {
        assert!(payment.clone().apply(&part_confirmed(stands)).is_err(), "{stands}");
    }
    let first = part_confirmed(30_000);
    let share = Share { amount_minor: 50_000, from_minor: 50_000, to_minor: 30_000 };
    assert_eq!(share_of(&payment, &first), Some(share));
    assert_eq!(payment.apply(&first).unwrap().settle, Some(Settle::Undo));
    assert_eq!((given(&payment), payment.is_open()), (Some((20_000, 20_000)), true));
    payment.apply(&part_confirmed(10_000)).unwrap();
    assert_eq!((given(&payment), payment.is_open()), (Some((40_000, 0)), false));
    assert_eq!(payment.state, PaymentState::Approved, "something stands");

    payment.apply(&owed()).unwrap();
    let share = Share { amount_minor: 50_000, from_minor: 10_000, to_minor: 0 };
    assert_eq!(share_of(&payment, &confirmed()), Some(share));
    payment.apply(&confirmed()).unwrap();
    assert_eq!((payment.state, given(&payment)), (PaymentState::Reversed, Some((50_000, 0))));
}

#[test]
fn a_part_that_leaves_nothing_or_more_than_stood_is_a_violation() {
    let payment = after(&[intent(), concluded(yes()), part_owed(50_000, 30_000)]);
    assert_eq!(parts_fit(&payment), Ok(()));
    for (from_minor, stands_minor) in [(50_000, 0), (40_000, 30_000), (50_000, 50_000)] {
        let mut wrong = payment.clone();
        (wrong.parts[0].from_minor, wrong.parts[0].stands_minor) = (from_minor, stands_minor);
        let found = Violation::PartDoesNotFit { payment: ID, parts: 1, from_minor, stands_minor };
        assert_eq!(parts_fit(&wrong), Err(found));
    }
}

#[test]
fn a_confirmation_confirms_the_parts_before_it_too() {
    let parts = [part_owed(50_000, 30_000), part_owed(30_000, 10_000), part_confirmed(10_000)];
    let payment = after(&[vec![intent(), concluded(yes())], parts.to_vec()].concat());
    assert!(payment.parts.iter().all(|part| part.confirmed_at.is_some()));
    assert_eq!((payment.part_owed(), payment.stands_minor()), (None, 10_000));
}

#[test]
fn what_is_due_of_part_and_rest_takes_back_what_the_approval_posted() {
    let mut payment = after(&[intent()]);
    assert_eq!(payment.due_entry(&confirmed()), None, "it cannot follow");
    let due = |payment: &Payment, record: &Record| payment.due_entry(record).unwrap();
    assert_eq!(due(&payment, &concluded(no())), Entry::default());
    let mut ledger = Ledger::default();
    ledger.post(&due(&payment, &concluded(yes())));
    assert!(!ledger.accounts().is_empty());
    payment.apply(&concluded(yes())).unwrap();
    let before_parts = due(&after(&[intent(), concluded(yes()), owed()]), &confirmed());
    assert_eq!(before_parts.lines().len(), payment.planned_entry.lines().len());
    payment.apply(&part_owed(50_000, 30_000)).unwrap();
    for record in [part_confirmed(30_000), owed(), confirmed()] {
        ledger.post(&due(&payment, &record));
        payment.apply(&record).unwrap();
    }
    assert!(ledger.accounts().iter().all(|account| account.balance_minor == 0), "{ledger:?}");
    payment.apply(&late(yes())).unwrap();
    payment.apply(&owed()).unwrap();
    assert_eq!(due(&payment, &confirmed()), Entry::default(), "it was taken back before");
}
