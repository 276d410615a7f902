//! Payments that wait for their payer when their node dies: another node goes on with each from where
//! it stands.

use std::sync::Arc;

use loadtest::simulator::issuer::Mood;
use rig::{Proxy, Redis, RedisOptions};
use serde_json::json;

use crate::api::{Reply, card_payment};
use crate::cluster::node::{NODE_MAX, within};
use crate::cluster::payers::{PayersBank, keyed, order, shown};
use crate::cluster::town::{Plan, Town};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn payments_that_wait_at_a_node_that_dies_are_confirmed_and_expire_at_another() {
    let payers_bank = PayersBank::start().await;
    let (bank, extra) = (&payers_bank.handle, payers_bank.entry());
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: &extra };
    let town = Arc::new(Town::start(plan).await);
    let key = town.key("isp-ve").await;
    let first = town.api(0, &key);
    let start = async |minor, name: &str| -> String {
        let told = keyed(&first, "/v1/payments", name, &order(minor, name)).await;
        let told = told.expect("an answer");
        assert_eq!((told.status, told.text("/state")), (202, "awaiting_payer"), "{told:?}");
        told.text("/id").to_owned()
    };
    let (confirmed, forgotten) = (start(15_000, "W-1").await, start(15_070, "W-2").await);
    town.nodes[0].kill();

    let second = town.api(1, &key);
    let path = format!("/v1/payments/{confirmed}/confirm");
    let approved = within("the other node to confirm it", NODE_MAX, async || {
        let told: Reply = second.post(&path, &json!({ "otp": "12345678" })).await;
        // Until its lane is taken over, the dead node's last records are not seen; that the payment
        // does not exist is never said.
        assert!([200, 202, 409, 503].contains(&told.status), "{told:?}");
        let told = shown(&second, &confirmed).await?;
        (told.text("/state") == "approved").then_some(told)
    })
    .await;
    assert_eq!(approved.body["amount"]["minor"], 15_000);
    let expired = within("the other one to expire", NODE_MAX, async || {
        let told = shown(&second, &forgotten).await?;
        (told.text("/state") == "expired").then_some(told)
    })
    .await;
    assert_eq!(expired.text("/reason/code"), "payer_timeout");
    let stands = |id: &str| bank.debit(id).map(|debit| debit.stands_minor());
    assert_eq!((stands(&confirmed), stands(&forgotten)), (Some(15_000), Some(0)));
    let counts = bank.counts();
    assert_eq!(counts.reversals, 0, "nothing was undone, and nothing asked twice");

    town.nodes[0].start().await;
    town.nodes[0].wait_ready().await;
    let first = town.api(0, &key);
    for (id, state) in [(&confirmed, "approved"), (&forgotten, "expired")] {
        let told = shown(&first, id).await.expect("an answer");
        assert_eq!(told.text("/state"), state, "the node that comes back tells the same");
    }
    assert_eq!(bank.counts(), counts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_confirmation_that_another_node_began_and_left_is_undone_by_the_owner_of_its_lane() {
    let payers_bank = PayersBank::start().await;
    let (bank, redis) = (&payers_bank.handle, Redis::start(RedisOptions::default()));
    let redis = redis.expect("a Redis");
    // What the bank answers reaches no node while the cable is cut.
    let cable = Proxy::start(&bank.addr().to_string()).expect("a proxy");
    let extra = payers_bank.entry().replace(&bank.url(), &format!("http://{}", cable.address()));
    let extra = extra.replace("response_timeout_ms = 500", "response_timeout_ms = 5000");
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: &extra };
    let town = Town::start(plan).await;
    let key = town.key("isp-ve").await;
    let (first, second) = (town.api(0, &key), town.api(1, &key));
    let started = second.pay("order-1", &order(15_000, "W-1")).await;
    assert_eq!(started.text("/state"), "awaiting_payer", "{started:?}");
    let id = started.text("/id").to_owned();
    within("the other node to see it", NODE_MAX, async || shown(&first, &id).await).await;

    cable.cut_towards_client();
    let (path, body) = (format!("/v1/payments/{id}/confirm"), json!({ "otp": "12345678" }));
    let stands = || bank.debit(&id).map(|debit| debit.stands_minor());
    tokio::select! {
        told = first.post(&path, &body) => panic!("no answer can have come: {told:?}"),
        () = within("the bank to be told", NODE_MAX, async || {
            (stands() == Some(15_000)).then_some(())
        }) => town.nodes[0].kill(),
    }
    cable.heal();
    within("the owner of its lane to undo it", NODE_MAX, async || {
        let told = shown(&second, &id).await?;
        (told.text("/state") == "reversed").then_some(told)
    })
    .await;
    assert_eq!((stands(), bank.counts().confirmations), (Some(0), 1), "the key was told once");
    let again = second.post(&path, &body).await;
    assert_eq!((again.status, again.text("/code")), (409, "confirmation_not_awaited"));
    assert!(town.nodes[1].log().contains("another node began this and did not end it"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refund_that_another_node_began_and_left_is_carried_out_by_the_owner_of_its_lane() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: "" };
    let town = Town::start(plan).await;
    let key = town.key("isp-ve").await;
    let (first, second) = (town.api(0, &key), town.api(1, &key));
    let paid = second.pay("order-1", &card_payment(15_000, "W-1")).await;
    let id = paid.text("/id").to_owned();
    within("the other node to see it", NODE_MAX, async || shown(&first, &id).await).await;

    town.issuer.set_mood(Mood::Deaf);
    let path = format!("/v1/payments/{id}/refunds");
    let begun = keyed(&first, &path, "back-1", &json!({})).await;
    let told = within("the refund to be begun", NODE_MAX, async || shown(&second, &id).await).await;
    assert_eq!(told.text("/state"), "refunding", "{begun:?} {told:?}");
    town.nodes[0].kill();
    town.issuer.set_mood(Mood::Working);
    let told = within("the owner of its lane to carry it out", NODE_MAX, async || {
        let told = shown(&second, &id).await?;
        (told.text("/state") == "refunded").then_some(told)
    })
    .await;
    assert_eq!(told.body["refunded"]["minor"], 15_000);
    assert_eq!(told.body["refunds"].as_array().map(Vec::len), Some(1));
}
