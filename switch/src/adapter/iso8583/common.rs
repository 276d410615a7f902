//! What all participants that speak ISO 8583 have in common, and how the switch presents itself to
//! them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};
use bytes::{Bytes, BytesMut};
use codecs::error::PackError;
use codecs::frame::Framer;
use codecs::iso8583::cauce87::{Asking, Repeat};
use router::id::ParticipantId;
use router::message::{Acceptor, Originator};
use router::text::Text;

use super::remote_lines::RemoteLines;
use crate::config::ParticipantConfig;
use crate::line_rules::pin::PinRule;
use crate::supervise::Stages;

/// Room for an ordinary message of our own: what a writer of one makes sure of at least.
const MESSAGE_CAPACITY: usize = 512;

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
    /// To the participants of a configuration; `framing` is that of the address where everybody may
    /// call.
    pub fn new(acquirer_id: Text<11>, framing: &Framer, configs: &[ParticipantConfig]) -> Self {
        let own = configs.iter().filter_map(|config| config.framing.as_ref());
        let message_len_max = own.chain([framing]).map(Framer::message_len_max).min();
        let pins = configs.iter().filter_map(|config| Some((config.id, config.pin.clone()?)));
        Self {
            acquirer_id,
            message_len_max: message_len_max.expect("invariant: one framing is everybody's"),
            pins: pins.collect(),
        }
    }

    /// How the switch presents itself to a participant.
    pub fn asking(&self, repeat: Repeat, acceptor: Acceptor) -> Asking {
        Asking { acquirer: self.acquirer_id, repeat, acceptor }
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

/// What all participants that speak ISO 8583 have in common.
pub struct CommonParts {
    speaker: ArcSwap<Speaker>,
    /// The STANs of all requests are of this range.
    pub stans: Range<u32>,
    /// The moments of a stop.
    pub stages: Stages,
    remote_lines: OnceLock<Arc<dyn RemoteLines>>,
}

impl CommonParts {
    /// For one process.
    pub fn new(speaker: Speaker, stans: Range<u32>, stages: Stages) -> Self {
        let speaker = ArcSwap::from_pointee(speaker);
        Self { speaker, stans, stages, remote_lines: OnceLock::new() }
    }

    /// How the switch presents itself.
    pub fn speaker(&self) -> Guard<Arc<Speaker>> {
        self.speaker.load()
    }

    /// Presents it in another way from now on.
    pub fn set_speaker(&self, speaker: Speaker) {
        self.speaker.store(Arc::new(speaker));
    }

    /// Makes the lines of other nodes known, once.
    pub fn share(&self, remote_lines: Arc<dyn RemoteLines>) {
        // Done by who starts the node, before anything is asked.
        let _ = self.remote_lines.set(remote_lines);
    }

    /// The lines of other nodes, where there are any.
    pub fn remote_lines(&self) -> Option<&Arc<dyn RemoteLines>> {
        self.remote_lines.get()
    }
}

impl std::fmt::Debug for CommonParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommonParts").field("speaker", &self.speaker).finish_non_exhaustive()
    }
}
