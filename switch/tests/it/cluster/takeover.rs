//! A node that dies, sleeps or is stopped: another takes its lane, and gives it back.

use std::sync::Arc;
use std::time::Duration;

use loadtest::simulator::acquirer::Fields;
use loadtest::simulator::merchant::Script;
use rig::{Redis, RedisOptions};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cluster::audit::{Quiet, settled};
use crate::cluster::client::Bank;
use crate::cluster::load::{Load, floats};
use crate::cluster::node::{NODE_MAX, pause, within};
use crate::cluster::town::{Plan, Town, path_of};
use crate::harness::{card_order, net_debits};

/// Longer than a node may be silent.
const ASLEEP: Duration = Duration::from_millis(5_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_s_lane_is_taken_over_and_taken_back() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let extra = floats();
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: &extra };
    let town = Arc::new(Town::start(plan).await);
    let keys = town.endpoints(&["isp-ve", "lender-mx"]).await;
    let key = &keys["isp-ve"];
    what_a_killed_node_left_open_is_reversed_and_its_notices_are_sent(&town, key).await;
    a_node_that_slept_too_long_ends_and_comes_back(&town).await;
    a_rolling_restart_refuses_nothing(&town).await;
}

async fn what_a_killed_node_left_open_is_reversed_and_its_notices_are_sent(
    town: &Arc<Town>,
    key: &str,
) {
    let (first, second) = (&town.nodes[0], &town.nodes[1]);
    let path = path_of("isp-ve");
    // Notices that are owed when the node dies …
    town.merchant.rewrite(&path, Script::RefuseThenAccept { status: 503, times: u32::MAX });
    let bank = Bank::new("TERM0001", 2);
    let paid = bank.must(&town.nodes, 0, "0200", &bank.request(&card_order(15_000))).await;
    assert_eq!(paid.response_code(), "00");
    // … and payments that were sent and have no answer.
    let before = town.issuer.counts().payments;
    let silent: Vec<Fields> = (0..8).map(|_| bank.request(&card_order(15_068))).collect();
    let asked = async {
        let lines: Vec<Bank> = (0..8).map(|nth| Bank::new(&format!("TERM1{nth:03}"), 2)).collect();
        let asked = silent.iter().zip(&lines);
        let asked = asked.map(|(request, bank)| bank.ask(&town.nodes, 0, "0200", request));
        futures_util::future::join_all(asked).await
    };
    let killed = async {
        within("them to be sent", NODE_MAX, async || {
            (before + 8 <= town.issuer.counts().payments).then_some(())
        })
        .await;
        first.kill();
    };
    let (answers, ()) = tokio::join!(asked, killed);
    assert!(answers.iter().all(Option::is_none), "it was killed before it answered");
    let began = Instant::now();
    town.merchant.rewrite(&path, Script::Accept);
    within("the node that lives to have everything reversed", NODE_MAX, async || {
        let truth = town.issuer.truth();
        let open = truth.iter().filter(|effect| effect.amount_minor == 15_068);
        open.map(net_debits).all(|net| net == 0).then_some(())
    })
    .await;
    println!("a killed node's payments were reversed after {:?}", began.elapsed());
    for request in &silent {
        let told = bank.must(&town.nodes, 1, "0201", request).await;
        assert_eq!(told.response_code(), "68", "a repeat is told as unknown, and paid nothing");
    }
    let api = town.api(1, key);
    let id = within("the payment to be seen", NODE_MAX, async || {
        let found = api.get(&format!("/v1/payments/{}", paid.folio())).await;
        (found.status == 200).then(|| found.text("/id").to_owned())
    })
    .await;
    let heard = town.merchant.wait_for(
        |heard| heard.iter().any(|it| it.payment == id && it.kind == "payment.approved"),
        NODE_MAX,
    );
    heard.await.expect("the notice that the dead node owed");
    let lane = lane_of(town, "node-1").await;
    assert!(lane["owner"].as_str().is_some_and(|owner| owner.starts_with("node-2#")), "{lane}");

    first.start().await;
    first.wait_ready().await;
    let lane = lane_of(town, "node-1").await;
    assert!(lane["owner"].as_str().is_some_and(|owner| owner.starts_with("node-1#")), "{lane}");
    let paid = bank.must(&town.nodes, 0, "0200", &bank.request(&card_order(15_000))).await;
    assert_eq!(paid.response_code(), "00");
    assert!(second.ended().is_none() && second.is_ready().await, "the other one goes on");
}

async fn lane_of(town: &Town, home: &str) -> Value {
    let status = town.cauce(&["cluster", "status", "--format", "json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let lanes = status["lanes"].as_array().expect("lanes");
    lanes.iter().find(|lane| lane["home"] == json!(home)).expect("its lane").clone()
}

async fn a_node_that_slept_too_long_ends_and_comes_back(town: &Arc<Town>) {
    let (bank, second) = (Bank::new("TERM0003", 2), &town.nodes[1]);
    second.pause();
    pause(ASLEEP).await;
    let lane = lane_of(town, "node-2").await;
    assert!(lane["owner"].as_str().is_some_and(|owner| owner.starts_with("node-1#")), "{lane}");
    second.resume();
    // It finds out at its next append, if not before.
    let request = bank.request(&card_order(15_000));
    let told = bank.ask(&town.nodes, 1, "0200", &request).await;
    assert!(told.is_none_or(|told| told.response_code() != "00"), "its lane was taken");
    assert!(!second.wait_ended().await.success(), "a supervisor must start it again");
    second.start().await;
    second.wait_ready().await;
    let told = bank.must(&town.nodes, 1, "0201", &request).await;
    assert_eq!(told.response_code(), "00");
}

async fn a_rolling_restart_refuses_nothing(town: &Arc<Town>) {
    let load = Load::start(town, rand::random(), 6, Duration::from_millis(40));
    within("the load to run", NODE_MAX, async || (load.heard.answered() > 20).then_some(())).await;
    for node in &town.nodes {
        assert!(node.terminate().await.success(), "{}", node.log_tail());
        node.start().await;
        node.wait_ready().await;
        let answered = load.heard.answered();
        within("load on both", NODE_MAX, async || {
            (load.heard.answered() > answered + 20).then_some(())
        })
        .await;
    }
    let heard = load.stop().await;
    println!(
        "rolling restart: {} payments, longest time without an answer {:?}",
        heard.answered(),
        heard.longest_gap()
    );
    assert!(heard.undecided.lock().is_empty(), "refused: {:?}", heard.undecided.lock());
    settled(town, &heard, Quiet { patience: NODE_MAX }).await;
}
