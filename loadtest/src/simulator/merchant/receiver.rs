//! The HTTP side of the simulated merchant.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::signature::{SignatureError, Signed};
use super::{Biller, HeardNotice, Script, Shared};
use crate::clock;
use crate::tasks::Spawner;

/// A notice is a small document; a longer body is refused.
const BODY_BYTES_MAX: usize = 256 << 10;

/// Accepts lines until the group is cancelled.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, tasks: Spawner) {
    let token = tasks.token();
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tasks.spawn(line(stream, Arc::clone(&shared), tasks.clone()))),
            Err(error) => tracing::warn!(%error, "a merchant's line could not be accepted"),
        }
    }
}

async fn line(stream: TcpStream, shared: Arc<Shared>, tasks: Spawner) {
    let service = service_fn(|request| answer(&shared, request));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let token = tasks.token();
    tokio::select! {
        () = token.cancelled() => {}
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a merchant's line ended");
        }
    }
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = receive(shared, request).await;
    Ok(response)
}

async fn receive(shared: &Shared, request: Request<Incoming>) -> StatusCode {
    let (head, body) = request.into_parts();
    let Some(biller) = shared.billers.get(head.uri.path()) else { return StatusCode::NOT_FOUND };
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let body = body.to_bytes();
    match notice_of(biller, head.uri.path(), &head.headers, &body) {
        Ok(notice) => follow_script(shared, biller, notice).await,
        Err(error) => {
            tracing::debug!(%error, path = head.uri.path(), "a notice was not believed");
            shared.disbelieved.fetch_add(1, Ordering::Relaxed);
            StatusCode::UNAUTHORIZED
        }
    }
}

async fn follow_script(shared: &Shared, biller: &Biller, notice: HeardNotice) -> StatusCode {
    match biller.next_step() {
        Script::Accept => {}
        Script::RefuseThenAccept { status, .. } => return refuse(shared, status),
        Script::Gone => return refuse(shared, StatusCode::GONE.as_u16()),
        Script::Hang => {
            shared.hung.fetch_add(1, Ordering::Relaxed);
            std::future::pending().await
        }
        Script::Slow(pause) => tokio::time::sleep(pause).await,
    }
    if let Some(log) = &shared.log {
        log.append(&notice);
    }
    shared.heard.send_modify(|heard| heard.push(notice));
    StatusCode::OK
}

fn refuse(shared: &Shared, status: u16) -> StatusCode {
    shared.refused.fetch_add(1, Ordering::Relaxed);
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl Biller {
    /// What to do with this delivery; counts a refusal off.
    fn next_step(&self) -> Script {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        match *script {
            Script::RefuseThenAccept { times: 0, .. } => {
                *script = Script::Accept;
                Script::Accept
            }
            Script::RefuseThenAccept { status, times } => {
                *script = Script::RefuseThenAccept { status, times: times - 1 };
                Script::RefuseThenAccept { status, times }
            }
            step @ (Script::Accept | Script::Gone | Script::Hang | Script::Slow(_)) => step,
        }
    }
}

fn notice_of(
    biller: &Biller,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<HeardNotice, SignatureError> {
    let header = |name: &'static str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or(SignatureError::Header(name))
    };
    let signed = Signed {
        id: header("webhook-id")?,
        timestamp: header("webhook-timestamp")?,
        signatures: header("webhook-signature")?,
    };
    let at = clock::now();
    let secret = biller.secret.lock().unwrap_or_else(PoisonError::into_inner).clone();
    secret.verify(signed, body, at.millis() / 1000)?;
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let data = &document["data"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(HeardNotice {
        at,
        webhook_id: signed.id.to_owned(),
        kind: text(&document["type"]).unwrap_or_default(),
        payment: [&data["payment"]["id"], &data["payment"], &data["payment_id"], &data["id"]]
            .into_iter()
            .find_map(text)
            .unwrap_or_default(),
        folio: text(&data["folio"]),
        path: path.to_owned(),
    })
}
