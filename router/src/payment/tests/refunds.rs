//! Payments that are given back by refunds.

use super::*;
use crate::id::RefundId;
use crate::ledger::Ledger;
use crate::record::{Refund, RefundBegun, RefundDone, RefundFailed};
use crate::reservation::Share;

fn refund(number: u128, step: RefundStep) -> Record {
    let (at, id) = (NOON.plus_micros(20), RefundId(number));
    Record::Refund(Box::new(Refund { payment: ID, at, refund: id, step }))
}

/// Refund of that number, of a payment of 50,000.
pub(super) fn begun(number: u128, amount_minor: i64) -> Record {
    begun_of(50_000, number, amount_minor)
}

fn begun_of(paid_minor: i64, number: u128, amount_minor: i64) -> Record {
    let (reason, attempt) = ("too much".into(), attempt("bank-a"));
    let begun = RefundBegun { paid_minor, amount_minor, fingerprint: 7, reason, attempt };
    refund(number, RefundStep::Begun(begun))
}

pub(super) fn done(place: u64, number: u128, amount_minor: i64) -> Record {
    let (approval, entry) = (Approval::default(), Entry::default());
    let done = RefundDone { place, amount_minor, approval, entry };
    refund(number, RefundStep::Done(Box::new(done)))
}

pub(super) fn failed(place: u64, number: u128, amount_minor: i64) -> Record {
    let decline = Decline::ours(Reason::IssuerUnavailable);
    refund(number, RefundStep::Failed(RefundFailed { place, amount_minor, decline }))
}

pub(super) fn ways(way: MakeWay) -> Vec<Way> {
    use PaymentState as State;
    let refunded = |steps: Vec<Record>| [vec![concluded(yes())], steps].concat();
    let whole = || vec![begun(9, 50_000), done(0, 9, 50_000)];
    vec![
        way(
            "refunding",
            refunded(vec![begun(1, 20_000)]),
            State::Refunding,
            // The refund that may begin is the same one.
            &["refund done", "refund failed", "late_answer"],
        ),
        way(
            "refunded in part",
            refunded(vec![begun(9, 20_000), done(0, 9, 20_000)]),
            State::Approved,
            &["refund begun", "late_answer"],
        ),
        way("refunded", refunded(whole()), State::Refunded, &["late_answer"]),
        way(
            "a refund that failed",
            refunded(vec![begun(9, 50_000), failed(0, 9, 50_000)]),
            State::Approved,
            &["owed", "part owed", "refund begun", "late_answer"],
        ),
    ]
}

#[test]
fn refunds_together_never_give_back_more_than_stands() {
    let mut payment = after(&[intent(), concluded(yes())]);
    assert_eq!(payment.refundable_minor(), Some(50_000));
    for amount in [0, -1, 50_001] {
        assert!(payment.clone().apply(&begun(1, amount)).is_err(), "{amount}");
    }
    assert!(payment.clone().apply(&begun_of(60_000, 1, 100)).is_err(), "another payment's amount");
    payment.apply(&begun(1, 30_000)).unwrap();
    assert_eq!(
        (payment.state, payment.refundable_minor()),
        (PaymentState::Refunding, Some(20_000))
    );
    assert!(payment.clone().apply(&begun(2, 20_001)).is_err());
    payment.apply(&begun(2, 20_000)).unwrap();
    payment.apply(&failed(0, 1, 30_000)).unwrap();
    assert_eq!(payment.refundable_minor(), Some(30_000), "what failed may be asked for again");
    let effects = payment.apply(&done(1, 2, 20_000)).unwrap();
    let notice = Some(NoticeType::PaymentRefunded);
    assert_eq!(effects, Effects { settle: Some(Settle::Undo), notice, owes_reversal: false });
    assert_eq!((payment.state, payment.is_open()), (PaymentState::Approved, false));
    payment.apply(&begun(3, 30_000)).unwrap();
    payment.apply(&done(2, 3, 30_000)).unwrap();
    assert_eq!((payment.state, payment.refundable_minor()), (PaymentState::Refunded, None));
    let names: Vec<_> = payment.refunds.iter().map(PaymentRefund::state_name).collect();
    assert_eq!(names, ["failed", "done", "done"]);
    assert_eq!(refunds_fit(&payment), Ok(()));
}

#[test]
fn a_refund_ends_once_and_as_it_began() {
    let mut payment = after(&[intent(), concluded(yes()), begun(1, 30_000), begun(2, 10_000)]);
    for wrong in [
        done(1, 1, 30_000),
        done(0, 2, 30_000),
        done(0, 1, 29_999),
        failed(0, 1, 40_000),
        done(2, 1, 30_000),
        done(200, 1, 30_000),
        begun(1, 5),
    ] {
        assert!(payment.clone().apply(&wrong).is_err(), "{wrong:?}");
    }
    payment.apply(&done(0, 1, 30_000)).unwrap();
    for again in [done(0, 1, 30_000), failed(0, 1, 30_000)] {
        assert!(payment.clone().apply(&again).is_err(), "{again:?}");
    }
}

#[test]
fn what_is_refunded_is_not_reversed_and_what_is_being_reversed_is_not_refunded() {
    let approved = || vec![intent(), concluded(yes())];
    let after_all = |records: Vec<Record>| after(&[approved(), records].concat());
    for refunded in [vec![begun(1, 100)], vec![begun(1, 100), done(0, 1, 100)]] {
        let payment = after_all(refunded);
        assert!(!payment.may_be_reversed());
        for step in [owed(), part_owed(50_000, 30_000)] {
            assert!(payment.clone().apply(&step).is_err(), "{step:?}");
        }
    }
    for reversed in [vec![part_owed(50_000, 30_000)], vec![owed()]] {
        let mut payment = after_all(reversed);
        assert_eq!(payment.refundable_minor(), None);
        assert!(payment.apply(&begun(1, 100)).is_err());
    }
    let part_back = after_all(vec![part_owed(50_000, 30_000), part_confirmed(30_000)]);
    assert_eq!(part_back.refundable_minor(), Some(30_000));
    assert!(part_back.clone().apply(&begun(1, 30_001)).is_err());
    let all_back = [begun(1, 30_000), done(0, 1, 30_000)];
    let mut payment = part_back.clone();
    assert!(all_back.iter().all(|step| payment.apply(step).is_ok()));
    assert_eq!(payment.state, PaymentState::Refunded);
}

#[test]
fn refunds_post_their_parts_and_leave_the_fees() {
    let mut payment = after(&[intent(), concluded(yes())]);
    let mut ledger = Ledger::default();
    ledger.post(&payment.planned_entry.clone());
    let fees: i128 = payment.fees.iter().map(|fee| i128::from(fee.amount.minor)).sum();
    let share = |payment: &Payment, record| payment.progress().share_given_back(record);
    let steps = [begun(1, 30_000), begun(2, 20_000), done(1, 2, 20_000), done(0, 1, 30_000)];
    for record in &steps {
        ledger.post(&payment.due_entry(record).unwrap());
        let (from_minor, to_minor) = match name_of(record) {
            "refund done" if payment.refund_sums().unwrap().done_minor == 0 => (50_000, 30_000),
            "refund done" => (30_000, 0),
            _ => {
                assert_eq!(share(&payment, record), None);
                payment.apply(record).unwrap();
                continue;
            }
        };
        let expected = Share { amount_minor: 50_000, from_minor, to_minor };
        assert_eq!(share(&payment, record), Some(expected));
        payment.apply(record).unwrap();
    }
    let left: i128 = ledger.accounts().iter().map(|it| it.balance_minor.abs()).sum();
    assert_eq!(left, 2 * fees, "what is earned, and who paid it: {ledger:?}");
    assert_eq!(payment.due_entry(&done(0, 1, 30_000)), None, "it has ended");
}

#[test]
fn a_payment_takes_so_many_refunds_and_no_more() {
    let mut payment = after(&[intent(), concluded(yes())]);
    for number in 0..u128::from(REFUNDS_MAX) {
        payment.apply(&begun(number, 1)).unwrap();
    }
    assert!(payment.apply(&begun(1_000, 1)).is_err());
    let last = u64::from(REFUNDS_MAX - 1);
    payment.apply(&done(last, u128::from(last), 1)).unwrap();
    let sums = payment.refund_sums().unwrap();
    assert_eq!((sums.taken_minor, sums.done_minor, sums.begun), (128, 1, REFUNDS_MAX));
}

#[test]
fn a_refund_has_one_id_for_each_key() {
    let of = |payment, key| RefundId::of(PaymentId(payment), key);
    assert_eq!(of(ID.0, 5), of(ID.0, 5));
    assert_ne!(of(ID.0, 5), of(ID.0, 6));
    assert_ne!(of(ID.0, 5), of(8, 5));
}

proptest! {
    #[test]
    fn no_order_of_refunds_and_reversals_gives_back_more_than_was_paid(
        steps in proptest::collection::vec((0_u8..6, 0_u64..6, 1_i64..30_000), 1..60),
    ) {
        let mut payment = after(&[intent(), concluded(yes())]);
        let mut given_back = 0;
        for (what, place, amount) in steps {
            let number = u128::from(place);
            let known = usize::try_from(place).ok().and_then(|at| payment.refunds.get(at));
            let known = known.map(|refund| (refund.id.0, refund.amount_minor));
            let (id, pending) = known.unwrap_or((number, amount));
            let stands = payment.stands_minor();
            let record = match what {
                0 | 1 => begun(number + 100 * u128::from(what), amount),
                2 => done(place, id, pending),
                3 => failed(place, id, pending),
                4 => part_owed(stands, (stands - amount).max(1)),
                _ => part_confirmed(stands),
            };
            let mut progress = payment.progress();
            let share = progress.share_given_back(&record);
            let alone = progress.apply(&record);
            let told = payment.apply(&record);
            // The two agree wherever the payment takes the record.
            if let Ok(effects) = told {
                prop_assert_eq!(alone, Ok(effects));
                prop_assert_eq!(payment.progress(), progress);
                if effects.settle == Some(Settle::Undo) {
                    let share = share.unwrap();
                    given_back += share.from_minor - share.to_minor;
                    prop_assert!(share.to_minor >= 0 && given_back + share.to_minor == 50_000);
                }
            }
            prop_assert_eq!(refunds_fit(&payment), Ok(()));
            prop_assert!(given_back <= 50_000);
        }
    }
}
