//! Keys of the rows. Texts are padded with zeros, so that no two parts run together.

use router::id::{BillNo, BillerId, EndpointId, Folio, ParticipantId, PaymentId, Stan};
use router::message::{Asker, Fingerprint, IdempotencyKey, PaymentRequest};
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
    /// How its asker names it on a line.
    pub trace: Option<TraceName>,
}

/// What a reversal names a payment by. STAN and DE7 alone will not do: two terminals of one
/// acquirer may share both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceName {
    /// Who asked.
    pub asker: ParticipantId,
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
        match (&request.asker, request.trace.stan) {
            (Asker::Participant(asker), Some(stan)) => Some(Self {
                asker: *asker,
                stan,
                transmitted_at: request.trace.transmitted_at,
                terminal: request.trace.terminal,
            }),
            (Asker::Participant(_), None) | (Asker::Biller(_), _) => None,
        }
    }
}

impl Facts {
    /// From the record that begins a payment.
    pub fn of(folio: Folio, date: Date, request: &PaymentRequest) -> Self {
        let PaymentRequest { key, fingerprint, biller, bill, .. } = *request;
        Self { folio, date, key, fingerprint, biller, bill, trace: TraceName::of(request) }
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

pub(super) fn trace_key(name: &TraceName) -> Vec<u8> {
    let TraceName { asker, stan, transmitted_at, terminal } = name;
    let mut key = Vec::with_capacity(ParticipantId::LEN_MAX + 22);
    put_padded(asker.as_str(), ParticipantId::LEN_MAX, &mut key);
    put_padded(transmitted_at.as_str(), 10, &mut key);
    key.extend_from_slice(&stan.number().to_be_bytes());
    put_padded(terminal.as_str(), 8, &mut key);
    key
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
