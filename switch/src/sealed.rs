//! Opens what the journal keeps sealed of a payment.

use std::borrow::Cow;

use router::message::PaymentRequest;
use router::payment::Payment;
use router::secret::{CardNumber, Pan};
use storage::seal::Sealer;

/// The card number of a payment, unsealed: none inside where it has none; none at all, and an
/// error in the log, where it does not open.
pub fn card(sealer: &Sealer, payment: &Payment) -> Option<Option<Pan>> {
    match &payment.request.payer.card {
        None => Some(None),
        Some(CardNumber::Clear(pan)) => Some(Some(pan.clone())),
        Some(CardNumber::Sealed(sealed)) => match sealer.open(sealed, payment.id) {
            Ok(pan) => Some(Some(pan)),
            Err(error) => {
                tracing::error!(payment_id = %payment.id, %error, "what is sealed of a payment waits for its key");
                None
            }
        },
    }
}

/// The request of a payment as its sender wrote it; none, and an error in the log, where what is
/// sealed of it does not open.
pub fn request<'a>(sealer: &Sealer, payment: &'a Payment) -> Option<Cow<'a, PaymentRequest>> {
    if payment.request.sealed_texts.is_none() {
        return Some(Cow::Borrowed(&payment.request));
    }
    let mut request = payment.request.clone();
    match storage::reveal(&mut request, payment.id, sealer) {
        Ok(()) => Some(Cow::Owned(request)),
        Err(error) => {
            tracing::error!(payment_id = %payment.id, %error, "what is sealed of a payment waits for its key");
            None
        }
    }
}
