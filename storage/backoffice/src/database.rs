//! One of the two databases, in either engine, and the macros that run one SQL text on both.

use std::fs::{DirBuilder, OpenOptions};
use std::future::Future;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

use crate::error::BackofficeError;
use crate::settings::{BackofficeLocation, BackofficeSettings};

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What people and companies register.
    Registered,
    /// What is derived from the journal.
    Projections,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Registered, Self::Projections];

    /// Its name in messages and in `cauce backoffice status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Projections => "projections",
        }
    }

    /// Its schema in PostgreSQL.
    pub(crate) fn schema(self) -> &'static str {
        match self {
            Self::Registered => "cauce_registered",
            Self::Projections => "cauce_projections",
        }
    }

    /// Its file in a folder of SQLite files.
    pub(crate) fn file(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.db", self.name()))
    }

    /// What people register is on the disk when it is acknowledged; projections can be made anew.
    fn synchronous(self) -> SqliteSynchronous {
        match self {
            Self::Registered => SqliteSynchronous::Full,
            Self::Projections => SqliteSynchronous::Normal,
        }
    }
}

/// One of the two databases.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub part: Part,
    pub engine: Engine,
    /// Longest time for one question or one change.
    pub statement_timeout: Duration,
}

/// The pools of an engine.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    /// One connection that writes, some that read.
    Sqlite { write: SqlitePool, read: SqlitePool },
    /// Connections that do both.
    Postgres(PgPool),
}

impl Database {
    /// The pools of a part. A server is connected to when it is first asked.
    ///
    /// Errors: the address cannot be read, or the folder cannot be made.
    pub fn of(part: Part, settings: &BackofficeSettings) -> Result<Self, BackofficeError> {
        let statement_timeout = settings.statement_timeout;
        let engine = match &settings.location {
            BackofficeLocation::Files(folder) => sqlite(part, folder, settings)?,
            BackofficeLocation::Server(url) => postgres(part, url, settings)?,
        };
        Ok(Self { part, engine, statement_timeout })
    }

    /// Closes its connections; waits for what is under way.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Engine::Postgres(pool) => pool.close().await,
        }
    }
}

fn sqlite(
    part: Part,
    folder: &Path,
    settings: &BackofficeSettings,
) -> Result<Engine, BackofficeError> {
    let file = part.file(folder);
    private_file(folder, &file)
        .map_err(|source| BackofficeError::Folder { folder: folder.to_owned(), source })?;
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(part.synchronous())
        .busy_timeout(settings.statement_timeout);
    let pool = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(settings.statement_timeout)
            .test_before_acquire(false)
    };
    let write = pool(1).connect_lazy_with(options.clone());
    let read = pool(settings.connections_max).connect_lazy_with(options);
    Ok(Engine::Sqlite { write, read })
}

/// Makes a file that is its owner's alone, as SQLite makes those beside it; an empty one is an
/// empty database.
fn private_file(folder: &Path, file: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(file).map(drop)
}

fn postgres(
    part: Part,
    url: &str,
    settings: &BackofficeSettings,
) -> Result<Engine, BackofficeError> {
    let timeout_ms = settings.statement_timeout.as_millis().to_string();
    let options = PgConnectOptions::from_str(url)
        .map_err(BackofficeError::Url)?
        .application_name("cauce")
        .options([("search_path", part.schema()), ("statement_timeout", timeout_ms.as_str())]);
    let pool = PgPoolOptions::new()
        .max_connections(settings.connections_max)
        .acquire_timeout(settings.statement_timeout)
        .test_before_acquire(false);
    Ok(Engine::Postgres(pool.connect_lazy_with(options)))
}

/// Waits for the database, but not for ever.
pub(crate) async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, BackofficeError> {
    match tokio::time::timeout(limit, work).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(BackofficeError::TooSlow { limit }),
    }
}

/// Reads: `read!(database, |on| query.fetch_all(on).await)`.
macro_rules! read {
    ($database:expr, |$on:ident| $read:expr) => {{
        let database: &$crate::database::Database = $database;
        let limit = database.statement_timeout;
        match &database.engine {
            $crate::database::Engine::Sqlite { read: $on, .. } => {
                #[allow(dead_code, reason = "not every text is built")]
                type Db = sqlx::Sqlite;
                $crate::database::in_time(limit, async { $read }).await
            }
            $crate::database::Engine::Postgres($on) => {
                #[allow(dead_code, reason = "not every text is built")]
                type Db = sqlx::Postgres;
                $crate::database::in_time(limit, async { $read }).await
            }
        }
    }};
}

/// Changes all of it or nothing: `change!(database, |on| { … query.execute(&mut *on).await?; … })`.
///
/// Within, `?` leaves the database as it was; `Db` is the engine's type.
macro_rules! change {
    ($database:expr, |$on:ident| $change:block) => {{
        let database: &$crate::database::Database = $database;
        let limit = database.statement_timeout;
        match &database.engine {
            $crate::database::Engine::Sqlite { write, .. } => {
                #[allow(dead_code, reason = "not every text is built")]
                type Db = sqlx::Sqlite;
                let work = async {
                    // One that begins to read and then writes can fail where it could have waited.
                    let mut $on = write.begin_with("BEGIN IMMEDIATE").await?;
                    let changed = $change;
                    $on.commit().await?;
                    Ok(changed)
                };
                $crate::database::in_time(limit, work).await
            }
            $crate::database::Engine::Postgres(pool) => {
                #[allow(dead_code, reason = "not every text is built")]
                type Db = sqlx::Postgres;
                let work = async {
                    let mut $on = pool.begin().await?;
                    let changed = $change;
                    $on.commit().await?;
                    Ok(changed)
                };
                $crate::database::in_time(limit, work).await
            }
        }
    }};
}

pub(crate) use {change, read};
