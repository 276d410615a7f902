//! Large groups of records.

use router::message::IdempotencyKey;
use router::posting::Entry;
use router::reservation::{Reservation, Settle};
use storage::guard::{
    Begun, Credit, GiveBack, Guard, MemoryGuard, ReservationEnd, ReserveAsk, Verdict,
};

use crate::support::*;

/// More than goes into one call, of one record and of many, in an order that calls may not change.
#[test]
fn a_large_group_is_reflected_once_however_often_it_is_told() {
    let redis = redis();
    let gate = open(single(&redis));
    let (mut ours, mut model) =
        (guard(&gate), MemoryGuard::new(std::time::Duration::from_hours(48)));
    let wanted: Vec<Reservation> = (0..300).map(hundred).collect();
    let asks: Vec<ReserveAsk<'_>> =
        (0..).zip(&wanted).map(|(number, wanted)| ask(number, wanted)).collect();
    for guard in [&mut ours as &mut dyn Guard, &mut model] {
        top_up(guard, 100_000, 1);
        let mut verdicts = Vec::new();
        guard.reserve(&asks, &mut verdicts).unwrap();
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Granted));
    }
    let begun: Vec<Begun> = (0..300)
        .map(|number| Begun { payment: payment(number), key: IdempotencyKey(number.into()) })
        .collect();
    let (posted, nothing) = (entry_of(Settle::Post, &wanted[0]), Entry::default());
    let settles = [Settle::Post, Settle::Release, Settle::Post];
    let endings: Vec<ReservationEnd<'_>> = (0..300)
        .zip(settles.into_iter().cycle())
        .map(|(number, settle)| {
            let sequence = 302 + number;
            let entry = if settle == Settle::Post { &posted } else { &nothing };
            let payment = payment(number);
            ReservationEnd { payment, settle, reservation: None, entry, sequence }
        })
        .collect();
    let entry = &moved("float:1", 7);
    // A hundred of one record, so that no call may end between them, then one of each.
    let positions = std::iter::repeat_n(370, 100).chain(602..700);
    let credits: Vec<Credit<'_>> = positions.map(|sequence| Credit { entry, sequence }).collect();
    let group = GiveBack { begun: &begun, endings: &endings, credits: &credits, through: 700 };
    model.give_back(&group).unwrap();
    for _ in 0..3 {
        ours.give_back(&group).unwrap();
        assert_eq!(standing(&mut ours, "float:1"), standing(&mut model, "float:1"));
    }
    assert_eq!(claims(&gate), []);
}

/// As after an answer that was lost: what waits is told again, with what came since.
#[test]
fn a_group_that_is_reflected_in_part_is_made_whole() {
    let redis = redis();
    let gate = open(single(&redis));
    let mut guard = guard(&gate);
    let entry = &moved("float:1", 100);
    let credits = [1, 2, 3].map(|sequence| Credit { entry, sequence });
    for told in 1..=3 {
        let (credits, through) = (&credits[..told], told as u64);
        guard.give_back(&GiveBack { begun: &[], endings: &[], credits, through }).unwrap();
        assert_eq!(standing(&mut guard, "float:1"), (100 * i64::try_from(told).unwrap(), 0));
    }
}

/// More than is told in one round, and more than could be released in one.
#[test]
fn what_piled_up_while_redis_was_away_is_told_when_it_is_back() {
    let redis = redis();
    let gate = open(single(&redis));
    let mut guard = guard(&gate);
    top_up(&mut guard, 1_000_000, 1);
    let wanted: Vec<Reservation> = (0..3_000).map(hundred).collect();
    let asks: Vec<ReserveAsk<'_>> =
        (0..).zip(&wanted).map(|(number, wanted)| ask(number, wanted)).collect();
    guard.reserve(&asks[..1_000], &mut Vec::new()).unwrap();
    redis.pause().unwrap();
    assert!(guard.reserve(&asks[1_000..], &mut Vec::new()).is_err());
    for (number, sequence) in (0..1_000).zip(2..) {
        begin(&mut guard, number, number.into(), sequence);
    }
    for (number, sequence) in (0..1_000).zip(1_002..) {
        end(&mut guard, number, Settle::Post, &wanted[0], sequence);
    }
    for sequence in 2_002..3_002 {
        top_up(&mut guard, 1, sequence);
    }
    assert_eq!(guard.owed_len(), 2_000);
    redis.resume().unwrap();
    assert_eq!(soon(|| reserve(&mut guard, 9_000, &hundred(9_000))), Verdict::Granted);
    assert_eq!(guard.owed_len(), 0);
    assert_eq!(standing(&mut guard, "float:1"), (1_000_000 - 100_000 + 1_000, 100));
}

/// Nothing more is asked for the lane whose last ending could not be told.
#[test]
fn an_ending_that_could_not_be_told_is_told_with_an_empty_group() {
    let redis = redis();
    let gate = open(single(&redis));
    let (mut ours, mut other) = (guard(&gate), guard(&gate));
    top_up(&mut ours, 1_000, 1);
    assert_eq!(reserve(&mut ours, 1, &hundred(1)), Ok(Verdict::Granted));
    assert!(!ours.is_behind());
    redis.pause().unwrap();
    end(&mut ours, 1, Settle::Post, &hundred(1), 2);
    assert!(ours.is_behind());
    redis.resume().unwrap();
    let nothing = GiveBack { begun: &[], endings: &[], credits: &[], through: 2 };
    rig::eventually("the ending to be told", std::time::Duration::from_secs(20), || {
        ours.give_back(&nothing).unwrap();
        (!ours.is_behind()).then_some(()).ok_or_else(|| rig::Error::new("it is behind"))
    })
    .unwrap();
    assert_eq!(standing(&mut other, "float:1"), (900, 0), "as another lane sees it");
}
