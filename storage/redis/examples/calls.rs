//! Measures the functions on this machine: `cargo run --release -p storage-redis --example calls
//! -- [payments] [batch]`. Starts a Redis of its own and prints what one call costs it, by its own
//! count, and how many decisions a second one guard gets through.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Instant;

use rig::{Redis, RedisOptions};
use router::id::{AccountId, FloatRef, Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey, digest128};
use router::money::{Currency, Money};
use router::posting::{Entry, top_up as topped_up};
use router::reason::Reason;
use router::reservation::{Counter, CounterKey, Hold, Keep, Reservation, Settle, Slot, SlotKey};
use router::time::Timestamp;
use storage::guard::{
    Begun, Credit, GateEpoch, GiveBack, Guard, ReservationEnd, ReserveAsk, Verdict, Wants,
};
use storage_redis::{Form, Gate, RedisGuard, RedisSettings};

const NOON: i64 = 1_700_000_000_000_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let payments = arguments.next().unwrap_or(200_000);
    let batch = arguments.next().unwrap_or(64);
    let redis = Redis::start(RedisOptions::default()).unwrap();
    let gate = Arc::new(
        Gate::new(RedisSettings::new(Form::Single { url: redis.url() }, "calls")).unwrap(),
    );
    let pin = gate.discover().unwrap();
    let mut rebuild = gate.rebuild(GateEpoch(1), &pin).unwrap();
    rebuild.clear().unwrap();
    rebuild.publish().unwrap();
    gate.open(GateEpoch(1), pin);
    let mut guard = RedisGuard::new(gate, Lane(1));
    top_up(&mut guard);
    redis.command(&["CONFIG", "RESETSTAT"]).unwrap();
    let began = Instant::now();
    let mut sequence = 1;
    let (mut reserving, mut giving_back) = Default::default();
    for first in (0..payments).step_by(usize::try_from(batch).unwrap()) {
        run(&mut guard, first..first + batch, &mut sequence, &mut reserving, &mut giving_back);
    }
    let (elapsed, rounds) = (began.elapsed(), payments.div_ceil(batch));
    let each = elapsed / u32::try_from(payments).unwrap();
    println!("{payments} payments in batches of {batch}: {elapsed:.2?}, {each:.2?} each");
    let rounds = u32::try_from(rounds).unwrap();
    println!("a round of reservations {:.2?}", reserving / rounds);
    println!("a round that gives back {:.2?}", giving_back / rounds);
    for line in redis.command(&["INFO", "commandstats"]).unwrap().text().lines() {
        println!("{line}");
    }
    let memory = redis.info("memory", "used_memory_human").unwrap();
    println!("memory {memory}");
}

type Took = std::time::Duration;

fn run(
    guard: &mut RedisGuard,
    numbers: std::ops::Range<u64>,
    sequence: &mut u64,
    reserving: &mut Took,
    giving_back: &mut Took,
) {
    let wanted: Vec<(PaymentId, Reservation)> =
        numbers.map(|number| (id(number), wanted(number))).collect();
    let ask = |(payment, wants): &(PaymentId, Reservation)| (*payment, wants.clone());
    let owned: Vec<_> = wanted.iter().map(ask).collect();
    let asks: Vec<ReserveAsk<'_>> = owned
        .iter()
        .map(|(payment, wants)| ReserveAsk {
            payment: *payment,
            at: Timestamp(NOON),
            wants: Wants::Reserve(wants),
            requested: None,
        })
        .collect();
    let mut verdicts = Vec::new();
    let began = Instant::now();
    guard.reserve(&asks, &mut verdicts).unwrap();
    *reserving += began.elapsed();
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Granted));
    let begun: Vec<Begun> =
        wanted.iter().map(|(payment, wants)| Begun { payment: *payment, key: wants.key }).collect();
    let payee = AccountId::new("payable:isp").unwrap();
    let entries: Vec<Entry> = wanted
        .iter()
        .map(|(_, wants)| {
            Entry::pair(wants.holds[0].account, payee, wants.holds[0].amount).unwrap()
        })
        .collect();
    let endings: Vec<ReservationEnd<'_>> = wanted
        .iter()
        .zip(&entries)
        .map(|((payment, _), entry)| {
            *sequence += 1;
            let (payment, settle, sequence) = (*payment, Settle::Post, *sequence);
            ReservationEnd { payment, settle, reservation: None, entry, sequence }
        })
        .collect();
    let group = GiveBack { begun: &begun, endings: &endings, credits: &[], through: *sequence };
    let began = Instant::now();
    guard.give_back(&group).unwrap();
    *giving_back += began.elapsed();
}

fn id(number: u64) -> PaymentId {
    PaymentId::in_lane(NOON / 1_000, Lane(1), number)
}

fn wanted(number: u64) -> Reservation {
    let digest = |kind: &[u8], number: u64| digest128(&[kind, &number.to_be_bytes()]);
    let currency = Currency::from_code("MXN").unwrap();
    let account = AccountId::new(&format!("float:{}", number % 100)).unwrap();
    let window_end = Timestamp(NOON + 86_400_000_000);
    let hold = Hold {
        account,
        amount: Money { minor: 150, currency },
        floor_minor: 0,
        reason: Reason::FloatInsufficient,
    };
    let counter = Counter {
        key: CounterKey(digest(b"counter", number % 10_000)),
        delta: 1,
        ceiling: 1_000_000,
        window_end,
        reason: Reason::InsufficientFunds,
        reason_once_full: None,
    };
    let slot = Slot {
        key: SlotKey(digest(b"slot", number)),
        keep: Keep::UntilOutcome,
        reason_while_open: Reason::Pending,
        reason_once_kept: Reason::DuplicateTransaction,
    };
    Reservation {
        key: IdempotencyKey(digest(b"key", number)),
        fingerprint: Fingerprint(digest(b"what", number)),
        slots: [slot].into_iter().collect(),
        counters: [counter].into_iter().collect(),
        holds: [hold].into_iter().collect(),
    }
}

fn top_up(guard: &mut RedisGuard) {
    let currency = Currency::from_code("MXN").unwrap();
    let entries: Vec<Entry> = (0..100)
        .map(|number| {
            let float = FloatRef::new(&number.to_string()).unwrap();
            topped_up(&float, Money { minor: 1_000_000_000, currency }).unwrap()
        })
        .collect();
    let credits: Vec<Credit<'_>> =
        entries.iter().map(|entry| Credit { entry, sequence: 1 }).collect();
    guard.give_back(&GiveBack { begun: &[], endings: &[], credits: &credits, through: 1 }).unwrap();
}
