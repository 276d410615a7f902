//! The end audit: client, journal, issuer and merchant must tell the same story of each payment.
//!
//! What must hold for one payment is said by [`router::invariant::audit_payment`]; here the four
//! stories are read, laid side by side, and what belongs to no single payment is checked: nothing
//! ran twice, nothing stands in the journal that nobody asked for, folios and amounts agree.

pub mod client;
pub mod issuer;
pub mod journal;

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead};

use router::id::Folio;
use router::invariant::{PaymentFacts, ToldNotice, Violation, audit_payment};
use router::notice::NoticeType;
use router::payment::PaymentState;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use client::ClientClaim;
use issuer::IssuerTruth;
use journal::{Journal, JournalPayment};

/// Why evidence could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file or stream failed.
    #[error("evidence cannot be read")]
    Io(#[source] io::Error),
    /// A line is not what it should be.
    #[error("line {number} of the {what} cannot be read")]
    Line {
        /// Which evidence.
        what: &'static str,
        /// Line, from 1.
        number: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// One notice a merchant heard; a line of its log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Notice {
    /// `webhook-id`.
    pub webhook_id: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The payment's id.
    pub payment: String,
}

/// The four stories.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What the client asked and heard.
    pub claims: Vec<ClientClaim>,
    /// What the switch wrote down.
    pub journal: Journal,
    /// What the issuers did.
    pub issuers: IssuerTruth,
    /// What the merchants heard; none where none listened.
    pub notices: Option<Vec<Notice>>,
}

impl Evidence {
    /// Whether the notices of a payment can be held against the journal: a merchant listened, and
    /// its biller's endpoint was there from the payment's first record on.
    fn has_notices(&self, payment: &JournalPayment) -> bool {
        let since = payment.biller.as_ref().and_then(|biller| self.journal.endpoints.get(biller));
        self.notices.is_some() && since.is_some_and(|since| payment.first_sequence >= *since)
    }

    fn payments_with_notices(&self) -> usize {
        self.journal.payments.iter().filter(|payment| self.has_notices(payment)).count()
    }
}

/// A difference between the stories.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A rule of one payment is broken.
    #[error(transparent)]
    Payment(#[from] Violation),
    /// One request of the client became several payments.
    #[error("request {rrn} became {payments} payments")]
    RanTwice {
        /// The client's reference.
        rrn: String,
        /// How many.
        payments: usize,
    },
    /// The client heard another folio than the journal holds.
    #[error("request {rrn} was answered folio {heard}, the journal holds {recorded}")]
    FolioDiffers {
        /// The client's reference.
        rrn: String,
        /// Folio of the answer.
        heard: String,
        /// Folio of the journal.
        recorded: String,
    },
    /// Two payments have one folio.
    #[error("folio {folio} was given more than once")]
    FolioTwice {
        /// The folio.
        folio: String,
    },
    /// Amounts differ.
    #[error("folio {folio}: the journal holds {recorded} minor units, {by} {other}")]
    AmountDiffers {
        /// The folio.
        folio: String,
        /// Amount in the journal.
        recorded: i64,
        /// Who says otherwise.
        by: &'static str,
        /// What it says.
        other: i64,
    },
    /// The journal holds a payment of this run that nobody asked for.
    #[error("folio {folio}: request {rrn} is of this run and was never sent")]
    WithoutCause {
        /// The folio.
        folio: String,
        /// The reference it names.
        rrn: String,
    },
    /// A record cannot follow what came before.
    #[error("{0}")]
    IllegalHistory(String),
    /// A merchant heard of a payment the journal does not know.
    #[error("notice {webhook_id} tells of `{payment}`, which the journal does not know")]
    NoticeOfNothing {
        /// The notice.
        webhook_id: String,
        /// What it tells of.
        payment: String,
    },
}

impl Mismatch {
    /// Whether time may still mend it: something is under way.
    pub fn may_settle(&self) -> bool {
        match self {
            Self::Payment(violation) => matches!(
                violation,
                Violation::LeftOpen { .. }
                    | Violation::NoticeMissing { .. }
                    | Violation::IssuerDisagrees { .. }
            ),
            Self::RanTwice { .. }
            | Self::FolioDiffers { .. }
            | Self::FolioTwice { .. }
            | Self::AmountDiffers { .. }
            | Self::WithoutCause { .. }
            | Self::IllegalHistory(_)
            | Self::NoticeOfNothing { .. } => false,
        }
    }
}

/// Mismatches listed in a result; all are counted.
pub const LISTED_MAX: usize = 50;

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditSummary {
    /// Requests of the client.
    pub claims: u64,
    /// Payments in the journal.
    pub payments: u64,
    /// Payments the issuers know.
    pub issuer_payments: u64,
    /// Notices heard.
    pub notices: u64,
    /// Payments whose notices were held against the journal; 0 when no endpoint is known.
    pub payments_with_notices: u64,
    /// Differences.
    pub mismatches: u64,
    /// The first of them, in words.
    pub first: Vec<String>,
}

impl AuditSummary {
    /// Sums up what [`audit`] found.
    pub fn new(evidence: &Evidence, mismatches: &[Mismatch]) -> Self {
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        Self {
            claims: count(evidence.claims.len()),
            payments: count(evidence.journal.payments.len()),
            issuer_payments: count(evidence.issuers.payments.len()),
            notices: count(evidence.notices.as_ref().map_or(0, Vec::len)),
            payments_with_notices: count(evidence.payments_with_notices()),
            mismatches: count(mismatches.len()),
            first: mismatches.iter().take(LISTED_MAX).map(Mismatch::to_string).collect(),
        }
    }
}

/// Lays the stories side by side; everything is taken to have come to rest.
pub fn audit(evidence: &Evidence) -> Vec<Mismatch> {
    let tables = Tables::new(evidence);
    let mut mismatches: Vec<Mismatch> =
        evidence.journal.illegal.iter().cloned().map(Mismatch::IllegalHistory).collect();
    for claim in &evidence.claims {
        tables.check_claim(claim, &mut mismatches);
    }
    for payment in &evidence.journal.payments {
        tables.check_payment(payment, &mut mismatches);
    }
    tables.check_strangers(&mut mismatches);
    mismatches
}

/// The evidence, found by reference.
struct Tables<'a> {
    evidence: &'a Evidence,
    claims: HashMap<&'a str, &'a ClientClaim>,
    by_rrn: HashMap<&'a str, Vec<&'a JournalPayment>>,
    by_folio: HashMap<&'a str, Vec<&'a JournalPayment>>,
    notices: HashMap<&'a str, Vec<&'a Notice>>,
    /// The first four digits of the references of the run.
    runs: HashSet<&'a str>,
    /// When the first payment of the run began; none where the journal has none of it.
    run_from: Option<&'a str>,
}

/// Digits of a reference that the harness gives (DE37).
const RRN_DIGITS: usize = 12;

impl<'a> Tables<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        let mut by_rrn: HashMap<_, Vec<_>> = HashMap::new();
        let mut by_folio: HashMap<_, Vec<_>> = HashMap::new();
        for payment in &evidence.journal.payments {
            if !payment.rrn.is_empty() {
                by_rrn.entry(payment.rrn.as_str()).or_default().push(payment);
            }
            by_folio.entry(payment.folio.as_str()).or_default().push(payment);
        }
        let mut notices: HashMap<_, Vec<_>> = HashMap::new();
        for notice in evidence.notices.iter().flatten() {
            notices.entry(notice.payment.as_str()).or_default().push(notice);
        }
        let claims = evidence.claims.iter();
        let rrns = claims.clone().filter(|claim| claim.rrn.len() == RRN_DIGITS);
        let claims: HashMap<_, _> = claims.map(|claim| (claim.rrn.as_str(), claim)).collect();
        let of_run = evidence.journal.payments.iter();
        let of_run = of_run.filter(|payment| claims.contains_key(payment.rrn.as_str()));
        Self {
            run_from: of_run.map(|payment| payment.at.as_str()).min(),
            runs: rrns.filter_map(|claim| claim.rrn.get(..4)).collect(),
            claims,
            evidence,
            by_rrn,
            by_folio,
            notices,
        }
    }

    /// What the client alone can tell: that its request ran twice, or not at all.
    fn check_claim(&self, claim: &ClientClaim, mismatches: &mut Vec<Mismatch>) {
        let rrn = &claim.rrn;
        let payments = self.by_rrn.get(rrn.as_str()).map_or(&[][..], Vec::as_slice);
        match payments {
            [] => {
                let facts = PaymentFacts {
                    key: format!("request {rrn}").into(),
                    folio: None,
                    client_answer: claim.told(),
                    journal_state: None,
                    reversal_asked: false,
                    was_inquired: false,
                    issuer_net_debits: 0,
                    notices: None,
                    settled: true,
                };
                mismatches.extend(audit_payment(&facts).into_iter().map(Mismatch::Payment));
            }
            [payment] => {
                let heard = claim.folio.as_ref().filter(|folio| **folio != payment.folio);
                mismatches.extend(heard.map(|heard| Mismatch::FolioDiffers {
                    rrn: rrn.clone(),
                    heard: heard.clone(),
                    recorded: payment.folio.clone(),
                }));
                self.check_amount(payment, "the client asked", claim.amount_minor, mismatches);
            }
            _ => mismatches.push(Mismatch::RanTwice { rrn: rrn.clone(), payments: payments.len() }),
        }
    }

    fn check_payment(&self, payment: &JournalPayment, mismatches: &mut Vec<Mismatch>) {
        let claim = self.claims.get(payment.rrn.as_str());
        let is_of_run = payment.rrn.len() == RRN_DIGITS
            && payment.rrn.get(..4).is_some_and(|run| self.runs.contains(run));
        if claim.is_none() && is_of_run {
            let (folio, rrn) = (payment.folio.clone(), payment.rrn.clone());
            mismatches.push(Mismatch::WithoutCause { folio, rrn });
        }
        let issuer = self.evidence.issuers.payments.get(&payment.folio);
        if let Some(minor) = issuer.and_then(|facts| facts.debited_minor) {
            self.check_amount(payment, "the issuer debited", minor, mismatches);
        }
        let facts = PaymentFacts {
            key: format!("folio {}", payment.folio).into(),
            folio: payment.folio.parse::<Folio>().ok(),
            client_answer: claim.and_then(|claim| claim.told()),
            journal_state: Some(payment.state),
            reversal_asked: claim.is_none(),
            was_inquired: payment.was_inquired,
            issuer_net_debits: self.net_debits(payment),
            notices: self.told(payment),
            settled: claim.is_some() || !self.is_beside_the_run(payment),
        };
        mismatches.extend(audit_payment(&facts).into_iter().map(Mismatch::Payment));
    }

    /// Whether a payment of somebody else began while the run was under way: it may be under way still.
    fn is_beside_the_run(&self, payment: &JournalPayment) -> bool {
        self.run_from.is_some_and(|from| !from.is_empty() && payment.at.as_str() >= from)
    }

    /// Debits less reversals of a payment; what the journal implies, where the participant's own
    /// story is not at hand.
    fn net_debits(&self, payment: &JournalPayment) -> i64 {
        let issuers = &self.evidence.issuers;
        let is_known = match &payment.participant {
            Some(participant) => issuers.participants.contains(participant),
            None => true,
        };
        // Instants are all printed to the millisecond in UTC, so text order is time order.
        if is_known && issuers.since.as_ref().is_none_or(|since| payment.at >= *since) {
            return issuers.payments.get(&payment.folio).map_or(0, |facts| facts.net_debits);
        }
        let stands = matches!(
            payment.state,
            PaymentState::Approved
                | PaymentState::Settled
                | PaymentState::Refunding
                | PaymentState::Refunded
        );
        i64::from(stands)
    }

    /// The notices of a payment, where they can be judged.
    fn told(&self, payment: &JournalPayment) -> Option<Vec<ToldNotice>> {
        if !self.evidence.has_notices(payment) {
            return None;
        }
        let heard = self.notices.get(payment.id.as_str()).into_iter().flatten();
        let told = heard.filter_map(|notice| {
            let kind = NoticeType::from_name(&notice.kind)?;
            Some(ToldNotice { kind, id: notice.webhook_id.as_str().into() })
        });
        Some(told.collect())
    }

    fn check_amount(
        &self,
        payment: &JournalPayment,
        by: &'static str,
        other: i64,
        mismatches: &mut Vec<Mismatch>,
    ) {
        let recorded = payment.amount.minor;
        if recorded != other {
            let folio = payment.folio.clone();
            mismatches.push(Mismatch::AmountDiffers { folio, recorded, by, other });
        }
    }

    /// What issuers and merchants saw and the journal does not know, and folios given twice.
    fn check_strangers(&self, mismatches: &mut Vec<Mismatch>) {
        let doubles = self.by_folio.iter().filter(|(_, payments)| payments.len() > 1);
        let doubles = doubles.map(|(folio, _)| Mismatch::FolioTwice { folio: (*folio).to_owned() });
        mismatches.extend(doubles);
        for (rrn, facts) in &self.evidence.issuers.payments {
            let is_newer = self.evidence.issuers.newer.contains(rrn);
            if facts.net_debits != 0 && !is_newer && !self.by_folio.contains_key(rrn.as_str()) {
                let key = format!("reference {rrn}").into();
                mismatches.push(Violation::SentWithoutIntent { key }.into());
            }
        }
        for notice in self.evidence.notices.iter().flatten() {
            if self.evidence.journal.payment(&notice.payment).is_none() {
                let Notice { webhook_id, payment, .. } = notice.clone();
                mismatches.push(Mismatch::NoticeOfNothing { webhook_id, payment });
            }
        }
    }
}

/// Reads a file of JSON lines.
///
/// Errors: [`AuditError`] with the line that cannot be read.
pub fn json_lines<T: DeserializeOwned>(
    lines: impl BufRead,
    what: &'static str,
) -> Result<Vec<T>, AuditError> {
    let mut read = Vec::new();
    for (number, line) in (1..).zip(lines.lines()) {
        let line = line.map_err(AuditError::Io)?;
        if !line.trim().is_empty() {
            let value = serde_json::from_str(&line);
            read.push(value.map_err(|source| AuditError::Line { what, number, source })?);
        }
    }
    Ok(read)
}
