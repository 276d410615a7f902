//! What the benchmarks measure with: messages, rules, and a look at the disk. All names and
//! numbers are fictional.
//!
//! `cargo bench -p benches` measures parts, each in its own file under `benches/`; `run.sh`
//! measures the whole switch under load.

pub mod disk;
pub mod messages;
pub mod rules;
