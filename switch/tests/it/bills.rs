//! Bills by the API: registered once, shown as they stand, changed by version, paid by their terms.

mod batch;
mod external;
mod kill;
mod line;
mod outage;
mod statement;
mod under_way;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use switch::keys::Role;

use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, PATIENCE, eventually};

fn ves(minor: i64) -> Value {
    json!({"currency": "VES", "minor": minor})
}

fn bill(bill_no: &str, minor: i64) -> Value {
    json!({"bill_no": bill_no, "client_id": "C-77", "amount": ves(minor)})
}

/// A house whose back office is open.
async fn house() -> House {
    house_with("").await
}

async fn house_with(extra: &str) -> House {
    let house = House::start_with(extra).await;
    eventually("the back office to be open", async || house.engine().backoffice.office().ok())
        .await;
    house
}

async fn patch(api: &Api, id: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json")];
    let body = body.to_string();
    api.send(Method::PATCH, &format!("/v1/bills/{id}"), &headers, body.as_bytes()).await
}

/// A bill that is registered; gives its id.
async fn registered(api: &Api, body: &Value) -> String {
    let made = api.post("/v1/bills", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.text("/id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_is_shown_as_it_was_registered_with_what_may_be_paid_of_it() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut body = bill("F-1", 100_000);
    let rest = json!({
        "contract_no": "K-9",
        "client": {"name": "Ana Pérez", "phone": "584120000000", "language": "es"},
        "lines": [{"text": "Internet", "amount": ves(90_000)}, {"text": "Router", "amount": ves(10_000)}],
        "due": [{"date": "2999-12-10", "amount": ves(100_000)},
                {"date": "2999-12-20", "amount": ves(110_000)}],
        "allow_partial": true, "min": ves(1_000), "max": ves(50_000), "must_leave": ves(100),
        "product": "internet", "expires_at": "2999-12-31T23:59:59Z", "origin": "online",
        "metadata": {"cart": "c-1"},
    });
    body.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
    let made = api.post("/v1/bills", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.text("/id").to_owned();
    assert!(id.starts_with("bil_"));
    assert_eq!(made.header("location"), format!("/v1/bills/{id}"));
    for (member, value) in body.as_object().expect("an object") {
        if member != "expires_at" {
            assert_eq!(&made.body[member], value, "{member}");
        }
    }
    assert_eq!(made.text("/expires_at"), "2999-12-31T23:59:59.000Z");
    assert_eq!((made.text("/state"), &made.body["version"]), ("open", &json!(1)));
    assert_eq!((&made.body["paid"], &made.body["remaining"]), (&ves(0), &ves(100_000)));
    assert_eq!(made.body["payable_now"], ves(99_900), "a hundred must stay");
    assert_eq!(made.body["elements"], json!([]));
    assert_eq!(made.text("/timeline_url"), format!("/v1/bills/{id}/timeline"));
    let shown = api.get(&format!("/v1/bills/{id}")).await;
    assert_eq!((shown.status, shown.body), (200, made.body));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_number_is_told_with_the_bill_that_has_it() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let first = api.post("/v1/bills", &bill("F-1", 100_000)).await;
    let again = api.post("/v1/bills", &bill("F-1", 5)).await;
    assert_eq!((again.status, again.text("/code")), (409, "bill_exists"));
    assert_eq!(again.header("content-type"), "application/problem+json");
    assert_eq!(again.body["bill"], first.body);
    let racing = (0..20).map(|minor| {
        let api = &api;
        async move { api.post("/v1/bills", &bill("F-2", 100 + minor)).await }
    });
    let made = join_all(racing).await;
    assert_eq!(made.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(made.iter().filter(|reply| reply.status == 409).count(), 19);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_belongs_to_its_biller_and_an_operator_s_key_reads_only() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 100_000)).await;
    let other = Api::of(&house, "lender-mx");
    let path = format!("/v1/bills/{id}");
    for reply in [
        other.get(&path).await,
        other.post(&format!("{path}/cancel"), &json!({})).await,
        other.get(&format!("{path}/timeline")).await,
        api.get("/v1/bills/bil_00000000000000000000000000").await,
    ] {
        assert_eq!((reply.status, reply.text("/code")), (404, "bill_not_found"));
    }
    let operator = Api::with_role(&house, Role::Operator, "ops");
    assert_eq!(operator.get(&path).await.status, 200);
    assert_eq!(operator.get("/v1/bills?biller=isp-ve").await.body["data"][0]["id"], json!(id));
    assert_eq!(operator.post("/v1/bills", &bill("F-2", 1)).await.status, 403);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_page_by_cursor_and_say_as_of_when() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    for number in 1..=5 {
        let mut body = bill(&format!("F-{number}"), 1_000);
        if number % 2 == 0 {
            body["client_id"] = json!("C-78");
        }
        registered(&api, &body).await;
    }
    let (mut numbers, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/v1/bills?limit=2{cursor}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.text("/as_of").ends_with('Z'));
        let data = page.body["data"].as_array().expect("a list").clone();
        numbers.extend(data.iter().map(|bill| bill["bill_no"].as_str().expect("text").to_owned()));
        match page.text("/next_cursor") {
            "" => break,
            next => cursor = format!("&cursor={next}"),
        }
    }
    assert_eq!(numbers, ["F-1", "F-2", "F-3", "F-4", "F-5"]);
    let of_payer = api.get("/v1/bills?client=C-78").await;
    assert_eq!(of_payer.body["data"].as_array().map(Vec::len), Some(2));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_names_the_version_it_was_made_from() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 100_000)).await;
    let changed = patch(&api, &id, &json!({"version": 1, "amount": ves(70_000)})).await;
    assert_eq!((changed.status, &changed.body["version"]), (200, &json!(2)), "{changed:?}");
    assert_eq!(changed.body["remaining"], ves(70_000));
    let stale = patch(&api, &id, &json!({"version": 1, "amount": ves(60_000)})).await;
    assert_eq!((stale.status, stale.text("/code")), (409, "version_conflict"));
    let wrong = patch(&api, &id, &json!({"version": 2, "bill_no": "F-9"})).await;
    assert_eq!((wrong.status, wrong.text("/field")), (400, "bill_no"));
    let cancel = format!("/v1/bills/{id}/cancel");
    for _ in 0..2 {
        let cancelled = api.post(&cancel, &json!({})).await;
        assert_eq!((cancelled.status, cancelled.text("/state")), (200, "cancelled"));
        assert_eq!(cancelled.body["payable_now"], ves(0));
    }
    let closed = patch(&api, &id, &json!({"version": 3, "amount": ves(60_000)})).await;
    assert_eq!((closed.status, closed.text("/code")), (410, "bill_cancelled"));
    let events = api.get(&format!("/v1/bills/{id}/timeline")).await;
    let kinds: Vec<&str> = events.body["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["type"].as_str().expect("text"))
        .collect();
    assert_eq!(kinds, ["bill.registered", "bill.amended", "bill.cancelled"]);
    assert!(events.text("/events/0/actor").starts_with("key:"), "{events:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_in_a_bill_is_refused_with_its_field() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut body = bill("F-1", 100_000);
    body["lines"] = json!([{"text": "card 4111 1111 1111 1111", "amount": ves(100_000)}]);
    let refused = api.post("/v1/bills", &body).await;
    assert_eq!((refused.status, refused.text("/field")), (400, "lines.text"), "{refused:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_is_paid_by_its_number_or_id_and_its_state_follows() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let wrong = api.pay("k-1", &card_payment(14_999, "F-1")).await;
    assert_eq!((wrong.status, wrong.text("/code")), (422, "amount_mismatch"), "{wrong:?}");
    assert_eq!(wrong.body["payable_now"], ves(15_000));
    let paid = api.pay("k-2", &card_payment(15_000, &id)).await;
    assert_eq!((paid.status, paid.text("/state")), (201, "approved"), "{paid:?}");
    let shown = api.get(&format!("/v1/bills/{id}")).await;
    assert_eq!(shown.text("/state"), "paid");
    assert_eq!((&shown.body["paid"], &shown.body["remaining"]), (&ves(15_000), &ves(0)));
    let twice = api.pay("k-3", &card_payment(15_000, "F-1")).await;
    assert_eq!((twice.status, twice.text("/code")), (409, "bill_already_paid"));
    let again = api.pay("k-2", &card_payment(15_000, &id)).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
    let cancel = api.post(&format!("/v1/bills/{id}/cancel"), &json!({})).await;
    assert_eq!((cancel.status, cancel.text("/code")), (409, "bill_already_paid"));
    let payment = paid.text("/id").to_owned();
    api.post(&format!("/v1/payments/{payment}/reverse"), &json!({})).await;
    eventually("the bill to be open again", async || {
        let shown = api.get(&format!("/v1/bills/{id}")).await;
        (shown.text("/state") == "open" && shown.body["remaining"] == ves(15_000)).then_some(())
    })
    .await;
    let events = api.get(&format!("/v1/bills/{id}/timeline")).await;
    let of_payment: Vec<&str> = events.body["events"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|event| event["payment"] == json!(payment))
        .map(|event| event["type"].as_str().expect("text"))
        .collect();
    let expected = ["payment.sent", "payment.approved", "payment.reversing", "payment.reversed"];
    assert_eq!(of_payment, expected);
    let anew = api.pay("k-4", &card_payment(15_000, "F-1")).await;
    assert_eq!(anew.status, 201, "a reversed bill is payable again: {anew:?}");
    house.stop().await;
}

/// The timeline of a bill.
async fn events_of(api: &Api, id: &str) -> Vec<Value> {
    let timeline = api.get(&format!("/v1/bills/{id}/timeline")).await;
    assert_eq!(timeline.status, 200, "{timeline:?}");
    timeline.body["events"].as_array().expect("a list").clone()
}

/// The bodies of all notices owed so far, oldest first.
async fn told(api: &Api, count: usize) -> Vec<Value> {
    eventually(&format!("{count} events"), async || {
        let page = api.get("/v1/events?limit=100").await;
        let data = page.body["data"].as_array().expect("a list").clone();
        (data.len() >= count).then_some(data)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_notices_of_a_payment_tell_where_its_bill_stood_with_it() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let hook = api.post("/v1/endpoints", &json!({"url": "http://127.0.0.1:1/"})).await;
    assert_eq!(hook.status, 201, "{hook:?}");
    let mut body = bill("F-1", 10_000);
    body["allow_partial"] = json!(true);
    let id = registered(&api, &body).await;
    let standing = |state: &str, paid: i64| {
        json!({"id": id, "bill_no": "F-1", "state": state, "paid": ves(paid),
               "remaining": ves(10_000 - paid)})
    };
    let first = api.pay("k-1", &card_payment(6_000, "F-1")).await;
    assert_eq!(first.body["bill"], standing("partially_paid", 6_000), "{first:?}");
    let second = api.pay("k-2", &card_payment(4_000, &id)).await;
    assert_eq!(second.body["bill"], standing("paid", 10_000), "{second:?}");
    let late = api.pay("k-3", &card_payment(4_000, "F-1")).await;
    assert_eq!((late.status, &late.body["bill"]), (409, &standing("paid", 10_000)), "{late:?}");
    let payment = second.text("/id").to_owned();
    let refund = format!("/v1/payments/{payment}/refunds");
    let headers = [("content-type", "application/json"), ("idempotency-key", "r-1")];
    let asked = json!({"amount": ves(1_000)}).to_string();
    let refunded = api.send(Method::POST, &refund, &headers, asked.as_bytes()).await;
    assert_eq!(refunded.status, 201, "{refunded:?}");
    let before = told(&api, 4).await;
    let kinds: Vec<&str> = before.iter().filter_map(|event| event["type"].as_str()).collect();
    let approved = "payment.approved";
    assert_eq!(kinds, [approved, approved, "payment.declined", "payment.refunded"]);
    let bills: Vec<&Value> = before.iter().map(|event| &event["data"]["bill"]).collect();
    let parts = standing("partially_paid", 6_000);
    let (whole, less) = (standing("paid", 10_000), standing("partially_paid", 9_000));
    assert_eq!(bills, [&parts, &whole, &whole, &less]);
    let changed = patch(&api, &id, &json!({"version": 1, "amount": ves(20_000)})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(told(&api, 4).await, before, "a notice says the same whenever it is sent");
    let now = api.get(&format!("/v1/payments/{payment}")).await;
    let amended = json!({"id": id, "bill_no": "F-1", "state": "partially_paid",
        "paid": ves(9_000), "remaining": ves(11_000)});
    assert_eq!(now.body["bill"], amended, "{now:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_no_bill_has_is_refused_and_a_number_that_none_has_is_only_a_name() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let missing = api.pay("k-1", &card_payment(15_000, "bil_00000000000000000000000000")).await;
    assert_eq!((missing.status, missing.text("/code")), (404, "bill_not_found"));
    registered(&api, &bill("F-1", 15_000)).await;
    let named = api.pay("k-2", &card_payment(15_000, "F-2")).await;
    assert_eq!(named.status, 201, "{named:?}");
    assert_eq!(named.body["bill"], json!({"bill_no": "F-2"}), "none of that number is registered");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_bill_never_sum_to_more_than_the_bill() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut body = bill("F-1", 100_000);
    body["allow_partial"] = json!(true);
    let id = registered(&api, &body).await;
    let mut approved = 0;
    for round in 0..10 {
        let parts = (0..4).map(|part| {
            let (api, key) = (&api, format!("k-{round}-{part}"));
            async move { api.pay(&key, &card_payment(30_000, "F-1")).await }
        });
        let replies = join_all(parts).await;
        approved += replies.iter().filter(|reply| reply.status == 201).count();
        for reply in replies {
            let code = reply.text("/code");
            let is_refusal = ["bill_in_progress", "amount_mismatch"].contains(&code);
            assert!(reply.status == 201 || is_refusal, "{reply:?}");
        }
    }
    assert_eq!(approved, 3, "three times 300.00 of 1000.00");
    let shown = api.get(&format!("/v1/bills/{id}")).await;
    assert_eq!(shown.text("/state"), "partially_paid");
    assert_eq!((&shown.body["paid"], &shown.body["payable_now"]), (&ves(90_000), &ves(10_000)));
    let last = api.pay("last", &card_payment(10_000, "F-1")).await;
    assert_eq!(last.status, 201, "{last:?}");
    assert_eq!(api.get(&format!("/v1/bills/{id}")).await.text("/state"), "paid");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_and_an_expired_bill_take_no_payment() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    api.post(&format!("/v1/bills/{id}/cancel"), &json!({})).await;
    let cancelled = api.pay("k-1", &card_payment(15_000, "F-1")).await;
    assert_eq!((cancelled.status, cancelled.text("/code")), (410, "bill_cancelled"));
    let mut body = bill("F-2", 15_000);
    body["expires_at"] = json!("2020-01-01T00:00:00Z");
    registered(&api, &body).await;
    let expired = api.pay("k-2", &card_payment(15_000, "F-2")).await;
    assert_eq!((expired.status, expired.text("/code")), (410, "bill_expired"));
    house.stop().await;
}

/// A back office whose server is away.
const AWAY: &str =
    "[backoffice]\nurl = \"postgres://cauce@127.0.0.1:1/none\"\nstatement_timeout_ms = 500\n";

#[tokio::test(flavor = "multi_thread")]
async fn with_the_back_office_away_payments_that_need_no_bill_go_on() {
    let house = House::start_with(AWAY).await;
    let api = Api::of(&house, "isp-ve");
    let refused = api.post("/v1/bills", &bill("F-1", 15_000)).await;
    assert_eq!((refused.status, refused.text("/code")), (503, "back_office_unavailable"));
    assert_eq!(refused.header("retry-after"), "1");
    let of_bill = api.pay("k-1", &card_payment(15_000, "F-1")).await;
    assert_eq!(of_bill.status, 503, "{of_bill:?}");
    let mut plain = card_payment(15_000, "F-1");
    plain.as_object_mut().expect("an object").remove("bill");
    let paid = api.pay("k-2", &plain).await;
    assert_eq!(paid.status, 201, "{paid:?}");
    let admin = house.app.addresses.admin;
    let ready = crate::admin::answer(
        admin,
        &format!("GET /readyz HTTP/1.1\r\nConnection: close\r\nHost: {admin}\r\n\r\n"),
    )
    .await;
    assert!(ready.contains(" 200 ") && ready.contains("back office: "), "{ready}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_back_office_in_postgresql_serves_the_same() {
    let url = rig::shared_postgres().expect("a server").fresh_database().expect("a database");
    let settings = storage_backoffice::BackofficeSettings::at(
        storage_backoffice::BackofficeLocation::Server(url.as_str().into()),
    );
    let migrated = storage_backoffice::Backoffice::migrate(&settings).await;
    migrated.expect("a migrated database").close().await;
    let house = house_with(&format!("[backoffice]\nurl = \"{url}\"\n")).await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let again = api.post("/v1/bills", &bill("F-1", 15_000)).await;
    assert_eq!((again.status, again.text("/bill/id")), (409, id.as_str()));
    let paid = api.pay("k-1", &card_payment(15_000, "F-1")).await;
    assert_eq!(paid.status, 201, "{paid:?}");
    let shown = tokio::time::timeout(PATIENCE, api.get(&format!("/v1/bills/{id}"))).await;
    assert_eq!(shown.expect("an answer").text("/state"), "paid");
    let timeline = api.get(&format!("/v1/bills/{id}/timeline")).await;
    assert_eq!(timeline.body["events"].as_array().map(Vec::len), Some(3), "{timeline:?}");
    house.stop().await;
}
