//! Numbers as people read them, in the terminal and on pages.

/// A number with a comma after every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time of this many microseconds, with its unit and three digits that matter; rounded down.
pub fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", three_digits(us, 1_000)),
        _ => format!("{} s", three_digits(us, 1_000_000)),
    }
}

fn three_digits(value: u64, unit: u64) -> String {
    let (whole, rest) = (value / unit, value % unit);
    match whole {
        0..10 => format!("{whole}.{:02}", rest * 100 / unit),
        10..100 => format!("{whole}.{}", rest * 10 / unit),
        _ => grouped(whole),
    }
}

/// A time of a round number of microseconds, without digits that say nothing: `20 ms`, `2 s`.
pub fn round_duration(us: u64) -> String {
    match us {
        _ if us >= 1_000_000 && us.is_multiple_of(1_000_000) => {
            format!("{} s", grouped(us / 1_000_000))
        }
        _ if us >= 1_000 && us.is_multiple_of(1_000) && us < 1_000_000 => {
            format!("{} ms", us / 1_000)
        }
        _ => duration(us),
    }
}

/// How much a part is of a whole, in per cent, rounded half up; "under 0.1 %" for next to nothing, and
/// 100 % for the whole alone.
pub fn percent(part: u64, whole: u64) -> String {
    let (part_of, whole_of) = (u128::from(part), u128::from(whole.max(1)));
    let rounded = (part_of * 2_000 + whole_of) / (whole_of * 2);
    let tenths = if part < whole { rounded.min(999) } else { rounded };
    match tenths {
        0 if part > 0 => "under 0.1 %".to_owned(),
        1_000.. => format!("{} %", tenths / 10),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_grouped_by_thousands() {
        let texts = [0, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn a_time_has_three_digits_and_its_unit() {
        let times = [7, 999, 1_234, 12_345, 123_456, 1_234_567, 60_000_000].map(duration);
        assert_eq!(times, ["7 µs", "999 µs", "1.23 ms", "12.3 ms", "123 ms", "1.23 s", "60.0 s"]);
    }

    #[test]
    fn a_round_time_is_told_without_empty_digits() {
        let times = [10, 1_000, 20_000, 2_000_000, 1_500_000, 1_234].map(round_duration);
        assert_eq!(times, ["10 µs", "1 ms", "20 ms", "2 s", "1.50 s", "1.23 ms"]);
    }

    #[test]
    fn a_share_is_told_in_per_cent() {
        let check = |part, whole, expect: &str| assert_eq!(percent(part, whole), expect);
        check(16, 240, "6.7 %");
        check(99_999, 100_000, "99.9 %");
        check(0, 10, "0.0 %");
        check(1, 3, "33.3 %");
        check(1, 100_000, "under 0.1 %");
        check(5, 5, "100 %");
    }
}
