//! The payment switch: sockets, clocks, tasks and everything that joins the pure parts to them.
//!
//! Follow one payment: [`participant::session`] reads a frame, [`payment::process`] takes it from
//! rule to answer on one page, [`respond`] turns the outcome into the asker's dialect, [`notice`]
//! tells the merchant, [`reversal`] undoes what stayed unknown. [`app`] builds it all.

pub mod cli;
pub mod config;
pub mod app;
pub mod supervise;
pub mod engine;
pub mod participant;
pub mod payment;
pub mod respond;
pub mod reversal;
pub mod late;
pub mod web;
pub mod notice;
pub mod keys;
pub mod seal;
pub mod admin;
pub mod metrics;
pub mod log;
pub mod clock;
pub mod demo;
