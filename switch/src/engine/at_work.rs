//! Payments that this node is confirming or refunding.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use router::id::PaymentId;

/// How much longer than a participant's deadline another node has for a confirmation or refund of a
/// payment in a lane of this node. That node stops after half of it; the owner of the lane goes on
/// after all of it.
pub const GRACE_OF_OTHER_NODES: Duration = Duration::from_secs(10);

/// How many pieces of such work there are of each payment.
#[derive(Debug, Default)]
pub struct AtWork(Mutex<HashMap<PaymentId, u32>>);

/// One piece of work; it is over when this is dropped.
#[derive(Debug)]
pub struct WorkOn<'a> {
    all: &'a AtWork,
    payment: PaymentId,
}

impl AtWork {
    /// Notes a piece of work on a payment.
    pub fn begin(&self, payment: PaymentId) -> WorkOn<'_> {
        *self.0.lock().entry(payment).or_default() += 1;
        WorkOn { all: self, payment }
    }

    /// Whether anything is done on a payment.
    pub fn has(&self, payment: PaymentId) -> bool {
        self.0.lock().contains_key(&payment)
    }
}

impl Drop for WorkOn<'_> {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        if let Some(count) = all.get_mut(&self.payment) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.payment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_at_work_until_the_last_piece_of_work_on_it_is_over() {
        let (all, payment) = (AtWork::default(), PaymentId(7));
        let (first, second) = (all.begin(payment), all.begin(payment));
        drop(first);
        assert!(all.has(payment) && !all.has(PaymentId(8)));
        drop(second);
        assert!(!all.has(payment));
    }
}
