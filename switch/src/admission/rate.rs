//! Log lines about peers that have proved nothing: few a second, however many there are.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Address;

/// A second of log lines.
const WINDOW: Duration = Duration::from_secs(1);
/// Lines about one address in a second …
const LINES_PER_ADDRESS: u32 = 1;
/// … and about all of them.
const LINES_MAX: u32 = 10;

/// Decides whether a line about a peer is written; counts what is left out.
#[derive(Debug, Default)]
pub struct LogRate(Mutex<Option<Window>>);

#[derive(Debug)]
struct Window {
    began: Instant,
    written: u32,
    by_address: HashMap<Address, u32>,
    /// Lines left out since one was written.
    left_out: u64,
}

impl LogRate {
    /// How many lines were left out before this one; none when this one is left out, too.
    pub fn may_log(&self, address: Address) -> Option<u64> {
        self.at(address, Instant::now())
    }

    fn at(&self, address: Address, now: Instant) -> Option<u64> {
        let mut window = self.0.lock();
        let window = window.get_or_insert_with(|| Window::new(now, 0));
        if now.duration_since(window.began) >= WINDOW {
            *window = Window::new(now, window.left_out);
        }
        // The table is bounded: it takes an address in only while a line may be written.
        let is_full = window.written >= LINES_MAX;
        let of_address = window.by_address.get(&address).copied().unwrap_or(0);
        if is_full || of_address >= LINES_PER_ADDRESS {
            window.left_out += 1;
            metrics::counter!("cauce_log_lines_left_out_total").increment(1);
            return None;
        }
        window.written += 1;
        window.by_address.insert(address, of_address + 1);
        Some(std::mem::take(&mut window.left_out))
    }
}

impl Window {
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
        let (rate, start) = (LogRate::default(), Instant::now());
        let written: Vec<Option<u64>> = (0..5000)
            .map(|tick| rate.at(address(1), start + Duration::from_millis(tick)))
            .filter(Option::is_some)
            .collect();
        assert_eq!(written, [Some(0), Some(999), Some(999), Some(999), Some(999)]);
        assert_eq!(rate.at(address(2), start + Duration::from_millis(4999)), Some(999));
    }

    #[test]
    fn a_flood_of_many_addresses_is_bounded_too() {
        let (rate, start) = (LogRate::default(), Instant::now());
        let lines = (0..=255).filter(|last| rate.at(address(*last), start).is_some()).count();
        assert_eq!(lines, 10);
    }
}
