//! A payer's one-time key is passed on to the bank and kept nowhere: it stands in no log, file, metric,
//! notice or answer, however it was given.

use std::path::Path;
use std::process::Command;

use http::Method;
use loadtest::simulator::json_bank::JsonBankSettings;
use serde_json::{Value, json};

use super::site::JsonSite;
use super::{LONG_MS, c2p};
use crate::api::{Api, Reply};
use crate::harness::eventually;
use crate::program::modes;
use crate::receiver::Receiver;

/// Keys that each stand in one request alone.
const RIGHT: &str = "73917391";
/// One that the simulated bank declines.
const DECLINED: &str = "000000";
const CLOSED: &str = "48264826";
const FOREIGN: &str = "62846284";
const UNANSWERED: &str = "91539153";

/// Confirmations whose key has a wrong form or stands at a wrong place, with the key in each.
const WRONG_FORMS: [(&str, &str); 9] = [
    (r#"{"otp":73137313}"#, "73137313"),
    (r#"{"otp":"7424742x"}"#, "7424742x"),
    (r#"{"otp":"75357535753575"}"#, "75357535753575"),
    (r#"{"otp":["76467646"]}"#, "76467646"),
    (r#"{"key":"77577757"}"#, "77577757"),
    (r#"{"otp":"1234","78687868":1}"#, "78687868"),
    (r#"{"otp":"79797979""#, "79797979"),
    ("81918191", "81918191"),
    (r#"{"otp":"1234","otp":"82028202"}"#, "82028202"),
];

async fn confirm(api: &Api, id: &str, body: &str) -> Reply {
    let path = format!("/v1/payments/{id}/confirm");
    let headers = [("content-type", "application/json")];
    api.send(Method::POST, &path, &headers, body.as_bytes()).await
}

fn with_key(key: &str) -> String {
    json!({ "otp": key }).to_string()
}

/// A payment that waits for its key.
async fn waits(api: &Api, minor: i64) -> String {
    let waiting = api.pay(&format!("order-{minor}"), &c2p(minor)).await;
    assert_eq!(waiting.text("/state"), "awaiting_payer", "{waiting:?}");
    waiting.text("/id").to_owned()
}

fn journal(data: &Path, command: &[&str]) -> Vec<u8> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_cauce"));
    let output = program.arg("journal").args(command).arg("--data").arg(data).output();
    let output = output.expect("the program");
    assert!(output.status.success() && !output.stdout.is_empty(), "{command:?}");
    output.stdout
}

/// Fails where a key stands in the bytes.
fn look_in(what: &str, bytes: &[u8]) {
    let of_forms = WRONG_FORMS.iter().map(|(_, key)| *key);
    for key in of_forms.chain([RIGHT, CLOSED, FOREIGN, UNANSWERED]) {
        let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!found, "{what} shows the one-time key {key}");
    }
}

/// All that the API says of what was done.
async fn shown(api: &Api, endpoint: &str) -> Value {
    let mut all = Vec::new();
    let notices = format!("/v1/notices?endpoint={endpoint}");
    for path in ["/v1/payments?limit=200", &notices, "/v1/events?limit=200"] {
        let reply = api.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        all.push(reply.body);
    }
    Value::Array(all)
}

/// Gives keys in every way; gives what was answered.
async fn give_keys(site: &JsonSite, api: &Api) -> Vec<Reply> {
    let mut told = Vec::new();
    let paid = waits(api, 15_000).await;
    for (body, _) in WRONG_FORMS {
        let refused = confirm(api, &paid, body).await;
        assert!((400..500).contains(&refused.status), "{body}: {refused:?}");
        told.push(refused);
    }
    let stranger = site.site.api("lender-mx");
    let foreign = confirm(&stranger, &paid, &with_key(FOREIGN)).await;
    assert_eq!(foreign.status, 404, "{foreign:?}");
    refusals_are_told(site, &paid).await;
    let approved = confirm(api, &paid, &with_key(RIGHT)).await;
    assert_eq!(approved.text("/state"), "approved", "the bank got the key: {approved:?}");
    let closed = confirm(api, &paid, &with_key(CLOSED)).await;
    assert_eq!(closed.status, 409, "{closed:?}");
    let refused = waits(api, 16_000).await;
    let declined = confirm(api, &refused, &with_key(DECLINED)).await;
    assert_eq!(declined.text("/state"), "declined", "the bank reads the key: {declined:?}");
    told.extend([foreign, approved, closed, declined]);
    told
}

/// Each refusal is counted, and told in the log with participant and field.
async fn refusals_are_told(site: &JsonSite, id: &str) {
    let told = |field: &str, biller: &str| {
        let (field, biller) = (format!("field=\"{field}\""), format!("biller={biller}"));
        let texts = ["confirmation refused", id, "participant=bank-j", &field, &biller];
        site.logged(&texts).len()
    };
    let of_form = told("otp", "isp-ve") + told("body", "isp-ve");
    assert_eq!(of_form, WRONG_FORMS.len());
    assert!(told("otp", "isp-ve") >= 2 && told("body", "isp-ve") >= 2);
    assert_eq!(told("id", "lender-mx"), 1, "the payment of another biller");
    let refused = site.counted("cauce_http_refused_total{why=").await;
    assert_eq!(refused, u64::try_from(WRONG_FORMS.len() + 1).expect("a count"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_s_one_time_key_is_nowhere_in_the_clear() {
    let site = JsonSite::new(LONG_MS, JsonBankSettings::new("bank-j")).await;
    let (running, api) = (site.start().await, site.api());
    let merchant = Receiver::accepting().await;
    let made = api.post("/v1/endpoints", &json!({ "url": merchant.url })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let told = give_keys(&site, &api).await;

    // A key on its way when the line breaks: the payment is unknown, and undone.
    let broken = waits(&api, 17_000).await;
    site.cable.cut();
    let unknown = confirm(&api, &broken, &with_key(UNANSWERED)).await;
    site.cable.heal();
    let ends = ["awaiting_payer", "unknown", "reversing", "reversed"];
    assert!(ends.contains(&unknown.text("/state")), "{unknown:?}");

    let heard = eventually("the notices", async || {
        let heard = format!("{:?}", merchant.received());
        ["payment.approved", "payment.declined"]
            .iter()
            .all(|it| heard.contains(it))
            .then_some(heard)
    })
    .await;
    let metrics = site.site.metrics().await;
    let told: Vec<String> = told.iter().chain([&unknown]).map(|it| format!("{it:?}")).collect();
    look_in("an answer", told.join("\n").as_bytes());
    look_in("the API", shown(&api, made.text("/id")).await.to_string().as_bytes());
    look_in("a notice", heard.as_bytes());
    look_in("the metrics", metrics.as_bytes());
    running.stop().await;
    // The next start reads the journal, and tells of what it finds.
    let running = site.start().await;
    running.stop().await;

    let data = site.site.data();
    for command in [&["dump"][..], &["export"], &["export", "--format", "csv"]] {
        look_in(&command.join(" "), &journal(&data, command));
    }
    let log = std::fs::read(site.site.log()).expect("a log");
    assert!(log.len() > 1_000, "it tells of everything");
    look_in("the log", &log);
    let files: Vec<_> = modes(&data).into_iter().filter(|(path, _)| path.is_file()).collect();
    assert!(files.len() > 3, "{files:?}");
    for (path, _) in files {
        look_in(&path.display().to_string(), &std::fs::read(&path).expect("a file"));
    }
}
