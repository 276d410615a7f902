//! A request beside what every rule needs to know of it, worked out once.

use crate::detail::Detail;
use crate::id::{BillerId, ParticipantId};
use crate::message::{Originator, PaymentRequest, Rail};
use crate::money::Money;
use crate::policy::{Biller, Float, FloatDebits, Participant, ParticipantStatus, Policy};
use crate::posting::Source;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::rules::{Attributes, allows};
use crate::time::{Date, Timestamp, Zone};
use std::time::Duration;

const HOUR_MICROS: i64 = 3_600_000_000;

static UTC: Zone = Zone { offsets: Vec::new() };

/// What the register of bills says of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillTerms {
    /// What the bill comes to; more than zero. Not what is left of it: the guard counts what was
    /// paid.
    pub amount: Money,
    /// Whether it may be paid in parts. After a partial reversal of a bill without parts, the
    /// register allows parts so that the rest can be paid.
    pub allows_partial: bool,
}

/// A request in the light of the policy.
pub(crate) struct RequestContext<'a> {
    /// The request.
    pub(crate) request: &'a PaymentRequest,
    /// The participant that asks, where it is one and is known.
    pub(crate) participant: Option<&'a Participant>,
    /// Whose calendar days count.
    pub(crate) zone: &'a Zone,
    /// Today, there.
    pub(crate) business_date: Date,
    /// When it was received.
    pub(crate) now: Timestamp,
    /// The terms of the bill that it names, where a register told them.
    pub(crate) bill: Option<BillTerms>,
    /// How long a bill is remembered after its last payment; none: for ever.
    pub(crate) bill_retention: Option<Duration>,
    biller_id: Option<&'a BillerId>,
    biller: Option<&'a Biller>,
    float: Option<&'a Float>,
}

impl<'a> RequestContext<'a> {
    /// The same, on a bill's terms.
    pub(crate) fn on_terms(self, bill: Option<BillTerms>) -> Self {
        Self { bill, ..self }
    }

    /// Looks up what the policy says of the parties.
    pub(crate) fn new(request: &'a PaymentRequest, policy: &'a Policy, now: Timestamp) -> Self {
        let (participant, own_id) = match &request.originator {
            Originator::Participant(id) => (policy.participants.get(id), None),
            Originator::Biller(id) => (None, Some(id)),
        };
        let biller_id = request.biller.as_ref().or(own_id);
        let biller = biller_id.and_then(|id| policy.billers.get(id));
        let float = request.float_ref.as_ref().and_then(|float| policy.floats.get(float));
        let zone = biller.map_or(&UTC, |biller| &biller.zone);
        let business_date = zone.date(now);
        let bill_retention = policy.bill_retention;
        Self {
            request,
            participant,
            zone,
            business_date,
            now,
            bill: None,
            bill_retention,
            biller_id,
            biller,
            float,
        }
    }

    /// When today began there, and an hour ago at the latest.
    pub(crate) fn day_began(&self, now: Timestamp) -> Timestamp {
        let yesterday = Date(self.business_date.0.saturating_sub(1));
        self.zone.end_of(yesterday).min(now.plus_micros(-HOUR_MICROS))
    }

    /// The merchant that is paid, where there is one.
    pub(crate) fn biller_id(&self) -> Option<&'a BillerId> {
        self.biller_id
    }

    /// What rules may name of the payment.
    pub(crate) fn attributes(&self) -> Attributes<'a> {
        let PaymentRequest { rail, product, amount, payer, .. } = self.request;
        Attributes {
            biller: self.biller_id,
            rail: *rail,
            product: product.as_ref(),
            amount: *amount,
            bank_code: payer.bank_code.as_ref(),
            card_first: payer.card.as_ref().map(|card| card.masked().first),
        }
    }

    /// Who is owed the money: the merchant, or else the originator.
    pub(crate) fn payee(&self) -> Originator {
        self.biller_id.map_or(self.request.originator, |biller| Originator::Biller(*biller))
    }

    /// Where the money comes from.
    ///
    /// Errors: `format_error` for collector's cash without a float; `float_not_found` for a float
    ///         that is another's, as for one that is not there.
    pub(crate) fn source(&self) -> Result<Source<'a>, Refusal> {
        match (self.request.rail, &self.request.float_ref) {
            (Rail::CashFloat, Some(float)) => {
                let is_theirs = |float: &Float| float.may_be_drawn_on_by(&self.request.originator);
                if !self.float.is_some_and(is_theirs) {
                    return Err(self.refuse(Reason::FloatNotFound, "float_ref"));
                }
                let debits = self.biller.map_or(FloatDebits::Total, |biller| biller.float_debits);
                Ok(Source::Float(float, debits))
            }
            (Rail::CashFloat, None) => Err(self.refuse(Reason::FormatError, "float_ref")),
            // Nothing is moved here, so no route leads there.
            (Rail::External, _) => Err(self.refuse(Reason::NoRoute, "rail")),
            (
                rail @ (Rail::P2c
                | Rail::C2p
                | Rail::Card
                | Rail::Psd2
                | Rail::Wallet
                | Rail::Account),
                _,
            ) => Ok(Source::Clearing(rail)),
        }
    }

    /// The net debit cap that the payment counts against, and whose it is: the asking
    /// participant's in the payment's currency.
    pub(crate) fn net_debit_cap(&self) -> Option<(&'a ParticipantId, Money)> {
        let participant = self.participant?;
        let currency = self.request.amount.currency;
        let cap = participant.net_debit_caps.iter().find(|cap| cap.currency == currency)?;
        Some((&participant.id, *cap))
    }

    /// A refusal for a reason, with the field to mend.
    pub(crate) fn refuse(&self, reason: Reason, field: impl Into<Option<&'static str>>) -> Refusal {
        let business_date = self.business_date;
        Refusal { reason, field: field.into(), detail: None, business_date }
    }

    /// The same, with what people need beyond the reason's text.
    pub(crate) fn refuse_saying(
        &self,
        reason: Reason,
        field: impl Into<Option<&'static str>>,
        detail: String,
    ) -> Refusal {
        Refusal { detail: Some(Detail::Text(detail.into())), ..self.refuse(reason, field) }
    }

    /// The rules that need no limit: may this party ask, is this an amount, is it taken.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let PaymentRequest { originator, amount, rail, payer, .. } = self.request;
        let active = |participant: &Participant| participant.status == ParticipantStatus::Active;
        if matches!(originator, Originator::Participant(_)) && !self.participant.is_some_and(active)
        {
            return Err(self.refuse(Reason::ParticipantSuspended, None));
        }
        if amount.minor <= 0 {
            return Err(self.refuse(Reason::AmountInvalid, "amount"));
        }
        if let Some(need) = rail.missing_of(payer) {
            return Err(self.refuse(Reason::FormatError, need.field()));
        }
        let Some(biller) = self.biller else {
            let unknown = || self.refuse(Reason::ServiceNotEnabled, "biller");
            let known = self.biller_id.map_or(Ok(()), |_| Err(unknown()));
            return known.and_then(|()| self.source().map(|_| ()));
        };
        if !allows(&biller.currencies, Some(&amount.currency)) {
            let codes: Vec<&str> = biller.currencies.iter().map(|one| one.code()).collect();
            let detail = format!("allowed: {}", codes.join(", "));
            return Err(self.refuse_saying(Reason::CurrencyNotAllowed, "amount", detail));
        }
        if !allows(&biller.rails, Some(rail)) {
            return Err(self.refuse(Reason::ServiceNotEnabled, "rail"));
        }
        // A foreign float is not there, before anything is said of limits.
        self.source().map(|_| ())
    }
}
