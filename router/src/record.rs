//! What the journal keeps: one record for each step of a payment, and for what changes around it.

use crate::id::{AccountId, BillerId, EndpointId, Folio, ParticipantId, PaymentId, Stan};
use crate::limit::Detail;
use crate::message::{EarlyReversal, PaymentRequest};
use crate::money::Money;
use crate::outcome::{Cause, Outcome};
use crate::plan::Plan;
use crate::posting::{Posting, Postings};
use crate::reason::Reason;
use crate::secret::SealedSecret;
use crate::text::Text;
use crate::time::{Date, Timestamp};

/// One step, as it is made durable.
#[derive(Debug, Clone)]
pub enum Record {
    /// A payment is about to be sent.
    Intent(Box<Intent>),
    /// A payment was refused by a rule; nothing was or will be sent.
    Refused(Box<Refused>),
    /// A payment whose request certainly never left goes to its next route.
    Rerouted(Rerouted),
    /// What came of a payment.
    Outcome(Box<Concluded>),
    /// A step of undoing a payment.
    Reversal(Reversal),
    /// An answer that came after the payment had its outcome.
    LateAnswer(LateAnswer),
    /// An account's balance was raised or lowered from outside a payment.
    Account(AccountMovement),
    /// A merchant's address for notices was set or removed.
    Endpoint(Endpoint),
    /// How far an endpoint's notices are delivered, so that a rebuild does not send them again.
    NoticeMark(NoticeMark),
    /// A reversal came whose original is not known.
    EarlyReversal(EarlyReversal),
}

/// INTENT: everything needed to send, to answer, and – after a crash – to reverse.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The payment.
    pub payment: PaymentId,
    /// Its number for people.
    pub folio: Folio,
    /// When the request was received.
    pub at: Timestamp,
    /// What was asked.
    pub request: PaymentRequest,
    /// How it is carried out.
    pub plan: Plan,
    /// Where it goes first.
    pub attempt: Attempt,
}

/// One request to one participant, by the data elements that name it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The participant asked.
    pub participant: ParticipantId,
    /// The STAN given to the request (DE11).
    pub stan: Stan,
    /// Its transmission date and time, MMDDhhmmss UTC (DE7).
    pub transmitted_at: Text<10>,
}

/// A refusal that is final: a repeat of the key gets it again.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The payment.
    pub payment: PaymentId,
    /// Its number for people.
    pub folio: Folio,
    /// When the request was received.
    pub at: Timestamp,
    /// The biller's calendar day it belongs to.
    pub business_date: Date,
    /// What was asked.
    pub request: PaymentRequest,
    /// Why it was refused.
    pub reason: Reason,
    /// The payment it repeats, for `duplicate_transaction`.
    pub original: Option<PaymentId>,
    /// What people need beyond the catalogue's text.
    pub detail: Option<Detail>,
}

/// A change of route before anything left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rerouted {
    /// The payment.
    pub payment: PaymentId,
    /// When.
    pub at: Timestamp,
    /// Where it goes now.
    pub attempt: Attempt,
}

/// OUTCOME: what came of a payment, with its postings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concluded {
    /// The payment.
    pub payment: PaymentId,
    /// When the answer came or the deadline passed.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// What it posted; empty unless approved.
    pub postings: Postings,
}

/// A step of undoing a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reversal {
    /// The payment.
    pub payment: PaymentId,
    /// When.
    pub at: Timestamp,
    /// Which step.
    pub step: ReversalStep,
}

/// The steps of undoing a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReversalStep {
    /// It must be undone, and why.
    Owed(ReversalCause),
    /// The participant confirmed (0430, 0410) with this response code.
    Confirmed {
        /// DE39 of the confirmation.
        response_code: [u8; 2],
    },
    /// A part of an approved payment must be given back; the rest stands.
    PartOwed(PartOwed),
    /// The participant confirmed that a part was given back.
    PartConfirmed(PartConfirmed),
}

/// A partial reversal that is owed to a participant.
///
/// Units: minor units of the payment's amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartOwed {
    /// The payment's amount.
    pub amount_minor: i64,
    /// What was to stand before: the record cannot follow where anything else was.
    pub from_minor: i64,
    /// What is to stand from now on; more than zero and less than before.
    pub stands_minor: i64,
    /// Digest of the idempotency key it was asked under, where one was given.
    pub key: Option<u128>,
}

/// A partial reversal that the participant confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartConfirmed {
    /// What stands now, in minor units of the payment's amount.
    pub stands_minor: i64,
    /// DE39 of the confirmation.
    pub response_code: [u8; 2],
    /// What is posted: the payee is debited, the source of the money is credited.
    pub postings: [Posting; 2],
}

/// Why a payment is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReversalCause {
    /// Its outcome is unknown.
    Unknown(Cause),
    /// Its originator said so.
    Asked,
    /// A late answer said that money may have moved, after the payment had been declined or its
    /// reversal had begun.
    LateAnswer,
}

/// An answer that came after the payment had its outcome. It changes nothing the originator was told;
/// where money may have moved against that outcome, it owes a reversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateAnswer {
    /// The payment.
    pub payment: PaymentId,
    /// When it came.
    pub at: Timestamp,
    /// What it said.
    pub outcome: Outcome,
}

/// An account's balance was raised (top-up, cap) or lowered from outside a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountMovement {
    /// The account.
    pub account: AccountId,
    /// When.
    pub at: Timestamp,
    /// How much; negative lowers.
    pub delta: Money,
}

/// A merchant's address for notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The endpoint.
    pub id: EndpointId,
    /// Whose payments it hears of.
    pub biller: BillerId,
    /// When it was set, or changed last.
    pub at: Timestamp,
    /// Counts its changes, from 1. A change follows the version before it and no other.
    pub version: u32,
    /// Where notices go; none once the endpoint is deleted.
    pub url: Option<Box<str>>,
    /// The signing secret.
    pub secret: SealedSecret,
    /// Secrets before it that still sign, newest first.
    pub old_secrets: Vec<OldSecret>,
    /// Types it wants; empty means all.
    pub types: Vec<crate::notice::NoticeType>,
}

/// A signing secret that another one has followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSecret {
    /// The secret.
    pub secret: SealedSecret,
    /// When it stops to sign, as it was decided when the other one followed.
    pub ends_at: Timestamp,
}

impl Endpoint {
    /// The old secrets that sign at a time, newest first.
    pub fn old_secrets_at(&self, now: Timestamp) -> impl Iterator<Item = &OldSecret> {
        self.old_secrets.iter().filter(move |old| now < old.ends_at)
    }

    /// When it was set.
    ///
    /// Units: of its id, to the millisecond.
    pub fn created_at(&self) -> Timestamp {
        Timestamp(self.id.unix_ms().saturating_mul(1000))
    }
}

/// Every notice of records up to and including a position has been delivered or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeMark {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The journal position (record sequence number).
    pub through: u64,
}

impl Record {
    /// The payment it belongs to, where it belongs to one.
    pub fn payment(&self) -> Option<PaymentId> {
        match self {
            Self::Intent(intent) => Some(intent.payment),
            Self::Refused(refused) => Some(refused.payment),
            Self::Rerouted(rerouted) => Some(rerouted.payment),
            Self::Outcome(concluded) => Some(concluded.payment),
            Self::Reversal(reversal) => Some(reversal.payment),
            Self::LateAnswer(late) => Some(late.payment),
            Self::Account(_) | Self::Endpoint(_) | Self::NoticeMark(_) | Self::EarlyReversal(_) => {
                None
            }
        }
    }

    /// When it was made, where it says so.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Intent(intent) => Some(intent.at),
            Self::Refused(refused) => Some(refused.at),
            Self::Rerouted(rerouted) => Some(rerouted.at),
            Self::Outcome(concluded) => Some(concluded.at),
            Self::Reversal(reversal) => Some(reversal.at),
            Self::LateAnswer(late) => Some(late.at),
            Self::Account(movement) => Some(movement.at),
            Self::Endpoint(endpoint) => Some(endpoint.at),
            Self::EarlyReversal(early) => Some(early.at),
            Self::NoticeMark(_) => None,
        }
    }

    /// Its name in dumps and exports.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Intent(_) => "intent",
            Self::Refused(_) => "refused",
            Self::Rerouted(_) => "rerouted",
            Self::Outcome(_) => "outcome",
            Self::Reversal(_) => "reversal",
            Self::LateAnswer(_) => "late_answer",
            Self::Account(_) => "account",
            Self::Endpoint(_) => "endpoint",
            Self::NoticeMark(_) => "notice_mark",
            Self::EarlyReversal(_) => "early_reversal",
        }
    }
}
