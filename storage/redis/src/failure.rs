//! Why a round of calls gave no answers that count.

use std::fmt;

use redis::{RedisError, ServerError};

/// The kinds of trouble with Redis, as operators and metrics tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The gate is closed on this node.
    Closed,
    /// No connection, or it broke.
    Lost,
    /// No answer in time.
    TimedOut,
    /// The data are of another epoch, or gone.
    Stale,
    /// Another connection writes for the lane.
    Superseded,
    /// Another instance answers than the pinned one.
    OtherInstance,
    /// It does not accept writes: a replica, a cluster that moved, a server that starts.
    NotServing,
    /// A rebuild came too late: the data are of a later epoch, or this one is open already.
    Older,
    /// The function library is not there.
    NoFunction,
    /// Its memory is full.
    OutOfMemory,
    /// Its clock and this node's disagree.
    Clock,
    /// Anything else it answers.
    Other,
}

impl Why {
    /// The name in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Lost => "lost",
            Self::TimedOut => "timed_out",
            Self::Stale => "stale",
            Self::Superseded => "superseded",
            Self::OtherInstance => "other_instance",
            Self::NotServing => "not_serving",
            Self::Older => "older",
            Self::NoFunction => "no_function",
            Self::OutOfMemory => "out_of_memory",
            Self::Clock => "clock",
            Self::Other => "other",
        }
    }

    /// Whether the data may be others than those of the epoch: nothing may be decided on them
    /// before a new one.
    pub fn needs_new_epoch(self) -> bool {
        matches!(self, Self::Stale | Self::OtherInstance)
    }
}

/// One failure: its kind, and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub why: Why,
    pub detail: Box<str>,
}

impl Failure {
    pub fn new(why: Why, detail: impl Into<Box<str>>) -> Self {
        Self { why, detail: detail.into() }
    }

    /// The same, with where it happened.
    pub fn at(self, address: &str) -> Self {
        Self { detail: format!("{address}: {}", self.detail).into(), ..self }
    }

    pub fn strange(what: &str) -> Self {
        Self::new(Why::Other, format!("an answer that makes no sense: {what}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        let why = match error.code() {
            Some(code) => why_of(code, error.detail().unwrap_or_default()),
            None if error.is_timeout() => Why::TimedOut,
            None => Why::Lost,
        };
        // What the system calls a time-out of a socket says something else to people.
        match why {
            Why::TimedOut => Self::new(why, "no answer in time"),
            _ => Self::new(why, error.to_string()),
        }
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        let (code, details) = (error.code(), error.details().unwrap_or_default());
        Self::new(why_of(code, details), format!("{code} {details}"))
    }
}

fn why_of(code: &str, details: &str) -> Why {
    match code {
        "STALE" => Why::Stale,
        "SUPERSEDED" => Why::Superseded,
        "OLDER" => Why::Older,
        "OOM" => Why::OutOfMemory,
        "CLOCK" => Why::Clock,
        "MOVED" | "ASK" | "LOADING" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN"
        | "NOREPLICAS" | "MISCONF" | "BUSY" => Why::NotServing,
        _ if details.contains("Function not found") => Why::NoFunction,
        _ => Why::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_time_out_is_called_one_whatever_the_system_calls_it() {
        for kind in [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut] {
            let failure =
                Failure::from(RedisError::from(io::Error::from(kind))).at("192.0.2.1:6379");
            assert_eq!(failure.why, Why::TimedOut, "{kind:?}");
            assert_eq!(failure.to_string(), "192.0.2.1:6379: no answer in time", "{kind:?}");
        }
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(Failure::from(RedisError::from(refused)).why, Why::Lost);
    }
}
