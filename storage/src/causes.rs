//! An error with everything that caused it, for the log.

use std::error::Error;
use std::fmt;

/// Prints an error with everything that caused it: `a: b: c`.
pub fn with_causes<'a>(error: &'a (dyn Error + 'a)) -> impl fmt::Display + 'a {
    Causes(error)
}

struct Causes<'a>(&'a (dyn Error + 'a));

impl fmt::Display for Causes<'_> {
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
