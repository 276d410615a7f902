//! Network management on one line: sign-on, sign-off, echo, cut-over, key change.

use std::sync::Arc;

use codecs::iso8583::cauce87::{self, MapError, Wire};
use router::id::ParticipantId;
use router::message::{Message, NetworkKind};
use router::reason::Reason;
use router::text::Text;

use super::key_change;
use super::not_understood::kind_of;
use super::{ReceivedMessage, Session};
use crate::adapter::iso8583::Iso8583Participant;

impl Session {
    /// Answers a network management request, and does what it asks.
    pub(super) async fn network(&mut self, wire: &Wire, heard: &ReceivedMessage) {
        // Who speaks is told by the message itself; before sign-on there is nobody else to name.
        let request = match cauce87::to_message(wire, &heard.bytes, ParticipantId(Text::EMPTY)) {
            Ok(Message::Network(request)) => request,
            Ok(Message::Payment(_) | Message::Reversal(_) | Message::Inquiry(_)) => return,
            Err(error) => return self.fault(heard, error, kind_of(&error, wire.kind)).await,
        };
        let reason = match request.kind {
            NetworkKind::SignOn => match self.sign_on(&request.acquirer) {
                Ok(()) => Reason::Approved,
                Err(refused) => {
                    self.note_refused_sign_on(request.acquirer.as_str(), refused.name());
                    if refused == NotSignedOn::Nameless {
                        return self.fault(heard, NAMELESS, refused.name()).await;
                    }
                    Reason::OperatorUnauthorised
                }
            },
            NetworkKind::SignOff => {
                self.line.set_signed_on(false);
                Reason::Approved
            }
            NetworkKind::Echo | NetworkKind::CutOver if self.participant.is_some() => {
                Reason::Approved
            }
            NetworkKind::Echo | NetworkKind::CutOver => {
                let is_answered = self.say(wire, heard, Reason::OperatorUnauthorised).await;
                return self.before_sign_on(is_answered);
            }
            NetworkKind::KeyChange => return self.change_key(wire, heard).await,
        };
        self.say(wire, heard, reason).await;
    }

    /// Takes a new key in, answers under the old one, and uses the new one from then on.
    async fn change_key(&self, wire: &Wire, heard: &ReceivedMessage) {
        let bound =
            self.participant.as_ref().zip(self.line.message_format().zip(heard.wire.as_ref()));
        let agreed = bound.and_then(|(participant, said)| {
            Some((participant.id(), participant.config.key_exchange.as_ref()?, said))
        });
        let Some((participant, exchange, (message_format, came))) = agreed else {
            self.say(wire, heard, Reason::ServiceNotEnabled).await;
            return;
        };
        let taken_in = exchange.material(message_format, came).and_then(|material| {
            let check_value = exchange.take_in(&material)?;
            Ok((material, check_value))
        });
        match taken_in {
            Ok((material, check_value)) => {
                // Before the answer: from then on the participant uses it.
                key_change::keep(&self.engine, participant, exchange, material).await;
                self.say(wire, heard, Reason::Approved).await;
                tracing::info!(%participant, key = %exchange.key, %check_value, "key changed");
                key_change::activate(&self.engine, exchange);
            }
            Err(error) => {
                metrics::counter!("cauce_key_changes_refused_total", "why" => error.name())
                    .increment(1);
                tracing::warn!(%participant, error = %storage::with_causes(&error),
                    "key change refused");
                self.say(wire, heard, error.reason()).await;
            }
        }
    }

    /// Puts the line in service for the participant it is known to belong to, else for the one that
    /// its sign-on names.
    fn sign_on(&mut self, acquirer_id: &Text<11>) -> Result<(), NotSignedOn> {
        match self.participant.clone() {
            Some(known) => {
                self.must_be_of(&known, acquirer_id)?;
                self.line.set_signed_on(true);
                Ok(())
            }
            None => self.bind(acquirer_id),
        }
    }

    /// Binds an accepted line to its participant: the owner of the address it was accepted at, or
    /// the one its sign-on names.
    fn bind(&mut self, acquirer_id: &Text<11>) -> Result<(), NotSignedOn> {
        let participant = match &self.caller.owner {
            Some(owner) => {
                self.must_be_of(owner, acquirer_id)?;
                Arc::clone(owner)
            }
            None if acquirer_id.is_empty() => return Err(NotSignedOn::Nameless),
            None => {
                let participants = self.engine.participants();
                let named = participants.by_acquirer(acquirer_id);
                let named = named.ok_or(NotSignedOn::UnknownAcquirer)?;
                if !is_at_its_address(named) {
                    return Err(NotSignedOn::OtherAddress);
                }
                Arc::clone(named)
            }
        };
        if !self.has_right_certificate(&participant) {
            return Err(NotSignedOn::OtherCertificate);
        }
        // Set before where the address is the participant's alone.
        let _ = self.line.identity().participant.set(participant.id());
        tracing::info!(
            participant = participant.id().as_str(),
            line = self.line.number(),
            "signed on"
        );
        self.line.set_signed_on(true);
        participant.attach(Arc::clone(&self.line));
        self.caller.has_signed_on();
        self.participant = Some(participant);
        Ok(())
    }

    /// Refuses a sign-on in another name than the line's participant's.
    fn must_be_of(
        &self,
        known: &Iso8583Participant,
        acquirer_id: &Text<11>,
    ) -> Result<(), NotSignedOn> {
        match (known.config.acquirer_id.as_ref(), acquirer_id) {
            (own, acquirer_id) if is_of(own, acquirer_id) => Ok(()),
            (Some(_), _) => Err(NotSignedOn::OtherAcquirer),
            (None, _) => Err(NotSignedOn::NoAcquirerConfigured),
        }
    }

    /// Whether the certificate shown, if any, is this participant's: the one that is pinned for it,
    /// or where none is, one that is pinned for no other.
    fn has_right_certificate(&self, named: &Iso8583Participant) -> bool {
        let shown = self.caller.certificate.as_ref();
        let participants = self.engine.participants();
        let owner = shown.and_then(|shown| participants.by_certificate(shown));
        match (owner, named.config.certificate_sha256) {
            (Some(owner), _) => owner.id() == named.id(),
            (None, wanted) => wanted.is_none(),
        }
    }
}

/// Whether a participant may sign on at everybody's address: not if it has one of its own, where
/// its format and its keys are known before it speaks, nor if it is one that we dial.
fn is_at_its_address(named: &Iso8583Participant) -> bool {
    let config = &named.config;
    config.listen.is_none() && config.message_format.is_none() && config.may_call()
}

/// Why a sign-on is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotSignedOn {
    /// It names nobody, on a line whose participant is not known.
    Nameless,
    /// No participant has its DE32.
    UnknownAcquirer,
    /// It names another participant than its line's.
    OtherAcquirer,
    /// It has a DE32, and none is configured for the participant of its line.
    NoAcquirerConfigured,
    /// It shows another certificate than its participant's.
    OtherCertificate,
    /// Its participant may not call at this address.
    OtherAddress,
}

impl NotSignedOn {
    /// The name used in logs and metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Nameless => "no_acquirer",
            Self::UnknownAcquirer => "unknown_acquirer",
            Self::OtherAcquirer => "other_acquirer",
            Self::NoAcquirerConfigured => "no_acquirer_configured",
            Self::OtherCertificate => "other_certificate",
            Self::OtherAddress => "other_address",
        }
    }
}

/// What a sign-on without DE32 is told where DE32 is needed.
const NAMELESS: MapError =
    MapError { reason: Reason::FormatError, field: 32, offset: 0, detail: "needed and not there" };

/// Whether a sign-on on a line of a known participant names that one, or nobody. A participant
/// without an `acquirer_id` has no name that it could give.
fn is_of(own: Option<&Text<11>>, acquirer_id: &Text<11>) -> bool {
    let number = |text: &Text<11>| text.as_str().trim_start_matches('0').to_owned();
    acquirer_id.is_empty() || own.is_some_and(|own| number(own) == number(acquirer_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_on_names_the_participant_of_its_line_or_nobody() {
        let text = |text: &str| Text::new(text).unwrap();
        let own = text("10022");
        assert!(is_of(Some(&own), &text("")) && is_of(None, &text("")));
        assert!(is_of(Some(&own), &text("00000010022")));
        assert!(!is_of(Some(&own), &text("10023")) && !is_of(None, &text("10022")));
    }
}
