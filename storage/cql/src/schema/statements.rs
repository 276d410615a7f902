//! The statements of a migration, and those that settings make.

use crate::session::{CqlSettings, Replication};

/// Tables whose rows are kept for as long as the settings say, and no longer.
pub const TABLES_THAT_EXPIRE: [&str; 9] = [
    "lane_frame",
    "payment",
    "by_folio",
    "by_trace",
    "by_key",
    "by_biller",
    "biller_quarter",
    "notice",
    "notice_bucket",
];

const KEYSPACE_LEN_MAX: usize = 48;
/// The most the servers take: 20 years, in seconds.
const RETENTION_MAX: u64 = 630_720_000;

/// Statements of a file: without comments, which take whole lines.
pub(super) fn of_file(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let statements = text.split(';').map(str::trim).filter(|statement| !statement.is_empty());
    statements.map(str::to_owned).collect()
}

pub(super) fn is_keyspace(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word && !name.is_empty() && name.len() <= KEYSPACE_LEN_MAX
}

/// Seconds for `default_time_to_live`; none for more than the servers know.
pub(super) fn time_to_live(settings: &CqlSettings) -> Option<i32> {
    let seconds = settings.retention.as_secs();
    // Zero would mean for ever, which a shorter time than a second does not.
    let seconds = if settings.retention.is_zero() { 0 } else { seconds.max(1) };
    i32::try_from(seconds).ok().filter(|_| seconds <= RETENTION_MAX)
}

/// The keyspace, on ScyllaDB without tablets: conditional updates, which lanes and the gate stand
/// on, are not supported on them by all releases that make keyspaces with tablets by default.
pub(super) fn create_keyspace(settings: &CqlSettings, is_scylla: bool) -> String {
    let replication = match &settings.replication {
        Replication::Everywhere(copies) => {
            format!("'class': 'SimpleStrategy', 'replication_factor': {copies}")
        }
        Replication::PerDatacentre(copies) => {
            let each = copies.iter().map(|(name, copies)| format!(", '{name}': {copies}"));
            format!("'class': 'NetworkTopologyStrategy'{}", each.collect::<String>())
        }
    };
    let tablets = if is_scylla { " AND tablets = {'enabled': false}" } else { "" };
    format!(
        "CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {{{replication}}}{tablets}",
        settings.keyspace
    )
}

/// What must be there before anything can be agreed on.
pub(super) const BEFORE: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS schema_version (
        name text, version int, digest text, PRIMARY KEY (name, version))",
    "CREATE TABLE IF NOT EXISTS schema_lock (name text PRIMARY KEY, owner text)",
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings() -> CqlSettings {
        CqlSettings::new(vec!["127.0.0.1:9042".into()], "cauce")
    }

    #[test]
    fn a_file_is_cut_at_semicolons_and_loses_its_comments() {
        let text = "-- one; two\nCREATE TABLE a (\n    -- three;\n    b int\n);\n\nCREATE c;\n";
        assert_eq!(of_file(text), ["CREATE TABLE a (\n    b int\n)", "CREATE c"]);
    }

    #[test]
    fn every_table_that_expires_is_made_by_a_file_and_every_statement_may_be_repeated() {
        let statements: Vec<String> =
            crate::schema::MIGRATIONS.iter().flat_map(|file| of_file(file.text)).collect();
        for table in TABLES_THAT_EXPIRE {
            let create = format!("CREATE TABLE IF NOT EXISTS {table} (");
            assert!(statements.iter().any(|text| text.starts_with(&create)), "{table}");
        }
        for statement in statements {
            assert!(statement.contains("IF NOT EXISTS"), "{statement}");
        }
    }

    #[test]
    fn a_keyspace_is_made_without_tablets_where_they_exist() {
        let mut settings = settings();
        let copies = [("north".to_owned(), 3), ("south".to_owned(), 2)];
        settings.replication = Replication::PerDatacentre(copies.into());
        assert_eq!(
            create_keyspace(&settings, true),
            "CREATE KEYSPACE IF NOT EXISTS cauce WITH replication = {'class': \
             'NetworkTopologyStrategy', 'north': 3, 'south': 2} AND tablets = {'enabled': false}"
        );
        assert!(!create_keyspace(&settings, false).contains("tablets"));
    }

    #[test]
    fn names_that_would_be_more_than_a_name_are_refused() {
        assert!(is_keyspace("cauce_2"));
        for name in ["", "a b", "a;b", "a-b", "é", &"a".repeat(49)] {
            assert!(!is_keyspace(name), "{name}");
        }
    }

    #[test]
    fn no_retention_is_for_ever_and_too_long_a_one_is_refused() {
        let ttl = |retention| time_to_live(&CqlSettings { retention, ..settings() });
        assert_eq!(ttl(Duration::ZERO), Some(0));
        assert_eq!(ttl(Duration::from_millis(1)), Some(1));
        assert_eq!(ttl(Duration::from_secs(RETENTION_MAX)), Some(630_720_000));
        assert_eq!(ttl(Duration::from_secs(RETENTION_MAX + 1)), None);
    }
}
