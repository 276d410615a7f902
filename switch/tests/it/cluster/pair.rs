//! Two nodes that live: whichever is asked, the answer is the same.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings, Order};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rig::{Redis, RedisOptions};
use serde_json::json;

use crate::api::{Api, card_payment};
use crate::cluster::client::Bank;
use crate::cluster::node::{NODE_MAX, pause, within};
use crate::cluster::town::{Plan, Town};
use crate::harness::{ACQUIRER, PATIENCE, card_order, cash_order, net_debits};

const ROUNDS: usize = 60;
const FLOAT: &str =
    "[[floats]]\nref = \"77\"\nowner = \"bank-a\"\nopening_minor = 512000\ncurrency = \"MXN\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_answer_as_one_switch() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: FLOAT };
    let town = Town::start(plan).await;
    let key = town.key("isp-ve").await;
    a_payment_of_one_node_is_found_at_the_other(&town, &key).await;
    a_reversal_is_asked_where_the_payment_was_not_made(&town, &key).await;
    a_repeat_elsewhere_is_told_that_the_payment_is_under_way(&town, &key).await;
    a_line_that_repeats_elsewhere_waits_and_gets_the_same_answer(&town).await;
    one_key_at_two_nodes_at_once_is_one_payment(&town).await;
    a_client_of_once_a_day_pays_once_whichever_node_is_asked(&town).await;
    a_float_is_never_overdrawn_by_two_nodes(&town).await;
    let verified = town.cauce(&["journal", "verify"]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    the_status_names_nodes_lanes_and_gate(&town).await;
}

async fn line(town: &Town, node: usize) -> Acquirer {
    let settings = AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(ACQUIRER) };
    let address = town.nodes[node].addresses().expect("a node that listens").iso8583;
    Acquirer::connect(address, settings).await.expect("a line")
}

async fn a_payment_of_one_node_is_found_at_the_other(town: &Town, key: &str) {
    let (here, there) = (town.api(0, key), town.api(1, key));
    let paid = here.pay("found-1", &card_payment(15_000, "B-1")).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    for name in ["/id", "/folio"] {
        let path = format!("/v1/payments/{}", paid.text(name));
        let found = found(&there, &path).await;
        assert_eq!((found.text("/state"), found.text("/id")), ("approved", paid.text("/id")));
    }
    let (one, two) = (line(town, 0).await, line(town, 1).await);
    let (request, answer) = one.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    within("the inquiry to find it by its trace", NODE_MAX, async || {
        let told = two.request("0200", &two.inquiry_about(&request)).await.expect("an answer");
        (told.response_code() == "00" && told.folio() == answer.folio()).then_some(())
    })
    .await;
}

/// What is durable at one node may be unseen at another for a moment.
async fn found(api: &Api, path: &str) -> crate::api::Reply {
    within(path, NODE_MAX, async || {
        let found = api.get(path).await;
        (found.status == 200).then_some(found)
    })
    .await
}

async fn a_reversal_is_asked_where_the_payment_was_not_made(town: &Town, key: &str) {
    let (here, there) = (town.api(0, key), town.api(1, key));
    let paid = here.pay("undone-1", &card_payment(15_000, "B-2")).await;
    let path = format!("/v1/payments/{}", paid.text("/id"));
    found(&there, &path).await;
    let asked = there.post(&format!("{path}/reverse"), &json!({})).await;
    assert!([200, 202].contains(&asked.status), "{}", asked.body);
    for api in [&here, &there] {
        within("it to be reversed", NODE_MAX, async || {
            (api.get(&path).await.text("/state") == "reversed").then_some(())
        })
        .await;
    }
    let folio = paid.text("/folio").to_owned();
    let truth = town.issuer.truth();
    let effect = truth.iter().find(|effect| effect.rrn.as_str() == folio).expect("its effect");
    assert_eq!((effect.debits, effect.reversals), (1, 1));
}

async fn a_repeat_elsewhere_is_told_that_the_payment_is_under_way(town: &Town, key: &str) {
    let (here, there) = (town.api(0, key), town.api(1, key));
    // …69 is answered late: the payment is under way until the switch gives it up.
    let body = card_payment(15_069, "B-3");
    let before = town.issuer.counts().payments;
    let repeat = async {
        within("the payment to be under way", NODE_MAX, async || {
            (before < town.issuer.counts().payments).then_some(())
        })
        .await;
        there.pay("under-way-1", &body).await
    };
    let (first, repeat) = tokio::join!(here.pay("under-way-1", &body), repeat);
    assert_eq!((repeat.status, repeat.text("/code")), (409, "payment_in_progress"));
    let again = within("the same answer", NODE_MAX, async || {
        let again = there.pay("under-way-1", &body).await;
        (again.status != 409).then_some(again)
    })
    .await;
    assert_eq!((again.status, again.text("/id")), (first.status, first.text("/id")));
    assert_eq!(town.issuer.counts().payments, before + 1);
}

async fn a_line_that_repeats_elsewhere_waits_and_gets_the_same_answer(town: &Town) {
    let bank = Bank::new("TERM0001", 2);
    let request = bank.request(&card_order(15_069));
    let before = town.issuer.counts().payments;
    let repeat = async {
        within("the payment to be under way", NODE_MAX, async || {
            (before < town.issuer.counts().payments).then_some(())
        })
        .await;
        bank.must(&town.nodes, 1, "0201", &request).await
    };
    let (first, repeat) = tokio::join!(bank.must(&town.nodes, 0, "0200", &request), repeat);
    assert_eq!((first.response_code(), repeat.response_code()), ("68", "68"));
    assert_eq!(first.folio(), repeat.folio());
    assert_eq!(town.issuer.counts().payments, before + 1);
}

async fn one_key_at_two_nodes_at_once_is_one_payment(town: &Town) {
    let seed: u64 = rand::random();
    println!("one key at two nodes: seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let bank = Bank::new("TERM0002", 2);
    let before = town.issuer.counts().payments;
    for round in 0..ROUNDS {
        let request = bank.request(&card_order(15_000));
        let later = Duration::from_micros(random.random_range(0..12_000));
        let first = random.random_range(0..2);
        let repeat = async {
            pause(later).await;
            bank.must(&town.nodes, 1 - first, "0201", &request).await
        };
        let (one, two) = tokio::join!(bank.must(&town.nodes, first, "0200", &request), repeat);
        assert_eq!((one.response_code(), two.response_code()), ("00", "00"), "round {round}");
        assert_eq!(one.folio(), two.folio(), "round {round}, {later:?} apart");
    }
    let asked = town.issuer.counts().payments - before;
    assert_eq!(asked, ROUNDS as u64, "the bank was asked once a round");
}

/// The codes that these orders are answered with, asked all at once at both nodes in turn.
async fn codes(town: &Town, orders: &[Order]) -> BTreeMap<String, usize> {
    let banks: Vec<Bank> = (0..8).map(|nth| Bank::new(&format!("TERM1{nth:03}"), 2)).collect();
    let asked = orders.iter().enumerate().map(async |(nth, order)| {
        let bank = &banks[nth % banks.len()];
        let answer = bank.must(&town.nodes, nth % 2, "0200", &bank.request(order)).await;
        answer.response_code().to_owned()
    });
    let mut counts = BTreeMap::new();
    for code in join_all(asked).await {
        *counts.entry(code).or_default() += 1;
    }
    counts
}

async fn a_client_of_once_a_day_pays_once_whichever_node_is_asked(town: &Town) {
    let order = |nth: i64| cash_order("0000123456781234", 10_000 + nth * 100, 9_000_000);
    let orders: Vec<Order> = (0..120).map(order).collect();
    let counts = codes(town, &orders).await;
    assert_eq!(counts, BTreeMap::from([("00".to_owned(), 1), ("65".to_owned(), 119)]));
}

async fn a_float_is_never_overdrawn_by_two_nodes(town: &Town) {
    // 500.00 + 12.00 each: ten fit into 5,120.00.
    let before = town.issuer.truth().iter().map(net_debits).sum::<i64>();
    let order = |nth: i64| {
        let mut order = cash_order(&format!("9{nth:015}"), 50_000, 9_000_000);
        for (tag, value) in &mut order.private {
            if *tag == "05" {
                *value = "77".to_owned();
            }
        }
        order
    };
    let orders: Vec<Order> = (0..64).map(order).collect();
    let counts = codes(town, &orders).await;
    assert_eq!(counts, BTreeMap::from([("00".to_owned(), 10), ("51".to_owned(), 54)]));
    assert_eq!(town.issuer.truth().iter().map(net_debits).sum::<i64>() - before, 10);
}

async fn the_status_names_nodes_lanes_and_gate(town: &Town) {
    let ran = town.cauce(&["cluster", "status", "--format", "json"]).await;
    let text = String::from_utf8_lossy(&ran.stdout);
    let status: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(ran.status.success(), "{text}");
    assert_eq!((&status["gate"]["state"], &status["gate"]["epoch"]), (&json!("open"), &json!(1)));
    for (nth, node) in ["node-1", "node-2"].into_iter().enumerate() {
        assert_eq!(status["nodes"][nth]["name"], json!(node));
        assert_eq!(status["nodes"][nth]["served_under_epoch"], json!(1));
        assert_eq!(status["lanes"][nth]["home"], json!(node));
    }
}
