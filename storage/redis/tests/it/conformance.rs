//! What every guard must do.

use proptest::prelude::*;
use rig::RedisCluster;
use router::message::IdempotencyKey;
use router::reservation::{Keep, Reservation};
use storage::conformance;
use storage::guard::{Guard, Verdict};
use storage_redis::{Form, RedisSettings};

use crate::support::*;

type Moves = (Vec<(u64, u8, i64)>, usize);

fn moves() -> impl Strategy<Value = Moves> {
    (prop::collection::vec((1_u64..40, 0_u8..4, 1_i64..400), 1..120), 1_usize..20)
}

fn check(cases: u32, batch_max: usize, settings: impl Fn() -> RedisSettings) {
    check_random(cases, &moves(), |(moves, batch): Moves| {
        let gate = open(settings());
        let batch = batch.min(batch_max);
        conformance::holds_stay_above_their_floor(&mut guard(&gate), &moves, batch);
    });
}

#[test]
fn holds_stay_above_their_floor_on_one_redis() {
    let redis = redis();
    check(48, 20, || single(&redis));
}

/// One at a time: of a batch, an ask may be decided before another that stands before it.
#[test]
fn holds_stay_above_their_floor_on_a_cluster() {
    let cluster = RedisCluster::start(3, 0).unwrap();
    check(8, 1, || RedisSettings::new(Form::Cluster { urls: cluster.urls() }, &namespace()));
}

#[test]
fn a_batch_on_a_cluster_passes_no_limit_and_fills_it_when_asked_again() {
    let cluster = RedisCluster::start(3, 0).unwrap();
    let gate = open(RedisSettings::new(Form::Cluster { urls: cluster.urls() }, &namespace()));
    let mut guard = guard(&gate);
    top_up(&mut guard, 1_000, 1);
    // Each holds 100 of a float and takes 1 of 8, in groups of their own.
    let wanted = |number: u64| Reservation {
        counters: [counter(1, 1, 8)].into_iter().collect(),
        slots: [slot(number.into(), Keep::UntilOutcome)].into_iter().collect(),
        ..hundred(number.into())
    };
    let wanted: Vec<Reservation> = (0..64).map(wanted).collect();
    let asks: Vec<_> = (0..).zip(&wanted).map(|(number, wanted)| ask(number, wanted)).collect();
    let mut verdicts = Vec::new();
    guard.reserve(&asks, &mut verdicts).unwrap();
    let granted =
        |verdicts: &[Verdict]| verdicts.iter().filter(|it| **it == Verdict::Granted).count();
    let count = granted(&verdicts);
    assert!(count <= 8, "{count} granted");
    assert_eq!(standing(&mut guard, "float:1"), (1_000, 100 * i64::try_from(count).unwrap()));
    for number in 0..8 {
        let again = Reservation { key: IdempotencyKey(1_000 + number), ..wanted[0].clone() };
        let again = Reservation {
            slots: [slot(5_000 + number, Keep::UntilOutcome)].into_iter().collect(),
            ..again
        };
        verdicts.push(reserve(&mut guard, 1_000 + u64::try_from(number).unwrap(), &again).unwrap());
    }
    assert_eq!(granted(&verdicts), 8, "nothing is left over of what was undone");
    assert_eq!(standing(&mut guard, "float:1"), (1_000, 800));
}
