//! What a dialect's placeholders stand for, of a payment as the switch has it.

use codecs::json_bank::{BankValues, Placeholder};
use router::exchange::{Ask, KnownPayment, RefundAsk, Undo, Unsayable};
use router::message::PaymentRequest;
use router::money::Money;
use router::outcome::{Approval, Outcome};
use router::payment::Payment;
use router::time::Timestamp;

use crate::config::JsonConfig;

/// A payment, and one request about it.
pub(super) struct Named<'a> {
    payment: String,
    /// The same in each repeat of the request.
    request_id: String,
    folio: String,
    request: &'a PaymentRequest,
    /// What the payer pays for the payment, fees on top of it included.
    paid: Money,
    /// What this request debits, or gives back.
    amount: Money,
    /// The participant's reference, where it gave one before it approved; else empty.
    reference: String,
    /// What is to stand behind a reversal.
    stands: Option<Money>,
    approval: Option<Approval>,
}

impl<'a> Named<'a> {
    /// A payment that is to be started.
    pub(super) fn starting(ask: &Ask<'a>) -> Self {
        let payment = ask.payment.to_string();
        Self {
            request_id: payment.clone(),
            payment,
            folio: ask.folio.to_string(),
            request: ask.request,
            paid: ask.plan.total,
            amount: ask.plan.total,
            reference: String::new(),
            stands: None,
            approval: None,
        }
    }

    /// A payment, or a part of it, that is to be undone.
    pub(super) fn undoing(undo: &Undo<'a>) -> Self {
        let payment = undo.payment.to_string();
        let request_id = match undo.stands_minor {
            Some(stands) => format!("{payment}-reversal-{stands}"),
            None => format!("{payment}-reversal"),
        };
        let stands = Money::new(undo.stands_minor.unwrap_or(0), undo.total.currency);
        Self {
            payment,
            request_id,
            folio: undo.folio.to_string(),
            request: undo.request,
            paid: undo.total,
            amount: undo.total,
            reference: String::new(),
            stands: Some(stands),
            approval: undo.approval.copied(),
        }
    }

    /// A payment that is confirmed or asked about.
    pub(super) fn known(of: &KnownPayment<'a>) -> Self {
        let payment = of.payment.to_string();
        Self {
            request_id: payment.clone(),
            payment,
            folio: of.folio.to_string(),
            request: of.request,
            paid: of.total,
            amount: of.total,
            reference: of.reference.to_owned(),
            stands: None,
            approval: of.approval,
        }
    }

    /// A payment of which something is given back.
    pub(super) fn refunding(refund: &RefundAsk<'a>) -> Self {
        let request_id = refund.refund.to_string();
        Self { request_id, amount: refund.amount, ..Self::known(&refund.of) }
    }

    /// A payment that something is told of.
    pub(super) fn told_of(payment: &'a Payment) -> Self {
        let id = payment.id.to_string();
        let approval = match &payment.outcome {
            Some(Outcome::Approved(approval)) => Some(*approval),
            Some(Outcome::Declined(_) | Outcome::Unknown(_)) | None => None,
        };
        Self {
            request_id: id.clone(),
            payment: id,
            folio: payment.folio.to_string(),
            request: &payment.request,
            paid: payment.total,
            amount: payment.total,
            reference: payment
                .wait
                .as_ref()
                .map_or(String::new(), |wait| wait.reference.to_string()),
            stands: None,
            approval,
        }
    }

    /// The values, for a request that is made now.
    pub(super) fn values<'v>(&'v self, json: &'v JsonConfig, now: Timestamp) -> BankValues<'v> {
        let request = self.request;
        let approval = self.approval.as_ref();
        let told = |text: &'v str| Some(text).filter(|text| !text.is_empty());
        BankValues {
            payment: &self.payment,
            attempt: &self.payment,
            request: &self.request_id,
            folio: Some(&self.folio),
            amount: self.amount,
            paid: self.paid,
            stands: self.stands,
            rail: request.rail.name(),
            biller: request.biller.as_ref().map(|biller| biller.as_str()),
            bill: request.bill.as_ref().map(|bill| bill.as_str()),
            client: request.client.as_ref().map(|client| client.as_str()),
            reference: request.reference.as_ref().map(|reference| reference.as_str()),
            acceptor: request.trace.presenting(&json.acceptor).acceptor(),
            payer: &request.payer,
            one_time_key: None,
            bank_reference: approval
                .and_then(|it| told(it.bank_reference.as_str()))
                .or_else(|| told(&self.reference)),
            authorisation: approval.and_then(|it| told(it.authorisation.as_str())),
            now,
            constants: &json.constants,
        }
    }
}

/// What the dialect needs and the payment does not have, in the terms of the HTTP API.
pub(super) fn unsayable(missing: &Placeholder) -> Unsayable {
    let field = match missing {
        Placeholder::Card => Some("payer.card"),
        Placeholder::Expiry => Some("payer.expiry"),
        Placeholder::Account => Some("payer.account"),
        Placeholder::Phone => Some("payer.phone"),
        Placeholder::Document => Some("payer.doc"),
        Placeholder::Bank => Some("payer.bank_code"),
        Placeholder::Bill => Some("bill"),
        Placeholder::Reference => Some("reference"),
        Placeholder::Payment
        | Placeholder::Attempt
        | Placeholder::Request
        | Placeholder::Folio
        | Placeholder::AmountMinor
        | Placeholder::AmountDecimal
        | Placeholder::PaidMinor
        | Placeholder::PaidDecimal
        | Placeholder::StandsMinor
        | Placeholder::StandsDecimal
        | Placeholder::Currency
        | Placeholder::CurrencyNumber
        | Placeholder::Rail
        | Placeholder::Biller
        | Placeholder::Client
        | Placeholder::AcceptorCategory
        | Placeholder::AcceptorTerminal
        | Placeholder::AcceptorId
        | Placeholder::AcceptorPlace
        | Placeholder::OneTimeKey
        | Placeholder::BankReference
        | Placeholder::Authorisation
        | Placeholder::Time(_)
        | Placeholder::Constant(_) => None,
    };
    Unsayable { field, problem: format!("the participant needs `{missing}`") }
}
