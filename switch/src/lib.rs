//! The payment switch: sockets, clocks, tasks and everything that joins the pure parts to them.
//!
//! Follow one payment: [`adapter::iso8583::session`] reads a frame, [`payment::process`] takes it from
//! rule to answer on one page, [`respond`] turns the outcome into the originator's dialect, [`notice`]
//! tells the merchant, [`reversal`] undoes what stayed unknown. [`app`] builds it all.

pub mod adapter;
pub mod admin;
pub mod admission;
pub mod app;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod descriptors;
pub mod early;
pub mod engine;
pub mod fingerprint;
pub mod keys;
pub mod known;
pub mod late;
pub mod line_trace;
pub mod log;
pub mod metrics;
pub mod misplaced;
pub mod notice;
pub mod original;
pub mod outbound;
pub mod participant;
pub mod payment;
pub mod refund;
pub mod reload;
pub mod respond;
pub mod reversal;
pub mod seal;
pub mod session_keys;
pub mod stop_deadline;
pub mod supervise;
pub mod waiting;
pub mod web;
