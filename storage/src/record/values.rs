//! The values that fields hold: numbers, texts, names, money, times and lists of them.

use router::free_text::FreeText;
use router::id::{
    AccountId, BillId, BillNo, BillerId, ClientRef, EndpointId, FloatRef, Folio, OperatorId,
    ParticipantId, PaymentId, Product, RefundId, SecretId, Stan,
};
use router::message::{Fingerprint, IdempotencyKey};
use router::money::{Currency, Money};
use router::reservation::{CounterKey, SlotKey};
use router::text::Text;
use router::time::{Date, Timestamp};
use smallvec::SmallVec;

use super::field::{Field, ValueReader, ValueWriter};
use super::{DecodeError, LIST_LEN_MAX};

/// A number, zero where it is missing.
impl Field for i64 {
    fn is_default(&self) -> bool {
        *self == 0
    }

    fn write(&self, out: &mut ValueWriter<'_>) {
        out.signed(*self);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        reader.signed("number")
    }

    fn missing(_: &'static str) -> Result<Self, DecodeError> {
        Ok(0)
    }
}

impl Field for u64 {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.unsigned(*self);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        reader.unsigned("number")
    }
}

impl Field for u32 {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.unsigned(u64::from(*self));
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let number = reader.unsigned("number")?;
        Self::try_from(number).or_else(|_| reader.invalid("number", at))
    }
}

/// Sixteen bytes.
impl Field for u128 {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.bytes(&self.to_be_bytes());
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let bytes = reader.bytes("128-bit number")?.try_into();
        bytes.map(Self::from_be_bytes).or_else(|_| reader.invalid("128-bit number", at))
    }
}

/// So many bytes.
impl<const LEN: usize> Field for [u8; LEN] {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.bytes(self);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        reader.bytes("bytes")?.try_into().or_else(|_| reader.invalid("bytes", at))
    }
}

/// Bytes, none where they are missing.
impl Field for Box<[u8]> {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut ValueWriter<'_>) {
        out.bytes(self);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        reader.bytes("bytes").map(Self::from)
    }

    fn missing(_: &'static str) -> Result<Self, DecodeError> {
        Ok(Self::default())
    }
}

/// UTF-8, empty where it is missing.
impl Field for Box<str> {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut ValueWriter<'_>) {
        out.text(self);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        reader.text("text").map(Self::from)
    }

    fn missing(_: &'static str) -> Result<Self, DecodeError> {
        Ok(Self::default())
    }
}

impl<const MAX: usize> Field for FreeText<MAX> {
    fn is_default(&self) -> bool {
        false
    }

    fn write(&self, out: &mut ValueWriter<'_>) {
        out.text(self.as_str());
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        Self::new(reader.text("text")?).or_else(|_| reader.invalid("text", at))
    }
}

/// Printable ASCII, empty where it is missing.
impl<const MAX: usize> Field for Text<MAX> {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut ValueWriter<'_>) {
        out.text(self.as_str());
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let ascii = reader.text("text")?.as_bytes();
        Self::from_ascii(ascii).or_else(|_| reader.invalid("text", at))
    }

    fn missing(_: &'static str) -> Result<Self, DecodeError> {
        Ok(Self::EMPTY)
    }
}

/// Nothing where it is missing.
impl<T: Field> Field for Option<T> {
    fn is_default(&self) -> bool {
        self.is_none()
    }

    fn write(&self, out: &mut ValueWriter<'_>) {
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        T::read(reader).map(Some)
    }

    fn missing(_: &'static str) -> Result<Self, DecodeError> {
        Ok(None)
    }
}

impl<T: Field> Field for Box<T> {
    fn write(&self, out: &mut ValueWriter<'_>) {
        (**self).write(out);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        T::read(reader).map(Self::new)
    }
}

pub(super) fn write_list<T: Field>(items: &[T], out: &mut ValueWriter<'_>) {
    out.array(items.len());
    items.iter().for_each(|item| item.write(out));
}

/// Grows as its items are read, never by the count alone.
fn read_list<T: Field, L: Extend<T> + Default>(
    reader: &mut ValueReader<'_>,
) -> Result<L, DecodeError> {
    let at = reader.at();
    let len = reader.list_len("list")?;
    if usize::try_from(len).map_or(true, |len| len > LIST_LEN_MAX) {
        return reader.invalid("list", at);
    }
    let mut list = L::default();
    for _ in 0..len {
        list.extend([T::read(reader)?]);
    }
    Ok(list)
}

/// A list, empty where it is missing.
impl<T: Field> Field for Vec<T> {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut ValueWriter<'_>) {
        write_list(self, out);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        read_list(reader)
    }

    fn missing(_: &'static str) -> Result<Self, DecodeError> {
        Ok(Self::new())
    }
}

/// A list, empty where it is missing.
impl<T: Field, const LEN: usize> Field for SmallVec<[T; LEN]> {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut ValueWriter<'_>) {
        write_list(self, out);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        read_list(reader)
    }

    fn missing(_: &'static str) -> Result<Self, DecodeError> {
        Ok(Self::new())
    }
}

/// A pair: the currency's number, and minor units.
impl Field for Money {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.array(2);
        out.unsigned(self.currency.numeric().into());
        out.signed(self.minor);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        reader.array_of(2, "money")?;
        let at = reader.at();
        let numeric = u16::try_from(reader.unsigned("currency")?).ok();
        match numeric.and_then(Currency::from_numeric) {
            Some(currency) => Ok(Self::new(reader.signed("minor units")?, currency)),
            None => reader.invalid("currency", at),
        }
    }
}

/// Microseconds since 1970.
impl Field for Timestamp {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.signed(self.0);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        reader.signed("time").map(Self)
    }
}

/// Days since 1970.
impl Field for Date {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.signed(self.0.into());
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let days = i32::try_from(reader.signed("date")?).ok();
        days.map_or_else(|| reader.invalid("date", at), |days| Ok(Self(days)))
    }
}

impl Field for Stan {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.unsigned(self.number().into());
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let number = u32::try_from(reader.unsigned("STAN")?).ok();
        number.and_then(Self::new).map_or_else(|| reader.invalid("STAN", at), Ok)
    }
}

impl Field for Folio {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.unsigned(self.number());
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        Self::new(reader.unsigned("folio")?).map_or_else(|| reader.invalid("folio", at), Ok)
    }
}

/// Types that wrap one value are kept as that value; none has a default.
macro_rules! wrapped {
    ($($type:ident),+) => {
        $(impl Field for $type {
            fn write(&self, out: &mut ValueWriter<'_>) {
                self.0.write(out);
            }

            fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
                Field::read(reader).map(Self)
            }
        })+
    };
}

wrapped!(
    AccountId,
    BillId,
    BillNo,
    BillerId,
    ClientRef,
    CounterKey,
    EndpointId,
    Fingerprint,
    FloatRef
);
wrapped!(
    IdempotencyKey,
    OperatorId,
    ParticipantId,
    PaymentId,
    Product,
    RefundId,
    SecretId,
    SlotKey
);
