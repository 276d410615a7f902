//! How a record becomes bytes, and back.
//!
//! ```text
//! record  = length u32 · body                      (length of the body; little-endian)
//! body    = kind u8 · version u8 · fields          (a CBOR map with numbers for keys: RFC 8949)
//! ```
//! **A record can change.** A field that is added takes a number that was never used; a reader that
//! does not know the number passes over it, and one that misses it takes the field's default: no
//! value, an empty text or list, zero. A field that is no longer needed keeps its number. Only what
//! an old reader would understand wrongly takes a new version, which it refuses.
//!
//! What changes around payments is one kind, the event: a subject that a reader does not know is kept
//! and shown by its kind and id, so that a new one needs no new kind of record.
//!
//! The fields of a record of a payment begin with the payment's id, and those of an intent have its
//! reservation next, so that replay reads no further than the guard needs. Card numbers are sealed
//! here and data that may not be kept is left out. Decoding trusts no byte: lengths are held against
//! what is left before anything is allocated.

mod begun;
mod detail;
mod endpoint;
mod event;
pub(crate) mod field;
mod lists;
mod names;
mod plan;
mod request;
mod steps;
mod values;
mod waiting;

use router::record::{LateAnswer, Record, Refund, Reversal};

pub use crate::decode_error::DecodeError;
use crate::packing::{self, put_u32};
use crate::seal::Sealer;
pub(crate) use begun::{IntentHead, IntentRequest, RefusedHead};
pub(crate) use endpoint::{body as endpoint_body, put_body as put_endpoint_body};
use field::{Field, ValueReader, ValueWriter};
pub use lists::LIST_LEN_MAX;
pub(crate) use lists::{ListTooLong, check_intent, check_lists};
pub(crate) use names::{notice_type, put_notice_type};

/// Version of the encoding that is written. Version 1 had no numbered fields and was never released.
const VERSION: u8 = 2;
/// Bytes of a body before its fields: kind and version.
const HEAD_LEN: usize = 2;
/// Bytes before a record's body.
pub const RECORD_HEADER_LEN: usize = 4;

/// The kinds, as the journal has them. Never reuse a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Intent = 1,
    Refused = 2,
    Rerouted = 3,
    Outcome = 4,
    Reversal = 5,
    LateAnswer = 6,
    Account = 7,
    // 8 was an endpoint's own kind, before endpoints had events.
    NoticeMark = 9,
    EarlyReversal = 10,
    Event = 11,
    Awaiting = 12,
    Confirming = 13,
    Expired = 14,
    Inquiry = 15,
    Refund = 16,
}

impl Kind {
    const ALL: [Self; 15] = [
        Self::Intent,
        Self::Refused,
        Self::Rerouted,
        Self::Outcome,
        Self::Reversal,
        Self::LateAnswer,
        Self::Account,
        Self::Event,
        Self::NoticeMark,
        Self::EarlyReversal,
        Self::Awaiting,
        Self::Confirming,
        Self::Expired,
        Self::Inquiry,
        Self::Refund,
    ];

    fn of_byte(byte: u8) -> Result<Self, DecodeError> {
        let found = Self::ALL.into_iter().find(|kind| *kind as u8 == byte);
        found.ok_or(DecodeError::Kind { kind: byte })
    }
}

/// Appends a record, with its length before it; its lists have at most [`LIST_LEN_MAX`] items.
pub fn encode(record: &Record, sealer: &Sealer, out: &mut Vec<u8>) {
    match record {
        Record::Intent(intent) => {
            encode_intent(intent, sealer, out);
        }
        Record::Refused(refused) => encode_refused(refused, sealer, out),
        Record::Rerouted(rerouted) => framed(Kind::Rerouted, out, put(rerouted)),
        Record::Outcome(concluded) => framed(Kind::Outcome, out, put(&**concluded)),
        Record::Reversal(reversal) => {
            framed(Kind::Reversal, out, |out| steps::put_reversal(reversal, None, out));
        }
        Record::LateAnswer(late) => {
            framed(Kind::LateAnswer, out, |out| steps::put_late(late, None, out));
        }
        Record::Account(movement) => framed(Kind::Account, out, put(&**movement)),
        Record::Event(event) => framed(Kind::Event, out, put(&**event)),
        Record::NoticeMark(mark) => framed(Kind::NoticeMark, out, put(mark)),
        Record::EarlyReversal(early) => framed(Kind::EarlyReversal, out, put(early)),
        Record::Awaiting(wait) => framed(Kind::Awaiting, out, put(&**wait)),
        Record::Confirming(confirming) => framed(Kind::Confirming, out, put(confirming)),
        Record::Expired(expired) => framed(Kind::Expired, out, put(expired)),
        Record::Inquiry(inquiry) => framed(Kind::Inquiry, out, put(&**inquiry)),
        Record::Refund(refund) => {
            framed(Kind::Refund, out, |out| waiting::put_refund(refund, None, out));
        }
    }
}

/// Tells whether the request is kept as it came: no field of it is masked.
pub(crate) fn encode_intent(
    intent: &router::record::Intent,
    sealer: &Sealer,
    out: &mut Vec<u8>,
) -> bool {
    let mut is_as_it_came = false;
    framed(Kind::Intent, out, |out| is_as_it_came = begun::put_intent(intent, sealer, out));
    is_as_it_came
}

pub(crate) fn encode_refused(
    refused: &router::record::Refused,
    sealer: &Sealer,
    out: &mut Vec<u8>,
) {
    framed(Kind::Refused, out, |out| begun::put_refused(refused, sealer, out));
}

/// A record that opens a closed payment again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reopening<'a> {
    /// A reversal that its originator wants.
    Reversal(&'a Reversal),
    /// A late answer that owes a reversal.
    LateAnswer(&'a LateAnswer),
    /// A refund of an approved payment.
    Refund(&'a Refund),
}

/// A record that opens a closed payment again carries the payment's history, so that replay finds
/// all it needs in the journal.
pub(crate) fn encode_reopening(reopening: Reopening<'_>, history: &[u8], out: &mut Vec<u8>) {
    match reopening {
        Reopening::Reversal(reversal) => framed(Kind::Reversal, out, |out| {
            steps::put_reversal(reversal, Some(history), out);
        }),
        Reopening::LateAnswer(late) => framed(Kind::LateAnswer, out, |out| {
            steps::put_late(late, Some(history), out);
        }),
        Reopening::Refund(refund) => framed(Kind::Refund, out, |out| {
            waiting::put_refund(refund, Some(history), out);
        }),
    }
}

/// The history that the body of a record carries; none where it opens nothing again.
pub(crate) fn reopened_history(body: &[u8]) -> Result<Option<&[u8]>, DecodeError> {
    let (kind, mut reader) = open(body)?;
    match kind {
        Kind::Reversal | Kind::LateAnswer | Kind::Refund => steps::history(&mut reader),
        Kind::Intent
        | Kind::Refused
        | Kind::Rerouted
        | Kind::Outcome
        | Kind::Account
        | Kind::Event
        | Kind::NoticeMark
        | Kind::EarlyReversal
        | Kind::Awaiting
        | Kind::Confirming
        | Kind::Expired
        | Kind::Inquiry => Ok(None),
    }
}

/// Appends the body of a record without the history that it carries; everything else stays as it
/// is, fields of a later build included.
pub(crate) fn put_without_history(body: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    if reopened_history(body)?.is_none() {
        out.extend_from_slice(body);
        return Ok(());
    }
    let (_, mut reader) = open(body)?;
    out.extend_from_slice(&body[..HEAD_LEN]);
    steps::put_without_history(&mut reader, out)
}

/// Reads the body of a record.
///
/// Errors: [`DecodeError`]; never panics, whatever the bytes.
pub fn decode(body: &[u8]) -> Result<Record, DecodeError> {
    let (kind, mut reader) = open(body)?;
    let reader_ref = &mut reader;
    let record = match kind {
        Kind::Intent => Record::Intent(Box::new(begun::intent(reader_ref)?)),
        Kind::Refused => Record::Refused(Box::new(begun::refused(reader_ref)?)),
        Kind::Rerouted => Record::Rerouted(Field::read(reader_ref)?),
        Kind::Outcome => Record::Outcome(Field::read(reader_ref)?),
        Kind::Reversal => Record::Reversal(Box::new(steps::reversal(reader_ref)?)),
        Kind::LateAnswer => Record::LateAnswer(steps::late(reader_ref)?),
        Kind::Account => Record::Account(Field::read(reader_ref)?),
        Kind::Event => Record::Event(Field::read(reader_ref)?),
        Kind::NoticeMark => Record::NoticeMark(Field::read(reader_ref)?),
        Kind::EarlyReversal => Record::EarlyReversal(Field::read(reader_ref)?),
        Kind::Awaiting => Record::Awaiting(Field::read(reader_ref)?),
        Kind::Confirming => Record::Confirming(Field::read(reader_ref)?),
        Kind::Expired => Record::Expired(Field::read(reader_ref)?),
        Kind::Inquiry => Record::Inquiry(Field::read(reader_ref)?),
        Kind::Refund => Record::Refund(Box::new(waiting::refund(reader_ref)?)),
    };
    reader.finish()?;
    Ok(record)
}

/// Reads the body of a record that follows, without what an outcome posted: all that says where its
/// payment stands.
pub(crate) fn decode_step(body: &[u8]) -> Result<Record, DecodeError> {
    let (kind, mut reader) = open(body)?;
    match kind {
        Kind::Outcome => Ok(Record::Outcome(Box::new(steps::concluded_alone(&mut reader)?))),
        Kind::Intent
        | Kind::Refused
        | Kind::Rerouted
        | Kind::Reversal
        | Kind::LateAnswer
        | Kind::Account
        | Kind::Event
        | Kind::NoticeMark
        | Kind::EarlyReversal
        | Kind::Awaiting
        | Kind::Confirming
        | Kind::Expired
        | Kind::Inquiry
        | Kind::Refund => decode(body),
    }
}

/// The kind of a record's body.
pub(crate) fn kind_of(body: &[u8]) -> Result<Kind, DecodeError> {
    open(body).map(|(kind, _)| kind)
}

/// The name of the kind, as [`Record::kind`] gives it, of a body whose fields may be unreadable.
pub(crate) fn kind_name(body: &[u8]) -> Result<&'static str, DecodeError> {
    Ok(match kind_of(body)? {
        Kind::Intent => "intent",
        Kind::Refused => "refused",
        Kind::Rerouted => "rerouted",
        Kind::Outcome => "outcome",
        Kind::Reversal => "reversal",
        Kind::LateAnswer => "late_answer",
        Kind::Account => "account",
        Kind::Event => "event",
        Kind::NoticeMark => "notice_mark",
        Kind::EarlyReversal => "early_reversal",
        Kind::Awaiting => "awaiting",
        Kind::Confirming => "confirming",
        Kind::Expired => "expired",
        Kind::Inquiry => "inquiry",
        Kind::Refund => "refund",
    })
}

/// What replay needs of an intent's body.
pub(crate) fn intent_head(body: &[u8]) -> Result<IntentHead, DecodeError> {
    let (_, mut reader) = open(body)?;
    begun::intent_head(&mut reader)
}

/// What rows need of an intent's body: it is read no further.
pub(crate) fn intent_request(body: &[u8]) -> Result<IntentRequest, DecodeError> {
    let (_, mut reader) = open(body)?;
    begun::intent_request(&mut reader)
}

/// What replay needs of a refusal's body.
pub(crate) fn refused_head(body: &[u8]) -> Result<RefusedHead, DecodeError> {
    let (_, mut reader) = open(body)?;
    begun::refused_head(&mut reader)
}

/// The bodies of records that stand one after another, each with its length before it.
pub fn bodies(records: &[u8]) -> Bodies<'_> {
    Bodies { rest: records }
}

/// Iterator over the bodies of concatenated records; ends after the first error.
pub struct Bodies<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Bodies<'a> {
    type Item = Result<&'a [u8], DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut reader = packing::Reader::new(self.rest);
        let body = reader.u32().and_then(|len| reader.take(packing::to_usize(len)));
        self.rest = if body.is_ok() { reader.rest() } else { &[] };
        Some(body)
    }
}

fn open(body: &[u8]) -> Result<(Kind, ValueReader<'_>), DecodeError> {
    let [kind, version, ..] = body else { return Err(DecodeError::Truncated { at: body.len() }) };
    let kind = Kind::of_byte(*kind)?;
    if *version != VERSION {
        return Err(DecodeError::Version { version: *version });
    }
    Ok((kind, ValueReader::behind(body, HEAD_LEN)))
}

/// Writes the fields of a record.
fn put<T: Field>(record: &T) -> impl FnOnce(&mut Vec<u8>) {
    |out| record.write(&mut ValueWriter::new(out))
}

fn framed(kind: Kind, out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put_u32(0, out);
    out.extend_from_slice(&[kind as u8, VERSION]);
    put(out);
    let len = out.len() - start - RECORD_HEADER_LEN;
    let len = u32::try_from(len).expect("invariant: fields are bounded far below 4 GiB");
    out[start..start + RECORD_HEADER_LEN].copy_from_slice(&len.to_le_bytes());
}

#[cfg(test)]
mod tests;
