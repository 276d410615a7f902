//! The primitives: fixed integers little-endian, signed amounts as zigzag varints, texts with a
//! length before them.

use router::money::Currency;
use router::text::Text;
use router::time::Timestamp;

use crate::decode_error::DecodeError;

/// Reads fields from front to back.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest().len() {
            0 => Ok(()),
            len => Err(DecodeError::Trailing { len }),
        }
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.rest();
        let taken = rest.get(..len).ok_or(DecodeError::Truncated { at: self.bytes.len() })?;
        self.at += len;
        Ok(taken)
    }

    pub fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], DecodeError> {
        let mut array = [0; LEN];
        array.copy_from_slice(self.take(LEN)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn u128(&mut self) -> Result<u128, DecodeError> {
        self.array().map(u128::from_be_bytes)
    }

    /// A zigzag varint.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(unzigzag(value));
            }
        }
        Err(DecodeError::Value { field: "integer", at: start })
    }

    pub fn timestamp(&mut self) -> Result<Timestamp, DecodeError> {
        self.u64().map(|bits| Timestamp(bits.cast_signed()))
    }

    pub fn currency(&mut self) -> Result<Currency, DecodeError> {
        let at = self.at;
        let numeric = self.u16()?;
        Currency::from_numeric(numeric).ok_or(DecodeError::Value { field: "currency", at })
    }

    pub fn text<const MAX: usize>(&mut self) -> Result<Text<MAX>, DecodeError> {
        let at = self.at;
        let len = usize::from(self.u8()?);
        let ascii = self.take(len)?;
        Text::from_ascii(ascii).map_err(|_| DecodeError::Value { field: "text", at })
    }

    /// Bytes with a 32-bit length before them; the length is held against what is left.
    pub fn blob(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u32()?;
        self.take(to_usize(len))
    }

    pub fn flag(&mut self) -> Result<bool, DecodeError> {
        let at = self.at;
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Value { field: "flag", at }),
        }
    }

    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A list of at most 255; grows as its items are read, never by the count alone.
    pub fn list<T, L: Extend<T> + Default>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<L, DecodeError> {
        let count = self.u8()?;
        let mut list = L::default();
        for _ in 0..count {
            list.extend([read(self)?]);
        }
        Ok(list)
    }
}

pub(crate) fn to_usize(value: u32) -> usize {
    usize::try_from(value).expect("invariant: a 64-bit machine")
}

pub(crate) fn put_u16(value: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u32(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u128(value: u128, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_i64(value: i64, out: &mut Vec<u8>) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push(low_seven(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low_seven(rest));
}

pub(crate) fn put_timestamp(at: Timestamp, out: &mut Vec<u8>) {
    put_u64(at.0.cast_unsigned(), out);
}

pub(crate) fn put_text<const MAX: usize>(text: &Text<MAX>, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).expect("invariant: a text has at most 255 bytes"));
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn put_blob(blob: &[u8], out: &mut Vec<u8>) {
    put_u32(u32::try_from(blob.len()).expect("invariant: values are far below 4 GiB"), out);
    out.extend_from_slice(blob);
}

pub(crate) fn put_option<T>(
    value: Option<&T>,
    out: &mut Vec<u8>,
    put: impl FnOnce(&T, &mut Vec<u8>),
) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(value, out);
    }
}

pub(crate) fn put_list<T>(items: &[T], out: &mut Vec<u8>, mut put: impl FnMut(&T, &mut Vec<u8>)) {
    out.push(u8::try_from(items.len()).expect("invariant: lists have at most 255 items"));
    for item in items {
        put(item, out);
    }
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn low_seven(value: u64) -> u8 {
    u8::try_from(value & 0x7F).expect("invariant: seven bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_size_come_back() {
        for value in [0, 1, -1, 63, 64, -64, -65, 1 << 40, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_i64(value, &mut out);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.i64(), Ok(value));
            assert_eq!(reader.finish(), Ok(()));
        }
        assert!(Reader::new(&[0xFF; 11]).i64().is_err());
    }
}
