//! Large groups of records, and what is forgotten in time.

use rig::Redis;
use router::id::PaymentId;
use router::message::IdempotencyKey;
use router::reservation::{Counter, CounterKey, Keep, Reservation, Settle, SlotKey};
use router::time::Timestamp;
use storage::guard::{
    Begun, Credit, GiveBack, Guard, MemoryGuard, ReserveAsk, Settlement, Verdict, Wants,
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
    let settles = [Settle::Post, Settle::Release, Settle::Post];
    let endings: Vec<Settlement<'_>> = (0..300)
        .zip(settles.into_iter().cycle())
        .map(|(number, settle)| {
            let sequence = 302 + number;
            Settlement { payment: payment(number), settle, reservation: None, sequence }
        })
        .collect();
    let movement = movement("float:1", 7);
    // A hundred of one record, so that no call may end between them, then one of each.
    let positions = std::iter::repeat_n(370, 100).chain(602..700);
    let credits: Vec<Credit<'_>> =
        positions.map(|sequence| Credit { movement: &movement, sequence }).collect();
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
    let movement = movement("float:1", 100);
    let credits = [1, 2, 3].map(|sequence| Credit { movement: &movement, sequence });
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

fn rows(redis: &Redis, name: &str) -> i64 {
    let keys = redis.command(&["KEYS", &format!("*{name}")]).unwrap();
    let [key] = keys.items() else { return 0 };
    let key = key.text();
    let kind = redis.command(&["TYPE", &key]).unwrap().text();
    let count = if kind == "zset" { "ZCARD" } else { "HLEN" };
    redis.command(&[count, &key]).unwrap().integer().unwrap()
}

/// One payment at an hour, with a counter whose window closes an hour later and a slot that an
/// approval keeps until then.
fn hourly(hour: i64) -> Reservation {
    let name = u128::try_from(hour).unwrap();
    let until = Timestamp(NOON + (hour + 1) * HOUR);
    let counter = Counter { key: CounterKey(name), window_end: until, ..counter(1, 1, 1) };
    Reservation {
        counters: [counter].into_iter().collect(),
        slots: [slot(name, Keep::Until(until))].into_iter().collect(),
        ..nothing(name)
    }
}

#[test]
fn counters_and_slots_that_closed_long_ago_are_dropped_and_decide_nothing_more() {
    let redis = redis();
    let gate = open(single(&redis));
    let mut guard = guard(&gate);
    let ask = |guard: &mut dyn Guard, hour: i64, wants: &Reservation, id: PaymentId| {
        let (at, wants) = (Timestamp(NOON + hour * HOUR), Wants::Reserve(wants));
        let mut verdicts = Vec::new();
        guard.reserve(&[ReserveAsk { payment: id, at, wants }], &mut verdicts).unwrap();
        verdicts[0]
    };
    // One whose window turned out to close later than it said first.
    for (key, hours) in [(600, 1), (601, 40)] {
        let window_end = Timestamp(NOON + hours * HOUR);
        let counters = [Counter { window_end, ..counter(77, 1, 5) }].into_iter().collect();
        let wants = Reservation { counters, ..nothing(key) };
        let id = payment(u64::try_from(key).unwrap());
        assert_eq!(ask(&mut guard, 0, &wants, id), Verdict::Granted);
    }
    for hour in 0..20 {
        let number = u64::try_from(hour).unwrap();
        assert_eq!(ask(&mut guard, hour, &hourly(hour), payment(number)), Verdict::Granted);
        end(&mut guard, number, Settle::Post, &hourly(hour), number + 1);
    }
    assert_eq!((rows(&redis, "state"), rows(&redis, "due")), (42, 41));
    // As many as bring a sweep about; the clock stands at hour 19, so 18 is the horizon.
    let many: Vec<Reservation> = (0..8_192).map(|number| nothing(1_000 + number)).collect();
    let asks: Vec<ReserveAsk<'_>> =
        (1_000..).zip(&many).map(|(number, wanted)| crate::support::ask(number, wanted)).collect();
    for asks in asks.chunks(512) {
        guard.reserve(asks, &mut Vec::new()).unwrap();
    }
    assert_eq!((rows(&redis, "state"), rows(&redis, "due")), (6, 5), "hours 18 and 19, and 77");
    let again = Reservation { key: IdempotencyKey(500), ..hourly(3) };
    let verdict = ask(&mut guard, 3, &again, payment(500));
    assert!(matches!(verdict, Verdict::Exceeded { headroom: Some(0), .. }), "{verdict:?}");
    let slots = [slot(SlotKey(3).0, Keep::UntilOutcome)].into_iter().collect();
    let free = Reservation { slots, ..nothing(501) };
    assert_eq!(ask(&mut guard, 19, &free, payment(501)), Verdict::Granted);
}

#[test]
fn a_key_is_known_for_the_retention_and_forgotten_after_two() {
    let redis = redis();
    let gate = open(storage_redis::Settings {
        key_retention: std::time::Duration::from_hours(2),
        ..single(&redis)
    });
    let mut guard = guard(&gate);
    for (number, hour) in (0..).zip([0, 1, 2, 3, 4]) {
        let wants = nothing(u128::from(number) + 1);
        let (at, wants) = (Timestamp(NOON + hour * HOUR), Wants::Reserve(&wants));
        let ask = ReserveAsk { payment: payment(number), at, wants };
        guard.reserve(&[ask], &mut Vec::new()).unwrap();
    }
    let known = [1, 2, 3, 4, 5].map(|key| guard.find_key(IdempotencyKey(key)).unwrap().is_some());
    assert_eq!(known, [false, false, true, true, true]);
}
