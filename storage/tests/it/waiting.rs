//! Payments that wait, and refunds under way, over a restart.

use router::exchange::InquiryFinding;
use router::payment::PaymentState;
use storage::conformance::sample::{self, Sample};
use storage::verify::verify;
use storage::{Settings, Store};

use crate::support::{fresh, open, settings};

fn held(n: u64) -> Sample {
    Sample { hold: Some(("float:1", 40)), ..Sample::new(n) }
}

async fn balance(store: &Store) -> (i64, i64) {
    let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
    balance.map(|balance| (balance.balance, balance.held)).unwrap()
}

#[tokio::test]
async fn payments_that_wait_and_refunds_under_way_survive_a_restart_from_journal_and_snapshot() {
    for with_snapshot in [false, true] {
        let dir = fresh();
        let settings = Settings { segment_len_max: 2_000, ..settings(&dir) };
        let small = Settings { snapshot_segments: 1, ..settings.clone() };
        let (store, _) = open(&settings);
        store.append(sample::top_up("float:1", 1_000)).await.unwrap();
        for n in 1..=5 {
            store.admit(held(n).intent()).await.unwrap();
        }
        for n in 1..=2 {
            store.append(held(n).awaiting()).await.unwrap();
        }
        store.append(held(2).confirming()).await.unwrap();
        store.append(held(3).approved()).await.unwrap();
        store.settled().await.unwrap();
        store.append(held(3).refund_begun(1, 10)).await.unwrap();
        store.append(held(3).refund_begun(2, 30)).await.unwrap();
        store.append(held(3).refund_done((1, 2), 30)).await.unwrap();
        store.append(held(4).unknown()).await.unwrap();
        store.append(held(4).inquired(InquiryFinding::NotFound)).await.unwrap();
        store.append(held(5).awaiting()).await.unwrap();
        store.append(held(5).expired(0)).await.unwrap();
        let before = balance(&store).await;
        assert_eq!(before, (990, 120));
        store.close().await;
        if with_snapshot {
            assert!(storage::snapshot_now(&small).unwrap());
        }

        let (store, recovered) = open(&settings);
        assert_eq!(balance(&store).await, before);
        let open: Vec<_> =
            recovered.open.iter().map(|payment| (payment.id, payment.state)).collect();
        let states = [
            PaymentState::AwaitingPayer,
            PaymentState::Sent,
            PaymentState::Refunding,
            PaymentState::Unknown,
        ];
        let expected: Vec<_> = (1..=4).map(|n| held(n).id()).zip(states).collect();
        assert_eq!(open, expected);
        let end = sample::at(sample::later::WAIT_MICROS);
        assert_eq!(*store.first_wait_end().borrow(), Some(end));
        assert_eq!(store.waits_over_at(end, 9), [held(1).id()]);
        let wait = recovered.open[0].wait.as_ref().unwrap();
        assert_eq!(wait.reference.as_str(), "order-000123456789");
        let owed: Vec<_> =
            store.owed_payments().await.unwrap().into_iter().map(|it| it.1).collect();
        assert_eq!(owed, [held(4).id()], "what waits or is refunded is not to be undone");
        store.append(held(1).confirming()).await.unwrap();
        store.append(held(1).approved()).await.unwrap();
        store.append(held(3).refund_done((0, 1), 10)).await.unwrap();
        assert_eq!(balance(&store).await, (960, 80));
        store.close().await;
        verify(dir.path()).unwrap();
    }
}
