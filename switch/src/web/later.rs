//! What happens to a payment after it was asked for: `…/confirm` and `…/refunds`.

use std::sync::Arc;

use axum::extract::State;
use codecs::api::{PaymentView, Problem, RefundView, RefundWish};
use http::{HeaderName, HeaderValue, StatusCode};
use router::id::BillerId;
use router::message::{Originator, digest128};
use router::misplaced;
use router::outcome::Outcome;
use router::payment::{Payment, PaymentState};
use router::reason::{Language, Reason};
use router::secret::Secret;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::Instrument;

use super::answer::{Answer, Answered, ApiRefusal};
use super::document::responses::{NoPayment, PaymentNow, Pending, Usual};
use super::extract::{Body, Found, Id, Key, Spoken};
use super::payment_answer::{Declined, declined, view};
use super::principal::{Pay, Permitted};
use super::{Api, Shared, refused_confirmation};
use crate::refund::{self, RefundReply, RefundRequest};
use crate::respond::Reply;
use crate::waiting::{self, Confirmed};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Confirm a payment with the payer's one-time key
#[utoipa::path(
    post,
    path = "/v1/payments/{id}/confirm",
    operation_id = "confirmPayment",
    tag = "payments",
    description = "For a payment whose state is `awaiting_payer` and which waits for a one-time key. \
        The key is passed on to the bank and never kept. Where the bank lets the payer try again, the \
        payment still waits afterwards.",
    params(("id" = String, Path, description = "A payment's id or its folio of twelve digits.")),
    request_body(content = codecs::api::ConfirmationBody, examples(("oneTimeKey" = ()))),
    responses(
        (status = 200, response = PaymentNow),
        (status = 202, response = Pending),
        (status = 402, body = Declined<'static>, content_type = "application/problem+json",
            description = "The bank declined the payment.",
            examples(("insufficientFunds" = ()))),
        (status = 404, response = NoPayment),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "payment_in_progress (with Retry-After); confirmation_not_awaited: the \
                payment waits for no key, or no longer.",
            headers(("Retry-After")), examples(("notAwaited" = ()))),
        (status = 422, body = Problem, content_type = "application/problem+json",
            description = "otp_invalid: the key has not 4 to 12 digits; nothing was passed on.",
            examples(("wrongKey" = ()))),
        Usual,
    ),
)]
pub(super) async fn confirm(
    State(shared): State<Shared>,
    Permitted(biller): Permitted<Pay>,
    Spoken(language): Spoken,
    Id(id): Id,
    found: Result<Found<Payment>, ApiRefusal>,
    key: Result<Body<Secret>, ApiRefusal>,
) -> Answered<PaymentView<'static>> {
    let asked = found.and_then(|Found(payment)| key.map(|Body(key)| (payment, key)));
    let confirmed = match asked {
        Ok((payment, key)) => confirmed(&shared, biller, payment, key).await,
        Err(refusal) => Err(refusal),
    };
    match confirmed {
        Ok(payment) => told(&shared.api, &payment, language).await,
        Err(refusal) => {
            refused_confirmation::tell(&shared.api, (&id, biller), &refusal).await;
            Err(refusal)
        }
    }
}

/// The payment after its confirmation, as far as that came in time.
async fn confirmed(
    Shared { api, limits, .. }: &Shared,
    biller: BillerId,
    payment: Payment,
    key: Secret,
) -> Result<Box<Payment>, ApiRefusal> {
    let payment = own(api, biller, payment).await?;
    let engine = Arc::clone(&api.engine);
    let work = async move { waiting::confirm(&engine, payment, &key).await };
    let patience = limits.request_timeout.saturating_sub(limits.request_timeout / 10);
    let Some(confirmed) = in_its_own_task(api, work, patience).await? else {
        return Err(ApiRefusal::in_progress());
    };
    match confirmed? {
        Confirmed::Payment(payment) => Ok(payment),
        Confirmed::NotAwaited(payment) if payment.state == PaymentState::Sent => {
            Err(ApiRefusal::in_progress())
        }
        Confirmed::NotAwaited(payment) => {
            let state = payment.state.name();
            Err(ApiRefusal::new(Reason::ConfirmationNotAwaited, "confirmation")
                .saying(format!("the payment is {state}")))
        }
    }
}

/// A payment after its confirmation.
async fn told(api: &Api, payment: &Payment, language: Language) -> Answered<PaymentView<'static>> {
    match &payment.outcome {
        Some(Outcome::Approved(_)) => view(api, StatusCode::OK, payment, language).await,
        Some(Outcome::Declined(_)) => {
            let reply = Reply::of(payment);
            Ok(declined(api, &reply, payment, language).await?.into_other())
        }
        Some(Outcome::Unknown(_)) | None => {
            view(api, StatusCode::ACCEPTED, payment, language).await
        }
    }
}

/// Give money of an approved payment back
#[utoipa::path(
    post,
    path = "/v1/payments/{id}/refunds",
    operation_id = "refundPayment",
    tag = "payments",
    description = "A refund is a request of its own to the bank that was paid from; a payment can have \
        many, which together never give back more than what stands of it. Fees stay. The same key and \
        body give the same refund again, as it stands then, marked with Idempotent-Replayed. A refund \
        is `pending` until the bank has answered, and is asked for until it has. Once money was \
        refunded the payment cannot be reversed any more.",
    params(
        ("id" = String, Path, description = "A payment's id or its folio of twelve digits."),
        ("Idempotency-Key" = String, Header,
            description = "Names this refund among those of the payment.",
            min_length = 1, max_length = 255, pattern = "^[ -~]+$"),
    ),
    request_body(content = codecs::api::RefundBody,
        examples(("partialRefund" = ()), ("wholeRefund" = ()))),
    responses(
        (status = 201, body = RefundView, description = "The refund as it stands now.",
            headers(("Idempotent-Replayed")), examples(("refund" = ()))),
        (status = 404, response = NoPayment),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "payment_in_progress (with Retry-After); refund_not_allowed: no approval \
                stands, or a part is being reversed; already_reversed.",
            headers(("Retry-After")), examples(("noRefund" = ()))),
        (status = 422, body = Problem, content_type = "application/problem+json",
            description = "refund_exceeds_payment, with what may be refunded in `detail`; \
                idempotency_conflict: the key was used for another body.",
            examples(("refundTooHigh" = ()))),
        (status = 503, body = Problem, content_type = "application/problem+json",
            description = "The bank cannot be reached: nothing was begun, and the same key may be \
                repeated.",
            headers(("Retry-After")), examples(("bankOffline" = ()))),
        Usual,
    ),
)]
pub(super) async fn refund(
    State(Shared { api, limits, .. }): State<Shared>,
    Permitted(biller): Permitted<Pay>,
    Spoken(language): Spoken,
    Found(payment): Found<Payment>,
    Key(key): Key,
    Body(wish): Body<RefundWish>,
) -> Answered<RefundView> {
    let payment = own(&api, biller, payment).await?;
    if api.engine.tasks.stages().draining.is_cancelled() {
        return Err(ApiRefusal::new(Reason::IssuerUnavailable, "draining"));
    }
    let request = request_of(biller, &key, wish);
    let patience = limits.request_timeout.saturating_sub(limits.request_timeout / 5);
    let engine = Arc::clone(&api.engine);
    let work = async move { refund::asked(&engine, payment, request, patience).await };
    let Some(reply) = in_its_own_task(&api, work, limits.request_timeout).await? else {
        return Err(ApiRefusal::in_progress());
    };
    answered(reply?, language)
}

fn answered(reply: RefundReply, language: Language) -> Answered<RefundView> {
    match reply {
        RefundReply::Known { payment, refund, is_replay } => {
            let known = payment.refund_of(refund).map(|(_, known)| known);
            let Some(known) = known else { return Err(ApiRefusal::payment_not_found()) };
            let answer = Answer::new(StatusCode::CREATED, &RefundView::new(&payment, known));
            Ok(match is_replay {
                true => answer.with_header(REPLAYED, HeaderValue::from_static("true")),
                false => answer,
            })
        }
        RefundReply::Refused { reason: Reason::Pending, .. } => Err(ApiRefusal::in_progress()),
        RefundReply::Refused { reason, field, detail } => {
            let refusal = ApiRefusal::new(reason, "refund");
            let refusal = match field {
                Some(field) => refusal.about(field),
                None => refusal,
            };
            Err(match detail {
                Some(detail) => refusal.saying(detail.text(language)),
                None => refusal,
            })
        }
    }
}

/// A refund as it is asked for. A card number in its reason is kept masked.
fn request_of(biller: BillerId, key: &str, wish: RefundWish) -> RefundRequest {
    let RefundWish { amount, reason } = wish;
    let minor = amount.map(|amount| amount.minor.to_be_bytes()).unwrap_or_default();
    let currency = amount.map_or("", |amount| amount.currency.code());
    let said: [&[u8]; 4] = [b"refund", &minor, currency.as_bytes(), reason.as_bytes()];
    RefundRequest {
        key: digest128(&[b"refund", biller.as_str().as_bytes(), key.as_bytes()]),
        fingerprint: digest128(&said),
        amount,
        reason: misplaced::masked(&reason).map_or(reason, String::into_boxed_str),
    }
}

/// The payment as it stands now, of the biller that asked for it: the body of the request may have
/// taken its time.
async fn own(api: &Api, biller: BillerId, payment: Payment) -> Result<Payment, ApiRefusal> {
    if payment.request.originator != Originator::Biller(biller) {
        return Err(ApiRefusal::new(Reason::RefundNotAllowed, "not_originator")
            .saying("only who asked for a payment may change it"));
    }
    let known = api.engine.store.payment(payment.id).await?;
    known.ok_or_else(ApiRefusal::payment_not_found)
}

/// Runs work in a task that a client who hangs up does not end, and that a drain waits for. None when
/// it takes longer than the client is to wait.
pub(super) async fn in_its_own_task<T: Send + 'static>(
    api: &Api,
    work: impl Future<Output = T> + Send + 'static,
    patience: std::time::Duration,
) -> Result<Option<T>, ApiRefusal> {
    let (sender, receiver) = oneshot::channel();
    let work = async move {
        // A client who has hung up asks again.
        sender.send(work.await).ok();
    };
    api.engine.tasks.payment(work.in_current_span());
    match timeout(patience, receiver).await {
        Ok(Ok(done)) => Ok(Some(done)),
        Ok(Err(_)) => Err(ApiRefusal::new(Reason::SystemError, "panic")),
        Err(_) => Ok(None),
    }
}
