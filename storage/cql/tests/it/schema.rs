use std::time::Duration;

use storage_cql::schema::{MIGRATIONS, Migration, SchemaError, SchemaStanding, TABLES_THAT_EXPIRE};
use storage_cql::schema::{apply, apply_migrations, check};
use storage_cql::{Cql, CqlError, CqlSettings};

use crate::support::settings;

const LAST: u32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

#[test]
fn the_schema_is_applied_once_and_its_retention_whenever_that_changes() {
    let settings = settings();
    assert_eq!(check(&settings).unwrap(), SchemaStanding::Missing);
    assert!(matches!(Cql::connect(&settings), Err(CqlError::NoSchema)));
    let first = apply(&settings, "one").unwrap();
    assert_eq!((first.before, first.now, first.retention_changed.len()), (0, LAST, 0));
    assert_eq!(check(&settings).unwrap(), SchemaStanding::Current);
    let again = apply(&settings, "one").unwrap();
    assert_eq!((again.before, again.now, again.retention_changed.len()), (LAST, LAST, 0));
    let kept = CqlSettings { retention: Duration::from_secs(86_400), ..settings };
    assert_eq!(apply(&kept, "one").unwrap().retention_changed, TABLES_THAT_EXPIRE);
    assert_eq!(apply(&kept, "one").unwrap().retention_changed, [""; 0]);
}

#[test]
fn two_programs_may_apply_the_schema_at_once() {
    let settings = settings();
    let applied = std::thread::scope(|scope| {
        let run = |by: &'static str| {
            let settings = &settings;
            scope.spawn(move || apply(settings, by).unwrap())
        };
        [run("one"), run("two")].map(|thread| thread.join().unwrap())
    });
    let mut before = applied.map(|applied| applied.before);
    before.sort_unstable();
    assert_eq!(before, [0, LAST], "one migrates, the other finds it done");
    assert_eq!(check(&settings).unwrap(), SchemaStanding::Current);
}

#[test]
fn a_newer_schema_and_a_changed_migration_are_refused() {
    let settings = settings();
    let text = "CREATE TABLE IF NOT EXISTS a (b int PRIMARY KEY);";
    let known: Vec<Migration> = (1..=LAST).map(|version| Migration { version, text }).collect();
    let newer: Vec<Migration> = (1..=LAST + 1).map(|version| Migration { version, text }).collect();
    assert_eq!(apply_migrations(&settings, &known[..1], "test").unwrap().now, 1);
    assert_eq!(check(&settings).unwrap(), SchemaStanding::Older { found: 1, needed: LAST });
    assert!(matches!(Cql::connect(&settings), Err(CqlError::OldSchema { found: 1 })));
    assert_eq!(apply_migrations(&settings, &newer, "test").unwrap().before, 1);
    let found = LAST + 1;
    assert_eq!(check(&settings).unwrap(), SchemaStanding::Newer { found });
    let refused = Cql::connect(&settings);
    assert!(matches!(refused, Err(CqlError::NewSchema { found: version }) if version == found));
    let refused = apply_migrations(&settings, &known, "test");
    assert!(
        matches!(refused, Err(SchemaError::Newer { found: version, known: LAST }) if version == found),
        "{refused:?}"
    );
    let mut changed = newer;
    changed[0].text = "CREATE TABLE IF NOT EXISTS a (b text PRIMARY KEY);";
    let changed = apply_migrations(&settings, &changed, "test");
    assert!(matches!(changed, Err(SchemaError::Changed { version: 1 })), "{changed:?}");
}

#[test]
fn a_name_that_is_more_than_a_name_is_no_keyspace() {
    let settings = CqlSettings { keyspace: "a; DROP KEYSPACE b".into(), ..settings() };
    assert!(matches!(apply(&settings, "test"), Err(SchemaError::Keyspace(_))));
}
