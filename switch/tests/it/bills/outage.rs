//! The back office's database goes away, is slow, comes back, is damaged or gone: payments that name no
//! bill go on, and what cannot be served says so.

use std::path::Path;
use std::time::Duration;

use rig::{Postgres, Proxy};
use serde_json::json;
use storage_backoffice::{Backoffice, BackofficeLocation, BackofficeSettings};

use super::{bill, house, house_with, registered};
use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, eventually, start_app};

/// A payment that names no bill.
async fn plain(api: &Api, key: &str) {
    let mut body = card_payment(15_000, "");
    body.as_object_mut().expect("an object").remove("bill");
    let paid = api.pay(key, &body).await;
    assert_eq!((paid.status, paid.text("/state")), (201, "approved"), "{paid:?}");
}

fn is_unavailable(reply: &Reply) -> bool {
    (reply.status, reply.text("/code")) == (503, "back_office_unavailable")
}

async fn readiness(house: &House) -> String {
    let admin = house.app.addresses.admin;
    let request = format!("GET /readyz HTTP/1.1\r\nConnection: close\r\nHost: {admin}\r\n\r\n");
    crate::admin::answer(admin, &request).await
}

async fn migrated(url: &str) {
    let settings = BackofficeSettings::at(BackofficeLocation::Server(url.into()));
    Backoffice::migrate(&settings).await.expect("a migrated database").close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_without_a_bill_go_on_while_postgresql_is_away_slow_and_back_again() {
    let server = Postgres::start().expect("a server");
    let url = server.fresh_database().expect("a database");
    migrated(&url).await;
    let (head, tail) = url.rsplit_once("127.0.0.1:").expect("an address");
    let (port, name) = tail.split_once('/').expect("an address");
    let cable = Proxy::start(&format!("127.0.0.1:{port}")).expect("a cable");
    let url = format!("{head}{}/{name}", cable.address());
    let house =
        house_with(&format!("[backoffice]\nurl = \"{url}\"\nstatement_timeout_ms = 800\n")).await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let path = format!("/v1/bills/{id}");
    plain(&api, "k-0").await;
    let served = async |what: &str| {
        eventually(what, async || (api.get(&path).await.status == 200).then_some(())).await;
    };

    cable.cut_towards_server();
    assert!(is_unavailable(&api.get(&path).await), "it does not answer in time");
    plain(&api, "k-1").await;
    cable.heal();
    served("bills to be served behind the silence").await;

    cable.delay(Duration::from_secs(2));
    assert!(is_unavailable(&api.get(&path).await), "it is slow");
    plain(&api, "k-2").await;
    cable.heal();
    served("bills to be served once it is fast again").await;

    server.kill();
    eventually("bills to be refused", async || is_unavailable(&api.get(&path).await).then_some(()))
        .await;
    let of_bill = api.pay("k-3", &card_payment(15_000, "F-1")).await;
    assert_eq!(of_bill.status, 503, "{of_bill:?}");
    plain(&api, "k-4").await;
    eventually("readiness to say why", async || {
        let told = readiness(&house).await;
        (told.contains(" 200 ") && told.contains("back office: ")).then_some(())
    })
    .await;
    server.restart().expect("a server");
    served("bills to be served behind a restart").await;
    let paid = api.pay("k-3", &card_payment(15_000, "F-1")).await;
    assert_eq!(paid.status, 201, "the same key may be repeated: {paid:?}");
    eventually("the rows to have caught up", async || {
        (api.get(&path).await.text("/state") == "paid").then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bills_are_served_by_the_server_that_an_address_leads_to_after_a_failover() {
    let (first, second) =
        (Postgres::start().expect("a server"), Postgres::start().expect("a server"));
    // The database that every server has.
    let of = |server: &Postgres| {
        let url = server.fresh_database().expect("a database");
        let (_, tail) = url.rsplit_once("127.0.0.1:").expect("an address");
        let port = tail.split('/').next().expect("a port");
        (
            format!("{}/postgres", url.rsplit_once('/').expect("a name").0),
            format!("127.0.0.1:{port}"),
        )
    };
    let ((url, address), (other_url, other)) = (of(&first), of(&second));
    migrated(&url).await;
    migrated(&other_url).await;
    let cable = Proxy::start(&address).expect("a cable");
    let url = url.replace(&address, &cable.address());
    let house =
        house_with(&format!("[backoffice]\nurl = \"{url}\"\nstatement_timeout_ms = 800\n")).await;
    let api = Api::of(&house, "isp-ve");
    registered(&api, &bill("F-1", 15_000)).await;
    cable.retarget(&other);
    first.kill();
    cable.drop_connections();
    plain(&api, "k-1").await;
    eventually("bills to be registered at the other server", async || {
        // What was registered before its answer failed is told as there.
        let made = api.post("/v1/bills", &bill("F-2", 15_000)).await;
        [201, 409].contains(&made.status).then_some(())
    })
    .await;
    eventually("rows of the journal at the other server", async || {
        let page = api.get("/v1/clients/C-77/statement").await;
        (page.status == 200).then_some(())
    })
    .await;
    house.stop().await;
}

/// Stops a switch, changes its files, and starts it again.
async fn restarted(house: House, change: impl FnOnce(&Path)) -> House {
    let (dir, issuer) = house.stop().await;
    change(&dir.path().join("backoffice"));
    let app = start_app(dir.path(), &issuer, "").await;
    House { app, issuer, dir }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_of_registered_data_is_named_and_payments_without_a_bill_go_on() {
    let first = house().await;
    registered(&Api::of(&first, "isp-ve"), &bill("F-1", 15_000)).await;
    let house = restarted(first, |files| {
        for end in ["-wal", "-shm"] {
            std::fs::remove_file(files.join(format!("registered.db{end}"))).ok();
        }
        std::fs::write(files.join("registered.db"), [7; 8_192]).expect("a file");
    })
    .await;
    let api = Api::of(&house, "isp-ve");
    let told = eventually("readiness to name the file", async || {
        let told = readiness(&house).await;
        told.contains("registered.db").then_some(told)
    })
    .await;
    assert!(told.contains(" 200 ") && told.contains("put a backup of the file there"), "{told}");
    plain(&api, "k-1").await;
    assert!(is_unavailable(&api.post("/v1/bills", &bill("F-2", 15_000)).await));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projections_that_are_gone_or_damaged_are_made_anew_from_the_journal() {
    let mut house = house().await;
    let id = registered(&Api::of(&house, "isp-ve"), &bill("F-1", 15_000)).await;
    let paid = Api::of(&house, "isp-ve").pay("k-1", &card_payment(15_000, "F-1")).await;
    assert_eq!(paid.status, 201, "{paid:?}");
    for damage in [true, false] {
        house = restarted(house, |files| {
            for end in ["", "-wal", "-shm"] {
                std::fs::remove_file(files.join(format!("projections.db{end}"))).ok();
            }
            if damage {
                std::fs::write(files.join("projections.db"), [7; 8_192]).expect("a file");
            }
        })
        .await;
        let api = Api::of(&house, "isp-ve");
        eventually("the bill to be paid as before", async || {
            let shown = api.get(&format!("/v1/bills/{id}")).await;
            (shown.text("/state") == "paid").then_some(())
        })
        .await;
        let timeline = super::events_of(&api, &id).await;
        let kinds: Vec<&str> = timeline.iter().filter_map(|event| event["type"].as_str()).collect();
        assert_eq!(kinds, ["bill.registered", "payment.sent", "payment.approved"]);
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registered_data_that_are_gone_begin_empty_and_come_back_with_the_backup() {
    let first = house().await;
    let id = registered(&Api::of(&first, "isp-ve"), &bill("F-1", 15_000)).await;
    let office = first.engine().backoffice.office().expect("a back office");
    let copy = first.dir.path().join("copy.db");
    office.backup(&copy).await.expect("a backup");
    drop(office);
    let remove = |files: &Path| {
        for end in ["", "-wal", "-shm"] {
            std::fs::remove_file(files.join(format!("registered.db{end}"))).ok();
        }
    };
    let second = restarted(first, remove).await;
    let api = Api::of(&second, "isp-ve");
    eventually("a list without the bill", async || {
        let page = api.get("/v1/bills").await;
        (page.status == 200 && page.body["data"] == json!([])).then_some(())
    })
    .await;
    plain(&api, "k-1").await;
    let third = restarted(second, |files| {
        remove(files);
        std::fs::rename(&copy, files.join("registered.db")).expect("the backup");
    })
    .await;
    let api = Api::of(&third, "isp-ve");
    eventually("the bill of the backup", async || {
        (api.get(&format!("/v1/bills/{id}")).await.status == 200).then_some(())
    })
    .await;
    third.stop().await;
}
