//! A payment as the API, notices and exports show it.

use std::borrow::Cow;

use router::fee::{Bearer, Fee};
use router::free_text::FreeText;
use router::id::{BillerId, ClientRef, FloatRef, Folio, PaymentId, Product};
use router::message::Payer;
use router::money::Money;
use router::outcome::Outcome;
use router::payment::{Payment, RefundSums};
use router::reason::{Language, Reason};
use router::secret::{CardNumber, MaskedPan};
use router::text::Text;
use router::time::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{AmountView, AwaitingView, BillStandingView, RefundView, Shown, schema};

/// A payment. What identifies its payer is masked; what is not known is left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub struct PaymentView<'a> {
    /// The payment.
    #[schema(value_type = String, pattern = "^pay_")]
    pub id: Shown<PaymentId>,
    /// Its number for people.
    #[schema(value_type = String, pattern = "^[0-9]{12}$")]
    pub folio: Shown<Folio>,
    /// Where it stands.
    #[schema(schema_with = schema::payment_state)]
    pub state: &'static str,
    /// How money is moved.
    pub rail: &'static str,
    /// What the payee receives.
    pub amount: AmountView,
    /// Itemised fees.
    pub fees: Vec<FeeView<'a>>,
    /// What the payer pays.
    pub total: AmountView,
    /// The merchant that is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub biller: Option<&'a str>,
    /// The biller's number of the payer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<&'a str>,
    /// The bill that is paid, and where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bill: Option<BillStandingView>,
    /// Kind of credit or service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<&'a str>,
    /// The collector's float.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float_ref: Option<&'a str>,
    /// Who pays. Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payer: Option<PayerView<'a>>,
    /// The originator's own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    /// The last participant asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant: Option<&'a str>,
    /// Authorisation number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<&'a str>,
    /// The participant's own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_reference: Option<&'a str>,
    /// Why it was declined, or is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonView<'a>>,
    /// Why the outcome is not known: `timeout`, `line_lost`, `restart`, `bad_answer`,
    /// `contradicts_request`, `partial_approval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::unknown_cause, required = false)]
    pub unknown_cause: Option<&'static str>,
    /// What an answer said that came too late: `approved`, `declined`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::late_answer, required = false)]
    pub late_answer: Option<&'static str>,
    /// Folio of the payment this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{12}$")]
    pub original_folio: Option<Shown<Folio>>,
    /// When the request was received.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Shown<Timestamp>,
    /// When the outcome was known, or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub concluded_at: Option<Shown<Timestamp>>,
    /// When the undoing was confirmed, the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reversed_at: Option<Shown<Timestamp>>,
    /// What was given back, where a part was reversed: the bank has confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reversed: Option<AmountView>,
    /// What is still to be given back by partial reversals that the bank has not confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reversing: Option<AmountView>,
    /// What the payment waits for, while its state is `awaiting_payer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaiting: Option<AwaitingView<'a>>,
    /// What was given back by refunds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunded: Option<AmountView>,
    /// What is being given back by refunds that the bank has not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunding: Option<AmountView>,
    /// Its refunds, in the order they were asked for in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub refunds: Vec<RefundView>,
    /// Your own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<&'a RawValue>,
}

/// One fee.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fee)]
pub struct FeeView<'a> {
    /// What people read.
    pub label: &'a str,
    /// How much.
    pub amount: AmountView,
    /// `payer` or `merchant`.
    #[schema(schema_with = schema::fee_bearer)]
    pub borne_by: &'static str,
}

/// Who pays, masked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payer)]
pub struct PayerView<'a> {
    /// Identity document, all but the last three characters hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// Telephone, all but the last four digits hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The payer's bank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_code: Option<&'a str>,
    /// Account, all but the last four characters hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Card number, all but the first six and last four digits hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub card: Option<Shown<MaskedPan>>,
}

/// A reason of the decline catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reason)]
pub struct ReasonView<'a> {
    /// Its number.
    #[schema(pattern = "^[0-9]{4}$")]
    pub no: &'static str,
    /// Its code.
    pub code: &'static str,
    /// Its text for people.
    pub text: &'static str,
    /// What people need beyond the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'a, str>>,
    /// The participant's own code (DE39).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_code: Option<String>,
}

impl<'a> PaymentView<'a> {
    /// A payment in a language; `original` is the folio of the payment it repeats, where it does.
    pub fn new(payment: &'a Payment, language: Language, original: Option<Folio>) -> Self {
        let request = &payment.request;
        let approval = payment.approval();
        Self {
            id: Shown(payment.id),
            folio: Shown(payment.folio),
            state: payment.state.name(),
            rail: request.rail.name(),
            amount: request.amount.into(),
            fees: payment.fees.iter().map(FeeView::of).collect(),
            total: payment.total.into(),
            biller: request.biller.as_ref().map(BillerId::as_str),
            client: request.client.as_ref().map(ClientRef::as_str),
            bill: BillStandingView::named(payment),
            product: request.product.as_ref().map(Product::as_str),
            float_ref: request.float_ref.as_ref().map(FloatRef::as_str),
            payer: PayerView::of(&request.payer),
            reference: request.reference.as_ref().map(FreeText::as_str),
            participant: payment.attempt.as_ref().map(|a| a.participant.as_str()),
            authorisation: known(approval.map(|approval| approval.authorisation.as_str())),
            bank_reference: known(approval.map(|approval| approval.bank_reference.as_str())),
            reason: ReasonView::of(payment, language),
            unknown_cause: unknown_cause(payment.outcome.as_ref()),
            late_answer: payment.late_answer.as_ref().map(outcome_name),
            original_folio: original.map(Shown),
            received_at: Shown(payment.received_at),
            concluded_at: payment.concluded_at.map(Shown),
            reversed_at: payment.reversed_at.map(Shown),
            reversed: payment.given_back().map(|(confirmed, _)| confirmed.into()),
            reversing: payment.given_back().map(|(_, owed)| owed).and_then(more_than_zero),
            awaiting: AwaitingView::of(payment),
            refunded: refunded(payment, |sums| sums.done_minor),
            refunding: refunded(payment, |sums| sums.taken_minor - sums.done_minor),
            refunds: RefundView::all_of(payment),
            metadata: request.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        }
    }
}

fn more_than_zero(amount: Money) -> Option<AmountView> {
    (amount.minor > 0).then(|| amount.into())
}

fn refunded(payment: &Payment, part: impl Fn(&RefundSums) -> i64) -> Option<AmountView> {
    let minor = payment.refund_sums().map(|sums| part(&sums))?;
    more_than_zero(Money::new(minor, payment.request.amount.currency))
}

fn known(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn unknown_cause(outcome: Option<&Outcome>) -> Option<&'static str> {
    match outcome {
        Some(Outcome::Unknown(cause)) => Some(cause.name()),
        Some(Outcome::Approved(_) | Outcome::Declined(_)) | None => None,
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Approved(_) => "approved",
        Outcome::Declined(_) => "declined",
        Outcome::Unknown(_) => "unknown",
    }
}

impl<'a> FeeView<'a> {
    fn of(fee: &'a Fee) -> Self {
        let borne_by = match fee.borne_by {
            Bearer::Payer => "payer",
            Bearer::Merchant => "merchant",
        };
        Self { label: fee.label.as_str(), amount: fee.amount.into(), borne_by }
    }
}

impl<'a> PayerView<'a> {
    /// None where nothing is known of the payer.
    fn of(payer: &'a Payer) -> Option<Self> {
        let view = Self {
            doc: payer.document.as_ref().map(|text| hide_but_last(text.as_str(), 3)),
            phone: payer.phone.as_ref().map(|text| hide_but_last(text.as_str(), 4)),
            bank_code: payer.bank_code.as_ref().map(Text::as_str),
            account: payer.account.as_ref().map(|text| hide_but_last(text.as_str(), 4)),
            card: payer.card.as_ref().map(CardNumber::masked).map(Shown),
        };
        let Self { doc, phone, bank_code, account, card } = &view;
        let texts = [doc.is_some(), phone.is_some(), bank_code.is_some(), account.is_some()];
        (texts.contains(&true) || card.is_some()).then_some(view)
    }
}

/// A text with all but its last characters hidden; one no longer than those is hidden whole.
fn hide_but_last(text: &str, shown: usize) -> String {
    let hidden = if text.len() > shown { text.len() - shown } else { text.len() };
    "*".repeat(hidden) + &text[hidden..]
}

impl<'a> ReasonView<'a> {
    /// None for a payment that went well or is still under way.
    fn of(payment: &'a Payment, language: Language) -> Option<Self> {
        let (reason, network_code) = match payment.outcome.as_ref()? {
            Outcome::Approved(_) => return None,
            Outcome::Declined(decline) => (decline.reason, decline.network_code),
            Outcome::Unknown(_) => (Reason::OutcomeUnknown, None),
        };
        let info = reason.info();
        Some(Self {
            no: info.no,
            code: info.code,
            text: info.text(language),
            detail: payment.detail.as_ref().map(|detail| detail.text(language)),
            network_code: network_code.map(|code| code.escape_ascii().to_string()),
        })
    }
}

#[cfg(test)]
mod tests;
