//! The fields of a record: a CBOR map (RFC 8949) whose keys are small numbers.
//!
//! A reader skips a number it does not know and fills a field that is missing by its stated default,
//! so that a field can be added to a record without a new version. The library reads and skips the
//! items; this module adds what records need besides: a field that is there twice is refused, and a
//! field without a default that is missing is named.

use minicbor::decode::Error as CborError;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use router::id::PaymentId;

use super::DecodeError;
use crate::seal::Sealer;

/// Writes values; seals card numbers on the way.
pub(crate) struct ValueWriter<'a> {
    cbor: Encoder<&'a mut Vec<u8>>,
    sealing: Option<(&'a Sealer, PaymentId)>,
}

/// Reads values.
pub(crate) struct ValueReader<'a> {
    cbor: Decoder<'a>,
}

/// A value of a record.
pub(crate) trait Field: Sized {
    /// Whether it is left out, because a reader fills it by its default.
    fn is_default(&self) -> bool {
        false
    }

    /// Writes it as one CBOR item.
    fn write(&self, out: &mut ValueWriter<'_>);

    /// Reads one CBOR item.
    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError>;

    /// What stands for it where it is missing.
    ///
    /// Errors: [`DecodeError::Missing`] where it has no default.
    fn missing(field: &'static str) -> Result<Self, DecodeError> {
        Err(DecodeError::Missing { field })
    }
}

/// The most fields of a map: one bit each notes whether the field was there.
pub(crate) const FIELDS_MAX: u8 = 64;

impl<'a> ValueWriter<'a> {
    /// Behind what is in a buffer; nothing that it writes is to be sealed.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { cbor: Encoder::new(out), sealing: None }
    }

    /// The same for a payment whose card number is sealed on the way.
    pub fn sealing(out: &'a mut Vec<u8>, sealer: &'a Sealer, payment: PaymentId) -> Self {
        Self { cbor: Encoder::new(out), sealing: Some((sealer, payment)) }
    }

    /// What card numbers are sealed with.
    pub fn sealer(&self) -> Option<(&'a Sealer, PaymentId)> {
        self.sealing
    }

    /// Writes a map: its fields in the order of their numbers.
    pub fn map(&mut self, fields: impl FnOnce(&mut Self)) {
        sure(self.cbor.begin_map());
        fields(self);
        sure(self.cbor.end());
    }

    /// Writes one field of a map, unless it is its default.
    pub fn field<T: Field>(&mut self, number: u8, value: &T) {
        if !value.is_default() {
            sure(self.cbor.u8(number));
            value.write(self);
        }
    }

    pub fn unsigned(&mut self, value: u64) {
        sure(self.cbor.u64(value));
    }

    pub fn signed(&mut self, value: i64) {
        sure(self.cbor.i64(value));
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        sure(self.cbor.bytes(bytes));
    }

    pub fn text(&mut self, text: &str) {
        sure(self.cbor.str(text));
    }

    /// The head of an array; its items follow.
    pub fn array(&mut self, len: usize) {
        sure(self.cbor.array(u64::try_from(len).expect("invariant: a list fits 64 bits")));
    }

    /// Writes one field of bytes.
    pub fn bytes_field(&mut self, number: u64, bytes: &[u8]) {
        sure(self.cbor.u64(number));
        self.bytes(bytes);
    }

    /// One field of a map, as it was written before.
    pub fn raw_field(&mut self, number: u64, item: &[u8]) {
        sure(self.cbor.u64(number));
        self.raw(item);
    }

    fn raw(&mut self, cbor: &[u8]) {
        sure(self.cbor.writer_mut().write_all(cbor).map_err(minicbor::encode::Error::write));
    }
}

/// Writing into memory cannot fail.
fn sure<T, E: std::fmt::Debug>(written: Result<T, minicbor::encode::Error<E>>) {
    written.expect("invariant: a vector takes all that is written");
}

impl<'a> ValueReader<'a> {
    /// From the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::behind(bytes, 0)
    }

    /// Behind so many bytes, which were read.
    pub fn behind(bytes: &'a [u8], head_len: usize) -> Self {
        let mut cbor = Decoder::new(bytes);
        cbor.set_position(head_len);
        Self { cbor }
    }

    /// Where it stands.
    pub fn at(&self) -> usize {
        self.cbor.position()
    }

    /// The bytes that are left.
    pub fn rest(&self) -> &'a [u8] {
        self.cbor.input().get(self.cbor.position()..).unwrap_or_default()
    }

    /// Nothing may be left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest().len() {
            0 => Ok(()),
            len => Err(DecodeError::Trailing { len }),
        }
    }

    /// Reads a map, field by field; `take` says whether it knows the number and has read the value,
    /// or that it needs no more.
    pub fn map(
        &mut self,
        mut take: impl FnMut(u64, &mut Self) -> Result<FieldFate, DecodeError>,
    ) -> Result<(), DecodeError> {
        let at = self.at();
        let mut left = self.cbor.map().map_err(|error| fault(&error, "map", at))?;
        let mut seen = 0_u64;
        loop {
            let at = self.at();
            match &mut left {
                Some(0) => return Ok(()),
                Some(count) => *count -= 1,
                None if self.ends_here()? => return Ok(()),
                None => {}
            }
            let number = self.cbor.u64().map_err(|error| fault(&error, "field number", at))?;
            if number < u64::from(FIELDS_MAX) {
                let bit = 1 << number;
                if seen & bit != 0 {
                    return Err(DecodeError::Twice { number, at });
                }
                seen |= bit;
            }
            match take(number, self)? {
                FieldFate::Known => {}
                FieldFate::Unknown => {
                    let at = self.at();
                    self.cbor.skip().map_err(|error| fault(&error, "value", at))?;
                }
                FieldFate::Enough => return Ok(()),
            }
        }
    }

    /// Takes the end of a map without a count, if it is here.
    fn ends_here(&mut self) -> Result<bool, DecodeError> {
        let at = self.at();
        let next = self.rest().first().ok_or(DecodeError::Truncated { at })?;
        let is_end = *next == BREAK;
        if is_end {
            self.cbor.set_position(at + 1);
        }
        Ok(is_end)
    }

    pub fn unsigned(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let at = self.at();
        self.cbor.u64().map_err(|error| fault(&error, field, at))
    }

    pub fn signed(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        let at = self.at();
        self.cbor.i64().map_err(|error| fault(&error, field, at))
    }

    /// A small number, such as stands for a variant.
    pub fn code(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        let at = self.at();
        self.cbor.u8().map_err(|error| fault(&error, field, at))
    }

    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let at = self.at();
        self.cbor.bytes().map_err(|error| fault(&error, field, at))
    }

    pub fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let at = self.at();
        self.cbor.str().map_err(|error| fault(&error, field, at))
    }

    /// Whether an array is next.
    pub fn is_array(&self) -> bool {
        self.rest().first().is_some_and(|first| first >> 5 == ARRAY)
    }

    /// The head of an array of so many items.
    pub fn array_of(&mut self, len: u64, field: &'static str) -> Result<(), DecodeError> {
        let at = self.at();
        match self.cbor.array().map_err(|error| fault(&error, field, at))? {
            Some(found) if found == len => Ok(()),
            Some(_) | None => Err(DecodeError::Value { field, at }),
        }
    }

    /// The head of a list: how many items follow.
    pub fn list_len(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let at = self.at();
        let len = self.cbor.array().map_err(|error| fault(&error, field, at))?;
        len.ok_or(DecodeError::Value { field, at })
    }

    /// One whole item, unread.
    pub fn item(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let at = self.at();
        self.cbor.skip().map_err(|error| fault(&error, field, at))?;
        Ok(self.cbor.input().get(at..self.cbor.position()).unwrap_or_default())
    }

    /// A value that is not one of `field`.
    pub fn invalid<T>(&self, field: &'static str, at: usize) -> Result<T, DecodeError> {
        Err(DecodeError::Value { field, at })
    }
}

/// The result of reading one field of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldFate {
    /// Its value was read.
    Known,
    /// Its value was not read and is passed over.
    Unknown,
    /// Its value was read, and the rest of the map is not needed.
    Enough,
}

/// The major type of arrays (RFC 8949, 3.1).
const ARRAY: u8 = 4;
/// The byte that ends a map without a count (RFC 8949, 3.2.1).
const BREAK: u8 = 0xFF;

fn fault(error: &CborError, field: &'static str, at: usize) -> DecodeError {
    match error.is_end_of_input() {
        true => DecodeError::Truncated { at },
        false => DecodeError::Value { field, at },
    }
}

/// Makes a struct a map of numbered fields.
///
/// Shape: `Type { 1 => first, 2 => second }`, numbers ascending and never used again; what stands
/// behind `;` is not kept, and is that value once it is read. With `read` and a
/// name, only a function that reads is made.
macro_rules! fields {
    ($visible:vis read $read:ident, $type:ident { $($number:literal => $name:ident),+ $(,)? }) => {
        $visible fn $read(
            reader: &mut $crate::record::field::ValueReader<'_>,
        ) -> Result<$type, $crate::record::DecodeError> {
            $crate::record::field::read_fields!(
                reader, $type, { $($number => $name),+ }, {}
            )
        }
    };
    ($type:path { $($number:literal => $name:ident),+ $(,)? } $(; $($left:ident = $value:expr),+)?) => {
        impl $crate::record::field::Field for $type {
            fn write(&self, out: &mut $crate::record::field::ValueWriter<'_>) {
                let Self { $($name),+ $(, $($left: _),+)? } = self;
                out.map(|out| {
                    $(out.field($number, $name);)+
                });
            }

            fn read(
                reader: &mut $crate::record::field::ValueReader<'_>,
            ) -> Result<Self, $crate::record::DecodeError> {
                $crate::record::field::read_fields!(
                    reader, Self, { $($number => $name),+ }, { $($($left = $value),+)? }
                )
            }
        }
    };
}
pub(crate) use fields;

macro_rules! read_fields {
    ($reader:ident, $type:ident, { $($number:literal => $name:ident),+ }, { $($left:ident = $value:expr),* }) => {{
        use $crate::record::field::{Field, FieldFate};
        $(let mut $name = None;)+
        $reader.map(|number, reader| {
            match number {
                $($number => $name = Some(Field::read(reader)?),)+
                _ => return Ok(FieldFate::Unknown),
            }
            Ok(FieldFate::Known)
        })?;
        $(let $name = match $name {
            Some(value) => value,
            None => Field::missing(stringify!($name))?,
        };)+
        Ok($type { $($name,)+ $($left: $value),* })
    }};
}
pub(crate) use read_fields;

/// Makes a closed list of words small numbers. Each number is written once and never used again.
macro_rules! codes {
    ($type:ident, $field:literal, $($variant:ident = $code:literal),+ $(,)?) => {
        impl $crate::record::field::Field for $type {
            fn write(&self, out: &mut $crate::record::field::ValueWriter<'_>) {
                out.unsigned(match self { $($type::$variant => $code),+ });
            }

            fn read(
                reader: &mut $crate::record::field::ValueReader<'_>,
            ) -> Result<Self, $crate::record::DecodeError> {
                let at = reader.at();
                match reader.code($field)? {
                    $($code => Ok($type::$variant),)+
                    _ => reader.invalid($field, at),
                }
            }
        }
    };
}
pub(crate) use codes;

/// Makes an enum whose variants hold one value each a pair: the variant's number, its value.
macro_rules! variants {
    ($type:ident, $field:literal, $($variant:ident = $code:literal),+ $(,)?) => {
        impl $crate::record::field::Field for $type {
            fn write(&self, out: &mut $crate::record::field::ValueWriter<'_>) {
                out.array(2);
                match self {
                    $($type::$variant(value) => {
                        out.unsigned($code);
                        $crate::record::field::Field::write(value, out);
                    })+
                }
            }

            fn read(
                reader: &mut $crate::record::field::ValueReader<'_>,
            ) -> Result<Self, $crate::record::DecodeError> {
                reader.array_of(2, $field)?;
                let at = reader.at();
                match reader.code($field)? {
                    $($code => Ok($type::$variant($crate::record::field::Field::read(reader)?)),)+
                    _ => reader.invalid($field, at),
                }
            }
        }
    };
}
pub(crate) use variants;
