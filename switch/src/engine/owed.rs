//! The queue of payments that must be undone.

use router::exchange::Repeat;
use router::id::PaymentId;
use tokio::sync::mpsc;

/// Payments waiting to be looked at; beyond, the scan finds them.
const QUEUE_LEN_MAX: usize = 65_536;

/// Where payments that must be undone are put. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OwedReversals(mpsc::Sender<(PaymentId, Repeat)>);

/// The other end of [`OwedReversals`].
pub type OwedQueue = mpsc::Receiver<(PaymentId, Repeat)>;

impl OwedReversals {
    /// An empty queue.
    pub fn new() -> (Self, OwedQueue) {
        let (sender, receiver) = mpsc::channel(QUEUE_LEN_MAX);
        (Self(sender), receiver)
    }

    /// Says that a payment is still being undone; an advice may have left already.
    pub fn push_again(&self, payment: PaymentId) {
        self.0.try_send((payment, Repeat::Again)).ok();
    }

    /// Says that a payment must be undone.
    pub fn push(&self, payment: PaymentId) {
        // A full queue loses nothing: the scan reads the journal's open payments.
        self.0.try_send((payment, Repeat::First)).ok();
    }
}
