//! What the answers other than approvals said, and how often.

use router::reason::{Language, Reason};
use serde::{Deserialize, Serialize};

use super::units::grouped;
use crate::drive::record::{AnswerKind, Meaning, Recorder};

/// Answers of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnswerCount {
    /// `declined` or `unknown`.
    pub meaning: String,
    /// HTTP status; none of an ISO 8583 line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// DE39; over HTTP what the catalogue has for the reason.
    pub response_code: String,
    /// Number of the reason in the decline catalogue, four digits; none where the answer had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_no: Option<String>,
    /// Code of the reason, e.g. `insufficient_funds`.
    pub reason: String,
    /// The catalogue's text of it, in English.
    pub text: String,
    /// How many.
    pub count: u64,
}

impl AnswerCount {
    fn new(kind: AnswerKind, count: u64) -> Self {
        let by_no = Reason::from_no(&format!("{:04}", kind.reason_no));
        let reason = match by_no.filter(|_| kind.reason_no > 0) {
            Some(reason) => reason,
            None => Reason::from_response_code(kind.response_code),
        };
        let meaning = match Meaning::of(kind.response_code) {
            Meaning::Approved => "approved",
            Meaning::Declined => "declined",
            Meaning::Unknown => "unknown",
        };
        Self {
            meaning: meaning.to_owned(),
            http_status: kind.http_status,
            response_code: kind.response_code.escape_ascii().to_string(),
            reason_no: (kind.reason_no > 0).then(|| format!("{:04}", kind.reason_no)),
            reason: reason.info().code.to_owned(),
            text: reason.info().text(Language::En).to_owned(),
            count,
        }
    }

    /// The codes, without count and text: `DE39 51, 1001 insufficient_funds`.
    pub fn codes(&self) -> String {
        let no = self.reason_no.as_ref().map_or(String::new(), |no| format!("{no} "));
        match self.http_status {
            Some(status) => format!("HTTP {status}, {no}{}", self.reason),
            None => format!("DE39 {}, {no}{}", self.response_code, self.reason),
        }
    }
}

impl std::fmt::Display for AnswerCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>9}  {}: {}", grouped(self.count), self.codes(), self.text)
    }
}

/// The answers of a run that are no approvals, the most frequent first.
pub(super) fn counted(recorder: &Recorder) -> Vec<AnswerCount> {
    let counted = recorder.others.iter().map(|(kind, count)| AnswerCount::new(*kind, *count));
    let mut answers: Vec<AnswerCount> = counted.collect();
    answers.sort_by(|one, other| {
        other.count.cmp(&one.count).then_with(|| one.codes().cmp(&other.codes()))
    });
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_named_by_its_codes_and_its_text() {
        let check = |kind: AnswerKind, expect: &str| {
            assert_eq!(AnswerCount::new(kind, 1_234).to_string(), expect);
        };
        let kind = AnswerKind { http_status: None, response_code: *b"51", reason_no: 1001 };
        check(kind, "    1,234  DE39 51, 1001 insufficient_funds: Insufficient funds");
        let kind = AnswerKind { http_status: None, response_code: *b"51", reason_no: 0 };
        check(kind, "    1,234  DE39 51, insufficient_funds: Insufficient funds");
        let kind = AnswerKind { http_status: Some(202), response_code: *b"68", reason_no: 6002 };
        check(kind, "    1,234  HTTP 202, 6002 outcome_unknown: No answer yet; we are checking");
    }
}
