//! Who asked and what was asked, boiled down: the two halves of idempotency.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::digest::{Gathered, digest128};
use super::{Fingerprint, IdempotencyKey, PaymentRequest, Trace};
use crate::free_text::FreeText;
use crate::id::{BillerId, ParticipantId, Stan};
use crate::money::Money;
use crate::secret::CardNumber;
use crate::text::Text;

/// `iso`, a participant's id, DE11, DE7, DE41 and DE37 at their longest, and a byte for each.
const KEY_ROOM: usize = 96;
/// Everything of a fingerprint at its longest, and a byte for each.
const FINGERPRINT_ROOM: usize = 640;
/// Minor units and currency, and a byte for each.
const AMOUNT_ROOM: usize = 16;

impl IdempotencyKey {
    /// What a participant's requests have in common that differ in DE7 alone.
    pub fn name(self) -> u64 {
        u64::try_from(self.0 >> 64).expect("invariant: 64 bits")
    }
}

impl Fingerprint {
    /// Set where the request called itself a repeat (x1).
    pub const REPEAT: Self = Self(1 << 95);

    /// Whether the request called itself a repeat.
    pub fn is_of_repeat(self) -> bool {
        self.0 & Self::REPEAT.0 != 0
    }

    /// Whether two ask for one amount, in one currency.
    pub fn has_amount_of(self, other: Self) -> bool {
        self.0 >> 96 == other.0 >> 96
    }

    fn compared(self) -> u128 {
        self.0 | Self::REPEAT.0
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }
}

impl Eq for Fingerprint {}

impl std::hash::Hash for Fingerprint {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.compared().hash(state);
    }
}

/// The key of a participant's request.
///
/// Shape: DE11 `stan`, DE7 `transmitted_at`, DE41 `terminal` and DE37 `rrn` as they came; the
/// last two empty where absent. A repeat (x1) carries the same ones, so the MTI is no part of it.
/// The upper half is of all but DE7, the lower of all.
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
    gathered.text(Some(terminal));
    gathered.text(Some(rrn));
    let name = gathered.digest() >> 64;
    gathered.text(Some(transmitted_at));
    IdempotencyKey(name << 64 | gathered.digest() >> 64)
}

/// The key of a merchant's request: its `Idempotency-Key` header, within the merchant.
pub fn api_key_of(owner: &BillerId, header: &str) -> IdempotencyKey {
    IdempotencyKey(digest128(&[b"api", owner.as_str().as_bytes(), header.as_bytes()]))
}

/// The secret that fingerprints are made under: the same on every node, and for as long as keys are
/// remembered.
///
/// A fingerprint is stored, and it counts the whole card number and other texts that are masked
/// beside it. Without a secret, the few hundred thousand numbers that fit the masked digits could
/// be tried against it.
#[derive(Clone)]
pub struct FingerprintKey {
    /// SHA-256 that has taken the secret, filled up to one block.
    keyed: Sha256,
}

impl FingerprintKey {
    /// A key of 32 random bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { keyed: Sha256::new_with_prefix(secret).chain_update([0; 32]) }
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[fingerprint key]")
    }
}

/// What a request asks for: every field that the client sent, in canonical form.
///
/// Shape:  metadata counts as its digest, so it must stand in canonical form already. Absent and
///         empty are the same. Left out is what belongs to one transmission and not to the wish:
///         MTI, DE7, DE11, DE12 and DE13, which a repeat may have of its own, and what may not be
///         kept in any form (PIN block, track 2, chip data). STAN and DE7 are part of the key.
///         A card number counts where it is clear; a sealed one, read back from the journal, has
///         its fingerprint stored.
/// Source: INTERFACE of the API: every member of the body counts for idempotency.
pub fn fingerprint(request: &PaymentRequest, key: &FingerprintKey) -> Fingerprint {
    let (payer, trace) = (&request.payer, &request.trace);
    let mut gathered = Gathered::<FINGERPRINT_ROOM>::new();
    gathered.part(request.rail.name().as_bytes());
    put_money(Some(&request.amount), &mut gathered);
    put_money(request.remaining_debt.as_ref(), &mut gathered);
    gathered.text(request.biller.as_ref().map(|id| &id.0));
    gathered.text(request.client.as_ref().map(|id| &id.0));
    gathered.text(request.bill.as_ref().map(|id| &id.0));
    gathered.text(request.product.as_ref().map(|id| &id.0));
    gathered.text(request.float_ref.as_ref().map(|id| &id.0));
    gathered.text(request.operator.as_ref().map(|id| &id.0));
    match &payer.card {
        Some(CardNumber::Clear(pan)) => gathered.part(pan.expose_for_fingerprint()),
        Some(CardNumber::Sealed(_)) | None => gathered.part(&[]),
    }
    gathered.text(payer.expiry.as_ref());
    gathered.text(payer.account.as_ref());
    gathered.text(payer.phone.as_ref());
    gathered.text(payer.document.as_ref());
    gathered.text(payer.bank_code.as_ref());
    gathered.part(request.reference.as_ref().map_or("", FreeText::as_str).as_bytes());
    match &request.metadata {
        Some(metadata) => gathered.array(digest128(&[metadata.as_bytes()]).to_be_bytes()),
        None => gathered.array([]),
    }
    put_place(trace, &mut gathered);
    marked(gathered.keyed_digest(&key.keyed), request)
}

/// A digest of everything as a fingerprint: the amount in front, and whether it is of a repeat.
fn marked(digest: u128, request: &PaymentRequest) -> Fingerprint {
    let mut amount = Gathered::<AMOUNT_ROOM>::new();
    amount.array(request.amount.minor.to_be_bytes());
    amount.array(request.amount.currency.numeric().to_be_bytes());
    let whole = amount.digest() >> 96 << 96 | digest & (u128::MAX >> 32);
    match request.trace.is_repeat() {
        true => Fingerprint(whole | Fingerprint::REPEAT.0),
        false => Fingerprint(whole & !Fingerprint::REPEAT.0),
    }
}

fn put_money(money: Option<&Money>, gathered: &mut Gathered<FINGERPRINT_ROOM>) {
    let Some(money) = money else { return gathered.array([]) };
    gathered.array(money.minor.to_be_bytes());
    gathered.array(money.currency.numeric().to_be_bytes());
}

/// What a trace tells of where and how the payment is made.
fn put_place(trace: &Trace, gathered: &mut Gathered<FINGERPRINT_ROOM>) {
    gathered.text(Some(&trace.processing_code));
    gathered.text(Some(&trace.merchant_category));
    gathered.text(Some(&trace.entry_mode));
    gathered.text(Some(&trace.condition_code));
    gathered.text(Some(&trace.acquirer));
    gathered.text(Some(&trace.rrn));
    gathered.text(Some(&trace.terminal));
    gathered.text(Some(&trace.merchant));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{BillNo, ClientRef, FloatRef, OperatorId, Product};
    use crate::message::Rail;
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
        assert_eq!(first.name(), key(1, "1123211723", "T1", "").name(), "DE7 alone differs");
        assert_ne!(first.name(), key(1, "1123211722", "T1", "7").name());
        let biller = BillerId::new("bank-a").unwrap();
        assert_ne!(api_key_of(&biller, "1"), api_key_of(&biller, "2"));
        assert_ne!(api_key_of(&biller, "1"), api_key_of(&BillerId::new("bank-b").unwrap(), "1"));
    }

    fn fingerprint_of(request: &PaymentRequest) -> Fingerprint {
        fingerprint(request, &FingerprintKey::new(&[7; 32]))
    }

    #[test]
    fn a_fingerprint_tells_a_repeat_and_an_amount_apart_from_the_rest() {
        let request = testing::request(10_000);
        let mut repeat = request.clone();
        repeat.trace.mti = Text::new("0201").unwrap();
        let (first, again) = (fingerprint_of(&request), fingerprint_of(&repeat));
        assert_eq!(first, again, "both ask for the same");
        assert!(!first.is_of_repeat() && again.is_of_repeat());
        let mut other = request.clone();
        other.client = Some(ClientRef::new("other").unwrap());
        assert!(fingerprint_of(&other).has_amount_of(first) && fingerprint_of(&other) != first);
        assert!(!fingerprint_of(&testing::request(10_001)).has_amount_of(first));
    }

    #[test]
    fn a_fingerprint_changes_with_every_field_that_the_client_sent() {
        let mut request = testing::request(10_000);
        request.payer.card = Some(testing::card("4000000000000002"));
        let changes: [fn(&mut PaymentRequest); 27] = [
            |request| request.rail = Rail::Wallet,
            |request| request.amount.minor += 1,
            |request| request.amount.currency = testing::currency("ARS"),
            |request| request.remaining_debt = Some(testing::pesos(1)),
            |request| request.remaining_debt = Some(testing::pesos(2)),
            |request| request.biller = Some(BillerId::new("other").unwrap()),
            |request| request.client = Some(ClientRef::new("other").unwrap()),
            |request| request.bill = Some(BillNo::new("other").unwrap()),
            |request| request.product = Some(Product::new("other").unwrap()),
            |request| request.float_ref = Some(FloatRef::new("other").unwrap()),
            |request| request.operator = Some(OperatorId::new("other").unwrap()),
            |request| request.payer.card = Some(testing::card("5555555555554444")),
            // The same first six and last four digits.
            |request| request.payer.card = Some(testing::card("4000000000100002")),
            |request| request.payer.expiry = text("3012"),
            |request| request.payer.account = text("other"),
            |request| request.payer.phone = text("584140000000"),
            |request| request.payer.document = text("V1"),
            |request| request.payer.bank_code = text("0102"),
            |request| request.reference = FreeText::new("other").ok(),
            |request| request.metadata = Some(r#"{"order":"A"}"#.into()),
            |request| request.metadata = Some(r#"{"order":"B"}"#.into()),
            |request| request.trace.processing_code = text("510001").unwrap(),
            |request| request.trace.merchant_category = text("5411").unwrap(),
            |request| request.trace.entry_mode = text("051").unwrap(),
            |request| request.trace.condition_code = text("59").unwrap(),
            |request| request.trace.acquirer = text("11").unwrap(),
            |request| request.trace.merchant = text("SHOP").unwrap(),
        ];
        let mut seen = vec![fingerprint_of(&request)];
        for change in changes {
            let mut changed = request.clone();
            change(&mut changed);
            let fingerprint = fingerprint_of(&changed);
            assert!(!seen.contains(&fingerprint), "{changed:?}");
            seen.push(fingerprint);
        }
    }

    #[test]
    fn a_fingerprint_tells_nothing_without_its_key() {
        let request = testing::request(10_000);
        let other = fingerprint(&request, &FingerprintKey::new(&[8; 32]));
        assert_ne!(fingerprint_of(&request), other);
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
        request.payer.card = Some(testing::card("5555555555554444000"));
        request.remaining_debt = Some(testing::pesos(1));
        request.metadata = Some("{}".into());
        request.trace = Trace {
            processing_code: text("000000").unwrap(),
            merchant_category: text("5411").unwrap(),
            entry_mode: text("051").unwrap(),
            condition_code: text("00").unwrap(),
            acquirer: text(&"1".repeat(11)).unwrap(),
            rrn: text(&"2".repeat(12)).unwrap(),
            terminal: text(&"t".repeat(8)).unwrap(),
            merchant: text(&"m".repeat(15)).unwrap(),
            ..Trace::default()
        };
        request.payer.expiry = text("3012");
        request.payer.account = text(&"a".repeat(34));
        request.payer.phone = text(&"5".repeat(15));
        request.payer.document = text(&"d".repeat(20));
        request.payer.bank_code = text(&"k".repeat(11));
        request.reference = FreeText::new(&"\u{1F600}".repeat(40)).ok();
        let longest = fingerprint_of(&request);
        request.reference = FreeText::new(&"\u{1F600}".repeat(39)).ok();
        assert_ne!(fingerprint_of(&request), longest);
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
        repeat.trace.transmitted_at = Text::new("1123180009").unwrap();
        repeat.trace.local_time = Text::new("235959").unwrap();
        assert_eq!(fingerprint_of(&repeat), fingerprint_of(&request));
    }
}
