//! A Redis that forgets or is gone, and nodes that die.

use rig::{Redis, RedisOptions};
use router::outcome::{Decline, Outcome};
use router::payment::PaymentState;
use router::reason::Reason;
use storage::conformance::sample::{self, Sample};
use storage::{Admission, StoreError};

use crate::support::{PATIENCE, World, served, stop};

/// Runs what blocks away from the runtime's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_forgot_is_put_back_before_anything_is_decided() {
    let (redis, world, (node, _)) = blocking(|| {
        let redis = Redis::start(RedisOptions::default()).unwrap();
        let world = World::over(&redis.url());
        let node = world.node("node-1");
        (redis, world, node)
    })
    .await;
    let store = node.store().clone();
    let once = |n| Sample { counter: Some((7, 1)), hold: Some(("float:1", 40)), ..Sample::new(n) };
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    assert!(matches!(store.admit(once(1).intent()).await, Ok(Admission::Granted { .. })));
    store.append(once(1).approved()).await.unwrap();
    let open = Sample { hold: Some(("float:1", 25)), ..Sample::new(2) };
    assert!(matches!(store.admit(open.intent()).await, Ok(Admission::Granted { .. })));
    let epoch = node.served().unwrap();

    let _redis = blocking(move || {
        redis.flush_all().unwrap();
        redis
    })
    .await;
    // Whatever is asked meanwhile is refused or told what it was told before.
    let (mut asked, began) = (10, std::time::Instant::now());
    loop {
        match store.admit(once(asked).intent()).await {
            Err(StoreError::Guard(_)) => {
                asked += 1;
                assert!(began.elapsed() < PATIENCE, "the gate stays closed");
            }
            Ok(Admission::Refused(payment)) => {
                let ours = Decline::ours(Reason::DailyCountExceeded);
                assert_eq!(payment.outcome, Some(Outcome::Declined(ours)));
                break;
            }
            other => panic!("decided on what Redis had forgotten: {other:?}"),
        }
    }
    blocking({
        let node = node.clone();
        move || served(&node)
    })
    .await;
    assert!(node.served().unwrap() > epoch, "a new epoch");
    let again = store.admit(Sample { payment: 9, ..once(1) }.intent()).await.unwrap();
    assert!(
        matches!(again, Admission::Replay(ref payment) if payment.id == once(1).id()),
        "{again:?}"
    );
    let balance =
        store.account_balance(sample::account("float:1"), sample::currency()).await.unwrap();
    assert_eq!((balance.balance, balance.held), (60, 25));
    stop(node).await;
    drop(world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_told_its_answer_while_the_gate_is_closed() {
    let (redis, (node, _)) = blocking(|| {
        let redis = Redis::start(RedisOptions::default()).unwrap();
        let node = World::over(&redis.url()).node("node-1");
        (redis, node)
    })
    .await;
    let store = node.store().clone();
    store.admit(Sample::new(1).intent()).await.unwrap();
    store.append(Sample::new(1).approved()).await.unwrap();
    // Written to the read models before.
    store.payment_by_folio(Sample::new(1).intent().folio).await.unwrap();
    let day = Sample::new(1).intent().plan.business_date;
    store.payments_of_biller(sample::biller(), day, None, 1).await.unwrap();
    blocking(move || redis.kill()).await;
    // On a line a repeat has the trace of the first.
    let repeating = |sample: Sample| {
        let mut intent = sample.intent();
        intent.request.trace = Sample::new(1).intent().request.trace;
        intent
    };
    let repeat = repeating(Sample { payment: 5, ..Sample::new(1) });
    let repeat = store.admit(repeat).await.unwrap();
    assert!(matches!(repeat, Admission::Replay(ref payment) if payment.id == Sample::new(1).id()));
    let reused = Sample { payment: 6, fingerprint: 9 << 64, ..Sample::new(1) };
    let reused = store.admit(repeating(reused)).await.unwrap();
    assert!(matches!(reused, Admission::KeyReused(owner) if owner == Sample::new(1).id()));
    let fresh = store.admit(Sample::new(7).intent()).await;
    assert!(matches!(fresh, Err(StoreError::Guard(_))), "nothing new is admitted: {fresh:?}");
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_node_s_lane_is_taken_over_with_all_it_left_open() {
    let (dead, (live, _)) = blocking(|| {
        let world = World::fresh();
        let (dead, _) = world.node("node-1");
        (dead, world.node("node-2"))
    })
    .await;
    let lost = dead.store().clone();
    let held = Sample { hold: Some(("float:1", 40)), ..Sample::new(1) };
    lost.append(sample::top_up("float:1", 100)).await.unwrap();
    lost.admit(held.intent()).await.unwrap();
    // Its threads stop as those of a node do that hangs; its store does not know.
    let mut taken = live.taken().unwrap();
    blocking({
        let dead = dead.clone();
        move || dead.stop()
    })
    .await;
    let taken = tokio::time::timeout(PATIENCE, taken.recv()).await.unwrap().unwrap();
    assert_eq!(taken.store.lane(), lost.lane());
    let open: Vec<_> = taken.recovered.open.iter().map(|payment| payment.id).collect();
    assert_eq!(open, [held.id()], "what was sent is open");
    // The old owner can say nothing any more, and knows it.
    let late = lost.append(held.approved()).await;
    assert!(matches!(late, Err(StoreError::Failed)), "{late:?}");
    taken.store.append(held.unknown()).await.unwrap();
    let seen = live.store().payment(held.id()).await.unwrap();
    assert_eq!(taken.store.payment(held.id()).await.unwrap().unwrap().state, PaymentState::Unknown);
    assert!(seen.is_none_or(|payment| payment.state != PaymentState::Approved));
    drop(taken);
    stop(live).await;
}
