//! The wall clock, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use router::time::{Civil, Timestamp};

/// The present instant.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

/// Transmission date and time, DE7: `MMDDhhmmss` in UTC.
pub fn transmitted_at(at: Timestamp) -> [u8; 10] {
    let Civil { month, day, hour, minute, second, .. } = at.utc();
    let mut digits = [b'0'; 10];
    for (pair, value) in digits.chunks_exact_mut(2).zip([month, day, hour, minute, second]) {
        pair[0] = ascii_digit(value / 10);
        pair[1] = ascii_digit(value % 10);
    }
    digits
}

fn ascii_digit(value: u32) -> u8 {
    b'0' + u8::try_from(value % 10).expect("invariant: a digit is below ten")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transmission_time_is_month_to_second() {
        // 2024-02-29T23:59:59.999Z, from `date -u -d @1709251199.999`.
        assert_eq!(&transmitted_at(Timestamp(1_709_251_199_999_000)), b"0229235959");
    }
}
