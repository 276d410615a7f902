//! Bodies of `POST /v1/payments`.
#![no_main]

use cauce_fuzz::card_numbers;
use codecs::api::{FieldError, parse_payment};
use libfuzzer_sys::fuzz_target;
use router::id::BillerId;
use router::message::IdempotencyKey;

fuzz_target!(|body: &[u8]| {
    let error = match parse_payment(body) {
        Ok(payment) => {
            let originator = BillerId::new("shop-1").expect("an id");
            let key = IdempotencyKey(1);
            match payment.to_request(originator, key) {
                Ok(request) => {
                    assert!(request.amount.minor > 0, "a payment moves money");
                    return;
                }
                Err(error) => error,
            }
        }
        Err(error) => error,
    };
    tells_no_card(body, &error);
});

/// An error says where, and never what stood there.
fn tells_no_card(body: &[u8], error: &FieldError) {
    let told = format!("{error:?}");
    assert!(told.len() < 1_000, "an error of {} bytes", told.len());
    let body = String::from_utf8_lossy(body);
    assert!(card_numbers(&body).iter().all(|card| !told.contains(card)), "a card is told");
}
