//! What the placeholders of one request stand for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use router::message::{Acceptor, Payer};
use router::money::Money;
use router::secret::{CardNumber, Secret};
use router::time::Timestamp;

use super::placeholder::Placeholder;
use crate::decimal;

/// The values of one request to a bank.
#[derive(Debug, Clone)]
pub struct BankValues<'a> {
    /// The payment's id.
    pub payment: &'a str,
    /// Our reference of the attempt, which later requests about it name too.
    pub attempt: &'a str,
    /// An id of this very request; its repeats have the same.
    pub request: &'a str,
    /// The payment's folio.
    pub folio: Option<&'a str>,
    /// What this request debits, or gives back.
    pub amount: Money,
    /// What the payer pays for the whole payment.
    pub paid: Money,
    /// What is to stand behind a reversal; none in other requests.
    pub stands: Option<Money>,
    /// How money is moved.
    pub rail: &'a str,
    /// The merchant's id.
    pub biller: Option<&'a str>,
    /// Number of the bill that is paid.
    pub bill: Option<&'a str>,
    /// The merchant's number of the payer.
    pub client: Option<&'a str>,
    /// The merchant's own reference.
    pub reference: Option<&'a str>,
    /// Who takes the payment; what is not known is empty.
    pub acceptor: Acceptor,
    /// Who pays.
    pub payer: &'a Payer,
    /// What authenticates the payer.
    pub one_time_key: Option<&'a Secret>,
    /// The participant's own reference of the payment.
    pub bank_reference: Option<&'a str>,
    /// The participant's authorisation of the payment.
    pub authorisation: Option<&'a str>,
    /// When the request is made.
    pub now: Timestamp,
    /// Constants of the participant's entry; each wins over the dialect's of its name.
    pub constants: &'a BTreeMap<String, String>,
}

/// A value that the dialect needs and this payment does not have: the participant cannot carry it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payment has no `{0}`, which the participant's dialect needs")]
pub struct MissingValue(pub Placeholder);

impl BankValues<'_> {
    /// What a placeholder stands for; none where this request has no such value.
    pub(super) fn of(
        &self,
        placeholder: &Placeholder,
        constants: &BTreeMap<String, String>,
    ) -> Option<Cow<'_, str>> {
        let text = |text: Option<&str>| text.map(|text| Cow::Owned(text.to_owned()));
        let kept = |kept: &str| (!kept.is_empty()).then(|| Cow::Owned(kept.to_owned()));
        match placeholder {
            Placeholder::Payment => Some(self.payment.into()),
            Placeholder::Attempt => Some(self.attempt.into()),
            Placeholder::Request => Some(self.request.into()),
            Placeholder::Folio => text(self.folio),
            Placeholder::AmountMinor => Some(self.amount.minor.to_string().into()),
            Placeholder::AmountDecimal => Some(decimal_of(self.amount).into()),
            Placeholder::PaidMinor => Some(self.paid.minor.to_string().into()),
            Placeholder::PaidDecimal => Some(decimal_of(self.paid).into()),
            Placeholder::StandsMinor => self.stands.map(|it| it.minor.to_string().into()),
            Placeholder::StandsDecimal => self.stands.map(|it| decimal_of(it).into()),
            Placeholder::Currency => Some(self.amount.currency.code().into()),
            Placeholder::CurrencyNumber => {
                Some(format!("{:03}", self.amount.currency.numeric()).into())
            }
            Placeholder::Rail => kept(self.rail),
            Placeholder::Biller => text(self.biller),
            Placeholder::Bill => text(self.bill),
            Placeholder::Client => text(self.client),
            Placeholder::Reference => text(self.reference),
            Placeholder::AcceptorCategory => kept(self.acceptor.category.as_str()),
            Placeholder::AcceptorTerminal => kept(self.acceptor.terminal.as_str()),
            Placeholder::AcceptorId => kept(self.acceptor.id.as_str()),
            Placeholder::AcceptorPlace => kept(self.acceptor.place.as_str()),
            Placeholder::Card => card(self.payer),
            Placeholder::Expiry => text(self.payer.expiry.as_ref().map(|it| it.as_str())),
            Placeholder::Account => text(self.payer.account.as_ref().map(|it| it.as_str())),
            Placeholder::Phone => text(self.payer.phone.as_ref().map(|it| it.as_str())),
            Placeholder::Document => text(self.payer.document.as_ref().map(|it| it.as_str())),
            Placeholder::Bank => text(self.payer.bank_code.as_ref().map(|it| it.as_str())),
            Placeholder::OneTimeKey => self
                .one_time_key
                .and_then(|key| std::str::from_utf8(key.expose()).ok())
                .map(Into::into),
            Placeholder::BankReference => text(self.bank_reference),
            Placeholder::Authorisation => text(self.authorisation),
            Placeholder::Time(form) => Some(form.write(self.now).into()),
            Placeholder::Constant(name) => {
                let value = self.constants.get(name).or_else(|| constants.get(name));
                text(value.map(String::as_str))
            }
        }
    }
}

impl BankValues<'_> {
    /// What a placeholder stands for.
    ///
    /// Errors: [`MissingValue`].
    pub(super) fn need(
        &self,
        placeholder: &Placeholder,
        constants: &BTreeMap<String, String>,
    ) -> Result<Cow<'_, str>, MissingValue> {
        self.of(placeholder, constants).ok_or_else(|| MissingValue(placeholder.clone()))
    }
}

/// An amount in major units.
pub(super) fn decimal_of(amount: Money) -> String {
    decimal::write(amount.minor, '.', amount.currency.exponent())
}

fn card(payer: &Payer) -> Option<Cow<'_, str>> {
    match payer.card.as_ref()? {
        CardNumber::Clear(pan) => std::str::from_utf8(pan.expose_for_wire()).ok().map(Into::into),
        // Opened by nobody on this road.
        CardNumber::Sealed(_) => None,
    }
}
