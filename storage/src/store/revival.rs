//! How the worker of an endpoint is told to look at its notices again.

use parking_lot::Mutex;
use router::time::Timestamp;
use tokio::sync::Notify;

/// What one worker is told. Of several tellings that it has not heard yet, one is left.
#[derive(Debug, Default)]
pub struct Revival {
    told: Notify,
    asked_at: Mutex<Option<Timestamp>>,
}

impl Revival {
    /// Has the worker look at its endpoint again; no notice was revived.
    pub fn wake(&self) {
        self.told.notify_one();
    }

    /// Notices were revived, as was asked for at a time.
    pub(crate) fn revived(&self, asked_at: Timestamp) {
        let mut known = self.asked_at.lock();
        *known = (*known).max(Some(asked_at));
        self.told.notify_one();
    }

    /// Waits until the worker is told; when the last revived notices were asked for, if any were
    /// since. Cancel-safe.
    pub async fn told(&self) -> Option<Timestamp> {
        self.told.notified().await;
        self.asked_at.lock().take()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_worker_is_told_once_of_many_revived_notices_and_of_none_when_it_is_only_woken() {
        let revival = Revival::default();
        revival.revived(Timestamp(7));
        revival.revived(Timestamp(5));
        revival.wake();
        assert_eq!(revival.told().await, Some(Timestamp(7)));
        assert_eq!(revival.told().now_or_never(), None);
        revival.wake();
        assert_eq!(revival.told().await, None);
    }
}
