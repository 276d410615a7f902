//! Fields of a request that look like card numbers: kept masked, with what the sender wrote sealed
//! beside them, and opened again for a message to a bank.
//!
//! [`router::misplaced::FreeField`] has the table of what happens to which field.

use router::id::PaymentId;
use router::message::PaymentRequest;
use router::misplaced::{FreeField, Keeping, findings, masked_request};
use zeroize::Zeroizing;

use crate::packing::{Reader, put_blob};
use crate::seal::{SealError, Sealer};

/// The request as it may be kept; none where it may be kept as it is.
pub(crate) fn masked(
    request: &PaymentRequest,
    payment: PaymentId,
    sealer: &Sealer,
) -> Option<PaymentRequest> {
    let fields = findings(request);
    if fields.is_empty() {
        return None;
    }
    let mut texts = Zeroizing::new(Vec::new());
    for field in fields.iter().filter(|field| field.keeping() == Keeping::Sealed) {
        if let Some(text) = field.of(request) {
            texts.push(number(*field));
            put_blob(text.as_bytes(), &mut texts);
        }
    }
    let mut kept = masked_request(request, &fields);
    if !texts.is_empty() {
        kept.sealed_texts = Some(Box::new(sealer.seal_texts(&texts, payment)));
    }
    Some(kept)
}

/// Puts back what the sender wrote into a request that was read from the journal, for a message to
/// a bank. Fields that are only masked stay masked.
///
/// Errors: the key that sealed it is not configured, or the texts were altered.
pub fn reveal(
    request: &mut PaymentRequest,
    payment: PaymentId,
    sealer: &Sealer,
) -> Result<(), SealError> {
    let Some(sealed) = request.sealed_texts.take() else { return Ok(()) };
    let damaged = || SealError::DoesNotOpen { name: sealed.key_name.clone() };
    let texts = sealer.open_texts(&sealed, payment)?;
    let mut reader = Reader::new(&texts);
    while !reader.rest().is_empty() {
        let code = reader.u8().map_err(|_| damaged())?;
        let text = reader.blob().map_err(|_| damaged())?;
        let field = FreeField::ALL.into_iter().find(|field| number(*field) == code);
        let text = std::str::from_utf8(text).map_err(|_| damaged())?;
        field.ok_or_else(damaged)?.put(text, request);
    }
    Ok(())
}

/// The number of a field among sealed texts. Never reuse one.
fn number(field: FreeField) -> u8 {
    match field {
        FreeField::Biller => 1,
        FreeField::Client => 2,
        FreeField::Operator => 3,
        FreeField::FloatRef => 4,
        FreeField::Bill => 5,
        FreeField::Product => 6,
        FreeField::Account => 7,
        FreeField::Phone => 8,
        FreeField::Document => 9,
        FreeField::Merchant => 10,
        FreeField::Reference => 11,
        FreeField::Metadata => 12,
        FreeField::Rrn => 13,
    }
}

#[cfg(test)]
mod tests {
    use router::free_text::FreeText;
    use router::id::{BillNo, ClientRef};
    use router::text::Text;

    use super::*;
    use crate::conformance::sample::Sample;
    use crate::seal::SealingKey;

    fn sealer(byte: u8) -> Sealer {
        let key = SealingKey { name: "k1".into(), bytes: Zeroizing::new([byte; 32]) };
        Sealer::new("k1", vec![key]).unwrap()
    }

    /// A request that looks like a card number in some fields, and as it is kept.
    fn sample() -> (PaymentRequest, PaymentRequest) {
        let mut request = Sample::new(3).intent().request;
        request.client = Some(ClientRef::new("4000001234567890").unwrap());
        request.bill = Some(BillNo::new("invoice 17").unwrap());
        request.payer.account = Some(Text::new("4000001234567891").unwrap());
        request.reference = FreeText::new("4000001234567892").ok();
        request.metadata = Some(r#"{"n":4000001234567893}"#.into());
        let kept = masked(&request, PaymentId(3), &sealer(1)).expect("something to mask");
        (request, kept)
    }

    #[test]
    fn what_looks_like_a_card_number_is_kept_masked_and_the_rest_as_it_is() {
        let (request, kept) = sample();
        assert_eq!(kept.client, Some(ClientRef::new("400000******7890").unwrap()));
        assert_eq!(kept.payer.account, Some(Text::new("400000******7891").unwrap()));
        assert_eq!(kept.reference, FreeText::new("400000******7892").ok());
        assert_eq!(kept.metadata.as_deref(), Some(r#"{"n":"400000******7893"}"#));
        assert_eq!((kept.bill, kept.fingerprint), (request.bill, request.fingerprint));
        assert!(masked(&kept, PaymentId(3), &sealer(1)).is_none(), "masking once is enough");
    }

    #[test]
    fn what_a_bank_must_see_again_is_revealed_for_its_own_payment_and_key() {
        let (request, kept) = sample();
        let mut revealed = kept.clone();
        assert_eq!(reveal(&mut revealed, PaymentId(3), &sealer(1)), Ok(()));
        assert_eq!(
            (revealed.client, revealed.payer.account),
            (request.client, request.payer.account)
        );
        assert_eq!(revealed.reference, kept.reference);
        for (payment, byte) in [(4, 1), (3, 2)] {
            let refused = reveal(&mut kept.clone(), PaymentId(payment), &sealer(byte));
            assert_eq!(refused, Err(SealError::DoesNotOpen { name: "k1".into() }));
        }
    }
}
