//! The ledger of the cluster form: it balances at every position, whatever the gate forgets and
//! whenever a node dies.

use std::time::Instant;

use rig::{Redis, RedisOptions};
use storage::StoreError;
use storage::conformance::ledger::{LedgerRun, every_position_balances};
use storage::conformance::sample;
use storage::journal::Tail;
use storage_cluster::Node;
use storage_cql::Cql;
use storage_cql::frames::{self, LaneTail};

use crate::support::{PATIENCE, World, served, stop};

/// `LEDGER_SEED` in the environment runs one case again.
fn seed() -> u64 {
    std::env::var("LEDGER_SEED").map_or_else(|_| rand::random(), |it| it.parse().unwrap())
}

/// Steps of a run. One that the gate does not decide, because it is being rebuilt, is left out.
async fn steps(run: &mut LedgerRun, node: &Node, count: usize) {
    let (mut done, began) = (0, Instant::now());
    while done < count {
        match run.step(node.store()).await {
            Ok(()) => done += 1,
            Err(StoreError::Guard(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
        assert!(began.elapsed() < PATIENCE, "the gate stays closed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_position_of_a_lane_balances_whatever_the_gate_forgets() {
    let seed = seed();
    println!("LEDGER_SEED={seed}");
    let mut run = LedgerRun::new(seed);
    let (redis, world) = tokio::task::spawn_blocking(|| {
        let redis = Redis::start(RedisOptions::default()).unwrap();
        let world = World::over(&redis.url());
        (std::sync::Arc::new(redis), std::sync::Arc::new(world))
    })
    .await
    .unwrap();
    for round in 0..3 {
        let of_world = std::sync::Arc::clone(&world);
        let started = tokio::task::spawn_blocking(move || of_world.node("node-1"));
        let (node, _) = started.await.unwrap();
        steps(&mut run, &node, 40).await;
        if round > 0 {
            let flushed = std::sync::Arc::clone(&redis);
            tokio::task::spawn_blocking(move || flushed.flush_all().unwrap()).await.unwrap();
        }
        steps(&mut run, &node, 40).await;
        agrees(&world, &node).await;
        // The next node of this name takes the lane with all that is open in it.
        stop(node).await;
    }
    drop(redis);
}

/// The gate's balances are those of the lane's entries, at every record of it.
async fn agrees(world: &World, node: &std::sync::Arc<Node>) {
    let (settings, lane, waited) = (world.cql(), node.store().lane(), node.clone());
    let ledger = tokio::task::spawn_blocking(move || {
        served(&waited);
        let cql = Cql::connect(&settings).unwrap();
        let mut tail = LaneTail::open(&cql, lane, 0).unwrap();
        let end = tail.head().sequence;
        let frames =
            std::iter::from_fn(|| (tail.next_sequence() <= end).then(|| tail.next_frame()));
        let ledgers = every_position_balances(frames);
        let report = frames::verify(&cql, lane).unwrap();
        assert!(report.accounts > 0);
        for (position, ledger) in ledgers.iter().step_by(31) {
            assert_eq!(&frames::balances(&cql, lane, Some(*position)).unwrap(), ledger);
        }
        ledgers.last().unwrap().1.clone()
    });
    let ledger = ledger.await.unwrap();
    for name in ["float:1", "float:2", "cap:bank-a:MXN"] {
        let (account, currency) = (sample::account(name), sample::currency());
        let balance = node.store().account_balance(account, currency).await.unwrap();
        assert_eq!(i128::from(balance.balance), ledger.balance(account, currency), "{name}");
    }
}
