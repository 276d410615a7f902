//! The schema as numbered files. A file is never changed once it was applied anywhere: its checksum
//! is in the database, and a database with another one, or with a file that this program does not
//! know, is refused.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

pub use crate::database::Part;
use crate::database::{Database, Engine, read};
use crate::error::{BackofficeError, MigrationError};

/// One numbered file.
#[derive(Debug, Clone, Copy)]
pub struct SchemaFile {
    /// Its number, from 1.
    pub number: i64,
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub sql: &'static str,
}

/// The files of the registered data, oldest first.
const REGISTERED: [SchemaFile; 3] = [
    SchemaFile {
        number: 1,
        name: "bills",
        sql: include_str!("../schema/registered/0001_bills.sql"),
    },
    SchemaFile {
        number: 2,
        name: "external payments",
        sql: include_str!("../schema/registered/0002_external_payments.sql"),
    },
    SchemaFile {
        number: 3,
        name: "batches",
        sql: include_str!("../schema/registered/0003_batches.sql"),
    },
];

/// The files of the projections, oldest first.
const PROJECTIONS: [SchemaFile; 1] = [SchemaFile {
    number: 1,
    name: "payments",
    sql: include_str!("../schema/projections/0001_payments.sql"),
}];

/// The files of a part, oldest first.
pub fn files(part: Part) -> &'static [SchemaFile] {
    match part {
        Part::Registered => &REGISTERED,
        Part::Projections => &PROJECTIONS,
    }
}

/// Applies what is missing; two programs that do so at once wait for each other.
pub(crate) async fn apply(database: &Database) -> Result<(), BackofficeError> {
    let part = database.part;
    let applied = match &database.engine {
        Engine::Sqlite { write, .. } => migrator(part).run(write).await,
        Engine::Postgres(pool) => {
            let mut migrator = migrator(part);
            migrator.create_schema(part.schema());
            migrator.run(pool).await
        }
    };
    applied.map_err(|error| refused(part, error))
}

/// The files that are still to be applied.
///
/// Errors: [`MigrationError::Changed`] and [`MigrationError::Unknown`].
pub(crate) async fn pending(database: &Database) -> Result<usize, BackofficeError> {
    const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    let part = database.part;
    let applied =
        read!(database, |on| sqlx::query_as::<_, (i64, Vec<u8>)>(APPLIED).fetch_all(on).await);
    let applied = match applied {
        Err(BackofficeError::Database(error)) if is_missing_table(&error) => Vec::new(),
        other => other?,
    };
    let known = migrator(part);
    for (number, checksum) in &applied {
        let Some(file) = known.iter().find(|file| file.version == *number) else {
            return Err(MigrationError::Unknown { part: part.name(), number: *number }.into());
        };
        if *file.checksum != **checksum {
            return Err(MigrationError::Changed { part: part.name(), number: *number }.into());
        }
    }
    Ok(known.iter().count() - applied.len())
}

/// Refuses a database whose schema is not the one of this program.
pub(crate) async fn check(database: &Database) -> Result<(), BackofficeError> {
    match pending(database).await? {
        0 => Ok(()),
        count => Err(MigrationError::Pending { part: database.part.name(), count }.into()),
    }
}

fn migrator(part: Part) -> Migrator {
    let migration = |file: &SchemaFile| {
        let (name, sql) = (Cow::Borrowed(file.name), file.sql.into_sql_str());
        Migration::new(file.number, name, MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(files(part).iter().map(migration).collect())
}

fn refused(part: Part, error: MigrateError) -> BackofficeError {
    let part = part.name();
    match error {
        MigrateError::VersionMismatch(number) => MigrationError::Changed { part, number }.into(),
        MigrateError::VersionMissing(number) => MigrationError::Unknown { part, number }.into(),
        MigrateError::Execute(source) => source.into(),
        source => MigrationError::Refused { part, source }.into(),
    }
}

/// Whether the table of migrations is not there: nothing was applied yet.
fn is_missing_table(error: &sqlx::Error) -> bool {
    // 42P01 is PostgreSQL's "undefined table".
    error.as_database_error().is_some_and(|error| {
        error.code().as_deref() == Some("42P01") || error.message().contains("no such table")
    })
}
