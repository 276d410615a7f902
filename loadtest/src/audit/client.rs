//! What the client asked and heard, in memory and as `answers.jsonl`.

use std::io::{self, BufRead, Write};

use router::id::BillerId;
use router::message::api_key_of;
use router::payment::OutcomeKind;
use router::text::Text;
use serde::{Deserialize, Serialize};

use super::AuditError;
use crate::drive::api::idempotency_key;
use crate::drive::record::{ClientAnswer, Ending, Meaning};
use crate::drive::{DriveSettings, Entrance, Run};

/// One request of the client, as it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientClaim {
    /// Number of the payment in the run.
    pub index: u64,
    /// Reference the client gave it (DE37 of the request); over HTTP the digest of its idempotency
    /// key, as the journal's export shows it.
    pub rrn: String,
    /// STAN; empty over HTTP.
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

impl ClientClaim {
    /// What the client was told; none when it heard nothing, or that the payment is under way.
    pub fn told(&self) -> Option<OutcomeKind> {
        let code = self.response_code.as_ref()?.as_bytes().try_into().ok()?;
        if code == IN_PROGRESS {
            return None;
        }
        Some(match Meaning::of(code) {
            Meaning::Approved => OutcomeKind::Approved,
            Meaning::Declined => OutcomeKind::Declined,
            Meaning::Unknown => OutcomeKind::Unknown,
        })
    }
}

/// DE39 of a payment that is under way.
const IN_PROGRESS: [u8; 2] = *b"09";

/// The claims of a run that kept its answers.
pub fn claims(run: &Run, settings: &DriveSettings) -> Vec<ClientClaim> {
    let key = RequestKey::new(run, settings);
    let claim = |answer: &ClientAnswer| {
        let index = u64::from(answer.index);
        let is_answered = answer.ending == Ending::Answered;
        let code = String::from_utf8_lossy(&answer.response_code).into_owned();
        let (rrn, stan) = key.of(run, answer);
        ClientClaim {
            index,
            rrn,
            stan,
            amount_minor: settings.workload.amount(index).minor,
            ending: answer.ending,
            folio: (answer.folio > 0).then(|| format!("{:012}", answer.folio)),
            response_code: is_answered.then_some(code),
            reason_no: (answer.reason_no > 0).then(|| format!("{:04}", answer.reason_no)),
        }
    };
    run.answers().iter().map(claim).collect()
}

/// The key by which the journal knows the requests of a run.
enum RequestKey {
    /// Reference and STAN.
    Trace,
    /// The idempotency key of this biller.
    Key(BillerId),
}

impl RequestKey {
    fn new(run: &Run, settings: &DriveSettings) -> Self {
        let biller = run.biller.as_deref().or(settings.workload.biller.as_deref());
        match settings.entrance {
            Entrance::Iso8583 { .. } => Self::Trace,
            Entrance::Http { .. } => {
                let biller = biller.and_then(|biller| BillerId::new(biller).ok());
                Self::Key(biller.unwrap_or(BillerId(Text::EMPTY)))
            }
        }
    }

    /// Reference and STAN of a request.
    fn of(&self, run: &Run, answer: &ClientAnswer) -> (String, String) {
        let index = u64::from(answer.index);
        match self {
            Self::Trace => (format!("{:012}", run.rrn(index)), format!("{:06}", answer.stan)),
            Self::Key(biller) => {
                let key = idempotency_key(run.run_id, index);
                (format!("{:032x}", api_key_of(biller, &key).0), String::new())
            }
        }
    }
}

/// Writes claims, one JSON object a line.
///
/// Errors: what the writer says.
pub fn write(claims: &[ClientClaim], mut out: impl Write) -> io::Result<()> {
    for claim in claims {
        serde_json::to_writer(&mut out, claim)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Reads what [`write()`] wrote.
///
/// Errors: [`AuditError`] with the line that cannot be read.
pub fn read(lines: impl BufRead) -> Result<Vec<ClientClaim>, AuditError> {
    super::json_lines(lines, "answers")
}
