//! Journals of released versions, which every later build reads as the build that wrote them did.

use std::fs;
use std::path::{Path, PathBuf};

use router::record::Record;
use storage::conformance::frozen;
use storage::verify;
use storage::{Settings, Store};
use tempfile::TempDir;

use crate::support::{fresh, sealer};

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/journals")
}

/// Journals whose oldest segments were removed.
fn kept_beginnings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/beginnings")
}

/// A data folder with the journal of a version.
fn unpacked(version: &Path) -> TempDir {
    let dir = fresh();
    fs::create_dir(dir.path().join("journal")).unwrap();
    for file in fs::read_dir(version.join("journal")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), dir.path().join("journal").join(file.file_name())).unwrap();
    }
    for name in ["head", "beginning"].into_iter().filter(|name| version.join(name).exists()) {
        fs::copy(version.join(name), dir.path().join(name)).unwrap();
    }
    dir
}

fn is_known(known: &str, expected: &str) {
    for (line, (found, expected)) in known.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", line + 1);
    }
    assert_eq!(known.lines().count(), expected.lines().count());
}

async fn known_from(dir: &TempDir) -> String {
    known_under(Settings { snapshot_segments: 0, ..Settings::new(dir.path()) }).await
}

async fn known_under(settings: Settings) -> String {
    let (store, recovered) = Store::open(settings, sealer()).unwrap();
    let known = frozen::describe(&store, &recovered).await;
    store.close().await;
    known
}

#[tokio::test]
async fn the_journal_of_every_released_version_reads_as_it_did_when_it_was_written() {
    let versions: Vec<_> = fs::read_dir(kept()).unwrap().map(|version| version.unwrap()).collect();
    assert!(!versions.is_empty());
    for version in versions {
        let dir = unpacked(&version.path());
        let expected = fs::read_to_string(version.path().join("known.txt")).unwrap();
        verify::verify(dir.path()).unwrap();
        is_known(&known_from(&dir).await, &expected);
    }
}

/// Nothing stands before it: a build that cannot read it cannot read the journal.
#[tokio::test]
async fn the_beginning_of_every_released_version_reads_as_it_did_when_it_was_written() {
    let versions: Vec<_> = fs::read_dir(kept_beginnings()).unwrap().map(|it| it.unwrap()).collect();
    assert!(!versions.is_empty());
    for version in versions {
        let dir = unpacked(&version.path());
        let expected = fs::read_to_string(version.path().join("known.txt")).unwrap();
        assert!(verify::verify(dir.path()).unwrap().removed_through > 0);
        is_known(&known_under(frozen::pruned_settings(dir.path())).await, &expected);
    }
}

#[tokio::test]
async fn a_journal_that_a_later_build_wrote_reads_as_far_as_this_build_knows_it() {
    let kept = kept().join("v2");
    let (dir, later) = (unpacked(&kept), fresh());
    frozen::write_as_a_later_build(dir.path(), later.path());
    let [here, there] = [dir.path(), later.path()].map(|dir| verify::verify(dir).unwrap());
    assert_eq!(here.records, there.records);
    assert_ne!(here.head.chain, there.head.chain, "its records are longer");
    let expected = fs::read_to_string(kept.join("known.txt")).unwrap();
    is_known(&known_from(&later).await, &expected);
}

#[test]
fn the_journal_kept_has_records_of_every_kind() {
    let dir = unpacked(&kept().join("v2"));
    let kinds: std::collections::BTreeSet<_> =
        verify::records(dir.path()).map(|record| record.unwrap().1.kind()).collect();
    assert_eq!(kinds.len(), 10, "{kinds:?}");
}

#[test]
fn the_journal_kept_has_events_of_every_kind_and_of_an_unknown_subject() {
    let dir = unpacked(&kept().join("v2"));
    let mut events: Vec<_> = verify::records(dir.path())
        .filter_map(|record| match record.unwrap().1 {
            Record::Event(event) => Some((event.subject().kind(), event.kind.name())),
            _ => None,
        })
        .map(|(subject, kind)| format!("{subject} {kind}"))
        .collect();
    events.sort_unstable();
    events.dedup();
    let expected = [
        "endpoint changed",
        "endpoint created",
        "endpoint deleted",
        "endpoint secret_rotated",
        "service switched_on",
    ];
    assert_eq!(events, expected);
}
