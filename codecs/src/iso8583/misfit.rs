//! Messages that come to a line of another form: without the line's header, with one that the line
//! does not have, or written in another of the known formats. They are read as what they are, so
//! that their sender hears which of these it is.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::cauce87::{self, Fault};
use super::dialect::{Dialect, Edition};
use super::index::Index;
use super::spec::Spec;

/// Bytes of a transport protocol data unit header.
const TPDU_LEN: usize = 5;
/// Its first byte.
const TPDU_ID: u8 = 0x60;
/// Systems trace audit number.
const TRACE: u8 = 11;

/// How a message differs from what its line takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// The header of the line is missing.
    MissingHeader,
    /// It has a header, and the line takes none.
    UnexpectedHeader,
    /// It is written in another format.
    OtherFormat,
}

impl Misfit {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::MissingHeader, Self::UnexpectedHeader, Self::OtherFormat];

    /// The name used in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingHeader => "missing_header",
            Self::UnexpectedHeader => "unexpected_header",
            Self::OtherFormat => "other_format",
        }
    }
}

/// A whole message of another form than its line's.
#[derive(Debug, Clone)]
pub struct MisfitMessage {
    /// How it differs.
    pub misfit: Misfit,
    format: Dialect,
    header: Option<[u8; TPDU_LEN]>,
    home: Bytes,
}

impl MisfitMessage {
    /// Looks for the form of a frame that its line could not read.
    ///
    /// Shape:  `header` and `message` as the line cut them; `own` is the line's format where that
    ///         is not the switch's own. None where the bytes are whole in no form, or hold no trace
    ///         number.
    pub fn find(own: Option<&Dialect>, header: &[u8], message: &[u8]) -> Option<Self> {
        let whole = [header, message].concat();
        let own = own.map_or_else(|| Spec::builtin("cauce-87"), |own| Some(own.shared_spec()))?;
        let others = Spec::builtin_names().filter_map(Spec::builtin);
        let others = others.filter(|format| format.name() != own.name());
        let mut formats = std::iter::once(Arc::clone(&own)).chain(others);
        let has_tpdu = whole.len() > TPDU_LEN && whole[0] == TPDU_ID;
        let found = formats.find_map(|format| {
            let is_own = Arc::ptr_eq(&format, &own);
            let has_two = has_tpdu && whole.len() > 2 * TPDU_LEN && whole[TPDU_LEN] == TPDU_ID;
            let places =
                [(0, true), (TPDU_LEN, has_tpdu), (2 * TPDU_LEN, has_two), (header.len(), true)];
            let places = places.into_iter().filter(|(at, is_place)| {
                let failed = is_own && *at == header.len();
                *is_place && !failed
            });
            let mut places = places.map(|(at, _)| at);
            places.find_map(|at| {
                let misfit = match (is_own, at) {
                    (false, _) => Misfit::OtherFormat,
                    (true, 0) => Misfit::MissingHeader,
                    (true, _) => Misfit::UnexpectedHeader,
                };
                let (sent_header, bytes) = whole.split_at_checked(at)?;
                // Of two headers the outer one is the answer's.
                let header = sent_header.first_chunk().copied().filter(|_| has_tpdu);
                read_whole(&format, bytes).map(|(format, home)| Self {
                    misfit,
                    format,
                    header,
                    home,
                })
            })
        });
        let is_tpdu_missing = header.len() == TPDU_LEN && !has_tpdu;
        found.or_else(|| is_tpdu_missing.then(|| Self::without_header(&own, &whole)).flatten())
    }

    /// A message of the line's own format without the line's header, in which something else is wrong
    /// behind the trace number.
    fn without_header(own: &Arc<Spec>, whole: &[u8]) -> Option<Self> {
        let mut index = Index::default();
        // Fails again where it failed before; what was read until there is what counts.
        let _ = own.index(whole, &mut index);
        let (format, home) = as_home(own, &index, whole)?;
        Some(Self { misfit: Misfit::MissingHeader, format, header: None, home })
    }

    /// The name of the format it is written in.
    pub fn format(&self) -> &str {
        self.format.spec().name()
    }

    /// What its sender is told.
    pub fn fault(&self) -> Fault {
        let text = match self.misfit {
            Misfit::MissingHeader => "message without the header that this line takes".to_owned(),
            Misfit::UnexpectedHeader => {
                "message with a header more than this line takes".to_owned()
            }
            Misfit::OtherFormat => format!("message is {}, not this line's format", self.format()),
        };
        Fault { reason: router::reason::Reason::FormatError, field: 0, offset: 0, text }
    }

    /// The answer that tells what is wrong, in the form the message came in, header and all; none
    /// where it is no request.
    pub fn answer(&self, fault: Fault) -> Option<Bytes> {
        let mut home = BytesMut::new();
        if !cauce87::format_error_answer(&self.home, fault, &mut home) {
            return None;
        }
        let mut out = BytesMut::new();
        if let Some([id, to_high, to_low, from_high, from_low]) = self.header {
            out.extend_from_slice(&[id, from_high, from_low, to_high, to_low]);
        }
        self.format.from_home(&home, &mut out).ok().map(|()| out.freeze())
    }
}

/// A message that is whole in a format, and of a type of the standard: in the switch's own format.
fn read_whole(format: &Arc<Spec>, bytes: &[u8]) -> Option<(Dialect, Bytes)> {
    let mut index = Index::default();
    format.index(bytes, &mut index).ok()?;
    as_home(format, &index, bytes)
}

/// What was read of a message, where it is of a type of the standard and has a trace number.
fn as_home(format: &Arc<Spec>, index: &Index, bytes: &[u8]) -> Option<(Dialect, Bytes)> {
    let mti = index.mti();
    let is_type = matches!(mti, [b'0'..=b'2', b'1'..=b'8', b'0'..=b'5', b'0'..=b'5']);
    if !is_type || !index.has(TRACE) {
        return None;
    }
    let mut home = BytesMut::with_capacity(bytes.len());
    let dialect = Dialect::new(Arc::clone(format), edition_of(mti), Vec::new());
    // What does not fit the switch's own fields is left out; the trace number is there.
    let _ = dialect.to_home(bytes, &mut home);
    Some((dialect, home.freeze()))
}

fn edition_of(mti: [u8; 4]) -> Edition {
    match mti[0] {
        b'1' => Edition::Of1993,
        b'2' => Edition::Of2003,
        _ => Edition::Of1987,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An echo: 0800 with DE7, DE11, DE70, in ASCII with a binary bitmap.
    const ECHO: &[u8] = b"0800\x82\x20\0\0\0\0\0\0\x04\0\0\0\0\0\0\x001123211722000042301";
    const TPDU: [u8; 5] = [0x60, 0, 3, 0, 0x11];

    fn check(own: Option<&str>, header: &[u8], message: &[u8], expect: Option<(Misfit, &[u8])>) {
        let own = own.and_then(Spec::builtin);
        let own = own.map(|own| Dialect::new(own, Edition::Of1987, Vec::new()));
        let found = MisfitMessage::find(own.as_ref(), header, message);
        assert_eq!(found.as_ref().map(|it| it.misfit), expect.map(|(misfit, _)| misfit));
        let Some((_, starts)) = expect else { return };
        let answer = found.and_then(|it| it.answer(it.fault())).expect("an answer");
        assert!(answer.starts_with(starts), "{}", answer.escape_ascii());
        let holds = |text: &[u8]| answer.windows(text.len()).any(|window| window == text);
        assert!(holds(b"000042") || holds(&[0, 0, 0x42]), "{}", answer.escape_ascii());
    }

    #[test]
    fn a_message_without_the_line_s_header_is_found() {
        let (header, message) = ECHO.split_at(5);
        check(None, header, message, Some((Misfit::MissingHeader, b"0810")));
    }

    #[test]
    fn a_message_without_the_line_s_header_is_found_though_a_field_of_it_is_wrong() {
        // Bits 5 7 11 of BCD, the trace number behind; then a field that the format does not define.
        let own = b"\x08\0\x02\x20\0\0\0\0\0\x01\x11\x23\x21\x17\x22\0\0\x42\0";
        let (header, message) = own.split_at(5);
        check(Some("iso87-bcd"), header, message, Some((Misfit::MissingHeader, b"\x08\x10")));
    }

    #[test]
    fn a_header_that_the_line_does_not_take_is_found_and_answered_to_its_sender() {
        let sent = [&TPDU[..], ECHO].concat();
        let swapped = [0x60, 0, 0x11, 0, 3, b'0', b'8', b'1', b'0'];
        check(None, &[], &sent, Some((Misfit::UnexpectedHeader, &swapped)));
    }

    #[test]
    fn a_second_header_is_found_and_answered_with_the_one_header_of_the_line() {
        let sent = [&TPDU[..], ECHO].concat();
        let swapped = [0x60, 0, 0x11, 0, 3, b'0', b'8', b'1', b'0'];
        check(None, &TPDU, &sent, Some((Misfit::UnexpectedHeader, &swapped)));
    }

    #[test]
    fn ascii_where_bcd_is_taken_is_found_and_answered_in_ascii() {
        check(Some("iso87-bcd"), &[], ECHO, Some((Misfit::OtherFormat, b"0810")));
        let sent = [&TPDU[..], ECHO].concat();
        let swapped = [0x60, 0, 0x11, 0, 3, b'0', b'8', b'1', b'0'];
        let (header, message) = sent.split_at(5);
        check(Some("iso87-bcd"), header, message, Some((Misfit::OtherFormat, &swapped)));
    }

    #[test]
    fn bytes_that_are_no_message_are_none_of_another_form() {
        check(None, &[], b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", None);
        check(None, &[], &[0xFF; 40], None);
        check(Some("iso87-bcd"), &[], b"", None);
    }
}
