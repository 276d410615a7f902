//! A copy of the data folder carries on where the original was: README.md, "Back up and restore".

use std::path::Path;
use std::process::Command;

use http::Method;
use loadtest::simulator::issuer::IssuerHandle;
use switch::keys::{self, Role};

use crate::api::{Api, Reply, card_payment};
use crate::harness::{eventually, issuer};
use crate::program::{Site, modes};

/// A copy of a whole folder, as an operator makes it.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp");
    assert!(copied.success(), "{copied}");
}

/// Asks for a payment under a key; none while the switch or its bank is not there.
async fn pay(api: &Api, key: &str) -> Option<Reply> {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let body = card_payment(15_000, key).to_string();
    let reply = api.try_send(Method::POST, "/v1/payments", &headers, body.as_bytes()).await;
    reply.filter(|reply| reply.status == 201)
}

/// The key of a first payment that is approved.
async fn first_approved(api: &Api) -> (String, Reply) {
    let mut tries = 0;
    eventually("an approval", async || {
        tries += 1;
        let key = format!("first-{tries}");
        pay(api, &key).await.map(|reply| (key, reply))
    })
    .await
}

/// A switch on a copy gives the stored answers under the same API key, and has the bank undo a
/// payment whose card number was sealed in the original.
async fn carries_on(copied: &Site, api_key: &str, told: &[(String, Reply)]) {
    let open: Vec<_> =
        modes(&copied.data()).into_iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
    storage::verify::verify(&copied.data()).expect("a whole copy");
    let running = copied.start();
    let api = Api::at(copied.http, api_key);
    eventually("the switch", async || api.try_text("/openapi.json").await).await;
    for (key, before) in told {
        let again = pay(&api, key).await.expect("the stored answer");
        assert_eq!(again.header("idempotent-replayed"), "true", "{key}");
        assert_eq!(again.body, before.body);
    }
    let path = format!("/v1/payments/{}", told[0].1.text("/id"));
    let asked = api.send(Method::POST, &format!("{path}/reverse"), &[], b"").await;
    assert!(asked.status < 300, "{}", asked.body);
    eventually("the reversal", async || {
        (api.get(&path).await.text("/state") == "reversed").then_some(())
    })
    .await;
    running.stop().await;
}

/// A site, the one that its copy is for, and an API key of both.
async fn sites(issuer: &IssuerHandle) -> (Site, Site, String) {
    let [site, copied] = [(); 2].map(|()| Site::new(issuer.addr(), ""));
    std::fs::create_dir(site.data()).expect("a folder");
    let key = keys::create(&site.data(), Role::Biller, "isp-ve").expect("a key");
    (site, copied, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_while_the_switch_was_stopped_carries_on() {
    let issuer = issuer().await;
    let (site, copied, key) = sites(&issuer).await;
    let running = site.start();
    let first = first_approved(&Api::at(site.http, &key)).await;
    running.stop().await;
    copy(&site.data(), &copied.data());
    carries_on(&copied, &key, &[first]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_running_switch_holds_whatever_was_answered_and_carries_on() {
    let issuer = issuer().await;
    let (site, copied, key) = sites(&issuer).await;
    let running = site.start();
    let api = Api::at(site.http, &key);
    let mut told = vec![first_approved(&api).await];
    for number in 0..50 {
        let key = format!("more-{number}");
        let reply = pay(&api, &key).await.expect("an approval");
        told.push((key, reply));
    }
    // Stopped in the middle of its work, its files are for a moment what a snapshot holds.
    let late_keys: Vec<_> = (0..50).map(|number| format!("late-{number}")).collect();
    let late = late_keys.iter().map(|key| pay(&api, key));
    let late = futures_util::future::join_all(late);
    let snapshot = async {
        running.frozen().await;
        copy(&site.data(), &copied.data());
        running.thawed();
    };
    tokio::join!(late, snapshot);
    carries_on(&copied, &key, &told).await;
    running.stop().await;
}
