//! The switch's journal as its export shows it: one JSON object a record, in journal order.
//!
//! This is the shape `cauce journal export --format json` writes. A field that does not belong to
//! a kind of record is left out or null; fields beyond these are passed over.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

use router::payment::PaymentState;
use serde::{Deserialize, Serialize};

use super::AuditError;

/// One exported record.
///
/// | kind | has, beyond `sequence`, `kind`, `at` |
/// |---|---|
/// | `intent` | `payment`, `folio`, `originator`, `rail`, `stan`, `transmitted_at`, `terminal`, `rrn`, `key`, `amount`, `biller`, `participant`, `participant_stan` |
/// | `refused` | the same without `participant`, `participant_stan`; `outcome` of state `declined` |
/// | `rerouted` | `payment`, `participant`, `participant_stan` |
/// | `outcome` | `payment`, `outcome`, `entry` with an approval |
/// | `late_answer` | `payment`, `outcome` |
/// | `reversal` | `payment`, `step` (`owed`, `confirmed`, `part_owed`, `part_confirmed`), `cause` with `owed`, `entry` with what takes an approval back |
/// | `awaiting`, `confirming`, `expired` | `payment` |
/// | `inquiry` | `payment`, `finding`, `outcome` where it found one |
/// | `refund` | `payment`, `step` (`begun`, `done`, `failed`), `refund_minor`, `entry` with what is given back |
/// | `event` | of an endpoint: `endpoint`, `biller`, `url` (null once deleted), `types` |
/// | `account` | `entry` |
/// | `notice_mark` | nothing the audit reads |
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    /// Position of the record.
    pub sequence: u64,
    /// `router::record::Record::kind`.
    pub kind: String,
    /// When, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The payment, `pay_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// Its folio, 12 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folio: Option<String>,
    /// Participant or biller that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<String>,
    /// Name of the rail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rail: Option<String>,
    /// The originator's STAN (DE11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stan: Option<String>,
    /// The originator's transmission time (DE7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transmitted_at: Option<String>,
    /// The originator's terminal (DE41).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// The originator's reference (DE37 of the request); empty where it gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// Digest of the originator's idempotency key, 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// The biller paid, or whose endpoint it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub biller: Option<String>,
    /// The endpoint that an event is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The participant the request is sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// STAN given to the request sent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant_stan: Option<String>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<JournalOutcome>,
    /// Step of undoing: `owed` or `confirmed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Why it is undone: `asked`, or the name of the cause of an unknown outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What stands after a partial reversal, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stands_minor: Option<i64>,
    /// What a refund gives back, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_minor: Option<i64>,
    /// What the record posts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entry: Vec<JournalPosting>,
    /// Where notices go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Types of notices wanted; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
}

/// An amount, as everywhere in the outside contract.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// ISO 4217 code.
    pub currency: String,
    /// Minor units.
    pub minor: i64,
}

/// One line of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPosting {
    /// The account, `kind:owner`.
    pub account: String,
    /// `debit` or `credit`.
    pub side: String,
    /// How much.
    pub amount: Amount,
}

/// An outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalOutcome {
    /// `approved`, `declined` or `unknown`.
    pub state: String,
    /// Code of the reason of a decline, or name of the cause of an unknown outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Authorisation of an approval (DE38).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<String>,
}

/// One payment, folded from its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPayment {
    /// `pay_…`.
    pub id: String,
    /// 12 digits.
    pub folio: String,
    /// Position of its first record.
    pub first_sequence: u64,
    /// When it began, RFC 3339; empty where the export does not say.
    pub at: String,
    /// Where it stands.
    pub state: PaymentState,
    /// The originator's reference (DE37); where it gave none, as over the JSON API, the digest of its
    /// idempotency key.
    pub rrn: String,
    /// What was asked.
    pub amount: Amount,
    /// The biller paid.
    pub biller: Option<String>,
    /// The participant last asked; none when nothing was sent.
    pub participant: Option<String>,
    /// Whether an inquiry found its outcome.
    pub was_inquired: bool,
    /// What stands of it and is not refunded, in minor units.
    pub stands_minor: i64,
    /// Refunds that have no end yet.
    pub refunds_pending: u32,
}

/// The journal, folded.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// Payments in the order they began.
    pub payments: Vec<JournalPayment>,
    /// By biller: position from which its endpoint hears of every event.
    pub endpoints: HashMap<String, u64>,
    /// Records that cannot follow what came before, or whose entry does not balance, in words.
    pub illegal: Vec<String>,
    /// When its first record was written, RFC 3339; none where no record says so.
    pub begins_at: Option<String>,
    by_id: HashMap<String, usize>,
}

impl Journal {
    /// Reads an export.
    ///
    /// Errors: [`AuditError`] with the line that cannot be read.
    pub fn read(lines: impl BufRead) -> Result<Self, AuditError> {
        let mut journal = Self::default();
        for (number, line) in (1..).zip(lines.lines()) {
            let line = line.map_err(AuditError::Io)?;
            if line.trim().is_empty() {
                continue;
            }
            let record: JournalLine = serde_json::from_str(&line)
                .map_err(|source| AuditError::Line { what: "journal", number, source })?;
            journal.take(record);
        }
        Ok(journal)
    }

    /// Takes the next record.
    pub fn take(&mut self, line: JournalLine) {
        if self.begins_at.is_none() {
            self.begins_at.clone_from(&line.at);
        }
        self.illegal.extend(unbalanced(&line));
        match line.kind.as_str() {
            "intent" => self.begin(line, PaymentState::Sent),
            "refused" => self.begin(line, PaymentState::Declined),
            "rerouted" | "outcome" | "reversal" | "late_answer" | "awaiting" | "confirming"
            | "expired" | "inquiry" | "refund" => self.step(&line),
            "event" if line.endpoint.is_some() => self.endpoint(line),
            _ => {}
        }
    }

    /// The payment of an id.
    pub fn payment(&self, id: &str) -> Option<&JournalPayment> {
        self.by_id.get(id).and_then(|at| self.payments.get(*at))
    }

    fn begin(&mut self, line: JournalLine, state: PaymentState) {
        let id = line.payment.unwrap_or_default();
        let at = self.payments.len();
        let stands_minor = line.amount.as_ref().map_or(0, |amount| amount.minor);
        if self.by_id.insert(id.clone(), at).is_some() {
            self.illegal.push(format!("record {}: {id} begins a second time", line.sequence));
        }
        self.payments.push(JournalPayment {
            id,
            folio: line.folio.unwrap_or_default(),
            first_sequence: line.sequence,
            at: line.at.unwrap_or_default(),
            state,
            rrn: line.rrn.filter(|rrn| !rrn.is_empty()).or(line.key).unwrap_or_default(),
            amount: line.amount.unwrap_or_default(),
            biller: line.biller,
            participant: line.participant,
            was_inquired: false,
            stands_minor,
            refunds_pending: 0,
        });
    }

    fn step(&mut self, line: &JournalLine) {
        let id = line.payment.as_deref().unwrap_or_default();
        let payment = self.by_id.get(id).copied().and_then(|at| self.payments.get_mut(at));
        let Some(payment) = payment else {
            self.illegal.push(format!("record {}: {id} has no beginning", line.sequence));
            return;
        };
        match next_state(payment, line) {
            Some(state) => payment.state = state,
            None => self.illegal.push(format!(
                "record {}: {} of {id} cannot follow `{}`",
                line.sequence,
                line.kind,
                payment.state.name()
            )),
        }
        if line.kind == "rerouted" {
            payment.participant.clone_from(&line.participant);
        }
    }

    fn endpoint(&mut self, line: JournalLine) {
        let Some(biller) = line.biller else { return };
        match line.url {
            Some(_) if line.types.is_empty() => {
                self.endpoints.entry(biller).or_insert(line.sequence);
            }
            Some(_) | None => drop(self.endpoints.remove(&biller)),
        }
    }
}

/// In words, where the debits of a record's entry are not its credits in some currency.
fn unbalanced(line: &JournalLine) -> Option<String> {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for JournalPosting { side, amount, .. } in &line.entry {
        let sign = if side == "debit" { 1 } else { -1 };
        *sums.entry(&amount.currency).or_default() += sign * i128::from(amount.minor);
    }
    let (currency, off) = sums.into_iter().find(|(_, sum)| *sum != 0)?;
    let JournalLine { sequence, kind, .. } = line;
    Some(format!(
        "record {sequence}: the entry of this {kind} is off by {off} {currency} minor units"
    ))
}

fn next_state(payment: &mut JournalPayment, line: &JournalLine) -> Option<PaymentState> {
    let state = payment.state;
    if line.kind == "refund" {
        return refunded(payment, line);
    }
    payment.was_inquired |= line.kind == "inquiry" && line.outcome.is_some();
    if line.step.as_deref() == Some("part_confirmed") {
        payment.stands_minor = line.stands_minor.unwrap_or(payment.stands_minor);
    }
    let outcome = line.outcome.as_ref().map_or("", |outcome| outcome.state.as_str());
    let step = line.step.as_deref().unwrap_or_default();
    match (line.kind.as_str(), state, outcome, step) {
        ("rerouted", PaymentState::Sent, _, _) => Some(PaymentState::Sent),
        ("awaiting", PaymentState::Sent | PaymentState::AwaitingPayer, _, _) => {
            Some(PaymentState::AwaitingPayer)
        }
        ("confirming", PaymentState::AwaitingPayer, _, _) => Some(PaymentState::Sent),
        ("expired", PaymentState::AwaitingPayer, _, _) => Some(PaymentState::Expired),
        ("outcome", PaymentState::Sent | PaymentState::AwaitingPayer, "approved", _)
        | ("inquiry", PaymentState::Unknown, "approved", _) => Some(PaymentState::Approved),
        ("outcome", PaymentState::Sent | PaymentState::AwaitingPayer, "declined", _)
        | ("inquiry", PaymentState::Unknown, "declined", _) => Some(PaymentState::Declined),
        ("outcome", PaymentState::Sent | PaymentState::AwaitingPayer, "unknown", _)
        | ("inquiry", PaymentState::Unknown, "", _) => Some(PaymentState::Unknown),
        ("reversal", PaymentState::Approved | PaymentState::Unknown, _, "owed") => {
            Some(PaymentState::Reversing)
        }
        ("reversal", PaymentState::Reversing, _, "confirmed") => Some(PaymentState::Reversed),
        // Owed once more for what a late answer said.
        ("reversal", PaymentState::Reversing, _, "owed") => Some(PaymentState::Reversing),
        (
            "late_answer",
            PaymentState::Declined | PaymentState::Expired | PaymentState::Reversed,
            "declined",
            _,
        ) => Some(state),
        (
            "late_answer",
            PaymentState::Declined | PaymentState::Expired | PaymentState::Reversed,
            _,
            _,
        ) => Some(PaymentState::Reversing),
        (
            "late_answer",
            PaymentState::Approved
            | PaymentState::Unknown
            | PaymentState::Reversing
            | PaymentState::Refunding
            | PaymentState::Refunded,
            _,
            _,
        ) => Some(state),
        ("reversal", PaymentState::Approved, _, "part_owed") => Some(PaymentState::Approved),
        ("reversal", PaymentState::Approved | PaymentState::Reversing, _, "part_confirmed") => {
            Some(state)
        }
        _ => None,
    }
}

/// Where a step of a refund leads: back to the approval, until nothing of it stands.
fn refunded(payment: &mut JournalPayment, line: &JournalLine) -> Option<PaymentState> {
    let minor = line.refund_minor.unwrap_or_default();
    match (payment.state, line.step.as_deref().unwrap_or_default()) {
        (PaymentState::Approved | PaymentState::Refunding, "begun") => {
            payment.refunds_pending += 1;
        }
        (PaymentState::Refunding, "done") if minor <= payment.stands_minor => {
            payment.refunds_pending = payment.refunds_pending.checked_sub(1)?;
            payment.stands_minor -= minor;
        }
        (PaymentState::Refunding, "failed") => {
            payment.refunds_pending = payment.refunds_pending.checked_sub(1)?;
        }
        _ => return None,
    }
    Some(match (payment.refunds_pending, payment.stands_minor) {
        (0, 0) => PaymentState::Refunded,
        (0, _) => PaymentState::Approved,
        _ => PaymentState::Refunding,
    })
}
