//! A Redis that forgets: a new epoch, nothing paid twice, and service again soon.

use std::sync::Arc;
use std::time::Duration;

use rig::{Redis, RedisOptions};
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::audit::{Quiet, settled};
use crate::cluster::books::first_seen;
use crate::cluster::client::Bank;
use crate::cluster::load::{Load, floats};
use crate::cluster::node::{NODE_MAX, pause, within};
use crate::cluster::redis::RedisPair;
use crate::cluster::town::{Plan, Town};
use crate::harness::card_order;

/// While a Redis sleeps, its connections are open and nothing comes.
const ASLEEP: Duration = Duration::from_secs(2);
/// What a promoted replica has not heard of.
const TAIL: Duration = Duration::from_millis(400);

/// What makes a Redis forget.
type Forget = fn(&RedisPair);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_redis_forgets_is_never_paid_again() {
    let pair = tokio::task::block_in_place(RedisPair::start);
    let extra = floats();
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", pair.url()), extra: &extra };
    let town = Arc::new(Town::start(plan).await);
    town.endpoints(&["isp-ve", "lender-mx"]).await;
    let seed = rand::random();
    println!("seed {seed}");
    let load = Load::start(&town, seed, 6, Duration::from_millis(40));
    within("the load to run", NODE_MAX, async || (load.heard.answered() > 20).then_some(())).await;
    let mut epoch = epoch(&town).await;
    let forgets: [(&str, Forget); 4] = [
        ("FLUSHALL", |pair| pair.primary().flush_all().expect("a flush")),
        ("restarted empty", |pair| pair.primary().restart().expect("a restart")),
        ("promoted, its tail lost", RedisPair::fail_over),
        ("promoted beside a primary that lives", RedisPair::promote),
    ];
    for (what, forget) in forgets {
        if what.starts_with("promoted") {
            pair.cut_replication();
            pause(TAIL).await;
        }
        tokio::task::block_in_place(|| forget(&pair));
        epoch = next_epoch(&town, &load, epoch, what).await;
        tokio::task::block_in_place(|| pair.heal());
    }
    pair.primary().pause().expect("a pause");
    pause(ASLEEP).await;
    pair.primary().resume().expect("a signal");
    serves_again(&town, &load, "paused").await;
    let heard = load.stop().await;
    let mut books = settled(&town, &heard, Quiet { patience: NODE_MAX }).await;
    let claims = heard.claims.lock().clone();
    let seen = first_seen(&town.bank_log().await);
    books.notice_lies(&town, &claims, &seen);
}

async fn epoch(town: &Town) -> u64 {
    let status = town.cauce(&["cluster", "status", "--format", "json", "--watch-ms", "100"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    match status["gate"]["state"].as_str() {
        Some("open") => status["gate"]["epoch"].as_u64().expect("an epoch"),
        _ => 0,
    }
}

async fn next_epoch(town: &Town, load: &Load, before: u64, what: &str) -> u64 {
    let epoch = within(&format!("the epoch after {before}: {what}"), NODE_MAX, async || {
        Some(epoch(town).await).filter(|epoch| *epoch > before)
    })
    .await;
    serves_again(town, load, what).await;
    epoch
}

async fn serves_again(town: &Town, load: &Load, what: &str) {
    for node in &town.nodes {
        node.wait_ready().await;
    }
    let answered = load.heard.answered();
    within("answers", NODE_MAX, async || (load.heard.answered() > answered + 10).then_some(()))
        .await;
    println!(
        "{what}: served again; longest time without an answer so far {:?}",
        load.heard.longest_gap()
    );
}

/// A node is taken for dead after this long in the test of a flush beside one.
const PATIENT: &str = "[cluster]\ntakeover_after_ms = 12000\n";
/// A flush costs less than a second, on a machine that has nothing else to do.
const FLUSH_MAX: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flush_beside_a_node_that_is_dead_or_asleep_waits_for_no_word_of_it() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: PATIENT };
    let town = Town::start(plan).await;
    let (first, second, bank) = (&town.nodes[0], &town.nodes[1], Bank::new("TERM0001", 2));
    for state in ["alive", "asleep", "dead"] {
        match state {
            "asleep" => second.pause(),
            "dead" => second.kill(),
            _ => {}
        }
        let before = epoch(&town).await;
        redis.flush_all().expect("a flush");
        let began = Instant::now();
        within("a payment", NODE_MAX, async || {
            let request = bank.request(&card_order(15_000));
            let answer = bank.ask(&town.nodes, 0, "0200", &request).await?;
            (answer.response_code() == "00").then_some(())
        })
        .await;
        let took = began.elapsed();
        println!("a flush beside a node that is {state}: {took:?} without payments");
        assert!(took < FLUSH_MAX, "{took:?}\n{}", first.log_tail());
        assert!(epoch(&town).await > before, "in a new epoch");
        if state == "asleep" {
            second.resume();
            second.wait_ready().await;
        }
    }
}
