//! Patterns of dates and instants, such as `DDMMYYYY` or `YYYY-MM-DDThh:mm:ssZ`.

use router::time::{Civil, Date, Timestamp};

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year4,
    Year2,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Literal(char),
}

/// Tokens, longest first; everything else stands for itself.
const TOKENS: [(&str, Part); 7] = [
    ("YYYY", Part::Year4),
    ("YY", Part::Year2),
    ("MM", Part::Month),
    ("DD", Part::Day),
    ("hh", Part::Hour),
    ("mm", Part::Minute),
    ("ss", Part::Second),
];

/// A year of two digits is of this century: bills fall due in years to come.
const CENTURY: u32 = 2000;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// A pattern that names each part of a date, and perhaps of a time, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

impl Pattern {
    /// Reads a pattern of a date; with `hh`, `mm` and `ss` it is one of an instant.
    pub fn parse(pattern: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let token = TOKENS.iter().find(|(token, _)| rest.starts_with(token));
            let (part, length) = match token {
                Some((token, part)) => (*part, token.len()),
                None => (Part::Literal(first), first.len_utf8()),
            };
            parts.push(part);
            rest = &rest[length..];
        }
        let count = |wanted: Part| parts.iter().filter(|part| **part == wanted).count();
        let time = [Part::Hour, Part::Minute, Part::Second].map(count);
        let is_sound = count(Part::Year4) + count(Part::Year2) == 1
            && count(Part::Month) == 1
            && count(Part::Day) == 1
            && (time == [0; 3] || time == [1; 3])
            && !parts.iter().any(|part| matches!(part, Part::Literal('0'..='9')));
        is_sound.then_some(Self { parts })
    }

    pub fn has_time(&self) -> bool {
        self.parts.contains(&Part::Hour)
    }

    /// Reads a day that exists; the text must be used up.
    pub fn read_date(&self, text: &str) -> Option<Date> {
        self.read(text).map(|(date, _)| date)
    }

    /// Reads an instant in UTC.
    pub fn read_instant(&self, text: &str) -> Option<Timestamp> {
        let (date, seconds) = self.read(text)?;
        Some(Timestamp((i64::from(date.0) * 86_400 + i64::from(seconds)) * MICROS_PER_SECOND))
    }

    fn read(&self, text: &str) -> Option<(Date, u32)> {
        let mut rest = text;
        let (mut year, mut month, mut day) = (0, 0, 0);
        let mut seconds = 0;
        for part in &self.parts {
            match part {
                Part::Year4 => year = digits(&mut rest, 4)?,
                Part::Year2 => year = CENTURY + digits(&mut rest, 2)?,
                Part::Month => month = digits(&mut rest, 2)?,
                Part::Day => day = digits(&mut rest, 2)?,
                Part::Hour => seconds += digits(&mut rest, 2).filter(|hour| *hour < 24)? * 3600,
                Part::Minute => seconds += digits(&mut rest, 2).filter(|min| *min < 60)? * 60,
                Part::Second => seconds += digits(&mut rest, 2).filter(|sec| *sec < 60)?,
                Part::Literal(literal) => rest = rest.strip_prefix(*literal)?,
            }
        }
        let is_done = rest.is_empty();
        calendar_day(year, month, day).filter(|_| is_done).map(|date| (date, seconds))
    }

    pub fn write_date(&self, date: Date) -> String {
        let midnight = i64::from(date.0) * 86_400 * MICROS_PER_SECOND;
        self.write_instant(Timestamp(midnight))
    }

    pub fn write_instant(&self, instant: Timestamp) -> String {
        let Civil { year, month, day, hour, minute, second, .. } = instant.utc();
        let parts = self.parts.iter().map(|part| match part {
            Part::Year4 => format!("{year:04}"),
            Part::Year2 => format!("{:02}", year.rem_euclid(100)),
            Part::Month => format!("{month:02}"),
            Part::Day => format!("{day:02}"),
            Part::Hour => format!("{hour:02}"),
            Part::Minute => format!("{minute:02}"),
            Part::Second => format!("{second:02}"),
            Part::Literal(literal) => literal.to_string(),
        });
        parts.collect()
    }
}

/// The day of a year, month and day, if it exists.
pub(super) fn calendar_day(year: u32, month: u32, day: u32) -> Option<Date> {
    let year = i32::try_from(year).ok().filter(|year| (1900..=9999).contains(year))?;
    if !(1..=12).contains(&month) {
        return None;
    }
    let (_, _, last) = Date::from_year_month_day(year, month, 1).month_end().year_month_day();
    (1..=last).contains(&day).then(|| Date::from_year_month_day(year, month, day))
}

fn digits(rest: &mut &str, count: usize) -> Option<u32> {
    let (head, tail) = rest.split_at_checked(count)?;
    let all_digits = head.bytes().all(|byte| byte.is_ascii_digit());
    *rest = tail;
    head.parse().ok().filter(|_| all_digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).expect("a pattern")
    }

    #[test]
    fn dates_are_read_as_the_pattern_says_if_they_exist() {
        let day = |text: &str| Some(text.to_owned());
        let read = |of: &str, text: &str| pattern(of).read_date(text).map(|date| date.to_string());
        assert_eq!(read("DDMMYYYY", "29022028"), day("2028-02-29"));
        assert_eq!(read("YYMMDD", "261126"), day("2026-11-26"));
        assert_eq!(read("DD/MM/YYYY", "01/12/2026"), day("2026-12-01"));
        for bad in
            ["29022027", "31042026", "00012026", "01132026", "0101202", "010120266", "+1012026"]
        {
            assert_eq!(read("DDMMYYYY", bad), None, "{bad}");
        }
        assert_eq!(read("DD/MM/YYYY", "01-12-2026"), None);
        assert_eq!(read("YYYYMMDD", "2026é101"), None);
    }

    #[test]
    fn a_pattern_names_each_part_once() {
        for bad in ["", "DDMM", "DDMMYYYYDD", "YYYYYYMMDD", "YYYYMMDDhh", "1YYYYMMDD"] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
        assert!(pattern("YYYY-MM-DDThh:mm:ssZ").has_time());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0..4_000_000_000_i64) {
            let instant = Timestamp(seconds * MICROS_PER_SECOND);
            let pattern = pattern("DD.MM.YYYY hh:mm:ss");
            prop_assert_eq!(pattern.read_instant(&pattern.write_instant(instant)), Some(instant));
        }
    }
}
