//! Which partition a row of the read models stands in: computed from what it is looked up by.

use router::id::{Folio, PaymentId};
use storage::view::TraceName;

/// Milliseconds of one partition of payments, as a power of two.
const MOMENT_BITS: u32 = 10;
/// Folios of one partition, as a power of two.
const RANGE_BITS: u32 = 10;
/// Digits of DE7, `MMDDhhmmss`, that name a partition of traces: ten seconds.
const TRACE_DIGITS: usize = 9;
/// STANs of one partition of traces, as a power of two.
const STANS_BITS: u32 = 10;

/// Lane and moment of a payment; both stand in its id.
pub(super) fn of_payment(payment: PaymentId) -> (i32, i64) {
    (i32::from(payment.lane().0), payment.unix_ms() >> MOMENT_BITS)
}

/// The range a folio belongs to. Nodes take folios in blocks, so neighbours are written together.
pub(super) fn range_of(folio: Folio) -> i64 {
    (folio.number() >> RANGE_BITS).cast_signed()
}

/// Originator, moment and STANs of a trace.
pub(super) fn of_trace(trace: &TraceName) -> (&str, &str, i32) {
    let at = trace.transmitted_at.as_str();
    let moment = at.get(..TRACE_DIGITS).unwrap_or(at);
    (trace.originator.as_str(), moment, (trace.stan.number() >> STANS_BITS).cast_signed())
}

/// DE7, DE11 and DE41 of a trace.
pub(super) fn within_traces(trace: &TraceName) -> (&str, i32, &str) {
    let TraceName { originator: _, stan, transmitted_at, terminal } = trace;
    (transmitted_at.as_str(), stan.number().cast_signed(), terminal.as_str())
}
