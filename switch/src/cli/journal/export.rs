//! A record as outsiders read it: flat, masked, one shape for every kind.

use std::io::{self, Write};

use router::event::{Event, OwedNotice};
use router::message::PaymentRequest;
use router::money::Money;
use router::outcome::Outcome;
use router::posting::{Entry, Posting, Side};
use router::record::{
    AccountMovement, Attempt, Confirming, Expired, Inquiry, Record, Refund, RefundStep,
    ReversalCause, ReversalStep, WaitBegun,
};
use serde::Serialize;

/// One record. Members that a kind does not have are left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    sequence: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(flatten)]
    request: Option<Request>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biller: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant_stan: Option<String>,
    /// The version of the rules that a payment was planned by.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeColumns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stands_minor: Option<i64>,
    /// What a payment waits for, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    awaited: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<String>,
    /// What a refund gives back.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_minor: Option<i64>,
    /// The lines that the record posts; they sum to zero in each currency.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entry: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(flatten)]
    event: Option<EventColumns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    types: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Request {
    originator: String,
    originator_kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    stan: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    transmitted_at: Box<str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    terminal: Box<str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    rrn: Box<str>,
    key: String,
    rail: &'static str,
    amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
}

#[derive(Debug, Serialize)]
struct EventColumns {
    subject: SubjectColumns,
    event: String,
    version: u32,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<NoticeColumns>,
}

#[derive(Debug, Serialize)]
struct SubjectColumns {
    kind: String,
    id: String,
}

#[derive(Debug, Serialize)]
struct NoticeColumns {
    biller: String,
    #[serde(rename = "type")]
    kind: &'static str,
    payment: String,
}

#[derive(Debug, Serialize)]
struct Amount {
    currency: &'static str,
    minor: i64,
}

#[derive(Debug, Serialize)]
struct Line {
    account: String,
    side: &'static str,
    amount: Amount,
}

#[derive(Debug, Serialize)]
struct OutcomeColumns {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorisation: Option<String>,
    /// The response code of the participant that declined, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    network_code: Option<String>,
}

impl Row {
    pub(super) const CSV_HEADING: &'static str = "sequence,kind,payment,folio,at,originator_kind,originator,biller,rail,currency,minor,participant,state,reason,step,response_code,subject,event,version,actor";

    pub(super) fn of(sequence: u64, record: &Record) -> Self {
        let row = Self {
            sequence,
            kind: record.kind(),
            payment: record.payment().map(|id| id.to_string()),
            entry: record.entry().map(lines_of).unwrap_or_default(),
            ..Self::default()
        };
        match record {
            Record::Intent(intent) => Self {
                folio: Some(intent.folio.to_string()),
                at: Some(intent.at.to_string()),
                request: Some(Request::of(&intent.request)),
                biller: intent.request.biller.map(|id| id.to_string()),
                participant: Some(intent.attempt.participant.to_string()),
                participant_stan: stan_of(&intent.attempt),
                rules: Some(format!("{:016x}", intent.plan.rules_version)),
                ..row
            },
            Record::Refused(refused) => Self {
                folio: Some(refused.folio.to_string()),
                at: Some(refused.at.to_string()),
                request: Some(Request::of(&refused.request)),
                biller: refused.request.biller.map(|id| id.to_string()),
                outcome: Some(OutcomeColumns {
                    state: "declined",
                    reason: Some(refused.reason.info().code),
                    authorisation: None,
                    network_code: None,
                }),
                ..row
            },
            Record::Rerouted(rerouted) => Self {
                at: Some(rerouted.at.to_string()),
                participant: Some(rerouted.attempt.participant.to_string()),
                participant_stan: stan_of(&rerouted.attempt),
                ..row
            },
            Record::Outcome(concluded) => Self {
                at: Some(concluded.at.to_string()),
                outcome: Some(OutcomeColumns::of(&concluded.outcome)),
                ..row
            },
            Record::Reversal(reversal) => {
                let (step, cause, response_code) = step_of(&reversal.step);
                let at = Some(reversal.at.to_string());
                let stands_minor = stands_after(&reversal.step);
                Self { at, step: Some(step), cause, response_code, stands_minor, ..row }
            }
            Record::LateAnswer(late) => Self {
                at: Some(late.at.to_string()),
                outcome: Some(OutcomeColumns::of(&late.outcome)),
                ..row
            },
            Record::Account(movement) => row.moved(movement),
            Record::Event(event) => row.happened(event),
            Record::NoticeMark(mark) => Self { endpoint: Some(mark.endpoint.to_string()), ..row },
            Record::EarlyReversal(early) => Self { at: Some(early.at.to_string()), ..row },
            Record::Awaiting(wait) => row.waits(wait),
            Record::Confirming(Confirming { at, .. }) | Record::Expired(Expired { at, .. }) => {
                Self { at: Some(at.to_string()), ..row }
            }
            Record::Inquiry(inquiry) => row.inquired(inquiry),
            Record::Refund(refund) => row.refunded(refund),
        }
    }

    /// The first account that the guard keeps, and what it gained, beside the whole entry.
    fn moved(self, movement: &AccountMovement) -> Self {
        let at = Some(movement.at.to_string());
        let moved = movement.entry.guarded_moves().next();
        let (account, delta) =
            moved.map(|(account, gained)| (account.to_string(), gained.into())).unzip();
        Self { at, account, delta, ..self }
    }

    fn waits(self, wait: &WaitBegun) -> Self {
        let (at, until) = (Some(wait.at.to_string()), Some(wait.until.to_string()));
        Self { at, awaited: Some(wait.awaited.name()), until, ..self }
    }

    fn inquired(self, inquiry: &Inquiry) -> Self {
        Self {
            at: Some(inquiry.at.to_string()),
            finding: Some(inquiry.finding.name()),
            outcome: inquiry.finding.outcome().as_ref().map(OutcomeColumns::of),
            ..self
        }
    }

    fn refunded(self, refund: &Refund) -> Self {
        let (amount_minor, outcome) = match &refund.step {
            RefundStep::Begun(begun) => (begun.amount_minor, None),
            RefundStep::Done(done) => (done.amount_minor, Some(Outcome::Approved(done.approval))),
            RefundStep::Failed(failed) => {
                (failed.amount_minor, Some(Outcome::Declined(failed.decline)))
            }
        };
        Self {
            at: Some(refund.at.to_string()),
            refund: Some(refund.refund.to_string()),
            step: Some(refund.step.name()),
            refund_minor: Some(amount_minor),
            outcome: outcome.as_ref().map(OutcomeColumns::of),
            ..self
        }
    }

    fn happened(self, event: &Event) -> Self {
        let endpoint = event.endpoint();
        Self {
            at: Some(event.at().to_string()),
            endpoint: endpoint.map(|endpoint| endpoint.id.to_string()),
            biller: endpoint.map(|endpoint| endpoint.biller.to_string()),
            url: endpoint.and_then(|endpoint| endpoint.url.as_deref()).map(str::to_owned),
            types: endpoint.iter().flat_map(|it| &it.types).map(|kind| kind.name()).collect(),
            event: Some(EventColumns::of(event)),
            ..self
        }
    }

    /// Writes the row as CSV, in the order of [`Row::CSV_HEADING`].
    pub(super) fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let request = self.request.as_ref();
        let of_request = |value: fn(&Request) -> String| request.map(value).unwrap_or_default();
        let told = self.outcome.as_ref();
        let event = self.event.as_ref();
        let of_event = |value: fn(&EventColumns) -> String| event.map(value).unwrap_or_default();
        let columns = [
            self.sequence.to_string(),
            self.kind.to_owned(),
            text(&self.payment),
            text(&self.folio),
            text(&self.at),
            of_request(|request| request.originator_kind.to_owned()),
            of_request(|request| request.originator.clone()),
            text(&self.biller),
            of_request(|request| request.rail.to_owned()),
            of_request(|request| request.amount.currency.to_owned()),
            of_request(|request| request.amount.minor.to_string()),
            text(&self.participant),
            told.map_or("", |told| told.state).to_owned(),
            told.and_then(|told| told.reason).unwrap_or("").to_owned(),
            self.step.unwrap_or("").to_owned(),
            text(&self.response_code),
            of_event(|event| format!("{}:{}", event.subject.kind, event.subject.id)),
            of_event(|event| event.event.clone()),
            of_event(|event| event.version.to_string()),
            of_event(|event| event.actor.clone()),
        ];
        out.write_all(columns.map(|column| quoted(&column)).join(",").as_bytes())
    }
}

/// A CSV field; a leading formula sign is made harmless, as spreadsheet programs would run it.
fn quoted(column: &str) -> String {
    let is_formula =
        column.starts_with(['=', '+', '-', '@', '\t', '\r']) && column.parse::<i64>().is_err();
    let neutral = if is_formula { format!("'{column}") } else { column.to_owned() };
    match neutral.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", neutral.replace('"', "\"\"")),
        false => neutral,
    }
}

impl Request {
    fn of(request: &PaymentRequest) -> Self {
        let trace = &request.trace;
        Self {
            originator: request.originator.as_str().to_owned(),
            originator_kind: request.originator.kind(),
            stan: trace.stan.map(|stan| stan.to_string()).unwrap_or_default(),
            transmitted_at: trace.transmitted_at.as_str().into(),
            terminal: trace.terminal.as_str().into(),
            rrn: trace.rrn.as_str().into(),
            key: format!("{:032x}", request.key.0),
            rail: request.rail.name(),
            amount: request.amount.into(),
            client: request.client.map(|client| client.to_string()),
            card: request.payer.card.as_ref().map(|card| card.masked().to_string()),
        }
    }
}

impl EventColumns {
    fn of(event: &Event) -> Self {
        let subject = event.subject();
        let notice = |notice: &OwedNotice| NoticeColumns {
            biller: notice.biller.to_string(),
            kind: notice.kind.name(),
            payment: notice.payment.to_string(),
        };
        Self {
            subject: SubjectColumns {
                kind: subject.kind().to_string(),
                id: subject.id().to_string(),
            },
            event: event.kind.name().to_string(),
            version: event.version(),
            actor: event.actor.to_string(),
            approver: event.approver.map(|approver| approver.to_string()),
            notices: event.notices.iter().map(notice).collect(),
        }
    }
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self { currency: money.currency.code(), minor: money.minor }
    }
}

impl OutcomeColumns {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Approved(approval) => Self {
                state: "approved",
                reason: None,
                authorisation: Some(approval.authorisation.to_string()),
                network_code: None,
            },
            Outcome::Declined(decline) => Self {
                state: "declined",
                reason: Some(decline.reason.info().code),
                authorisation: None,
                network_code: decline.network_code.map(|code| code.escape_ascii().to_string()),
            },
            Outcome::Unknown(cause) => Self {
                state: "unknown",
                reason: Some(cause.name()),
                authorisation: None,
                network_code: None,
            },
        }
    }
}

fn lines_of(entry: &Entry) -> Vec<Line> {
    let line = |line: &Posting| Line {
        account: line.account.to_string(),
        side: match line.side {
            Side::Debit => "debit",
            Side::Credit => "credit",
        },
        amount: line.amount.into(),
    };
    entry.lines().iter().map(line).collect()
}

fn step_of(step: &ReversalStep) -> (&'static str, Option<&'static str>, Option<String>) {
    match step {
        ReversalStep::Owed(ReversalCause::Unknown(cause)) => ("owed", Some(cause.name()), None),
        ReversalStep::Owed(ReversalCause::Asked) => ("owed", Some("asked"), None),
        ReversalStep::Owed(ReversalCause::LateAnswer) => ("owed", Some("late_answer"), None),
        ReversalStep::Confirmed(confirmed) => {
            let code = String::from_utf8_lossy(&confirmed.response_code).into_owned();
            ("confirmed", None, Some(code))
        }
        ReversalStep::PartOwed(_) => ("part_owed", Some("asked"), None),
        ReversalStep::PartConfirmed(part) => {
            let code = String::from_utf8_lossy(&part.response_code).into_owned();
            ("part_confirmed", None, Some(code))
        }
    }
}

/// What stands of the payment after a partial reversal, in minor units of its amount.
fn stands_after(step: &ReversalStep) -> Option<i64> {
    match step {
        ReversalStep::PartOwed(part) => Some(part.stands_minor),
        ReversalStep::PartConfirmed(part) => Some(part.stands_minor),
        ReversalStep::Owed(_) | ReversalStep::Confirmed(_) => None,
    }
}
/// The STAN of a request; none where its participant knows it by another name.
fn stan_of(attempt: &Attempt) -> Option<String> {
    attempt.reference.trace().map(|trace| trace.stan.to_string())
}
