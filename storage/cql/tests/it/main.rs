//! Against real Cassandra: one node for all tests, a keyspace for each.
#![allow(clippy::unwrap_used)]

mod api_keys;
mod control;
mod frames;
mod lane;
mod schema;
mod snapshots;
mod support;
mod three;
mod views;
