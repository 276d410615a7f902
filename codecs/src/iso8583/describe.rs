//! Printing a message for people, with everything that must not be seen masked.

use std::fmt;

use router::secret::Pan;

use super::index::Index;
use super::spec::{Encoding, Spec};

/// A message that prints itself, one field a line, masked.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    spec: &'a Spec,
    index: &'a Index,
    bytes: &'a [u8],
}

/// A masked print of an indexed message.
///
/// Shape: card numbers keep the first six and last four digits; secret fields print as their
///        length; bytes print in hexadecimal.
pub fn describe<'a>(spec: &'a Spec, index: &'a Index, bytes: &'a [u8]) -> Described<'a> {
    Described { spec, index, bytes }
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mti = Index::mti(self.bytes).unwrap_or(*b"????");
        write!(f, "mti {}", mti.escape_ascii())?;
        for number in self.index.fields() {
            let content = self.index.field(self.bytes, number).unwrap_or_default();
            write!(f, "\n{number:>3} {}: ", self.spec.field_name(number))?;
            self.value(f, number, content)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The field that holds the card number.
const PAN: u8 = 2;

impl Described<'_> {
    fn value(&self, f: &mut fmt::Formatter<'_>, number: u8, content: &[u8]) -> fmt::Result {
        let Some(field) = self.spec.field(number) else { return Ok(()) };
        match Pan::new(content) {
            Ok(pan) if number == PAN => write!(f, "{}", pan.masked()),
            _ if number == PAN || field.secret => write!(f, "[{} hidden]", content.len()),
            _ if field.encoding == Encoding::Raw => write!(f, "{}", hex::encode_upper(content)),
            _ => write!(f, "{}", content.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests;
