//! Amounts beyond what a double can tell apart.

use router::reservation::{Reservation, Settle};
use storage::guard::{Guard, MemoryGuard, Verdict};

use crate::support::*;

const DOUBLE: i64 = 1 << 53;

/// The same steps on both guards, whose every answer must be equal.
fn check(opening: i64, amounts: &[i64]) {
    let redis = redis();
    let gate = open(single(&redis));
    let mut ours = guard(&gate);
    let mut model = MemoryGuard::new(std::time::Duration::from_hours(48));
    let mut both = |step: &mut dyn FnMut(&mut dyn Guard) -> Option<Verdict>| {
        let (left, right) = (step(&mut ours), step(&mut model));
        assert_eq!(left, right);
        assert_eq!(standing(&mut ours, "float:1"), standing(&mut model, "float:1"));
    };
    both(&mut |guard| {
        top_up(guard, opening, 1);
        None
    });
    for (number, minor) in (1..).zip(amounts) {
        let reservation = Reservation {
            holds: [hold("float:1", *minor)].into_iter().collect(),
            counters: [counter(7, *minor, i64::MAX - 1)].into_iter().collect(),
            ..nothing(number.into())
        };
        both(&mut |guard| Some(reserve(guard, number, &reservation).unwrap()));
        let settle = if number % 3 == 0 { Settle::Release } else { Settle::Post };
        both(&mut |guard| {
            end(guard, number, settle, &reservation, number + 1);
            None
        });
    }
}

#[test]
fn amounts_beyond_two_to_the_53_are_exact() {
    check(3 * DOUBLE + 1, &[DOUBLE + 1, DOUBLE, DOUBLE + 1, 1, DOUBLE - 1, 1, 1]);
}

#[test]
fn amounts_near_the_largest_are_exact() {
    let half = i64::MAX / 2;
    check(i64::MAX, &[half, half, 1, 1, 1, half]);
    check(i64::MAX - 1, &[half - 1, half, 1, 2, i64::MAX]);
}

#[test]
fn amounts_around_the_limbs_are_exact() {
    let limb = 1_000_000_000_000_000;
    check(3 * limb, &[limb - 1, 1, limb, limb - 1, 2, 1]);
    check(limb - 1, &[limb, limb - 1, 1]);
}

#[test]
fn a_balance_below_zero_is_exact() {
    check(-DOUBLE - 1, &[1, DOUBLE]);
}
