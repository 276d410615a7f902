//! Decimal text to integers and back, without floats.

/// How a decimal is written. No grammar has spaces, grouping or an exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// No sign; at least one digit; then perhaps the mark, and digits or none.
    Mark(char),
    /// `xs:decimal`: perhaps a sign; a point, in front of which or behind which there may be no
    /// digit.
    XmlSchema,
}

/// The sign of a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

impl Sign {
    /// Appends a digit to a value of this sign.
    fn append(self, value: i64, digit: i64) -> Option<i64> {
        let tens = value.checked_mul(10)?;
        match self {
            Self::Plus => tens.checked_add(digit),
            Self::Minus => tens.checked_sub(digit),
        }
    }
}

impl Grammar {
    /// The sign, and what follows it.
    fn sign(self, text: &str) -> (Sign, &str) {
        match (self, text.as_bytes().first()) {
            (Self::XmlSchema, Some(b'+')) => (Sign::Plus, &text[1..]),
            (Self::XmlSchema, Some(b'-')) => (Sign::Minus, &text[1..]),
            (Self::Mark(_) | Self::XmlSchema, _) => (Sign::Plus, text),
        }
    }

    /// The digits in front of the mark and behind it.
    fn split(self, text: &str) -> Option<(&str, &str)> {
        let (mark, whole_len_min) = match self {
            Self::Mark(mark) => (mark, 1),
            Self::XmlSchema => ('.', 0),
        };
        let (whole, fraction) = text.split_once(mark).unwrap_or((text, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let has_digits = whole.len() >= whole_len_min && whole.len() + fraction.len() > 0;
        (has_digits && is_digits(whole) && is_digits(fraction)).then_some((whole, fraction))
    }
}

/// Reads a decimal as an integer of units of ten to the minus `places`.
///
/// Shape: the digits behind the mark may be fewer than `places`, or more where those are zeros.
/// Errors: none for what the grammar does not have, and for what leaves i64.
pub(crate) fn read(text: &str, grammar: Grammar, places: u16) -> Option<i64> {
    let (sign, text) = grammar.sign(text);
    let (whole, fraction) = grammar.split(text)?;
    let places = usize::from(places);
    let (kept, dropped) = fraction.split_at(fraction.len().min(places));
    if dropped.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let zeros = std::iter::repeat_n(b'0', places - kept.len());
    let digits = whole.bytes().chain(kept.bytes()).chain(zeros);
    digits
        .map(|digit| i64::from(digit - b'0'))
        .try_fold(0_i64, |value, digit| sign.append(value, digit))
}

/// Writes an integer of units of ten to the minus `places` with all its decimals: `-12.30`.
pub(crate) fn write(value: i64, mark: char, places: u16) -> String {
    let places = usize::from(places);
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", value.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}{mark}{fraction}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POINT: Grammar = Grammar::Mark('.');

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, places, expect) in [
            ("23.72", 2, Some(2372)),
            ("12.3", 2, Some(1230)),
            ("12.", 2, Some(1200)),
            ("70001", 0, Some(70_001)),
            ("70001.00", 0, Some(70_001)),
            ("70001.50", 0, None),
            ("1.005", 3, Some(1005)),
            (".5", 2, None),
            ("", 2, None),
            ("-1", 2, None),
            ("1,5", 2, None),
            ("1.2.3", 2, None),
            ("1e3", 2, None),
            ("٣", 2, None),
            ("92233720368547758.07", 2, Some(i64::MAX)),
            ("92233720368547758.08", 2, None),
        ] {
            assert_eq!(read(text, POINT, places), expect, "{text}");
        }
        assert_eq!(read("1,5", Grammar::Mark(','), 2), Some(150));
        assert_eq!((read("+1", POINT, 2), read("-0", POINT, 2)), (None, None));
    }

    #[test]
    fn a_decimal_of_xml_schema_may_begin_with_its_point_or_a_sign() {
        // XML Schema 1.1 part 2, 3.3.3: `(\+|-)?([0-9]+(\.[0-9]*)?|\.[0-9]+)`.
        let schema = |text| read(text, Grammar::XmlSchema, 2);
        assert_eq!(schema(".5"), Some(50));
        assert_eq!(schema("210"), Some(21_000));
        assert_eq!(schema("100000.00"), Some(10_000_000));
        assert_eq!(schema("5."), Some(500));
        for (text, expect) in [("+125.50", 12_550), ("-1", -100), ("+.5", 50), ("-5.", -500)] {
            assert_eq!(schema(text), Some(expect), "{text}");
        }
        assert_eq!((schema("-0"), schema("+00.00")), (Some(0), Some(0)));
        assert_eq!(schema("-92233720368547758.08"), Some(i64::MIN));
        for text in [
            "", ".", "1,5", "..5", "1.234", "+", "-", "+.", "++1", "+-1", "1+", "- 1", "1e3",
            "INF", "NaN", "0x1", "−1",
        ] {
            assert_eq!(schema(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_written_in_full() {
        assert_eq!(write(5, '.', 2), "0.05");
        assert_eq!(write(-1230, ',', 2), "-12,30");
        assert_eq!(write(70_001, '.', 0), "70001");
        assert_eq!(write(i64::MIN, '.', 2), "-92233720368547758.08");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0..=i64::MAX, places in 0_u16..=4) {
            prop_assert_eq!(read(&write(value, '.', places), POINT, places), Some(value));
        }

        #[test]
        fn what_is_written_with_a_sign_is_read(value in any::<i64>(), places in 0_u16..=4) {
            let written = write(value, '.', places);
            prop_assert_eq!(read(&written, Grammar::XmlSchema, places), Some(value));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*", places in 0_u16..=9) {
            let _ = read(&text, POINT, places);
            let _ = read(&text, Grammar::XmlSchema, places);
        }
    }
}
