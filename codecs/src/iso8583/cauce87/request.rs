//! Asking a participant.

mod later;

use bytes::{BufMut, BytesMut};
use router::exchange::{Ask, RequestTrace, Undo};
use router::fee::{Bearer, Fee, FeeTiming};
use router::id::{Folio, Stan};
use router::message::{Acceptor, NetworkKind, PaymentRequest, Rail, Trace, Transient};
use router::secret::{CardNumber, Pan, Secret};
use router::text::Text;
use router::time::Date;

use super::private_data::{self, FIELD as PRIVATE_DATA};
use super::{Repeat, repeat_digit, replacement};
use crate::error::PackError;
use crate::iso8583::pack::Packer;
use crate::iso8583::spec::Spec;

pub use later::{inquiry_request, refund_request};

/// The payer's account.
const PAYER_ACCOUNT: u8 = 102;

/// How the switch presents itself in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    /// The switch's own institution code (DE32), digits.
    pub acquirer: Text<11>,
    /// Whether the very same request went out before.
    pub repeat: Repeat,
    /// How the payment's acceptor is presented where the request does not say.
    pub acceptor: Acceptor,
}

/// Appends the request that carries out a payment (0200, 0201).
///
/// Shape:  DE4 is what the payee receives, DE28 the payer's fee on top of it; DE11 and DE7 name the
///         request, DE37 is the folio.
/// Errors: a card number that is sealed, a payer whom the message could not name, or a value that
///         does not fit; nothing is appended then.
pub fn payment_request(
    ask: &Ask<'_>,
    named: &RequestTrace,
    asking: Asking,
    out: &mut BytesMut,
) -> Result<(), PackError> {
    let request = ask.request;
    let card = match &request.payer.card {
        Some(CardNumber::Clear(pan)) => Some(pan),
        Some(CardNumber::Sealed(_)) => return Err(PackError::CardSealed),
        None => None,
    };
    let (trace, payer) = (request.trace.presenting(&asking.acceptor), &request.payer);
    if request.rail.debits_named_payer() && card.is_none() && payer.account.is_none() {
        // A telephone or a document has no place in the profile: the bank would not know who pays.
        return Err(PackError::Missing { field: PAYER_ACCOUNT });
    }
    let secret = |of: fn(&Transient) -> &Option<Secret>| {
        request.transient.as_deref().and_then(|kept| of(kept).as_ref()).map(Secret::expose)
    };
    let mti = [b'0', b'2', b'0', repeat_digit(asking.repeat)];
    let mut packer = Packer::begin(Spec::cauce87(), mti, out);
    put_head(&mut packer, request, card, named)?;
    packer.put_opt(14, payer.expiry.as_ref().map(Text::as_bytes))?;
    put_business_date(&mut packer, ask.plan.business_date)?;
    packer.put_known(18, trace.merchant_category.as_bytes())?;
    packer.put_known(22, trace.entry_mode.as_bytes())?;
    packer.put_known(25, trace.condition_code.as_bytes())?;
    put_fee(&mut packer, &ask.plan.fees)?;
    packer.put(32, asking.acquirer.as_bytes())?;
    packer.put_opt(35, secret(|kept| &kept.track2))?;
    put_place(&mut packer, ask.folio, &trace)?;
    packer.put_with(PRIVATE_DATA, |out| private_data::write(request, out))?;
    packer.put_number(49, request.amount.currency.numeric().into())?;
    packer.put_opt(52, secret(|kept| &kept.pin_block))?;
    packer.put_opt(55, secret(|kept| &kept.chip))?;
    packer.put_opt(PAYER_ACCOUNT, payer.account.as_ref().map(Text::as_bytes))?;
    packer.finish();
    Ok(())
}

/// The field of the canonical request, in JSON terms, that a data element is written from; none where
/// it is not written from one field.
pub fn request_field(data_element: u8) -> Option<&'static str> {
    match data_element {
        2 | 35 => Some("payer.card"),
        3 => Some("rail"),
        4 | 49 => Some("amount"),
        14 => Some("payer.card.expiry"),
        41 => Some("terminal"),
        PAYER_ACCOUNT => Some("payer.account"),
        _ => None,
    }
}

/// What a reversal advice tells.
#[derive(Debug, Clone, Copy)]
pub struct ReversalAdvice<'a> {
    /// What is undone.
    pub undo: &'a Undo<'a>,
    /// What names the request that is undone (DE90).
    pub original: RequestTrace,
    /// What names the advice itself (DE11, DE7); the same in each repeat.
    pub own: RequestTrace,
}

/// Appends the advice that a payment, or a part of it, is to be undone (0420, 0421).
///
/// Shape:  DE4 is the original's amount; DE95 is there where something is to stand.
/// Errors: a value that does not fit; nothing is appended then.
pub fn reversal_advice(
    advice: &ReversalAdvice<'_>,
    asking: Asking,
    out: &mut BytesMut,
) -> Result<(), PackError> {
    let undo = advice.undo;
    let request = undo.request;
    let mti = [b'0', b'4', b'2', repeat_digit(asking.repeat)];
    let mut packer = Packer::begin(Spec::cauce87(), mti, out);
    put_head(&mut packer, request, undo.card, &advice.own)?;
    put_business_date(&mut packer, undo.business_date)?;
    packer.put(32, asking.acquirer.as_bytes())?;
    put_place(&mut packer, undo.folio, &request.trace.presenting(&asking.acceptor))?;
    packer.put_number(49, request.amount.currency.numeric().into())?;
    packer.put(90, &original_elements(&advice.original, &asking.acquirer))?;
    if let Some(stands_minor) = undo.stands_minor {
        let element = u64::try_from(stands_minor).ok().and_then(replacement::element);
        packer.put(95, &element.ok_or(PackError::Missing { field: 95 })?)?;
    }
    packer.finish();
    Ok(())
}

/// Appends the request of a payment that is known by its records alone, as far as an answer repeats
/// it: what [`super::contradiction`] holds a late answer against. It is never sent.
///
/// Shape:  STAN and time are those that it had.
pub fn original_request(
    undo: &Undo<'_>,
    named: &RequestTrace,
    asking: Asking,
    out: &mut BytesMut,
) -> Result<(), PackError> {
    let request = undo.request;
    let mti = [b'0', b'2', b'0', repeat_digit(asking.repeat)];
    let mut packer = Packer::begin(Spec::cauce87(), mti, out);
    put_head(&mut packer, request, undo.card, named)?;
    packer.put(32, asking.acquirer.as_bytes())?;
    put_place(&mut packer, undo.folio, &request.trace.presenting(&asking.acceptor))?;
    packer.put_number(49, request.amount.currency.numeric().into())?;
    packer.put_opt(102, request.payer.account.as_ref().map(Text::as_bytes))?;
    packer.finish();
    Ok(())
}

/// Appends a network management request (0800).
pub fn network_request(
    kind: NetworkKind,
    stan: Stan,
    transmitted_at: &Text<10>,
    acquirer: &Text<11>,
    out: &mut BytesMut,
) -> Result<(), PackError> {
    let mut packer = Packer::begin(Spec::cauce87(), *b"0800", out);
    packer.put(7, transmitted_at.as_bytes())?;
    packer.put_number(11, stan.number().into())?;
    packer.put(32, acquirer.as_bytes())?;
    packer.put(70, kind.code().as_bytes())?;
    packer.finish();
    Ok(())
}

/// DE2 to DE13.
fn put_head(
    packer: &mut Packer<'_>,
    request: &PaymentRequest,
    card: Option<&Pan>,
    named: &RequestTrace,
) -> Result<(), PackError> {
    packer.put_opt(2, card.map(Pan::expose_for_wire))?;
    packer.put(3, processing_code(request))?;
    let minor = u64::try_from(request.amount.minor).map_err(|_| PackError::Missing { field: 4 })?;
    packer.put_number(4, minor)?;
    packer.put(7, named.transmitted_at.as_bytes())?;
    packer.put_number(11, named.stan.number().into())?;
    packer.put_known(12, request.trace.local_time.as_bytes())?;
    packer.put_known(13, request.trace.local_date.as_bytes())
}

/// DE3 as the originator gave it, or by the rail where it gave none.
fn processing_code(request: &PaymentRequest) -> &[u8] {
    match (request.trace.processing_code.as_bytes(), request.rail) {
        (code @ [_, ..], _) => code,
        ([], Rail::CashFloat) => b"510000",
        (
            [],
            Rail::P2c
            | Rail::C2p
            | Rail::Card
            | Rail::Psd2
            | Rail::Wallet
            | Rail::Account
            | Rail::External,
        ) => b"000000",
    }
}

fn put_business_date(packer: &mut Packer<'_>, date: Date) -> Result<(), PackError> {
    let (_, month, day) = date.year_month_day();
    packer.put_number(15, u64::from(month * 100 + day))
}

/// DE28: what the payer pays on top, as a debit.
fn put_fee(packer: &mut Packer<'_>, fees: &[Fee]) -> Result<(), PackError> {
    let of_payer = |fee: &&Fee| fee.borne_by == Bearer::Payer && fee.timing == FeeTiming::Net;
    let minor: i128 = fees.iter().filter(of_payer).map(|fee| i128::from(fee.amount.minor)).sum();
    if minor == 0 {
        return Ok(());
    }
    let sign = if minor < 0 { b'C' } else { b'D' };
    let mut rest = minor.unsigned_abs();
    let mut text = [sign; 9];
    for slot in text[1..].iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).expect("invariant: one digit");
        rest /= 10;
    }
    if rest > 0 {
        return Err(PackError::Length { field: 28, have: minor.to_string().len(), allowed: 8 });
    }
    packer.put(28, &text)
}

/// DE37 to DE43.
fn put_place(packer: &mut Packer<'_>, folio: Folio, trace: &Trace) -> Result<(), PackError> {
    packer.put_number(37, folio.number())?;
    if !trace.terminal.is_empty() {
        packer.put_padded(41, trace.terminal.as_bytes())?;
    }
    if !trace.merchant.is_empty() {
        packer.put_padded(42, trace.merchant.as_bytes())?;
    }
    if !trace.merchant_place.is_empty() {
        packer.put_padded(43, trace.merchant_place.as_bytes())?;
    }
    Ok(())
}

/// DE90: MTI, STAN, DE7, acquirer and forwarder of the original, zeros where there is none.
fn original_elements(original: &RequestTrace, acquirer: &Text<11>) -> [u8; 42] {
    let mut elements = [b'0'; 42];
    let mut rest = &mut elements[..];
    rest.put_slice(b"0200");
    rest.put_slice(original.stan.to_string().as_bytes());
    let after_time = 20;
    elements[10..10 + original.transmitted_at.len()]
        .copy_from_slice(original.transmitted_at.as_bytes());
    let from = after_time + 11 - acquirer.len();
    elements[from..after_time + 11].copy_from_slice(acquirer.as_bytes());
    elements
}

#[cfg(test)]
mod tests;
