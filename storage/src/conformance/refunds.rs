//! Refunds: each gives back its own part once, and together they give back no more than was paid.

use router::notice::NoticeType;
use router::payment::{PaymentState, RefundEnd};
use router::reservation::Keep;
use tokio::task::JoinSet;

use super::sample::{self, Sample};
use crate::store::{Admission, Store, StoreError};

async fn balance(store: &Store) -> (i64, i64) {
    let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
    balance.map(|balance| (balance.balance, balance.held)).unwrap()
}

/// A payment of 40 for a bill, which was approved.
async fn paid(store: &Store, n: u64) -> Sample {
    let slot = Some((5, Keep::WhileApproved));
    let sample = Sample { hold: Some(("float:1", 40)), slot, ..Sample::new(n) };
    assert!(matches!(store.admit(sample.intent()).await, Ok(Admission::Granted { .. })));
    store.append(sample.approved()).await.unwrap();
    sample
}

/// Each refund gives its own part back when it is done and not before; the bill is free when nothing
/// stands; what failed may be asked for again; and nothing is reversed meanwhile.
pub async fn refunds_are_given_back_one_by_one_and_never_beyond(store: &Store) {
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    let first = paid(store, 1).await;
    store.append(first.refund_begun(1, 30)).await.unwrap();
    assert_eq!(balance(store).await, (60, 0), "money is back when it is done");
    assert_eq!(store.open_payments().await.unwrap().len(), 1);
    assert!(store.owed_payments().await.unwrap().is_empty(), "nothing is to be undone");
    let refused = store.append(first.refund_begun(2, 11)).await;
    assert!(matches!(refused, Err(StoreError::Illegal(_))), "{refused:?}");
    let reversed = store.append(first.reversal_asked()).await;
    assert!(matches!(reversed, Err(StoreError::Illegal(_))), "{reversed:?}");
    store.append(first.refund_failed((0, 1), 30)).await.unwrap();
    assert_eq!(balance(store).await, (60, 0));
    store.append(first.refund_begun(3, 25)).await.unwrap();
    let done = store.append(first.refund_done((1, 3), 25)).await.unwrap();
    assert_eq!(done.effects.notice, Some(NoticeType::PaymentRefunded));
    assert_eq!(balance(store).await, (85, 0));
    for again in [first.refund_done((1, 3), 25), first.refund_failed((1, 3), 25)] {
        let again = store.append(again).await;
        assert!(matches!(again, Err(StoreError::Illegal(_))), "a refund ends once: {again:?}");
    }
    let other = Sample { payment: 2, key: Sample::new(2).key, ..first.clone() };
    let taken = store.admit(other.intent()).await.unwrap();
    assert!(matches!(taken, Admission::Refused(_)), "15 minor units stand: the bill is paid");

    store.append(first.refund_begun(4, 15)).await.unwrap();
    for wrong in [first.refund_done((2, 4), 14), first.refund_done((2, 3), 15)] {
        let wrong = store.append(wrong).await;
        assert!(matches!(wrong, Err(StoreError::Illegal(_))), "{wrong:?}");
    }
    let mut unposted = first.refund_done((2, 4), 15);
    if let router::record::Record::Refund(refund) = &mut unposted
        && let router::record::RefundStep::Done(done) = &mut refund.step
    {
        done.entry = router::posting::Entry::default();
    }
    let unposted = store.append(unposted).await.err();
    assert_eq!(unposted, Some(StoreError::EntryDiffers { kind: "refund" }));
    store.append(first.refund_done((2, 4), 15)).await.unwrap();
    assert_eq!(balance(store).await, (100, 0));
    let refunded = store.payment(first.id()).await.unwrap().unwrap();
    assert_eq!((refunded.state, refunded.is_open()), (PaymentState::Refunded, false));
    assert_eq!(router::invariant::refunds_fit(&refunded), Ok(()));
    let free = Sample { payment: 5, key: Sample::new(5).key, ..first };
    let free = store.admit(free.intent()).await.unwrap();
    assert!(matches!(free, Admission::Granted { .. }), "{free:?}");
}

/// Sixty-four refunds of one payment at once, which could pay 32 of them: 32 begin, and the others
/// are told that they cannot.
pub async fn sixty_four_refunds_at_once_never_give_back_more_than_was_paid(store: &Store) {
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    let payment = Sample { hold: Some(("float:1", 64)), ..Sample::new(1) };
    store.admit(payment.intent()).await.unwrap();
    store.append(payment.approved()).await.unwrap();
    let mut asked = JoinSet::new();
    for number in 0..64 {
        let (store, record) = (store.clone(), payment.refund_begun(number, 2));
        asked.spawn(async move { store.append(record).await });
    }
    let told = asked.join_all().await;
    let begun = told.iter().filter(|answer| answer.is_ok()).count();
    let refused = told.iter().filter(|answer| matches!(answer, Err(StoreError::Illegal(_))));
    assert_eq!((begun, refused.count()), (32, 32), "{told:?}");
    let known = store.payment(payment.id()).await.unwrap().unwrap();
    assert_eq!(known.refund_sums().map(|sums| sums.taken_minor), Some(64));

    let mut ended = JoinSet::new();
    for (place, number) in (0..).zip(&known.refunds).map(|(place, refund)| (place, refund.id)) {
        let number = (0..64).find(|of| router::id::RefundId::of(known.id, *of) == number).unwrap();
        for _ in 0..2 {
            let (store, record) = (store.clone(), payment.refund_done((place, number), 2));
            ended.spawn(async move { store.append(record).await });
        }
    }
    let done = ended.join_all().await.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(done, 32, "each ends once");
    assert_eq!(balance(store).await, (100, 0), "what was paid and no more");
    let refunded = store.payment(payment.id()).await.unwrap().unwrap();
    assert_eq!(refunded.state, PaymentState::Refunded);
}

/// A refund that is asked for twice at once begins once; a later repeat finds it as it stands.
pub async fn a_refund_begins_once_for_each_key(store: &Store) {
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    let payment = paid(store, 1).await;
    let mut asked = JoinSet::new();
    for _ in 0..16 {
        let (store, record) = (store.clone(), payment.refund_begun(7, 5));
        asked.spawn(async move { store.append(record).await });
    }
    let begun = asked.join_all().await.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(begun, 1);
    store.append(payment.refund_done((0, 7), 5)).await.unwrap();
    let again = store.append(payment.refund_begun(7, 5)).await;
    assert!(matches!(again, Err(StoreError::Illegal(_))), "{again:?}");
    let known = store.payment(payment.id()).await.unwrap().unwrap();
    let (place, refund) = known.refund_of(router::id::RefundId::of(known.id, 7)).unwrap();
    assert_eq!((place, refund.amount_minor, refund.fingerprint), (0, 5, payment.fingerprint));
    assert!(matches!(refund.end, Some((_, RefundEnd::Done(_)))), "{refund:?}");
    assert_eq!(balance(store).await, (65, 0));
}
