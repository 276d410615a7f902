//! The signal that has the worker of an endpoint read its notices again.

use parking_lot::Mutex;
use router::time::Timestamp;
use tokio::sync::Notify;

/// The signal of one worker. Several signals before the worker waits count as one.
#[derive(Debug, Default)]
pub struct RedeliverySignal {
    signal: Notify,
    asked_at: Mutex<Option<Timestamp>>,
}

impl RedeliverySignal {
    /// Has the worker look at its endpoint again; no redelivery was asked for.
    pub fn wake(&self) {
        self.signal.notify_one();
    }

    /// A redelivery was asked for at a time, and its notices are owed again.
    pub(crate) fn asked_for(&self, asked_at: Timestamp) {
        let mut known = self.asked_at.lock();
        *known = (*known).max(Some(asked_at));
        self.signal.notify_one();
    }

    /// Waits for a signal. Gives the time of the latest redelivery since the last call; none when no
    /// redelivery was asked for. Cancel-safe.
    pub async fn signalled(&self) -> Option<Timestamp> {
        self.signal.notified().await;
        self.asked_at.lock().take()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_worker_has_one_signal_for_many_redeliveries_and_a_signal_without_a_time_when_it_is_woken()
     {
        let signal = RedeliverySignal::default();
        signal.asked_for(Timestamp(7));
        signal.asked_for(Timestamp(5));
        signal.wake();
        assert_eq!(signal.signalled().await, Some(Timestamp(7)));
        assert_eq!(signal.signalled().now_or_never(), None);
        signal.wake();
        assert_eq!(signal.signalled().await, None);
    }
}
