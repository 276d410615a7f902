//! Looks after the clock: what it starts from, its file, the operator's word, its metrics.

use std::path::{Path, PathBuf};
use std::time::Duration;

use router::time::Timestamp;
use tokio_util::sync::CancellationToken;

use super::CLOCK;
use super::evidence::{self, Agreed};
use super::trusted::{Reading, TrustedClock};
use crate::config::ClockConfig;

/// Pause between two looks at the clocks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two writings of the file.
const WRITE_EVERY: u32 = 10;
/// How much more than the tolerance the clocks may have drifted apart while the switch was off:
/// one part in so many, as much as is absorbed while it runs.
const DRIFT_ONE_IN: i64 = 1_000;

/// What a start knows of the time.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What both clocks agreed on last.
    pub agreed: Option<Agreed>,
    /// What an operator accepted and no switch has taken yet.
    pub accepted: Option<Agreed>,
    /// When the last record was made.
    pub last_record: Option<Timestamp>,
}

/// Starts the clock of this process from what is known of the time.
pub fn start(config: ClockConfig, data: &Path, last_record: Option<Timestamp>) {
    let read = |what: std::io::Result<Option<Agreed>>| {
        what.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is known of the time cannot be read");
            None
        })
    };
    let agreed = read(evidence::agreed(data));
    let known = Known { agreed, accepted: read(evidence::accepted(data)), last_record };
    let reading = Reading::now();
    match evidence::boot_id() {
        Ok(boot_id) => begin(&CLOCK, config, &known, (&boot_id, reading)),
        Err(error) => {
            tracing::warn!(%error, "one run of this machine cannot be told from another");
            begin(&CLOCK, config, &known, ("", reading));
        }
    }
    // The word counts for the clock as it was then, whether it was of use or not.
    forget_accepted(data);
    match super::disagreement() {
        Some(found) => tracing::error!("the switch starts with a wrong clock: {found}"),
        // Known from the first moment on, whatever ends this run.
        None => write_agreed(data, Reading::now()),
    }
}

/// Judges the wall clock at a start.
///
/// In the same run of the machine the time since its start decides. After a restart of the machine
/// nothing counted on, so all that is known is that the last record has been made: the wall clock
/// is believed unless it is behind that, or further ahead than a machine is ever off.
pub fn begin(
    clock: &TrustedClock,
    config: ClockConfig,
    known: &Known,
    (boot_id, now): (&str, Reading),
) {
    let tolerance = micros(config.tolerance);
    clock.set_tolerance(tolerance);
    let of_this_run = |agreed: &&Agreed| agreed.boot_id == boot_id;
    let accepted = known.accepted.as_ref().filter(of_this_run).map(Agreed::offset_micros);
    if accepted.is_some_and(|offset| differ(offset, now) <= tolerance) {
        clock.trust(now.offset_micros());
        return;
    }
    if let Some(agreed) = known.agreed.as_ref().filter(of_this_run) {
        let off_for = now.boot_micros.saturating_sub(agreed.boot_micros).max(0);
        let drifted = differ(agreed.offset_micros(), now);
        let is_right = drifted <= tolerance.saturating_add(off_for / DRIFT_ONE_IN);
        clock.trust(if is_right { now.offset_micros() } else { agreed.offset_micros() });
        return;
    }
    match known.last_record.max(known.agreed.as_ref().map(Agreed::wall)) {
        None => clock.trust(now.offset_micros()),
        Some(at) => {
            clock.expect_at_least(at, now.boot_micros, micros(config.off_max));
            // Believed at once where it can be, so that it is known from then on.
            if clock.judge(now).is_ok() {
                clock.trust(now.offset_micros());
            }
        }
    }
}

fn differ(offset_micros: i64, now: Reading) -> i64 {
    now.offset_micros().saturating_sub(offset_micros).saturating_abs()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn forget_accepted(data: &Path) {
    if let Err(error) = evidence::remove_accepted(data) {
        tracing::warn!(%error, "what an operator accepted cannot be removed");
    }
}

/// Looks at the clocks until the switch ends. Run as a service task.
pub async fn run(data: PathBuf, ending: CancellationToken) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    let mut until_write = 0;
    loop {
        let is_over = tokio::select! {
            () = ending.cancelled() => true,
            _ = tick.tick() => false,
        };
        // A read of both clocks; a file of 120 bytes now and then, or what an operator said.
        let is_due = is_over || until_write == 0;
        until_write = if is_due { WRITE_EVERY } else { until_write - 1 };
        let folder = data.clone();
        let looked = tokio::task::spawn_blocking(move || look(&folder, is_due)).await;
        if let Err(error) = looked {
            tracing::warn!(%error, "the clocks were not looked at");
        }
        if is_over {
            return;
        }
    }
}

fn look(data: &Path, is_due: bool) {
    let found = super::disagreement();
    show(found.map_or(0, |found| found.ahead_micros()), found.is_none());
    let reading = Reading::now();
    if found.is_some() {
        return take_accepted(data, reading);
    }
    let Some(offset) = CLOCK.absorb(reading).filter(|_| is_due) else { return };
    let wall = Timestamp(reading.boot_micros.saturating_add(offset));
    write_agreed(data, Reading { wall, ..reading });
}

fn write_agreed(data: &Path, reading: Reading) {
    let agreed = Agreed::of(reading);
    if let Err(error) = agreed.and_then(|agreed| evidence::write_agreed(data, &agreed)) {
        tracing::warn!(%error, "what the clocks agree on cannot be written");
    }
}

/// Believes the wall clock if an operator accepted it as it is.
fn take_accepted(data: &Path, now: Reading) {
    let accepted = match evidence::accepted(data) {
        Ok(Some(accepted)) => accepted,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(%error, "what an operator accepted cannot be read");
            return;
        }
    };
    let is_now = evidence::boot_id().is_ok_and(|boot_id| boot_id == accepted.boot_id)
        && differ(accepted.offset_micros(), now) <= CLOCK.tolerance_micros();
    if is_now {
        tracing::warn!(now = %now.wall, "an operator has accepted the wall clock");
        CLOCK.trust(now.offset_micros());
    } else {
        tracing::warn!(now = %now.wall, "an operator accepted another time: accept again");
    }
    forget_accepted(data);
}

#[expect(clippy::float_arithmetic, reason = "a gauge is a float, in seconds")]
fn show(ahead_micros: i64, is_trusted: bool) {
    metrics::gauge!("cauce_clock_trusted").set(f64::from(u8::from(is_trusted)));
    let ahead_ms = i32::try_from(ahead_micros / 1000);
    let ahead_ms = ahead_ms.unwrap_or(if ahead_micros < 0 { i32::MIN } else { i32::MAX });
    metrics::gauge!("cauce_clock_ahead_seconds").set(f64::from(ahead_ms) / 1000.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400 * SECOND;
    const START: i64 = 20_000 * DAY;

    fn reading(seconds: i64, ahead_micros: i64) -> Reading {
        let boot_micros = seconds * SECOND;
        Reading { wall: Timestamp(START + boot_micros + ahead_micros), boot_micros }
    }

    fn agreed(boot_id: &str, Reading { wall, boot_micros }: Reading) -> Option<Agreed> {
        Some(Agreed { boot_id: boot_id.to_owned(), boot_micros, wall_micros: wall.0 })
    }

    /// How far the clock is taken to be ahead after a start with a wall clock; 0 is trusted.
    fn started(known: &Known, wall: Reading) -> i64 {
        let clock = TrustedClock::new();
        let config = ClockConfig {
            tolerance: Duration::from_secs(5),
            off_max: Duration::from_hours(30 * 24),
        };
        begin(&clock, config, known, ("this run", wall));
        clock.judge(wall).map_or_else(|found| found.ahead_micros(), |_| 0)
    }

    #[test]
    fn in_the_same_run_of_the_machine_the_time_since_its_start_decides() {
        let known = Known { agreed: agreed("this run", reading(100, 0)), ..Known::default() };
        assert_eq!(started(&known, reading(200, 0)), 0);
        assert_eq!(started(&known, reading(90 * 86_400, 0)), 0, "off for a quarter");
        assert_eq!(started(&known, reading(200, DAY)), DAY);
        assert_eq!(started(&known, reading(200, -DAY)), -DAY);
        assert_eq!(started(&known, reading(10_000, 8 * SECOND)), 0, "a drift while it was off");
    }

    #[test]
    fn after_a_restart_of_the_machine_only_a_clock_behind_the_last_record_or_far_ahead_is_refused()
    {
        let last_record = Some(reading(100, 0).wall);
        let other_run = agreed("another run", reading(50, 0));
        for known in [
            Known { last_record, ..Known::default() },
            Known { last_record, agreed: other_run, ..Known::default() },
        ] {
            assert_eq!(started(&known, reading(100, 0)), 0);
            assert_eq!(started(&known, reading(100, 29 * DAY)), 0);
            assert_eq!(started(&known, reading(100, 31 * DAY)), 31 * DAY);
            assert_eq!(started(&known, reading(100, -DAY)), -DAY);
        }
        assert_eq!(started(&Known::default(), reading(100, 900 * DAY)), 0, "nothing is known");
    }

    #[test]
    fn what_an_operator_accepted_counts_for_the_clock_as_it_was_then() {
        let known = Known {
            agreed: agreed("this run", reading(100, 0)),
            accepted: agreed("this run", reading(150, DAY)),
            last_record: None,
        };
        assert_eq!(started(&known, reading(200, DAY)), 0);
        assert_eq!(started(&known, reading(200, 2 * DAY)), 2 * DAY);
    }
}
