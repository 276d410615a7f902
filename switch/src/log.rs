//! The log: structured, one line an event, never a card number or a secret.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Libraries that tell more than an operator wants; a filter of one's own overrides it.
/// The CQL driver tells of each failed try; that no server is connected we tell ourselves.
const QUIET: &str = "fjall=warn,lsm_tree=warn,scylla=off";

/// Starts logging to standard error. A second call is ignored.
pub fn start(config: &LogConfig) {
    let filter = match config.level.contains('=') {
        true => config.level.clone(),
        false => format!("{},{QUIET}", config.level),
    };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(QUIET));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(takes_colour(&std::io::stderr()))
        .with_writer(std::io::stderr);
    // Somebody else's subscriber (a test's) may be there already; then it stays.
    match config.format {
        LogFormat::Text => builder.try_init().ok(),
        LogFormat::Json => builder.json().try_init().ok(),
    };
}

/// Whether colours go to a stream: it is a terminal that shows them, and they are not refused.
/// Files and pipes get no escape codes.
///
/// Source: <https://no-color.org>: `NO_COLOR` counts where it is not empty.
pub fn takes_colour(stream: &impl IsTerminal) -> bool {
    let [no_color, term] = ["NO_COLOR", "TERM"].map(std::env::var_os);
    stream.is_terminal() && !refuses_colour(no_color.as_deref(), term.as_deref())
}

fn refuses_colour(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_some_and(|value| !value.is_empty()) || term.is_some_and(|value| value == "dumb")
}
/// Pause between two lines about the same trouble.
const SELDOM: Duration = Duration::from_secs(10);

/// Keeps a trouble that each request meets from being told with each of them.
#[derive(Debug)]
pub struct Seldom {
    pause: Duration,
    /// When it was told last, and how many times it was left out since.
    last: Mutex<(Option<Instant>, u64)>,
}

impl Seldom {
    /// Nothing was told yet; told once in ten seconds.
    pub const fn new() -> Self {
        Self::every(SELDOM)
    }

    /// Nothing was told yet; told once in a time of this length.
    pub const fn every(pause: Duration) -> Self {
        Self { pause, last: Mutex::new((None, 0)) }
    }

    /// Whether to tell of the trouble now, and then how many times it was left out before.
    pub fn is_due(&self) -> Option<u64> {
        self.is_due_if(|| true)
    }

    /// The same where something else may forbid it, which is asked only when it would be told.
    pub fn is_due_if(&self, may_tell: impl FnOnce() -> bool) -> Option<u64> {
        self.is_due_at(Instant::now(), may_tell)
    }

    fn is_due_at(&self, now: Instant, may_tell: impl FnOnce() -> bool) -> Option<u64> {
        let (told_at, left_out) = &mut *self.last.lock();
        let is_early = told_at.is_some_and(|told_at| now.duration_since(told_at) < self.pause);
        if is_early || !may_tell() {
            *left_out += 1;
            return None;
        }
        *told_at = Some(now);
        Some(std::mem::take(left_out))
    }
}

impl Default for Seldom {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_request_meets_is_told_once_in_a_while_with_how_many_were_left_out() {
        let (seldom, now, ms) = (Seldom::new(), Instant::now(), Duration::from_millis(1));
        let due = |at: Instant| seldom.is_due_at(at, || true);
        assert_eq!(due(now), Some(0));
        assert_eq!((1..=500).filter_map(|nth| due(now + ms * nth)).count(), 0);
        assert_eq!(due(now + SELDOM), Some(500));
        assert_eq!(due(now + SELDOM * 2), Some(0));
    }

    #[test]
    fn colours_are_refused_by_a_variable_that_is_not_empty_and_by_a_dumb_terminal() {
        let check = |no_color: Option<&str>, term: Option<&str>, expect| {
            let refused = refuses_colour(no_color.map(OsStr::new), term.map(OsStr::new));
            assert_eq!(refused, expect, "{no_color:?} {term:?}");
        };
        check(None, None, false);
        check(Some(""), Some("xterm"), false);
        check(Some("1"), Some("xterm"), true);
        check(None, Some("dumb"), true);
        let file = tempfile::tempfile().unwrap();
        assert!(!takes_colour(&file), "a file gets no escape codes");
    }

    #[test]
    fn what_may_not_be_told_now_is_told_as_soon_as_it_may() {
        let (seldom, now) = (Seldom::every(Duration::from_secs(60)), Instant::now());
        assert_eq!(seldom.is_due_at(now, || false), None);
        assert_eq!(seldom.is_due_at(now, || true), Some(1));
    }
}
