//! DE48: the tags of the profile.

use bytes::BytesMut;
use router::id::{BillNo, BillerId, ClientRef, FloatRef, OperatorId, Product};
use router::message::PaymentRequest;
use router::money::Money;
use router::reason::Reason;
use router::text::Text;

use super::MapError;
use super::reader::{Reader, digits};
use crate::error::PackError;
use crate::iso8583::tags::{self, Tag};

/// DE48.
pub(super) const FIELD: u8 = 48;

/// Numbers of the tags.
pub mod tag {
    /// Biller.
    pub const BILLER: u8 = 1;
    /// The biller's number of the payer.
    pub const CLIENT: u8 = 2;
    /// Operator at the terminal.
    pub const OPERATOR: u8 = 4;
    /// The collector's float.
    pub const FLOAT: u8 = 5;
    /// Bill.
    pub const BILL: u8 = 6;
    /// Kind of credit or service.
    pub const PRODUCT: u8 = 7;
    /// What the payer still owes, minor units of DE49.
    pub const REMAINING_DEBT: u8 = 9;
    /// Folio of the original payment.
    pub const ORIGINAL_FOLIO: u8 = 10;
    /// Number of the reason, as in the decline catalogue.
    pub const REASON_NO: u8 = 11;
    /// Text for people.
    pub const TEXT: u8 = 12;
}

/// What a request says in DE48. Tags that mean nothing to the switch are passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrivateData {
    /// Tag 01.
    pub biller: Option<BillerId>,
    /// Tag 02.
    pub client: Option<ClientRef>,
    /// Tag 04.
    pub operator: Option<OperatorId>,
    /// Tag 05.
    pub float_ref: Option<FloatRef>,
    /// Tag 06.
    pub bill: Option<BillNo>,
    /// Tag 07.
    pub product: Option<Product>,
    /// Tag 09, minor units.
    pub remaining_debt: Option<i64>,
    /// Tag 10.
    pub original_folio: Text<12>,
}

impl PrivateData {
    /// Reads DE48; nothing of it is known where the message has none.
    ///
    /// Errors: a tag cut short, too long, badly made, or given twice – with its offset.
    pub(super) fn read(reader: Reader<'_>) -> Result<Self, MapError> {
        let mut data = Self::default();
        let mut seen = 0_u128;
        let (Some(content), Some(offset)) = (reader.field(FIELD), reader.index.offset_of(FIELD))
        else {
            return Ok(data);
        };
        for tag in tags::read(content, FIELD, offset) {
            let tag = tag.map_err(|error| fault(error.offset, "a tag is cut short"))?;
            if seen & 1 << tag.number != 0 {
                return Err(fault(tag.offset, "a tag is given twice"));
            }
            seen |= 1 << tag.number;
            data.take(tag).ok_or_else(|| fault(tag.offset, "a tag's value is badly made"))?;
        }
        Ok(data)
    }

    /// None when the value does not fit what the tag stands for; an empty value says nothing.
    fn take(&mut self, tag: Tag<'_>) -> Option<()> {
        let value = tag.value.trim_ascii();
        if value.is_empty() {
            return Some(());
        }
        match tag.number {
            tag::BILLER => self.biller = Some(BillerId::from_ascii(value).ok()?),
            tag::CLIENT => self.client = Some(ClientRef::from_ascii(value).ok()?),
            tag::OPERATOR => self.operator = Some(OperatorId::from_ascii(value).ok()?),
            tag::FLOAT => self.float_ref = Some(FloatRef::from_ascii(value).ok()?),
            tag::BILL => self.bill = Some(BillNo::from_ascii(value).ok()?),
            tag::PRODUCT => self.product = Some(Product::from_ascii(value).ok()?),
            tag::REMAINING_DEBT => self.remaining_debt = Some(digits(value)?),
            tag::ORIGINAL_FOLIO => self.original_folio = Text::from_ascii(value).ok()?,
            _ => {}
        }
        Some(())
    }
}

fn fault(offset: usize, detail: &'static str) -> MapError {
    MapError { reason: Reason::FormatError, field: FIELD, offset, detail }
}

/// Appends the tags that tell an issuer or biller what is paid.
pub(super) fn write(request: &PaymentRequest, out: &mut BytesMut) -> Result<(), PackError> {
    put(tag::BILLER, request.biller.as_ref().map(BillerId::as_str), out)?;
    put(tag::CLIENT, request.client.as_ref().map(ClientRef::as_str), out)?;
    put(tag::OPERATOR, request.operator.as_ref().map(OperatorId::as_str), out)?;
    put(tag::FLOAT, request.float_ref.as_ref().map(FloatRef::as_str), out)?;
    put(tag::BILL, request.bill.as_ref().map(BillNo::as_str), out)?;
    put(tag::PRODUCT, request.product.as_ref().map(Product::as_str), out)?;
    let Some(Money { minor, .. }) = request.remaining_debt else { return Ok(()) };
    tags::write(FIELD, tag::REMAINING_DEBT, minor.to_string().as_bytes(), out)
}

pub(super) fn put(tag: u8, value: Option<&str>, out: &mut BytesMut) -> Result<(), PackError> {
    value.map_or(Ok(()), |value| tags::write(FIELD, tag, value.as_bytes(), out))
}
