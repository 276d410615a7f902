//! The pure core of the switch: what a payment is, and what may happen to it.
//!
//! ("Router" is the crate's given name; it holds more than routing.) Nothing here does I/O, reads
//! a clock or draws a random number: values go in, values come out, so every rule can be tested
//! with values alone and runs the same on one machine and on many.
//!
//! The life of one payment, in the order of the modules that hold it:
//!
//! 1. a codec turns bytes into a [`message::PaymentRequest`];
//! 2. [`plan::plan`] picks the routes, computes fees and postings and lists what must be reserved
//!    – or refuses, with a [`reason::Reason`];
//! 3. the [`reservation::Reservation`] is checked and applied in one step by the storage;
//! 4. an [`record::Intent`] becomes durable, and only then a byte leaves for a participant;
//! 5. an adapter carries it out ([`exchange`]); the answer, or the deadline, gives an [`outcome::Outcome`] – approved, declined or *unknown*;
//! 6. [`payment::Payment::apply`] is the state machine that every record drives, live and in replay.
//!
//! [`invariant`] names what must hold at every journal position; tests, the load audit and the
//! start-up check share those functions.

pub mod bill;
pub mod detail;
pub mod early;
pub mod endpoint;
pub mod event;
pub mod exchange;
pub mod fee;
pub mod free_text;
pub mod id;
pub mod invariant;
pub mod ledger;
pub mod limit;
pub mod message;
pub mod misplaced;
pub mod money;
pub mod notice;
pub mod outcome;
pub mod payment;
pub mod plan;
pub mod policy;
pub mod posting;
pub mod rail_needs;
pub mod reason;
pub mod record;
pub mod refusal;
pub mod request_context;
pub mod reservation;
pub mod rules;
pub mod secret;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
