//! Nodes and a Redis whose clocks differ: none of them forgets or closes anything for the others.

use rig::{FakeClock, Redis, RedisOptions};
use serde_json::{Value, json};

use crate::api::{Api, Reply};
use crate::cluster::node::{NODE_MAX, within};
use crate::cluster::town::{Plan, Town};

const DAY: i64 = 86_400;

/// Rules of a biller whose clients may pay once a day.
const ONCE_A_DAY: &str = "[[billers]]\nid = \"shop-limit\"\ncurrencies = [\"MXN\"]\n\
    time_zone = \"America/Mexico_City\"\n\
    [[limits]]\nname = \"each client once a day\"\nbillers = [\"shop-limit\"]\n\
    measure = \"count\"\nscope = \"client\"\nwindow = \"day\"\nmax = 1\n";

async fn pay(town: &Town, node: usize, api_key: &str, (key, client): (&str, &str)) -> Reply {
    let body = json!({
        "rail": "account", "amount": {"currency": "MXN", "minor": 10_000}, "client": client,
        "payer": {"account": "002010077777777771"},
    });
    town.api(node, api_key).pay(key, &body).await
}

/// Waits until `/readyz` of a node says something.
async fn wait_for_readiness(town: &Town, node: usize, words: &str) {
    within(&format!("{} to say: {words}", town.nodes[node].name), NODE_MAX, async || {
        let admin = Api::at(town.nodes[node].addresses()?.admin, "");
        let (_, text) = admin.try_text("/readyz").await?;
        text.contains(words).then_some(())
    })
    .await;
}

/// Waits until `cauce cluster status` names a problem.
async fn wait_for_problem(town: &Town, words: &str) {
    within(&format!("the status to say: {words}"), NODE_MAX, async || {
        let told = town.cauce(&["cluster", "status", "--format", "json"]).await;
        let status: Value = serde_json::from_slice(&told.stdout).ok()?;
        let problems = status["problems"].as_array()?;
        problems
            .iter()
            .any(|problem| problem.as_str().is_some_and(|it| it.contains(words)))
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_or_a_redis_with_a_wrong_clock_is_not_ready_and_harms_no_other() {
    let redis_clock = FakeClock::new().expect("libfaketime");
    let redis = RedisOptions::default().clock(&redis_clock);
    let redis = tokio::task::block_in_place(|| Redis::start(redis)).expect("a Redis");
    let urls = format!("urls = [\"{}\"]", redis.url());
    let plan = Plan { nodes: 2, redis: urls, extra: ONCE_A_DAY };
    let mut town = Town::build(plan).await;
    let node_clock = FakeClock::new().expect("libfaketime");
    town.nodes[1].environment = node_clock.environment();
    town.nodes[0].start().await;
    town.nodes[0].wait_ready().await;
    let key = town.key("shop-limit").await;
    let olds: Vec<String> = (0..8).map(|number| format!("old {number}")).collect();
    let mut ids = Vec::new();
    for old in &olds {
        let paid = pay(&town, 0, &key, (old, old)).await;
        assert_eq!(paid.status, 201, "{}", paid.body);
        ids.push(paid.body["id"].clone());
    }

    // A machine whose clock was wrong when it started, so that only the others can tell.
    for ahead in [3 * DAY, 6 * DAY, 2 * DAY] {
        node_clock.set_ahead(ahead).expect("a clock");
        // What it knew of the time goes with its folder.
        let _ = std::fs::remove_file(town.dir.path().join("node-2").join("clock.json"));
        town.nodes[1].start().await;
        wait_for_readiness(&town, 1, "the clock of Redis is").await;
        let refused = pay(&town, 1, &key, (&format!("wrong {ahead}"), "client")).await;
        assert_eq!((refused.status, refused.text("/code")), (503, "gate_unavailable"));
        wait_for_problem(&town, "the clock of node-2 is").await;
        town.nodes[1].kill();
    }
    // The wrong clock of Redis.
    redis_clock.set_ahead(5 * DAY).expect("a clock");
    wait_for_readiness(&town, 0, "the clock of Redis is").await;
    assert_eq!(pay(&town, 0, &key, ("in the jump", "client")).await.status, 503);
    redis_clock.set_ahead(0).expect("a clock");
    town.nodes[0].wait_ready().await;

    node_clock.set_ahead(0).expect("a clock");
    let _ = std::fs::remove_file(town.dir.path().join("node-2").join("clock.json"));
    town.nodes[1].start().await;
    town.nodes[1].wait_ready().await;
    for node in [0, 1] {
        for (old, id) in olds.iter().zip(&ids) {
            let repeat = pay(&town, node, &key, (old, old)).await;
            assert_eq!((repeat.status, &repeat.body["id"]), (201, id), "{old} at {node}");
        }
        let fresh = format!("fresh {node}");
        assert_eq!(pay(&town, node, &key, (&fresh, &fresh)).await.status, 201, "its first today");
        let again = pay(&town, node, &key, (&format!("again {node}"), "old 1")).await;
        assert_eq!(again.text("/code"), "daily_count_exceeded");
    }
}
