//! A participant with a line to one node alone.

use rig::{Redis, RedisOptions};

use crate::api::{Api, card_payment};
use crate::cluster::node::{NODE_MAX, within};
use crate::cluster::town::{Plan, Town};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_without_a_line_asks_through_the_one_that_has_it() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: "" };
    let town = Town::build(plan).await;
    // The second node knows no way to the bank.
    let base = &town.nodes[1].files[0];
    let text = std::fs::read_to_string(base).expect("a file");
    let connect = format!("connect = \"{}\"\n", town.issuer.addr());
    assert!(text.contains(&connect), "{text}");
    std::fs::write(base, text.replace(&connect, "")).expect("a file");
    for node in &town.nodes {
        node.start().await;
        node.wait_ready().await;
    }
    let key = town.key("isp-ve").await;
    let api = town.api(1, &key);
    let mut tries = 0;
    // Until the second node has heard of the first one's lines there is no way there, and until the
    // first has heard of the second there is none back: two signs of life each.
    let paid = within("a way to the bank and back", NODE_MAX, async || {
        tries += 1;
        let told = api.pay(&format!("far-{tries}"), &card_payment(15_000, "B-1")).await;
        (told.status == 201).then_some(told)
    })
    .await;
    assert_eq!((paid.status, paid.text("/state")), (201, "approved"), "{}", paid.body);
    let folio = paid.text("/folio").to_owned();
    let truth = town.issuer.truth();
    let effect = truth.iter().find(|effect| effect.rrn.as_str() == folio).expect("its effect");
    assert_eq!((effect.debits, effect.reversals), (1, 0), "the bank was asked once");

    // …68 stays silent: what was sent through the other node is undone through it.
    let silent = api.pay("far-silent", &card_payment(15_068, "B-2")).await;
    let path = format!("/v1/payments/{}", silent.text("/id"));
    within("the silent payment to be undone", NODE_MAX, async || {
        (api.get(&path).await.text("/state") == "reversed").then_some(())
    })
    .await;
    let admin = Api::at(town.nodes[1].addresses().expect("a node that listens").admin, "");
    let (_, metrics) = admin.try_text("/metrics").await.expect("metrics");
    assert!(metrics.contains("cauce_remote_line_requests_total"), "{metrics}");
}
