//! One endpoint's share of gauges that all endpoints have in common.

use metrics::Gauge;

/// The share of one gauge; taken back when the endpoint's worker ends.
pub struct GaugeShare {
    gauge: Gauge,
    value: usize,
}

impl GaugeShare {
    /// No share of a gauge yet.
    pub fn of(gauge: Gauge) -> Self {
        Self { gauge, value: 0 }
    }

    /// Its share is this from now on.
    pub fn set(&mut self, value: usize) {
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        if value >= self.value {
            self.gauge.increment(count(value - self.value));
        } else {
            self.gauge.decrement(count(self.value - value));
        }
        self.value = value;
    }
}

impl Drop for GaugeShare {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn the_shares_add_up_and_are_taken_back_at_the_end() {
        let sum = Arc::new(AtomicU64::new(0));
        let read = || f64::from_bits(sum.load(Ordering::Relaxed)).to_string();
        let (mut one, mut other) = (
            GaugeShare::of(Gauge::from_arc(Arc::clone(&sum))),
            GaugeShare::of(Gauge::from_arc(Arc::clone(&sum))),
        );
        one.set(5);
        other.set(2);
        assert_eq!(read(), "7");
        one.set(1);
        assert_eq!(read(), "3");
        drop(other);
        assert_eq!(read(), "1");
    }
}
