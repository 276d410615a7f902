//! Answers behind the outcome: what they open again, and what they must not give back twice.

use router::notice::NoticeType;
use router::payment::{Effects, PaymentState};

use super::sample::{self, Sample};
use crate::{Store, StoreError};

/// What the account of [`held`] has, and what of it is held.
async fn balance(store: &Store) -> (i64, i64) {
    let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
    balance.map(|balance| (balance.balance, balance.held)).unwrap()
}

fn held(n: u64) -> Sample {
    Sample { hold: Some(("float:1", 40)), counter: Some((7, 9)), ..Sample::new(n) }
}

async fn state(store: &Store, sample: &Sample) -> PaymentState {
    store.payment(sample.id()).await.unwrap().unwrap().state
}

/// An approval behind a confirmed reversal opens the payment again. Its hold was released once and
/// is not released again; its merchant was told once.
pub async fn a_late_approval_opens_a_reversed_payment_again(store: &Store) {
    let given_up = held(1);
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    store.admit(given_up.intent()).await.unwrap();
    store.append(given_up.unknown()).await.unwrap();
    store.append(given_up.reversal_owed_for(router::outcome::Cause::Timeout)).await.unwrap();
    let first = store.append(given_up.reversal_confirmed()).await.unwrap();
    assert_eq!(first.effects.notice, Some(NoticeType::PaymentReversed));
    assert_eq!(balance(store).await, (100, 0));
    for _ in 0..3 {
        assert!(store.open_payments().await.unwrap().is_empty());
        let late = store.append(given_up.late()).await.unwrap();
        assert!(late.effects.owes_reversal);
        assert_eq!(store.open_payments().await.unwrap().len(), 1);
        let too_early = store.append(given_up.reversal_confirmed()).await;
        assert!(matches!(too_early, Err(StoreError::Illegal(_))), "of the reversal before");
        store.append(given_up.reversal_owed_anew()).await.unwrap();
        let again = store.append(given_up.reversal_confirmed()).await.unwrap();
        assert_eq!(again.effects, Effects::default());
        assert_eq!(balance(store).await, (100, 0), "what was given back stays given back");
    }
    assert_eq!(state(store, &given_up).await, PaymentState::Reversed);
}

/// An approval behind a decline opens the payment again; the decline had released its hold.
pub async fn an_approval_behind_a_decline_owes_a_reversal(store: &Store) {
    let declined = held(1);
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    store.admit(declined.intent()).await.unwrap();
    store.append(declined.declined()).await.unwrap();
    let late = store.append(declined.late()).await.unwrap();
    assert!(late.effects.owes_reversal);
    assert_eq!(state(store, &declined).await, PaymentState::Reversing);
    store.append(declined.reversal_owed_anew()).await.unwrap();
    let ended = store.append(declined.reversal_confirmed()).await.unwrap();
    assert_eq!(ended.effects.settle, None, "nothing is held, nothing was posted");
    assert_eq!(balance(store).await, (100, 0));
    let payment = store.payment(declined.id()).await.unwrap().unwrap();
    assert_eq!(payment.state, PaymentState::Reversed);
    assert!(payment.late_answer.is_some_and(|late| late.may_have_moved_money()));
}
