//! Who asked and what was asked, boiled down: the two halves of idempotency.

use super::{Fingerprint, IdempotencyKey, PaymentRequest, digest128};
use crate::id::{BillerId, ParticipantId, Stan};
use crate::secret::CardNumber;
use crate::text::Text;

/// The key of a participant's request.
///
/// Shape: DE11 `stan`, DE7 `transmitted_at`, DE41 `terminal` and DE37 `rrn` as they came; the
/// last two empty where absent. A repeat (x1) carries the same ones, so the MTI is no part of it.
pub fn iso_key(
    participant: &ParticipantId,
    stan: Stan,
    transmitted_at: &Text<10>,
    terminal: &Text<8>,
    rrn: &Text<12>,
) -> IdempotencyKey {
    IdempotencyKey(digest128(&[
        b"iso",
        participant.as_str().as_bytes(),
        &stan.number().to_be_bytes(),
        transmitted_at.as_bytes(),
        terminal.as_bytes(),
        rrn.as_bytes(),
    ]))
}

/// The key of a merchant's request: its `Idempotency-Key` header, within the merchant.
pub fn api_key_of(owner: &BillerId, header: &str) -> IdempotencyKey {
    IdempotencyKey(digest128(&[b"api", owner.as_str().as_bytes(), header.as_bytes()]))
}

/// What a request asks for: everything that decides whose money goes where, and the reference.
///
/// Left out: the trace (a repeat may differ in it), what the payer still owes (it changes between
/// a request and its repeat), and metadata. Absent and empty are the same.
///
/// A card number enters as its first six and last four digits and its length only. The
/// fingerprint is stored beside those very digits, and a digest of the whole number would give
/// the missing ones to whoever tries the few hundred thousand that fit; sealing would be in vain.
/// It also makes a clear and a sealed request alike.
pub fn fingerprint(request: &PaymentRequest) -> Fingerprint {
    fn bytes<const MAX: usize>(text: Option<&Text<MAX>>) -> &[u8] {
        text.map_or(&[], |text| text.as_bytes())
    }
    let payer = &request.payer;
    let card = payer.card.as_ref().map(card_bytes);
    Fingerprint(digest128(&[
        request.rail.name().as_bytes(),
        &request.amount.minor.to_be_bytes(),
        request.amount.currency.code().as_bytes(),
        bytes(request.biller.as_ref().map(|id| &id.0)),
        bytes(request.client.as_ref().map(|id| &id.0)),
        bytes(request.bill.as_ref().map(|id| &id.0)),
        bytes(request.product.as_ref().map(|id| &id.0)),
        bytes(request.float_ref.as_ref().map(|id| &id.0)),
        bytes(request.operator.as_ref().map(|id| &id.0)),
        card.as_ref().map_or(&[], |card| card.as_slice()),
        bytes(payer.expiry.as_ref()),
        bytes(payer.account.as_ref()),
        bytes(payer.phone.as_ref()),
        bytes(payer.document.as_ref()),
        bytes(payer.bank_code.as_ref()),
        bytes(request.reference.as_ref()),
    ]))
}

fn card_bytes(card: &CardNumber) -> [u8; 11] {
    let masked = card.masked();
    let mut bytes = [0; 11];
    bytes[..6].copy_from_slice(&masked.first);
    bytes[6..10].copy_from_slice(&masked.last);
    bytes[10] = masked.len;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{BillNo, ClientRef, FloatRef, OperatorId, Product};
    use crate::message::Rail;
    use crate::secret::{Pan, SealedPan};
    use crate::testing;

    fn text<const MAX: usize>(value: &str) -> Option<Text<MAX>> {
        Some(Text::new(value).unwrap())
    }

    #[test]
    fn a_participant_s_key_is_its_five_data_elements_and_nothing_else() {
        let bank = ParticipantId::new("bank-a").unwrap();
        let key = |stan, at, terminal, rrn| {
            let (at, terminal, rrn) = (Text::new(at), Text::new(terminal), Text::new(rrn));
            let stan = Stan::new(stan).unwrap();
            iso_key(&bank, stan, &at.unwrap(), &terminal.unwrap(), &rrn.unwrap())
        };
        let first = key(1, "1123211722", "T1", "");
        assert_eq!(first, key(1, "1123211722", "T1", ""));
        for other in [
            key(2, "1123211722", "T1", ""),
            key(1, "1123211723", "T1", ""),
            key(1, "1123211722", "T2", ""),
            key(1, "1123211722", "T1", "7"),
            key(1, "1123211722", "", "T1"),
        ] {
            assert_ne!(first, other);
        }
        let biller = BillerId::new("bank-a").unwrap();
        assert_ne!(api_key_of(&biller, "1"), api_key_of(&biller, "2"));
        assert_ne!(api_key_of(&biller, "1"), api_key_of(&BillerId::new("bank-b").unwrap(), "1"));
    }

    #[test]
    fn a_fingerprint_changes_with_everything_that_decides_where_money_goes() {
        let request = testing::request(10_000);
        let changes: [fn(&mut PaymentRequest); 16] = [
            |request| request.rail = Rail::Wallet,
            |request| request.amount.minor += 1,
            |request| request.amount.currency = testing::currency("ARS"),
            |request| request.biller = Some(BillerId::new("other").unwrap()),
            |request| request.client = Some(ClientRef::new("other").unwrap()),
            |request| request.bill = Some(BillNo::new("other").unwrap()),
            |request| request.product = Some(Product::new("other").unwrap()),
            |request| request.float_ref = Some(FloatRef::new("other").unwrap()),
            |request| request.operator = Some(OperatorId::new("other").unwrap()),
            |request| request.payer.card = Some(testing::card("5555555555554444")),
            |request| request.payer.expiry = text("3012"),
            |request| request.payer.account = text("other"),
            |request| request.payer.phone = text("584140000000"),
            |request| request.payer.document = text("V1"),
            |request| request.payer.bank_code = text("0102"),
            |request| request.reference = text("other"),
        ];
        let mut seen = vec![fingerprint(&request)];
        for change in changes {
            let mut changed = request.clone();
            change(&mut changed);
            let fingerprint = fingerprint(&changed);
            assert!(!seen.contains(&fingerprint), "{changed:?}");
            seen.push(fingerprint);
        }
    }

    #[test]
    fn a_repeat_has_the_fingerprint_of_its_original() {
        let request = testing::request(10_000);
        let mut repeat = request.clone();
        repeat.trace.mti = Text::new("0201").unwrap();
        repeat.trace.local_time = Text::new("235959").unwrap();
        repeat.remaining_debt = None;
        assert_eq!(fingerprint(&repeat), fingerprint(&request));
    }

    #[test]
    fn a_sealed_card_gives_the_fingerprint_of_the_clear_one() {
        let pan = Pan::new(b"4111111111111111").unwrap();
        let sealed = SealedPan {
            masked: pan.masked(),
            key_name: "k1".into(),
            ciphertext: Box::from(*b"sealed"),
        };
        let with = |card| {
            let mut request = testing::request(10_000);
            request.payer.card = Some(card);
            fingerprint(&request)
        };
        let clear = with(CardNumber::Clear(pan));
        assert_eq!(clear, with(CardNumber::Sealed(Box::new(sealed))));
    }
}
