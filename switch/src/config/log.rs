//! The sections of the log and of the trace of lines.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::read::Section;

/// The levels of the log, quietest first.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Level or filter.
    pub level: String,
    /// Form of a line.
    pub format: LogFormat,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The trace of participants' lines.
#[derive(Debug, Clone)]
pub struct TraceConfig {
    /// Whether it is written from the start.
    pub is_on: bool,
    /// Where its files are; none for a folder in the data folder.
    pub dir: Option<PathBuf>,
    /// Bytes of one file; a participant has two.
    pub file_bytes_max: u64,
}

/// Reads the section of the log.
pub(super) fn read(section: &mut Section<'_>) -> LogConfig {
    let level = section.text("level").unwrap_or_else(|| "info".to_owned());
    if let Err(problem) = check_filter(&level) {
        section.mistake("level", problem);
    }
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    LogConfig { level, format: section.choice("format", &formats) }
}

/// Reads the section of the trace.
pub(super) fn read_trace(section: &mut Section<'_>) -> TraceConfig {
    TraceConfig {
        is_on: section.flag("lines"),
        dir: section.text("dir").map(PathBuf::from),
        file_bytes_max: section.number("file_bytes_max", 65_536..=1 << 40, 16_777_216),
    }
}

/// A word alone is a level here, though the filter would take any word for the name of a module.
///
/// Errors: what is no level or filter.
fn check_filter(filter: &str) -> Result<(), String> {
    let is_level = |word: &str| LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
    for directive in filter.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        // A filter of a span may hold anything between its brackets.
        let level = match directive.rsplit_once('=') {
            Some((target, level)) if !target.trim().is_empty() && !level.contains(']') => level,
            Some((_, level)) if level.contains(']') => continue,
            Some(_) => "",
            None => directive,
        };
        if !is_level(level.trim()) {
            let levels = LEVELS.join(", ");
            return Err(format!("`{directive}` is neither a level ({levels}) nor MODULE=LEVEL"));
        }
    }
    match EnvFilter::try_new(filter) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{filter}` is no filter: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_does_not_exist_is_refused() {
        for good in ["info", "INFO", "error", "off", "info,cauce=debug", "warn,switch::web=trace"] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        for bad in ["verbose", "inof", "info,debgu", "cauce=verbose", "5", "=info", "info debug"] {
            let problem = check_filter(bad).expect_err(bad);
            assert!(problem.starts_with('`') && problem.contains("is n"), "{problem}");
        }
    }
}
