//! What moov-io/iso8583 calls encodings and lengths, in our terms.

use super::{Described, Reader};

/// The types of fields that are not made of others. What they mean to a program does not matter to
/// the layout.
pub(super) const TYPES: [&str; 7] =
    ["Binary", "Hex", "Numeric", "String", "Track1", "Track2", "Track3"];

/// How a content is written.
#[derive(Clone, Copy)]
pub(super) struct Encoding {
    pub(super) name: &'static str,
    /// Where an odd number of digits is filled up.
    pub(super) odd: Option<&'static str>,
}

impl Reader {
    pub(super) fn encoding(&mut self, key: &str, name: &str) -> Option<Encoding> {
        let (name, odd) = match name {
            "ASCII" | "LenientASCII" => ("ascii", None),
            "EBCDIC" => self.in_page(0, "ebcdic"),
            "EBCDIC1047" => self.in_page(1, "ebcdic"),
            "BCD" | "Track2" | "Track2BCD" | "PackedBCDHex" => ("bcd", Some("left0")),
            "LBCD" => ("bcd", Some("right0")),
            // Bytes that are shown as hexadecimal digits, as all bytes are here.
            "Binary" | "ASCIIToHex" => ("raw", None),
            "HexToASCII" | "Hex" => ("hex", None),
            _ => {
                self.add(key, format_args!("encoding `{name}` is not known here"));
                return None;
            }
        };
        Some(Encoding { name, odd })
    }

    fn in_page(&mut self, page: usize, name: &'static str) -> (&'static str, Option<&'static str>) {
        self.pages[page] = true;
        (name, None)
    }

    /// The encoding and the digits, or bytes, of a length in front; none in it where the length is
    /// fixed.
    pub(super) fn prefix(&mut self, key: &str, name: &str) -> Option<Option<(&'static str, u8)>> {
        if name == "None.Fixed" || name == "None" {
            return Some(None);
        }
        let (family, letters) = name.split_once('.').unwrap_or((name, ""));
        let encoding = match family {
            "ASCII" => Some("ascii"),
            "BCD" => Some("bcd"),
            "Binary" => Some("binary"),
            "Hex" => Some("hex"),
            // Digits are the same in every code page.
            "EBCDIC" | "EBCDIC1047" => Some("ebcdic"),
            _ => None,
        };
        let is_letters = (1..=6).contains(&letters.len()) && letters.bytes().all(|b| b == b'L');
        match encoding {
            Some(_) if letters == "Fixed" => Some(None),
            Some(encoding) if is_letters => {
                let count = u8::try_from(letters.len()).expect("invariant: at most 6 letters");
                // A byte of a hexadecimal length is two digits.
                Some(Some((encoding, if encoding == "hex" { count * 2 } else { count })))
            }
            _ => {
                self.add(key, format_args!("prefix `{name}` is not known here"));
                None
            }
        }
    }

    pub(super) fn bitmap_encoding(
        &mut self,
        key: &str,
        described: &Described,
    ) -> Option<&'static str> {
        if described.kind != "Bitmap" {
            self.add(&format!("{key}.type"), "this must be a `Bitmap`");
            return None;
        }
        let key = format!("{key}.enc");
        let encoding = self.encoding(&key, &described.enc)?;
        match encoding.name {
            "raw" => Some("binary"),
            "hex" => Some("hex"),
            _ => {
                self.add(&key, "a bitmap is `Binary` or `HexToASCII`");
                None
            }
        }
    }
}
