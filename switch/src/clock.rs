//! The clocks: one trusted wall clock for what is recorded, tokio's monotonic one for deadlines.
//!
//! The wall clock of the machine is compared with the time since the machine's start at each
//! reading ([`trusted`]). A jump of the wall clock is not taken for truth: records go on with the
//! time that the time since the start gives, and new payments are declined. What the two clocks
//! had agreed on before a restart is kept in the data folder ([`evidence`]), and [`keeper`] looks
//! after it all while the switch runs.

pub mod evidence;
pub mod keeper;
pub mod trusted;

use router::text::Text;
use router::time::Timestamp;

pub use trusted::{Disagreement, Reading, TrustedClock};

/// The clock of this process.
static CLOCK: TrustedClock = TrustedClock::new();

/// What time it is, for records and messages; never for deadlines. A wall clock that jumped is not
/// believed.
pub fn now() -> Timestamp {
    CLOCK.read().unwrap_or_else(|disagreement| disagreement.expected)
}

/// What time it is, for a payment that is to be admitted.
///
/// Errors: the wall clock disagrees with the time since the machine's start.
pub fn for_admission() -> Result<Timestamp, Disagreement> {
    CLOCK.read()
}

/// The wall clock as it stands, believed or not; for one who is to judge it.
pub fn disagreement() -> Option<Disagreement> {
    CLOCK.read().err()
}

/// The clock of this process, for the parts of other crates.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessClock;

impl storage::Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        now()
    }
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
