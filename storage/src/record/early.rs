//! A reversal whose original is not known.

use router::id::ParticipantId;
use router::message::EarlyReversal;

use super::bytes::{Reader, put_money, put_option, put_text, put_timestamp, put_u32};
use super::{DecodeError, Kind, begin};

pub(super) fn put(early: &EarlyReversal, out: &mut Vec<u8>) {
    begin(Kind::EarlyReversal, out);
    put_fields(early, out);
}

/// The same without a kind before it, as a snapshot keeps it.
pub(crate) fn put_fields(early: &EarlyReversal, out: &mut Vec<u8>) {
    let EarlyReversal { originator, at, until, stan, rrn, transmitted_at, terminal, amount } =
        early;
    put_text(&originator.0, out);
    put_timestamp(*at, out);
    put_timestamp(*until, out);
    put_option(stan.as_ref(), out, |stan, out| put_u32(stan.number(), out));
    put_text(rrn, out);
    put_text(transmitted_at, out);
    put_text(terminal, out);
    put_option(amount.as_ref(), out, |amount, out| put_money(*amount, out));
}

pub(crate) fn read(reader: &mut Reader<'_>) -> Result<EarlyReversal, DecodeError> {
    Ok(EarlyReversal {
        originator: ParticipantId(reader.text()?),
        at: reader.timestamp()?,
        until: reader.timestamp()?,
        stan: reader.option(Reader::stan)?,
        rrn: reader.text()?,
        transmitted_at: reader.text()?,
        terminal: reader.text()?,
        amount: reader.option(Reader::money)?,
    })
}
