//! The back office on both engines: one suite for SQLite and for PostgreSQL.
#![allow(clippy::unwrap_used)]

mod bills;
mod places;
mod projections;
mod schema;
mod threads;
