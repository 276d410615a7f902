//! Keys of the rows. Texts are padded with zeros, so that no two parts run together.

use router::id::{BillNo, BillerId, EndpointId, Folio, ParticipantId, PaymentId, Stan};
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
    /// Who is paid.
    pub biller: Option<BillerId>,
    /// What is paid.
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
    /// Who asked.
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
    /// The kind, who asked, and the value: what the rows of recent payments are found by.
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

pub(super) fn biller_key(biller: &BillerId, date: Date, id: PaymentId) -> Vec<u8> {
    let mut key = Vec::with_capacity(BillerId::LEN_MAX + 20);
    put_padded(biller.as_str(), BillerId::LEN_MAX, &mut key);
    // The sign turned, so that days before 1970 sort first.
    key.extend_from_slice(&(date.0.cast_unsigned() ^ 1 << 31).to_be_bytes());
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

/// Traces of one originator, STAN and DE7 begin with this.
pub(super) fn trace_prefix(
    originator: &ParticipantId,
    stan: Stan,
    transmitted_at: &Text<10>,
) -> Vec<u8> {
    let mut key = Vec::with_capacity(ParticipantId::LEN_MAX + 38);
    put_padded(originator.as_str(), ParticipantId::LEN_MAX, &mut key);
    put_padded(transmitted_at.as_str(), 10, &mut key);
    key.extend_from_slice(&stan.number().to_be_bytes());
    key
}

/// With the id, for two payments may have one trace.
pub(super) fn trace_key(name: &TraceName, id: PaymentId) -> Vec<u8> {
    let TraceName { originator, stan, transmitted_at, terminal } = name;
    let mut key = trace_prefix(originator, *stan, transmitted_at);
    put_padded(terminal.as_str(), 8, &mut key);
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

/// A row of recent payments: kind, who asked, value, id.
pub(super) fn name_key(name: &NamedBy, id: PaymentId) -> Vec<u8> {
    let (kind, originator, value) = name.parts();
    let mut key = Vec::with_capacity(ParticipantId::LEN_MAX + 29);
    key.extend_from_slice(&kind.as_bytes()[..1]);
    put_padded(originator.as_str(), ParticipantId::LEN_MAX, &mut key);
    put_padded(value, 12, &mut key);
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

/// The id that a key ends with.
pub(super) fn last_id(key: &[u8]) -> Option<PaymentId> {
    payment_id(key.get(key.len().checked_sub(16)?..)?)
}

pub(super) fn outbox_key(endpoint: EndpointId, sequence: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&endpoint.0.to_be_bytes());
    key[16..].copy_from_slice(&sequence.to_be_bytes());
    key
}

/// The position in a notice's key.
pub(super) fn outbox_sequence(key: &[u8]) -> u64 {
    let sequence = key.get(16..).and_then(|bytes| bytes.try_into().ok());
    sequence.map_or(0, u64::from_be_bytes)
}

pub(super) fn payment_id(bytes: &[u8]) -> Option<PaymentId> {
    bytes.try_into().ok().map(|bytes| PaymentId(u128::from_be_bytes(bytes)))
}

fn put_padded(text: &str, len: usize, key: &mut Vec<u8>) {
    key.extend_from_slice(text.as_bytes());
    key.extend(std::iter::repeat_n(0, len - text.len()));
}
