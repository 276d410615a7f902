//! Keys of the rows. Texts are padded with zeros, so that no two parts run together.

use std::ops::RangeInclusive;

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

/// A biller's day, then the id.
pub(super) type BillerKey = [u8; 4 + BillerId::LEN_MAX + ID_LEN];
/// DE7, who asked, STAN and terminal, then the id: two payments may have one trace.
pub(super) type TraceKey = [u8; 10 + ParticipantId::LEN_MAX + 4 + 8 + ID_LEN];
/// The day of the id, kind, who asked and value, then the id.
pub(super) type NameKey = [u8; 4 + 1 + ParticipantId::LEN_MAX + 12 + ID_LEN];

const ID_LEN: usize = 16;
const DAY_MS: i64 = 86_400_000;

pub(super) fn biller_key(biller: &BillerId, date: Date, id: PaymentId) -> BillerKey {
    // The sign turned, so that days before 1970 sort first.
    let day = (date.0.cast_unsigned() ^ 1 << 31).to_be_bytes();
    KeyParts::new().put(&day).padded(biller.as_str(), BillerId::LEN_MAX).id(id)
}

/// The first and the last key of one originator, STAN and DE7, at whatever terminal.
pub(super) fn trace_keys(
    originator: &ParticipantId,
    stan: Stan,
    transmitted_at: &Text<10>,
) -> RangeInclusive<TraceKey> {
    let part = || trace_part(originator, stan, transmitted_at);
    part().put(&[0; 8]).id(PaymentId(0))..=part().put(&[u8::MAX; 8]).id(PaymentId(u128::MAX))
}

pub(super) fn trace_key(name: &TraceName, id: PaymentId) -> TraceKey {
    let TraceName { originator, stan, transmitted_at, terminal } = name;
    trace_part(originator, *stan, transmitted_at).padded(terminal.as_str(), 8).id(id)
}

fn trace_part<const LEN: usize>(
    originator: &ParticipantId,
    stan: Stan,
    transmitted_at: &Text<10>,
) -> KeyParts<LEN> {
    KeyParts::new()
        .padded(transmitted_at.as_str(), 10)
        .padded(originator.as_str(), ParticipantId::LEN_MAX)
        .put(&stan.number().to_be_bytes())
}

/// A row of recent payments.
pub(super) fn name_key(name: &NamedBy, id: PaymentId) -> NameKey {
    let (kind, originator, value) = name.parts();
    KeyParts::new()
        .put(&day_of(id).to_be_bytes())
        .put(&kind.as_bytes()[..1])
        .padded(originator.as_str(), ParticipantId::LEN_MAX)
        .padded(value, 12)
        .id(id)
}

/// The day an id was made on, counted from 1970.
pub(super) fn day_of(id: PaymentId) -> u32 {
    u32::try_from(id.unix_ms() / DAY_MS).unwrap_or(u32::MAX)
}

/// The ids that can be made in a millisecond; an id counts no further than 48 bits of them.
pub(super) fn ids_of_ms(ms: i64) -> RangeInclusive<PaymentId> {
    let ms = ms.clamp(0, (1 << 48) - 1);
    PaymentId::from_parts(ms, 0)..=PaymentId::from_parts(ms, u128::MAX)
}

/// The ids that can be made on a day.
pub(super) fn ids_of_day(day: u32) -> RangeInclusive<PaymentId> {
    let first_ms = i64::from(day) * DAY_MS;
    *ids_of_ms(first_ms).start()..=*ids_of_ms(first_ms + DAY_MS - 1).end()
}

/// The day in the key of a name.
pub(super) fn day_in(key: &NameKey) -> u32 {
    u32::from_be_bytes([key[0], key[1], key[2], key[3]])
}

/// The id that a key ends with.
pub(super) fn last_id<const LEN: usize>(key: &[u8; LEN]) -> Option<PaymentId> {
    payment_id(key.get(LEN.checked_sub(ID_LEN)?..)?)
}

pub(super) fn outbox_key(endpoint: EndpointId, sequence: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&endpoint.0.to_be_bytes());
    key[16..].copy_from_slice(&sequence.to_be_bytes());
    key
}

/// The endpoint in a notice's key.
pub(super) fn outbox_endpoint(key: &[u8]) -> Option<EndpointId> {
    let id = key.get(..16)?.try_into().ok()?;
    Some(EndpointId(u128::from_be_bytes(id)))
}

/// The position in a notice's key.
pub(super) fn outbox_sequence(key: &[u8]) -> u64 {
    let sequence = key.get(16..).and_then(|bytes| bytes.try_into().ok());
    sequence.map_or(0, u64::from_be_bytes)
}

pub(super) fn payment_id(bytes: &[u8]) -> Option<PaymentId> {
    bytes.try_into().ok().map(|bytes| PaymentId(u128::from_be_bytes(bytes)))
}

/// A key being put together, of parts whose lengths sum to its own.
struct KeyParts<const LEN: usize> {
    key: [u8; LEN],
    at: usize,
}

impl<const LEN: usize> KeyParts<LEN> {
    fn new() -> Self {
        Self { key: [0; LEN], at: 0 }
    }

    fn put(mut self, part: &[u8]) -> Self {
        self.key[self.at..self.at + part.len()].copy_from_slice(part);
        self.at += part.len();
        self
    }

    fn padded(mut self, text: &str, len: usize) -> Self {
        let after = self.at + len;
        self = self.put(text.as_bytes());
        self.at = after;
        self
    }

    fn id(self, id: PaymentId) -> [u8; LEN] {
        self.put(&id.0.to_be_bytes()).key
    }
}
