//! One line of the issuer's own log, written by hand because it is written for every message.

use std::io::Write;

use router::money::Currency;
use router::time::Timestamp;

use crate::wire;

/// What the bank saw and said. Never holds a card number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub participant: &'a str,
    pub at: Timestamp,
    pub mti: [u8; 4],
    pub processing_code: &'a [u8],
    pub stan: &'a [u8],
    pub rrn: &'a [u8],
    pub amount_minor: u64,
    pub currency: &'a [u8],
    /// What is to stand (DE95), where the message says so.
    pub stands_minor: Option<u64>,
    /// DE39; none where the bank keeps silent.
    pub answer: Option<[u8; 2]>,
}

impl Seen<'_> {
    /// Appends the line.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let currency = wire::number(self.currency).and_then(|code| u16::try_from(code).ok());
        let currency = currency.and_then(Currency::from_numeric).map_or("XXX", Currency::code);
        let (stan, rrn) = (plain(self.stan), plain(self.rrn));
        let written = write!(
            out,
            concat!(
                r#"{{"at":"{}","participant":"{}","mti":"{}","processing_code":"{}","stan":"{}","#,
                r#""rrn":"{}","payment":"{}","amount":{{"currency":"{}","minor":{}}},"answer":"#
            ),
            self.at,
            plain(self.participant.as_bytes()),
            plain(&self.mti),
            plain(self.processing_code),
            stan,
            rrn,
            rrn,
            currency,
            self.amount_minor,
        );
        written.expect("invariant: memory takes what is written");
        match self.answer {
            Some(code) => out.extend_from_slice(&[b'"', code[0], code[1], b'"']),
            None => out.extend_from_slice(b"null"),
        }
        if let Some(stands_minor) = self.stands_minor {
            let written = write!(out, r#","stands_minor":{stands_minor}"#);
            written.expect("invariant: memory takes what is written");
        }
        out.extend_from_slice(b"}\n");
    }
}

/// Text that needs no escape in JSON; anything else is shown as empty.
fn plain(bytes: &[u8]) -> &str {
    let is_plain = |byte: &u8| (0x20..0x7F).contains(byte) && !b"\"\\".contains(byte);
    if bytes.iter().all(is_plain) { std::str::from_utf8(bytes).unwrap_or("") } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_of_the_agreed_shape() {
        let seen = Seen {
            participant: "bank-a",
            at: Timestamp(1_709_251_199_999_000),
            mti: *b"0200",
            processing_code: b"000000",
            stan: b"000007",
            rrn: b"0000000\"0042",
            amount_minor: 51_200,
            currency: b"484",
            stands_minor: None,
            answer: None,
        };
        let mut out = Vec::new();
        seen.write(&mut out);
        Seen { answer: Some(*b"51"), rrn: b"000000000042", ..seen }.write(&mut out);
        Seen { stands_minor: Some(4_000), ..seen }.write(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"at":"2024-02-29T23:59:59.999Z","participant":"bank-a","mti":"0200","#,
                r#""processing_code":"000000","stan":"000007","rrn":"","payment":"","#,
                r#""amount":{"currency":"MXN","minor":51200},"answer":null}"#,
                "\n",
                r#"{"at":"2024-02-29T23:59:59.999Z","participant":"bank-a","mti":"0200","#,
                r#""processing_code":"000000","stan":"000007","rrn":"000000000042","#,
                r#""payment":"000000000042","amount":{"currency":"MXN","minor":51200},"#,
                r#""answer":"51"}"#,
                "\n",
                r#"{"at":"2024-02-29T23:59:59.999Z","participant":"bank-a","mti":"0200","#,
                r#""processing_code":"000000","stan":"000007","rrn":"","payment":"","#,
                r#""amount":{"currency":"MXN","minor":51200},"answer":null,"stands_minor":4000}"#,
                "\n",
            )
        );
    }
}
