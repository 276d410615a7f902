//! What holds for every operation of the API, told by its own document.

use http::Method;
use serde_json::{Value, json};

use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, eventually};

const HOOK: &str = "https://shop.example/notices";

/// How ids begin of things that belong to a biller.
const THINGS: [&str; 5] = ["/pay_", "/end_", "/bil_", "/key_", "/ntc_"];

/// One operation of the document.
struct Operation {
    method: Method,
    path: String,
    described: Value,
}

impl Operation {
    async fn ask(&self, api: &Api, body: &Value) -> Reply {
        let json = [("content-type", "application/json")];
        api.send(self.method.clone(), &self.path, &json, body.to_string().as_bytes()).await
    }
}

fn ves(minor: i64) -> Value {
    json!({ "currency": "VES", "minor": minor })
}

/// Every operation, with the ids of things that are there.
async fn operations(api: &Api) -> Vec<Operation> {
    let endpoint = api.post("/v1/endpoints", &json!({ "url": HOOK })).await;
    let payment = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let bill = json!({ "bill_no": "F-7", "client_id": "C-7", "amount": ves(100) });
    let bill = api.post("/v1/bills", &bill).await;
    let external = json!({
        "method": "cash desk", "amount": ves(100), "date": "2026-11-30", "reference": "R-1",
    });
    let of_bill = format!("/v1/bills/{}/external-payments", bill.text("/id"));
    let external = api.post(&of_bill, &external).await;
    let file = json!({ "bill_no": "F-8", "client_id": "C-7", "amount": ves(100) }).to_string();
    let headers = [("content-type", "application/jsonl")];
    let batch = api.send(Method::POST, "/v1/bills:batch", &headers, file.as_bytes()).await;
    let keys = api.get("/v1/keys").await;
    let of_endpoint = format!("/v1/notices?endpoint={}", endpoint.text("/id"));
    let notice = eventually("a notice", async || {
        let notices = api.get(&of_endpoint).await;
        notices.body["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let document = api.get("/openapi.json").await.body;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let id = match path.split('/').nth(2) {
            Some("payments") => payment.text("/id"),
            Some("endpoints") => endpoint.text("/id"),
            Some("bills") => bill.text("/id"),
            Some("batches") => batch.text("/id"),
            Some("keys") => keys.text("/data/0/id"),
            Some("notices") => &notice,
            Some(_) | None => "none",
        };
        let query = match path.split('/').nth(2) {
            Some("notices") => of_endpoint.trim_start_matches("/v1/notices"),
            Some(_) | None => "",
        };
        for (method, described) in item.as_object().expect("operations") {
            operations.push(Operation {
                method: method.to_uppercase().parse().expect("a method"),
                path: path.replace("{id}", id).replace("{external}", external.text("/id")) + query,
                described: described.clone(),
            });
        }
    }
    assert!(operations.len() > 10, "{}", operations.len());
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_that_needs_no_field_refuses_one() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    for operation in operations(&api).await {
        if operation.described.get("requestBody").is_some() {
            continue;
        }
        let Operation { method, path, described } = &operation;
        let reply = operation.ask(&api, &json!({ "force": true })).await;
        assert_eq!((reply.status, reply.text("/code")), (400, "format_error"), "{method} {path}");
        let names_field = reply.text("/field") == "force";
        assert_eq!(names_field, described.get("security").is_none(), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_asks_for_a_key_but_those_that_are_said_to_be_open() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let (stranger, mut open) = (Api::with_key(&house, "ck_wrong"), Vec::new());
    for operation in operations(&api).await {
        let Operation { method, path, described } = &operation;
        match described.get("security") {
            Some(_) => open.push(path.clone()),
            None => {
                let reply = operation.ask(&stranger, &json!({})).await;
                assert_eq!(reply.status, 401, "{method} {path}");
            }
        }
    }
    assert_eq!(open, ["/openapi.json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_biller_is_not_there_at_any_operation() {
    let house = House::start().await;
    let (api, other) = (Api::of(&house, "isp-ve"), Api::of(&house, "lender-mx"));
    let mut seen = 0;
    for operation in operations(&api).await {
        let is_of_a_thing = THINGS.iter().any(|prefix| operation.path.contains(prefix));
        if !is_of_a_thing {
            continue;
        }
        let reply = operation.ask(&other, &json!({})).await;
        assert_eq!(reply.status, 404, "{} {}", operation.method, operation.path);
        seen += 1;
    }
    assert!(seen >= 15, "{seen}");
    assert_eq!(api.get("/v1/endpoints").await.body["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_carries_the_request_s_id_or_one_that_is_made() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    for path in ["/v1/payments", "/v1/nothing", "/openapi.json", "/docs/x"] {
        let named = api.send(Method::GET, path, &[("x-request-id", "order-7.a")], b"").await;
        assert_eq!(named.header("x-request-id"), "order-7.a", "{path}");
        let made = api.get(path).await;
        assert!(made.header("x-request-id").starts_with("req_"), "{path}");
        assert_ne!(made.header("x-request-id"), api.get(path).await.header("x-request-id"));
        // A card number would stand in the log.
        let card = [("x-request-id", "4111111111111111")];
        let replaced = api.send(Method::GET, path, &card, b"").await;
        assert!(replaced.header("x-request-id").starts_with("req_"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_much_is_told_when_to_come_back_and_another_is_served() {
    let house = House::start_with("[http]\nrequests_per_second_per_key_max = 2\n").await;
    let (api, other) = (Api::of(&house, "isp-ve"), Api::of(&house, "lender-mx"));
    let first = api.get("/v1/payments").await;
    assert_eq!((first.status, first.header("ratelimit-limit")), (200, "2"));
    assert_eq!(first.header("ratelimit-remaining"), "1");
    // However slow this machine is, a burst of these is faster than two a second.
    let burst = futures_util::future::join_all((0..40).map(|_| api.get("/v1/payments"))).await;
    let refused: Vec<&Reply> = burst.iter().filter(|reply| reply.status == 429).collect();
    assert!(!refused.is_empty(), "forty requests at once were all served");
    for reply in refused {
        assert_eq!(reply.text("/code"), "rate_limited");
        assert_eq!((reply.header("ratelimit-remaining"), reply.header("retry-after")), ("0", "1"));
    }
    assert_eq!(other.get("/v1/payments").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_without_a_rate_limit_says_nothing_of_one() {
    let house = House::start().await;
    let reply = Api::of(&house, "isp-ve").get("/v1/payments").await;
    assert_eq!((reply.status, reply.header("ratelimit-limit")), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_document_loads_only_what_is_served_beside_it() {
    let house = House::start().await;
    let api = Api::with_key(&house, "");
    let (head, page) = api.page("/docs").await;
    let header = |name: &str| head.headers[name].to_str().expect("an ASCII header").to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
    assert!(header("cache-control").contains("max-age="));
    assert_eq!(header("x-content-type-options"), "nosniff");
    let loaded = page.split(['"']).filter(|text| text.starts_with("/assets/"));
    let loaded: Vec<&str> = loaded.collect();
    assert_eq!(loaded, ["/assets/docs.css", "/assets/docs.js"]);
    for (path, media_type) in loaded.into_iter().zip(["text/css", "text/javascript"]) {
        let (head, text) = api.page(path).await;
        let given = head.headers["content-type"].to_str().expect("an ASCII header");
        assert!(given.starts_with(media_type) && !text.contains("://"), "{path}");
    }
    let put = api.send(Method::PUT, "/docs", &[], b"").await;
    assert_eq!((put.status, put.header("allow")), (405, "GET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_biller_s_endpoints_come_page_by_page() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let mut ids = Vec::new();
    for _ in 0..3 {
        let made = api.post("/v1/endpoints", &json!({ "url": HOOK })).await;
        assert_eq!(made.status, 201, "{}", made.body);
        ids.push(made.text("/id").to_owned());
    }
    let (mut found, mut path) = (Vec::new(), "/v1/endpoints?limit=2".to_owned());
    loop {
        let page = api.get(&path).await;
        let items = page.body["items"].as_array().expect("items");
        assert!(items.len() <= 2, "{}", page.body);
        found.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/v1/endpoints?limit=2&cursor={cursor}");
    }
    ids.sort();
    found.sort();
    assert_eq!(found, ids);
}
