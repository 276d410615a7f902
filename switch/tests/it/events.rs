//! What happened to a biller's payments, asked for: page by page, and as it happens.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use switch::keys::{self, Role};

use crate::api::{Api, card_payment};
use crate::harness::{House, PATIENCE, eventually, start_app};
use crate::receiver::Receiver;

const STREAM: (&str, &str) = ("accept", "text/event-stream");

/// The types and payments of a page's events.
fn told(page: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let events = page["data"].as_array().expect("events").iter();
    events.map(|event| (text(&event["type"]), text(&event["data"]["id"]))).collect()
}

/// Waits until a biller has so many events; gives them all.
async fn events(api: &Api, count: usize) -> Value {
    eventually("the events", async || {
        let page = api.get("/v1/events").await;
        assert_eq!(page.status, 200, "{}", page.body);
        (page.body["data"].as_array()?.len() == count).then_some(page.body)
    })
    .await
}

/// An open stream of events.
struct Stream {
    body: Incoming,
    text: String,
}

/// One event of a stream.
#[derive(Debug, PartialEq)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

impl Stream {
    async fn open(api: &Api, path: &str, headers: &[(&str, &str)]) -> Self {
        let (head, body) = api.opened(path, &[&[STREAM], headers].concat()).await;
        assert_eq!(head.status, 200);
        assert_eq!(head.headers["content-type"], "text/event-stream");
        let mut stream = Self { body, text: String::new() };
        assert_eq!(stream.block().await.as_deref(), Some(": alive"), "it is heard at once");
        stream
    }

    /// The next lines up to an empty one; none at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.expect("a sign of life")?.ok()?;
            let data: Bytes = frame.into_data().ok()?;
            self.text.push_str(std::str::from_utf8(&data).expect("UTF-8"));
        }
    }

    /// The next event; signs of life are passed over.
    async fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            if block.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("{name} in {block}")).to_owned()
            };
            let data = serde_json::from_str(&field("data: ")).expect("JSON");
            return Some(Event { id: field("id: "), kind: field("event: "), data });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_oldest_first_and_have_the_bodies_of_their_notices() {
    let house = House::start().await;
    let (receiver, api) = (Receiver::accepting().await, Api::of(&house, "isp-ve"));
    let other = Api::of(&house, "lender-mx");
    let first = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let declined = api.pay("order-2", &card_payment(15_051, "B-2")).await;
    // Nobody was owed a notice of these two.
    let made = api.post("/v1/endpoints", &serde_json::json!({"url": receiver.url})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let third = api.pay("order-3", &card_payment(15_000, "B-3")).await;
    let undone = format!("/v1/payments/{}/reverse", first.text("/id"));
    api.post(&undone, &serde_json::json!({})).await;

    let page = events(&api, 4).await;
    let of = |kind: &str, id: &str| (kind.to_owned(), id.to_owned());
    let expected = [
        of("payment.approved", first.text("/id")),
        of("payment.declined", declined.text("/id")),
        of("payment.approved", third.text("/id")),
        of("payment.reversed", first.text("/id")),
    ];
    assert_eq!(told(&page), expected);
    assert_eq!(page.get("next_cursor"), None);
    let heard = receiver.wait_for(1).await;
    let body: Value = serde_json::from_slice(&heard[0].body).expect("JSON");
    assert_eq!(page["data"][2], body);
    assert_eq!(other.get("/v1/events").await.body["data"], serde_json::json!([]));

    // Page by page, with a place to ask from later.
    let (mut paged, mut path) = (Vec::new(), "/v1/events?limit=1".to_owned());
    let end = loop {
        let page = api.get(&path).await.body;
        paged.extend(told(&page));
        match page["next_cursor"].as_str() {
            Some(next) => path = format!("/v1/events?limit=1&cursor={next}"),
            None => break page["end_cursor"].as_str().expect("a cursor").to_owned(),
        }
    };
    assert_eq!(paged, expected);
    let later = format!("/v1/events?cursor={end}");
    assert_eq!(told(&api.get(&later).await.body), []);
    let fourth = api.pay("order-4", &card_payment(15_000, "B-4")).await;
    let news = eventually("news", async || {
        let news = told(&api.get(&later).await.body);
        (!news.is_empty()).then_some(news)
    })
    .await;
    assert_eq!(news, [of("payment.approved", fourth.text("/id"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_from_before_a_restart_are_read_from_the_journal() {
    let house = House::start().await;
    let key = keys::create(house.dir.path(), Role::Biller, "isp-ve").expect("a key");
    let api = Api::with_key(&house, &key);
    let mut expected = Vec::new();
    for order in 1..=5 {
        let minor = if order == 3 { 15_051 } else { 15_000 };
        let bill = format!("B-{order}");
        let paid = api.pay(&format!("order-{order}"), &card_payment(minor, &bill)).await;
        expected.push(paid.text("/id").to_owned());
    }
    let before = events(&api, 5).await;
    let (dir, issuer) = house.stop().await;
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let api = Api::with_key(&house, &key);
    let after = events(&api, 5).await;
    assert_eq!(after["data"], before["data"]);
    let ids: Vec<String> = told(&after).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, expected);
    let part = api.get("/v1/events?limit=2").await.body;
    let next = part["next_cursor"].as_str().expect("more");
    let rest = api.get(&format!("/v1/events?cursor={next}")).await.body;
    assert_eq!((told(&part), told(&rest)).0.len() + told(&rest).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_what_happens_and_goes_on_behind_the_last_event_that_was_seen() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let other = Api::of(&house, "lender-mx");
    api.pay("order-0", &card_payment(15_000, "B-0")).await;
    let earlier = events(&api, 1).await;
    let mut stream = Stream::open(&api, "/v1/events", &[]).await;
    let mut foreign = Stream::open(&other, "/v1/events", &[]).await;
    let first = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let event = stream.event().await.expect("an event");
    assert_eq!(event.kind, "payment.approved");
    assert_eq!(event.data["data"]["id"], first.body["id"], "and none from before it was opened");
    let page = events(&api, 2).await;
    assert_eq!(page["data"][1], event.data);
    drop(stream);

    let declined = api.pay("order-2", &card_payment(15_051, "B-2")).await;
    let seen = [("last-event-id", event.id.as_str())];
    let mut again = Stream::open(&api, "/v1/events", &seen).await;
    let missed = again.event().await.expect("an event");
    assert_eq!(missed.data["data"]["id"], declined.body["id"]);
    let from_start = earlier["end_cursor"].as_str().expect("a cursor");
    let mut late = Stream::open(&api, &format!("/v1/events?cursor={from_start}"), &[]).await;
    assert_eq!((late.event().await, late.event().await), (Some(event), Some(missed)));
    // What is another biller's is not among them: its own comes first.
    let cash = serde_json::json!({
        "rail": "account", "amount": {"currency": "MXN", "minor": 20_000}, "bill": "L-1",
        "payer": {"card": {"number": "4111111111111111", "expiry": "3012"}},
    });
    let own = other.pay("loan-1", &cash).await;
    let told = foreign.event().await.expect("an event");
    assert_eq!(told.data["data"]["id"], own.body["id"], "{}", own.body);
    let wrong = api.opened("/v1/events", &[STREAM, ("last-event-id", "ntc_x")]).await;
    assert_eq!(wrong.0.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_a_place_shows_that_it_is_alive_and_ends_with_its_key() {
    let settings = "[http]\nevent_streams_per_key_max = 2\nevent_streams_max = 3\n\
                    event_heartbeat_s = 1\n";
    let house = House::start_with(settings).await;
    let key = keys::create(house.dir.path(), Role::Biller, "isp-ve").expect("a key");
    let (api, other) = (Api::with_key(&house, &key), Api::of(&house, "lender-mx"));
    let mut first = Stream::open(&api, "/v1/events", &[]).await;
    let _second = Stream::open(&api, "/v1/events", &[]).await;
    let (head, _) = api.opened("/v1/events", &[STREAM]).await;
    assert_eq!((head.status.as_u16(), &head.headers["retry-after"]), (429, &"1".parse().unwrap()));
    let _third = Stream::open(&other, "/v1/events", &[]).await;
    let (head, _) = other.opened("/v1/events", &[STREAM]).await;
    assert_eq!((head.status.as_u16(), &head.headers["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(api.get("/v1/events").await.status, 200, "a page needs no place");
    assert_eq!(first.block().await.as_deref(), Some(": alive"));
    let name = keys::id_of_key(&key).parse().expect("an id");
    keys::revoke(house.dir.path(), &name).expect("revoked");
    while let Some(block) = first.block().await {
        assert_eq!(block, ": alive");
    }
    eventually("a place", async || {
        let (head, _) = other.opened("/v1/events", &[STREAM]).await;
        (head.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_switch_stops() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let mut stream = Stream::open(&api, "/v1/events", &[]).await;
    let stopping = tokio::time::timeout(PATIENCE, house.stop());
    let (stopped, last) = tokio::join!(stopping, stream.event());
    stopped.expect("no wait for the stream");
    assert_eq!(last, None);
}
