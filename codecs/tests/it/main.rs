//! The codecs against messages of other people, against broken ones, and against themselves.

mod broken;
mod iso20022;
mod round_trip;
mod vectors;

use std::path::PathBuf;

use codecs::iso8583::Spec;

fn testdata(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/iso8583").join(path)
}

/// A format of the test messages, by the name of its file.
fn spec(name: &str) -> Spec {
    let path = testdata("specs").join(name).with_extension("toml");
    let toml = std::fs::read_to_string(&path).expect("a spec file");
    Spec::from_toml(&toml).unwrap_or_else(|errors| panic!("{}: {errors:?}", path.display()))
}
