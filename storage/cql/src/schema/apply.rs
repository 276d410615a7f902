//! Applying the schema, by one program at a time.

use std::time::Duration;

use scylla::client::session::Session;
use scylla::statement::unprepared;
use scylla::value::{CqlValue, Row};

use super::statements::{BEFORE, TABLES_THAT_EXPIRE, create_keyspace, is_keyspace, of_file};
use super::{MIGRATIONS, Migration, SchemaError, agreed, applied, digest, statements};
use crate::session::{CqlSettings, Deadline, open};

/// A change of the schema waits for all nodes to agree on it.
const CHANGE_MAX: Duration = Duration::from_secs(60);
/// After so long the lock of a program that died opens by itself.
const LOCK_SECONDS: u32 = 120;
const LOCK_WAIT: Duration = Duration::from_secs(180);

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Version of the tables before; 0 where there were none.
    pub before: u32,
    /// Version now.
    pub now: u32,
    /// Tables whose rows are kept for another time from now on.
    pub retention_changed: Vec<&'static str>,
}

/// Creates the keyspace and the tables, or brings them up to this version; sets how long rows are
/// kept. Doing it again does nothing, and two programs may do it at once.
///
/// `by` names this program in the lock, uniquely.
pub fn apply(settings: &CqlSettings, by: &str) -> Result<Applied, SchemaError> {
    apply_migrations(settings, &MIGRATIONS, by)
}

/// The same of other migrations than this program's own: for tests of migrating.
pub fn apply_migrations(
    settings: &CqlSettings,
    migrations: &[Migration],
    by: &str,
) -> Result<Applied, SchemaError> {
    if !is_keyspace(&settings.keyspace) {
        return Err(SchemaError::Keyspace(settings.keyspace.as_str().into()));
    }
    let time_to_live = statements::time_to_live(settings).ok_or(SchemaError::Retention)?;
    let (runtime, session) = open(settings, false)?;
    let run = SchemaRun { session, settings, by };
    let applied = runtime.block_on(async {
        run.prepare().await?;
        run.lock().await?;
        let applied = run.migrate(migrations, time_to_live).await;
        run.unlock().await;
        applied
    });
    runtime.shutdown_background();
    applied
}

struct SchemaRun<'a> {
    session: Session,
    settings: &'a CqlSettings,
    by: &'a str,
}

impl SchemaRun<'_> {
    /// What the lock itself needs. Two programs that do this at the very same time may be told that
    /// the other has done it.
    async fn prepare(&self) -> Result<(), SchemaError> {
        let scylla = "SELECT table_name FROM system_schema.tables \
                      WHERE keyspace_name = 'system_schema' AND table_name = 'scylla_tables'";
        let is_scylla = !self.query(0, scylla).await?.is_empty();
        self.change(0, &create_keyspace(self.settings, is_scylla)).await?;
        let used = self.session.use_keyspace(&self.settings.keyspace, false).await;
        used.map_err(|error| failed(0, "USE", error))?;
        for statement in BEFORE {
            self.change(0, statement).await?;
        }
        Ok(())
    }

    async fn migrate(
        &self,
        migrations: &[Migration],
        time_to_live: i32,
    ) -> Result<Applied, SchemaError> {
        let found = applied(&self.session, self.settings).await?;
        let before = found.last().map_or(0, |(version, _)| *version);
        let last = migrations.last().map_or(0, |migration| migration.version);
        if before > last {
            return Err(SchemaError::Newer { found: before, known: last });
        }
        for Migration { version, text } in migrations {
            match found.iter().find(|(applied, _)| applied == version) {
                Some((_, applied)) if *applied == digest(text) => {}
                Some(_) => return Err(SchemaError::Changed { version: *version }),
                None => self.migration(*version, text).await?,
            }
        }
        let retention_changed = self.retain(last, time_to_live).await?;
        Ok(Applied { before, now: last, retention_changed })
    }

    async fn migration(&self, version: u32, text: &str) -> Result<(), SchemaError> {
        tracing::info!(version, "a migration of the CQL schema is applied");
        for statement in of_file(text) {
            self.change(version, &statement).await?;
        }
        let digest = digest(text);
        let note = format!(
            "INSERT INTO schema_version (name, version, digest) \
             VALUES ('cauce', {version}, '{digest}') IF NOT EXISTS"
        );
        // Whether this attempt or one before it did so is the same.
        self.query(version, &note).await.map(drop)
    }

    /// Sets how long rows are kept, where that is another time.
    async fn retain(&self, version: u32, seconds: i32) -> Result<Vec<&'static str>, SchemaError> {
        let current = format!(
            "SELECT table_name, default_time_to_live FROM system_schema.tables \
             WHERE keyspace_name = '{}'",
            self.settings.keyspace.to_lowercase()
        );
        let current = self.query(version, &current).await?;
        let mut changed = Vec::new();
        for table in TABLES_THAT_EXPIRE {
            let kept = current.iter().find_map(|row| match row.columns.as_slice() {
                [Some(CqlValue::Text(name)), Some(CqlValue::Int(kept))] if name == table => {
                    Some(*kept)
                }
                _ => None,
            });
            // Other migrations than this program's own make no such table.
            if kept.is_some_and(|kept| kept != seconds) {
                let alter = format!("ALTER TABLE {table} WITH default_time_to_live = {seconds}");
                self.change(version, &alter).await?;
                changed.push(table);
            }
        }
        Ok(changed)
    }

    async fn lock(&self) -> Result<(), SchemaError> {
        let take = format!(
            "INSERT INTO schema_lock (name, owner) VALUES ('cauce', '{}') IF NOT EXISTS \
             USING TTL {LOCK_SECONDS}",
            self.by.replace('\'', "''")
        );
        let mut deadline = Deadline::within(LOCK_WAIT);
        loop {
            // One that was not answered may have been applied all the same: whose it is tells.
            let taken = self.query(0, &take).await;
            let owner = self.lock_owner().await;
            match (taken, owner) {
                (_, Ok(Some(owner))) if owner == self.by => return Ok(()),
                (_, Ok(owner)) => {
                    if !deadline.pause().await {
                        return Err(SchemaError::Busy { by: owner.unwrap_or_default().into() });
                    }
                }
                (Err(error), Err(_)) | (Ok(_), Err(error)) => {
                    if !deadline.pause().await {
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn lock_owner(&self) -> Result<Option<String>, SchemaError> {
        let text = "SELECT owner FROM schema_lock WHERE name = 'cauce'";
        let found = self.session.query_unpaged(agreed(text, self.settings.serial), ()).await;
        let found = found.map_err(|error| failed(0, text, error))?;
        let rows = found.into_rows_result().map_err(|error| failed(0, text, error))?;
        let row = rows.maybe_first_row::<(String,)>().map_err(|error| failed(0, text, error))?;
        Ok(row.map(|(owner,)| owner))
    }

    async fn unlock(&self) {
        let by = self.by.replace('\'', "''");
        let open = format!("DELETE FROM schema_lock WHERE name = 'cauce' IF owner = '{by}'");
        if let Err(error) = self.query(0, &open).await {
            tracing::warn!(%error, "the lock of the CQL schema opens by itself in two minutes");
        }
    }

    /// Changes the schema and waits until all nodes have it. Every change may be repeated.
    async fn change(&self, version: u32, text: &str) -> Result<(), SchemaError> {
        let mut deadline = Deadline::within(CHANGE_MAX);
        loop {
            let changed = match self.query(version, text).await {
                Ok(_) => self.session.await_schema_agreement().await.map(drop),
                Err(error) if !error.is_passing() || !deadline.pause().await => return Err(error),
                Err(_) => continue,
            };
            match changed {
                Ok(()) => return Ok(()),
                // A node that is lost for a moment cannot say what it has.
                Err(_) if deadline.pause().await => {}
                Err(error) => return Err(failed(version, text, error)),
            }
        }
    }

    async fn query(&self, version: u32, text: &str) -> Result<Vec<Row>, SchemaError> {
        let mut statement = unprepared::Statement::new(text);
        statement.set_request_timeout(Some(CHANGE_MAX));
        let result = self.session.query_unpaged(statement, ()).await;
        let result = result.map_err(|error| failed(version, text, error))?;
        let Ok(rows) = result.into_rows_result() else { return Ok(Vec::new()) };
        let rows = rows.rows::<Row>().map_err(|error| failed(version, text, error))?;
        rows.collect::<Result<_, _>>().map_err(|error| failed(version, text, error))
    }
}

fn failed(
    version: u32,
    statement: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SchemaError {
    let begins = statement.lines().next().unwrap_or_default();
    SchemaError::Statement { version, statement: begins.into(), source: source.into() }
}
