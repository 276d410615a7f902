//! Makes the journal that the tests keep for one version of the records.
//!
//! ```text
//! cargo run -p storage --example frozen_journal -- storage/testdata/journals/v2
//! ```
//! The folder must not exist. It gets the journal as a store leaves it, and `known.txt` with what
//! a store knows that reads it. Do this once when a version is released, and never again: every
//! later build must read the same from the same bytes.

// A tool of the tests: it may panic as they do.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use storage::conformance::frozen;
use storage::seal::SealingKey;
use storage::{Sealer, Settings, Store};

#[tokio::main]
async fn main() {
    let into = std::env::args_os().nth(1).map(PathBuf::from).expect("a folder to make");
    assert!(!into.exists(), "{} is there already", into.display());
    let scratch = tempfile::tempdir().unwrap();
    let settings =
        Settings { snapshot_segments: 0, segment_len_max: 32_768, ..Settings::new(scratch.path()) };
    let sealer = || {
        let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
        Sealer::new("k1", vec![key]).unwrap()
    };
    let (store, _) = Store::open(settings.clone(), sealer()).unwrap();
    frozen::fill(&store).await;
    store.close().await;
    fs::create_dir_all(into.join("journal")).unwrap();
    for file in fs::read_dir(scratch.path().join("journal")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), into.join("journal").join(file.file_name())).unwrap();
    }
    fs::copy(scratch.path().join("head"), into.join("head")).unwrap();
    let (store, recovered) = Store::open(settings, sealer()).unwrap();
    let known = frozen::describe(&store, &recovered).await;
    store.close().await;
    fs::write(into.join("known.txt"), known).unwrap();
}
