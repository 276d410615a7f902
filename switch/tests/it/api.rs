//! A client of the JSON API.

use std::net::SocketAddr;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use switch::keys::{self, Role};

use crate::harness::House;

/// Whoever holds one API key.
pub struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    key: String,
}

/// An answer.
#[derive(Debug, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    /// A header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("an ASCII header"))
    }

    /// A member of the body that is a text; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Api {
    /// The API as a biller of `harness.toml` sees it.
    pub fn of(house: &House, biller: &str) -> Self {
        Self::with_role(house, Role::Biller, biller)
    }

    /// The API as somebody sees it.
    pub fn with_role(house: &House, role: Role, owner: &str) -> Self {
        let key = keys::create(house.dir.path(), role, owner).expect("a key");
        Self::with_key(house, &key)
    }

    /// The API as the holder of a key sees it.
    pub fn with_key(house: &House, key: &str) -> Self {
        Self::at(house.app.addresses.http, key)
    }

    /// The API at an address, as the holder of a key sees it.
    pub fn at(address: SocketAddr, key: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, base: format!("http://{address}"), key: key.to_owned() }
    }

    /// Asks with a body as it stands.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        self.try_send(method, path, headers, body).await.expect("an answer")
    }

    /// The same; none where the line fell.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Reply> {
        let (head, body) = self.exchange(method, path, headers, body).await?;
        let body = match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body).expect("JSON"),
        };
        Some(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Status and text of a page that is no JSON; none where the line fell.
    pub async fn try_text(&self, path: &str) -> Option<(u16, String)> {
        let (head, body) = self.exchange(Method::GET, path, &[], b"").await?;
        Some((head.status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
    }

    /// A page and its headers.
    pub async fn page(&self, path: &str) -> (Parts, String) {
        let (head, body) = self.exchange(Method::GET, path, &[], b"").await.expect("an answer");
        (head, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    /// The head of an answer, and its body while it comes.
    pub async fn opened(&self, path: &str, headers: &[(&str, &str)]) -> (Parts, Incoming) {
        let request = self.request(Method::GET, path, headers, b"");
        self.client.request(request).await.expect("an answer").into_parts()
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Request<Full<Bytes>> {
        let uri = format!("{}{path}", self.base);
        let mut request = Request::builder().method(method).uri(uri);
        request = request.header("authorization", format!("Bearer {}", self.key));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request")
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<(Parts, Bytes)> {
        let request = self.request(method, path, headers, body);
        let (head, body) = self.client.request(request).await.ok()?.into_parts();
        Some((head, body.collect().await.ok()?.to_bytes()))
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], b"").await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], b"").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let body = body.to_string();
        self.send(Method::POST, path, &[("content-type", "application/json")], body.as_bytes())
            .await
    }

    /// Asks for a payment.
    pub async fn pay(&self, key: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.send(Method::POST, "/v1/payments", &headers, body.to_string().as_bytes()).await
    }
}

/// A debit of a test card for a bill of `isp-ve`.
pub fn card_payment(minor: i64, bill: &str) -> Value {
    json!({
        "rail": "account",
        "amount": {"currency": "VES", "minor": minor},
        "bill": bill,
        "payer": {"card": {"number": "4111111111111111", "expiry": "3012"}},
    })
}
