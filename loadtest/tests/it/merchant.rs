//! The simulated merchant over HTTP, told by hand-signed notices.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use loadtest::clock;
use loadtest::simulator::merchant::{
    BillerEndpoint, Merchant, MerchantHandle, MerchantSettings, Script,
};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const KEY: &[u8] = b"a fictional signing key";
const DEADLINE: Duration = Duration::from_secs(10);

async fn merchant(script: Script) -> MerchantHandle {
    let secret = format!("whsec_{}", STANDARD.encode(KEY));
    let billers = vec![BillerEndpoint { path: "/isp-ve".to_owned(), secret, script }];
    let listen = ([127, 0, 0, 1], 0).into();
    Merchant::start(MerchantSettings { listen, log: None, billers }).await.unwrap()
}

/// Delivers a notice as a switch would and gives the status.
async fn deliver(merchant: &MerchantHandle, id: &str, body: &str, key: &[u8]) -> u16 {
    let timestamp = clock::now().millis() / 1000;
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let request = format!(
        "POST /isp-ve HTTP/1.1\r\nhost: merchant\r\nwebhook-id: {id}\r\n\
         webhook-timestamp: {timestamp}\r\nwebhook-signature: v1,{signature}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(merchant.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer["HTTP/1.1 ".len()..][..3].parse().unwrap()
}

const BODY: &str =
    r#"{"type":"payment.approved","data":{"payment":"pay_1","folio":"000000000042"}}"#;

#[tokio::test]
async fn a_signed_notice_is_heard_and_a_forged_one_is_not() {
    let merchant = merchant(Script::Accept).await;
    assert_eq!(deliver(&merchant, "ntc_1", BODY, b"another key").await, 401);
    assert_eq!(deliver(&merchant, "ntc_1", BODY, KEY).await, 200);
    let heard = merchant.wait_for(|heard| !heard.is_empty(), DEADLINE).await.unwrap();
    assert_eq!(heard.len(), 1);
    assert_eq!(
        (heard[0].webhook_id.as_str(), heard[0].kind.as_str()),
        ("ntc_1", "payment.approved")
    );
    assert_eq!(
        (heard[0].payment.as_str(), heard[0].folio.as_deref()),
        ("pay_1", Some("000000000042"))
    );
    assert_eq!(merchant.disbelieved(), 1);
}

#[tokio::test]
async fn a_merchant_in_trouble_recovers_as_its_script_says() {
    let merchant = merchant(Script::RefuseThenAccept { status: 500, times: 2 }).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(deliver(&merchant, "ntc_1", BODY, KEY).await);
    }
    assert_eq!(statuses, [500, 500, 200]);
    assert_eq!((merchant.heard().len(), merchant.refused()), (1, 2));
    merchant.rewrite("/isp-ve", Script::Gone);
    assert_eq!(deliver(&merchant, "ntc_2", BODY, KEY).await, 410);
}

#[tokio::test]
async fn waiting_ends_at_the_deadline() {
    let merchant = merchant(Script::Accept).await;
    let nothing = merchant.wait_for(|heard| !heard.is_empty(), Duration::from_millis(5)).await;
    assert_eq!(nothing.unwrap_err().heard, 0);
}

#[tokio::test]
async fn what_was_heard_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("merchant.jsonl");
    let secret = format!("whsec_{}", STANDARD.encode(KEY));
    let endpoint = BillerEndpoint { path: "/isp-ve".to_owned(), secret, script: Script::Accept };
    let merchant = Merchant::start(MerchantSettings {
        listen: ([127, 0, 0, 1], 0).into(),
        log: Some(log.clone()),
        billers: vec![endpoint],
    })
    .await
    .unwrap();
    deliver(&merchant, "ntc_1", BODY, KEY).await;
    merchant.stop().await.unwrap();
    let line: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(log).unwrap()).unwrap();
    assert_eq!((&line["webhook_id"], &line["payment"]), (&"ntc_1".into(), &"pay_1".into()));
    assert_eq!(line["type"], "payment.approved");
}
