//! The `name="value"` pairs of a tag, and of the XML declaration.
//!
//! quick-xml has an iterator for them, but it takes pairs without white space between them, and in
//! a declaration it takes the names it looks for and overlooks all others.

use smallvec::SmallVec;

use super::SPACE;
use crate::iso20022::error::XmlErrorKind;

/// A name, not looked at yet, and the text between the quotes.
pub(super) type Pair<'a> = (&'a str, &'a str);

/// The pairs of what follows the name of a tag, up to the first that is none.
///
/// Source: XML 1.0, productions 24, 32, 40, 41 and 80: white space before each, and around `=`.
pub(super) struct Pairs<'a> {
    rest: &'a str,
}

impl<'a> Pairs<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<Pair<'a>, XmlErrorKind>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        let from = rest.trim_start_matches(SPACE);
        if from.is_empty() {
            return None;
        }
        let is_apart = from.len() < rest.len();
        let Some((pair, rest)) = split(from).filter(|_| is_apart) else {
            return Some(Err(XmlErrorKind::Malformed));
        };
        self.rest = rest;
        Some(Ok(pair))
    }
}

/// The first pair, and what follows its closing quote.
fn split(text: &str) -> Option<(Pair<'_>, &str)> {
    let (name, value) = split_at_byte(text, b'=')?;
    let value = value.trim_start_matches(SPACE);
    let quote = value.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let (value, rest) = split_at_byte(&value[1..], quote)?;
    Some(((name.trim_end_matches(SPACE), value), rest))
}

/// What stands before and after an ASCII byte, found with fewer steps than by `split_once`.
fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(byte, text.as_bytes())?;
    Some((&text[..at], &text[at + 1..]))
}

/// Most pairs of a declaration: version, encoding, standalone.
const DECLARED_MAX: usize = 3;

/// Checks what an XML declaration says between `<?xml` and `?>`: version 1.0, and UTF-8 or nothing.
///
/// Source: XML 1.0, productions 23 to 26, 32 and 80. The order is fixed.
pub(super) fn check_declaration(said: &str) -> Result<(), XmlErrorKind> {
    let pairs: SmallVec<[Pair<'_>; DECLARED_MAX + 1]> =
        Pairs::of(said).take(DECLARED_MAX + 1).collect::<Result<_, _>>()?;
    let encoding = match *pairs {
        [("version", "1.0")] | [("version", "1.0"), ("standalone", "yes" | "no")] => return Ok(()),
        [("version", "1.0"), ("encoding", encoding)]
        | [("version", "1.0"), ("encoding", encoding), ("standalone", "yes" | "no")] => encoding,
        _ => return Err(XmlErrorKind::Malformed),
    };
    let is_ours = ["UTF-8", "US-ASCII"].iter().any(|name| encoding.eq_ignore_ascii_case(name));
    if is_ours { Ok(()) } else { Err(XmlErrorKind::Encoding) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_cut_where_the_grammar_cuts_them() {
        let pairs = |text| Pairs::of(text).collect::<Result<Vec<_>, _>>();
        assert_eq!(pairs(""), Ok(vec![]));
        assert_eq!(pairs(" \r\n"), Ok(vec![]));
        assert_eq!(
            pairs(" a = \"it's\"\n\tb='x=\"y\"' "),
            Ok(vec![("a", "it's"), ("b", "x=\"y\"")])
        );
        for broken in [
            "a='1'",
            " a='1'b='2'",
            " a",
            " a=",
            " a=1",
            " a='1",
            " a='1\"",
            " a='1' b",
            "\u{A0}a='1'",
            " a='1'/",
            " a=\u{A0}'1'",
        ] {
            assert_eq!(pairs(broken), Err(XmlErrorKind::Malformed), "{broken}");
        }
    }

    #[test]
    fn a_declaration_says_its_version_first_and_nothing_unknown() {
        for good in [
            " version='1.0'",
            " version = \"1.0\" encoding='utf-8' ",
            " version='1.0' encoding='US-ASCII' standalone='no'",
            "\nversion='1.0'\nstandalone='yes'",
        ] {
            assert_eq!(check_declaration(good), Ok(()), "{good}");
        }
        for broken in [
            "",
            " ",
            " version='1.1'",
            " version='1.0' encod='UTF-8'",
            " version='1.0' encodin>g='UTF-8'",
            " version='1.0'encoding='UTF-8'",
            " version='1.0' version='1.0'",
            " version='1.0' encoding='UTF-8' encoding='UTF-8'",
            " version='1.0' encoding='UTF-8' standalone='maybe'",
            " version='1.0' encoding='UTF-8' standalone='no' other=''",
            " version='1.0' standalone='no' encoding='UTF-8'",
            " encoding='UTF-8' version='1.0'",
            " encoding='UTF-8'",
            " Version='1.0'",
            " version='1.0' encoding",
            " version='1.0' ?",
        ] {
            assert_eq!(check_declaration(broken), Err(XmlErrorKind::Malformed), "{broken}");
        }
        let other = " version='1.0' encoding='ISO-8859-1'";
        assert_eq!(check_declaration(other), Err(XmlErrorKind::Encoding));
    }
}
