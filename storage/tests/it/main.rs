//! The embedded store from outside: the conformance suite, restarts, damage, speed.

// Helpers outside test functions may panic too.
#![allow(clippy::unwrap_used)]

mod ahead;
mod conformance;
mod damage;
mod disk_full;
mod events;
mod frozen;
mod ledger;
mod lists;
mod pruning_killed;
mod restart;
mod retention;
mod support;
mod waiting;
