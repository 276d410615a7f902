//! Lines of other nodes: a participant that called one node is asked through it by all.
//!
//! A node that has no line of its own hands its request to one that has; the answer comes in
//! there, meets no request, and is handed back to the node whose STAN it bears. What was handed
//! over may have been sent, whatever became of the hand-over's own answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use router::id::{ParticipantId, Stan};

use super::LineState;

/// What another node made of something handed to it.
pub type Handing<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The lines of other nodes.
pub trait RemoteLines: fmt::Debug + Send + Sync {
    /// Whether another node says that it has a signed-on line to a participant.
    fn is_on(&self, participant: ParticipantId) -> bool;

    /// Hands a request over; false when it certainly was not sent.
    fn send(&self, participant: ParticipantId, message: Bytes) -> Handing<bool>;

    /// Hands a reversal to the node that has the line of its request: sent by that line, or not at
    /// all. Every other node that lives is asked.
    fn send_behind(&self, participant: ParticipantId, message: Bytes) -> Handing<LineState>;

    /// Hands an answer to the node that gave its request this STAN; none when that is this node,
    /// or nobody is known. False when it met no request there either.
    fn answer(
        &self,
        participant: ParticipantId,
        stan: Stan,
        message: Bytes,
    ) -> Option<Handing<bool>>;
}
