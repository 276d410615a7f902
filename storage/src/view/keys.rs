//! Keys of the rows. Texts are padded with zeros, so that no two parts run together.

use std::ops::RangeInclusive;

use crate::facts::{NamedBy, TraceName};
use router::id::{BillerId, EndpointId, ParticipantId, PaymentId, Stan};
use router::text::Text;
use router::time::Date;

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
