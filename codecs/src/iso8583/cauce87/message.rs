//! A request of the profile as a canonical message.

use router::id::{ParticipantId, Stan};
use router::message::{
    Fingerprint, InquiryRequest, Message, NetworkKind, NetworkRequest, Original, Originator, Payer,
    PaymentRequest, Rail, ReversalRequest, Trace, Transient, iso_key,
};
use router::money::Money;
use router::reason::Reason;
use router::secret::{CardNumber, Pan, Secret};
use router::text::Text;

use super::private_data::PrivateData;
use super::reader::{Reader, digits};
use super::{MapError, Wire, WireKind, replacement};

/// Maps a request into the canonical message.
///
/// Shape:  `bytes` is the message `wire` was read from.
/// Errors: what is missing or makes no sense, with the reason to answer; an answer is no request.
pub fn to_message(
    wire: &Wire,
    bytes: &[u8],
    originator: ParticipantId,
) -> Result<Message, MapError> {
    let reader = Reader { index: &wire.index, bytes };
    match wire.kind {
        WireKind::PaymentRequest { .. } => payment(reader, originator).map(Message::Payment),
        WireKind::InquiryRequest { .. } => inquiry(reader, originator).map(Message::Inquiry),
        WireKind::ReversalRequest { is_advice, .. } => {
            reversal(reader, originator, is_advice).map(Message::Reversal)
        }
        WireKind::NetworkRequest => network(reader).map(Message::Network),
        WireKind::Unsupported { reason, .. } => Err(not_served(reader, reason)),
        WireKind::AdviceRequest { .. } => Err(not_served(reader, Reason::ServiceNotEnabled)),
        WireKind::PaymentAnswer
        | WireKind::AdviceAnswer
        | WireKind::ReversalAnswer { .. }
        | WireKind::NetworkAnswer => Err(reader.fault(Reason::FormatError, 0, "not a request")),
    }
}

/// A message type of the standard that is not served is one for its processing code.
fn not_served(reader: Reader<'_>, reason: Reason) -> MapError {
    match reason {
        Reason::ServiceNotEnabled if reader.bytes.starts_with(b"020") => {
            reader.fault(reason, 3, "processing code is not served")
        }
        _ => reader.fault(reason, 0, "message type is not served"),
    }
}

fn payment(reader: Reader<'_>, originator: ParticipantId) -> Result<Box<PaymentRequest>, MapError> {
    let rail = match &reader.required(3)?[..2] {
        b"51" => Rail::CashFloat,
        _ => Rail::Account,
    };
    let (stan, trace) = (reader.stan()?, trace(reader)?);
    let amount = reader.amount()?;
    let data = PrivateData::read(reader)?;
    let payer = payer(reader)?;
    if rail.missing_of(&payer).is_some() {
        return Err(reader.fault(Reason::FormatError, 2, "no payer is named (DE2, DE35 or DE102)"));
    }
    Ok(Box::new(PaymentRequest {
        originator: Originator::Participant(originator),
        key: iso_key(&originator, stan, &trace.transmitted_at, &trace.terminal, &trace.rrn),
        fingerprint: Fingerprint::UNSET,
        rail,
        amount,
        biller: data.biller,
        client: data.client,
        bill: data.bill,
        product: data.product,
        float_ref: data.float_ref,
        operator: data.operator,
        remaining_debt: data.remaining_debt.map(|minor| Money::new(minor, amount.currency)),
        payer,
        trace,
        reference: None,
        metadata: None,
        transient: transient(reader),
        sealed_texts: None,
    }))
}

fn trace(reader: Reader<'_>) -> Result<Trace, MapError> {
    Ok(Trace {
        mti: Text::from_ascii(&reader.index.mti()).unwrap_or_default(),
        processing_code: reader.text(3)?,
        stan: Some(reader.stan()?),
        transmitted_at: reader.transmission_time()?,
        local_time: reader.local_time()?,
        local_date: reader.local_date()?,
        merchant_category: reader.text(18)?,
        entry_mode: reader.text(22)?,
        condition_code: reader.text(25)?,
        acquirer: reader.text(32)?,
        rrn: reader.text(37)?,
        terminal: reader.text(41)?,
        merchant: reader.text(42)?,
        merchant_place: Text::EMPTY,
    })
}

fn payer(reader: Reader<'_>) -> Result<Payer, MapError> {
    Ok(Payer {
        card: card(reader)?,
        expiry: reader.expiry()?,
        account: reader.known_text(102)?,
        ..Payer::default()
    })
}

/// The card number of DE2, else the one in track 2.
fn card(reader: Reader<'_>) -> Result<Option<CardNumber>, MapError> {
    let of_track = || {
        let track = reader.field(35)?;
        let end = track.iter().position(|byte| matches!(byte, b'=' | b'D'))?;
        Some((35, &track[..end]))
    };
    let Some((field, number)) = reader.field(2).map(|number| (2, number)).or_else(of_track) else {
        return Ok(None);
    };
    let pan = Pan::new(number)
        .map_err(|_| reader.fault(Reason::CardInvalid, field, "not a card number"))?;
    Ok(Some(CardNumber::Clear(pan)))
}

fn transient(reader: Reader<'_>) -> Option<Box<Transient>> {
    let secret = |field| reader.field(field).map(Secret::new);
    let transient = Transient { track2: secret(35), pin_block: secret(52), chip: secret(55) };
    let Transient { track2, pin_block, chip } = &transient;
    (track2.is_some() || pin_block.is_some() || chip.is_some()).then(|| Box::new(transient))
}

fn reversal(
    reader: Reader<'_>,
    originator: ParticipantId,
    is_advice: bool,
) -> Result<Box<ReversalRequest>, MapError> {
    let (amount, amount_minor) = match (reader.field(4), reader.field(49)) {
        (Some(_), Some(_)) => (Some(reader.amount()?), None),
        (Some(_), None) => (None, Some(reader.amount_minor()?)),
        (None, Some(_)) | (None, None) => (None, None),
    };
    let (original, trace) = (original(reader)?, trace(reader)?);
    Ok(Box::new(ReversalRequest {
        originator: Originator::Participant(originator),
        original,
        trace,
        is_advice,
        amount,
        amount_minor,
        stands_minor: replacement::read(reader)?,
    }))
}

fn inquiry(reader: Reader<'_>, originator: ParticipantId) -> Result<Box<InquiryRequest>, MapError> {
    let (original, trace) = (original(reader)?, trace(reader)?);
    let originator = Originator::Participant(originator);
    Ok(Box::new(InquiryRequest { originator, original, trace }))
}

/// What names the payment meant: DE90, DE48 tag 10 and DE37, as far as they say something. The
/// message's own DE11, DE7 and DE41 may name it, too; they stand in its trace.
///
/// Shape: DE90 is MTI (4), STAN (6), transmission date and time (10), acquirer (11), forwarder
///        (11); zeros where the originator does not know.
fn original(reader: Reader<'_>) -> Result<Original, MapError> {
    let folio = PrivateData::read(reader)?.original_folio;
    let named = Original { folio, rrn: reader.text(37)?, ..Original::default() };
    let Some(elements) = reader.field(90) else { return Ok(named) };
    let stan = said(&elements[4..10]).and_then(digits);
    let stan = stan.and_then(|number| u32::try_from(number).ok()).and_then(Stan::new);
    Ok(Original {
        mti: element(reader, &elements[..4])?,
        stan,
        transmitted_at: element(reader, &elements[10..20])?,
        acquirer: element(reader, without_zeros(&elements[20..31]))?,
        ..named
    })
}

/// Part of DE90; nothing where it is filled with zeros.
fn element<const MAX: usize>(reader: Reader<'_>, part: &[u8]) -> Result<Text<MAX>, MapError> {
    Text::from_ascii(said(part).unwrap_or_default())
        .map_err(|_| reader.fault(Reason::FormatError, 90, "not printable"))
}

fn said(part: &[u8]) -> Option<&[u8]> {
    let part = part.trim_ascii();
    part.iter().any(|byte| *byte != b'0').then_some(part)
}

/// A number without the zeros before it.
fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    &digits[zeros..]
}

fn network(reader: Reader<'_>) -> Result<NetworkRequest, MapError> {
    reader.required(11)?;
    let kind = NetworkKind::from_code(reader.required(70)?)
        .ok_or_else(|| reader.fault(Reason::ServiceNotEnabled, 70, "not a known function"))?;
    // Whether a sign-on needs DE32 is for the line to say: on some the participant is known.
    Ok(NetworkRequest { kind, acquirer: reader.text(32)? })
}

#[cfg(test)]
mod tests;
