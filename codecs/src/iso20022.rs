//! ISO 20022: XML messages between banks, read into one form and written out of it.
//!
//! [`read`] takes any of the known messages, in any version and wrapper, in one walk over its
//! bytes, and gives an [`Iso20022`] that borrows from them; there is no document tree. [`leaves`]
//! lays a message open for the command line. [`to_message`] maps a request into the router's
//! message, [`participant_answer`] reads a status, and [`mod@write`] makes messages. A
//! [`Guideline`] adds the rules of a network where the header or the caller names it. What a message
//! may not have – document types, entities, processing instructions, more of anything than
//! [`Limits`] allows – is an [`XmlError`] with kind, path and offset.

mod amount;
mod answer;
mod canonical;
mod error;
mod escape;
mod guideline;
mod limits;
mod message;
mod message_id;
mod name;
mod namespace;
mod read;
mod view;
mod walk;
pub mod write;

pub use amount::Amount;
pub use answer::{ParticipantAnswer, participant_answer};
pub use canonical::{
    Account, Agent, Entry, Header, Iso20022, Original, Party, Reason, Reject, SystemEvent,
    Transaction, Word,
};
pub use error::{XmlError, XmlErrorKind};
pub use guideline::Guideline;
pub use limits::Limits;
pub use message::{MapError, original_keys, to_message};
pub use message_id::{Family, MessageId};
pub use read::{read, read_within};
pub use view::{Opened, leaves};
