//! Intent and refusal: the records that begin a payment.

use router::bill::PlannedBill;
use router::detail::{Detail, ReservedLimits};
use router::fee::Fees;
use router::id::{Folio, PaymentId};
use router::message::{Fingerprint, IdempotencyKey, PaymentRequest};
use router::money::Money;
use router::plan::{Plan, Routes};
use router::posting::Entry;
use router::reason::Reason;
use router::record::{Attempt, Intent, Refused};
use router::reservation::Reservation;
use router::time::{Date, Timestamp};

use super::DecodeError;
use super::field::{Field, FieldFate, ValueReader, ValueWriter, fields};
use crate::seal::Sealer;
use crate::withheld;

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

/// What the rows of a payment are made of.
pub(crate) struct IntentRequest {
    pub payment: PaymentId,
    pub folio: Folio,
    pub business_date: Date,
    pub request: PaymentRequest,
}

/// The request's own key and fingerprint, as its originator would give them again.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RequestIdentity {
    key: IdempotencyKey,
    fingerprint: Fingerprint,
}

fields!(RequestIdentity { 0 => key, 1 => fingerprint });

/// The number of the field behind which an intent's head ends.
const RESERVATION: u64 = 3;
/// The same of a refusal.
const IDENTITY: u64 = 3;
/// The number of the field behind which stands nothing of an intent that rows are made of.
const BUSINESS_DATE: u64 = 6;

/// Tells whether the request is kept as it came.
pub(super) fn put_intent(intent: &Intent, sealer: &Sealer, out: &mut Vec<u8>) -> bool {
    let Intent { payment, folio, at, request, plan, attempt } = intent;
    let Plan { business_date, routes, fees, total, entry, reservation, rules_version, .. } = plan;
    let bill = &plan.bill;
    let rules_version = (*rules_version != 0).then_some(*rules_version);
    let identity = RequestIdentity { key: request.key, fingerprint: request.fingerprint };
    let reserved = RequestIdentity { key: reservation.key, fingerprint: reservation.fingerprint };
    let masked = withheld::masked(request, *payment, sealer);
    ValueWriter::sealing(out, sealer, *payment).map(|out| {
        out.field(0, payment);
        out.field(1, folio);
        out.field(2, at);
        out.field(3, reservation);
        out.field(4, &(identity != reserved).then_some(identity));
        out.field(5, masked.as_ref().unwrap_or(request));
        out.field(6, business_date);
        out.field(7, routes);
        out.field(8, fees);
        out.field(9, total);
        out.field(10, entry);
        out.field(11, attempt);
        out.field(12, &rules_version);
        out.field(13, bill);
    });
    masked.is_none()
}

pub(super) fn intent_head(reader: &mut ValueReader<'_>) -> Result<IntentHead, DecodeError> {
    let (mut payment, mut folio, mut at, mut reservation) = (None, None, None, None);
    reader.map(|number, reader| {
        match number {
            0 => payment = Some(Field::read(reader)?),
            1 => folio = Some(Field::read(reader)?),
            2 => at = Some(Field::read(reader)?),
            RESERVATION => {
                reservation = Some(Field::read(reader)?);
                return Ok(FieldFate::Enough);
            }
            _ => return Ok(FieldFate::Unknown),
        }
        Ok(FieldFate::Known)
    })?;
    Ok(IntentHead {
        payment: there(payment, "payment")?,
        folio: there(folio, "folio")?,
        at: there(at, "at")?,
        reservation: there(reservation, "reservation")?,
    })
}

pub(super) fn intent_request(reader: &mut ValueReader<'_>) -> Result<IntentRequest, DecodeError> {
    let (mut payment, mut folio, mut business_date) = (None, None, None);
    let (mut reservation, mut identity, mut request) =
        (None::<Reservation>, None::<RequestIdentity>, None);
    reader.map(|number, reader| {
        match number {
            0 => payment = Some(Field::read(reader)?),
            1 => folio = Some(Field::read(reader)?),
            RESERVATION => reservation = Some(Field::read(reader)?),
            4 => identity = Field::read(reader)?,
            5 => request = Some(Field::read(reader)?),
            BUSINESS_DATE => {
                business_date = Some(Field::read(reader)?);
                return Ok(FieldFate::Enough);
            }
            _ => return Ok(FieldFate::Unknown),
        }
        Ok(FieldFate::Known)
    })?;
    let Reservation { key, fingerprint, .. } = there(reservation, "reservation")?;
    let RequestIdentity { key, fingerprint } =
        identity.unwrap_or(RequestIdentity { key, fingerprint });
    let request: PaymentRequest = there(request, "request")?;
    Ok(IntentRequest {
        payment: there(payment, "payment")?,
        folio: there(folio, "folio")?,
        business_date: there(business_date, "business date")?,
        request: PaymentRequest { key, fingerprint, ..request },
    })
}

/// The fields of an intent, as they are read; [`put_intent`] writes the same numbers.
struct IntentFields {
    payment: PaymentId,
    folio: Folio,
    at: Timestamp,
    reservation: Reservation,
    identity: Option<RequestIdentity>,
    request: PaymentRequest,
    business_date: Date,
    routes: Routes,
    fees: Fees,
    total: Money,
    entry: Entry,
    attempt: Attempt,
    rules_version: Option<u64>,
    bill: Option<PlannedBill>,
}

fields!(read intent_fields, IntentFields {
    0 => payment,
    1 => folio,
    2 => at,
    3 => reservation,
    4 => identity,
    5 => request,
    6 => business_date,
    7 => routes,
    8 => fees,
    9 => total,
    10 => entry,
    11 => attempt,
    12 => rules_version,
    13 => bill,
});

pub(super) fn intent(reader: &mut ValueReader<'_>) -> Result<Intent, DecodeError> {
    let read = intent_fields(reader)?;
    let IntentFields { payment, folio, at, reservation, identity, request, .. } = read;
    let reserved = RequestIdentity { key: reservation.key, fingerprint: reservation.fingerprint };
    let RequestIdentity { key, fingerprint } = identity.unwrap_or(reserved);
    let IntentFields { business_date, routes, fees, total, entry, attempt, .. } = read;
    let rules_version = read.rules_version.unwrap_or_default();
    let plan = Plan {
        business_date,
        routes,
        fees,
        total,
        entry,
        reservation,
        day_began: at,
        limits: ReservedLimits::default(),
        rules_version,
        bill: read.bill,
    };
    let request = PaymentRequest { key, fingerprint, ..request };
    Ok(Intent { payment, folio, at, request, plan, attempt })
}

pub(super) fn put_refused(refused: &Refused, sealer: &Sealer, out: &mut Vec<u8>) {
    let Refused { payment, folio, at, business_date, request, reason, .. } = refused;
    let masked = withheld::masked(request, *payment, sealer);
    ValueWriter::sealing(out, sealer, *payment).map(|out| {
        out.field(0, payment);
        out.field(1, folio);
        out.field(2, at);
        out.field(3, &RequestIdentity { key: request.key, fingerprint: request.fingerprint });
        out.field(4, masked.as_ref().unwrap_or(request));
        out.field(5, business_date);
        out.field(6, reason);
        out.field(7, &refused.original);
        out.field(8, &refused.detail);
        out.field(9, &refused.bill);
    });
}

pub(super) fn refused_head(reader: &mut ValueReader<'_>) -> Result<RefusedHead, DecodeError> {
    let (mut payment, mut folio, mut at, mut identity) =
        (None, None, None, None::<RequestIdentity>);
    reader.map(|number, reader| {
        match number {
            0 => payment = Some(Field::read(reader)?),
            1 => folio = Some(Field::read(reader)?),
            2 => at = Some(Field::read(reader)?),
            IDENTITY => {
                identity = Some(Field::read(reader)?);
                return Ok(FieldFate::Enough);
            }
            _ => return Ok(FieldFate::Unknown),
        }
        Ok(FieldFate::Known)
    })?;
    let RequestIdentity { key, fingerprint } = there(identity, "identity")?;
    Ok(RefusedHead {
        payment: there(payment, "payment")?,
        folio: there(folio, "folio")?,
        at: there(at, "at")?,
        key,
        fingerprint,
    })
}

/// The fields of a refusal, as they are read; [`put_refused`] writes the same numbers.
struct RefusedFields {
    payment: PaymentId,
    folio: Folio,
    at: Timestamp,
    identity: RequestIdentity,
    request: PaymentRequest,
    business_date: Date,
    reason: Reason,
    original: Option<PaymentId>,
    detail: Option<Detail>,
    bill: Option<PlannedBill>,
}

fields!(read refused_fields, RefusedFields {
    0 => payment,
    1 => folio,
    2 => at,
    3 => identity,
    4 => request,
    5 => business_date,
    6 => reason,
    7 => original,
    8 => detail,
    9 => bill,
});

pub(super) fn refused(reader: &mut ValueReader<'_>) -> Result<Refused, DecodeError> {
    let read = refused_fields(reader)?;
    let RefusedFields { payment, folio, at, identity, request, .. } = read;
    let RequestIdentity { key, fingerprint } = identity;
    let RefusedFields { business_date, reason, original, detail, bill, .. } = read;
    let request = PaymentRequest { key, fingerprint, ..request };
    Ok(Refused { payment, folio, at, business_date, request, reason, original, detail, bill })
}

fn there<T>(value: Option<T>, field: &'static str) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { field })
}
