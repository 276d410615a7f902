use router::time::Timestamp;

use super::*;

const HALF: u128 = 1 << 64;
/// The amount of a fingerprint, and the rest of it.
const AMOUNT: u128 = 1 << 96;
const REPEAT: u128 = Fingerprint::REPEAT.0;

fn id(unix_ms: i64) -> PaymentId {
    PaymentId::from_parts(unix_ms, 7)
}

fn sought(key: u128, fingerprint: u128) -> Sought {
    let day_began = Some(Timestamp(1_000_000));
    Sought { key: IdempotencyKey(key), fingerprint: Fingerprint(fingerprint), day_began }
}

/// What is found for a request, where these were asked before: key, fingerprint, payment.
fn check(
    before: &[(u128, u128, PaymentId)],
    (key, fingerprint): (u128, u128),
    expect: Option<(bool, PaymentId)>,
) {
    let mut keys = KnownKeys::new(100);
    for (key, fingerprint, payment) in before {
        keys.insert(&new(*key, *fingerprint, payment.0, 0));
    }
    assert_eq!(keys.find(&sought(key, fingerprint)), expect);
}

fn new(key: u128, fingerprint: u128, payment: u128, elapsed: i64) -> NewKey {
    let (key, fingerprint) = (IdempotencyKey(key), Fingerprint(fingerprint));
    NewKey { key, fingerprint, payment: PaymentId(payment), elapsed }
}

#[test]
fn an_entry_takes_at_most_a_hundred_bytes_even_in_a_table_that_just_grew() {
    let in_table = size_of::<(u64, KnownKey)>() + 1;
    // A table doubles when it is 7/8 full, so it is never less than 7/16 full after that.
    assert!(in_table * 16 / 7 <= 100, "{in_table} bytes");
}

#[test]
fn a_key_is_known_for_the_retention_and_forgotten_after_two() {
    let mut keys = KnownKeys::new(100);
    let insert = |keys: &mut KnownKeys, key, at| {
        keys.insert(&new(key, 1 << 64, key, at));
    };
    insert(&mut keys, 1, 0);
    insert(&mut keys, 2, 99);
    insert(&mut keys, 3, 100);
    assert_eq!(keys.owner(IdempotencyKey(2)), Some(PaymentId(2)));
    insert(&mut keys, 4, 200);
    assert_eq!(keys.owner(IdempotencyKey(1)), None);
    assert_eq!(keys.owner(IdempotencyKey(2)), None);
    assert_eq!(keys.owner(IdempotencyKey(3)), Some(PaymentId(3)));
}

#[test]
fn the_fingerprint_tells_a_repeat_from_a_reuse() {
    let before = [(1, 7 * HALF, id(0))];
    check(&before, (1, 7 * HALF), Some((true, id(0))));
    check(&before, (1, 8 * HALF), Some((false, id(0))));
}

#[test]
fn a_repeat_with_a_rest_of_its_own_is_the_only_one_of_its_name_amount_and_day() {
    let (first, asked) = ((HALF | 1, AMOUNT, id(2_000)), (HALF | 2, AMOUNT | REPEAT));
    check(&[first], asked, Some((true, id(2_000))));
    check(&[first], (HALF | 2, AMOUNT), None);
    check(&[first], (HALF | 2, (2 * AMOUNT) | REPEAT), None);
    check(&[first], ((2 * HALF) | 2, AMOUNT | REPEAT), None);
    check(&[(HALF | 1, AMOUNT, id(999))], asked, None);
}

#[test]
fn a_repeat_of_another_request_or_of_one_of_several_is_not_taken_for_new() {
    let asked = (HALF | 2, AMOUNT | REPEAT);
    check(&[(HALF | 1, AMOUNT | HALF, id(2_000))], asked, Some((false, id(2_000))));
    let twice = [(HALF | 1, AMOUNT, id(2_000)), (HALF | 3, AMOUNT, id(2_001))];
    check(&twice, asked, Some((false, id(2_001))));
    let one_of_two = [(HALF | 1, AMOUNT, id(2_000)), (HALF | 3, AMOUNT | HALF, id(2_001))];
    check(&one_of_two, asked, Some((true, id(2_000))));
}

#[test]
fn a_first_request_that_comes_after_its_repeat_is_the_same_payment() {
    let repeat = [(HALF | 2, AMOUNT | REPEAT, id(2_000))];
    check(&repeat, (HALF | 1, AMOUNT), Some((true, id(2_000))));
    check(&repeat, (HALF | 1, AMOUNT | HALF), None);
}

#[test]
fn keys_of_one_name_beyond_the_ceiling_are_found_by_the_whole_key() {
    let mut keys = KnownKeys::new(100);
    let count = 4 * OF_NAME_MAX as u128;
    for rest in 0..count {
        keys.insert(&new(HALF | rest, AMOUNT, rest, 0));
    }
    assert_eq!(keys.len(), 4 * OF_NAME_MAX);
    for rest in 0..count {
        assert_eq!(keys.owner(IdempotencyKey(HALF | rest)), Some(PaymentId(rest)));
    }
    assert_eq!(keys.current.of_name(1).count(), OF_NAME_MAX);
    assert_eq!(keys.current.rows().count(), keys.len());
}
