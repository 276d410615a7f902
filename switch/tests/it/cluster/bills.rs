//! One bill, two nodes, one PostgreSQL: however many payments of it are asked for at once and wherever,
//! together they come to the bill and no further.

use futures_util::future::join_all;
use rig::{Redis, RedisOptions};
use serde_json::{Value, json};
use storage_backoffice::{Backoffice, BackofficeLocation, BackofficeSettings};

use crate::api::{Reply, card_payment};
use crate::cluster::node::{NODE_MAX, within};
use crate::cluster::town::{Plan, Town};

const AT_ONCE: usize = 200;
const ROUNDS_MAX: usize = 100;

fn ves(minor: i64) -> Value {
    json!({"currency": "VES", "minor": minor})
}

/// Asks for as many payments of a bill at once, at both nodes in turn.
async fn all_at_once(town: &Town, key: &str, round: usize, body: &Value) -> Vec<Reply> {
    let apis = [town.api(0, key), town.api(1, key)];
    let asked = (0..AT_ONCE).map(|nth| {
        let api = &apis[nth % 2];
        async move { api.pay(&format!("{}-{round}-{nth}", body["bill"]), body).await }
    });
    join_all(asked).await
}

/// Waits until both nodes tell the same of a bill.
async fn shown(town: &Town, key: &str, id: &str, state: &str, paid: i64) {
    for node in [0, 1] {
        within("the bill as it stands", NODE_MAX, async || {
            let bill = town.api(node, key).get(&format!("/v1/bills/{id}")).await;
            (bill.text("/state") == state && bill.body["paid"] == ves(paid)).then_some(())
        })
        .await;
    }
}

async fn registered(town: &Town, key: &str, body: &Value) -> String {
    let made = within("the back office to be open", NODE_MAX, async || {
        let made = town.api(0, key).post("/v1/bills", body).await;
        (made.status != 503).then_some(made)
    })
    .await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.text("/id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_payments_of_one_bill_at_two_nodes_at_once_pay_it_exactly() {
    let url = rig::shared_postgres().expect("a server").fresh_database().expect("a database");
    let settings = BackofficeSettings::at(BackofficeLocation::Server(url.as_str().into()));
    Backoffice::migrate(&settings).await.expect("a migrated database").close().await;
    let redis = Redis::start(RedisOptions::default()).expect("a Redis");
    let extra = format!("[backoffice]\nurl = \"{url}\"\n");
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", redis.url()), extra: &extra };
    let town = Town::start(plan).await;
    let key = town.key("isp-ve").await;

    let whole = json!({"bill_no": "F-1", "client_id": "C-1", "amount": ves(15_000)});
    let id = registered(&town, &key, &whole).await;
    let replies = all_at_once(&town, &key, 0, &card_payment(15_000, "F-1")).await;
    let approved: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert_eq!(approved.len(), 1, "a bill is paid once");
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        let is_told = ["bill_in_progress", "bill_already_paid"].contains(&reply.text("/code"));
        assert!(is_told || reply.status == 503, "{}", reply.body);
    }
    shown(&town, &key, &id, "paid", 15_000).await;
    let payment = approved[0].text("/id").to_owned();
    let reversed =
        town.api(1, &key).post(&format!("/v1/payments/{payment}/reverse"), &json!({})).await;
    assert!([200, 202].contains(&reversed.status), "{}", reversed.body);
    shown(&town, &key, &id, "open", 0).await;

    let parts =
        json!({"bill_no": "F-2", "client_id": "C-1", "amount": ves(10_500), "allow_partial": true});
    let id = registered(&town, &key, &parts).await;
    let mut paid = 0;
    for round in 1..ROUNDS_MAX {
        let replies = all_at_once(&town, &key, round, &card_payment(1_000, "F-2")).await;
        let more = replies.iter().filter(|reply| reply.status == 201).count();
        paid += more;
        let is_full = replies.iter().any(|reply| reply.text("/code") == "amount_mismatch");
        if more == 0 && is_full {
            break;
        }
    }
    assert_eq!(paid, 10, "ten parts of 10.00 and no more of 105.00");
    shown(&town, &key, &id, "partially_paid", 10_000).await;
    let last = town.api(1, &key).pay("last", &card_payment(500, "F-2")).await;
    assert_eq!(last.status, 201, "{}", last.body);
    shown(&town, &key, &id, "paid", 10_500).await;
    let verified = town.cauce(&["journal", "verify"]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}
