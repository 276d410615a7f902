//! Errors of the API (RFC 9457, `application/problem+json`).

use router::id::{Folio, PaymentId};
use router::reason::{Language, Reason};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AmountView, FieldError, Shown, schema};

/// An error as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Problem {
    /// `urn:cauce:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(format = "uri", pattern = "^urn:cauce:problem:")]
    pub kind: String,
    /// In the language of Accept-Language: es, ro, it, en, pt.
    pub title: &'static str,
    /// As the HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// The catalogue's code.
    #[schema(schema_with = schema::problem_code)]
    pub code: &'static str,
    /// The catalogue's number, as in DE44 of ISO 8583 answers.
    #[schema(pattern = "^[0-9]{4}$")]
    pub no: &'static str,
    /// What people need beyond the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The field of the request to mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What may be paid of the bill now, where the amount does not fit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payable_now: Option<AmountView>,
    /// The payment meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^pay_")]
    pub payment: Option<Shown<PaymentId>>,
    /// Its number for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{12}$")]
    pub folio: Option<Shown<Folio>>,
}

impl Problem {
    /// What its `Content-Type` says.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// The problem of a reason, with the status the catalogue gives it.
    pub fn new(reason: Reason, language: Language) -> Self {
        let info = reason.info();
        Self {
            kind: format!("urn:cauce:problem:{}", info.code),
            title: info.text(language),
            status: info.http,
            code: info.code,
            no: info.no,
            detail: None,
            field: None,
            payable_now: None,
            payment: None,
            folio: None,
        }
    }

    /// The problem of a body that makes no sense.
    pub fn of_field(error: FieldError, language: Language) -> Self {
        let FieldError { field, reason, detail } = error;
        let field = Some(field).filter(|field| !field.is_empty());
        Self { field, ..Self::new(reason, language).with_detail(detail) }
    }

    /// With a detail for people.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// With the field to mend.
    #[must_use]
    pub fn with_field(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// With the payment meant.
    #[must_use]
    pub fn with_payment(self, id: PaymentId, folio: Folio) -> Self {
        Self { payment: Some(Shown(id)), folio: Some(Shown(folio)), ..self }
    }

    /// Its JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("invariant: texts and numbers serialise")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_what_rfc_9457_and_the_catalogue_say() {
        let error = FieldError::new("payer.doc", Reason::PayerIdInvalid, "must be V and digits");
        let json = Problem::of_field(error, Language::Es).to_json();
        assert_eq!(
            String::from_utf8(json).expect("text"),
            "{\"type\":\"urn:cauce:problem:payer_id_invalid\",\"title\":\"Documento no válido\",\
             \"status\":422,\"code\":\"payer_id_invalid\",\"no\":\"1008\",\
             \"detail\":\"must be V and digits\",\"field\":\"payer.doc\"}"
        );
    }
}
