//! Keys that all nodes know end on all of them.

use std::time::Duration;

use rig::{Redis, RedisOptions};

use crate::cluster::town::{Plan, Town};
use crate::harness::eventually;

/// A node believes the table's word for a second; the rest is for a machine that is busy.
const DEAD_WITHIN: Duration = Duration::from_secs(8);

async fn status(town: &Town, node: usize, key: &str) -> u16 {
    town.api(node, key).get("/v1/endpoints").await.status
}

/// Uses a key at every node until every one refuses it.
async fn dead_everywhere(town: &Town, key: &str) {
    let refused = eventually("the key to be refused", async || {
        let mut told = Vec::new();
        for node in 0..town.nodes.len() {
            told.push(status(town, node, key).await);
        }
        told.iter().all(|status| *status == 401).then_some(())
    });
    tokio::time::timeout(DEAD_WITHIN, refused).await.expect("refused in time");
}

async fn key_command(town: &Town, command: &[&str]) -> String {
    let ran = town.cauce(&[&["key"], command].concat()).await;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_is_revoked_or_rotated_is_dead_on_every_node_a_second_later() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let redis = format!("urls = [\"{}\"]", redis.url());
    let town = Town::start(Plan { nodes: 2, redis, extra: "" }).await;
    let (one, two) = (town.key("isp-ve").await, town.key("isp-ve").await);
    for node in 0..2 {
        assert_eq!((status(&town, node, &one).await, status(&town, node, &two).await), (200, 200));
    }
    let listed = key_command(&town, &["list"]).await;
    assert_eq!(listed.lines().skip(1).filter(|line| line.ends_with(" isp-ve")).count(), 2);
    assert!(!listed.contains(&one) && !listed.contains(&two));

    key_command(&town, &["revoke", &one]).await;
    dead_everywhere(&town, &one).await;
    let three = key_command(&town, &["rotate", &two, "--grace-hours", "1"]).await;
    let listed = key_command(&town, &["list"]).await;
    assert_eq!(listed.lines().skip(1).count(), 2, "{listed}");
    let four = key_command(&town, &["rotate", &three, "--now"]).await;
    dead_everywhere(&town, &three).await;
    for node in 0..2 {
        assert_eq!((status(&town, node, &two).await, status(&town, node, &four).await), (200, 200));
    }
}
