//! How the switch presents itself to all participants that speak ISO 8583.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use codecs::error::PackError;
use codecs::iso8583::cauce87::{Asking, Repeat};
use router::id::ParticipantId;
use router::message::Originator;
use router::text::Text;

use super::pin::PinRule;

/// Room for an ordinary message of our own.
const MESSAGE_CAPACITY: usize = 256;

/// What the messages of the switch have in common.
#[derive(Debug)]
pub struct Speaker {
    /// DE32 of what the switch itself sends, digits.
    pub acquirer_id: Text<11>,
    /// Bytes that a frame of every line takes.
    pub message_len_max: usize,
    /// How the PIN blocks of participants are made, of those that say so.
    pub pins: HashMap<ParticipantId, PinRule>,
}

impl Speaker {
    /// How the switch presents itself to a participant.
    pub fn asking(&self, repeat: Repeat) -> Asking {
        Asking { acquirer: self.acquirer_id, repeat }
    }

    /// Writes a message of our own that fits a frame of every line.
    ///
    /// Errors: those of the writer.
    pub fn message(
        &self,
        write: impl FnOnce(&mut BytesMut) -> Result<(), PackError>,
    ) -> Result<Bytes, PackError> {
        let mut out = BytesMut::with_capacity(MESSAGE_CAPACITY);
        write(&mut out)?;
        let (have, allowed) = (out.len(), self.message_len_max);
        if have > allowed {
            return Err(PackError::Length { field: 0, have, allowed });
        }
        Ok(out.freeze())
    }

    /// How the PIN blocks of an originator are made; none where they pass as they are.
    pub(super) fn pin_of(&self, originator: &Originator) -> Option<&PinRule> {
        match originator {
            Originator::Participant(id) => self.pins.get(id),
            Originator::Biller(_) => None,
        }
    }
}
