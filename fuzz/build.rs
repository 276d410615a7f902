//! Lists the formats that the targets try: every file of the test data, in the order of its name,
//! which `seeds.py` follows.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("set by cargo"))
        .join("../codecs/testdata/iso8583/specs");
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(&folder).expect("the test data");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let mut list = String::from("/// Formats of other projects, in the compact JSON form.\n");
    list.push_str("const FOREIGN: &[&str] = &[\n");
    for path in paths {
        writeln!(list, "    include_str!({path:?}),").expect("a string takes all");
    }
    list.push_str("];\n");
    let out = Path::new(&env::var("OUT_DIR").expect("set by cargo")).join("specs.rs");
    fs::write(out, list).expect("written");
}
