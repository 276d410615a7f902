//! The clocks: one wall clock for what is recorded, tokio's monotonic one for deadlines.

use std::time::{SystemTime, UNIX_EPOCH};

use router::text::Text;
use router::time::Timestamp;

/// What time it is, for records and messages; never for deadlines.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

/// Transmission date and time (DE7): MMDDhhmmss, UTC.
pub fn transmission_time(at: Timestamp) -> Text<10> {
    let civil = at.utc();
    let mut digits = [b'0'; 10];
    let parts = [civil.month, civil.day, civil.hour, civil.minute, civil.second];
    for (pair, part) in digits.chunks_exact_mut(2).zip(parts) {
        pair[0] = b'0' + u8::try_from(part / 10 % 10).unwrap_or(0);
        pair[1] = b'0' + u8::try_from(part % 10).unwrap_or(0);
    }
    Text::from_ascii(&digits).expect("invariant: ten digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn de7_is_month_to_second_in_utc() {
        // 2024-02-29T23:59:59Z
        assert_eq!(transmission_time(Timestamp(1_709_251_199_000_000)).as_str(), "0229235959");
    }
}
