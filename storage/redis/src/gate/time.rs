//! Whether Redis and this node agree on what time it is.

use redis::{Value, cmd};

use super::Gate;
use crate::failure::{Failure, Why};
use crate::link::{Link, text_of};

/// Compares the clock of a server with this node's, and notes how far it is ahead.
///
/// Errors: by more than the tolerance, and what the round trip leaves open; or it cannot be asked.
pub(crate) fn compare(gate: &Gate, link: &mut Link) -> Result<(), Failure> {
    let before = gate.clock().now().0;
    let Value::Array(parts) = link.ask(&cmd("TIME"))? else {
        return Err(Failure::strange("TIME"));
    };
    let round_trip = gate.clock().now().0.saturating_sub(before).max(0);
    let number = |part: Option<&Value>| {
        let text = part.map(text_of).transpose()?.unwrap_or_default();
        text.parse::<i64>().map_err(|_| Failure::strange("TIME"))
    };
    let (seconds, micros) = (number(parts.first())?, number(parts.get(1))?);
    let theirs = seconds.saturating_mul(1_000_000).saturating_add(micros);
    let ahead = theirs.saturating_sub(before.saturating_add(round_trip / 2));
    gate.set_clock_ahead(ahead);
    let tolerance = gate.settings().tolerance_micros().saturating_add(round_trip / 2);
    if ahead.saturating_abs() <= tolerance {
        return Ok(());
    }
    Err(Failure::new(Why::Clock, words(ahead)).at(&link.address))
}

/// Says how far the clock of Redis is off.
pub(crate) fn words(ahead_micros: i64) -> String {
    let side = if ahead_micros < 0 { "behind" } else { "ahead of" };
    let seconds = ahead_micros.saturating_abs() / 1_000_000;
    format!(
        "the clock of Redis is {seconds} s {side} this node's: new payments are declined until the \
         clocks of all machines agree"
    )
}
