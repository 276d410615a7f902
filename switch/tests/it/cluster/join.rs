//! How nodes come to be: the schema, the first start, a journal that was another form's.

use rig::{Redis, RedisOptions, Sentinels};
use serde_json::{Value, json};

use crate::api::{Api, card_payment};
use crate::cluster::client::Bank;
use crate::cluster::node::{NODE_MAX, within};
use crate::cluster::town::{Plan, Town, cassandra};
use crate::harness::{House, card_order, cash_order};

fn plan(redis: &Redis) -> Plan<'static> {
    Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: "" }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_starts_only_on_the_schema_it_knows_and_two_at_once_open_a_float_once() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let town = Town::without_schema(plan(&redis)).await;
    let node = &town.nodes[0];
    node.launch();
    assert!(!node.wait_ended().await.success());
    assert!(node.log_tail().contains("schema is missing"), "{}", node.log_tail());

    let first = town.apply_schema().await;
    assert!(first.contains("was 0"), "{first}");
    let second = town.apply_schema().await;
    assert!(second.contains("nothing to do"), "{second}");
    assert!(town.cauce(&["schema", "check"]).await.status.success());

    // Both at once: the gate's first epoch, the lanes and the float are raced for.
    town.nodes.iter().for_each(crate::cluster::node::Node::launch);
    for node in &town.nodes {
        node.wait_listening().await;
        node.wait_ready().await;
    }
    town.wait_floats(1).await;
    for node in &town.nodes {
        assert!(node.terminate().await.success());
    }
    let exported = town.cauce(&["journal", "export"]).await;
    let text = String::from_utf8_lossy(&exported.stdout);
    let accounts = text.lines().filter(|line| line.contains(r#""kind":"account""#)).count();
    assert_eq!(accounts, 1, "{text}");

    let newer = format!(
        "INSERT INTO {}.schema_version (name, version, digest) VALUES ('cauce', 999, 'x')",
        town.keyspace
    );
    tokio::task::block_in_place(|| cassandra().execute(0, &newer)).expect("a newer version");
    let node = &town.nodes[0];
    node.launch();
    assert!(!node.wait_ended().await.success());
    assert!(node.log_tail().contains("999"), "{}", node.log_tail());
    assert!(!town.cauce(&["schema", "apply"]).await.status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_goes_on_with_the_journal_of_one_machine() {
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let town = Town::build(plan(&redis)).await;
    // One machine, with the same keys to seal with.
    let seal = "[seal]\nactive = \"tests\"\n[seal.keys]\n\
        tests = \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n";
    let house = House::start_with(seal).await;
    let (api, bank) = (Api::of(&house, "isp-ve"), house.bank().await);
    let body = card_payment(15_000, "B-1");
    let paid = api.pay("old-1", &body).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    let (request, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    let (_, cash) = bank.pay(&cash_order("0000000000000001", 10_000, 90_000)).await.expect("it");
    assert_eq!((answer.response_code(), cash.response_code()), ("00", "00"));
    let (dir, issuer) = house.stop().await;
    let data = dir.path().display().to_string();
    // Under the key of the old machine its requests are compared with their repeats.
    let fingerprint_key = dir.path().join("fingerprint.key").display().to_string();
    for node in &town.nodes {
        let own = std::fs::read_to_string(&node.files[2]).expect("a file");
        let own = format!("{own}[seal]\nfingerprint_key = \"file:{fingerprint_key}\"\n");
        std::fs::write(&node.files[2], own).expect("a file");
    }
    let imported = town.cauce(&["journal", "import", "--data", &data]).await;
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));

    // The bank that knows the old payments is the one that undoes them.
    for node in &town.nodes {
        let base = &node.files[0];
        let text = std::fs::read_to_string(base).expect("a file");
        let own = town.issuer.addr().to_string();
        std::fs::write(base, text.replace(&own, &issuer.addr().to_string())).expect("a file");
        node.start().await;
        node.wait_ready().await;
    }
    let api = town.api(1, &town.key("isp-ve").await);
    let again = within("the old payment to be seen", NODE_MAX, async || {
        let again = api.pay("old-1", &body).await;
        (again.status != 409).then_some(again)
    })
    .await;
    assert_eq!((again.status, again.text("/id")), (paid.status, paid.text("/id")));
    let teller = Bank::new("TERM0001", 2);
    let repeat = teller.must(&town.nodes, 0, "0201", &request).await;
    assert_eq!((repeat.response_code(), repeat.folio()), ("00", answer.folio()));
    let order = cash_order("0000000000000001", 20_000, 90_000);
    let second = teller.must(&town.nodes, 1, "0200", &teller.request(&order)).await;
    assert_eq!(second.response_code(), "65", "once a day, also after the move");
    let path = format!("/v1/payments/{}", paid.text("/id"));
    // The lane that was imported is nobody's until a node has taken it.
    within("the reversal to be taken", NODE_MAX, async || {
        let undone = api.post(&format!("{path}/reverse"), &json!({})).await;
        [200, 202].contains(&undone.status).then_some(())
    })
    .await;
    within("the old payment to be reversed", NODE_MAX, async || {
        (api.get(&path).await.text("/state") == "reversed").then_some(())
    })
    .await;
    drop(issuer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sentinels_name_another_primary_and_the_nodes_go_on_with_it() {
    let (primary, replica, sentinels) = tokio::task::block_in_place(|| {
        let primary = Redis::start(RedisOptions::default()).expect("a Redis");
        let replica =
            Redis::start(RedisOptions::default().replica_of(&primary)).expect("a replica");
        let sentinels = Sentinels::start(&primary, "gate", 2).expect("Sentinels");
        (primary, replica, sentinels)
    });
    let urls = sentinels.urls();
    let redis = format!("urls = {urls:?}\nsentinel_master = \"gate\"");
    let town = Town::start(Plan { nodes: 2, redis, extra: "" }).await;
    let bank = Bank::new("TERM0001", 2);
    let order = |minor| cash_order("0000000000000001", minor, 9_000_000);
    let request = bank.request(&order(10_000));
    let first = bank.must(&town.nodes, 0, "0200", &request).await;
    assert_eq!(first.response_code(), "00");
    tokio::task::block_in_place(|| {
        primary.kill();
        sentinels.wait_failover_from(primary.port()).expect("a failover");
    });
    assert_eq!(replica.info("replication", "role").expect("a role"), "master");
    for node in [1, 0] {
        town.nodes[node].wait_ready().await;
        let repeat = decided(&town, &bank, node, "0201", &request).await;
        assert_eq!(repeat, ("00".to_owned(), first.folio().to_owned()));
        let (code, _) = decided(&town, &bank, node, "0200", &bank.request(&order(20_000))).await;
        assert_eq!(code, "65", "once a day, also after the failover");
    }
    let status = town.cauce(&["cluster", "status", "--format", "json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["gate"]["state"], json!("open"));
    assert!(status["gate"]["epoch"].as_u64() >= Some(2), "{status}");
}

/// Code and folio of the first answer that is a decision.
async fn decided(
    town: &Town,
    bank: &Bank,
    node: usize,
    mti: &str,
    request: &loadtest::simulator::acquirer::Fields,
) -> (String, String) {
    within("a decision", NODE_MAX, async || {
        let answer = bank.ask(&town.nodes, node, mti, request).await?;
        let code = answer.response_code().to_owned();
        (code != "91").then(|| (code, answer.folio().to_owned()))
    })
    .await
}
