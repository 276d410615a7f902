//! The named values that a template can hold: `{amount.decimal}`, `{payer.phone?}`.

use std::fmt;
use std::str::FromStr;

use super::dialect::Operation;
use super::instant::InstantForm;

/// A value of a payment, of one request about it, or of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// `payment`: the payment's id.
    Payment,
    /// `attempt`: our reference of the request that started the payment at this participant.
    Attempt,
    /// `request`: an id of this very request, the same in its repeats.
    Request,
    /// `folio`: the payment's folio.
    Folio,
    /// `amount.minor`: what this request debits or gives back, the payer's fees on top included, in
    /// minor units.
    AmountMinor,
    /// `amount.decimal`: the same in major units with all decimals of the currency.
    AmountDecimal,
    /// `paid.minor`: what the payer pays for the whole payment, in minor units.
    PaidMinor,
    /// `paid.decimal`: the same in major units.
    PaidDecimal,
    /// `stands.minor`: what is to stand of the payment behind a reversal, in minor units; 0 where all of
    /// it is undone.
    StandsMinor,
    /// `stands.decimal`: the same in major units.
    StandsDecimal,
    /// `currency`: ISO 4217 letters.
    Currency,
    /// `currency.number`: ISO 4217 number, three digits.
    CurrencyNumber,
    /// `rail`: how money is moved, e.g. `c2p`.
    Rail,
    /// `biller`: the merchant's id.
    Biller,
    /// `bill`: number of the bill that is paid.
    Bill,
    /// `client`: the merchant's number of the payer.
    Client,
    /// `reference`: the merchant's own reference of the payment.
    Reference,
    /// `acceptor.category`: category of who takes the payment (DE18), four digits.
    AcceptorCategory,
    /// `acceptor.terminal`: where it is taken (DE41).
    AcceptorTerminal,
    /// `acceptor.id`: number of who takes it (DE42).
    AcceptorId,
    /// `acceptor.place`: name and place of who takes it (DE43).
    AcceptorPlace,
    /// `payer.card`: the card number; in a body alone.
    Card,
    /// `payer.expiry`: the card's expiry, YYMM.
    Expiry,
    /// `payer.account`: account number or IBAN.
    Account,
    /// `payer.phone`: telephone, E.164 digits.
    Phone,
    /// `payer.document`: identity document.
    Document,
    /// `payer.bank`: the payer's bank.
    Bank,
    /// `one_time_key`: what the payer got from the bank; in a body alone.
    OneTimeKey,
    /// `bank_reference`: the participant's own reference of the payment.
    BankReference,
    /// `authorisation`: the participant's authorisation of the payment.
    Authorisation,
    /// `time`, `time.unix`, `time.unix_ms`, `time:PATTERN`: when the request is made, UTC.
    Time(InstantForm),
    /// `constant.NAME`: a text of the dialect or of the participant's entry.
    Constant(String),
}

/// A name that no value has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no value `{0}`")]
pub struct NoPlaceholder(String);

/// The names without a part of their own behind them.
const NAMES: [(&str, Placeholder); 29] = [
    ("payment", Placeholder::Payment),
    ("attempt", Placeholder::Attempt),
    ("request", Placeholder::Request),
    ("folio", Placeholder::Folio),
    ("amount.minor", Placeholder::AmountMinor),
    ("amount.decimal", Placeholder::AmountDecimal),
    ("paid.minor", Placeholder::PaidMinor),
    ("paid.decimal", Placeholder::PaidDecimal),
    ("stands.minor", Placeholder::StandsMinor),
    ("stands.decimal", Placeholder::StandsDecimal),
    ("currency", Placeholder::Currency),
    ("currency.number", Placeholder::CurrencyNumber),
    ("rail", Placeholder::Rail),
    ("biller", Placeholder::Biller),
    ("bill", Placeholder::Bill),
    ("client", Placeholder::Client),
    ("reference", Placeholder::Reference),
    ("acceptor.category", Placeholder::AcceptorCategory),
    ("acceptor.terminal", Placeholder::AcceptorTerminal),
    ("acceptor.id", Placeholder::AcceptorId),
    ("acceptor.place", Placeholder::AcceptorPlace),
    ("payer.card", Placeholder::Card),
    ("payer.expiry", Placeholder::Expiry),
    ("payer.account", Placeholder::Account),
    ("payer.phone", Placeholder::Phone),
    ("payer.document", Placeholder::Document),
    ("payer.bank", Placeholder::Bank),
    ("one_time_key", Placeholder::OneTimeKey),
    ("bank_reference", Placeholder::BankReference),
];

impl FromStr for Placeholder {
    type Err = NoPlaceholder;

    fn from_str(name: &str) -> Result<Self, NoPlaceholder> {
        if let Some((_, found)) = NAMES.iter().find(|(own, _)| *own == name) {
            return Ok(found.clone());
        }
        let found = match name {
            "authorisation" => Some(Self::Authorisation),
            name => match name.strip_prefix("constant.") {
                Some(constant) if !constant.is_empty() => Some(Self::Constant(constant.to_owned())),
                Some(_) => None,
                None => name.strip_prefix("time").and_then(InstantForm::of_time).map(Self::Time),
            },
        };
        found.ok_or_else(|| NoPlaceholder(name.to_owned()))
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(name) => write!(f, "constant.{name}"),
            Self::Time(_) => f.write_str("time"),
            Self::Authorisation => f.write_str("authorisation"),
            named => {
                let name = NAMES.iter().find(|(_, placeholder)| placeholder == named);
                f.write_str(name.map_or("", |(name, _)| name))
            }
        }
    }
}

impl Placeholder {
    /// Whether it may stand in a body alone: addresses and headers are logged by servers and
    /// proxies on the way.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Card | Self::OneTimeKey)
    }

    /// Whether it always is a whole or decimal number, so that `{…:number}` may stand for it.
    pub(super) fn is_number(&self) -> bool {
        if let Self::Time(form) = self {
            return form.is_number();
        }
        let is_amount = matches!(self, Self::AmountMinor | Self::AmountDecimal);
        let is_paid = matches!(self, Self::PaidMinor | Self::PaidDecimal);
        is_amount || is_paid || self.says_what_stands()
    }

    /// Whether a request of this operation can have it. A card number is sealed once it was stored.
    pub(super) fn is_known_to(&self, operation: Operation) -> bool {
        let is_of_start = matches!(self, Self::Card | Self::Expiry);
        let is_of_later = matches!(self, Self::BankReference | Self::Authorisation);
        let is_of_payer = *self == Self::OneTimeKey;
        match operation {
            Operation::Start => !is_of_later && !self.says_what_stands(),
            Operation::Confirm => !is_of_start && !self.says_what_stands(),
            Operation::Reverse => !is_of_start && !is_of_payer,
            Operation::Inquire | Operation::Refund => {
                !is_of_start && !is_of_payer && !self.says_what_stands()
            }
        }
    }

    /// Whether it is what stands behind a reversal, so that a part can be reversed.
    pub(super) fn says_what_stands(&self) -> bool {
        matches!(self, Self::StandsMinor | Self::StandsDecimal)
    }
}
