//! Bytes to canonical messages and back; pure, like the core: no I/O, no clock, no randomness.
//!
//! In the order a message passes them:
//!
//! 1. [`frame`] cuts a byte stream into frames, without copying;
//! 2. [`iso8583`] indexes a frame by a [`iso8583::Spec`] loaded from TOML – one pass, no heap –
//!    and packs answers;
//! 3. [`iso8583::cauce87`] maps between that profile's fields and [`router::message`];
//!    [`iso8583::Dialect`] brings other networks' messages into that profile and back;
//! 4. [`security`] verifies and seals MACs, translates PIN blocks and exchanges keys, behind a
//!    trait that an HSM can implement;
//! 5. [`iso20022`] does in XML what 2 and 3 do in ISO 8583;
//! 6. [`json_bank`] does so for banks' JSON APIs, each described by a file;
//! 7. [`api`] holds the JSON shapes of the HTTP API, in and out.
//!
//! Beside the road: [`qr`] reads and builds payment codes, [`mod@file`] bill and clearing files,
//! [`http_signature`] signs and checks messages to and from banks' JSON APIs.
//!
//! What cannot be decoded is an [`error::DecodeError`] that names the field and the offset and
//! never repeats a byte of the message.

pub mod api;
mod charset;
mod decimal;
pub mod error;
pub mod file;
mod forms;
pub mod frame;
pub mod http_signature;
pub mod iso20022;
pub mod iso8583;
pub mod json_bank;
pub mod qr;
pub mod security;
