//! Changes of endpoints as the journal tells of them.

use std::process::Command;

use http::Method;
use serde_json::{Value, json};
use switch::keys::{self, Role};

use crate::api::Api;
use crate::harness::House;
use crate::receiver::Receiver;

/// What `cauce journal` prints of a folder.
pub fn journal(house: &House, words: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_cauce"));
    program.arg("journal").args(words).arg("--data").arg(house.dir.path());
    let output = program.output().expect("the program");
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The events of a journal, as the program exports them.
fn events(house: &House) -> Vec<Value> {
    let export = journal(house, &["export"]);
    let rows = export.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row"));
    rows.filter(|row| row["kind"] == json!("event")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_an_endpoint_is_an_event_with_its_version_and_who_asked_for_it() {
    let house = House::start().await;
    let receiver = Receiver::accepting().await;
    let key = keys::create(house.dir.path(), Role::Biller, "isp-ve").expect("a key");
    let listed = keys::list(house.dir.path()).expect("the keys");
    let (api, actor) = (Api::with_key(&house, &key), format!("key:{}", listed.keys[0].id()));
    let made = api.post("/v1/endpoints", &json!({"url": receiver.url})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (id, path) = (made.text("/id"), format!("/v1/endpoints/{}", made.text("/id")));
    let json = [("content-type", "application/json")];
    let changed = api.send(Method::PATCH, &path, &json, br#"{"types":["payment.approved"]}"#).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let same = api.send(Method::PATCH, &path, &json, br#"{"types":["payment.approved"]}"#).await;
    assert_eq!(same.status, 200, "{}", same.body);
    let rotated = api.post(&format!("{path}/rotate-secret"), &json!({})).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let deleted = api.send(Method::DELETE, &path, &[], b"").await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);

    let told: Vec<Value> = events(&house)
        .into_iter()
        .map(|row| json!([row["subject"], row["event"], row["version"], row["actor"]]))
        .collect();
    let of = |event, version| json!([{"kind": "endpoint", "id": id}, event, version, actor]);
    let expected = [of("created", 1), of("changed", 2), of("secret_rotated", 3), of("deleted", 4)];
    assert_eq!(told, expected, "and none for a change that changes nothing");
    let rows = journal(&house, &["export", "--format", "csv"]);
    assert!(
        rows.lines()
            .next()
            .is_some_and(|heading| heading.ends_with(",subject,event,version,actor"))
    );
    let row = format!(",endpoint:{id},secret_rotated,3,{actor}");
    assert!(rows.lines().any(|line| line.ends_with(&row)), "{rows}");
    assert!(journal(&house, &["verify"]).starts_with("whole:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_is_deleted_by_the_switch_itself() {
    let house = House::start().await;
    let receiver = Receiver::start(|_| (410, None)).await;
    let api = Api::of(&house, "isp-ve");
    let made = api.post("/v1/endpoints", &json!({"url": receiver.url})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    api.pay("order-1", &crate::api::card_payment(15_000, "B-1")).await;
    let path = format!("/v1/endpoints/{}", made.text("/id"));
    crate::harness::eventually("the endpoint to be gone", async || {
        (api.get(&path).await.status == 404).then_some(())
    })
    .await;
    let last = events(&house).pop().expect("an event");
    let told = json!([last["event"], last["version"], last["actor"], last["subject"]["id"]]);
    assert_eq!(told, json!(["deleted", 2, "node", made.text("/id")]));
}
