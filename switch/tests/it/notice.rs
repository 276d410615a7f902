//! Notices, as merchants hear them.

use std::collections::HashSet;
use std::time::Duration;

use loadtest::simulator::merchant::{
    BillerEndpoint, HeardNotice, Merchant, MerchantHandle, MerchantSettings, Script,
};
use serde_json::{Value, json};
use switch::app::App;

use crate::api::{Api, card_payment};
use crate::harness::{House, PATIENCE, eventually, start_app};

/// A merchant with these addresses, each an endpoint of `isp-ve`; and their endpoints' ids.
pub async fn merchant(api: &Api, scripts: &[(&str, Script)]) -> (MerchantHandle, Vec<String>) {
    let billers = scripts.iter().map(|(path, script)| BillerEndpoint {
        path: (*path).to_owned(),
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
        script: *script,
    });
    let settings = MerchantSettings {
        listen: ([127, 0, 0, 1], 0).into(),
        log: None,
        billers: billers.collect(),
    };
    let merchant = Merchant::start(settings).await.expect("a merchant");
    let mut ids = Vec::new();
    for (path, _) in scripts {
        let made = api.post("/v1/endpoints", &json!({"url": merchant.url(path)})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        merchant.set_secret(path, made.text("/secret")).expect("a secret");
        ids.push(made.text("/id").to_owned());
    }
    (merchant, ids)
}

async fn heard(merchant: &MerchantHandle, path: &str, count: usize) -> Vec<HeardNotice> {
    eventually(&format!("{count} notices at {path}"), async || {
        let mut heard = merchant.heard();
        heard.retain(|notice| notice.path == path);
        (heard.len() >= count).then_some(heard)
    })
    .await
}

/// The newest notice of an endpoint, once its delivery stands like this.
async fn newest(api: &Api, endpoint: &str, state: &str) -> Value {
    eventually(&format!("a {state} notice"), async || {
        let page = api.get(&format!("/v1/notices?endpoint={endpoint}")).await;
        let newest = page.body["items"][0].clone();
        (newest["state"] == json!(state)).then_some(newest)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_notice_tells_of_each_outcome_and_of_the_undoing() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let (merchant, endpoints) = merchant(&api, &[("/hook", Script::Accept)]).await;
    let paid = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let declined = api.pay("order-2", &card_payment(1_051, "B-2")).await;
    heard(&merchant, "/hook", 2).await;
    api.post(&format!("/v1/payments/{}/reverse", paid.text("/id")), &json!({})).await;
    let all = heard(&merchant, "/hook", 3).await;
    let told: HashSet<(&str, &str)> =
        all.iter().map(|notice| (notice.payment.as_str(), notice.kind.as_str())).collect();
    let expected = HashSet::from([
        (paid.text("/id"), "payment.approved"),
        (declined.text("/id"), "payment.declined"),
        (paid.text("/id"), "payment.reversed"),
    ]);
    assert_eq!(told, expected);
    assert_eq!(merchant.disbelieved(), 0, "every signature was right");

    let newest = newest(&api, &endpoints[0], "delivered").await;
    assert_eq!((newest["attempts"].clone(), newest["last_status"].clone()), (json!(1), json!(200)));
    assert_eq!(newest["id"], json!(all[2].webhook_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_notice_holds_back_its_own_bill_and_no_other() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let refuses = Script::RefuseThenAccept { status: 500, times: 1 };
    let (merchant, _) = merchant(&api, &[("/hook", refuses)]).await;
    let first = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    eventually("the first delivery to be refused", async || {
        (merchant.refused() == 1).then_some(())
    })
    .await;
    let second = api.pay("order-2", &card_payment(16_000, "B-1")).await;
    let other = api.pay("order-3", &card_payment(17_000, "B-2")).await;
    let all = heard(&merchant, "/hook", 3).await;
    let order: Vec<&str> = all.iter().map(|notice| notice.payment.as_str()).collect();
    assert_eq!(order, [other.text("/id"), first.text("/id"), second.text("/id")]);
    let ids: HashSet<&str> = all.iter().map(|notice| notice.webhook_id.as_str()).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hangs_or_is_not_there_delays_no_other() {
    let house = House::start_with("[notices]\nin_flight_max = 8\ntimeout_ms = 60000\n").await;
    let api = Api::of(&house, "isp-ve");
    let scripts = [("/hang", Script::Hang), ("/stuck", Script::Hang), ("/well", Script::Accept)];
    let (merchant, _) = merchant(&api, &scripts).await;
    let nobody = json!({"url": "http://127.0.0.1:1/"});
    assert_eq!(api.post("/v1/endpoints", &nobody).await.status, 201);
    for number in 0..40 {
        let bill = format!("B-{number}");
        api.pay(&format!("order-{number}"), &card_payment(15_000, &bill)).await;
    }
    // Far less than the hanging ones' time-out.
    let all = tokio::time::timeout(PATIENCE, heard(&merchant, "/well", 40)).await;
    assert_eq!(all.expect("in time").len(), 40);
    assert_eq!(merchant.heard().len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_says_gone_is_deleted_and_a_deleted_one_hears_no_more() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let scripts =
        [("/gone", Script::Gone), ("/deleted", Script::Accept), ("/kept", Script::Accept)];
    let (merchant, endpoints) = merchant(&api, &scripts).await;
    assert_eq!(api.delete(&format!("/v1/endpoints/{}", endpoints[1])).await.status, 204);
    for number in 0..5 {
        api.pay(&format!("order-{number}"), &card_payment(15_000, "B-1")).await;
    }
    heard(&merchant, "/kept", 5).await;
    eventually("the gone endpoint to be deleted", async || {
        let gone = api.get(&format!("/v1/endpoints/{}", endpoints[0])).await;
        (gone.status == 404).then_some(())
    })
    .await;
    assert_eq!(merchant.heard().len(), 5);
    let left = api.get("/v1/endpoints").await;
    assert_eq!(left.body["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(left.text("/items/0/id"), endpoints[2]);
    assert_eq!(left.text("/items/0/secret"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_was_given_up_can_be_sent_again_by_hand() {
    let house = House::start_with("[notices]\nretry_after_s = []\n").await;
    let (api, lender) = (Api::of(&house, "isp-ve"), Api::of(&house, "lender-mx"));
    let refuses = Script::RefuseThenAccept { status: 302, times: 1 };
    let (merchant, endpoints) = merchant(&api, &[("/hook", refuses)]).await;
    let paid = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let dead = newest(&api, &endpoints[0], "dead").await;
    assert_eq!(dead["last_status"], json!(302), "redirects are not followed");

    let path = format!("/v1/notices/{}/redeliver", dead["id"].as_str().expect("an id"));
    assert_eq!(lender.post(&path, &json!({})).await.status, 404);
    assert_eq!(api.post(&path, &json!({})).await.status, 202);
    let all = heard(&merchant, "/hook", 1).await;
    assert_eq!(all[0].payment, paid.text("/id"));
    assert_eq!(json!(all[0].webhook_id), dead["id"], "under the same id");
    // And even one that was accepted.
    newest(&api, &endpoints[0], "delivered").await;
    assert_eq!(api.post(&path, &json!({})).await.status, 202);
    assert_eq!(heard(&merchant, "/hook", 2).await[1].webhook_id, all[0].webhook_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_owed_is_sent_after_a_restart_under_the_same_id() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let refuses = Script::RefuseThenAccept { status: 503, times: 1 };
    let (merchant, endpoints) = merchant(&api, &[("/hook", refuses)]).await;
    let paid = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let owed = eventually("one attempt to be noted", async || {
        let page = api.get(&format!("/v1/notices?endpoint={}", endpoints[0])).await;
        (page.body["items"][0]["attempts"] == json!(1)).then_some(page)
    })
    .await;
    assert_eq!(owed.text("/items/0/state"), "pending");
    assert_ne!(owed.text("/items/0/next_attempt_at"), "");
    let (dir, issuer) = house.stop().await;
    assert_eq!(merchant.heard(), []);
    let app: App = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let all = heard(&merchant, "/hook", 1).await;
    assert_eq!(
        (&*all[0].payment, &*all[0].webhook_id),
        (paid.text("/id"), owed.text("/items/0/id"))
    );
    let api = Api::of(&house, "isp-ve");
    newest(&api, &endpoints[0], "delivered").await;
    assert_eq!(merchant.disbelieved(), 0, "the secret was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_s_address_is_public_and_its_number_has_a_ceiling() {
    let extra =
        "[notices]\ndangerous_allow_private_addresses = false\nendpoints_per_biller_max = 1\n";
    let house = House::start_with(extra).await;
    let api = Api::of(&house, "isp-ve");
    for url in [
        "http://shop.example/hook",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://user@shop.example/",
        "https://shop.example/#x",
    ] {
        let refused = api.post("/v1/endpoints", &json!({"url": url})).await;
        assert_eq!((refused.status, refused.text("/field")), (400, "url"), "{url}");
    }
    let types = json!({"url": "https://shop.example/", "types": ["payment.lost"]});
    assert_eq!(api.post("/v1/endpoints", &types).await.text("/field"), "types[0]");
    let good = json!({"url": "https://shop.example/", "types": ["payment.approved"]});
    let asked = (0..32).map(|_| api.post("/v1/endpoints", &good));
    let mut told: Vec<u16> =
        futures_util::future::join_all(asked).await.iter().map(|reply| reply.status).collect();
    told.sort_unstable();
    assert_eq!((told[0], &told[1..]), (201, &[409; 31][..]), "however many are asked for at once");
    assert_eq!(api.post("/v1/endpoints", &good).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_into_our_own_network_is_not_connected_to() {
    let extra = "[notices]\ndangerous_allow_private_addresses = false\nretry_after_s = []\n";
    let house = House::start_with(extra).await;
    let api = Api::of(&house, "isp-ve");
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a trap");
    let port = trap.local_addr().expect("its address").port();
    let url = format!("https://localhost:{port}/");
    let made = api.post("/v1/endpoints", &json!({"url": url})).await;
    assert_eq!(made.status, 201, "a name is only looked up when it is used: {}", made.body);
    api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let dead = newest(&api, made.text("/id"), "dead").await;
    assert_eq!(dead.get("last_status"), None);
    let caught = tokio::time::timeout(Duration::from_millis(50), trap.accept()).await;
    assert!(caught.is_err(), "somebody connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_merchant_s_endpoints_that_turn_to_hanging_do_not_hold_up_another_s_notices() {
    let extra = "[notices]\nin_flight_max = 16\ntimeout_ms = 120000\n\
                 [[billers]]\nid = \"shop-2\"\ncurrencies = [\"VES\"]\n";
    let house = House::start_with(extra).await;
    let (hog, other) = (Api::of(&house, "isp-ve"), Api::of(&house, "shop-2"));
    let paths: Vec<String> = (0..8).map(|number| format!("/hog-{number}")).collect();
    let scripts: Vec<_> = paths.iter().map(|path| (path.as_str(), Script::Accept)).collect();
    let (hanging, _) = merchant(&hog, &scripts).await;
    let (well, _) = merchant(&other, &[("/well", Script::Accept)]).await;
    // They answer well until each has earned more places than there are.
    for number in 0..20 {
        hog.pay(&format!("early-{number}"), &card_payment(15_000, &format!("E-{number}"))).await;
    }
    eventually("every endpoint to be trusted", async || {
        (hanging.heard().len() == 8 * 20).then_some(())
    })
    .await;
    paths.iter().for_each(|path| hanging.rewrite(path, Script::Hang));
    for number in 0..20 {
        hog.pay(&format!("late-{number}"), &card_payment(15_000, &format!("L-{number}"))).await;
    }
    eventually("them to hang", async || (hanging.hung() >= 2).then_some(())).await;
    // Far less than the hanging ones' time-out, which is beyond the patience of this test.
    for number in 0..5 {
        other.pay(&format!("order-{number}"), &card_payment(15_000, &format!("O-{number}"))).await;
        heard(&well, "/well", number + 1).await;
    }
    // And while they go on: what was overdue took no place from anybody either.
    eventually("more of them to hang", async || (hanging.hung() >= 4).then_some(())).await;
    other.pay("order-last", &card_payment(15_000, "O-last")).await;
    heard(&well, "/well", 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_two_programs_would_read_differently_is_refused_and_others_are_normalised()
{
    let extra = "[notices]\ndangerous_allow_private_addresses = false\n";
    let house = House::start_with(extra).await;
    let api = Api::of(&house, "isp-ve");
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a trap");
    let port = trap.local_addr().expect("its address").port();
    let hosts = [
        "[127.0.0.1]",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1%25lo]",
        "127.0.0.1%00.shop.example",
        "a.example\\\\@127.0.0.1",
    ];
    for host in hosts {
        let url = format!("https://{host}:{port}/h");
        let refused = api.post("/v1/endpoints", &json!({"url": url})).await;
        assert_eq!((refused.status, refused.text("/field")), (400, "url"), "{url}");
    }
    for port in ["0", "65536", "99999", ""] {
        let url = format!("https://shop.example:{port}/h");
        let refused = api.post("/v1/endpoints", &json!({"url": url})).await;
        assert_eq!((refused.status, refused.text("/field")), (400, "url"), "{url}");
    }
    let made = api.post("/v1/endpoints", &json!({"url": "HTTPS://Shop.Example:443/Hook"})).await;
    assert_eq!((made.status, made.text("/url")), (201, "https://shop.example/Hook"));
    let caught = tokio::time::timeout(Duration::from_millis(50), trap.accept()).await;
    assert!(caught.is_err(), "somebody connected");
}
