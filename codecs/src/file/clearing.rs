//! One payment of a clearing file: what was collected, what it cost, what is paid out.
//!
//! The type is plain on purpose: a camt.054 notification fills and reads the same entries.

use router::money::Money;
use router::time::Timestamp;

use super::record::{Fault, FieldKind, FieldSpec, Record, Values, optional, present, required};
use super::{RowErrorKind, Value};

/// One payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearingEntry {
    /// Our receipt's number.
    pub folio: String,
    /// The bill that was paid.
    pub bill_no: Option<String>,
    /// The client it was for.
    pub client_id: Option<String>,
    /// What was collected; negative for a reversal.
    pub amount: Money,
    /// What is kept.
    pub fee: Money,
    /// What is paid out: amount less fee.
    pub net: Money,
    /// When it was approved.
    pub paid_at: Timestamp,
    /// The rail: `p2c`, `card` and so on.
    pub rail: Option<String>,
    /// The bank's reference, or the end-to-end identification.
    pub reference: Option<String>,
    /// The authorisation code.
    pub authorisation: Option<String>,
}

const ID: FieldKind = FieldKind::Text { longest: 40 };

impl Record for ClearingEntry {
    const CONTENT: &'static str = "clearing";
    const FIELDS: &'static [FieldSpec] = &[
        required("folio", ID),
        optional("bill_no", ID),
        optional("client_id", ID),
        optional("currency", FieldKind::Currency),
        required("amount", FieldKind::SignedAmount),
        optional("fee", FieldKind::SignedAmount),
        optional("net", FieldKind::SignedAmount),
        required("paid_at", FieldKind::Instant),
        optional("rail", ID),
        optional("reference", ID),
        optional("authorisation", ID),
    ];

    /// A fee left out is zero, a net amount left out is the difference.
    fn from_values(values: &Values) -> Result<Self, Fault> {
        let zero = Money::zero(values.currency);
        let amount = values.money("amount").unwrap_or(zero);
        let fee = values.money("fee").unwrap_or(zero);
        let rule = "is the amount less the fee";
        let fault = Fault { field: "net", kind: RowErrorKind::Conflict, rule };
        let difference = amount.checked_sub(fee).map_err(|_| fault)?;
        let net = values.money("net").unwrap_or(difference);
        if net != difference {
            return Err(fault);
        }
        Ok(Self {
            folio: values.required_text("folio"),
            bill_no: values.text("bill_no"),
            client_id: values.text("client_id"),
            amount,
            fee,
            net,
            paid_at: values.instant("paid_at").unwrap_or(Timestamp(0)),
            rail: values.text("rail"),
            reference: values.text("reference"),
            authorisation: values.text("authorisation"),
        })
    }

    fn to_values(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &Option<String>| text.clone().map(Value::Text);
        present([
            ("folio", Some(Value::Text(self.folio.clone()))),
            ("bill_no", text(&self.bill_no)),
            ("client_id", text(&self.client_id)),
            ("currency", Some(Value::Text(self.amount.currency.code().to_owned()))),
            ("amount", Some(Value::Money(self.amount))),
            ("fee", Some(Value::Money(self.fee))),
            ("net", Some(Value::Money(self.net))),
            ("paid_at", Some(Value::Instant(self.paid_at))),
            ("rail", text(&self.rail)),
            ("reference", text(&self.reference)),
            ("authorisation", text(&self.authorisation)),
        ])
    }

    fn amount(&self) -> Money {
        self.amount
    }
}
