//! Notices of several nodes: one node serves an endpoint, whichever takes the payments.

use std::time::Duration;

use http::Method;
use loadtest::simulator::merchant::{HeardNotice, Script};
use rig::{Redis, RedisOptions};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::{Api, Reply, card_payment};
use crate::cluster::node::{NODE_MAX, within};
use crate::cluster::town::{Plan, Town, path_of};

const BILLER: &str = "isp-ve";
/// Longest way of a redelivery that is asked for at the wrong node.
const REDELIVERED_WITHIN: Duration = Duration::from_secs(2);
/// Pauses between attempts that outlast a takeover.
const PATIENT: &str =
    "[notices]\nretry_after_s = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";

/// A town whose merchant has one endpoint, which the first node serves: it was set there.
struct Shop {
    town: Town,
    key: String,
    endpoint: String,
}

impl Shop {
    async fn open(town: Town) -> Self {
        let keys = town.endpoints(&[BILLER]).await;
        let key = keys[BILLER].clone();
        let listed = town.api(0, &key).get("/v1/endpoints").await;
        let endpoint = listed.text("/items/0/id").to_owned();
        Self { town, key, endpoint }
    }

    fn api(&self, node: usize) -> Api {
        self.town.api(node, &self.key)
    }

    /// Pays a bill at a node; the payment's id. One that was paid before is refused, and its
    /// merchant told.
    async fn pay(&self, node: usize, bill: &str) -> String {
        let name = format!("{bill}-at-{node}");
        let paid = self.api(node).pay(&name, &card_payment(15_000, bill)).await;
        assert!(["approved", "declined"].contains(&paid.text("/state")), "{}", paid.body);
        paid.text("/id").to_owned()
    }

    fn refuse(&self, times: u32) {
        let script = Script::RefuseThenAccept { status: 503, times };
        self.town.merchant.rewrite(&path_of(BILLER), script);
    }

    async fn refused(&self, count: u64) {
        within(&format!("{count} deliveries to be refused"), NODE_MAX, async || {
            (count <= self.town.merchant.refused()).then_some(())
        })
        .await;
    }

    /// Changes the types that the endpoint wants, at a node.
    async fn patch(&self, node: usize, types: &Value) -> Reply {
        let path = format!("/v1/endpoints/{}", self.endpoint);
        let (json, body) = ([("content-type", "application/json")], json!({"types": types}));
        self.api(node).send(Method::PATCH, &path, &json, body.to_string().as_bytes()).await
    }

    /// What is heard of some payments, in order, once it is so many notices.
    async fn heard_of(&self, payments: &[&str], count: usize) -> Vec<HeardNotice> {
        let of = |all: &[HeardNotice]| -> Vec<HeardNotice> {
            let about = all.iter().filter(|it| payments.contains(&it.payment.as_str()));
            about.cloned().collect()
        };
        let heard = self.town.merchant.wait_for(|all| of(all).len() >= count, NODE_MAX).await;
        of(&heard.expect("the notices"))
    }

    /// The log of notices as a node tells it, in pages of so many.
    async fn log(&self, node: usize, limit: usize) -> Vec<Value> {
        let (api, mut items, mut cursor) = (self.api(node), Vec::new(), String::new());
        loop {
            let path = format!("/v1/notices?endpoint={}&limit={limit}{cursor}", self.endpoint);
            let page = api.get(&path).await;
            assert_eq!(page.status, 200, "{}", page.body);
            items.extend(page.body["items"].as_array().expect("items").clone());
            match page.text("/next_cursor") {
                "" => return items,
                next => cursor = format!("&cursor={next}"),
            }
        }
    }

    /// The log of both nodes, once both tell of so many notices and all of them are delivered.
    async fn delivered(&self, count: usize) -> Vec<Value> {
        within("both nodes to tell of every delivery", NODE_MAX, async || {
            let (here, there) = (self.log(0, 200).await, self.log(1, 200).await);
            let is_done = here.iter().all(|item| item["state"] == json!("delivered"));
            (here.len() == count && is_done && here == there).then_some(here)
        })
        .await
    }

    /// Has a notice sent again by a node.
    async fn redeliver(&self, node: usize, notice: &str) {
        let path = format!("/v1/notices/{notice}/redeliver");
        let asked = self.api(node).post(&path, &json!({})).await;
        assert_eq!(asked.status, 202, "{}", asked.body);
    }
}

fn ids(heard: &[HeardNotice]) -> Vec<&str> {
    heard.iter().map(|notice| notice.payment.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_node_tells_a_merchant_what_all_nodes_owe_it() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: PATIENT };
    let shop = Shop::open(Town::start(plan).await).await;
    payments_of_one_bill_at_two_nodes_do_not_overtake_each_other(&shop).await;
    both_nodes_tell_of_all_notices_and_send_each_again(&shop).await;
    a_node_that_does_not_serve_says_that_it_knows_of_no_pause(&shop).await;
    what_another_node_left_unknown_is_told_and_then_its_undoing(&shop).await;
    both_nodes_change_the_endpoint_at_once(&shop).await;
    let secret = a_node_that_does_not_serve_changes_the_secret(&shop).await;
    another_node_goes_on_when_the_one_that_serves_is_killed(&shop).await;
    // Until here, the takeover included, the merchant has believed the old secret alone.
    shop.town.merchant.set_secret(&path_of(BILLER), &secret).expect("a secret");
    let last = shop.pay(1, "B-rotated").await;
    shop.heard_of(&[&last], 1).await;
    assert_eq!(shop.town.merchant.disbelieved(), 0, "every signature was right");
}

async fn payments_of_one_bill_at_two_nodes_do_not_overtake_each_other(shop: &Shop) {
    // First the bill's earlier payment is the serving node's own, then it is the other's.
    for (round, (earlier, later)) in [(0, 1), (1, 0), (0, 1), (1, 0)].into_iter().enumerate() {
        let times = 1 + u32::try_from(round % 2).expect("a small number");
        let refused = shop.town.merchant.refused();
        shop.refuse(times);
        let bill = format!("B-{round}");
        let first = shop.pay(earlier, &bill).await;
        // It is being retried, and the endpoint accepts what comes next, or the one after.
        shop.refused(refused + 1).await;
        let second = shop.pay(later, &bill).await;
        let heard = shop.heard_of(&[&first, &second], 2).await;
        assert_eq!(ids(&heard), [&first, &second], "round {round}");
        let refused = shop.town.merchant.refused() - refused;
        assert_eq!(refused, u64::from(times), "round {round}: one of them at a time");
    }
}

async fn both_nodes_tell_of_all_notices_and_send_each_again(shop: &Shop) {
    let log = shop.delivered(8).await;
    for node in [0, 1] {
        assert_eq!(shop.log(node, 3).await, log, "page by page, at node {node}");
    }
    let created: Vec<&str> = log.iter().filter_map(|item| item["created_at"].as_str()).collect();
    assert!(created.is_sorted_by(|newer, older| newer >= older), "newest first: {created:?}");
    // One of each lane, at the node that serves and at the other.
    for (item, node) in [(&log[0], 1), (&log[1], 1), (&log[2], 0), (&log[3], 0)] {
        let text = |name: &str| item[name].as_str().expect("a text");
        let before = shop.heard_of(&[text("payment")], 1).await.len();
        let began = Instant::now();
        shop.redeliver(node, text("id")).await;
        let heard = shop.heard_of(&[text("payment")], before + 1).await;
        let took = began.elapsed();
        assert_eq!(heard[before].webhook_id, text("id"), "under the same id");
        assert!(took < REDELIVERED_WITHIN, "asked at node {node}, it took {took:?}");
    }
    assert_eq!(shop.delivered(8).await.len(), 8, "and no notice more");
}

async fn a_node_that_does_not_serve_says_that_it_knows_of_no_pause(shop: &Shop) {
    let path = format!("/v1/endpoints/{}", shop.endpoint);
    for (node, known) in [(0, None), (1, Some(&json!(false)))] {
        let (shown, listed) =
            (shop.api(node).get(&path).await, shop.api(node).get("/v1/endpoints").await);
        assert_eq!(shown.body.get("pause_known"), known, "node {node}: {}", shown.body);
        assert_eq!(listed.body["items"][0].get("pause_known"), known, "node {node}");
        assert_eq!(shown.body.get("paused_until"), None, "node {node}");
    }
}

async fn what_another_node_left_unknown_is_told_and_then_its_undoing(shop: &Shop) {
    // …68 gets no answer.
    let paid = shop.api(1).pay("silent-1", &card_payment(15_068, "B-silent")).await;
    let id = paid.text("/id");
    let heard = shop.heard_of(&[id], 2).await;
    let kinds: Vec<&str> = heard.iter().map(|notice| notice.kind.as_str()).collect();
    assert_eq!(kinds, ["payment.unknown", "payment.reversed"]);
    shop.delivered(10).await;
}

/// Gives the new secret; the old one signs beside it.
async fn a_node_that_does_not_serve_changes_the_secret(shop: &Shop) -> String {
    let path = format!("/v1/endpoints/{}", shop.endpoint);
    let rotated = shop.api(1).post(&format!("{path}/rotate-secret"), &json!({})).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let until = rotated.text("/old_secret_until");
    for node in [0, 1] {
        let shown = shop.api(node).get(&path).await;
        assert_eq!(shown.text("/old_secret_until"), until, "node {node} knows of it");
    }
    let changed = shop.patch(1, &json!([])).await;
    assert_eq!(changed.text("/old_secret_until"), until, "a later change keeps it");
    rotated.text("/secret").to_owned()
}

/// Of two changes made at once one is made again from what the other left.
async fn both_nodes_change_the_endpoint_at_once(shop: &Shop) {
    let path = format!("/v1/endpoints/{}", shop.endpoint);
    for round in 0..3 {
        let wanted = [json!(["payment.approved"]), json!(["payment.reversed"])];
        let (one, other) = tokio::join!(shop.patch(0, &wanted[0]), shop.patch(1, &wanted[1]));
        assert_eq!((one.status, other.status), (200, 200), "{} {}", one.body, other.body);
        let shown = [shop.api(0).get(&path).await, shop.api(1).get(&path).await];
        let types = shown.map(|reply| reply.body["types"].clone());
        assert_eq!(types[0], types[1], "round {round}: both nodes know of both");
        assert!(wanted.contains(&types[0]), "round {round}: {types:?}");
    }
    assert_eq!(shop.patch(0, &json!([])).await.status, 200);
}

async fn another_node_goes_on_when_the_one_that_serves_is_killed(shop: &Shop) {
    let refused = shop.town.merchant.refused();
    shop.refuse(u32::MAX);
    let first = shop.pay(1, "B-kill").await;
    shop.refused(refused + 1).await;
    let second = shop.pay(0, "B-kill").await;
    shop.town.nodes[0].kill();
    // The node that lives takes payments of the bill before it has taken over the endpoint.
    let third = shop.pay(1, "B-kill-later").await;
    shop.town.merchant.rewrite(&path_of(BILLER), Script::Accept);
    let began = Instant::now();
    let heard = shop.heard_of(&[&first, &second], 2).await;
    println!("a killed node's endpoint was served again after {:?}", began.elapsed());
    assert_eq!(ids(&heard), [&first, &second], "in order, by the other node");
    let heard = shop.heard_of(&[&third], 1).await;
    shop.redeliver(1, &heard[0].webhook_id).await;
    shop.heard_of(&[&third], 2).await;

    // It comes back, and serves the endpoint again.
    shop.town.nodes[0].start().await;
    shop.town.nodes[0].wait_ready().await;
    let fourth = shop.pay(1, "B-back").await;
    let heard = shop.heard_of(&[&fourth], 1).await;
    // The other may take the lane for its own for a moment; it owns up, and is asked again.
    let path = format!("/v1/notices/{}/redeliver", heard[0].webhook_id);
    within("the redelivery to be taken", NODE_MAX, async || {
        let asked = shop.api(1).post(&path, &json!({})).await;
        assert!([202, 503].contains(&asked.status), "{}", asked.body);
        (asked.status == 202).then_some(())
    })
    .await;
    shop.heard_of(&[&fourth], 2).await;
    shop.delivered(14).await;
}
