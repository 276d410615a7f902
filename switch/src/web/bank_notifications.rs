//! `/v1/participants/{id}/notifications`: what banks with a JSON API tell by themselves.
//!
//! It is for banks, so the document for merchants does not have it. A bank proves itself by the
//! signature of each message, not by an API key.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::post;
use http::StatusCode;
use router::id::ParticipantId;
use router::reason::Reason;

use super::answer::ApiRefusal;
use super::connection::BodyHold;
use super::extract::Id;
use super::{Shared, asked};
use crate::adapter::json::notification::{BankMessage, NotTakenIn};
use crate::notification;

/// The path of the route, whose one method is POST.
pub(super) const PATH: &str = "/v1/participants/{id}/notifications";

/// The route.
pub(super) fn router() -> Router<Shared> {
    Router::new().route(PATH, post(take))
}

async fn take(
    State(shared): State<Shared>,
    Id(id): Id,
    request: Request,
) -> Result<StatusCode, ApiRefusal> {
    let engine = &shared.api.engine;
    // Who is not there cannot be believed either: both look the same.
    let participant = ParticipantId::new(&id).ok();
    let participants = engine.participants();
    let participant = participant.and_then(|id| participants.json_by_id(id));
    let participant = participant.ok_or_else(not_believed)?;
    let hold = request.extensions().get::<BodyHold>().cloned();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let headers = request.headers().clone();
    let body = asked::json_body(request, shared.limits.body_bytes_max).await?;
    let (method, uri, headers) = (&method, &uri, &headers);
    let message = BankMessage { method, uri, headers, body: &body };
    let believed = participant.believed(&message).map_err(|_| not_believed())?;
    if let Some(hold) = hold {
        hold.take();
    }
    notification::take(engine, participant, believed, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_believed() -> ApiRefusal {
    ApiRefusal::new(Reason::OperatorUnauthorised, "signature")
        .with_status(StatusCode::UNAUTHORIZED)
        .saying("the notification's signature is not that of the participant")
}

impl From<NotTakenIn> for ApiRefusal {
    fn from(error: NotTakenIn) -> Self {
        let detail = error.to_string();
        match error {
            NotTakenIn::TooMany => Self::new(Reason::RateLimited, "replay_window").saying(detail),
            NotTakenIn::NotUnderstood(_) => Self::new(Reason::FormatError, "body").saying(detail),
            NotTakenIn::NoPayment => Self::payment_not_found(),
            NotTakenIn::Contradicts { field } => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self::http(status, "contradicts", detail).about(field)
            }
            NotTakenIn::Store(error) => error.into(),
        }
    }
}
