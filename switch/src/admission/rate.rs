//! Log lines about peers that have proved nothing: few a second, however many peers there are.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Address;

/// Decides whether a line about a peer is written; counts what is left out.
#[derive(Debug)]
pub struct LogRate {
    length: Duration,
    lines_per_address: u32,
    lines_max: u32,
    window: Mutex<Option<RateWindow>>,
}

#[derive(Debug)]
struct RateWindow {
    began: Instant,
    written: u32,
    by_address: HashMap<Address, u32>,
    /// Lines left out since one was written.
    left_out: u64,
}

impl LogRate {
    /// For lines of which each peer causes many: one about an address each second, and ten in all.
    pub fn each_second() -> Self {
        let (length, window) = (Duration::from_secs(1), Mutex::new(None));
        Self { length, lines_per_address: 1, lines_max: 10, window }
    }

    /// For lines of which each connection causes one: as many in half a minute as the other allows,
    /// and all at once where they come at once, for whoever tries things out wants to read them all.
    pub fn in_bursts() -> Self {
        let (length, window) = (Duration::from_secs(30), Mutex::new(None));
        Self { length, lines_per_address: 30, lines_max: 300, window }
    }

    /// How many lines were left out before this one; none when this one is left out, too.
    pub fn may_log(&self, address: Address) -> Option<u64> {
        self.at(address, Instant::now())
    }

    fn at(&self, address: Address, now: Instant) -> Option<u64> {
        let mut window = self.window.lock();
        let window = window.get_or_insert_with(|| RateWindow::new(now, 0));
        if now.duration_since(window.began) >= self.length {
            *window = RateWindow::new(now, window.left_out);
        }
        // The table is bounded: it takes an address in only while a line may be written.
        let is_full = window.written >= self.lines_max;
        let of_address = window.by_address.get(&address).copied().unwrap_or(0);
        if is_full || of_address >= self.lines_per_address {
            window.left_out += 1;
            metrics::counter!("cauce_log_lines_left_out_total").increment(1);
            return None;
        }
        window.written += 1;
        window.by_address.insert(address, of_address + 1);
        Some(std::mem::take(&mut window.left_out))
    }
}

impl RateWindow {
    fn new(began: Instant, left_out: u64) -> Self {
        Self { began, written: 0, by_address: HashMap::new(), left_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Address {
        Address::of([192, 0, 2, last].into())
    }

    #[test]
    fn a_flood_of_one_address_writes_one_line_a_second_and_says_what_it_left_out() {
        let (rate, start) = (LogRate::each_second(), Instant::now());
        let written: Vec<Option<u64>> = (0..5000)
            .map(|tick| rate.at(address(1), start + Duration::from_millis(tick)))
            .filter(Option::is_some)
            .collect();
        assert_eq!(written, [Some(0), Some(999), Some(999), Some(999), Some(999)]);
        assert_eq!(rate.at(address(2), start + Duration::from_millis(4999)), Some(999));
    }

    #[test]
    fn a_flood_of_many_addresses_is_bounded_too() {
        let (rate, start) = (LogRate::each_second(), Instant::now());
        let lines = (0..=255).filter(|last| rate.at(address(*last), start).is_some()).count();
        assert_eq!(lines, 10);
    }

    #[test]
    fn a_burst_is_written_and_what_follows_is_bounded_as_well() {
        let (rate, start) = (LogRate::in_bursts(), Instant::now());
        let written = |from: u64, to: u64| {
            let at = |tick| rate.at(address(1), start + Duration::from_millis(tick));
            (from..to).filter_map(at).count()
        };
        assert_eq!(written(0, 29_999), 30);
        assert_eq!(written(30_000, 59_999), 30);
    }
}
