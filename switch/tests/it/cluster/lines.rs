//! A participant with a line to one node alone.

use rig::{Proxy, Redis, RedisOptions};

use crate::api::{Api, Reply, card_payment};
use crate::cluster::node::{NODE_MAX, within};
use crate::cluster::town::{Plan, Town};
use crate::scripted::ScriptedBank;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reversal_follows_its_request_by_the_line_of_the_node_that_sent_it() {
    // A bank that has not seen an original says so, and takes what then arrives.
    let bank = ScriptedBank::open(|bank, message| {
        let folio = message.fields.text(37);
        let has_come = bank.seen("0200").iter().any(|request| request.fields.text(37) == folio);
        match (message.mti.as_str(), message.cents()) {
            ("0200", "68") => {}
            _ => bank.answer(message, &message.answer(if has_come { "00" } else { "25" })),
        }
    });
    let way = Proxy::start(&bank.addr.to_string()).expect("a proxy");
    way.cut();
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: "" };
    let town = Town::build(plan).await;
    let banks = [bank.addr.to_string(), way.address()];
    for (node, bank) in town.nodes.iter().zip(&banks) {
        let text = std::fs::read_to_string(&node.files[0]).expect("a file");
        let text = text.replace(&town.issuer.addr().to_string(), bank);
        std::fs::write(&node.files[0], text).expect("a file");
        node.start().await;
        node.wait_ready().await;
    }
    let api = town.api(1, &town.key("isp-ve").await);
    let mut tries = 0;
    within("a way to the bank and back", NODE_MAX, async || {
        tries += 1;
        let told = api.pay(&format!("way-{tries}"), &card_payment(15_000, "B-1")).await;
        (told.status == 201).then_some(())
    })
    .await;
    let of_first_node = bank.seen("0800").len();
    (0..of_first_node).for_each(|line| bank.stall(line));
    let late = api.pay("late", &card_payment(15_001, "B-2")).await;
    let state_of = async |paid: &Reply| {
        api.get(&format!("/v1/payments/{}", paid.text("/id"))).await.text("/state").to_owned()
    };
    assert_ne!(late.text("/state"), "approved", "{}", late.body);

    // Now the second node has a line of its own, by which the reversal could overtake.
    way.heal();
    within("a line of the second node", NODE_MAX, async || {
        (bank.seen("0800").len() > of_first_node).then_some(())
    })
    .await;
    let silent = api.pay("silent", &card_payment(15_068, "B-3")).await;
    within("a payment on that line to be undone", NODE_MAX, async || {
        (state_of(&silent).await == "reversed").then_some(())
    })
    .await;
    assert_ne!(state_of(&late).await, "reversed", "its request may still arrive");
    (0..of_first_node).for_each(|line| bank.release(line));
    within("the late payment to be undone", NODE_MAX, async || {
        (state_of(&late).await == "reversed").then_some(())
    })
    .await;
    let of_late = |mti| {
        let seen = bank.seen(mti).into_iter();
        let folio = late.text("/folio").to_owned();
        seen.filter(|message| message.fields.text(37) == folio).collect::<Vec<_>>()
    };
    let (debit, undone) = (of_late("0200"), of_late("0420"));
    assert!(debit[0].line < of_first_node, "the first node's line");
    assert!(!undone.is_empty() && undone.iter().all(|reversal| reversal.line == debit[0].line));
}
