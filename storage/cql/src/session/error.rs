//! What went wrong, and what that leaves open.

use std::error::Error;
use std::time::Duration;

use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};

use super::{CqlSettings, Statement};

/// What is known of a statement that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It certainly did nothing and will do nothing.
    NotApplied,
    /// It may have done what it says, or may do so later.
    MaybeApplied,
}

/// Why the servers did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CqlError {
    /// No connection.
    #[error("no CQL server answers at {nodes}")]
    Connect {
        /// Those that were tried.
        nodes: Box<str>,
        /// What the driver said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The servers' certificates cannot be checked.
    #[error("the certificates for CQL cannot be used")]
    Tls {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The tables are not there.
    #[error("the CQL schema is missing: `cauce schema apply` makes it")]
    NoSchema,
    /// The tables are those of an earlier version.
    #[error(
        "the CQL schema has version {found}, which is too old: `cauce schema apply` brings it up"
    )]
    OldSchema {
        /// Version of the tables.
        found: u32,
    },
    /// The tables are those of a later version.
    #[error("the CQL schema has version {found}, which this program does not know")]
    NewSchema {
        /// Version of the tables.
        found: u32,
    },
    /// A statement failed.
    #[error("CQL statement `{kind}` failed ({effect:?})")]
    Statement {
        /// Which.
        kind: &'static str,
        /// What is known of it.
        effect: Effect,
        /// What the driver or the server said, with the node where that is known.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A conditional update was not settled in time.
    #[error("CQL statement `{kind}` was not settled within {waited:?} (MaybeApplied)")]
    Unsettled {
        /// Which.
        kind: &'static str,
        /// How long it was tried.
        waited: Duration,
        /// The last error, where there was one.
        source: Option<Box<CqlError>>,
    },
    /// A row does not look as it should.
    #[error("CQL statement `{kind}` found a row that makes no sense: {detail}")]
    Row {
        /// Which.
        kind: &'static str,
        /// What is wrong.
        detail: Box<str>,
    },
}

impl CqlError {
    /// What is known of what was asked.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Statement { effect, .. } => *effect,
            // The answer to an update can be what makes no sense.
            Self::Unsettled { .. } | Self::Row { .. } => Effect::MaybeApplied,
            Self::Connect { .. }
            | Self::Tls { .. }
            | Self::NoSchema
            | Self::OldSchema { .. }
            | Self::NewSchema { .. } => Effect::NotApplied,
        }
    }

    /// Whether the same may succeed when it is asked again.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Statement { source, .. } => match source.downcast_ref::<ExecutionError>() {
                Some(error) => !is_refused(error),
                None => true,
            },
            Self::Unsettled { .. } => true,
            Self::Connect { .. }
            | Self::Tls { .. }
            | Self::NoSchema
            | Self::OldSchema { .. }
            | Self::NewSchema { .. }
            | Self::Row { .. } => false,
        }
    }

    pub(crate) fn connect(
        settings: &CqlSettings,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Connect { nodes: settings.nodes.join(", ").into(), source: source.into() }
    }

    pub(crate) fn of(statement: &Statement, error: ExecutionError) -> Self {
        let effect = effect_of(&error, statement.is_conditional());
        Self::Statement { kind: statement.kind, effect, source: error.into() }
    }

    pub(crate) fn row(statement: &Statement, detail: impl ToString) -> Self {
        Self::Row { kind: statement.kind, detail: detail.to_string().into() }
    }
}

fn effect_of(error: &ExecutionError, is_conditional: bool) -> Effect {
    let unsent = match error {
        ExecutionError::BadQuery(_)
        | ExecutionError::EmptyPlan
        | ExecutionError::PrepareError(_)
        | ExecutionError::ConnectionPoolError(_)
        | ExecutionError::LastAttemptError(
            RequestAttemptError::SerializationError(_)
            | RequestAttemptError::CqlRequestSerialization(_)
            | RequestAttemptError::UnableToAllocStreamId,
        ) => true,
        // A conditional update can find too few copies after it was agreed on.
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::Unavailable { .. },
            _,
        )) => !is_conditional,
        // The driver may learn of other errors: those are never taken for harmless.
        _ => false,
    };
    if unsent || is_refused(error) { Effect::NotApplied } else { Effect::MaybeApplied }
}

/// Whether the server refused it before it did anything, and will do so again.
pub(crate) fn is_refused(error: &ExecutionError) -> bool {
    let told = match error {
        ExecutionError::BadQuery(_) => return true,
        ExecutionError::LastAttemptError(told)
        | ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt: told }) => {
            told
        }
        // The driver may learn of other errors: those may pass.
        _ => return false,
    };
    matches!(
        told,
        RequestAttemptError::DbError(
            DbError::SyntaxError
                | DbError::Invalid
                | DbError::AlreadyExists { .. }
                | DbError::Unauthorized
                | DbError::ConfigError
                | DbError::AuthenticationError,
            _,
        )
    )
}

#[cfg(test)]
mod tests {
    use scylla::statement::Consistency;

    use super::*;

    #[test]
    fn only_what_certainly_did_nothing_is_said_to_have_done_nothing() {
        let told = |error| RequestAttemptError::DbError(error, String::new()).into();
        let unavailable = || {
            let consistency = Consistency::Quorum;
            told(DbError::Unavailable { consistency, required: 2, alive: 1 })
        };
        let late = ExecutionError::RequestTimeout(Duration::from_secs(2));
        assert_eq!(effect_of(&late, false), Effect::MaybeApplied);
        assert_eq!(effect_of(&told(DbError::Overloaded), false), Effect::MaybeApplied);
        assert_eq!(effect_of(&told(DbError::ServerError), true), Effect::MaybeApplied);
        assert_eq!(effect_of(&unavailable(), true), Effect::MaybeApplied, "agreed on before");
        assert_eq!(effect_of(&unavailable(), false), Effect::NotApplied);
        assert_eq!(effect_of(&ExecutionError::EmptyPlan, true), Effect::NotApplied);
        assert_eq!(effect_of(&told(DbError::Invalid), true), Effect::NotApplied);
        assert!(is_refused(&told(DbError::Invalid)) && !is_refused(&unavailable()));
    }
}
