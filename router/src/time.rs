//! Instants, calendar days and time zones as plain values. Nobody here asks what time it is.

use std::fmt;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// A calendar day somewhere, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(pub i32);

/// The date and time of day of an instant, split into its calendar parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year, e.g. 2026.
    pub year: i32,
    /// Month, 1..=12.
    pub month: u32,
    /// Day of the month, 1..=31.
    pub day: u32,
    /// Hour, 0..=23.
    pub hour: u32,
    /// Minute, 0..=59.
    pub minute: u32,
    /// Second, 0..=59.
    pub second: u32,
    /// Microsecond of the second.
    pub micros: u32,
}

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Timestamp {
    /// Whole milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant `micros` later (saturating).
    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// This instant's calendar parts in UTC.
    pub fn utc(self) -> Civil {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let date = Date(to_i32(seconds.div_euclid(SECONDS_PER_DAY)));
        let (year, month, day) = date.year_month_day();
        let of_day = to_u32(seconds.rem_euclid(SECONDS_PER_DAY));
        Civil {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            micros: to_u32(self.0.rem_euclid(MICROS_PER_SECOND)),
        }
    }
}

/// RFC 3339, UTC, milliseconds: `2026-11-23T21:17:22.043Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.utc();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            c.year,
            c.month,
            c.day,
            c.hour,
            c.minute,
            c.second,
            c.micros / 1000
        )
    }
}

impl Date {
    /// Year, month 1..=12, day 1..=31 of the proleptic Gregorian calendar.
    ///
    /// Source: Howard Hinnant, "chrono-compatible low-level date algorithms" (public domain).
    pub fn year_month_day(self) -> (i32, u32, u32) {
        let z = i64::from(self.0) + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (to_i32(year), to_u32(month), to_u32(day))
    }

    /// The day of a year, month and day that exist.
    pub fn from_year_month_day(year: i32, month: u32, day: u32) -> Self {
        let year = i64::from(year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = i64::from(if month > 2 { month - 3 } else { month + 9 });
        let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(to_i32(era * 146_097 + day_of_era - 719_468))
    }

    /// The last day of this day's month.
    pub fn month_end(self) -> Self {
        let (year, month, _) = self.year_month_day();
        let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        Self(Self::from_year_month_day(year, month, 1).0 - 1)
    }
}

/// `2026-11-23`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.year_month_day();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A time zone as the list of its offsets, so that "today" is a pure function of an instant.
///
/// Shape: ascending by start; the first entry holds before the second one starts. The service
/// fills it from the IANA database; an empty zone is UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone {
    /// (first instant, offset from UTC in seconds).
    pub offsets: Vec<(Timestamp, i32)>,
}

impl Zone {
    /// Offset from UTC in seconds at an instant.
    pub fn offset_seconds(&self, at: Timestamp) -> i32 {
        let index = self.offsets.partition_point(|(start, _)| *start <= at);
        self.offsets.get(index.saturating_sub(1)).map_or(0, |(_, offset)| *offset)
    }

    /// The calendar day of an instant in this zone.
    pub fn date(&self, at: Timestamp) -> Date {
        let local = at.0.div_euclid(MICROS_PER_SECOND) + i64::from(self.offset_seconds(at));
        Date(to_i32(local.div_euclid(SECONDS_PER_DAY)))
    }

    /// The local wall-clock reading of an instant, as if it were UTC.
    pub fn local(&self, at: Timestamp) -> Timestamp {
        at.plus_micros(i64::from(self.offset_seconds(at)) * MICROS_PER_SECOND)
    }

    /// The first instant after which it is never again `date` (or earlier) in this zone.
    ///
    /// That is the next day's midnight, except where clocks are changed at midnight: put back
    /// from 24:00 to 23:00, the day ends an hour later.
    pub fn end_of(&self, date: Date) -> Timestamp {
        let day = SECONDS_PER_DAY * MICROS_PER_SECOND;
        let midnight = (i64::from(date.0) + 1) * day;
        let near = self.offsets.partition_point(|(start, _)| start.0 <= midnight + day);
        let mut next_change = self.offsets.get(near).map_or(i64::MAX, |(start, _)| start.0);
        // The last stretch of one offset that begins before its own midnight holds the end.
        for (position, (start, offset)) in self.offsets[..near].iter().enumerate().rev() {
            let end = midnight - i64::from(*offset) * MICROS_PER_SECOND;
            if start.0 < end || position == 0 {
                return Timestamp(end.min(next_change));
            }
            next_change = start.0;
        }
        Timestamp(midnight)
    }
}

fn to_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
}

fn to_u32(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_as_rfc_3339() {
        // 2024-02-29T23:59:59.999Z, from `date -u -d @1709251199.999`.
        assert_eq!(Timestamp(1_709_251_199_999_000).to_string(), "2024-02-29T23:59:59.999Z");
        assert_eq!(Timestamp(-1_000).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn dates_go_there_and_back() {
        for day in -200_000..200_000 {
            let (year, month, day_of_month) = Date(day).year_month_day();
            assert_eq!(Date::from_year_month_day(year, month, day_of_month), Date(day));
        }
    }

    #[test]
    fn the_day_turns_at_local_midnight() {
        let mexico = Zone { offsets: vec![(Timestamp(i64::MIN), -6 * 3600)] };
        let before = Timestamp(1_709_272_799_000_000); // 2024-03-01T05:59:59Z
        assert_eq!(mexico.date(before).to_string(), "2024-02-29");
        assert_eq!(mexico.date(before.plus_micros(1_000_000)).to_string(), "2024-03-01");
        assert_eq!(mexico.end_of(mexico.date(before)), before.plus_micros(1_000_000));
    }

    #[test]
    fn a_day_that_is_put_back_at_its_end_lasts_an_hour_longer() {
        // Clocks went back from Saturday 24:00 to 23:00 at 2026-04-05T03:00:00Z in Santiago.
        let back = Timestamp(1_775_358_000_000_000);
        let zone = Zone { offsets: vec![(Timestamp(i64::MIN), -3 * 3600), (back, -4 * 3600)] };
        let second_last_hour = zone.date(back.plus_micros(1));
        assert_eq!(second_last_hour.to_string(), "2026-04-04");
        assert_eq!(zone.end_of(second_last_hour).to_string(), "2026-04-05T04:00:00.000Z");
        // Clocks go forward from Saturday 24:00 to Sunday 01:00 at 2026-09-06T04:00:00Z.
        let forward = Timestamp(1_788_667_200_000_000);
        let zone = Zone { offsets: vec![(Timestamp(i64::MIN), -4 * 3600), (forward, -3 * 3600)] };
        let saturday = zone.date(forward.plus_micros(-1));
        assert_eq!(zone.end_of(saturday), forward);
    }

    #[test]
    fn months_end_on_their_last_day() {
        let end = |year, month, day| Date::from_year_month_day(year, month, day).month_end();
        assert_eq!(end(2024, 2, 1).to_string(), "2024-02-29");
        assert_eq!(end(2026, 12, 31).to_string(), "2026-12-31");
        assert_eq!(end(2026, 11, 23).to_string(), "2026-11-30");
    }

    proptest::proptest! {
        #[test]
        fn the_end_of_a_day_is_where_its_date_ends(
            first in -50_400_i32..50_400,
            changes in proptest::collection::vec((0_i64..4_000_000, -50_400_i32..50_400), 0..6),
            at in 0_i64..4_000_000,
        ) {
            let mut offsets = vec![(Timestamp(i64::MIN), first)];
            offsets.extend(changes.into_iter().map(|(s, offset)| (Timestamp(s * 1_000_000), offset)));
            offsets.sort();
            let zone = Zone { offsets };
            let now = Timestamp(at * 1_000_000);
            let today = zone.date(now);
            let end = zone.end_of(today);
            proptest::prop_assert!(end > now);
            proptest::prop_assert!(zone.date(end) > today);
        }
    }
}
