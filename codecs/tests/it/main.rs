//! The codecs against messages of other people, against broken ones, and against themselves.

mod broken;
mod composites;
mod differential;
mod file;
mod foreign;
mod frame;
mod iso20022;
mod qr;
mod regressions;
mod reports;
mod round_trip;
mod security;
mod shipped;
mod vectors;

use std::path::PathBuf;

fn testdata(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/iso8583").join(path)
}
