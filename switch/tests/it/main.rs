//! The switch as a whole: real sockets, a real journal, simulated neighbours.
#![expect(clippy::print_stdout, reason = "tests tell their seeds and counts")]

mod api;
mod harness;
mod receiver;
mod scripted;

mod admin;
mod answers;
mod backup;
mod bad_input;
mod card_numbers;
mod clock;
mod cluster;
mod codec;
mod demo;
mod dialect;
mod duplicate;
mod endpoint_changes;
mod endpoint_events;
mod folder;
mod json_bank;
mod keys;
mod kill;
mod limits;
mod lines;
mod load;
mod metrics;
mod named;
mod not_understood;
mod notice;
mod notice_by_hand;
mod notice_pause;
mod operations;
mod ownership;
mod partial;
mod payment;
mod program;
mod restart;
mod shutdown;
mod strangers;
mod tidy;
mod unknown;
mod web;
