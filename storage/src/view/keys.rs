//! Keys of the rows. Texts are padded with zeros, so that no two parts run together.

use router::id::{BillNo, BillerId, EndpointId, Folio, ParticipantId, PaymentId, Stan};
use router::message::{Asker, PaymentRequest};
use router::text::Text;
use router::time::Date;

/// What the rows of a payment are found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub folio: Folio,
    pub date: Date,
    pub biller: Option<BillerId>,
    pub bill: Option<BillNo>,
    pub trace: Option<TraceName>,
}

/// What a reversal names a payment by. STAN and DE7 alone will not do: two terminals of one
/// acquirer may share both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceName {
    pub asker: ParticipantId,
    pub stan: Stan,
    pub transmitted_at: Text<10>,
    pub terminal: Text<8>,
}

impl Facts {
    pub fn of(folio: Folio, date: Date, request: &PaymentRequest) -> Self {
        let trace = match (&request.asker, request.trace.stan) {
            (Asker::Participant(asker), Some(stan)) => Some(TraceName {
                asker: *asker,
                stan,
                transmitted_at: request.trace.transmitted_at,
                terminal: request.trace.terminal,
            }),
            (Asker::Participant(_), None) | (Asker::Biller(_), _) => None,
        };
        Self { folio, date, biller: request.biller, bill: request.bill, trace }
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

pub(crate) fn outbox_key(endpoint: EndpointId, sequence: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&endpoint.0.to_be_bytes());
    key[16..].copy_from_slice(&sequence.to_be_bytes());
    key
}

pub(crate) fn outbox_key_parts(key: &[u8]) -> Option<(EndpointId, u64)> {
    let (endpoint, sequence) = key.split_at_checked(16)?;
    let endpoint = EndpointId(u128::from_be_bytes(endpoint.try_into().ok()?));
    Some((endpoint, u64::from_be_bytes(sequence.try_into().ok()?)))
}

pub(super) fn payment_id(bytes: &[u8]) -> Option<PaymentId> {
    bytes.try_into().ok().map(|bytes| PaymentId(u128::from_be_bytes(bytes)))
}

fn put_padded(text: &str, len: usize, key: &mut Vec<u8>) {
    key.extend_from_slice(text.as_bytes());
    key.extend(std::iter::repeat_n(0, len - text.len()));
}
