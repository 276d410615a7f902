//! Simulated neighbours of the switch: an issuing bank, an acquirer's line, a merchant's receiver.
//!
//! What each does is a function of its seed and of the payment, so an audit knows beforehand what
//! must have happened.

pub mod acquirer;
pub mod issuer;
pub mod merchant;
