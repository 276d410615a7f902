//! Every kind of server starts, does one thing and dies.
#![allow(clippy::unwrap_used)]

mod cassandra;
mod proxy;
mod redis;
