//! The records that follow, and those that belong to no payment.

use router::id::{AccountId, BillerId, EndpointId, PaymentId};
use router::outcome::{Approval, Decline, Outcome};
use router::posting::Posting;
use router::record::{
    AccountMovement, Concluded, Endpoint, LateAnswer, NoticeMark, PartConfirmed, PartOwed,
    Rerouted, Reversal, ReversalCause, ReversalStep,
};

use super::bytes::{
    Reader, put_blob, put_i64, put_list, put_money, put_option, put_text, put_timestamp, put_u64,
    put_u128,
};
use super::whole::{attempt, put_attempt};
use super::{DecodeError, Kind, begin, names};

pub(super) fn put_rerouted(rerouted: &Rerouted, out: &mut Vec<u8>) {
    let Rerouted { payment, at, attempt } = rerouted;
    begin(Kind::Rerouted, out);
    put_u128(payment.0, out);
    put_timestamp(*at, out);
    put_attempt(attempt, out);
}

pub(super) fn rerouted(reader: &mut Reader<'_>) -> Result<Rerouted, DecodeError> {
    let payment = PaymentId(reader.u128()?);
    Ok(Rerouted { payment, at: reader.timestamp()?, attempt: attempt(reader)? })
}

pub(super) fn put_concluded(concluded: &Concluded, out: &mut Vec<u8>) {
    let Concluded { payment, at, outcome, postings } = concluded;
    begin(Kind::Outcome, out);
    put_u128(payment.0, out);
    put_timestamp(*at, out);
    put_outcome(outcome, out);
    put_list(postings, out, put_posting);
}

pub(super) fn concluded(reader: &mut Reader<'_>) -> Result<Concluded, DecodeError> {
    Ok(Concluded {
        payment: PaymentId(reader.u128()?),
        at: reader.timestamp()?,
        outcome: outcome(reader)?,
        postings: reader.list(posting)?,
    })
}

/// The history is that of a payment which was closed: what replay needs to open it again.
pub(super) fn put_reversal(reversal: &Reversal, history: Option<&[u8]>, out: &mut Vec<u8>) {
    let Reversal { payment, at, step } = reversal;
    begin(Kind::Reversal, out);
    put_u128(payment.0, out);
    put_timestamp(*at, out);
    match step {
        ReversalStep::Owed(ReversalCause::Unknown(cause)) => {
            out.push(1);
            names::put_cause(*cause, out);
        }
        ReversalStep::Owed(ReversalCause::Asked) => out.push(2),
        ReversalStep::Confirmed { response_code } => {
            out.push(3);
            out.extend_from_slice(response_code);
        }
        ReversalStep::Owed(ReversalCause::LateAnswer) => out.push(4),
        ReversalStep::PartOwed(part) => put_part_owed(part, out),
        ReversalStep::PartConfirmed(part) => put_part_confirmed(part, out),
    }
    put_option(history.as_ref(), out, |history, out| put_blob(history, out));
}

pub(super) fn reversal<'a>(
    reader: &mut Reader<'a>,
) -> Result<(Reversal, Option<&'a [u8]>), DecodeError> {
    let payment = PaymentId(reader.u128()?);
    let at = reader.timestamp()?;
    let position = reader.at();
    let step = match reader.u8()? {
        1 => ReversalStep::Owed(ReversalCause::Unknown(names::cause(reader)?)),
        2 => ReversalStep::Owed(ReversalCause::Asked),
        3 => ReversalStep::Confirmed { response_code: reader.array()? },
        4 => ReversalStep::Owed(ReversalCause::LateAnswer),
        5 => ReversalStep::PartOwed(part_owed(reader)?),
        6 => ReversalStep::PartConfirmed(part_confirmed(reader)?),
        _ => return Err(DecodeError::Value { field: "reversal step", at: position }),
    };
    let history = reader.option(Reader::blob)?;
    Ok((Reversal { payment, at, step }, history))
}

fn put_part_owed(part: &PartOwed, out: &mut Vec<u8>) {
    let PartOwed { amount_minor, from_minor, stands_minor, key } = part;
    out.push(5);
    put_i64(*amount_minor, out);
    put_i64(*from_minor, out);
    put_i64(*stands_minor, out);
    put_option(key.as_ref(), out, |key, out| put_u128(*key, out));
}

fn part_owed(reader: &mut Reader<'_>) -> Result<PartOwed, DecodeError> {
    Ok(PartOwed {
        amount_minor: reader.i64()?,
        from_minor: reader.i64()?,
        stands_minor: reader.i64()?,
        key: reader.option(Reader::u128)?,
    })
}

fn put_part_confirmed(part: &PartConfirmed, out: &mut Vec<u8>) {
    let PartConfirmed { stands_minor, response_code, postings } = part;
    out.push(6);
    put_i64(*stands_minor, out);
    out.extend_from_slice(response_code);
    postings.iter().for_each(|line| put_posting(line, out));
}

fn part_confirmed(reader: &mut Reader<'_>) -> Result<PartConfirmed, DecodeError> {
    Ok(PartConfirmed {
        stands_minor: reader.i64()?,
        response_code: reader.array()?,
        postings: [posting(reader)?, posting(reader)?],
    })
}

/// The history is that of a payment which was closed and owes a reversal now.
pub(super) fn put_late(late: &LateAnswer, history: Option<&[u8]>, out: &mut Vec<u8>) {
    let LateAnswer { payment, at, outcome } = late;
    begin(Kind::LateAnswer, out);
    put_u128(payment.0, out);
    put_timestamp(*at, out);
    put_outcome(outcome, out);
    put_option(history.as_ref(), out, |history, out| put_blob(history, out));
}

pub(super) fn late<'a>(
    reader: &mut Reader<'a>,
) -> Result<(LateAnswer, Option<&'a [u8]>), DecodeError> {
    let payment = PaymentId(reader.u128()?);
    let late = LateAnswer { payment, at: reader.timestamp()?, outcome: outcome(reader)? };
    let history = reader.option(Reader::blob)?;
    Ok((late, history))
}

pub(super) fn put_movement(movement: &AccountMovement, out: &mut Vec<u8>) {
    let AccountMovement { account, at, delta } = movement;
    begin(Kind::Account, out);
    put_text(&account.0, out);
    put_timestamp(*at, out);
    put_money(*delta, out);
}

pub(super) fn movement(reader: &mut Reader<'_>) -> Result<AccountMovement, DecodeError> {
    let account = AccountId(reader.text()?);
    Ok(AccountMovement { account, at: reader.timestamp()?, delta: reader.money()? })
}

pub(super) fn put_endpoint(endpoint: &Endpoint, out: &mut Vec<u8>) {
    let Endpoint { id, biller, at, url, sealed_secret, key_name, types } = endpoint;
    begin(Kind::Endpoint, out);
    put_u128(id.0, out);
    put_text(&biller.0, out);
    put_timestamp(*at, out);
    put_option(url.as_ref(), out, |url, out| put_blob(url.as_bytes(), out));
    put_blob(sealed_secret, out);
    put_blob(key_name.as_bytes(), out);
    put_list(types, out, |kind, out| names::put_notice_type(*kind, out));
}

pub(super) fn endpoint(reader: &mut Reader<'_>) -> Result<Endpoint, DecodeError> {
    Ok(Endpoint {
        id: EndpointId(reader.u128()?),
        biller: BillerId(reader.text()?),
        at: reader.timestamp()?,
        url: reader.option(Reader::string)?,
        sealed_secret: reader.blob()?.into(),
        key_name: reader.string()?,
        types: reader.list(names::notice_type)?,
    })
}

pub(super) fn put_mark(mark: &NoticeMark, out: &mut Vec<u8>) {
    let NoticeMark { endpoint, through } = mark;
    begin(Kind::NoticeMark, out);
    put_u128(endpoint.0, out);
    put_u64(*through, out);
}

pub(super) fn mark(reader: &mut Reader<'_>) -> Result<NoticeMark, DecodeError> {
    Ok(NoticeMark { endpoint: EndpointId(reader.u128()?), through: reader.u64()? })
}

pub(super) fn put_posting(posting: &Posting, out: &mut Vec<u8>) {
    let Posting { account, side, amount } = posting;
    put_text(&account.0, out);
    names::put_side(*side, out);
    put_money(*amount, out);
}

pub(super) fn posting(reader: &mut Reader<'_>) -> Result<Posting, DecodeError> {
    Ok(Posting {
        account: AccountId(reader.text()?),
        side: names::side(reader)?,
        amount: reader.money()?,
    })
}

fn put_outcome(outcome: &Outcome, out: &mut Vec<u8>) {
    match outcome {
        Outcome::Approved(Approval { authorisation, bank_reference }) => {
            out.push(1);
            put_text(authorisation, out);
            put_text(bank_reference, out);
        }
        Outcome::Declined(Decline { reason, network_code }) => {
            out.push(2);
            names::put_reason(*reason, out);
            put_option(network_code.as_ref(), out, |code, out| out.extend_from_slice(code));
        }
        Outcome::Unknown(cause) => {
            out.push(3);
            names::put_cause(*cause, out);
        }
    }
}

fn outcome(reader: &mut Reader<'_>) -> Result<Outcome, DecodeError> {
    let at = reader.at();
    match reader.u8()? {
        1 => Ok(Outcome::Approved(Approval {
            authorisation: reader.text()?,
            bank_reference: reader.text()?,
        })),
        2 => Ok(Outcome::Declined(Decline {
            reason: names::reason(reader)?,
            network_code: reader.option(Reader::array)?,
        })),
        3 => Ok(Outcome::Unknown(names::cause(reader)?)),
        _ => Err(DecodeError::Value { field: "outcome", at }),
    }
}
