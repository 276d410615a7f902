//! What the rows of a payment are found by.

use router::id::{BillNo, BillerId, Folio, ParticipantId, Stan};
use router::message::{Fingerprint, IdempotencyKey, Originator, PaymentRequest};
use router::text::Text;
use router::time::Date;

/// What the rows of a payment are found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its number for people.
    pub folio: Folio,
    /// The biller's calendar day it belongs to.
    pub date: Date,
    /// The key it was asked under.
    pub key: IdempotencyKey,
    /// What exactly was asked.
    pub fingerprint: Fingerprint,
    /// The biller that is paid.
    pub biller: Option<BillerId>,
    /// The bill that is paid.
    pub bill: Option<BillNo>,
    /// How its originator names it on a line.
    pub trace: Option<TraceName>,
    /// DE37 of a request on a line; empty where it has none.
    pub rrn: Text<12>,
}

/// What a message may name a payment by, if not by its folio; each may lead to several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// DE11 and DE7 of the request, at whatever terminal.
    Trace(ParticipantId, Stan, Text<10>),
    /// DE37 of the request; among recent payments.
    Rrn(ParticipantId, Text<12>),
    /// DE41 of the request; among recent payments.
    Terminal(ParticipantId, Text<8>),
}

/// What a reversal names a payment by. STAN and DE7 alone will not do: two terminals of one
/// acquirer may share both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceName {
    /// The originator.
    pub originator: ParticipantId,
    /// DE11 of the request.
    pub stan: Stan,
    /// DE7 of the request.
    pub transmitted_at: Text<10>,
    /// DE41 of the request.
    pub terminal: Text<8>,
}

impl TraceName {
    /// The name of a request on a line; requests of merchants have none.
    pub fn of(request: &PaymentRequest) -> Option<Self> {
        match (&request.originator, request.trace.stan) {
            (Originator::Participant(originator), Some(stan)) => Some(Self {
                originator: *originator,
                stan,
                transmitted_at: request.trace.transmitted_at,
                terminal: request.trace.terminal,
            }),
            (Originator::Participant(_), None) | (Originator::Biller(_), _) => None,
        }
    }
}

impl Facts {
    /// From the record that begins a payment.
    pub fn of(folio: Folio, date: Date, request: &PaymentRequest) -> Self {
        let PaymentRequest { key, fingerprint, biller, bill, .. } = *request;
        let (trace, rrn) = (TraceName::of(request), request.trace.rrn);
        Self { folio, date, key, fingerprint, biller, bill, trace, rrn }
    }

    /// What rows of recent payments it is found by besides its trace: DE41 and DE37, where it has
    /// them.
    pub fn names(&self) -> impl Iterator<Item = NamedBy> {
        let originator_and = self.trace.map(|trace| (trace.originator, trace.terminal));
        let terminal = originator_and.filter(|(_, terminal)| !terminal.is_empty());
        let rrn = originator_and.filter(|_| !self.rrn.is_empty());
        let terminal =
            terminal.map(|(originator, terminal)| NamedBy::Terminal(originator, terminal));
        terminal.into_iter().chain(rrn.map(|(originator, _)| NamedBy::Rrn(originator, self.rrn)))
    }
}

impl NamedBy {
    /// The kind, the originator and the value: what the rows of recent payments are found by.
    pub fn parts(&self) -> (&'static str, &ParticipantId, &str) {
        match self {
            Self::Trace(originator, _, transmitted_at) => {
                ("trace", originator, transmitted_at.as_str())
            }
            Self::Rrn(originator, rrn) => ("rrn", originator, rrn.as_str()),
            Self::Terminal(originator, terminal) => ("terminal", originator, terminal.as_str()),
        }
    }
}
