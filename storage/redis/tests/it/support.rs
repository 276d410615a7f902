//! Gates over real servers, and fictional reservations.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rig::{Redis, RedisOptions};
use router::id::{AccountId, Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::money::{Currency, Money};
use router::posting::{Entry, Posting, Postings, Side};
use router::reason::Reason;
use router::reservation::{Counter, CounterKey, Hold, Keep, Reservation, Settle, Slot, SlotKey};
use router::time::Timestamp;
use storage::conformance::sample;
use storage::guard::{
    Begun, Credit, GateEpoch, GiveBack, Guard, GuardError, ReservationEnd, ReserveAsk, Verdict,
    Wants,
};
use storage_redis::{Form, Gate, Health, LaneTaker, Pin, RedisGuard, RedisSettings};

pub const LANE: Lane = Lane(3);

/// A position in it. Tests count from one; what Redis is told of is the same within its lane.
pub fn at_position(number: u64) -> u64 {
    storage::journal::Head::of_lane(LANE).sequence + number
}
/// Some morning of 2023, in microseconds.
pub const NOON: i64 = 1_700_000_000_000_000;
pub const HOUR: i64 = 3_600_000_000;

pub fn redis() -> Redis {
    Redis::start(RedisOptions::default()).unwrap()
}

pub fn single(redis: &Redis) -> RedisSettings {
    RedisSettings::new(Form::Single { url: redis.url() }, &namespace())
}

/// One that no other test or case uses.
pub fn namespace() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A gate that is open under epoch 1, with nothing in it.
pub fn open(settings: RedisSettings) -> Arc<Gate> {
    let gate = Arc::new(Gate::new(settings).unwrap());
    open_from_nothing(&gate, GateEpoch(1));
    gate
}

pub fn open_from_nothing(gate: &Gate, epoch: GateEpoch) -> Pin {
    let pin = gate.discover().unwrap();
    let mut rebuild = gate.rebuild(epoch, &pin).unwrap();
    assert_eq!(rebuild.marks().unwrap(), None, "nothing is there");
    rebuild.clear().unwrap();
    rebuild.publish().unwrap();
    gate.open(epoch, pin.clone());
    pin
}

/// What the lane was granted and Redis was not told of a record for, under epoch 1; ends the
/// session of its guard.
pub fn claims(gate: &Gate) -> Vec<(PaymentId, IdempotencyKey)> {
    gate.mend(GateEpoch(1), LANE, taker(0)).unwrap().claims(LANE).unwrap()
}

/// Who takes the lane at an epoch of it, which trusts every epoch of the gate.
pub fn taker(taken_at: u64) -> LaneTaker {
    LaneTaker { taken_at, trusted: GateEpoch(0) }
}

pub fn guard(gate: &Arc<Gate>) -> RedisGuard {
    RedisGuard::new(Arc::clone(gate), LANE)
}

pub fn payment(number: u64) -> PaymentId {
    PaymentId::in_lane(NOON / 1_000, LANE, number)
}

pub fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

pub fn currency() -> Currency {
    Currency::from_code("MXN").unwrap()
}

pub fn money(minor: i64) -> Money {
    Money { minor, currency: currency() }
}

pub fn nothing(key: u128) -> Reservation {
    let (key, fingerprint) = (IdempotencyKey(key), Fingerprint(1 << 64));
    let (slots, counters, holds) = Default::default();
    Reservation { key, fingerprint, slots, counters, holds }
}

pub fn hold(name: &str, minor: i64) -> Hold {
    let (account, amount) = (account(name), money(minor));
    Hold { account, amount, floor_minor: 0, reason: Reason::FloatInsufficient }
}

pub fn counter(key: u128, delta: i64, ceiling: i64) -> Counter {
    let (key, window_end) = (CounterKey(key), Timestamp(NOON + 24 * HOUR));
    let (reason, reason_once_full) = (Reason::InsufficientFunds, Some(Reason::BillAlreadyPaid));
    Counter { key, delta, ceiling, window_end, reason, reason_once_full }
}

pub fn slot(key: u128, keep: Keep) -> Slot {
    let (reason_while_open, reason_once_kept) = (Reason::Pending, Reason::DuplicateTransaction);
    Slot { key: SlotKey(key), keep, reason_while_open, reason_once_kept }
}

/// Holds 100 of `float:1`.
pub fn hundred(key: u128) -> Reservation {
    Reservation { holds: [hold("float:1", 100)].into_iter().collect(), ..nothing(key) }
}

pub fn ask(number: u64, reservation: &Reservation) -> ReserveAsk<'_> {
    let wants = Wants::Reserve(reservation);
    ReserveAsk { payment: payment(number), at: Timestamp(NOON), wants, requested: None }
}

pub fn reserve(
    guard: &mut dyn Guard,
    number: u64,
    reservation: &Reservation,
) -> Result<Verdict, GuardError> {
    let mut verdicts = Vec::new();
    guard.reserve(&[ask(number, reservation)], &mut verdicts)?;
    Ok(verdicts[0])
}

/// Puts money on `float:1` by the record of a position.
pub fn top_up(guard: &mut dyn Guard, minor: i64, sequence: u64) {
    let credits = &[Credit { entry: &moved("float:1", minor), sequence }];
    let group = GiveBack { begun: &[], endings: &[], credits, through: sequence };
    guard.give_back(&group).unwrap();
}

/// What puts money on a float, or takes it away; empty for nothing.
pub fn moved(name: &str, minor: i64) -> Entry {
    if minor == 0 { Entry::default() } else { sample::top_up_entry(name, minor) }
}

/// What a record posts that ends a reservation: an approval takes what is held, a reversal gives
/// that back.
pub fn entry_of(settle: Settle, reservation: &Reservation) -> Entry {
    let (float, other) = match settle {
        Settle::Post => (Side::Debit, Side::Credit),
        Settle::Undo => (Side::Credit, Side::Debit),
        Settle::Release => return Entry::default(),
    };
    let held = reservation.holds.iter().filter(|hold| hold.amount.minor > 0);
    let lines = held.flat_map(|Hold { account: held, amount, .. }| {
        let line = |account, side| Posting { account, side, amount: *amount };
        [line(*held, float), line(account("payable:isp-ve"), other)]
    });
    Entry::new(lines.collect::<Postings>()).unwrap()
}

pub fn begin(guard: &mut dyn Guard, number: u64, key: u128, through: u64) {
    let begun = &[Begun { payment: payment(number), key: IdempotencyKey(key) }];
    guard.give_back(&GiveBack { begun, endings: &[], credits: &[], through }).unwrap();
}

pub fn end(
    guard: &mut dyn Guard,
    number: u64,
    settle: Settle,
    reservation: &Reservation,
    sequence: u64,
) {
    let (payment, entry) = (payment(number), &entry_of(settle, reservation));
    let reservation = Some(reservation);
    let settlement = ReservationEnd { payment, settle, reservation, entry, sequence };
    let endings = &[settlement];
    guard.give_back(&GiveBack { begun: &[], endings, credits: &[], through: sequence }).unwrap();
}

/// Runs random cases by a seed, which is printed: the output of a test that fails shows it, and
/// `GATE_SEED` in the environment runs the same cases again.
pub fn check_random<S: Strategy>(cases: u32, strategy: &S, case: impl Fn(S::Value)) {
    let given = std::env::var("GATE_SEED").ok().map(|text| text.parse::<u64>().unwrap());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(cases));
    println!("GATE_SEED={seed}");
    let bytes: Vec<u8> = seed.to_be_bytes().repeat(4);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config =
        Config { failure_persistence: None, max_shrink_iters: 200, ..Config::with_cases(cases) };
    let run = |value| {
        case(value);
        Ok(())
    };
    TestRunner::new_with_rng(config, rng).run(strategy, run).unwrap();
}

/// Balance and what is held of it.
pub fn standing(guard: &mut dyn Guard, name: &str) -> (i64, i64) {
    let balance = guard.balance(account(name), currency()).unwrap().unwrap();
    (balance.balance, balance.held)
}

/// Tries until it works: after a failure a guard waits before it tries again.
pub fn soon<T>(mut attempt: impl FnMut() -> Result<T, GuardError>) -> T {
    rig::eventually("the guard to answer", Duration::from_secs(20), || {
        attempt().map_err(|error| rig::Error::from(std::io::Error::other(error.to_string())))
    })
    .unwrap()
}

pub fn is_changed(gate: &Gate) -> bool {
    matches!(gate.probe(), Health::Changed(_) | Health::Forgotten(_))
}
