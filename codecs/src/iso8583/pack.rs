//! Writing a message: fields in ascending order, straight into the buffer.

use bytes::{BufMut, BytesMut};

use super::spec::{Bitmap, Field, Length, Spec};
use crate::error::PackError;

/// Writes one message at the end of a buffer.
///
/// Shape:  [`Packer::begin`], then fields in ascending order, then [`Packer::finish`], which writes
///         the bitmap. A packer that is dropped unfinished takes back what it wrote.
/// Errors: each names the field; nothing of that field is written then.
#[derive(Debug)]
pub struct Packer<'a> {
    spec: &'a Spec,
    out: &'a mut BytesMut,
    start: usize,
    /// Bit `128 - n` is field n.
    present: u128,
    last: u8,
}

/// Bit 1 announces the second bitmap.
const SECOND_BITMAP: u128 = 1 << 127;
const MTI_LEN: usize = 4;

impl<'a> Packer<'a> {
    /// Begins a message of a type, such as `*b"0210"`.
    pub fn begin(spec: &'a Spec, mti: [u8; MTI_LEN], out: &'a mut BytesMut) -> Self {
        let start = out.len();
        out.reserve(512);
        out.put_slice(&mti);
        out.put_bytes(0, spec.bitmap.width());
        Self { spec, out, start, present: 0, last: 1 }
    }

    /// Appends a field with its content as it is to be on the wire.
    pub fn put(&mut self, number: u8, content: &[u8]) -> Result<(), PackError> {
        let field = *self.announce(number)?;
        check_len(&field, number, content.len())?;
        check_content(&field, number, content)?;
        self.make_room(number);
        if let Length::Variable { digits, .. } = field.length {
            let at = self.out.len();
            self.out.put_bytes(b'0', usize::from(digits));
            write_digits(&mut self.out[at..], units(&field, content.len()));
        }
        self.out.put_slice(content);
        self.note(number);
        Ok(())
    }

    /// Appends a field if there is content for it.
    pub fn put_opt(&mut self, number: u8, content: Option<&[u8]>) -> Result<(), PackError> {
        content.map_or(Ok(()), |content| self.put(number, content))
    }

    /// Appends a field if its text is not empty; empty stands for "not known".
    pub fn put_known(&mut self, number: u8, text: &[u8]) -> Result<(), PackError> {
        if text.is_empty() { Ok(()) } else { self.put(number, text) }
    }

    /// Appends a field of fixed length with a number, zeros in front.
    pub fn put_number(&mut self, number: u8, value: u64) -> Result<(), PackError> {
        let field = *self.announce(number)?;
        let mut digits = [b'0'; 20];
        let rest = write_digits_u64(&mut digits, value);
        let len = fixed_len(&field);
        let significant = digits.len() - rest;
        if len > digits.len() || significant > len {
            return Err(PackError::Length { field: number, have: significant, allowed: len });
        }
        let from = digits.len() - len;
        self.put(number, &digits[from..])
    }

    /// Appends a field of fixed length with a text, spaces behind.
    pub fn put_padded(&mut self, number: u8, text: &[u8]) -> Result<(), PackError> {
        let field = *self.announce(number)?;
        let len = fixed_len(&field);
        if text.len() > len {
            return Err(PackError::Length { field: number, have: text.len(), allowed: len });
        }
        check_content(&field, number, text)?;
        self.make_room(number);
        self.out.put_slice(text);
        self.out.put_bytes(b' ', len - text.len());
        self.note(number);
        Ok(())
    }

    /// Appends a field of variable length whose content `write` appends to the buffer; nothing is
    /// appended when it writes nothing.
    pub fn put_with(
        &mut self,
        number: u8,
        write: impl FnOnce(&mut BytesMut) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let field = *self.announce(number)?;
        let Length::Variable { digits, .. } = field.length else {
            return Err(PackError::Length { field: number, have: 0, allowed: fixed_len(&field) });
        };
        self.make_room(number);
        let at = self.out.len();
        self.out.put_bytes(b'0', usize::from(digits));
        let content_at = self.out.len();
        let written = write(self.out).and_then(|()| {
            let content = &self.out[content_at..];
            check_len(&field, number, content.len())?;
            check_content(&field, number, content)
        });
        let len = self.out.len() - content_at;
        if written.is_err() || len == 0 {
            self.out.truncate(at);
            return written;
        }
        write_digits(&mut self.out[at..content_at], units(&field, len));
        self.note(number);
        Ok(())
    }

    /// Writes the bitmap; the message is complete.
    pub fn finish(mut self) {
        let width = self.spec.bitmap.width();
        let at = self.start + MTI_LEN;
        let maps = if self.present & SECOND_BITMAP == 0 { 1 } else { 2 };
        write_bitmap(self.spec.bitmap, self.present, &mut self.out[at..at + maps * width]);
        self.start = self.out.len();
    }

    fn announce(&self, number: u8) -> Result<&'a Field, PackError> {
        if number <= self.last {
            return Err(PackError::OutOfOrder { field: number, after: self.last });
        }
        self.spec.field(number).ok_or(PackError::UndefinedField { field: number })
    }

    /// The first field above 64 makes room for the second bitmap.
    fn make_room(&mut self, number: u8) {
        if number <= 64 || self.present & SECOND_BITMAP != 0 {
            return;
        }
        let width = self.spec.bitmap.width();
        let from = self.start + MTI_LEN + width;
        let end = self.out.len();
        self.out.put_bytes(0, width);
        self.out.copy_within(from..end, from + width);
        self.present |= SECOND_BITMAP;
    }

    fn note(&mut self, number: u8) {
        self.present |= 1 << (128 - u32::from(number));
        self.last = number;
    }
}

impl Drop for Packer<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.start);
    }
}

fn write_bitmap(kind: Bitmap, present: u128, out: &mut [u8]) {
    match kind {
        Bitmap::Binary => {
            let bytes = present.to_be_bytes();
            out.copy_from_slice(&bytes[..out.len()]);
        }
        Bitmap::Hex => {
            for (position, slot) in out.iter_mut().enumerate() {
                let nibble = present >> (124 - 4 * position) & 0x0F;
                let nibble = usize::try_from(nibble).expect("invariant: four bits");
                *slot = b"0123456789ABCDEF"[nibble];
            }
        }
    }
}

/// A content's length in the field's own units.
fn units(field: &Field, len: usize) -> usize {
    len / field.wire_len(1)
}

fn fixed_len(field: &Field) -> usize {
    match field.length {
        Length::Fixed(length) => field.wire_len(usize::from(length)),
        Length::Variable { .. } => 0,
    }
}

fn check_len(field: &Field, number: u8, have: usize) -> Result<(), PackError> {
    let (allowed, fits) = match field.length {
        Length::Fixed(length) => {
            let allowed = field.wire_len(usize::from(length));
            (allowed, have == allowed)
        }
        Length::Variable { max, .. } => {
            let allowed = field.wire_len(usize::from(max));
            (allowed, have <= allowed && have.is_multiple_of(field.wire_len(1)))
        }
    };
    if fits { Ok(()) } else { Err(PackError::Length { field: number, have, allowed }) }
}

fn check_content(field: &Field, number: u8, content: &[u8]) -> Result<(), PackError> {
    match field.first_violation(content) {
        None => Ok(()),
        Some(at) => Err(PackError::Content { field: number, at }),
    }
}

/// Writes a number no longer than the slots, right-aligned; the slots hold `0` before.
fn write_digits(slots: &mut [u8], value: usize) {
    let mut rest = value;
    for slot in slots.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).expect("invariant: one digit");
        rest /= 10;
    }
}

/// Writes a number right-aligned and returns where its first significant digit is.
fn write_digits_u64(slots: &mut [u8; 20], value: u64) -> usize {
    let mut rest = value;
    let mut at = slots.len();
    while rest > 0 {
        at -= 1;
        slots[at] = b'0' + u8::try_from(rest % 10).expect("invariant: one digit");
        rest /= 10;
    }
    at
}

#[cfg(test)]
mod tests;
