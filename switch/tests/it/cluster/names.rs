//! Two processes with one node's name, and ports that are in use.

use std::path::Path;
use std::time::Duration;

use rig::{Redis, RedisOptions};
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::client::Bank;
use crate::cluster::node::{NODE_MAX, within};
use crate::cluster::town::{Plan, Town};
use crate::harness::card_order;

/// A process is watched for half of this time before its name is taken from it.
const PATIENT: &str = "[cluster]\ntakeover_after_ms = 6000\n";

fn plan<'a>(redis: &Redis) -> Plan<'a> {
    Plan { nodes: 1, redis: format!("urls = [\"{}\"]", redis.url()), extra: PATIENT }
}

async fn status(town: &Town) -> Value {
    let ran = town.cauce(&["cluster", "status", "--format", "json"]).await;
    serde_json::from_slice(&ran.stdout).expect("JSON")
}

fn lane_epoch(status: &Value) -> u64 {
    status["lanes"][0]["epoch"].as_u64().expect("an epoch")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_later_of_two_processes_with_one_name_stays_out() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let town = Town::start(plan(&redis)).await;
    let (first, second) = (&town.nodes[0], town.twin(0));
    let bank = Bank::new("TERM0001", 1);
    let before = status(&town).await;

    // On the same data folder, a second process gets no further than that.
    let on_its_folder = town.cauce(&["serve"]).await;
    let told = String::from_utf8_lossy(&on_its_folder.stderr).into_owned();
    assert!(
        !on_its_folder.status.success() && told.contains("in use by another process"),
        "{told}"
    );

    // It is refused, however often it is tried, and the first goes on undisturbed.
    for _ in 0..2 {
        second.launch();
        assert!(!second.wait_ended().await.success());
        let told = second.last_error();
        let address = before["nodes"][0]["address"].as_str().expect("an address");
        assert!(told.contains("another process uses the name node-1"), "{told}");
        assert!(told.contains(&format!("it is at {address}, this one at 127.0.0.1:")), "{told}");
        let paid = bank.must(&town.nodes, 0, "0200", &bank.request(&card_order(15_000))).await;
        assert_eq!(paid.response_code(), "00");
    }
    let after = status(&town).await;
    assert_eq!(lane_epoch(&after), lane_epoch(&before), "its lane was not touched");
    assert_eq!(after["gate"]["epoch"], before["gate"]["epoch"]);
    let problems = after["problems"].to_string();
    assert!(problems.contains("another process uses the name node-1"), "{problems}");
    within("the first to tell of the other", NODE_MAX, async || {
        first.log().contains("another process uses this node's name").then_some(())
    })
    .await;

    // One that was killed is back before its lane would be another's; one that was stopped, at once.
    for stop in ["killed", "stopped"] {
        match stop {
            "killed" => first.kill(),
            _ => assert!(first.terminate().await.success(), "{}", first.log_tail()),
        }
        let began = Instant::now();
        first.start().await;
        first.wait_ready().await;
        println!("{stop}: ready again after {:?}", began.elapsed());
    }

    // Of two that start at the same moment one is left, whichever.
    first.kill();
    first.launch();
    second.launch();
    let ended = within("one of the two to end", NODE_MAX, async || {
        [first, &second].into_iter().find_map(|node| Some((node, node.ended()?)))
    })
    .await;
    let (refused, ended) = ended;
    assert!(!ended.success());
    let told = refused.last_error();
    assert!(told.contains("another process uses the name node-1"), "{told}");
    let left = if refused.name == first.name { &second } else { first };
    left.wait_listening().await;
    left.wait_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_port_in_use_stops_a_start_before_anything_is_touched() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let town = Town::start(plan(&redis)).await;
    let before = status(&town).await;
    assert!(town.nodes[0].terminate().await.success());
    let mut second = town.twin(0);
    for port in ["http", "iso8583", "admin", "cluster"] {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("an address");
        let file = town.dir.path().join(format!("twin-{port}.toml"));
        write(&file, &format!("[{port}]\nlisten = \"{address}\"\n"));
        second.files.push(file);
        let began = Instant::now();
        second.launch();
        assert!(!second.wait_ended().await.success());
        let told = second.last_error();
        assert!(told.contains(&format!("{port}.listen cannot listen on {address}")), "{told}");
        assert!(began.elapsed() < Duration::from_secs(30), "it waited for nothing else");
        second.files.pop();
    }
    let after = status(&town).await;
    assert_eq!(after["lanes"], before["lanes"], "no lane was taken");
    assert_eq!(after["gate"]["epoch"], before["gate"]["epoch"]);
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).expect("a file");
}
