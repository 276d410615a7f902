//! A payment as an answer: whole, or beside the problem that it was declined with.

use codecs::api::{BillStandingView, PaymentView, Problem};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use router::detail::Detail;
use router::payment::Payment;
use router::reason::Language;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::answer::{self, Answer, Answered};
use crate::notice::bill::bill_now;
use crate::notice::body::original_folio;
use crate::respond::Reply;

/// The members of a problem and of the payment, side by side.
#[derive(Serialize, ToSchema)]
pub(super) struct Declined<'a> {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    payment: PaymentView<'a>,
}

/// A problem; where the request became a payment, its members too.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it stands for two kinds of answers in the document")]
pub(super) enum PaymentProblem {
    /// The payment was made, and declined.
    Declined(Box<Declined<'static>>),
    /// No payment was made.
    Problem(Problem),
}

/// A declined payment as it stands now, with the problem.
pub(super) async fn declined(
    api: &Api,
    reply: &Reply,
    payment: &Payment,
    language: Language,
) -> Answered<Declined<'static>> {
    let bill = bill_now(&api.engine, payment).await;
    declined_of(api, reply, payment, bill, language).await
}

/// The same with its bill as it stood.
pub(super) async fn declined_of(
    api: &Api,
    reply: &Reply,
    payment: &Payment,
    bill: Option<BillStandingView>,
    language: Language,
) -> Answered<Declined<'static>> {
    let mut problem = Problem::new(reply.reason, language);
    problem.detail = reply.detail.as_ref().map(|detail| detail.text(language).into_owned());
    problem.payable_now = reply.detail.as_ref().and_then(Detail::payable_now).map(Into::into);
    problem.field = reply.field.map(str::to_owned);
    let status = answer::status(problem.status);
    let original = original_folio(&api.engine.store, payment).await?;
    let payment = PaymentView { bill, ..PaymentView::new(payment, language, original) };
    let both = Declined { problem, payment };
    Ok(Answer::problem(status, &both))
}

/// A payment with its bill as it stands now.
pub(super) async fn view(
    api: &Api,
    status: StatusCode,
    payment: &Payment,
    language: Language,
) -> Answered<PaymentView<'static>> {
    let bill = bill_now(&api.engine, payment).await;
    view_of(api, status, payment, bill, language).await
}

/// A payment with its bill as it stood.
pub(super) async fn view_of(
    api: &Api,
    status: StatusCode,
    payment: &Payment,
    bill: Option<BillStandingView>,
    language: Language,
) -> Answered<PaymentView<'static>> {
    let original = original_folio(&api.engine.store, payment).await?;
    let view = PaymentView { bill, ..PaymentView::new(payment, language, original) };
    let answer = Answer::new(status, &view);
    if status != StatusCode::OK {
        let location = HeaderValue::from_str(&format!("/v1/payments/{}", payment.id));
        let location = location.expect("invariant: an id is ASCII");
        return Ok(answer.with_header(LOCATION, location));
    }
    Ok(answer)
}
