//! Why the back office does not answer.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use storage::journal::Damage;

/// Why a schema is not the one of this program.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A file has another text than the one that was applied.
    #[error(
        "migration {number} of the {part} data has another text than the one that was applied: \
         this is another program's database, or its files were changed"
    )]
    Changed {
        /// Which database.
        part: &'static str,
        /// The file's number.
        number: i64,
    },
    /// A file was applied that this program does not know.
    #[error(
        "the {part} data have migration {number}, which this program does not know: it is older \
         than the program that made it"
    )]
    Unknown {
        /// Which database.
        part: &'static str,
        /// The file's number.
        number: i64,
    },
    /// Files are still to be applied.
    #[error(
        "the {part} data lack {count} of the program's migrations: run `cauce backoffice migrate`"
    )]
    Pending {
        /// Which database.
        part: &'static str,
        /// How many.
        count: usize,
    },
    /// The database refused.
    #[error("migrations of the {part} data cannot be applied")]
    Refused {
        /// Which database.
        part: &'static str,
        /// Why.
        source: MigrateError,
    },
}

/// Why the back office does not answer.
#[derive(Debug, thiserror::Error)]
pub enum BackofficeError {
    /// The address of the server cannot be read.
    #[error("backoffice.url is no address of a PostgreSQL server")]
    Url(#[source] sqlx::Error),
    /// The folder of its files cannot be made.
    #[error("the folder {} cannot be made", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The schema is not the one of this program.
    #[error(transparent)]
    Schema(#[from] MigrationError),
    /// The database did not answer, or refused.
    #[error("the back office's database cannot be used")]
    Database(#[from] sqlx::Error),
    /// The database did not answer in time.
    #[error("the back office's database did not answer within {} ms", limit.as_millis())]
    TooSlow {
        /// How long it had.
        limit: Duration,
    },
    /// A file with registered data is damaged.
    #[error(
        "{} is damaged; what was registered is in no other place: put a backup of the file there",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What the database says.
        source: sqlx::Error,
    },
    /// A row holds what it cannot hold.
    #[error("table {table} holds no valid {column} in row {row}")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id.
        row: String,
    },
    /// The journal cannot be read.
    #[error("the journal cannot be read")]
    Journal(#[from] Damage),
    /// A file cannot be written.
    #[error("{} cannot be written", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of that name is there already.
    #[error("{} is there already", file.display())]
    FileExists {
        /// The file.
        file: PathBuf,
    },
    /// A server has tools of its own for its backups.
    #[error(
        "the back office is in PostgreSQL: make a backup with `pg_dump --schema=cauce_registered`"
    )]
    BackupOfServer,
    /// The system gives no thread.
    #[error("the projector has no thread")]
    Thread(#[source] std::io::Error),
    /// The rows are further than the journal.
    #[error("the projections are at record {projected} of lane {lane}, the journal at {durable}")]
    AheadOfJournal {
        /// The lane.
        lane: u16,
        /// The last record that rows were made of.
        projected: u64,
        /// The last record of the journal.
        durable: u64,
    },
    /// Another process has written projections of the same lane.
    #[error("another process projects lane {lane}: its position is no longer {expected}")]
    OtherProjector {
        /// The lane.
        lane: u16,
        /// Where this projector left it.
        expected: u64,
    },
}

impl BackofficeError {
    /// Whether the file of the database is no database, or is damaged.
    pub(crate) fn is_damage(error: &sqlx::Error) -> bool {
        // SQLite's result codes: 11 SQLITE_CORRUPT, 26 SQLITE_NOTADB; the low byte of extended ones.
        let code = error.as_database_error().and_then(|error| error.code());
        let code = code.and_then(|code| code.parse::<u32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
    }
}
