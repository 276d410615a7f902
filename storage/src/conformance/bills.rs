//! What every form must do with bills: parts add up to the amount and no further, whatever the order
//! of what happens, and what a reversal gives back may be paid again.

use router::outcome::{Decline, Outcome};
use router::reason::Reason;

use super::sample::Sample;
use crate::store::{Admission, Store};

/// What each sample pays.
const PART: i64 = 50_000;
const BILL: u128 = 5;

/// Sixty-four part payments of one bill at once, again and again: of each turn one is granted and
/// the others are told that it is under way; every third is declined and gives its part back. Ten
/// parts and no more are paid of a bill of ten and a half.
pub async fn parts_of_a_bill_add_up_to_its_amount_and_no_further(store: &Store) {
    let (mut paid, mut next) = (0, 1);
    loop {
        let samples: Vec<Sample> = (next..next + 64).map(|n| part(n, 21 * PART / 2)).collect();
        next += 64;
        let (taken, refused) = admitted_at_once(store, samples).await;
        assert!(taken.len() <= 1, "{} parts are under way at once", taken.len());
        let Some(sample) = taken.first() else {
            assert_eq!(reasons_of(&refused), [Reason::AmountMismatch], "half a part is left");
            break;
        };
        if next % 3 == 0 {
            store.append(sample.declined()).await.unwrap();
        } else {
            store.append(sample.approved()).await.unwrap();
            paid += 1;
        }
    }
    assert_eq!(paid, 10);
}

/// The whole and a part of what was paid of a bill may be paid again once their reversal is
/// confirmed, and not before.
pub async fn a_reversal_reopens_what_it_freed_of_a_bill(store: &Store) {
    let of_two = |n| part(n, 2 * PART);
    for n in [1, 2] {
        assert_eq!(pay(store, &of_two(n)).await, None);
    }
    assert_eq!(pay(store, &of_two(3)).await, Some(Reason::BillAlreadyPaid));
    store.append(of_two(1).reversal_asked()).await.unwrap();
    assert_eq!(pay(store, &of_two(4)).await, Some(Reason::BillAlreadyPaid), "it is owed alone");
    store.append(of_two(1).approval_reversed(0)).await.unwrap();
    assert_eq!(pay(store, &of_two(5)).await, None, "a whole payment was reversed");
    store.append(of_two(2).part_owed(PART, 20_000)).await.unwrap();
    store.append(of_two(2).part_confirmed(30_000, 20_000)).await.unwrap();
    assert_eq!(pay(store, &of_two(6)).await, Some(Reason::AmountMismatch), "30,000 are left");
    store.append(of_two(5).part_owed(PART, 30_000)).await.unwrap();
    store.append(of_two(5).part_confirmed(20_000, 30_000)).await.unwrap();
    assert_eq!(pay(store, &of_two(7)).await, None, "two parts of it make one payment");
    assert_eq!(pay(store, &of_two(8)).await, Some(Reason::BillAlreadyPaid));
}

/// A payment of its own number that pays a part of the bill.
fn part(payment: u64, bill_minor: i64) -> Sample {
    Sample { bill: Some((BILL, bill_minor)), ..Sample::new(payment) }
}

/// Pays; or why not.
async fn pay(store: &Store, sample: &Sample) -> Option<Reason> {
    let answer = store.admit(sample.intent()).await.unwrap();
    if let Admission::Granted { .. } = answer {
        store.append(sample.approved()).await.unwrap();
        return None;
    }
    reasons_of(&[answer]).first().copied()
}

/// Asks for all at the same time: those that were granted, and the answers of the others.
async fn admitted_at_once(store: &Store, samples: Vec<Sample>) -> (Vec<Sample>, Vec<Admission>) {
    let mut tasks = tokio::task::JoinSet::new();
    for sample in samples {
        let store = store.clone();
        tasks.spawn(async move { (store.admit(sample.intent()).await.unwrap(), sample) });
    }
    let (mut granted, mut refused) = (Vec::new(), Vec::new());
    for (answer, sample) in tasks.join_all().await {
        match answer {
            Admission::Granted { .. } => granted.push(sample),
            other => refused.push(other),
        }
    }
    (granted, refused)
}

/// Why the refused ones were, each reason once.
fn reasons_of(answers: &[Admission]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for answer in answers {
        let Admission::Refused(payment) = answer else { panic!("a refusal: {answer:?}") };
        let Some(Outcome::Declined(Decline { reason, .. })) = payment.outcome else {
            panic!("a decline: {payment:?}")
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}
