//! Who is at the other end of a line, for logs, metrics and the trace.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use router::id::ParticipantId;

use crate::config::UNKNOWN_PARTICIPANT;
use crate::line_trace::{LineEventKind, LineTrace, TracedLine};

/// Who is at the other end of a line, and who writes down what goes over it.
#[derive(Debug, Default)]
pub struct LineIdentity {
    /// The other end, where it is known.
    pub peer: Option<SocketAddr>,
    /// Whose the line is, once that is known.
    pub participant: OnceLock<ParticipantId>,
    /// The trace; none where nothing is traced.
    pub trace: Option<Arc<LineTrace>>,
}

impl LineIdentity {
    /// The participant's name in metrics and logs.
    pub fn name(&self) -> &str {
        self.participant.get().map_or(UNKNOWN_PARTICIPANT, ParticipantId::as_str)
    }

    /// Whether what goes over the line is written down now.
    pub fn is_traced(&self) -> bool {
        self.trace.as_ref().is_some_and(|trace| trace.is_on())
    }

    /// Notes what happened on the line of this number, if it is traced.
    pub fn note(&self, number: u64, what: impl FnOnce() -> LineEventKind) {
        if let Some(trace) = &self.trace {
            let participant = self.participant.get().copied();
            trace.note(&TracedLine { number, participant, peer: self.peer }, what);
        }
    }
}
