//! The schema: the page about it, and databases of another one.

use std::collections::BTreeMap;

use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use storage_backoffice::error::MigrationError;
use storage_backoffice::migrations::Part;
use storage_backoffice::{Backoffice, BackofficeError, BackofficeLocation, BackofficeSettings};

use crate::places::{Place, bill, block_on, by, on_both};

/// Columns by database and table: name, type, whether it may be empty.
type Columns = BTreeMap<(String, String), Vec<(String, String, bool)>>;

/// The tables of the page.
fn described() -> Columns {
    let page = include_str!("../../schema/README.md");
    let (mut found, mut table) = (Columns::new(), None);
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            let (part, name) = title.split_once(": ").unwrap();
            table = Some((part.to_owned(), name.trim_matches('`').to_owned()));
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ([_, column, kind, may_be_empty, meaning, _], Some(table)) = (&cells[..], &table)
            && column.starts_with('`')
        {
            assert!(!meaning.is_empty(), "{column} of {table:?}");
            let column = column.trim_matches('`').to_owned();
            let row = (column, kind.to_lowercase(), *may_be_empty == "yes");
            found.entry(table.clone()).or_default().push(row);
        }
    }
    found
}

#[test]
fn the_page_about_the_schema_tells_every_table_and_column_of_both_engines() {
    let described = described();
    assert_eq!(described.len(), 10);
    let files = Place::files();
    assert_eq!(block_on(of_files(&files)), described);
    let server = Place::server();
    assert_eq!(block_on(of_server(&server)), described);
}

async fn of_files(place: &Place) -> Columns {
    place.office().await.close().await;
    let mut found = Columns::new();
    for part in Part::ALL {
        let pool = open(place, part).await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        for table in tables {
            let sql =
                format!("SELECT name, lower(type), \"notnull\" FROM pragma_table_info('{table}')");
            let columns: Vec<(String, String, bool)> =
                sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&pool).await.unwrap();
            let columns = columns.into_iter().map(|(name, kind, filled)| (name, kind, !filled));
            found.insert((part.name().to_owned(), table), columns.collect());
        }
        pool.close().await;
    }
    found
}

async fn of_server(place: &Place) -> Columns {
    place.office().await.close().await;
    let pool = server(place).await;
    let mut found = Columns::new();
    for (part, schema) in [("registered", "cauce_registered"), ("projections", "cauce_projections")]
    {
        let rows: Vec<(String, String, String, bool)> = sqlx::query_as(
            "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES' \
             FROM information_schema.columns WHERE table_schema = $1 \
             AND table_name NOT LIKE '\\_%' ORDER BY table_name, ordinal_position",
        )
        .bind(schema)
        .fetch_all(&pool)
        .await
        .unwrap();
        for (table, column, kind, may_be_empty) in rows {
            let columns = found.entry((part.to_owned(), table)).or_default();
            columns.push((column, kind, may_be_empty));
        }
    }
    pool.close().await;
    found
}

async fn server(place: &Place) -> PgPool {
    let BackofficeLocation::Server(url) = &place.settings.location else { panic!("a server") };
    PgPoolOptions::new().max_connections(1).connect(url).await.unwrap()
}

async fn open(place: &Place, part: Part) -> SqlitePool {
    let BackofficeLocation::Files(folder) = &place.settings.location else { panic!("files") };
    let file = folder.join(format!("{}.db", part.name()));
    let options = SqliteConnectOptions::new().filename(file);
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}

/// Changes the table of migrations of the registered data.
async fn tamper(place: &Place, sql: &'static str) {
    match &place.settings.location {
        BackofficeLocation::Files(_) => {
            let pool = open(place, Part::Registered).await;
            sqlx::query(sql).execute(&pool).await.unwrap();
            pool.close().await;
        }
        BackofficeLocation::Server(_) => {
            let pool = server(place).await;
            sqlx::query("SET search_path = cauce_registered").execute(&pool).await.unwrap();
            sqlx::query(sql).execute(&pool).await.unwrap();
            pool.close().await;
        }
    }
}

#[test]
fn migrations_are_applied_once_and_a_second_time_changes_nothing() {
    on_both(async |place| {
        let before = Backoffice::schema_status(&place.settings).await.unwrap();
        assert!(before.iter().all(|part| part.pending == part.known && part.known > 0));
        let office = place.office().await;
        office.register_bill(&bill(1, 1_000), &by(0)).await.unwrap();
        office.close().await;
        let office = place.office().await;
        assert!(office.bill(bill(1, 1_000).id).await.unwrap().is_some());
        office.close().await;
        let after = Backoffice::schema_status(&place.settings).await.unwrap();
        assert!(after.iter().all(|part| part.pending == 0));
    });
}

#[test]
fn a_database_with_a_changed_or_an_unknown_migration_is_refused_in_words() {
    on_both(async |place| {
        place.office().await.close().await;
        tamper(&place, "UPDATE _sqlx_migrations SET version = 7 WHERE version = 1").await;
        let refused = Backoffice::open(&place.settings).await.unwrap_err();
        let is_unknown = matches!(
            refused,
            BackofficeError::Schema(MigrationError::Unknown { part: "registered", number: 7 })
        );
        assert!(is_unknown, "{refused:?}");
        assert!(refused.to_string().contains("older than the program that made it"), "{refused}");
        tamper(&place, "UPDATE _sqlx_migrations SET version = 1 WHERE version = 7").await;
        Backoffice::open(&place.settings).await.unwrap().close().await;
        tamper(&place, "UPDATE _sqlx_migrations SET checksum = checksum || checksum").await;
        let refused = Backoffice::open(&place.settings).await.unwrap_err();
        let is_changed = matches!(
            refused,
            BackofficeError::Schema(MigrationError::Changed { part: "registered", number: 1 })
        );
        assert!(is_changed, "{refused:?}");
    });
}

#[test]
fn a_server_is_migrated_by_command_alone() {
    let place = Place::server();
    block_on(async {
        let refused = Backoffice::open(&place.settings).await.unwrap_err();
        assert!(refused.to_string().contains("run `cauce backoffice migrate`"), "{refused}");
        place.office().await.close().await;
        Backoffice::open(&place.settings).await.unwrap().close().await;
    });
}

#[test]
fn damaged_projections_are_made_anew_and_damaged_registered_data_are_refused() {
    let place = Place::files();
    let BackofficeLocation::Files(folder) = place.settings.location.clone() else {
        panic!("files")
    };
    block_on(async {
        let office = place.office().await;
        office.register_bill(&bill(1, 1_000), &by(0)).await.unwrap();
        office.close().await;
        std::fs::write(folder.join("projections.db"), [7; 8_192]).unwrap();
        let office = Backoffice::open(&place.settings).await.unwrap();
        assert!(office.bill(bill(1, 1_000).id).await.unwrap().is_some());
        assert_eq!(office.status().await.unwrap().payments, 0);
        office.close().await;
        std::fs::write(folder.join("registered.db"), [7; 8_192]).unwrap();
        let refused = Backoffice::open(&place.settings).await.unwrap_err();
        assert!(matches!(refused, BackofficeError::Damaged { .. }), "{refused:?}");
        assert!(refused.to_string().contains("put a backup of the file there"), "{refused}");
    });
}

#[test]
fn a_server_that_is_away_is_told_in_time() {
    let settings = BackofficeSettings {
        statement_timeout: std::time::Duration::from_secs(2),
        // Nothing listens on port 1 of this machine.
        ..BackofficeSettings::at(BackofficeLocation::Server(
            "postgres://cauce@127.0.0.1:1/x".into(),
        ))
    };
    block_on(async {
        let refused = Backoffice::open(&settings).await.unwrap_err();
        let is_away =
            matches!(refused, BackofficeError::Database(_) | BackofficeError::TooSlow { .. });
        assert!(is_away, "{refused:?}");
    });
}
