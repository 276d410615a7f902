//! The gate from outside, against real Redis servers.

// Helpers outside test functions may panic too, and print the seed they run by.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod clock;
mod conformance;
mod epochs;
mod exact;
mod faults;
mod figures;
mod parting;
mod rebuild;
mod secure;
mod support;
mod upkeep;
mod verdicts;
