//! The tables, as numbered files that are compiled in.
//!
//! A file that was ever applied is never changed: the next change is the next file. Each is applied
//! once, and its digest is kept, so that a changed file shows. Statements are such that being
//! applied twice does no harm, because a program may die between one and the next.

mod apply;
mod statements;

use scylla::client::session::Session;
use scylla::errors::DbError;
use scylla::errors::{ExecutionError, RequestAttemptError};
use scylla::statement::unprepared;
use sha2::{Digest, Sha256};

use crate::session::{Cql, CqlError, CqlSettings, Serial, Statement, is_refused, open};
pub use apply::{Applied, apply, apply_migrations};
pub use statements::TABLES_THAT_EXPIRE;

/// One migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its number; the first is 1, and none is left out.
    pub version: u32,
    /// Its statements.
    pub text: &'static str,
}

/// All there are, in order.
pub const MIGRATIONS: [Migration; 3] = [
    Migration { version: 1, text: include_str!("../schema/0001-journal.cql") },
    Migration { version: 2, text: include_str!("../schema/0002-views.cql") },
    Migration { version: 3, text: include_str!("../schema/0003-keys.cql") },
];

/// Where the tables stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaStanding {
    /// As this version knows them.
    Current,
    /// There are none.
    Missing,
    /// Migrations are to be applied.
    Older {
        /// Version of the tables.
        found: u32,
        /// Version this program needs.
        needed: u32,
    },
    /// A later version of the program has changed them.
    Newer {
        /// Version of the tables.
        found: u32,
    },
}

/// Why the schema was not applied.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The keyspace's name has other characters than letters, digits and underscores, or too many.
    #[error("`{0}` is no name of a keyspace")]
    Keyspace(Box<str>),
    /// A retention of more than the servers know.
    #[error("rows can be kept for at most 20 years")]
    Retention,
    /// A later version of the program has changed the tables.
    #[error("the CQL schema has version {found}, this program knows {known}")]
    Newer {
        /// Version of the tables.
        found: u32,
        /// The last version this program knows.
        known: u32,
    },
    /// A migration was changed after it had been applied.
    #[error("migration {version} is not the one that was applied")]
    Changed {
        /// Its number.
        version: u32,
    },
    /// Another program applies the schema and does not come to an end.
    #[error("the CQL schema is being applied by {by}")]
    Busy {
        /// Which.
        by: Box<str>,
    },
    /// A statement of a migration failed.
    #[error("migration {version} failed at `{statement}`")]
    Statement {
        /// Its number; 0 for what comes before the first.
        version: u32,
        /// How the statement begins.
        statement: Box<str>,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The servers did not do as asked.
    #[error(transparent)]
    Cql(#[from] CqlError),
}

impl SchemaError {
    /// Whether the same statement may succeed when it is executed again.
    fn is_passing(&self) -> bool {
        match self {
            Self::Statement { source, .. } => {
                source.downcast_ref::<ExecutionError>().is_some_and(|error| !is_refused(error))
            }
            Self::Cql(error) => error.is_passing(),
            Self::Keyspace(_)
            | Self::Retention
            | Self::Newer { .. }
            | Self::Changed { .. }
            | Self::Busy { .. } => false,
        }
    }
}

impl Cql {
    /// Connects, and checks that the tables have the schema of this program.
    ///
    /// Errors: none of the nodes answers; the tables are missing, older or newer.
    pub fn connect(settings: &CqlSettings) -> Result<Self, CqlError> {
        match check(settings)? {
            SchemaStanding::Current => Self::connect_checked(settings),
            SchemaStanding::Missing => Err(CqlError::NoSchema),
            SchemaStanding::Older { found, .. } => Err(CqlError::OldSchema { found }),
            SchemaStanding::Newer { found } => Err(CqlError::NewSchema { found }),
        }
    }
}

/// Compares the schema of the tables with the one of this program.
pub fn check(settings: &CqlSettings) -> Result<SchemaStanding, CqlError> {
    let (runtime, session) = open(settings, false)?;
    let versions = runtime.block_on(applied(&session, settings));
    runtime.shutdown_background();
    let needed = MIGRATIONS.len();
    let found = versions?.last().map_or(0, |(version, _)| *version);
    Ok(match usize::try_from(found).unwrap_or(usize::MAX) {
        0 => SchemaStanding::Missing,
        version if version == needed => SchemaStanding::Current,
        version if version > needed => SchemaStanding::Newer { found },
        _ => SchemaStanding::Older { found, needed: known() },
    })
}

/// The last version this program knows.
fn known() -> u32 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

static VERSIONS: Statement = Statement::read_agreed("schema_versions", "schema_version");

/// Versions applied and the digests of their files, ascending; none where there is no table.
async fn applied(
    session: &Session,
    settings: &CqlSettings,
) -> Result<Vec<(u32, String)>, CqlError> {
    let text = format!(
        "SELECT version, digest FROM {}.schema_version WHERE name = 'cauce'",
        settings.keyspace
    );
    let rows = session.query_unpaged(agreed(&text, settings.serial), ()).await;
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) if is_unknown(&error) => return Ok(Vec::new()),
        Err(error) => return Err(CqlError::of(&VERSIONS, error)),
    };
    let rows = rows.into_rows_result().map_err(|error| CqlError::row(&VERSIONS, error))?;
    let rows = rows.rows::<(i32, String)>().map_err(|error| CqlError::row(&VERSIONS, error))?;
    let mut found = Vec::new();
    for row in rows {
        let (version, digest) = row.map_err(|error| CqlError::row(&VERSIONS, error))?;
        found.push((version.cast_unsigned(), digest));
    }
    Ok(found)
}

/// A statement that reads what has been agreed on.
fn agreed(text: &str, serial: Serial) -> unprepared::Statement {
    let mut statement = unprepared::Statement::new(text);
    statement.set_consistency(serial.of_reads());
    statement
}

/// No such keyspace or table.
fn is_unknown(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, _))
    )
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
