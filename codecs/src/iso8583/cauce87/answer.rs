//! Answering a request in kind.

use bytes::{BufMut, BytesMut};
use router::id::Folio;
use router::money::Money;
use router::reason::Reason;
use router::text::Text;

use super::private_data::{FIELD as PRIVATE_DATA, put, tag};
use super::{MapError, ascii, replacement};
use crate::error::{DecodeError, PackError};
use crate::iso8583::index::Index;
use crate::iso8583::pack::Packer;
use crate::iso8583::spec::Spec;
use crate::iso8583::tags;

/// What an answer says beyond what it repeats of the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WireAnswer<'a> {
    /// Response code (DE39).
    pub de39: [u8; 2],
    /// The payment's folio (DE37); without one the originator's own number is repeated.
    pub folio: Option<Folio>,
    /// Authorisation number (DE38).
    pub authorisation: Option<Text<6>>,
    /// Number of the reason in the decline catalogue (DE44 and DE48 tag 11).
    pub reason_no: Option<&'a str>,
    /// Text for people (DE48 tag 12), cut to 99 characters of plain ASCII.
    pub text: Option<&'a str>,
    /// The payment this one repeats (DE48 tag 10).
    pub original_folio: Option<Folio>,
    /// Balances (DE54); at most six.
    pub additional_amounts: &'a [AdditionalAmount],
    /// What stands of a payment that was reversed in part (DE95), in minor units; without it the
    /// request's own replacement amounts are repeated.
    pub stands_minor: Option<i64>,
}

/// One amount of DE54.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdditionalAmount {
    /// Account type, two digits; `00` where it does not matter.
    pub account_type: [u8; 2],
    /// Amount type, two digits: `01` ledger balance, `02` available, `03` still owed.
    pub amount_type: [u8; 2],
    /// The amount; a negative one is a debit.
    pub amount: Money,
}

/// Appends the answer to a request.
///
/// Shape:  `request` and `bytes` are the request's index and message. The message type is the
///         request's with the third digit one higher and the repeat digit back to 0; fields that
///         name the request are repeated.
/// Errors: the request is none, or a value does not fit its field; nothing is appended then.
pub fn answer(
    request: &Index,
    bytes: &[u8],
    answer: &WireAnswer<'_>,
    out: &mut BytesMut,
) -> Result<(), PackError> {
    let mti = answer_mti(request.mti())?;
    let fields = Answering { request, bytes, answer, additional_data: answer.reason_no };
    fields.write(mti, out)
}

/// What made a request impossible to understand, as its answer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What to answer.
    pub reason: Reason,
    /// Data element number.
    pub field: u8,
    /// Byte offset.
    pub offset: usize,
    /// What is wrong, for people; without content of the message.
    pub text: String,
}

impl From<&DecodeError> for Fault {
    fn from(error: &DecodeError) -> Self {
        let DecodeError { field, offset, .. } = *error;
        Self { reason: Reason::FormatError, field, offset, text: error.to_string() }
    }
}

impl From<&MapError> for Fault {
    fn from(error: &MapError) -> Self {
        let MapError { reason, field, offset, .. } = *error;
        Self { reason, field, offset, text: error.to_string() }
    }
}

/// Appends the answer to a request that could not be understood, as far as it could be read.
///
/// Shape:  DE39 by the reason (30 for a format error), DE44 `6006 DE4 @37` – reason number, field,
///         offset – and the same in words in DE48 tag 12.
/// Errors: false, and nothing appended, when message type or STAN could not be read or the message
///         is itself an answer. The originator could not tell what such an answer answers. A message
///         type that nobody knows is answered as the standard lays types out.
pub fn format_error_answer(bytes: &[u8], fault: impl Into<Fault>, out: &mut BytesMut) -> bool {
    let fault = fault.into();
    let info = fault.reason.info();
    let mut index = Index::default();
    // Fails again where it failed before; what was read until there is what is repeated.
    let _ = Spec::cauce87().index(bytes, &mut index);
    let Some(mti) = error_answer_mti(index.mti()).filter(|_| index.has(11)) else { return false };
    let place = format!("{} DE{} @{}", info.no, fault.field, fault.offset);
    let answer = WireAnswer {
        de39: response_code(fault.reason),
        reason_no: Some(info.no),
        text: Some(&fault.text),
        ..WireAnswer::default()
    };
    let request = &index;
    Answering { request, bytes, answer: &answer, additional_data: Some(&place) }
        .write(mti, out)
        .is_ok()
}

/// DE39 of a reason; a system error where the catalogue has none.
fn response_code(reason: Reason) -> [u8; 2] {
    let code = reason.info().de39.unwrap_or("96").as_bytes();
    [code[0], code[1]]
}

struct Answering<'a> {
    request: &'a Index,
    bytes: &'a [u8],
    answer: &'a WireAnswer<'a>,
    /// DE44.
    additional_data: Option<&'a str>,
}

impl Answering<'_> {
    fn write(&self, mti: [u8; 4], out: &mut BytesMut) -> Result<(), PackError> {
        let mut packer = Packer::begin(Spec::cauce87(), mti, out);
        self.echo(&mut packer, &[2, 3, 4, 7, 11, 12, 13, 15, 32, 33])?;
        match self.answer.folio {
            Some(folio) => packer.put_number(37, folio.number())?,
            None => self.echo(&mut packer, &[37])?,
        }
        if let Some(authorisation) = self.answer.authorisation.filter(|text| !text.is_empty()) {
            packer.put_padded(38, authorisation.as_bytes())?;
        }
        packer.put(39, &self.answer.de39)?;
        self.echo(&mut packer, &[41, 42])?;
        packer.put_opt(44, self.additional_data.map(str::as_bytes))?;
        packer.put_with(PRIVATE_DATA, |out| self.private_data(out))?;
        self.echo(&mut packer, &[49])?;
        packer.put_with(54, |out| self.additional_amounts(out))?;
        self.echo(&mut packer, &[70, 90])?;
        match self.answer.stands_minor.and_then(|minor| u64::try_from(minor).ok()) {
            Some(minor) => {
                packer.put_opt(95, replacement::element(minor).as_ref().map(|it| &it[..]))?
            }
            None => self.echo(&mut packer, &[95])?,
        }
        packer.finish();
        Ok(())
    }

    fn echo(&self, packer: &mut Packer<'_>, fields: &[u8]) -> Result<(), PackError> {
        fields
            .iter()
            .try_for_each(|field| packer.put_opt(*field, self.request.field(self.bytes, *field)))
    }

    fn private_data(&self, out: &mut BytesMut) -> Result<(), PackError> {
        if let Some(folio) = self.answer.original_folio {
            put(tag::ORIGINAL_FOLIO, Some(&folio.to_string()), out)?;
        }
        put(tag::REASON_NO, self.answer.reason_no, out)?;
        let Some(text) = self.answer.text else { return Ok(()) };
        let mut plain = BytesMut::with_capacity(tags::VALUE_LEN_MAX);
        ascii::put(text, tags::VALUE_LEN_MAX, &mut plain);
        tags::write(PRIVATE_DATA, tag::TEXT, &plain, out)
    }

    /// DE54: account type, amount type, currency, C or D, twelve digits – for each amount.
    fn additional_amounts(&self, out: &mut BytesMut) -> Result<(), PackError> {
        for additional in self.answer.additional_amounts {
            let Money { minor, currency } = additional.amount;
            let sign = if minor < 0 { 'D' } else { 'C' };
            out.put_slice(&additional.account_type);
            out.put_slice(&additional.amount_type);
            let text = format!("{:03}{sign}{:012}", currency.numeric(), minor.unsigned_abs());
            out.put_slice(text.as_bytes());
        }
        Ok(())
    }
}

/// The message type that answers this one.
fn answer_mti(mti: [u8; 4]) -> Result<[u8; 4], PackError> {
    match mti {
        [b'0', class @ b'1'..=b'8', function @ (b'0' | b'2'), _] => {
            Ok([b'0', class, function + 1, b'0'])
        }
        _ => Err(PackError::NotARequest { mti }),
    }
}

/// The message type of the answer to a message that could not be understood, whatever its version,
/// class and function; none for what is no request by its third digit.
fn error_answer_mti(mti: [u8; 4]) -> Option<[u8; 4]> {
    let [version, class, function, _] = mti;
    let is_request = mti.iter().all(u8::is_ascii_digit) && (function - b'0').is_multiple_of(2);
    is_request.then(|| [version, class, function + 1, b'0'])
}

#[cfg(test)]
mod tests;
