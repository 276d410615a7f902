//! What holds for every list of the API, told by its own document, and for texts that people write.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, eventually};

/// Texts in the scripts of the networks that are served, and beyond them.
const TEXTS: [&str; 4] = ["Società Ñandú", "Iași, str. Școlii 4", "会社 支払い", "\u{1F355} x2"];

/// A biller with three things in each list.
async fn filled(house: &House) -> (Api, String) {
    let api = Api::of(house, "isp-ve");
    // Its endpoint is nobody's: what it is owed stays in the list.
    let endpoint = api.post("/v1/endpoints", &json!({ "url": "http://127.0.0.1:9/hook" })).await;
    assert_eq!(endpoint.status, 201, "{endpoint:?}");
    let endpoint = endpoint.text("/id").to_owned();
    for number in 0..3 {
        let paid =
            api.pay(&format!("k-{number}"), &card_payment(15_000, &format!("B-{number}"))).await;
        assert_eq!(paid.status, 201, "{paid:?}");
        let bill = json!({
            "bill_no": format!("F-{number}"), "client_id": "C-7",
            "amount": { "currency": "VES", "minor": 100 },
        });
        assert_eq!(api.post("/v1/bills", &bill).await.status, 201);
        Api::of(house, "isp-ve"); // Another key of the biller.
        let more = format!("http://127.0.0.1:9/{number}");
        assert_eq!(api.post("/v1/endpoints", &json!({ "url": more })).await.status, 201);
    }
    (api, endpoint)
}

/// The lists that the document describes, each with what its query must have.
async fn lists(api: &Api, endpoint: &str) -> Vec<String> {
    let document = api.get("/openapi.json").await.body;
    let is_list = |item: &Value| {
        let parameters = item["get"]["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|it| it["name"] == "limit"))
    };
    let paths = document["paths"].as_object().expect("paths");
    let of_all = paths.iter().filter(|(path, item)| !path.contains('{') && is_list(item));
    let lists = of_all.map(|(path, _)| {
        let needs =
            if path == "/v1/notices" { format!("&endpoint={endpoint}") } else { String::new() };
        let needs = if path == "/v1/bills" { "&client=C-7".to_owned() } else { needs };
        format!("{path}?x{needs}")
    });
    lists.collect()
}

/// Everything in a list, read in pages of so many.
async fn walked(api: &Api, list: &str, limit: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&list.replacen('x', &format!("limit={limit}{cursor}"), 1)).await;
        assert_eq!(page.status, 200, "{list}: {page:?}");
        let members = [&page.body["items"], &page.body["data"]];
        let items = members.into_iter().find_map(Value::as_array).expect("items");
        assert!(items.len() <= limit, "{list}: {page:?}");
        found.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page.body["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_has_each_of_its_things_once_however_long_its_pages_are() {
    let house = House::start().await;
    let (api, endpoint) = filled(&house).await;
    let lists = lists(&api, &endpoint).await;
    assert!(lists.len() >= 6, "{lists:?}");
    for list in &lists {
        let whole = eventually(&format!("three things in {list}"), async || {
            let whole = walked(&api, list, 200).await;
            (whole.len() >= 3).then_some(whole)
        })
        .await;
        let by_one = walked(&api, list, 1).await;
        assert_eq!(by_one, whole, "{list}: the same order");
        assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), whole.len(), "{list}: each once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_refuses_a_limit_a_cursor_or_a_parameter_that_makes_no_sense() {
    let house = House::start().await;
    let (api, endpoint) = filled(&house).await;
    for list in lists(&api, &endpoint).await {
        let cases = [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=ten", "limit"),
            ("limit=1&limit=2", "limit"),
            ("cursor=%00", "cursor"),
            ("page=2", "query"),
        ];
        for (query, field) in cases {
            let refused = api.get(&list.replacen('x', query, 1)).await;
            let told = (refused.status, refused.text("/code"), refused.text("/field"));
            assert_eq!(told, (400, "format_error", field), "{list} {query}: {refused:?}");
        }
    }
}

async fn refund(api: &Api, id: &str, key: &str, reason: &str) -> Reply {
    let path = format!("/v1/payments/{id}/refunds");
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let body = json!({ "amount": { "currency": "VES", "minor": 100 }, "reason": reason });
    api.send(Method::POST, &path, &headers, body.to_string().as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_is_kept_and_shown_in_any_language() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    for (number, text) in TEXTS.into_iter().enumerate() {
        let bill = json!({
            "bill_no": format!("F-{number}"), "client_id": "C-7",
            "client": { "name": text }, "amount": { "currency": "VES", "minor": 15_000 },
            "lines": [{ "text": text, "amount": { "currency": "VES", "minor": 15_000 } }],
            "metadata": { "note": text },
        });
        let made = api.post("/v1/bills", &bill).await;
        assert_eq!(made.status, 201, "{text}: {made:?}");
        let shown = api.get(&format!("/v1/bills/{}", made.text("/id"))).await;
        let told = ["/client/name", "/lines/0/text", "/metadata/note"].map(|at| shown.text(at));
        assert_eq!(told, [text; 3], "{shown:?}");

        let mut payment = card_payment(15_000, &format!("B-{number}"));
        payment["metadata"] = json!({ "note": text, text: 1 });
        let paid = api.pay(&format!("k-{number}"), &payment).await;
        assert_eq!(paid.status, 201, "{text}: {paid:?}");
        let shown = api.get(&format!("/v1/payments/{}", paid.text("/id"))).await;
        assert_eq!(shown.body["metadata"], payment["metadata"], "{shown:?}");

        let refunded = refund(&api, paid.text("/id"), "refund-1", text).await;
        assert_eq!(refunded.status, 201, "{text}: {refunded:?}");
        let id = paid.text("/id").parse().expect("an id");
        let known = house.engine().store.payment(id).await.expect("the journal");
        assert_eq!(&*known.expect("a payment").refunds[0].reason, text);
    }
}
