//! The guard in memory: reserve a batch, then end it as approved.
//!
//! Each payment is a microsecond after the one before and keys are kept for a second, so the guard
//! knows about a million keys while it is measured.

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use router::record::Intent;
use router::reservation::{Keep, Settle};
use storage::conformance::sample::{self, Sample};
use storage::guard::{
    Credit, GiveBack, Guard, MemoryGuard, ReservationEnd, ReserveAsk, Verdict, Wants,
};

const BATCHES: [u64; 3] = [1, 32, 512];
const KEY_RETENTION: Duration = Duration::from_secs(1);
const KEY_RETENTION_MICROS: i64 = 1_000_000;
/// Clients that share the payments, each with a counter of its own.
const CLIENTS: u64 = 100_000;

/// A payment that reserves its key alone.
fn key_only(payment: u64) -> Sample {
    Sample { at: i64::try_from(payment).expect("few enough"), ..Sample::new(payment) }
}

/// A payment with a counter of its client, a slot for as long as a key, and a hold on one float.
fn with_limits(payment: u64) -> Sample {
    let bare = key_only(payment);
    Sample {
        counter: Some((u128::from(payment % CLIENTS), i64::MAX)),
        slot: Some((u128::from(payment), Keep::Until(sample::at(bare.at + KEY_RETENTION_MICROS)))),
        hold: Some(("float:58341122", 1)),
        ..bare
    }
}

/// A guard whose float outlasts every bench.
fn guard() -> MemoryGuard {
    let mut guard = MemoryGuard::new(KEY_RETENTION);
    let entry = &sample::top_up_entry("float:58341122", i64::MAX / 2);
    let credits = &[Credit { entry, sequence: 1 }];
    let opened = guard.give_back(&GiveBack { begun: &[], endings: &[], credits, through: 1 });
    opened.expect("a guard in memory is there");
    guard
}

fn approved(intent: &Intent) -> ReservationEnd<'_> {
    ReservationEnd {
        payment: intent.payment,
        settle: Settle::Post,
        reservation: None,
        entry: &intent.plan.entry,
        sequence: 1,
    }
}

fn reserve_and_settle(guard: &mut MemoryGuard, intents: &[Intent], verdicts: &mut Vec<Verdict>) {
    let asks: Vec<_> = intents
        .iter()
        .map(|Intent { payment, at, plan, .. }| {
            let wants = Wants::Reserve(&plan.reservation);
            ReserveAsk { payment: *payment, at: *at, wants, requested: None }
        })
        .collect();
    verdicts.clear();
    guard.reserve(&asks, verdicts).expect("a guard in memory is there");
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Granted));
    let endings: Vec<_> = intents.iter().map(approved).collect();
    let given =
        guard.give_back(&GiveBack { begun: &[], endings: &endings, credits: &[], through: 1 });
    given.expect("a guard in memory is there");
}

fn guarding(c: &mut Criterion) {
    type Shape = (&'static str, fn(u64) -> Sample);
    let shapes: [Shape; 2] = [("key", key_only), ("key, counter, slot, hold", with_limits)];
    for (shape, of) in shapes {
        let mut group = c.benchmark_group(format!("guard/reserve and settle/{shape}"));
        for batch in BATCHES {
            let (mut guard, mut verdicts, mut next) = (guard(), Vec::new(), 0);
            group.throughput(Throughput::Elements(batch));
            group.bench_function(format!("batch of {batch}"), |b| {
                let fresh = || {
                    next += batch;
                    (next - batch..next).map(|n| of(n + 1).intent()).collect::<Vec<_>>()
                };
                let size = BatchSize::NumIterations(512 / batch);
                b.iter_batched_ref(
                    fresh,
                    |intents| reserve_and_settle(&mut guard, intents, &mut verdicts),
                    size,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, guarding);
criterion_main!(benches);
