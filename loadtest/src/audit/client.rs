//! What the client asked and heard, in memory and as `answers.jsonl`.

use std::io::{self, BufRead, Write};

use router::payment::OutcomeKind;
use serde::{Deserialize, Serialize};

use super::AuditError;
use crate::drive::Run;
use crate::drive::record::{Ending, Meaning};
use crate::workload::Workload;

/// One request of the client, as it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Number of the payment in the run.
    pub index: u64,
    /// Reference the client gave it (DE37 of the request).
    pub rrn: String,
    /// STAN.
    pub stan: String,
    /// Minor units asked for.
    pub amount_minor: i64,
    /// How it ended.
    pub ending: Ending,
    /// Folio of the answer; none without one.
    pub folio: Option<String>,
    /// Response code of the answer (DE39).
    pub response_code: Option<String>,
    /// Catalogue number of the reason (DE44), where the answer gave one.
    pub reason_no: Option<String>,
}

impl Claim {
    /// What the client was told; none when it heard nothing.
    pub fn told(&self) -> Option<OutcomeKind> {
        let code = self.response_code.as_ref()?.as_bytes().try_into().ok()?;
        Some(match Meaning::of(code) {
            Meaning::Approved => OutcomeKind::Approved,
            Meaning::Declined => OutcomeKind::Declined,
            Meaning::Unknown => OutcomeKind::Unknown,
        })
    }
}

/// The claims of a run that kept its answers.
pub fn claims(run: &Run, workload: &Workload) -> Vec<Claim> {
    let claim = |answer: &crate::drive::record::ClientAnswer| {
        let index = u64::from(answer.index);
        let is_answered = answer.ending == Ending::Answered;
        let code = String::from_utf8_lossy(&answer.response_code).into_owned();
        Claim {
            index,
            rrn: format!("{:012}", run.rrn(index)),
            stan: format!("{:06}", answer.stan),
            amount_minor: workload.amount(index).minor,
            ending: answer.ending,
            folio: (answer.folio > 0).then(|| format!("{:012}", answer.folio)),
            response_code: is_answered.then_some(code),
            reason_no: (answer.reason_no > 0).then(|| format!("{:04}", answer.reason_no)),
        }
    };
    run.answers().iter().map(claim).collect()
}

/// Writes claims, one JSON object a line.
///
/// Errors: what the writer says.
pub fn write(claims: &[Claim], mut out: impl Write) -> io::Result<()> {
    for claim in claims {
        serde_json::to_writer(&mut out, claim)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Reads what [`write()`] wrote.
///
/// Errors: [`AuditError`] with the line that cannot be read.
pub fn read(lines: impl BufRead) -> Result<Vec<Claim>, AuditError> {
    super::json_lines(lines, "answers")
}
