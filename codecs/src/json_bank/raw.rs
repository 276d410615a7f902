//! A dialect as it stands in its file.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDialect {
    pub name: String,
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// Headers of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What holds of every answer that does not say otherwise.
    #[serde(default)]
    pub answer: RawAnswer,
    pub start: RawOperation,
    pub confirm: Option<RawOperation>,
    pub inquire: Option<RawOperation>,
    pub reverse: Option<RawOperation>,
    pub refund: Option<RawOperation>,
    pub notification: Option<RawNotification>,
}

/// One operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOperation {
    pub method: Option<String>,
    pub path: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: Option<toml::Value>,
    #[serde(default)]
    pub on: BTreeMap<String, String>,
    #[serde(default)]
    pub answer: RawAnswer,
}

/// What the bank sends by itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNotification {
    /// Where our reference of the payment stands.
    pub attempt: String,
    #[serde(default)]
    pub answer: RawAnswer,
}

/// Where an answer has what. Pointers, but for the tables.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAnswer {
    pub state: Option<String>,
    pub states: Option<BTreeMap<String, String>>,
    pub code: Option<String>,
    pub codes: Option<BTreeMap<String, String>>,
    pub authorisation: Option<String>,
    pub reference: Option<String>,
    pub amount_minor: Option<String>,
    pub amount_decimal: Option<String>,
    pub currency: Option<String>,
    pub currency_number: Option<String>,
    /// Pointer to what stands there, as a text with placeholders.
    pub echo: Option<BTreeMap<String, String>>,
    pub redirect: Option<String>,
    pub until: Option<String>,
    pub until_form: Option<String>,
}

impl RawAnswer {
    /// What it says, and of the rest what holds of every answer.
    pub fn over(self, all: &Self) -> Self {
        let all = all.clone();
        let has_amount = self.amount_minor.is_some() || self.amount_decimal.is_some();
        let has_currency = self.currency.is_some() || self.currency_number.is_some();
        let amount = |of_all: Option<String>| of_all.filter(|_| !has_amount);
        let currency = |of_all: Option<String>| of_all.filter(|_| !has_currency);
        Self {
            state: self.state.or(all.state),
            states: self.states.or(all.states),
            code: self.code.or(all.code),
            codes: self.codes.or(all.codes),
            authorisation: self.authorisation.or(all.authorisation),
            reference: self.reference.or(all.reference),
            amount_minor: self.amount_minor.or(amount(all.amount_minor)),
            amount_decimal: self.amount_decimal.or(amount(all.amount_decimal)),
            currency: self.currency.or(currency(all.currency)),
            currency_number: self.currency_number.or(currency(all.currency_number)),
            echo: self.echo.or(all.echo),
            redirect: self.redirect.or(all.redirect),
            until: self.until.or(all.until),
            until_form: self.until_form.or(all.until_form),
        }
    }
}
