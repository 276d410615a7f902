//! One connection: requests in, answers out, right or wrong.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use codecs::http_signature::{
    self, CONTENT_DIGEST, Component, SIGNATURE, SIGNATURE_INPUT, SignatureParameters, SignedParts,
    SigningKey, content_digest,
};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::book::{BankAnswer, BankApiRequest, minor_of};
use super::wire::{self, HttpRequest};
use super::{Bank, Misconduct};
use crate::clock;
use crate::simulator::issuer::Verdict;
use crate::tasks::Spawner;

/// Bytes of a long body.
const LONG_BODY_LEN: usize = 100_000_000;
/// What is written of it at once.
static LONG_CHUNK: [u8; 65_536] = [b' '; 65_536];
/// Pause between two bytes of a slow body.
const BYTE_EVERY: Duration = Duration::from_secs(1);

/// Accepts connections until the group is cancelled.
pub(super) async fn serve(listener: TcpListener, bank: Arc<Bank>, tasks: Spawner) {
    let token = tasks.token();
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tasks.spawn(line(stream, Arc::clone(&bank), tasks.clone()))),
            Err(error) => tracing::warn!(%error, "a bank's connection could not be accepted"),
        }
    }
}

async fn line(mut stream: TcpStream, bank: Arc<Bank>, tasks: Spawner) {
    let token = tasks.token();
    stream.set_nodelay(true).ok();
    let served = async {
        let mut buffer = Vec::new();
        while let Some(request) = wire::read(&mut stream, &mut buffer).await? {
            if bank.serve(&mut stream, request).await? == Next::Close {
                break;
            }
        }
        io::Result::Ok(())
    };
    tokio::select! {
        () = token.cancelled() => {}
        ended = served => if let Err(error) = ended {
            tracing::debug!(%error, "a bank's connection ended");
        }
    }
}

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Close,
}

/// One line of the log.
#[derive(Serialize)]
struct SeenRequest<'a> {
    at: String,
    participant: &'a str,
    operation: &'static str,
    payment: &'a str,
    amount: Value,
    answer: Option<String>,
}

impl Bank {
    async fn serve(&self, stream: &mut TcpStream, request: HttpRequest) -> io::Result<Next> {
        if !self.believes(&request) {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            return self.send(stream, 401, &json!({ "error": { "code": "63" } }), None).await;
        }
        let path = request.path.split('?').next().unwrap_or_default();
        let Some(asked) = BankApiRequest::of(&request.method, path) else {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            return self.send(stream, 404, &json!({ "error": { "code": "25" } }), None).await;
        };
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let id = request.headers.get("idempotency-key").and_then(|id| id.to_str().ok());
        let answer = self.book.answer(asked, id.unwrap_or_default(), &body);
        self.count(asked);
        let order = match asked {
            BankApiRequest::Payment => body["order"].as_str().unwrap_or_default(),
            BankApiRequest::Confirm(order)
            | BankApiRequest::Inquiry(order)
            | BankApiRequest::Reversal(order)
            | BankApiRequest::Refund(order) => order,
        };
        let verdict = match (asked, minor_of(&body["amount"]["value"])) {
            (BankApiRequest::Payment, Some(minor)) => Verdict::of(minor),
            _ => Verdict::Approve,
        };
        self.log_line(asked, order, &body, (verdict != Verdict::Silent).then_some(answer.code));
        match verdict {
            Verdict::Silent => std::future::pending().await,
            Verdict::Late => tokio::time::sleep(self.settings.late_after).await,
            Verdict::Approve | Verdict::Decline(_) => {}
        }
        let may_go_wrong = matches!(asked, BankApiRequest::Payment | BankApiRequest::Confirm(_));
        let misconduct = may_go_wrong.then(|| self.misconduct(order)).flatten();
        self.tell(stream, answer, misconduct).await
    }

    fn believes(&self, request: &HttpRequest) -> bool {
        let Some(rules) = &self.settings.keys.verify else { return true };
        let host = request.headers.get("host").and_then(|host| host.to_str().ok());
        let uri: Option<Uri> =
            format!("http://{}{}", host.unwrap_or_default(), request.path).parse().ok();
        let method: Option<Method> = request.method.parse().ok();
        let Some((uri, method)) = uri.zip(method) else { return false };
        let parts = SignedParts::Request { method: &method, uri: &uri, headers: &request.headers };
        http_signature::verify(parts, &request.body, rules, clock::now()).is_ok()
    }

    fn count(&self, asked: BankApiRequest<'_>) {
        let counters = &self.counters;
        let counter: &AtomicU64 = match asked {
            BankApiRequest::Payment => &counters.payments,
            BankApiRequest::Confirm(_) => &counters.confirmations,
            BankApiRequest::Inquiry(_) => &counters.inquiries,
            BankApiRequest::Reversal(_) => &counters.reversals,
            BankApiRequest::Refund(_) => &counters.refunds,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn log_line(
        &self,
        asked: BankApiRequest<'_>,
        order: &str,
        body: &Value,
        code: Option<[u8; 2]>,
    ) {
        let Some(log) = &self.log else { return };
        log.append(&SeenRequest {
            at: clock::now().to_string(),
            participant: &self.settings.participant,
            operation: match asked {
                BankApiRequest::Payment => "payment",
                BankApiRequest::Confirm(_) => "confirm",
                BankApiRequest::Inquiry(_) => "inquiry",
                BankApiRequest::Reversal(_) => "reversal",
                BankApiRequest::Refund(_) => "refund",
            },
            payment: order,
            amount: json!({
                "currency": body["amount"]["currency"], "minor": minor_of(&body["amount"]["value"]),
            }),
            answer: code.map(|code| String::from_utf8_lossy(&code).into_owned()),
        });
    }

    async fn tell(
        &self,
        stream: &mut TcpStream,
        answer: BankAnswer,
        misconduct: Option<Misconduct>,
    ) -> io::Result<Next> {
        let BankAnswer { status, mut body, .. } = answer;
        match misconduct {
            None | Some(Misconduct::BrokenSignature | Misconduct::Twice) => {}
            Some(Misconduct::OtherAmount) => body["amount"]["value"] = "0.01".into(),
            Some(Misconduct::OtherReference) => body["order"] = "another-order".into(),
            Some(Misconduct::ErrorInside) => {
                let body = json!({ "status": "ERROR", "error": { "code": "96" } });
                return self.send(stream, 200, &body, None).await;
            }
            Some(Misconduct::Garbage) => {
                return self.write(stream, 200, b"<html>Service</html>", None).await;
            }
            Some(Misconduct::ServerError) => {
                let body = json!({ "status": "DECLINED", "error": { "code": "05" } });
                return self.send(stream, 503, &body, None).await;
            }
            Some(Misconduct::LongBody) => return long_body(stream).await,
            Some(Misconduct::SlowBody) => return slow_body(stream, &body).await,
            Some(Misconduct::Dropped) => return Ok(Next::Close),
        }
        if misconduct == Some(Misconduct::Twice) {
            self.send(stream, status, &body, None).await?;
        }
        self.send(stream, status, &body, misconduct).await
    }

    async fn send(
        &self,
        stream: &mut TcpStream,
        status: u16,
        body: &Value,
        misconduct: Option<Misconduct>,
    ) -> io::Result<Next> {
        self.write(stream, status, body.to_string().as_bytes(), misconduct).await
    }

    async fn write(
        &self,
        stream: &mut TcpStream,
        status: u16,
        body: &[u8],
        misconduct: Option<Misconduct>,
    ) -> io::Result<Next> {
        let mut headers = HeaderMap::new();
        if let Some((id, key)) = &self.settings.keys.sign {
            sign(status, body, (id, key), &mut headers);
        }
        if misconduct == Some(Misconduct::BrokenSignature) {
            let wrong = HeaderValue::from_static("bank=:AAAA:");
            headers.insert(SIGNATURE, wrong);
        }
        let mut bytes = wire::answer_head(status, &headers, body.len());
        bytes.extend_from_slice(body);
        wire::write(stream, &bytes).await?;
        Ok(Next::GoOn)
    }
}

fn sign(status: u16, body: &[u8], (id, key): (&str, &SigningKey), headers: &mut HeaderMap) {
    let value = |text: &str| HeaderValue::from_str(text).expect("invariant: signatures are ASCII");
    headers.insert(CONTENT_DIGEST, value(&content_digest(body)));
    let status = StatusCode::from_u16(status).expect("invariant: the bank's statuses are such");
    let digest = CONTENT_DIGEST.parse().expect("invariant: a header is a part");
    // No two answers of one second have the same signature.
    let nonce = format!("{:016x}", rand::random::<u64>());
    let parameters = SignatureParameters {
        label: "bank",
        created: clock::now(),
        expires_in_s: None,
        nonce: Some(&nonce),
        key_id: id,
    };
    let parts = SignedParts::Answer { status, headers };
    let signed = http_signature::sign(parts, &[Component::Status, digest], &parameters, key);
    let signed = signed.expect("invariant: the answer has both parts");
    headers.insert(SIGNATURE_INPUT, value(&signed.input));
    headers.insert(SIGNATURE, value(&signed.signature));
}

async fn long_body(stream: &mut TcpStream) -> io::Result<Next> {
    let head = wire::answer_head(200, &HeaderMap::new(), LONG_BODY_LEN);
    wire::write(stream, &head).await?;
    let mut left = LONG_BODY_LEN;
    while left > 0 {
        let chunk = left.min(LONG_CHUNK.len());
        wire::write(stream, &LONG_CHUNK[..chunk]).await?;
        left -= chunk;
    }
    Ok(Next::GoOn)
}

async fn slow_body(stream: &mut TcpStream, body: &Value) -> io::Result<Next> {
    let body = body.to_string();
    wire::write(stream, &wire::answer_head(200, &HeaderMap::new(), body.len())).await?;
    for byte in body.bytes() {
        wire::write(stream, &[byte]).await?;
        tokio::time::sleep(BYTE_EVERY).await;
    }
    Ok(Next::GoOn)
}
