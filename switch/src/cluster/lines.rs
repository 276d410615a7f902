//! Participants' lines that other nodes have.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::StatusCode;
use router::id::{Lane, ParticipantId, SecretId, Stan};
use router::secret::{SealedSecret, Secret};
use storage::seal::Sealer;
use storage_cluster::Node;

use super::peers::{HttpPeers, NoPeerAnswer, Way};
use super::stans;
use crate::adapter::iso8583::LineState;
use crate::adapter::iso8583::remote_lines::{Handing, RemoteLines};
use crate::engine::Engine;

/// What comes before a node's lane, and before the names of participants, in its note to the others.
const LANE: &str = "lane ";
const LINES: &str = "; lines: ";

/// Tells the other nodes which participants this one has lines to, with each sign of life. Run as
/// a service task.
pub async fn tell(node: Arc<Node>, engine: Arc<Engine>, every: Duration) {
    let ending = engine.tasks.stages().ending.clone();
    loop {
        let participants = engine.participants();
        let signed_on = participants.iso8583().filter(|one| one.is_signed_on());
        let mut names: Vec<String> = signed_on.map(|one| one.id().to_string()).collect();
        names.sort_unstable();
        node.say(format!("{LANE}{}{LINES}{}", node.store().lane(), names.join(" ")));
        tokio::select! {
            () = ending.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// The lines of other nodes, as one node sees them.
pub struct NodeLines {
    node: Arc<Node>,
    peers: HttpPeers,
    sealer: Sealer,
}

impl NodeLines {
    /// Through peers; what is handed over is sealed, for it has card numbers and PIN blocks in it.
    pub fn new(node: &Arc<Node>, peers: HttpPeers, sealer: Sealer) -> Self {
        Self { node: Arc::clone(node), peers, sealer }
    }

    /// Where a node is reached that has a line to a participant.
    fn address(&self, participant: ParticipantId) -> Option<String> {
        let name = participant.to_string();
        let has_line = |note: &str| {
            let names = note.split_once(LINES).map_or("", |(_, names)| names);
            names.split(' ').any(|one| one == name)
        };
        let mut others = self.node.others().into_iter();
        others.find(|(_, _, note)| has_line(note)).map(|(_, address, _)| address.into())
    }

    fn hand(
        &self,
        way: Way,
        address: String,
        participant: ParticipantId,
        message: &Bytes,
    ) -> Handing<Result<StatusCode, NoPeerAnswer>> {
        self.peers.hand(way, address, participant, seal(&self.sealer, message))
    }
}

impl RemoteLines for NodeLines {
    fn is_on(&self, participant: ParticipantId) -> bool {
        self.address(participant).is_some()
    }

    fn send(&self, participant: ParticipantId, message: Bytes) -> Handing<bool> {
        let Some(address) = self.address(participant) else {
            return Box::pin(async { false });
        };
        metrics::counter!("cauce_remote_line_requests_total").increment(1);
        let handing = self.hand(Way::Send, address, participant, &message);
        Box::pin(async move {
            match handing.await {
                Ok(status) => status == StatusCode::OK,
                Err(NoPeerAnswer::NotHanded) => false,
                // No word is no proof that it did not leave.
                Err(NoPeerAnswer::MaybeHanded) => true,
            }
        })
    }

    fn send_behind(&self, participant: ParticipantId, message: Bytes) -> Handing<LineState> {
        let one = |(_, address, _): (_, Box<str>, _)| {
            self.hand(Way::Behind, address.into(), participant, &message)
        };
        let mut handings: FuturesUnordered<_> = self.node.others().into_iter().map(one).collect();
        Box::pin(async move {
            let mut found = LineState::Gone;
            while let Some(answered) = handings.next().await {
                match (answered.map_or(LineState::Unknown, line_state), found) {
                    (LineState::Sent, _) => return LineState::Sent,
                    (LineState::Busy, _) => found = LineState::Busy,
                    (LineState::Unknown, LineState::Gone) => found = LineState::Unknown,
                    (LineState::Unknown | LineState::Gone, _) => {}
                }
            }
            found
        })
    }

    fn answer(
        &self,
        participant: ParticipantId,
        stan: Stan,
        message: Bytes,
    ) -> Option<Handing<bool>> {
        if stans(self.node.store().lane()).contains(&stan.number()) {
            return None;
        }
        let others = self.node.others().into_iter();
        let asked = others.filter(|(_, _, note)| {
            lane_of(note).is_some_and(|lane| stans(lane).contains(&stan.number()))
        });
        let addresses: Vec<String> = asked.map(|(_, address, _)| address.into()).collect();
        if addresses.is_empty() {
            return None;
        }
        metrics::counter!("cauce_remote_line_answers_total").increment(1);
        let one = |address| self.hand(Way::Answer, address, participant, &message);
        let handings: Vec<_> = addresses.into_iter().map(one).collect();
        // Of more than sixteen lanes two share their STANs: whoever had asked knows it.
        Some(Box::pin(async move {
            for handing in handings {
                if handing.await == Ok(StatusCode::OK) {
                    return true;
                }
            }
            false
        }))
    }
}

impl fmt::Debug for NodeLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeLines")
    }
}

/// The status by which a node tells what became of a reversal that was to follow its request.
pub(super) fn status_of(state: LineState) -> StatusCode {
    match state {
        LineState::Sent => StatusCode::OK,
        LineState::Busy => StatusCode::CONFLICT,
        LineState::Gone => StatusCode::GONE,
        LineState::Unknown => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What such a status tells.
fn line_state(status: StatusCode) -> LineState {
    let states = [LineState::Sent, LineState::Busy, LineState::Gone];
    states.into_iter().find(|state| status_of(*state) == status).unwrap_or(LineState::Unknown)
}

/// The lane that a node says is its own.
fn lane_of(note: &str) -> Option<Lane> {
    let (lane, _) = note.strip_prefix(LANE)?.split_once(LINES)?;
    lane.parse().ok().map(Lane)
}

/// `id (16) · length of the key's name (1) · name · ciphertext`.
fn seal(sealer: &Sealer, message: &Bytes) -> Bytes {
    let id = SecretId(rand::random());
    let sealed = sealer.seal_secret(&Secret::new(message.as_ref()), id);
    let mut out = id.0.to_be_bytes().to_vec();
    out.push(u8::try_from(sealed.key_name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(&sealed.key_name.as_bytes()[..usize::from(out[16])]);
    out.extend_from_slice(&sealed.ciphertext);
    out.into()
}

/// What another node sealed; none when it was another key's, or was changed.
pub(super) fn open(sealer: &Sealer, sealed: &[u8]) -> Option<Bytes> {
    let (id, rest) = sealed.split_first_chunk::<16>()?;
    let (len, rest) = rest.split_first()?;
    let (name, ciphertext) = rest.split_at_checked(usize::from(*len))?;
    let name = std::str::from_utf8(name).ok()?;
    let (key_name, ciphertext) = (name.into(), ciphertext.into());
    let sealed = SealedSecret { id: SecretId(u128::from_be_bytes(*id)), key_name, ciphertext };
    let message = sealer.open_secret(&sealed).ok()?;
    Some(Bytes::copy_from_slice(message.expose()))
}

#[cfg(test)]
mod tests {
    use storage::seal::SealingKey;

    use super::*;

    fn sealer(byte: u8) -> Sealer {
        let key = SealingKey { name: "k1".into(), bytes: [byte; 32].into() };
        Sealer::new("k1", vec![key]).expect("a key")
    }

    #[test]
    fn what_is_handed_over_is_opened_by_the_same_key_alone() {
        let message = Bytes::from_static(b"0200 4111111111111111");
        let sealed = seal(&sealer(7), &message);
        assert!(!sealed.windows(8).any(|bytes| bytes == b"41111111"), "sealed");
        assert_eq!(open(&sealer(7), &sealed), Some(message));
        assert_eq!(open(&sealer(8), &sealed), None);
        let mut changed = sealed.to_vec();
        changed[30] ^= 1;
        assert_eq!(open(&sealer(7), &changed), None);
        assert_eq!(open(&sealer(7), &sealed[..10]), None);
    }
}
