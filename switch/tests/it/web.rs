//! The JSON API, as merchants and operators meet it.

use http::Method;
use loadtest::simulator::issuer::Mood;
use router::payment::PaymentState;
use serde_json::{Value, json};
use switch::keys::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::api::{Api, card_payment};
use crate::harness::{CONFIG, House, PATIENCE, eventually, net_debits};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_answered_once_and_the_same_ever_after() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let first = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_eq!(first.status, 201, "{}", first.body);
    assert_eq!(first.text("/state"), "approved");
    assert_eq!(first.text("/payer/card"), "411111******1111");
    assert_eq!(first.body["fees"][0]["amount"], json!({"currency": "VES", "minor": 450}));
    assert_eq!(first.header("location"), format!("/v1/payments/{}", first.text("/id")));
    assert_eq!(first.header("idempotent-replayed"), "");

    let again = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(house.issuer.truth().len(), 1);

    for name in [first.text("/id"), first.text("/folio")] {
        let shown = api.get(&format!("/v1/payments/{name}")).await;
        assert_eq!((shown.status, &shown.body), (200, &first.body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_good_for_one_body() {
    let house = House::start().await;
    let (api, lender) = (Api::of(&house, "isp-ve"), Api::of(&house, "lender-mx"));
    api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let other = api.pay("order-1", &card_payment(16_000, "B-1")).await;
    assert_eq!((other.status, other.text("/code")), (422, "idempotency_conflict"));
    assert_eq!(other.header("content-type"), "application/problem+json");
    // Another biller's key of the same name is another key.
    let theirs = lender.pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_ne!(theirs.text("/code"), "idempotency_conflict");
    assert_eq!(house.issuer.truth().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_the_body_counts_for_a_key_and_their_order_does_not() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let mut first = card_payment(15_000, "B-1");
    first["metadata"] = json!({"order": "A-1", "cart": {"b": 1, "a": [2]}});
    first["remaining_debt"] = json!({"currency": "VES", "minor": 60_000});
    let paid = api.pay("order-1", &first).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    let changes: [(&str, Value); 4] = [
        ("/metadata/order", json!("B-2")),
        ("/metadata/cart/a/0", json!(3)),
        ("/remaining_debt/minor", json!(60_001)),
        // The same first six and last four digits.
        ("/payer/card/number", json!("4111110000001111")),
    ];
    for (pointer, value) in changes {
        let mut other = first.clone();
        *other.pointer_mut(pointer).expect("a member") = value;
        let reply = api.pay("order-1", &other).await;
        assert_eq!((reply.status, reply.text("/code")), (422, "idempotency_conflict"), "{pointer}");
    }
    let headers = [("content-type", "application/json"), ("idempotency-key", "order-1")];
    let card = first["payer"].to_string();
    let turned = format!(
        r#"{{ "metadata": {{"cart":{{"a":[ 2 ],"b":1}}, "order":"A-1"}},
             "remaining_debt": {{"minor":60000,"currency":"VES"}}, "bill":"B-1", "payer":{card},
             "amount": {{"minor":15000,"currency":"VES"}}, "rail":"account" }}"#
    );
    let same = api.send(Method::POST, "/v1/payments", &headers, turned.as_bytes()).await;
    assert_eq!((same.status, same.text("/id")), (201, paid.text("/id")), "{}", same.body);
    assert_eq!(same.header("idempotent-replayed"), "true");
    assert_eq!(house.issuer.truth().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_while_the_bank_is_away_is_told_its_payment_whatever_was_filled_in() {
    let zone = "time_zone = \"America/Caracas\"\n";
    let acceptor = "[billers.acceptor]\nterminal = \"SHOPTERM\"\nid = \"SHOP-1\"\n";
    let rules = CONFIG.replace(zone, &format!("{zone}{acceptor}"));
    let house = House::start_text(&rules, "").await;
    let api = Api::of(&house, "isp-ve");
    let paid = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    house.issuer.set_mood(Mood::HangingUp);
    let mut number = 0;
    let again = eventually("a repeat while the bank is away", async || {
        number += 1;
        // Whatever is asked drops the line.
        api.pay(&format!("order-x{number}"), &card_payment(10_001, "B-x")).await;
        let away = house.engine().participants().iso8583().all(|it| !it.is_signed_on());
        let again = api.pay("order-1", &card_payment(15_000, "B-1")).await;
        away.then_some(again)
    })
    .await;
    assert_eq!((again.status, again.text("/id")), (201, paid.text("/id")), "{}", again.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_written_in_any_language_and_shown_as_it_came() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    for (at, reference) in
        ["Società Ñandú", "Iași, str. Școlii", "会社", "\u{1F355} x2"].iter().enumerate()
    {
        let mut body = card_payment(15_000, &format!("B-{at}"));
        body["reference"] = json!(reference);
        let paid = api.pay(&format!("order-{at}"), &body).await;
        assert_eq!(paid.status, 201, "{}", paid.body);
        let shown = api.get(&format!("/v1/payments/{}", paid.text("/id"))).await;
        assert_eq!(shown.text("/reference"), *reference);
        let again = api.pay(&format!("order-{at}"), &body).await;
        assert_eq!(again.text("/id"), paid.text("/id"), "a repeat is one");
    }
    let mut body = card_payment(15_000, "B-9");
    for (reference, detail) in [
        ("ñ".repeat(41), "41 characters, at most 40 allowed"),
        ("two\nlines".to_owned(), "character U+000A at position 3 is not allowed"),
        ("\u{202E}9 redro".to_owned(), "character U+202E at position 0 is not allowed"),
    ] {
        body["reference"] = json!(reference);
        let refused = api.pay("order-9", &body).await;
        assert_eq!((refused.status, refused.text("/field")), (400, "reference"));
        assert!(refused.text("/detail").contains(detail), "{}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_makes_no_sense_leaves_its_key_free() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let mut nobody = card_payment(15_000, "B-1");
    nobody.as_object_mut().expect("an object").remove("payer");
    let refused = api.pay("order-1", &nobody).await;
    let told = (refused.status, refused.text("/code"), refused.text("/field"));
    assert_eq!(told, (400, "format_error", "payer"));
    // The bank's line has no place for a telephone: it would not know whose money is meant.
    nobody["payer"] = json!({"phone": "584120000000"});
    let refused = api.pay("order-1", &nobody).await;
    let told = (refused.status, refused.text("/code"), refused.text("/field"));
    assert_eq!(told, (400, "format_error", "payer.account"), "{}", refused.body);
    assert_eq!(house.issuer.truth().len(), 0);
    let paid = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_eq!((paid.status, paid.text("/state")), (201, "approved"), "{}", paid.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_is_a_problem_and_a_payment_in_one() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    for (minor, status, code, no) in
        [(1_051, 402, "insufficient_funds", "1001"), (1_054, 402, "card_expired", "1201")]
    {
        let key = format!("order-{minor}");
        let reply = api.pay(&key, &card_payment(minor, "B-1")).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!((reply.text("/code"), reply.text("/no")), (code, no));
        assert_eq!((reply.text("/state"), reply.text("/reason/code")), ("declined", code));
        assert_eq!(reply.body["status"], json!(status));
        assert_eq!(reply.text("/type"), format!("urn:cauce:problem:{code}"));
        let again = api.pay(&key, &card_payment(minor, "B-1")).await;
        assert_eq!((again.status, &again.body), (status, &reply.body));
        assert_eq!(again.header("idempotent-replayed"), "true");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_told_that_its_payment_is_under_way_and_silence_is_no_decline() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let silent = card_payment(1_068, "B-1");
    let repeated = async {
        let store = &house.engine().store;
        eventually("the payment to be under way", async || {
            let open = store.open_payments().await.expect("the journal");
            (!open.is_empty()).then_some(())
        })
        .await;
        api.pay("order-1", &silent).await
    };
    let (first, repeat) = futures_util::future::join(api.pay("order-1", &silent), repeated).await;
    assert_eq!((repeat.status, repeat.text("/code")), (409, "payment_in_progress"));
    assert_eq!(repeat.header("retry-after"), "1");
    assert_eq!((first.status, first.text("/state")), (202, "unknown"));
    assert_eq!(first.text("/unknown_cause"), "timeout");
    let later = api.pay("order-1", &silent).await;
    assert_eq!((later.status, &later.body), (202, &first.body), "told the same for ever");
    let id = first.text("/id").parse().expect("an id");
    house.wait_for_state(id, PaymentState::Reversed).await;
    let shown = api.get(&format!("/v1/payments/{id}")).await;
    assert_eq!(shown.text("/state"), "reversed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_by_name() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let changed = |pointer: &str, value: Value| {
        let mut body = card_payment(15_000, "B-1");
        *body.pointer_mut(pointer).expect("a member") = value;
        body
    };
    let mut unknown = card_payment(15_000, "B-1");
    unknown["tip"] = json!(1);
    let cases = [
        (unknown, 400, "format_error", "tip"),
        (changed("/rail", json!("pigeon")), 400, "format_error", "rail"),
        (changed("/amount/currency", json!("XXQ")), 422, "currency_not_allowed", "amount.currency"),
        (changed("/amount/minor", json!(0)), 422, "amount_invalid", "amount.minor"),
        (changed("/amount/minor", json!(-1)), 422, "amount_invalid", "amount.minor"),
        (changed("/amount/minor", json!(10_i64.pow(12))), 422, "amount_invalid", "amount.minor"),
        (changed("/amount/minor", json!(1.5)), 422, "amount_invalid", "amount.minor"),
        (changed("/bill", json!("B\n1")), 400, "format_error", "bill"),
    ];
    for (body, status, code, field) in cases {
        let reply = api.pay("order-1", &body).await;
        let told = (reply.status, reply.text("/code"), reply.text("/field"));
        assert_eq!(told, (status, code, field), "{body}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    // Nothing of it was remembered: the key is still good.
    assert_eq!(api.pay("order-1", &card_payment(15_000, "B-1")).await.status, 201);
}

/// Method, path, headers, body, and the status of the answer.
type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a [u8], u16);

#[tokio::test(flavor = "multi_thread")]
async fn every_error_of_http_is_a_problem() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let json = ("content-type", "application/json");
    let key = ("idempotency-key", "order-1");
    let long = vec![b' '; 70_000];
    let cases: [Case<'_>; 9] = [
        (Method::GET, "/v1/nothing", &[], b"", 404),
        (Method::PUT, "/v1/payments", &[], b"", 405),
        (Method::POST, "/v1/payments", &[json], b"{}", 400),
        (Method::POST, "/v1/payments", &[key], b"{}", 415),
        (Method::POST, "/v1/payments", &[key, json], b"{", 400),
        (Method::POST, "/v1/payments", &[key, json], &long, 413),
        (Method::GET, "/v1/payments?limit=0", &[], b"", 400),
        (Method::GET, "/v1/payments?date=2026-02-30", &[], b"", 400),
        (Method::GET, "/v1/payments/pay_x", &[], b"", 404),
    ];
    for (method, path, headers, body, status) in cases {
        let reply = api.send(method.clone(), path, headers, body).await;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.body["status"], json!(status));
        assert!(!reply.text("/code").is_empty() && reply.text("/no").len() == 4);
    }
    let put = api.send(Method::PUT, "/v1/payments", &[], b"").await;
    assert_eq!(put.header("allow"), "POST, GET");
    let spanish = api.send(Method::GET, "/v1/x", &[("accept-language", "es-VE")], b"").await;
    assert_eq!(spanish.text("/title"), "La API no tiene esa dirección");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_its_own_doors_only() {
    let house = House::start().await;
    let isp = Api::of(&house, "isp-ve");
    let lender = Api::of(&house, "lender-mx");
    let stranger = Api::of(&house, "nobody-xx");
    let operator = Api::with_role(&house, Role::Operator, "ops");
    let paid = isp.pay("order-1", &card_payment(15_000, "B-1")).await;
    let payment = format!("/v1/payments/{}", paid.text("/id"));

    let wrong = Api::with_key(&house, "ck_wrong");
    for path in ["/v1/payments", &payment, "/v1/endpoints"] {
        let reply = wrong.get(path).await;
        assert_eq!((reply.status, reply.text("/code")), (401, "operator_unauthorised"));
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"cauce\"");
    }
    assert_eq!(lender.get(&payment).await.status, 404);
    assert_eq!(lender.post(&format!("{payment}/reverse"), &json!({})).await.status, 404);
    assert_eq!(lender.get("/v1/payments?biller=isp-ve").await.status, 404);

    let reply = stranger.get("/v1/payments").await;
    assert_eq!((reply.status, reply.text("/code")), (403, "service_not_enabled"));

    assert_eq!(operator.get(&payment).await.body, paid.body);
    assert_eq!(operator.get("/v1/payments").await.text("/field"), "biller");
    assert_eq!(operator.get("/v1/payments?biller=isp-ve").await.status, 200);
    assert_eq!(operator.pay("order-1", &card_payment(15_000, "B-1")).await.status, 403);
    assert_eq!(operator.post(&format!("{payment}/reverse"), &json!({})).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_s_payments_come_page_by_page() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let mut ids = Vec::new();
    for number in 0..5 {
        let reply = api.pay(&format!("order-{number}"), &card_payment(15_000, "B-1")).await;
        ids.push(reply.text("/id").to_owned());
    }
    ids.sort();
    let date =
        house.payment(api.get(&format!("/v1/payments/{}", ids[0])).await.text("/folio")).await;
    let mut path = format!("/v1/payments?date={}&limit=2", date.business_date);
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = api.get(&path).await;
        pages += 1;
        let items = page.body["items"].as_array().expect("items");
        found.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/v1/payments?date={}&limit=2&cursor={cursor}", date.business_date);
    }
    assert_eq!((found, pages), (ids, 3));
    let empty = api.get("/v1/payments?date=2020-01-01").await;
    assert_eq!(empty.body, json!({"items": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_undone_at_its_originator_s_wish_and_a_decline_is_not() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let paid = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let path = format!("/v1/payments/{}/reverse", paid.text("/id"));
    let asked = api.post(&path, &json!({})).await;
    assert!([200, 202].contains(&asked.status), "{}", asked.body);
    house.wait_for_state(paid.text("/id").parse().expect("an id"), PaymentState::Reversed).await;
    let undone = api.post(&path, &json!({})).await;
    assert_eq!((undone.status, undone.text("/state")), (200, "reversed"));
    assert_eq!(net_debits(&house.issuer.truth()[0]), 0);
    let repeat = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_eq!((repeat.status, repeat.text("/code")), (409, "already_reversed"), "no approval");
    assert_eq!((repeat.text("/id"), repeat.text("/state")), (paid.text("/id"), "reversed"));

    let declined = api.pay("order-2", &card_payment(1_051, "B-1")).await;
    let path = format!("/v1/payments/{}/reverse", declined.text("/id"));
    let refused = api.post(&path, &json!({})).await;
    assert_eq!((refused.status, refused.text("/code")), (409, "nothing_to_reverse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_does_not_cancel_its_payment() {
    let house = House::start().await;
    let key = switch::keys::create(house.dir.path(), Role::Biller, "isp-ve").expect("a key");
    let api = Api::with_key(&house, &key);
    let body = card_payment(1_068, "B-1").to_string();
    let mut socket = TcpStream::connect(house.app.addresses.http).await.expect("a connection");
    let head = format!(
        "POST /v1/payments HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\
         Idempotency-Key: order-1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.expect("written");
    let store = &house.engine().store;
    let open = eventually("the payment to be under way", async || {
        store.open_payments().await.expect("the journal").pop()
    })
    .await;
    drop(socket);
    house.wait_for_state(open.id, PaymentState::Reversed).await;
    let told = api.pay("order-1", &card_payment(1_068, "B-1")).await;
    assert_eq!((told.status, told.header("idempotent-replayed")), (202, "true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_or_body_that_does_not_come_costs_its_sender_the_connection() {
    let house =
        House::start_with("[http]\nheader_timeout_ms = 150\nrequest_timeout_ms = 600\n").await;
    let mut slow_header = TcpStream::connect(house.app.addresses.http).await.expect("a connection");
    slow_header.write_all(b"GET /v1/payments HTTP/1.1\r\nHost:").await.expect("written");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, slow_header.read_to_end(&mut rest)).await;
    closed.expect("closed in time").ok();

    let key = switch::keys::create(house.dir.path(), Role::Biller, "isp-ve").expect("a key");
    let mut slow_body = TcpStream::connect(house.app.addresses.http).await.expect("a connection");
    let head = format!(
        "POST /v1/payments HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\
         Idempotency-Key: order-1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    slow_body.write_all(head.as_bytes()).await.expect("written");
    let mut answer = [0; 12];
    let read = tokio::time::timeout(PATIENCE, slow_body.read_exact(&mut answer)).await;
    read.expect("answered in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_switch_takes_no_new_payment() {
    let house = House::start().await;
    let key = switch::keys::create(house.dir.path(), Role::Biller, "isp-ve").expect("a key");
    let body = card_payment(15_000, "B-1").to_string();
    let mut socket = TcpStream::connect(house.app.addresses.http).await.expect("a connection");
    let head = format!(
        "POST /v1/payments HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\
         Idempotency-Key: order-1\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.expect("written");
    let mut go_on = [0; 25];
    socket.read_exact(&mut go_on).await.expect("100 Continue");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    house.engine().tasks.stages().draining.cancel();
    socket.write_all(body.as_bytes()).await.expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    assert!(answer.contains("issuer_unavailable"), "{answer}");
    assert_eq!(house.issuer.truth().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_there_and_a_method_that_is_not_taken_have_codes_of_their_own() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let stranger = Api::with_key(&house, "");
    for path in ["/", "/v1", "/v1/payment", "/v1/payments/", "/v1/payments/a/b/c", "/V1/payments"] {
        for caller in [&api, &stranger] {
            let reply = caller.get(path).await;
            assert_eq!((reply.status, reply.text("/code")), (404, "path_not_found"), "{path}");
            assert_eq!(reply.text("/no"), "6011");
        }
    }
    let reply = api.send(Method::PUT, "/v1/payments", &[], b"").await;
    assert_eq!((reply.status, reply.text("/code")), (405, "method_not_allowed"));
    assert_eq!(reply.header("allow"), "POST, GET");
    for path in ["/v1/endpoints/end_x", "/v1/endpoints?biller=other"] {
        let reply = api.get(path).await;
        assert_eq!((reply.status, reply.text("/code")), (404, "not_found"), "{path}");
    }
    let reply = api.get("/v1/payments/pay_x").await;
    assert_eq!((reply.status, reply.text("/code")), (404, "payment_not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_waits_for_no_byte_of_a_body() {
    let house = House::start().await;
    let mut socket = TcpStream::connect(house.app.addresses.http).await.expect("a connection");
    let head = b"GET /openapi.json HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n";
    socket.write_all(head).await.expect("written");
    let mut answer = [0; 12];
    let read = tokio::time::timeout(PATIENCE, socket.read_exact(&mut answer)).await;
    read.expect("answered in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 400");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_open_to_all() {
    let house = House::start().await;
    let reply = Api::with_key(&house, "").get("/openapi.json").await;
    assert_eq!((reply.status, reply.text("/openapi")), (200, "3.1.0"));
}
