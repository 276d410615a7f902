//! How times are written and read.

use router::time::{Date, Timestamp};

use crate::file::pattern::Pattern;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// How an instant is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstantForm {
    /// RFC 3339.
    Rfc3339,
    /// Whole seconds since 1970.
    Unix,
    /// Whole milliseconds since 1970.
    UnixMillis,
    /// A pattern such as `YYYYMMDDhhmmss`, UTC.
    Pattern(InstantPattern),
}

/// A pattern with a date and a time of day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstantPattern(Pattern);

impl InstantForm {
    /// What stands behind `time` in the name of a placeholder.
    pub(super) fn of_time(rest: &str) -> Option<Self> {
        match rest {
            "" => Some(Self::Rfc3339),
            ".unix" => Some(Self::Unix),
            ".unix_ms" => Some(Self::UnixMillis),
            rest => pattern(rest.strip_prefix(':')?),
        }
    }

    /// The word of a dialect for it, or a pattern.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        match word {
            "rfc3339" => Some(Self::Rfc3339),
            "unix" => Some(Self::Unix),
            "unix_ms" => Some(Self::UnixMillis),
            word => pattern(word),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Unix | Self::UnixMillis)
    }

    pub(super) fn write(&self, at: Timestamp) -> String {
        match self {
            Self::Rfc3339 => at.to_string(),
            Self::Unix => at.0.div_euclid(MICROS_PER_SECOND).to_string(),
            Self::UnixMillis => at.millis().to_string(),
            Self::Pattern(pattern) => pattern.0.write_instant(at),
        }
    }

    pub(super) fn read(&self, text: &str) -> Option<Timestamp> {
        let units = |micros: i64| text.parse::<i64>().ok()?.checked_mul(micros).map(Timestamp);
        match self {
            Self::Rfc3339 => rfc_3339(text),
            Self::Unix => units(MICROS_PER_SECOND),
            Self::UnixMillis => units(1000),
            Self::Pattern(pattern) => pattern.0.read_instant(text),
        }
    }
}

fn pattern(text: &str) -> Option<InstantForm> {
    let pattern = Pattern::parse(text).filter(Pattern::has_time)?;
    Some(InstantForm::Pattern(InstantPattern(pattern)))
}

/// Reads a time of RFC 3339; a leap second is the second after it.
fn rfc_3339(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let date: Date = Pattern::parse("YYYY-MM-DD")?.read_date(date)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = clock_parts(clock, [24, 60, 61])?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, zone) = rest.split_at(digits);
            (micros_of(fraction)?, zone)
        }
        None => (0, rest),
    };
    let seconds = i64::from(date.0) * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
    Some(Timestamp(seconds * MICROS_PER_SECOND + fraction))
}

fn clock_parts<const N: usize>(text: &str, ends: [i64; N]) -> Option<[i64; N]> {
    let mut parts = [0; N];
    let mut given = text.split(':');
    for (part, end) in parts.iter_mut().zip(ends) {
        let digits = given.next().filter(|digits| digits.len() == 2)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        *part = digits.parse().ok().filter(|value| is_number && *value < end)?;
    }
    given.next().is_none().then_some(parts)
}

/// Microseconds of the digits behind a point; finer ones are dropped.
fn micros_of(fraction: &str) -> Option<i64> {
    let kept = fraction.get(..fraction.len().min(6)).filter(|kept| !kept.is_empty())?;
    format!("{kept:0<6}").parse().ok()
}

/// Seconds by which a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, clock) = match zone.as_bytes().first()? {
        b'Z' | b'z' if zone.len() == 1 => return Some(0),
        b'+' => (1, zone.get(1..)?),
        b'-' => (-1, zone.get(1..)?),
        _ => return None,
    };
    let [hours, minutes] = clock_parts(clock, [24, 60])?;
    Some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_rfc_3339_writes_them() {
        // RFC 3339 section 5.8.
        let read = |text| InstantForm::Rfc3339.read(text).map(|at| at.to_string());
        assert_eq!(read("1985-04-12T23:20:50.52Z").as_deref(), Some("1985-04-12T23:20:50.520Z"));
        assert_eq!(read("1996-12-19T16:39:57-08:00").as_deref(), Some("1996-12-20T00:39:57.000Z"));
        assert_eq!(read("1990-12-31T23:59:60Z").as_deref(), Some("1991-01-01T00:00:00.000Z"));
        for wrong in [
            "",
            "2026-12-01",
            "2026-12-01T10:00:00",
            "2026-13-01T10:00:00Z",
            "2026-12-01T24:00:00Z",
            "2026-12-01T10:00:00.Z",
            "2026-12-01T10:00:00ZZ",
            "2026-12-01T1:000:00Z",
            "2026-12-01T10:00:00+1:00",
            "2026-12-01T10:00:00é",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_a_form_writes_it_reads() {
        let at = Timestamp(1_796_119_200_000_000);
        for form in ["rfc3339", "unix", "unix_ms", "DD/MM/YYYY hh:mm:ss"] {
            let form = InstantForm::of_word(form).unwrap();
            assert_eq!(form.read(&form.write(at)), Some(at));
        }
        assert_eq!(InstantForm::of_word("YYYYMMDD"), None, "no time of day");
        assert_eq!(InstantForm::Unix.read("99999999999999999"), None);
    }
}
