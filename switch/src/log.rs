//! The log: structured, one line an event, never a card number or a secret.

use std::error::Error;
use std::fmt;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Libraries that tell more than an operator wants; a filter of one's own overrides it.
const QUIET: &str = "fjall=warn,lsm_tree=warn,scylla=error";

/// Starts logging to standard error. A second call is ignored.
pub fn start(config: &LogConfig) {
    let filter = match config.level.contains('=') {
        true => config.level.clone(),
        false => format!("{},{QUIET}", config.level),
    };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(QUIET));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Somebody else's subscriber (a test's) may be there already; then it stays.
    match config.format {
        LogFormat::Text => builder.try_init().ok(),
        LogFormat::Json => builder.json().try_init().ok(),
    };
}

/// Prints an error with everything that caused it: `a: b: c`.
pub fn chain<'a>(error: &'a (dyn Error + 'a)) -> impl fmt::Display + 'a {
    struct Chain<'a>(&'a (dyn Error + 'a));
    impl fmt::Display for Chain<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)?;
            let mut source = self.0.source();
            while let Some(cause) = source {
                write!(f, ": {cause}")?;
                source = cause.source();
            }
            Ok(())
        }
    }
    Chain(error)
}
