//! Who asked and what was asked, boiled down: the two halves of idempotency.

use super::digest::{Gathered, digest128};
use super::{Fingerprint, IdempotencyKey, PaymentRequest};
use crate::id::{BillerId, ParticipantId, Stan};
use crate::secret::CardNumber;
use crate::text::Text;

/// `iso`, a participant's id, DE11, DE7, DE41 and DE37 at their longest, and a byte for each.
const KEY_ROOM: usize = 96;
/// Everything of a fingerprint at its longest, and a byte for each.
const FINGERPRINT_ROOM: usize = 384;

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
    let mut gathered = Gathered::<KEY_ROOM>::new();
    gathered.array(*b"iso");
    gathered.text(Some(&participant.0));
    gathered.array(stan.number().to_be_bytes());
    gathered.text(Some(transmitted_at));
    gathered.text(Some(terminal));
    gathered.text(Some(rrn));
    IdempotencyKey(gathered.digest())
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
    let (payer, mut gathered) = (&request.payer, Gathered::<FINGERPRINT_ROOM>::new());
    gathered.part(request.rail.name().as_bytes());
    gathered.array(request.amount.minor.to_be_bytes());
    gathered.array(request.amount.currency.numeric().to_be_bytes());
    gathered.text(request.biller.as_ref().map(|id| &id.0));
    gathered.text(request.client.as_ref().map(|id| &id.0));
    gathered.text(request.bill.as_ref().map(|id| &id.0));
    gathered.text(request.product.as_ref().map(|id| &id.0));
    gathered.text(request.float_ref.as_ref().map(|id| &id.0));
    gathered.text(request.operator.as_ref().map(|id| &id.0));
    match payer.card.as_ref().map(card_bytes) {
        Some(card) => gathered.array(card),
        None => gathered.array([]),
    }
    gathered.text(payer.expiry.as_ref());
    gathered.text(payer.account.as_ref());
    gathered.text(payer.phone.as_ref());
    gathered.text(payer.document.as_ref());
    gathered.text(payer.bank_code.as_ref());
    gathered.text(request.reference.as_ref());
    Fingerprint(gathered.digest())
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
    fn the_longest_request_has_room() {
        let mut request = testing::request(10_000);
        request.rail = Rail::CashFloat;
        request.biller = Some(BillerId::new(&"b".repeat(BillerId::LEN_MAX)).unwrap());
        request.client = Some(ClientRef::new(&"c".repeat(ClientRef::LEN_MAX)).unwrap());
        request.bill = Some(BillNo::new(&"n".repeat(BillNo::LEN_MAX)).unwrap());
        request.product = Some(Product::new(&"p".repeat(Product::LEN_MAX)).unwrap());
        request.float_ref = Some(FloatRef::new(&"f".repeat(FloatRef::LEN_MAX)).unwrap());
        request.operator = Some(OperatorId::new(&"o".repeat(OperatorId::LEN_MAX)).unwrap());
        request.payer.card = Some(testing::card("5555555555554444"));
        request.payer.expiry = text("3012");
        request.payer.account = text(&"a".repeat(34));
        request.payer.phone = text(&"5".repeat(15));
        request.payer.document = text(&"d".repeat(20));
        request.payer.bank_code = text(&"k".repeat(11));
        request.reference = text(&"r".repeat(40));
        let longest = fingerprint(&request);
        request.reference = text(&"r".repeat(39));
        assert_ne!(fingerprint(&request), longest);
        let bank = ParticipantId::new(&"b".repeat(ParticipantId::LEN_MAX)).unwrap();
        let key = |rrn: &str| {
            let (at, terminal) = (Text::new("1123211722").unwrap(), Text::new("TERM0001").unwrap());
            iso_key(&bank, Stan::new(1).unwrap(), &at, &terminal, &Text::new(rrn).unwrap())
        };
        assert_ne!(key("000000000001"), key("00000000000"));
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
