//! The simulators against each other, over loopback.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails its test")]

mod acquirer_and_issuer;
mod audit;
mod coordinated_omission;
mod http_port;
mod load;
mod merchant;
mod program;
mod scripted;
mod secure_line;
mod signals;
mod wire_and_codec;
