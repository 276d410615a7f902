//! The pure decision: routes, fees, postings, what must be reserved.

use std::hint::black_box;

use benches::{messages, rules};
use criterion::{Criterion, criterion_group, criterion_main};
use router::message::PaymentRequest;
use router::plan::plan;

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

criterion_group!(benches, planning);
criterion_main!(benches);
