//! What was paid of a bill is known again when Redis has lost it.

use rig::{Redis, RedisOptions};
use router::outcome::{Decline, Outcome};
use router::reason::Reason;
use storage::conformance::sample::{self, Sample};
use storage::{Admission, Store, StoreError};

use crate::support::{PATIENCE, World, stop};

const BILL: u128 = 5;
const BILL_MINOR: i64 = 100;

/// A payment that pays so much of the bill.
fn part(n: u64, minor: i64) -> Sample {
    Sample { bill: Some((BILL, BILL_MINOR)), hold: Some(("float:1", minor)), ..Sample::new(n) }
}

/// What comes of asking, once the gate decides: granted, or why not.
async fn asked(store: &Store, sample: &Sample) -> Result<(), Reason> {
    let began = std::time::Instant::now();
    loop {
        match store.admit(sample.intent()).await {
            Err(StoreError::Guard(_)) => {
                assert!(began.elapsed() < PATIENCE, "the gate stays closed")
            }
            Ok(Admission::Granted { .. }) => return Ok(()),
            Ok(Admission::Refused(payment)) => {
                let Some(Outcome::Declined(Decline { reason, .. })) = payment.outcome else {
                    panic!("a decline: {payment:?}")
                };
                return Err(reason);
            }
            other => panic!("a decision: {other:?}"),
        }
        tokio::task::yield_now().await;
    }
}

async fn paid(store: &Store, sample: &Sample) {
    assert_eq!(asked(store, sample).await, Ok(()));
    store.append(sample.approved()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_of_a_bill_is_counted_as_before_once_the_gate_was_lost() {
    let started = tokio::task::spawn_blocking(|| {
        let redis = Redis::start(RedisOptions::default()).unwrap();
        let world = World::over(&redis.url());
        (redis, world.node("node-1").0)
    });
    let (redis, node) = started.await.unwrap();
    let store = node.store().clone();
    store.append(sample::top_up("float:1", 1_000)).await.unwrap();
    // 40 stand, 25 were given back, 20 of 30 were given back, 5 were declined.
    paid(&store, &part(1, 40)).await;
    paid(&store, &part(2, 25)).await;
    store.append(part(2, 25).reversal_asked()).await.unwrap();
    store.append(part(2, 25).approval_reversed(0)).await.unwrap();
    paid(&store, &part(3, 30)).await;
    store.append(part(3, 30).part_owed(30, 10)).await.unwrap();
    store.append(part(3, 30).part_confirmed(20, 10)).await.unwrap();
    assert_eq!(asked(&store, &part(4, 5)).await, Ok(()));
    store.append(part(4, 5).declined()).await.unwrap();
    let epoch = node.served().unwrap();
    let flushed = tokio::task::spawn_blocking(move || {
        redis.flush_all().unwrap();
        redis
    });
    let redis = flushed.await.unwrap();
    let waited = node.clone();
    let reopened = tokio::task::spawn_blocking(move || {
        rig::eventually("a new epoch", PATIENCE, || {
            let is_new = waited.served() > Some(epoch);
            is_new.then_some(()).ok_or_else(|| rig::Error::new("not yet"))
        })
        .unwrap();
    });
    reopened.await.unwrap();
    // 50 of 100 stand.
    assert_eq!(asked(&store, &part(5, 51)).await, Err(Reason::AmountMismatch));
    assert_eq!(asked(&store, &part(6, 50)).await, Ok(()));
    assert_eq!(asked(&store, &part(7, 1)).await, Err(Reason::BillInProgress), "while it is open");
    store.append(part(6, 50).approved()).await.unwrap();
    assert_eq!(asked(&store, &part(8, 1)).await, Err(Reason::BillAlreadyPaid));
    stop(node).await;
    drop(redis);
}
