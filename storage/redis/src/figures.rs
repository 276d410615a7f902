//! Metrics of the gate, their handles looked up once.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use storage::guard::GateEpoch;

use crate::failure::Why;

pub(crate) struct GateFigures {
    calls: Counter,
    round_trips: Counter,
    seconds: Histogram,
    open: Gauge,
    epoch: Gauge,
    clock_ahead: Gauge,
}

impl GateFigures {
    pub fn new() -> Self {
        let open = gauge!("cauce_gate_open");
        open.set(0.0);
        Self {
            calls: counter!("cauce_gate_calls_total"),
            round_trips: counter!("cauce_gate_round_trips_total"),
            seconds: histogram!("cauce_gate_seconds"),
            open,
            epoch: gauge!("cauce_gate_epoch"),
            clock_ahead: gauge!("cauce_gate_clock_ahead_seconds"),
        }
    }

    pub fn round_trip(&self, calls: usize, elapsed: Duration) {
        self.calls.increment(calls as u64);
        self.round_trips.increment(1);
        self.seconds.record(elapsed);
    }

    /// So many decisions were asked of Redis in vain, or endings could not be told to it. One that is
    /// told again and again until Redis hears it counts once.
    pub fn failed(&self, why: Why, count: usize) {
        counter!("cauce_gate_unavailable_total", "why" => why.label()).increment(count as u64);
    }

    pub fn opened(&self, epoch: GateEpoch) {
        self.open.set(1.0);
        self.epoch.set(u32::try_from(epoch.0).unwrap_or(u32::MAX));
    }

    /// How far the clock of Redis is ahead, in microseconds.
    #[expect(clippy::float_arithmetic, reason = "a gauge is a float, in seconds")]
    pub fn clock_ahead(&self, ahead_micros: i64) {
        let bound = if ahead_micros < 0 { i32::MIN } else { i32::MAX };
        let ahead_ms = i32::try_from(ahead_micros / 1_000).unwrap_or(bound);
        self.clock_ahead.set(f64::from(ahead_ms) / 1_000.0);
    }

    pub fn closed(&self) {
        self.open.set(0.0);
    }
}
