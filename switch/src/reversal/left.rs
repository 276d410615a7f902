//! Confirmations and refunds that another node began of payments in the lanes of this node, and then
//! left: it died, and nobody but the owner of the lane knows of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use router::id::PaymentId;
use router::outcome::{Cause, Outcome};
use router::payment::PaymentState;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::{refund, waiting};

/// How much longer than the participant's deadline such work may take before it counts as left.
const GRACE: Duration = Duration::from_secs(10);

/// Since when nobody here is at work on each.
#[derive(Debug, Default)]
pub(super) struct LeftWork(HashMap<PaymentId, Instant>);

impl LeftWork {
    /// Looks at what is under way, and takes up what has been left for long enough.
    pub async fn take_up(&mut self, engine: &Arc<Engine>) {
        let under_way = engine.store.confirming_or_refunding();
        let now = Instant::now();
        let is_left = |id: &PaymentId| !engine.at_work.has(*id);
        let left: Vec<PaymentId> = under_way.into_iter().filter(is_left).collect();
        self.0.retain(|id, _| left.contains(id));
        for id in left {
            let since = *self.0.entry(id).or_insert(now);
            take_up(engine, id, now - since).await;
        }
    }
}

async fn take_up(engine: &Arc<Engine>, id: PaymentId, left_for: Duration) {
    let Ok(Some(payment)) = engine.store.payment(id).await else { return };
    let participants = engine.participants();
    let participant = payment.attempt.and_then(|attempt| participants.by_id(attempt.participant));
    let deadline = participant.map_or(0, |it| it.config().response_timeout_ms);
    if left_for < GRACE + Duration::from_millis(deadline) {
        return;
    }
    tracing::warn!(payment_id = %id, state = payment.state.name(),
        "another node began this and left it: taken up");
    if payment.state == PaymentState::Sent {
        // The key is gone with the node that had it; money may have moved.
        let unknown = Outcome::Unknown(Cause::Restart);
        if let Err(error) = waiting::conclude(engine, &payment, unknown).await {
            tracing::warn!(payment_id = %id, error = %storage::with_causes(&error),
                "its outcome is not recorded yet");
        }
        return;
    }
    refund::resume(engine, &payment);
}
