//! The payment switch: sockets, clocks, tasks and everything that joins the pure parts to them.
//!
//! Follow one payment: [`session`] reads a frame, [`payment::process`] takes it from
//! rule to answer on one page, [`respond`] turns the outcome into the originator's dialect, [`notice`]
//! tells the merchant, [`reversal`] undoes what stayed unknown. [`app`] builds it all.

pub mod adapter;
pub mod admin;
pub mod admission;
pub mod app;
pub mod backoffice;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod configured;
#[cfg(feature = "demo")]
pub mod demo;
pub mod descriptors;
pub mod early;
pub mod engine;
pub mod external;
pub mod fingerprint;
pub mod floats;
pub mod keys;
pub mod known;
pub mod late;
pub mod left_work;
pub mod line_rules;
pub mod line_trace;
pub mod log;
pub mod metrics;
pub mod misplaced;
pub mod notice;
pub mod notification;
pub mod original;
pub mod outbound;
pub mod participant;
pub mod payment;
pub mod process;
pub mod refund;
pub mod reload;
pub mod respond;
pub mod reversal;
pub mod seal;
pub mod sealed;
pub mod session;
pub mod session_keys;
pub mod stop_deadline;
pub mod supervise;
pub mod waiting;
pub mod web;
