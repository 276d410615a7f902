//! The codecs against messages of other people, against broken ones, and against themselves.

mod broken;
mod differential;
mod file;
mod frame;
mod qr;
mod round_trip;
mod security;
mod vectors;

use std::path::PathBuf;

fn testdata(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/iso8583").join(path)
}
