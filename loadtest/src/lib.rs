//! The switch's neighbours and its measuring rod: simulated banks, acquirers and merchants,
//! open-loop load from planned instants, the end audit, and the reports.
//!
//! To this crate the switch is a black box. It knows the wire, the shared words of `router` and
//! `codecs`, and the agreed shapes of logs and exports; the switch's own tests use the
//! simulators.
//!
//! - [`conduct`]: what the simulated bank does with an amount;
//! - [`simulator`]: a bank that answers as amounts ask it to, an acquirer's line, a merchant;
//! - [`wire`]: the ISO 8583 messages these speak;
//! - [`workload`]: what is asked, and when; [`drive`]: asking it, and measuring;
//! - [`audit`]: whether client, journal, issuer and merchant tell the same story;
//! - [`capacity`]: how much it can take; [`report`]: the result, for machines and people;
//! - [`json_log`], [`clock`], [`tasks`]: what they stand on.

pub mod audit;
pub mod capacity;
pub mod clock;
pub mod conduct;
pub mod drive;
pub mod json_log;
pub mod refusal;
pub mod report;
pub mod simulator;
pub mod tasks;
pub mod wire;
pub mod workload;
