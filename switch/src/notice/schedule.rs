//! When a notice that was not accepted is tried again.

use std::time::{Duration, SystemTime};

use router::time::Timestamp;

/// Longest pause an endpoint may ask for with `Retry-After`; README and the API's document name it.
const ASKED_PAUSE_MAX: Duration = Duration::from_secs(3600);
/// A pause is drawn from 80 % …
const SHARE_MIN_PERMILLE: u32 = 800;
/// … to 120 % of the schedule's, so that what failed together does not return together.
const SHARE_WIDTH_PERMILLE: u32 = 400;

/// When to try again after so many attempts; none when the notice is to be given up.
///
/// Shape: `attempts` counts the one that has just failed; `asked` is the endpoint's own wish and
///        can only lengthen a pause; `chance` is any number, evenly drawn.
pub fn next_try(
    pauses: &[Duration],
    attempts: u32,
    now: Timestamp,
    asked: Option<Duration>,
    chance: u32,
) -> Option<Timestamp> {
    let position = usize::try_from(attempts.saturating_sub(1)).ok()?;
    let share = SHARE_MIN_PERMILLE + chance % (SHARE_WIDTH_PERMILLE + 1);
    let pause = pauses.get(position)?.saturating_mul(share) / 1000;
    let pause = pause.max(asked.unwrap_or_default());
    Some(now.plus_micros(i64::try_from(pause.as_micros()).unwrap_or(i64::MAX)))
}

/// The pause a `Retry-After` asks for, up to an hour: seconds, or a date in any of HTTP's formats.
///
/// Source: RFC 9110 sections 10.2.3 and 5.6.7. Fractions of a second, which some servers send, are
/// dropped, and other zones than GMT are taken.
pub fn asked_pause(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let whole = value.split('.').next().unwrap_or_default();
    let pause = match !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Duration::from_secs(whole.parse().unwrap_or(u64::MAX)),
        false => {
            let micros = date(value)?.saturating_sub(now.0);
            Duration::from_micros(u64::try_from(micros).unwrap_or(0))
        }
    };
    Some(pause.min(ASKED_PAUSE_MAX))
}

/// A date, in microseconds since 1970.
fn date(value: &str) -> Option<i64> {
    if let Ok(at) = httpdate::parse_http_date(value) {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        return i64::try_from(since.as_micros()).ok();
    }
    Some(jiff::fmt::rfc2822::parse(value).ok()?.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSES: [Duration; 3] =
        [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120)];
    const NOW: Timestamp = Timestamp(1_732_396_642_000_000);

    fn pause_ms(attempts: u32, asked: Option<u64>, chance: u32) -> Option<i64> {
        let asked = asked.map(Duration::from_secs);
        next_try(&PAUSES, attempts, NOW, asked, chance).map(|at| at.millis() - NOW.millis())
    }

    #[test]
    fn pauses_follow_the_schedule_give_or_take_a_fifth_and_then_end() {
        assert_eq!(pause_ms(1, None, 0), Some(4_000));
        assert_eq!(pause_ms(1, None, 200), Some(5_000));
        assert_eq!(pause_ms(1, None, 400), Some(6_000));
        assert_eq!(pause_ms(2, None, 401), Some(24_000));
        assert_eq!(pause_ms(3, None, 200), Some(120_000));
        assert_eq!(pause_ms(4, None, 200), None);
        assert_eq!(next_try(&[], 1, NOW, None, 0), None);
    }

    #[test]
    fn an_endpoint_may_ask_for_more_time_but_not_for_less_nor_for_ever() {
        assert_eq!(pause_ms(1, Some(60), 200), Some(60_000));
        assert_eq!(pause_ms(1, Some(1), 200), Some(5_000));
        assert_eq!(asked_pause("1000000", NOW), Some(Duration::from_secs(3600)));
        let much = "99999999999999999999999999";
        assert_eq!(asked_pause(much, NOW), Some(Duration::from_secs(3600)));
        let far = "Wed, 23 Nov 2033 21:17:22 GMT";
        assert_eq!(asked_pause(far, NOW), Some(Duration::from_secs(3600)));
        assert_eq!(pause_ms(4, Some(60), 200), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let check = |value, expect: Option<u64>| {
            assert_eq!(asked_pause(value, NOW), expect.map(Duration::from_secs), "{value}");
        };
        check("120", Some(120));
        check("120.1", Some(120));
        // 1732396642 is 2024-11-23T21:17:22Z.
        check("Sat, 23 Nov 2024 21:18:22 GMT", Some(60));
        check("Sat, 23 Nov 2024 21:00:00 GMT", Some(0));
        // The obsolete formats of RFC 9110 section 5.6.7, and a zone.
        check("Saturday, 23-Nov-24 21:18:22 GMT", Some(60));
        check("Sat Nov 23 21:18:22 2024", Some(60));
        check("Sat, 23 Nov 2024 22:18:22 +0100", Some(60));
        check(" 0 ", Some(0));
        check("", None);
        check("soon", None);
        check("-1", None);
    }
}
