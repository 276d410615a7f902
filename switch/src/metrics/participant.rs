//! What a participant makes of the payments it is asked for.

use std::time::Duration;

use metrics::{Counter, Histogram};
use router::outcome::Outcome;

/// Handles of one participant's metrics, looked up once.
#[derive(Clone)]
pub struct ParticipantFigures {
    approved: Counter,
    declined: Counter,
    unknown: Counter,
    not_sent: Counter,
    seconds: Histogram,
}

impl ParticipantFigures {
    /// Those of a participant.
    pub fn of(participant: &str) -> Self {
        let outcome = |outcome: &'static str| {
            let participant = participant.to_owned();
            metrics::counter!("cauce_participant_payments_total", "participant" => participant,
                "outcome" => outcome)
        };
        let seconds = metrics::histogram!("cauce_participant_answer_seconds",
            "participant" => participant.to_owned());
        Self {
            approved: outcome("approved"),
            declined: outcome("declined"),
            unknown: outcome("unknown"),
            not_sent: outcome("not_sent"),
            seconds,
        }
    }

    /// A payment was asked for and concluded after so long: by an answer, or by the end of waiting.
    pub fn concluded(&self, outcome: &Outcome, elapsed: Duration) {
        match outcome {
            Outcome::Approved(_) => self.approved.increment(1),
            Outcome::Declined(_) => self.declined.increment(1),
            Outcome::Unknown(_) => self.unknown.increment(1),
        }
        self.seconds.record(elapsed);
    }

    /// A payment certainly never left for it.
    pub fn not_sent(&self) {
        self.not_sent.increment(1);
    }
}

impl std::fmt::Debug for ParticipantFigures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ParticipantFigures")
    }
}
