//! Confirmations and refunds that another node began for payments in the lanes of this node, and did
//! not end: that node died, or its participant did not answer in time. Only the owner of the lane
//! goes on with them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use router::id::PaymentId;
use router::outcome::{Cause, Outcome};
use router::payment::PaymentState;
use tokio::time::{Instant, MissedTickBehavior};

use crate::engine::{Engine, GRACE_OF_OTHER_NODES};
use crate::{refund, waiting};

/// Pause between two looks at the confirmations and refunds that are under way.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Goes on with what other nodes left, for ever. Run as a critical task.
pub async fn run(engine: Arc<Engine>) {
    let ending = engine.tasks.stages().ending.clone();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left = LeftWork::default();
    loop {
        tokio::select! {
            () = ending.cancelled() => return,
            _ = look.tick() => left.take_up(&engine).await,
        }
    }
}

/// Since when this node sees each payment under way without working on it.
#[derive(Debug, Default)]
struct LeftWork(HashMap<PaymentId, Instant>);

impl LeftWork {
    /// Reads which payments are under way, and goes on with those that were left for long enough.
    async fn take_up(&mut self, engine: &Arc<Engine>) {
        let now = Instant::now();
        let mut left = HashMap::new();
        for id in engine.store.confirming_or_refunding() {
            if !engine.at_work.has(id) {
                left.insert(id, self.0.get(&id).copied().unwrap_or(now));
            }
        }
        self.0 = left;
        for (id, since) in &self.0 {
            let left_for = now - *since;
            if left_for >= GRACE_OF_OTHER_NODES {
                take_up(engine, *id, left_for).await;
            }
        }
    }
}

async fn take_up(engine: &Arc<Engine>, id: PaymentId, left_for: Duration) {
    let Ok(Some(payment)) = engine.store.payment(id).await else { return };
    if left_for < GRACE_OF_OTHER_NODES + engine.deadline_of(&payment) {
        return;
    }
    tracing::warn!(payment_id = %id, state = payment.state.name(),
        "another node began this and did not end it: this node goes on with it");
    if payment.state == PaymentState::Sent {
        // Only that node had the one-time key, and money may have moved.
        let unknown = Outcome::Unknown(Cause::Restart);
        if let Err(error) = waiting::conclude(engine, &payment, unknown).await {
            tracing::warn!(payment_id = %id, error = %storage::with_causes(&error),
                "its outcome is not recorded yet");
        }
        return;
    }
    refund::resume(engine, &payment);
}
