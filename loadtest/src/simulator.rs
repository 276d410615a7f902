//! Simulated neighbours of the switch: an issuing bank, one with a JSON API, an acquirer's line, a merchant's receiver.
//!
//! What each does is a function of its seed and of the payment, so an audit knows beforehand what
//! must have happened.

pub mod acquirer;
pub mod issuer;
pub mod json_bank;
pub mod merchant;
