//! Keeping text from being run as a formula by the spreadsheet program that opens a file.
//!
//! The rule, after OWASP's "CSV Injection": a text whose first character – past any spaces, quotes
//! and apostrophes – is one of `=`, `+`, `-`, `@`, their full-width forms, tab, carriage return or
//! line feed is written with an apostrophe in front. Amounts and dates are no texts: a negative
//! amount stays a number.
//!
//! The rule is its own inverse's condition: an apostrophe is taken away on reading exactly where
//! the rest would have been given one. So every text survives the way out and in, one that already
//! began with an apostrophe too. Fixed-width files, which no spreadsheet program opens by itself
//! and whose fields have no room, are left alone.

use std::borrow::Cow;

const GUARD: char = '\'';

/// Whether a spreadsheet program might run this text.
pub fn is_dangerous(text: &str) -> bool {
    let is_wrapping = |c: char| matches!(c, '"' | '\'') || (c.is_whitespace() && !is_trigger(c));
    text.chars().find(|c| !is_wrapping(*c)).is_some_and(is_trigger)
}

fn is_trigger(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\t' | '\r' | '\n')
}

/// The text as it may stand in a cell.
pub fn neutralise(text: &str) -> Cow<'_, str> {
    if is_dangerous(text) { format!("{GUARD}{text}").into() } else { text.into() }
}

/// The text that was neutralised.
pub fn restore(cell: &str) -> &str {
    cell.strip_prefix(GUARD).filter(|rest| is_dangerous(rest)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_guarded_and_plain_text_is_not() {
        for text in [
            "=1+1",
            "+5511",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "  =cmd|' /C calc'!A0",
            "\"=1",
            "'=1",
            "\u{A0}=1",
            "＝1",
        ] {
            assert_eq!(neutralise(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", "Luz y Fuerza", "a=b", "O'Higgins", "'quoted'", "12-3", "_=1"] {
            assert_eq!(neutralise(text), text);
        }
    }

    proptest! {
        #[test]
        fn every_text_survives_the_way_out_and_in(text in "['\" \t]{0,3}[-=+@a]{0,2}\\PC{0,8}") {
            let cell = neutralise(&text);
            prop_assert_eq!(restore(&cell), text.as_str());
            prop_assert!(!is_dangerous(&text) || cell.starts_with('\''));
        }
    }
}
