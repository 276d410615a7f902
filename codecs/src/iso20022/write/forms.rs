//! Forms that values must have in messages alone.

use router::time::Date;

/// A UUID of version 4 in lower case.
///
/// Source: `UUIDv4Identifier`.
pub(super) fn is_uetr(uetr: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        14 => byte == b'4',
        19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    };
    uetr.len() == 36 && uetr.bytes().enumerate().all(fits)
}

/// Whether a text is a date with time: `2026-01-31T23:59:59`, then a fraction and a zone if it
/// likes.
///
/// Source: XML Schema part 2, 3.2.7; the years 1 to 9999 of it.
pub(super) fn is_date_time(text: &str) -> bool {
    let (Some(fixed), Some(rest)) = (text.get(..19), text.get(19..)) else { return false };
    let fits = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    if !fixed.bytes().enumerate().all(fits) {
        return false;
    }
    let number = |from: usize, to: usize| fixed[from..to].parse::<u32>().unwrap_or(u32::MAX);
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    is_day(year, month, day)
        && number(11, 13) < 24
        && number(14, 16) < 60
        && number(17, 19) < 60
        && is_zone(after_fraction(rest))
}

fn is_day(year: u32, month: u32, day: u32) -> bool {
    let Ok(signed) = i32::try_from(year) else { return false };
    year > 0
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && Date::from_year_month_day(signed, month, day).year_month_day() == (signed, month, day)
}

/// What follows a fraction of a second; the fraction itself when it has no digits.
fn after_fraction(text: &str) -> &str {
    let Some(digits) = text.strip_prefix('.') else { return text };
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() == digits.len() { text } else { rest }
}

fn is_zone(text: &str) -> bool {
    text.is_empty() || text == "Z" || is_offset(text)
}

fn is_offset(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from].is_ascii_digit() && bytes[from + 1].is_ascii_digit();
    bytes.len() == 6
        && matches!(bytes[0], b'+' | b'-')
        && bytes[3] == b':'
        && digits(1)
        && digits(4)
        && &bytes[1..3] <= b"13".as_slice()
        && &bytes[4..6] <= b"59".as_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_with_time_are_those_of_the_calendar() {
        for text in [
            "2026-01-31T23:59:59",
            "2024-02-29T00:00:00Z",
            "2005-01-17T22:37:26.88",
            "2007-10-18T12:30:00+01:00",
            "2026-01-01T00:00:00.123456-13:59",
        ] {
            assert!(is_date_time(text), "{text}");
        }
        for text in [
            "",
            "2026-01-31",
            "2026-02-29T00:00:00",
            "2026-13-01T00:00:00",
            "2026-00-01T00:00:00",
            "0000-01-01T00:00:00",
            "2026-01-01T24:00:00",
            "2026-01-01T00:00:00.",
            "2026-01-01T00:00:00z",
            "2026-01-01T00:00:00+15:00",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00 ",
            "2026-01-01T00:00:0\u{662}",
        ] {
            assert!(!is_date_time(text), "{text}");
        }
    }

    #[test]
    fn references_are_uuids_of_version_4_in_lower_case() {
        assert!(is_uetr("97ed4827-7b6f-4491-a06f-b548d5a7512d"));
        assert!(!is_uetr("97ed4827-7b6f-1491-a06f-b548d5a7512d"));
        assert!(!is_uetr("97ED4827-7B6F-4491-A06F-B548D5A7512D"));
    }
}
