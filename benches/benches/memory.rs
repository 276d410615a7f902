//! What the guard in memory takes for each thing that it knows: `cargo bench -p benches --bench memory`.
//!
//! Each row is a guard that knows a million of one thing, and what it has allocated for them by the
//! end. Tables grow by doubling, so a number just past a power of two costs most for each; a million
//! is nearly that. The most it had at once is while a table is copied into one of twice the size.

// A person reads the figures.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use router::record::Intent;
use router::reservation::Settle;
use storage::conformance::sample::Sample;
use storage::guard::{
    Credit, GiveBack, Guard, MemoryGuard, ReservationEnd, ReserveAsk, Verdict, Wants,
};

const THINGS: u64 = 1_000_000;
/// Without `--bench` it is only tried whether the bench runs.
const THINGS_TRIED: u64 = 1_000;
const KEY_RETENTION: Duration = Duration::from_hours(48);

/// What becomes of a payment, and so of what it had reserved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Approved,
    Open,
}

/// One kind of thing, by a payment of each that makes the guard know it.
struct Row {
    what: &'static str,
    sample: fn(u64) -> Sample,
    fate: Fate,
}

fn key(n: u64) -> Sample {
    Sample::new(n)
}

/// Each pays a part of a bill of its own.
fn bill(n: u64) -> Sample {
    Sample { bill: Some((u128::from(n) << 64, i64::MAX)), ..Sample::new(n) }
}

/// Each is of a client of its own, whose payments of the day are counted.
fn client(n: u64) -> Sample {
    Sample { counter: Some((u128::from(n) << 64, i64::MAX)), ..Sample::new(n) }
}

const ROWS: [Row; 5] = [
    Row { what: "idempotency key, its payment approved", sample: key, fate: Fate::Approved },
    Row { what: "idempotency key, its payment open", sample: key, fate: Fate::Open },
    Row { what: "key and bill, a part paid", sample: bill, fate: Fate::Approved },
    Row { what: "key and bill, a part under way", sample: bill, fate: Fate::Open },
    Row { what: "key and client with a counter", sample: client, fate: Fate::Approved },
];

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let things = if is_bench { THINGS } else { THINGS_TRIED };
    println!("{things} of each; bytes for each at the end, and at most at once");
    for row in ROWS {
        let mut guard = MemoryGuard::new(KEY_RETENTION);
        let AllocationInfo { bytes_current, bytes_max, .. } = measure(|| {
            (1..=things).for_each(|n| decide(&mut guard, &(row.sample)(n).intent(), row.fate));
        });
        assert_eq!(u64::try_from(guard.keys_len()), Ok(things), "every key is known");
        let each = bytes_current / i64::try_from(things).expect("few enough");
        println!("{:<40} {each:>6} {:>6}", row.what, bytes_max / things);
    }
}

fn decide(guard: &mut MemoryGuard, intent: &Intent, fate: Fate) {
    let Intent { payment, at, plan, .. } = intent;
    let wants = Wants::Reserve(&plan.reservation);
    let asked = ReserveAsk { payment: *payment, at: *at, wants, requested: None };
    let mut verdicts = Vec::with_capacity(1);
    guard.reserve(&[asked], &mut verdicts).expect("a guard in memory is there");
    assert_eq!(verdicts, [Verdict::Granted]);
    if fate == Fate::Open {
        return;
    }
    let ending = ReservationEnd {
        payment: *payment,
        settle: Settle::Post,
        reservation: None,
        entry: &plan.entry,
        sequence: 1,
    };
    let (endings, credits): (&[_], &[Credit<'_>]) = (&[ending], &[]);
    let given = GiveBack { begun: &[], endings, credits, through: 1 };
    guard.give_back(&given).expect("a guard in memory is there");
}
