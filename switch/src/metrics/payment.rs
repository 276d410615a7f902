//! What is counted of every payment, whatever becomes of it.

use std::sync::LazyLock;
use std::time::Duration;

use foldhash::HashMap;
use metrics::{Counter, Histogram};
use router::reason::Reason;

/// Handles that are looked up once: with each payment that would cost more than the counting.
static FIGURES: LazyLock<PaymentFigures> = LazyLock::new(PaymentFigures::new);

struct PaymentFigures {
    told: HashMap<Reason, Counter>,
    seconds: Histogram,
}

impl PaymentFigures {
    fn new() -> Self {
        let told = |reason: Reason| {
            let name = reason.info().code;
            (reason, metrics::counter!("cauce_payments_total", "reason" => name))
        };
        Self {
            told: Reason::ALL.into_iter().map(told).collect(),
            seconds: metrics::histogram!("cauce_payment_seconds"),
        }
    }
}

/// Counts a payment whose originator is told a reason after so long.
///
/// Shape: the recorder of the process is installed before the first.
pub fn payment_told(reason: Reason, elapsed: Duration) {
    let figures = &*FIGURES;
    if let Some(told) = figures.told.get(&reason) {
        told.increment(1);
    }
    figures.seconds.record(elapsed);
}
