//! CQL that is away for a while: nodes outlive it, pay as soon as it is back, and can be stopped.

use std::process::ExitStatus;
use std::time::Duration;

use rig::{Proxy, Redis, RedisOptions};
use tokio::time::Instant;

use crate::cluster::client::Bank;
use crate::cluster::node::{NODE_MAX, Node, pause, within};
use crate::cluster::town::{Plan, Town};
use crate::harness::card_order;

/// Longer than anything but the journal is tried, and shorter than the journal is.
const AWAY: Duration = Duration::from_secs(20);
/// A payment comes two seconds after CQL is back at the latest; this machine may be busy.
const BACK_MAX: Duration = Duration::from_secs(5);
/// Lines of one kind in the log of a node, of an outage that hundreds of requests and tries meet.
const LINES_MAX: usize = 12;

const STOP: &str = "[drain]\ngrace_ms = 2000\nclose_ms = 3000\n";
/// Both together, the margin of the thread that ends a stop which hangs, and a busy machine.
const STOP_MAX: Duration = Duration::from_secs(5 + 1 + 6);

fn plan<'a>(redis: &Redis, nodes: usize, extra: &'a str) -> Plan<'a> {
    Plan { nodes, redis: format!("urls = [\"{}\"]", redis.url()), extra }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_outlive_cql_being_away_and_pay_as_soon_as_it_is_back() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let town = Town::start(plan(&redis, 2, "")).await;
    let banks = [Bank::new("TERM0001", 2), Bank::new("TERM0002", 2)];
    for (node, bank) in banks.iter().enumerate() {
        pays(&town, bank, node).await;
    }
    outlived(&town, &banks, "cut off", Proxy::cut).await;
    outlived(&town, &banks, "silent", Proxy::cut_towards_client).await;
    let verified = town.cauce(&["journal", "verify"]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

async fn outlived(town: &Town, banks: &[Bank; 2], kind: &str, cut: fn(&Proxy)) {
    let logs: Vec<usize> = town.nodes.iter().map(|node| node.log().len()).collect();
    town.nodes.iter().for_each(|node| cut(&node.cql));
    let began = Instant::now();
    // Asked all the time, at both: the journals have something to write, and callers to refuse.
    while began.elapsed() < AWAY {
        for (node, bank) in banks.iter().enumerate() {
            bank.ask(&town.nodes, node, "0200", &bank.request(&card_order(15_000))).await;
            assert_eq!(town.nodes[node].ended(), None, "{}", town.nodes[node].log_tail());
        }
        pause(Duration::from_millis(50)).await;
    }
    town.nodes.iter().for_each(|node| node.cql.heal());
    let (one, two) = tokio::join!(pays(town, &banks[0], 0), pays(town, &banks[1], 1));
    println!("CQL was {kind} for {AWAY:?}; first payments after {one:?} and {two:?}");
    assert!(one < BACK_MAX && two < BACK_MAX, "{one:?}, {two:?}");
    for (node, from) in town.nodes.iter().zip(logs) {
        node.wait_ready().await;
        no_line_is_told_all_the_time(&node.log()[from..]);
    }
}

/// Asks with one payment after another until one is approved; how long that took.
async fn pays(town: &Town, bank: &Bank, node: usize) -> Duration {
    let began = Instant::now();
    within("a payment", NODE_MAX, async || {
        let request = bank.request(&card_order(15_000));
        let answer = bank.ask(&town.nodes, node, "0200", &request).await?;
        (answer.response_code() == "00").then_some(())
    })
    .await;
    began.elapsed()
}

fn no_line_is_told_all_the_time(log: &str) {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let message = line["fields"]["message"].as_str().unwrap_or_default().to_owned();
        *counts.entry(message).or_default() += 1;
    }
    counts.retain(|_, count| *count > LINES_MAX);
    assert!(counts.is_empty(), "told too often: {counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_ends_in_its_time_whenever_cql_goes_away() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let town = Town::start(plan(&redis, 1, STOP)).await;
    let (node, bank) = (&town.nodes[0], Bank::new("TERM0001", 1));
    pays(&town, &bank, 0).await;
    let (status, took) = stopped(node).await;
    assert_eq!(status.code(), Some(0), "a clean stop\n{}", node.log_tail());
    println!("clean: {took:?}");

    // Nothing is under way.
    restarted(node).await;
    node.cql.cut();
    let (status, took) = stopped(node).await;
    println!("CQL away, nothing under way: {took:?}, {status}");
    node.cql.heal();

    // A payment is under way: it is sent, and its answer cannot be recorded.
    restarted(node).await;
    pays(&town, &bank, 0).await;
    let before = town.issuer.counts().payments;
    let late = bank.request(&card_order(15_069));
    let (_, (status, took)) = tokio::join!(bank.ask(&town.nodes, 0, "0200", &late), async {
        within("the payment to be sent", NODE_MAX, async || {
            (before < town.issuer.counts().payments).then_some(())
        })
        .await;
        node.cql.cut();
        stopped(node).await
    });
    println!("CQL away, a payment under way: {took:?}, {status}");
    assert_eq!(status.code(), Some(3), "{}", node.log_tail());
    node.cql.heal();

    // The writer is stuck in a frame for longer than its node takes for a stall.
    restarted(node).await;
    pays(&town, &bank, 0).await;
    node.cql.cut();
    let stuck = bank.request(&card_order(15_000));
    assert!(bank.ask(&town.nodes, 0, "0200", &stuck).await.is_none(), "nothing can be recorded");
    let (status, took) = stopped(node).await;
    println!("CQL away, the writer stuck: {took:?}, {status}");
    assert_eq!(status.code(), Some(3), "{}", node.log_tail());
    node.cql.heal();

    // What was cut short is decided by the next start.
    restarted(node).await;
    pays(&town, &bank, 0).await;
    let again = bank.must(&town.nodes, 0, "0201", &late).await;
    assert_eq!(again.response_code(), "68", "unknown, and reversed");
    assert_eq!(stopped(node).await.0.code(), Some(0), "{}", node.log_tail());
}

async fn restarted(node: &Node) {
    node.start().await;
    node.wait_ready().await;
}

/// SIGTERM; how the process ended and how long that took, which has an end.
async fn stopped(node: &Node) -> (ExitStatus, Duration) {
    let began = Instant::now();
    let status = node.terminate().await;
    let took = began.elapsed();
    assert!(took < STOP_MAX, "{took:?}\n{}", node.log_tail());
    (status, took)
}
