//! Payments that wait, and unknown ones of which an inquiry tells more.

use router::exchange::InquiryFinding;
use router::notice::NoticeType;
use router::outcome::{Approval, Decline, Outcome};
use router::payment::PaymentState;
use router::reason::Reason;
use router::reservation::Keep;

use super::sample::later::WAIT_MICROS;
use super::sample::{self, Sample};
use crate::store::{Admission, Store, StoreError};

/// A payment of 40 from a float, for a bill.
fn held(n: u64) -> Sample {
    let slot = Some((5, Keep::WhileApproved));
    Sample { hold: Some(("float:1", 40)), slot, ..Sample::new(n) }
}

async fn balance(store: &Store) -> (i64, i64) {
    let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
    balance.map(|balance| (balance.balance, balance.held)).unwrap()
}

async fn state(store: &Store, sample: &Sample) -> PaymentState {
    store.payment(sample.id()).await.unwrap().unwrap().state
}

async fn is_granted(store: &Store, sample: &Sample) -> bool {
    matches!(store.admit(sample.intent()).await.unwrap(), Admission::Granted { .. })
}

/// A payment that waits keeps its hold and its slot until its wait is over, is open all that time,
/// and is told as waiting to a repeat.
pub async fn a_payment_that_waits_keeps_what_it_reserved_until_it_expires(store: &Store) {
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    assert!(is_granted(store, &held(1)).await);
    assert_eq!(*store.first_wait_end().borrow(), None);
    store.append(held(1).awaiting()).await.unwrap();
    assert_eq!((balance(store).await, state(store, &held(1)).await), waiting_with(40));
    assert!(!is_granted(store, &held(2)).await, "its bill is being paid");
    let repeat = Sample { payment: 3, ..held(1) };
    let Ok(Admission::Replay(told)) = store.admit(repeat.intent()).await else {
        panic!("a payment that waits is told as it stands")
    };
    assert_eq!((told.id, told.outcome.clone()), (held(1).id(), None));
    assert_eq!(store.open_payments().await.unwrap().len(), 1);
    assert!(store.owed_payments().await.unwrap().is_empty(), "nothing is to be undone");

    let end = sample::at(WAIT_MICROS);
    assert_eq!(*store.first_wait_end().borrow(), Some(end));
    assert_eq!(store.waits_over_at(end.plus_micros(-1), 9), []);
    assert_eq!(store.waits_over_at(end, 9), [held(1).id()]);
    let early = store.append(held(1).expired(-1)).await;
    assert!(matches!(early, Err(StoreError::Illegal(_))), "{early:?}");
    assert_eq!(balance(store).await, (100, 40));
    let ended = store.append(held(1).expired(0)).await.unwrap();
    assert_eq!(ended.effects.notice, Some(NoticeType::PaymentExpired));
    assert_eq!((balance(store).await, state(store, &held(1)).await).0, (100, 0));
    assert_eq!((*store.first_wait_end().borrow(), store.stats().waiting), (None, 0));
    assert!(store.open_payments().await.unwrap().is_empty());
    let Ok(Admission::Replay(told)) = store.admit(repeat.intent()).await else {
        panic!("a payment that expired is told so")
    };
    let ours = Outcome::Declined(Decline::ours(Reason::PayerTimeout));
    assert_eq!((told.state, told.outcome.clone()), (PaymentState::Expired, Some(ours)));
    assert!(is_granted(store, &held(4)).await, "its bill may be paid again");
}

fn waiting_with(held: i64) -> ((i64, i64), PaymentState) {
    ((100, held), PaymentState::AwaitingPayer)
}

/// Of a payer's confirmation and the end of the wait one wins; what was confirmed has the outcome
/// that its participant gives.
pub async fn of_a_confirmation_and_the_end_of_a_wait_one_wins(store: &Store) {
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    assert!(is_granted(store, &held(1)).await);
    store.append(held(1).awaiting()).await.unwrap();
    let (confirmed, expired) =
        tokio::join!(store.append(held(1).confirming()), store.append(held(1).expired(0)));
    assert!(confirmed.is_ok() != expired.is_ok(), "{confirmed:?} and {expired:?}");
    if confirmed.is_ok() {
        assert_eq!((balance(store).await, state(store, &held(1)).await).1, PaymentState::Sent);
        assert_eq!(*store.first_wait_end().borrow(), None);
        store.append(held(1).approved()).await.unwrap();
        assert_eq!(balance(store).await, (60, 0));
    }
    // The participant may tell by itself, without anything that the payer gives the switch.
    let other = Sample { slot: None, ..held(2) };
    assert!(is_granted(store, &other).await);
    store.append(other.awaiting()).await.unwrap();
    store.append(other.approved()).await.unwrap();
    let late = store.append(other.expired(0)).await;
    assert!(matches!(late, Err(StoreError::Illegal(_))), "{late:?}");
    assert_eq!(state(store, &other).await, PaymentState::Approved);
}

/// An approval behind an expiry owes a reversal; the expiry had released its hold.
pub async fn an_approval_behind_an_expiry_owes_a_reversal(store: &Store) {
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    assert!(is_granted(store, &held(1)).await);
    store.append(held(1).awaiting()).await.unwrap();
    store.append(held(1).expired(0)).await.unwrap();
    let late = store.append(held(1).late()).await.unwrap();
    assert!(late.effects.owes_reversal);
    assert_eq!(store.owed_payments().await.unwrap().len(), 1);
    store.append(held(1).reversal_owed_anew()).await.unwrap();
    let ended = store.append(held(1).reversal_confirmed()).await.unwrap();
    assert_eq!(ended.effects.settle, None, "nothing is held, nothing was posted");
    assert_eq!((balance(store).await, state(store, &held(1)).await).1, PaymentState::Reversed);
    assert_eq!(balance(store).await, (100, 0));
}

/// What an inquiry finds of an unknown payment posts or releases what was held; where nothing is
/// found, it stays held until the reversal is confirmed.
pub async fn an_inquiry_ends_an_unknown_payment_or_leaves_its_reversal_owed(store: &Store) {
    store.append(sample::top_up("float:1", 200)).await.unwrap();
    let unknown = async |n| {
        let sample = Sample { slot: None, ..held(n) };
        assert!(is_granted(store, &sample).await);
        store.append(sample.unknown()).await.unwrap();
        sample
    };
    let decline = Decline { reason: Reason::CardDeclined, network_code: Some(*b"05") };
    let findings = [
        (InquiryFinding::Approved(Approval::default()), PaymentState::Approved, (160, 0)),
        (InquiryFinding::DeemedApproved, PaymentState::Approved, (120, 0)),
        (InquiryFinding::Declined(decline), PaymentState::Declined, (120, 0)),
        (InquiryFinding::NotFound, PaymentState::Unknown, (120, 40)),
    ];
    for (n, (finding, expected, left)) in (1..).zip(findings) {
        let sample = unknown(n).await;
        store.append(sample.inquired(finding)).await.unwrap();
        assert_eq!((state(store, &sample).await, balance(store).await), (expected, left));
    }
    let not_found = Sample { slot: None, ..held(4) };
    let open: Vec<_> = store.owed_payments().await.unwrap().into_iter().map(|it| it.1).collect();
    assert_eq!(open, [not_found.id()]);
    store.append(not_found.reversal_owed_for(router::outcome::Cause::Timeout)).await.unwrap();
    store.append(not_found.reversal_confirmed()).await.unwrap();
    assert_eq!(balance(store).await, (120, 0));
    assert!(store.append(not_found.late()).await.unwrap().effects.owes_reversal);
    assert_eq!(state(store, &not_found).await, PaymentState::Reversing);

    // An approval that posts nothing, or a decline that posts something, is not recorded.
    let sample = unknown(5).await;
    let mut wrong = sample.inquired(findings[0].0);
    if let router::record::Record::Inquiry(inquiry) = &mut wrong {
        inquiry.entry = router::posting::Entry::default();
    }
    let refused = store.append(wrong).await.err();
    assert_eq!(refused, Some(StoreError::EntryDiffers { kind: "inquiry" }));
}
