//! What happened to a bill: its changes, and the steps of its payments, by time.

use router::id::{BillId, BillNo, BillerId, ExternalPaymentId, PaymentId};
use router::message::Rail;
use router::time::Timestamp;

use crate::database::read;
use crate::error::BackofficeError;
use crate::external::ExternalPaymentRow;
use crate::office::Backoffice;

/// Most events of one timeline; the newest are kept.
pub const TIMELINE_LEN_MAX: i64 = 1000;

/// What was paid of a bill behind a step of one of its payments.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PaidAfterStep {
    /// The state that the payment came to, or another name of a step.
    pub step: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// What was paid of the bill in all, in minor units of its currency.
    pub bill_paid_minor: i64,
}

/// One event of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillEvent {
    /// When.
    pub at: Timestamp,
    /// What: `bill.registered`, `payment.approved`, `external_payment.registered`, …
    pub kind: Box<str>,
    /// Who: `key:…`, `participant:…`, `biller:…`.
    pub actor: Box<str>,
    /// The way it came in.
    pub channel: Box<str>,
    /// The payment it is about, where it is about one.
    pub payment: Option<PaymentId>,
    /// What people need beyond that.
    pub detail: Option<Box<str>>,
}

#[derive(Debug, sqlx::FromRow)]
struct ChangeRow {
    at: i64,
    change: String,
    actor: String,
    channel: String,
    detail: Option<String>,
}

#[derive(Debug, sqlx::FromRow)]
struct StepRow {
    at: i64,
    step: String,
    payment_id: String,
    rail: String,
    originator_kind: String,
    originator: String,
    reason: Option<String>,
}

impl Backoffice {
    /// The events of a bill, oldest first. Cancel-safe.
    pub async fn bill_timeline(
        &self,
        id: BillId,
        biller: BillerId,
        bill_no: BillNo,
    ) -> Result<Vec<BillEvent>, BackofficeError> {
        const CHANGES: &str = "SELECT at, change, actor, channel, detail FROM bill_changes \
            WHERE bill_id = $1 ORDER BY version DESC LIMIT $2";
        const STEPS: &str = "SELECT s.at, s.step, s.payment_id, p.rail, p.originator_kind, p.originator, \
            p.reason FROM payments p JOIN payment_steps s ON s.payment_id = p.id \
            WHERE p.biller = $1 AND p.bill_no = $2 \
            ORDER BY p.id DESC, s.position DESC LIMIT $3";
        let changes = read!(&self.registered, |on| {
            let query = sqlx::query_as::<_, ChangeRow>(CHANGES).bind(id.to_string());
            query.bind(TIMELINE_LEN_MAX).fetch_all(on).await
        })?;
        let steps = read!(&self.projections, |on| {
            let query = sqlx::query_as::<_, StepRow>(STEPS).bind(biller.as_str());
            query.bind(bill_no.as_str()).bind(TIMELINE_LEN_MAX).fetch_all(on).await
        })?;
        let external = self.external_payments(id, TIMELINE_LEN_MAX).await?;
        let changes = changes.into_iter().rev().map(ChangeRow::event);
        let mut events: Vec<BillEvent> = changes
            .chain(steps.into_iter().rev().filter_map(|step| step.event(&external)))
            .collect();
        // A stable sort: of one instant, changes come before payments.
        events.sort_by_key(|event| event.at);
        Ok(events)
    }
}

impl Backoffice {
    /// What was paid of the bill of a payment behind each step of the payment, oldest first; nothing
    /// of steps that have no rows yet. Cancel-safe.
    pub async fn paid_after_steps(
        &self,
        payment: PaymentId,
    ) -> Result<Vec<PaidAfterStep>, BackofficeError> {
        const SQL: &str = "SELECT step, at, bill_paid_minor FROM payment_steps \
            WHERE payment_id = $1 ORDER BY position";
        read!(&self.projections, |on| {
            sqlx::query_as::<_, PaidAfterStep>(SQL).bind(payment.to_string()).fetch_all(on).await
        })
    }
}

impl ChangeRow {
    fn event(self) -> BillEvent {
        BillEvent {
            at: Timestamp(self.at),
            kind: format!("bill.{}", self.change).into(),
            actor: self.actor.into(),
            channel: self.channel.into(),
            payment: None,
            detail: self.detail.map(Into::into),
        }
    }
}

impl StepRow {
    /// The event; none for what lies between two events of a payment that was made elsewhere.
    fn event(self, external: &[ExternalPaymentRow]) -> Option<BillEvent> {
        if self.rail == Rail::External.name() { self.external(external) } else { Some(self.own()) }
    }

    /// An event of a payment that was made elsewhere, with who said so.
    fn external(self, said: &[ExternalPaymentRow]) -> Option<BillEvent> {
        let payment: PaymentId = self.payment_id.parse().ok()?;
        let id = ExternalPaymentId::from(payment).to_string();
        let said = said.iter().find(|said| said.id == id);
        let (kind, actor) = match self.step.as_str() {
            "approved" => ("registered", said.map(|said| said.registered_by.as_str())),
            "reversed" => ("undone", said.and_then(|said| said.undone_by.as_deref())),
            _ => return None,
        };
        let detail = said.map(|said| {
            let ExternalPaymentRow { method, paid_on, reference, .. } = said;
            format!("{id}: {method}, {paid_on}, {reference}").into()
        });
        Some(BillEvent {
            kind: format!("external_payment.{kind}").into(),
            actor: actor.map_or_else(|| self.originator(), Into::into),
            detail,
            payment: Some(payment),
            at: Timestamp(self.at),
            channel: "api".into(),
        })
    }

    /// Who asked for the payment.
    fn originator(&self) -> Box<str> {
        format!("{}:{}", self.originator_kind, self.originator).into()
    }

    fn own(self) -> BillEvent {
        let channel = if self.originator_kind == "participant" { "iso8583" } else { "api" };
        let is_refusal = self.step == "declined";
        BillEvent {
            at: Timestamp(self.at),
            kind: format!("payment.{}", self.step).into(),
            actor: self.originator(),
            channel: channel.into(),
            payment: self.payment_id.parse().ok(),
            detail: self.reason.filter(|_| is_refusal).map(Into::into),
        }
    }
}
