//! The pure decision: routes, fees, postings, what must be reserved; and what it costs where many
//! billers have rules of their own.

use std::hint::black_box;

use benches::{messages, rules};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use router::message::PaymentRequest;
use router::plan::plan;
use router::rules::RuleList;

/// Billers with a route, three limits and two fees each.
const BILLERS: [usize; 4] = [1, 1_000, 10_000, 100_000];

fn planning(c: &mut Criterion) {
    let policy = rules::policy();
    let mut decide = |name: &str, request: PaymentRequest| {
        c.bench_function(&format!("plan/{name}"), |b| {
            b.iter(|| plan(black_box(&request), &policy, rules::NOW).expect("a plan"));
        });
    };
    decide("card, no limits", messages::card_payment());
    decide("collector's cash, fee, six limits, float", messages::cash_payment());
}

/// Of one biller again and again, and of all of them in turn, whose rules are then in no cache.
fn planning_among_many(c: &mut Criterion) {
    for billers in BILLERS {
        let policy = rules::policy_of(billers);
        let mut request = messages::cash_payment();
        request.biller = Some(rules::numbered_biller(billers / 2));
        c.bench_function(&format!("plan/one of {billers} billers"), |b| {
            b.iter(|| plan(black_box(&request), &policy, rules::NOW).expect("a plan"));
        });
        // A step that has no factor in common with the number of billers, and is far.
        let (ids, mut next): (Vec<_>, usize) =
            ((0..billers).map(rules::numbered_biller).collect(), 0);
        c.bench_function(&format!("plan/each of {billers} billers in turn"), |b| {
            b.iter(|| {
                next = (next + 7_919) % billers;
                request.biller = Some(ids[next]);
                plan(black_box(&request), &policy, rules::NOW).expect("a plan")
            });
        });
    }
}

/// From rules that were read to rules that are indexed.
fn indexing(c: &mut Criterion) {
    for billers in BILLERS {
        let read = rules::rules_of(billers);
        c.bench_function(&format!("plan/index of the rules of {billers} billers"), |b| {
            b.iter_batched(
                || read.clone(),
                |read| {
                    let (routes, fees) = (RuleList::from(read.routes), RuleList::from(read.fees));
                    (routes, fees, RuleList::from(read.limits))
                },
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, planning, planning_among_many, indexing);
criterion_main!(benches);
