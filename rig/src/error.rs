//! What went wrong, in words: a test shows it and fails.

use std::fmt;

/// Why a server did not do as asked; names the server and, where it did not start, quotes its log.
pub struct Error(String);

/// What every fallible function here answers.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What went wrong, in words.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same error, told as part of `what`.
    pub(crate) fn within(self, what: impl fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As `Display`: a test unwraps, and a quoted log must keep its lines.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}
