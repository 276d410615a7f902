//! Makes the file `beginning` that the tests keep for one version of it, with the rest of its journal.
//!
//! ```text
//! cargo run -p storage --example frozen_beginning -- storage/testdata/beginnings/v1
//! ```
//! The folder must not exist. It gets what a store leaves whose oldest segments were removed, and
//! `known.txt` with what a store knows that reads it. Do this once when a version of the file is
//! released, and never again: nothing stands before the file, so every later build must read it.

// A tool of the tests: it may panic as they do.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use storage::conformance::frozen;
use storage::seal::SealingKey;
use storage::{Sealer, Store, prune_now};

#[tokio::main]
async fn main() {
    let into = std::env::args_os().nth(1).map(PathBuf::from).expect("a folder to make");
    assert!(!into.exists(), "{} is there already", into.display());
    let scratch = tempfile::tempdir().unwrap();
    let settings = frozen::pruned_settings(scratch.path());
    let sealer = || {
        let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
        Sealer::new("k1", vec![key]).unwrap()
    };
    let (store, _) = Store::open(settings.clone(), sealer()).unwrap();
    frozen::fill(&store).await;
    store.close().await;
    assert!(prune_now(&settings, &sealer()).unwrap() > 0, "nothing was removed");
    fs::create_dir_all(into.join("journal")).unwrap();
    for file in fs::read_dir(scratch.path().join("journal")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), into.join("journal").join(file.file_name())).unwrap();
    }
    for name in ["beginning", "head"] {
        fs::copy(scratch.path().join(name), into.join(name)).unwrap();
    }
    let (store, recovered) = Store::open(settings, sealer()).unwrap();
    let known = frozen::describe(&store, &recovered).await;
    store.close().await;
    fs::write(into.join("known.txt"), known).unwrap();
}
