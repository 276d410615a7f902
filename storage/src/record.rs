//! How a record becomes bytes, and back: our own compact encoding, one version byte a record.
//!
//! ```text
//! record  = length u32 · body                      (length of the body; little-endian)
//! body    = kind u8 · version u8 · fields          (fixed order, no names)
//! ```
//! A record of a payment has the payment's id first, and an intent its reservation next, so that
//! replay reads no further than the guard needs. Card numbers are sealed here and data that may
//! not be kept is left out. Decoding trusts no byte: lengths are held against what is left
//! before anything is allocated.

pub(crate) mod bytes;
mod detail;
pub(crate) mod early;
mod lists;
mod names;
mod request;
mod steps;
mod whole;

use router::id::{Folio, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::record::{LateAnswer, Record, Reversal};
use router::reservation::Reservation;
use router::time::Timestamp;

use crate::seal::Sealer;
use bytes::{Reader, put_u32};
pub use lists::LIST_LEN_MAX;
pub(crate) use lists::{ListTooLong, check_intent, check_lists};
pub(crate) use names::{notice_type, put_notice_type};
pub(crate) use whole::{keep, put_keep};

/// Version of the encoding that is written.
const VERSION: u8 = 1;
/// Bytes before a record's body.
pub const RECORD_HEADER_LEN: usize = 4;

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("record ends at byte {at}")]
    Truncated {
        /// Where more was expected.
        at: usize,
    },
    /// A field has a value it cannot have.
    #[error("record holds no valid {field} at byte {at}")]
    Value {
        /// The field.
        field: &'static str,
        /// Where it starts.
        at: usize,
    },
    /// No record has this kind.
    #[error("no record has kind {kind}")]
    Kind {
        /// The kind byte.
        kind: u8,
    },
    /// Written by a later version.
    #[error("record has version {version}")]
    Version {
        /// The version byte.
        version: u8,
    },
    /// More bytes than the record has fields.
    #[error("{len} bytes follow the record")]
    Trailing {
        /// How many.
        len: usize,
    },
}

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
    Endpoint = 8,
    NoticeMark = 9,
    EarlyReversal = 10,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Intent,
        Self::Refused,
        Self::Rerouted,
        Self::Outcome,
        Self::Reversal,
        Self::LateAnswer,
        Self::Account,
        Self::Endpoint,
        Self::NoticeMark,
        Self::EarlyReversal,
    ];

    fn of_byte(byte: u8) -> Result<Self, DecodeError> {
        let found = Self::ALL.into_iter().find(|kind| *kind as u8 == byte);
        found.ok_or(DecodeError::Kind { kind: byte })
    }
}

/// What replay needs of an intent.
pub(crate) struct IntentHead {
    pub payment: PaymentId,
    pub folio: Folio,
    pub at: Timestamp,
    pub reservation: Reservation,
}

/// What replay needs of a refusal.
pub(crate) struct RefusedHead {
    pub payment: PaymentId,
    pub folio: Folio,
    pub at: Timestamp,
    pub key: IdempotencyKey,
    pub fingerprint: Fingerprint,
}

/// Appends a record, with its length before it; its lists have at most [`LIST_LEN_MAX`] items.
pub fn encode(record: &Record, sealer: &Sealer, out: &mut Vec<u8>) {
    framed(out, |out| match record {
        Record::Intent(intent) => whole::put_intent(intent, sealer, out),
        Record::Refused(refused) => whole::put_refused(refused, sealer, out),
        Record::Rerouted(rerouted) => steps::put_rerouted(rerouted, out),
        Record::Outcome(concluded) => steps::put_concluded(concluded, out),
        Record::Reversal(reversal) => steps::put_reversal(reversal, None, out),
        Record::LateAnswer(late) => steps::put_late(late, None, out),
        Record::Account(movement) => steps::put_movement(movement, out),
        Record::Endpoint(endpoint) => steps::put_endpoint(endpoint, out),
        Record::NoticeMark(mark) => steps::put_mark(mark, out),
        Record::EarlyReversal(early) => early::put(early, out),
    });
}

pub(crate) fn encode_intent(intent: &router::record::Intent, sealer: &Sealer, out: &mut Vec<u8>) {
    framed(out, |out| whole::put_intent(intent, sealer, out));
}

pub(crate) fn encode_refused(
    refused: &router::record::Refused,
    sealer: &Sealer,
    out: &mut Vec<u8>,
) {
    framed(out, |out| whole::put_refused(refused, sealer, out));
}

/// An endpoint's body, without a length before it.
pub(crate) fn put_endpoint_body(endpoint: &router::record::Endpoint, out: &mut Vec<u8>) {
    steps::put_endpoint(endpoint, out);
}

/// A record that opens a closed payment again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reopening<'a> {
    /// A reversal that its originator wants.
    Reversal(&'a Reversal),
    /// A late answer that owes a reversal.
    LateAnswer(&'a LateAnswer),
}

/// A record that opens a closed payment again carries the payment's history, so that replay finds
/// all it needs in the journal.
pub(crate) fn encode_reopening(reopening: Reopening<'_>, history: &[u8], out: &mut Vec<u8>) {
    framed(out, |out| match reopening {
        Reopening::Reversal(reversal) => steps::put_reversal(reversal, Some(history), out),
        Reopening::LateAnswer(late) => steps::put_late(late, Some(history), out),
    });
}

/// The history that the body of a record carries; none where it opens nothing again.
pub(crate) fn reopened_history(body: &[u8]) -> Result<Option<&[u8]>, DecodeError> {
    let (kind, mut reader) = open(body)?;
    match kind {
        Kind::Reversal => steps::reversal(&mut reader).map(|(_, history)| history),
        Kind::LateAnswer => steps::late(&mut reader).map(|(_, history)| history),
        Kind::Intent
        | Kind::Refused
        | Kind::Rerouted
        | Kind::Outcome
        | Kind::Account
        | Kind::Endpoint
        | Kind::NoticeMark
        | Kind::EarlyReversal => Ok(None),
    }
}

/// Appends the body of a record without the history that it carries.
pub(crate) fn put_without_history(body: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    match (reopened_history(body)?, decode(body)?) {
        (Some(_), Record::Reversal(reversal)) => steps::put_reversal(&reversal, None, out),
        (Some(_), Record::LateAnswer(late)) => steps::put_late(&late, None, out),
        (Some(_) | None, _) => out.extend_from_slice(body),
    }
    Ok(())
}

/// Reads the body of a record.
///
/// Errors: [`DecodeError`]; never panics, whatever the bytes.
pub fn decode(body: &[u8]) -> Result<Record, DecodeError> {
    let (kind, mut reader) = open(body)?;
    let reader_ref = &mut reader;
    let record = match kind {
        Kind::Intent => Record::Intent(Box::new(whole::intent(reader_ref)?)),
        Kind::Refused => Record::Refused(Box::new(whole::refused(reader_ref)?)),
        Kind::Rerouted => Record::Rerouted(steps::rerouted(reader_ref)?),
        Kind::Outcome => Record::Outcome(Box::new(steps::concluded(reader_ref)?)),
        Kind::Reversal => Record::Reversal(steps::reversal(reader_ref)?.0),
        Kind::LateAnswer => Record::LateAnswer(steps::late(reader_ref)?.0),
        Kind::Account => Record::Account(steps::movement(reader_ref)?),
        Kind::Endpoint => Record::Endpoint(steps::endpoint(reader_ref)?),
        Kind::NoticeMark => Record::NoticeMark(steps::mark(reader_ref)?),
        Kind::EarlyReversal => Record::EarlyReversal(early::read(reader_ref)?),
    };
    reader.finish()?;
    Ok(record)
}

/// The kind of a record's body.
pub(crate) fn kind_of(body: &[u8]) -> Result<Kind, DecodeError> {
    open(body).map(|(kind, _)| kind)
}

/// What replay needs of an intent's body.
pub(crate) fn intent_head(body: &[u8]) -> Result<IntentHead, DecodeError> {
    let (_, mut reader) = open(body)?;
    whole::intent_head(&mut reader)
}

/// What replay needs of a refusal's body.
pub(crate) fn refused_head(body: &[u8]) -> Result<RefusedHead, DecodeError> {
    let (_, mut reader) = open(body)?;
    whole::refused_head(&mut reader)
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
        let mut reader = Reader::new(self.rest);
        let body = reader.u32().and_then(|len| reader.take(bytes::to_usize(len)));
        self.rest = if body.is_ok() { reader.rest() } else { &[] };
        Some(body)
    }
}

fn open(body: &[u8]) -> Result<(Kind, Reader<'_>), DecodeError> {
    let mut reader = Reader::new(body);
    let kind = Kind::of_byte(reader.u8()?)?;
    let version = reader.u8()?;
    if version != VERSION {
        return Err(DecodeError::Version { version });
    }
    Ok((kind, reader))
}

fn begin(kind: Kind, out: &mut Vec<u8>) {
    out.push(kind as u8);
    out.push(VERSION);
}

fn framed(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put_u32(0, out);
    put(out);
    let len = out.len() - start - RECORD_HEADER_LEN;
    let len = u32::try_from(len).expect("invariant: fields are bounded far below 4 GiB");
    out[start..start + RECORD_HEADER_LEN].copy_from_slice(&len.to_le_bytes());
}

#[cfg(test)]
mod tests;
