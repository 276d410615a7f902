//! A small HTTP client, as a merchant's program would have.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::sandbox::SandboxError;

/// Speaks to the switch's API under one key.
#[derive(Debug, Clone)]
pub(super) struct ApiClient {
    base: String,
    key: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub(super) struct ApiAnswer {
    pub(super) status: StatusCode,
    pub(super) is_replay: bool,
    pub(super) body: Value,
}

impl ApiAnswer {
    /// A text member of the body; empty when it is absent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or("")
    }
}

impl ApiClient {
    /// A client of the API at `base`.
    pub(super) fn new(base: &str, key: &str) -> Self {
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self { base: base.to_owned(), key: key.to_owned(), http }
    }

    /// Posts JSON, under an idempotency key where one is given.
    pub(super) async fn post(
        &self,
        path: &str,
        idempotency_key: Option<&str>,
        body: &Value,
    ) -> Result<ApiAnswer, SandboxError> {
        self.send(Method::POST, path, idempotency_key, body.to_string()).await
    }

    /// Gets JSON.
    pub(super) async fn get(&self, path: &str) -> Result<ApiAnswer, SandboxError> {
        self.send(Method::GET, path, None, String::new()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        idempotency_key: Option<&str>,
        body: String,
    ) -> Result<ApiAnswer, SandboxError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json");
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let response = self.http.request(request).await?;
        let status = response.status();
        let is_replay = response.headers().contains_key("idempotent-replayed");
        let bytes = response.into_body().collect().await?.to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(ApiAnswer { status, is_replay, body })
    }
}
