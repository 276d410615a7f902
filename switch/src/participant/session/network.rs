//! Network management on one line: sign-on, sign-off, echo, cut-over, key change.

use std::sync::Arc;

use codecs::iso8583::cauce87::{self, Wire};
use router::id::ParticipantId;
use router::message::{Message, NetworkKind};
use router::reason::Reason;
use router::text::Text;

use super::{Heard, Session};
use crate::participant::{Participant, key_exchange};

impl Session {
    /// Answers a network management request, and does what it asks.
    pub(super) async fn network(&mut self, wire: &Wire, heard: &Heard) {
        // Who speaks is told by the message itself; before sign-on there is nobody else to name.
        let request = match cauce87::to_message(wire, &heard.bytes, ParticipantId(Text::EMPTY)) {
            Ok(Message::Network(request)) => request,
            Ok(Message::Payment(_) | Message::Reversal(_) | Message::Inquiry(_)) => return,
            Err(error) => return self.fault(heard, error).await,
        };
        let reason = match request.kind {
            NetworkKind::SignOn => match self.bind(&request.acquirer) {
                Ok(()) => Reason::Approved,
                Err(reason) => reason,
            },
            NetworkKind::SignOff => {
                self.line.set_signed_on(false);
                Reason::Approved
            }
            NetworkKind::Echo | NetworkKind::CutOver if self.participant.is_some() => {
                Reason::Approved
            }
            NetworkKind::Echo | NetworkKind::CutOver => Reason::OperatorUnauthorised,
            NetworkKind::KeyChange => return self.change_key(wire, heard).await,
        };
        self.say(wire, heard, reason).await;
    }

    /// Takes a new key in, answers under the old one, and uses the new one from then on.
    async fn change_key(&self, wire: &Wire, heard: &Heard) {
        let bound = self.participant.as_ref().zip(self.line.wording().zip(heard.wire.as_ref()));
        let agreed = bound.and_then(|(participant, said)| {
            Some((participant.id(), participant.config.key_exchange.as_ref()?, said))
        });
        let Some((participant, exchange, (wording, came))) = agreed else {
            return self.say(wire, heard, Reason::ServiceNotEnabled).await;
        };
        match exchange.import(wording, came) {
            Ok(check_value) => {
                self.say(wire, heard, Reason::Approved).await;
                tracing::info!(%participant, key = %exchange.key, %check_value, "key changed");
                key_exchange::activate(&self.engine, exchange);
            }
            Err(error) => {
                metrics::counter!("cauce_key_changes_refused_total", "why" => error.name())
                    .increment(1);
                tracing::warn!(%participant, error = %crate::log::chain(&error),
                    "key change refused");
                self.say(wire, heard, error.reason()).await;
            }
        }
    }

    /// Binds an accepted line to the participant its sign-on names.
    fn bind(&mut self, acquirer_id: &Text<11>) -> Result<(), Reason> {
        let named = self.engine.participants.by_acquirer(acquirer_id);
        let participant = match (&self.participant, named) {
            (None, Some(named)) if self.is_at_its_address(named) => Arc::clone(named),
            (Some(bound), Some(named)) if bound.id() == named.id() => {
                self.line.set_signed_on(true);
                return Ok(());
            }
            (Some(bound), _) if bound.config.acquirer_id.is_none() => {
                self.line.set_signed_on(true);
                return Ok(());
            }
            _ => return Err(Reason::OperatorUnauthorised),
        };
        let wanted = participant.config.certificate_sha256;
        if wanted.is_some() && wanted != self.caller.certificate {
            tracing::warn!(participant = %participant.id(), "sign-on with another certificate");
            return Err(Reason::OperatorUnauthorised);
        }
        tracing::info!(participant = %participant.id(), line = self.line.number(), "signed on");
        self.line.set_signed_on(true);
        participant.attach(Arc::clone(&self.line));
        self.participant = Some(participant);
        Ok(())
    }

    /// Whether a participant may sign on where this line was accepted: at its own address, where it
    /// has one, for there its wording and its keys are known before it speaks.
    fn is_at_its_address(&self, named: &Participant) -> bool {
        let is_there = match &self.caller.owner {
            Some(owner) => owner.id() == named.id(),
            None => named.config.listen.is_none() && named.config.wording.is_none(),
        };
        if !is_there {
            tracing::warn!(participant = %named.id(), "sign-on at another's address");
        }
        is_there
    }
}
