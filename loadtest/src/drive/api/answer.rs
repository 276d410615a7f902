//! What the JSON API answers to a payment, in the terms of a response code.

use router::reason::{Reason, ReasonInfo, Retry};
use serde::Deserialize;

use crate::drive::record::AnswerElements;

const APPROVED: [u8; 2] = *b"00";
const IN_PROGRESS: [u8; 2] = *b"09";
const UNKNOWN: [u8; 2] = *b"68";
const SYSTEM_ERROR: [u8; 2] = *b"96";

/// An answer of the JSON API, as far as the harness reads it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// Owner of the API key, where the answer shows a payment.
    pub(super) biller: Option<String>,
    members: Members,
}

/// Members of a payment, of a problem, or of both.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Members {
    folio: String,
    state: String,
    biller: Option<String>,
    reason: ReasonMembers,
    no: String,
    code: String,
    title: String,
    detail: String,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ReasonMembers {
    no: String,
    network_code: Option<String>,
}

impl Answer {
    /// Reads an answer; a body that is not the API's has no members.
    pub(super) fn new(status: u16, body: &[u8]) -> Self {
        let mut members: Members = serde_json::from_slice(body).unwrap_or_default();
        Self { status, biller: members.biller.take(), members }
    }

    /// Code and text of a problem, after a colon; empty where there is none.
    pub(super) fn said(&self) -> String {
        let Members { code, title, detail, .. } = &self.members;
        let texts = [code, title, detail].map(String::as_str);
        let texts: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        if texts.is_empty() { String::new() } else { format!(": {}", texts.join(": ")) }
    }

    /// The answer in the terms of a response code.
    pub(super) fn heard(&self) -> AnswerElements {
        let reason = self.reason();
        AnswerElements {
            response_code: self.response_code(reason),
            folio: self.members.folio.parse().unwrap_or(0),
            reason_no: reason.and_then(|info| info.no.parse().ok()).unwrap_or(0),
            http_status: Some(self.status),
        }
    }

    fn reason(&self) -> Option<&'static ReasonInfo> {
        let Members { reason, no, .. } = &self.members;
        let no = if reason.no.is_empty() { no } else { &reason.no };
        Reason::from_no(no).map(Reason::info)
    }

    fn response_code(&self, reason: Option<&ReasonInfo>) -> [u8; 2] {
        let catalogue = reason.and_then(|info| two(info.de39?));
        match (self.status, self.members.state.as_str()) {
            (201, "approved") => APPROVED,
            (202, "unknown") => UNKNOWN,
            // Under way still: the client is to ask again.
            (202, _) => IN_PROGRESS,
            (200..300, _) => UNKNOWN,
            _ if reason.is_some_and(|info| info.retry == Retry::AskFirst) => {
                catalogue.unwrap_or(UNKNOWN)
            }
            _ => {
                let network = self.members.reason.network_code.as_deref().and_then(two);
                network.or(catalogue).unwrap_or(match self.status {
                    500.. => UNKNOWN,
                    _ => SYSTEM_ERROR,
                })
            }
        }
    }
}

fn two(code: &str) -> Option<[u8; 2]> {
    code.as_bytes().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_response_code_and_reason() {
        let check = |status, body: &str, code: &[u8; 2], reason_no| {
            let heard = Answer::new(status, body.as_bytes()).heard();
            assert_eq!((&heard.response_code, heard.reason_no), (code, reason_no), "{body}");
            assert_eq!(heard.http_status, Some(status));
        };
        check(201, r#"{"state":"approved","folio":"000000000042"}"#, b"00", 0);
        check(202, r#"{"state":"unknown","reason":{"no":"6002"}}"#, b"68", 6002);
        check(202, r#"{"state":"sent"}"#, b"09", 0);
        check(409, r#"{"no":"0009","code":"payment_in_progress"}"#, b"09", 9);
        let declined = r#"{"no":"1001","code":"insufficient_funds","state":"declined",
            "reason":{"no":"1001","network_code":"51"}}"#;
        check(402, declined, b"51", 1001);
        check(503, r#"{"no":"6001","code":"issuer_unavailable"}"#, b"91", 6001);
        check(401, r#"{"no":"5001"}"#, b"63", 5001);
        check(502, "<html>", b"68", 0);
        check(404, "", b"96", 0);
    }

    #[test]
    fn the_folio_of_a_payment_is_read() {
        let answer = Answer::new(201, br#"{"state":"approved","folio":"000000000042"}"#);
        assert_eq!(answer.heard().folio, 42);
    }

    #[test]
    fn a_problem_is_told_in_its_own_words() {
        let body = br#"{"code":"operator_unauthorised","title":"User not authorised"}"#;
        let said = Answer::new(401, body).said();
        assert_eq!(said, ": operator_unauthorised: User not authorised");
        assert_eq!(Answer::new(401, b"").said(), "");
    }
}
