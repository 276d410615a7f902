//! The gate from outside, against real Redis servers.

// Helpers outside test functions may panic too.
#![allow(clippy::unwrap_used)]

mod conformance;
mod exact;
mod faults;
mod rebuild;
mod support;
mod verdicts;
