//! When the waits of payments are over: a queue in memory, derived from the open payments.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use router::id::PaymentId;
use router::time::Timestamp;
use tokio::sync::watch;

/// The payments that wait, by the ends of their waits.
pub(crate) struct Waits {
    ends: Mutex<BTreeSet<(Timestamp, PaymentId)>>,
    first: watch::Sender<Option<Timestamp>>,
}

impl Waits {
    pub fn new() -> Self {
        Self { ends: Mutex::default(), first: watch::Sender::new(None) }
    }

    /// A payment waited until one instant, and waits until another.
    pub fn moved(&self, id: PaymentId, before: Option<Timestamp>, after: Option<Timestamp>) {
        if before == after {
            return;
        }
        let mut ends = self.ends.lock();
        if let Some(before) = before {
            ends.remove(&(before, id));
        }
        ends.extend(after.map(|after| (after, id)));
        let first = ends.first().map(|(at, _)| *at);
        self.first.send_if_modified(|known| std::mem::replace(known, first) != first);
    }

    /// The end of the first wait; none where no payment waits.
    pub fn first_end(&self) -> watch::Receiver<Option<Timestamp>> {
        self.first.subscribe()
    }

    /// Payments whose waits are over at an instant, those that waited shortest behind; at most so
    /// many.
    pub fn over_at(&self, now: Timestamp, limit: usize) -> Vec<PaymentId> {
        let ends = self.ends.lock();
        let over = ends.iter().take_while(|(at, _)| *at <= now);
        over.map(|(_, id)| *id).take(limit).collect()
    }

    pub fn len(&self) -> usize {
        self.ends.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_is_told_and_what_is_over_is_found_in_order() {
        let waits = Waits::new();
        let first = waits.first_end();
        let told = || first.borrow().map(|at| at.0);
        let until = |at| Some(Timestamp(at));
        assert_eq!(told(), None);
        waits.moved(PaymentId(1), None, until(50));
        waits.moved(PaymentId(2), None, until(30));
        waits.moved(PaymentId(3), None, until(30));
        assert_eq!((told(), waits.len()), (Some(30), 3));
        assert_eq!(waits.over_at(Timestamp(29), 9), []);
        assert_eq!(waits.over_at(Timestamp(30), 9), [PaymentId(2), PaymentId(3)]);
        assert_eq!(waits.over_at(Timestamp(60), 1), [PaymentId(2)]);
        waits.moved(PaymentId(2), until(30), until(70));
        waits.moved(PaymentId(3), until(30), None);
        assert_eq!(told(), Some(50));
        waits.moved(PaymentId(1), until(50), None);
        waits.moved(PaymentId(2), until(70), None);
        assert_eq!((told(), waits.len()), (None, 0));
    }
}
