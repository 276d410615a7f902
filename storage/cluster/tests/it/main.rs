//! Nodes over a real Redis and a real Cassandra: the conformance suite, takeover, changes of the
//! gate.

// Helpers outside test functions may panic too.
#![allow(clippy::unwrap_used)]

mod bills;
mod conformance;
mod events;
mod frozen;
mod gate;
mod ledger;
mod support;
