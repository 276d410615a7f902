//! `/v1/bills/{id}/external-payments`: what billers say was paid elsewhere.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use codecs::api::{ExternalDraft, ExternalPaymentBody, ExternalPaymentView, Problem};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use router::id::{BillId, ExternalPaymentId, PaymentId};
use router::message::Rail;
use router::misplaced;
use router::payment::Payment;
use router::reason::Reason;
use storage_backoffice::bill::BillEntry;

use super::super::answer::{Answer, Answered, ApiRefusal};
use super::super::document::responses::{NotFound, Usual};
use super::super::extract::{Body, Found, Named, NoFields, Spoken};
use super::super::later::in_its_own_task;
use super::super::principal::{ManageBills, Permitted, Principal};
use super::super::{Api, Shared};
use super::{refusal, shown};
use crate::backoffice::moment_of;
use crate::clock;
use crate::external::{self, ExternalError, ExternalReply, ExternalWish};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Say that a bill was paid elsewhere
#[utoipa::path(
    post,
    path = "/v1/bills/{id}/external-payments",
    operation_id = "createExternalPayment",
    tag = "bills",
    description = "No bank is asked and no fee is charged. The same method, date and reference name \
        the same payment: said again, they give it again, marked with Idempotent-Replayed; with \
        another amount they are a 422 idempotency_conflict. A payment of the bill that is under way \
        goes on: both stand.",
    params(("id" = String, Path, pattern = "^bil_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    request_body(content = ExternalPaymentBody),
    responses(
        (status = 201, description = "The payment, and the bill as it is now.",
            body = ExternalPaymentView, headers(("Idempotent-Replayed"))),
        (status = 404, response = NotFound),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "bill_already_paid; or payment_in_progress: the same is being taken."),
        (status = 410, body = Problem, content_type = "application/problem+json",
            description = "bill_cancelled."),
        (status = 422, body = Problem, content_type = "application/problem+json",
            description = "amount_mismatch: more than was left of the bill, with `payable_now`; or \
                idempotency_conflict."),
        Usual,
    ),
)]
pub(in super::super) async fn register(
    State(Shared { api, limits, .. }): State<Shared>,
    Permitted(manager): Permitted<ManageBills>,
    Spoken(language): Spoken,
    Found(bill): Found<BillEntry>,
    Body(body): Body<ExternalPaymentBody>,
) -> Answered<ExternalPaymentView> {
    let wish = wish_of(&api, &bill, body.checked()?)?;
    let (engine, entry) = (Arc::clone(&api.engine), bill.clone());
    let actor = manager.actor.to_string();
    let work = async move { external::register(&engine, &entry, &wish, &actor).await };
    let reply = in_its_own_task(&api, work, limits.request_timeout).await?;
    match reply.ok_or_else(ApiRefusal::in_progress)?? {
        ExternalReply::Stands { id, is_replay } => {
            let answer = told(&api, StatusCode::CREATED, id, bill.id).await?;
            Ok(match is_replay {
                true => answer.with_header(REPLAYED, HeaderValue::from_static("true")),
                false => answer,
            })
        }
        ExternalReply::Refused { reason, payable_now: None } => Err(refusal(reason)),
        ExternalReply::Refused { reason, payable_now } => {
            let mut problem = Problem::new(reason, language).with_field("amount");
            problem.payable_now = payable_now.map(Into::into);
            let status = super::super::answer::status(problem.status);
            Ok(Answer::problem(status, &problem).into_other())
        }
        ExternalReply::InProgress => Err(ApiRefusal::in_progress()),
    }
}

/// Take back that a bill was paid elsewhere
#[utoipa::path(
    delete,
    path = "/v1/bills/{id}/external-payments/{external}",
    operation_id = "deleteExternalPayment",
    tag = "bills",
    description = "This may be repeated. The timeline of the bill keeps who took it back.",
    params(
        ("id" = String, Path, pattern = "^bil_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
        ("external" = String, Path, pattern = "^ext_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
    ),
    responses(
        (status = 200, description = "The payment, and the bill as it is now.",
            body = ExternalPaymentView),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(in super::super) async fn undo(
    State(Shared { api, limits, .. }): State<Shared>,
    Permitted(manager): Permitted<ManageBills>,
    ExternalOfBill(bill, payment): ExternalOfBill,
    NoFields: NoFields,
) -> Answered<ExternalPaymentView> {
    let (engine, actor, id) = (Arc::clone(&api.engine), manager.actor.to_string(), payment.id);
    let work = async move { external::undo(&engine, id, &actor).await };
    let done = in_its_own_task(&api, work, limits.request_timeout).await?;
    done.ok_or_else(ApiRefusal::in_progress)??;
    told(&api, StatusCode::OK, id.into(), bill.id).await
}

/// An external payment of a bill that the principal sees.
#[derive(Debug)]
pub(in super::super) struct ExternalOfBill(BillEntry, Box<Payment>);

impl FromRequestParts<Shared> for ExternalOfBill {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiRefusal> {
        let principal = Principal::of(parts, shared).await?;
        type Names = Path<(String, String)>;
        let names = <Names as FromRequestParts<Shared>>::from_request_parts(parts, shared).await;
        let Path((bill, external)) = names.map_err(|_| ApiRefusal::path_not_found())?;
        let bill = BillEntry::find(&shared.api, principal, &bill).await?;
        let missing = || ApiRefusal::not_found("the bill has no such external payment");
        let id: ExternalPaymentId = external.parse().map_err(|_| missing())?;
        let payment = shared.api.engine.store.payment(PaymentId::from(id)).await?;
        let of_bill = payment.filter(|payment| {
            payment.request.rail == Rail::External
                && payment.bill.is_some_and(|planned| planned.id == bill.id)
        });
        of_bill.map(|payment| Self(bill, Box::new(payment))).ok_or_else(missing)
    }
}

fn wish_of(api: &Api, bill: &BillEntry, draft: ExternalDraft) -> Result<ExternalWish, ApiRefusal> {
    let ExternalDraft { method, amount, date, reference } = draft;
    let malformed = |field: &'static str, detail: &'static str| {
        Err(ApiRefusal::new(Reason::FormatError, "body").saying(detail).about(field))
    };
    for (field, text) in [("method", &*method), ("reference", reference.as_str())] {
        if misplaced::find(text).is_some() {
            return malformed(field, "holds a card number");
        }
    }
    if moment_of(&api.engine.policy(), bill.biller, clock::now()).today < date {
        return malformed("date", "must not be later than today");
    }
    Ok(ExternalWish { method, paid_on: date, reference, amount })
}

async fn told(
    api: &Api,
    status: StatusCode,
    id: ExternalPaymentId,
    bill: BillId,
) -> Answered<ExternalPaymentView> {
    let office = api.engine.backoffice.office()?;
    let bill = office.bill(bill).await?.ok_or_else(|| refusal(Reason::BillNotFound))?;
    let bill = shown(api, &office, bill).await?;
    Ok(Answer::new(status, &ExternalPaymentView { id: codecs::api::Shown(id), bill }))
}

impl From<ExternalError> for ApiRefusal {
    fn from(error: ExternalError) -> Self {
        match error {
            ExternalError::Backoffice(error) => error.into(),
            ExternalError::Store(error) => error.into(),
        }
    }
}
