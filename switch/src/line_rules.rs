//! What the configuration states of one participant's lines of ISO 8583: the format of its messages,
//! the codes that prove who wrote them, the change of their key, and PIN blocks.

pub mod key_exchange;
pub mod message_format;
pub mod pin;
