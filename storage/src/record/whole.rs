//! Intent and refusal: the records that begin a payment.

use router::fee::Fee;
use router::id::{AccountId, ParticipantId, PaymentId};
use router::limit::ReservedLimits;
use router::plan::Plan;
use router::record::{Attempt, Intent, Refused};
use router::reservation::{Counter, CounterKey, Hold, Keep, Reservation, Slot, SlotKey};
use router::time::Date;

use super::bytes::{
    Reader, put_i64, put_list, put_money, put_option, put_text, put_timestamp, put_u32, put_u64,
    put_u128,
};
use super::detail::put_detail;
use super::request::{identity, put_identity, put_request, request};
use super::steps::{posting, put_posting};
use super::{DecodeError, IntentHead, Kind, RefusedHead, begin, names};
use crate::seal::Sealer;

pub(super) fn put_intent(intent: &Intent, sealer: &Sealer, out: &mut Vec<u8>) {
    let Intent { payment, folio, at, request, plan, attempt } = intent;
    let Plan { business_date, routes, fees, total, postings, reservation, day_began: _, limits: _ } =
        plan;
    begin(Kind::Intent, out);
    put_u128(payment.0, out);
    put_u64(folio.number(), out);
    put_timestamp(*at, out);
    put_reservation(reservation, out);
    let same = (request.key, request.fingerprint) == (reservation.key, reservation.fingerprint);
    put_option((!same).then_some(request), out, |request, out| {
        put_identity(request.key, request.fingerprint, out);
    });
    put_request(request, *payment, sealer, out);
    put_u32(business_date.0.cast_unsigned(), out);
    put_list(routes, out, |route, out| put_text(&route.0, out));
    put_list(fees, out, put_fee);
    put_money(*total, out);
    put_list(postings, out, put_posting);
    put_attempt(attempt, out);
}

pub(super) fn intent_head(reader: &mut Reader<'_>) -> Result<IntentHead, DecodeError> {
    Ok(IntentHead {
        payment: PaymentId(reader.u128()?),
        folio: reader.folio()?,
        at: reader.timestamp()?,
        reservation: reservation(reader)?,
    })
}

pub(super) fn intent(reader: &mut Reader<'_>) -> Result<Intent, DecodeError> {
    let IntentHead { payment, folio, at, reservation } = intent_head(reader)?;
    let own = reader.option(identity)?;
    let (key, fingerprint) = own.unwrap_or((reservation.key, reservation.fingerprint));
    let request = request(reader, key, fingerprint)?;
    let plan = Plan {
        business_date: date(reader)?,
        routes: reader.list(|reader| reader.text().map(ParticipantId))?,
        fees: reader.list(fee)?,
        total: reader.money()?,
        postings: reader.list(posting)?,
        reservation,
        day_began: at,
        limits: ReservedLimits::default(),
    };
    Ok(Intent { payment, folio, at, request, plan, attempt: attempt(reader)? })
}

pub(super) fn put_refused(refused: &Refused, sealer: &Sealer, out: &mut Vec<u8>) {
    let Refused { payment, folio, at, business_date, request, reason, original, detail } = refused;
    begin(Kind::Refused, out);
    put_u128(payment.0, out);
    put_u64(folio.number(), out);
    put_timestamp(*at, out);
    put_identity(request.key, request.fingerprint, out);
    put_request(request, *payment, sealer, out);
    put_u32(business_date.0.cast_unsigned(), out);
    names::put_reason(*reason, out);
    put_option(original.as_ref(), out, |id, out| put_u128(id.0, out));
    put_option(detail.as_ref(), out, put_detail);
}

pub(super) fn refused_head(reader: &mut Reader<'_>) -> Result<RefusedHead, DecodeError> {
    let payment = PaymentId(reader.u128()?);
    let folio = reader.folio()?;
    let at = reader.timestamp()?;
    let (key, fingerprint) = identity(reader)?;
    Ok(RefusedHead { payment, folio, at, key, fingerprint })
}

pub(super) fn refused(reader: &mut Reader<'_>) -> Result<Refused, DecodeError> {
    let RefusedHead { payment, folio, at, key, fingerprint } = refused_head(reader)?;
    let request = request(reader, key, fingerprint)?;
    Ok(Refused {
        payment,
        folio,
        at,
        business_date: date(reader)?,
        request,
        reason: names::reason(reader)?,
        original: reader.option(|reader| reader.u128().map(PaymentId))?,
        detail: reader.option(super::detail::detail)?,
    })
}

pub(super) fn put_attempt(attempt: &Attempt, out: &mut Vec<u8>) {
    let Attempt { participant, stan, transmitted_at } = attempt;
    put_text(&participant.0, out);
    put_u32(stan.number(), out);
    put_text(transmitted_at, out);
}

pub(super) fn attempt(reader: &mut Reader<'_>) -> Result<Attempt, DecodeError> {
    Ok(Attempt {
        participant: ParticipantId(reader.text()?),
        stan: reader.stan()?,
        transmitted_at: reader.text()?,
    })
}

pub(crate) fn put_reservation(reservation: &Reservation, out: &mut Vec<u8>) {
    let Reservation { key, fingerprint, holds, counters, slots } = reservation;
    put_identity(*key, *fingerprint, out);
    put_list(holds, out, |hold, out| {
        let Hold { account, amount, floor_minor, reason } = hold;
        put_text(&account.0, out);
        put_money(*amount, out);
        put_i64(*floor_minor, out);
        names::put_reason(*reason, out);
    });
    put_list(counters, out, |counter, out| {
        let Counter { key, delta, ceiling, window_end, reason } = counter;
        put_u128(key.0, out);
        put_i64(*delta, out);
        put_i64(*ceiling, out);
        put_timestamp(*window_end, out);
        names::put_reason(*reason, out);
    });
    put_list(slots, out, |slot, out| {
        let Slot { key, keep, reason_while_open, reason_once_kept } = slot;
        put_u128(key.0, out);
        put_keep(*keep, out);
        names::put_reason(*reason_while_open, out);
        names::put_reason(*reason_once_kept, out);
    });
}

pub(crate) fn reservation(reader: &mut Reader<'_>) -> Result<Reservation, DecodeError> {
    let (key, fingerprint) = identity(reader)?;
    Ok(Reservation {
        key,
        fingerprint,
        holds: reader.list(|reader| {
            Ok(Hold {
                account: AccountId(reader.text()?),
                amount: reader.money()?,
                floor_minor: reader.i64()?,
                reason: names::reason(reader)?,
            })
        })?,
        counters: reader.list(|reader| {
            Ok(Counter {
                key: CounterKey(reader.u128()?),
                delta: reader.i64()?,
                ceiling: reader.i64()?,
                window_end: reader.timestamp()?,
                reason: names::reason(reader)?,
            })
        })?,
        slots: reader.list(|reader| {
            Ok(Slot {
                key: SlotKey(reader.u128()?),
                keep: keep(reader)?,
                reason_while_open: names::reason(reader)?,
                reason_once_kept: names::reason(reader)?,
            })
        })?,
    })
}

pub(crate) fn put_keep(keep: Keep, out: &mut Vec<u8>) {
    match keep {
        Keep::UntilOutcome => out.push(1),
        Keep::WhileApproved => out.push(2),
        Keep::Until(until) => {
            out.push(3);
            put_timestamp(until, out);
        }
    }
}

pub(crate) fn keep(reader: &mut Reader<'_>) -> Result<Keep, DecodeError> {
    let at = reader.at();
    match reader.u8()? {
        1 => Ok(Keep::UntilOutcome),
        2 => Ok(Keep::WhileApproved),
        3 => Ok(Keep::Until(reader.timestamp()?)),
        _ => Err(DecodeError::Value { field: "keep", at }),
    }
}

fn put_fee(fee: &Fee, out: &mut Vec<u8>) {
    let Fee { label, amount, borne_by, timing } = fee;
    put_text(label, out);
    put_money(*amount, out);
    names::put_bearer(*borne_by, out);
    names::put_timing(*timing, out);
}

fn fee(reader: &mut Reader<'_>) -> Result<Fee, DecodeError> {
    Ok(Fee {
        label: reader.text()?,
        amount: reader.money()?,
        borne_by: names::bearer(reader)?,
        timing: names::timing(reader)?,
    })
}

fn date(reader: &mut Reader<'_>) -> Result<Date, DecodeError> {
    reader.u32().map(|days| Date(days.cast_signed()))
}
