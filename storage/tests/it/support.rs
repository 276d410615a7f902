//! A store in a folder of its own.

use storage::seal::SealingKey;
use storage::{Recovered, Sealer, Settings, Store};
use tempfile::TempDir;

pub fn sealer() -> Sealer {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    Sealer::new("k1", vec![key]).expect("a key")
}

pub fn fresh() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

pub fn settings(dir: &TempDir) -> Settings {
    Settings { snapshot_segments: 0, ..Settings::new(dir.path()) }
}

pub fn open(settings: &Settings) -> (Store, Recovered) {
    Store::open(settings.clone(), sealer()).expect("a store")
}
