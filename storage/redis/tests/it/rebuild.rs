//! From what is still reflected, or from nothing, to a gate that saw everything.

use std::sync::Arc;

use rig::{Redis, RedisCluster, RedisOptions};
use router::id::{Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::reservation::{ClaimOwner, CounterKey, Keep, Reservation, Settle, Share, SlotKey};
use router::time::Timestamp;
use storage::guard::{Credit, GateEpoch, Guard, ReservationEnd, Verdict, Wants};
use storage_redis::{Claimed, Form, Gate, GateError, RedisSettings, Replay, Row};

use crate::support::*;

/// What endings there are: the first payment is posted, the second released; the first is reversed
/// in two parts and then whole.
fn endings() -> [(u64, Settle, Reservation, u64); 5] {
    let [first, second] = [1, 2].map(wants_all);
    let share = |from_minor, to_minor| Reservation {
        holds: [hold("float:1", from_minor - to_minor)].into_iter().collect(),
        ..first.given_back(Share { amount_minor: 100, from_minor, to_minor })
    };
    let (parts, rest) = ([share(100, 60), share(60, 1)], share(1, 0));
    let [one, two] = parts;
    [
        (1, Settle::Post, first, 5),
        (2, Settle::Release, second, 6),
        (1, Settle::Undo, one, 7),
        (1, Settle::Undo, two, 8),
        (1, Settle::Undo, rest, 9),
    ]
}

fn wants_all(key: u128) -> Reservation {
    Reservation {
        counters: [counter(1, 1, 10)].into_iter().collect(),
        slots: [slot(key, Keep::WhileApproved)].into_iter().collect(),
        ..hundred(key)
    }
}

/// Of a lane: 1 tops up 1,000; 2 to 4 are intents; then come the endings.
fn history(lane: Lane) -> Replay {
    let mut replay = Replay::new();
    replay.credit(lane, &Credit { entry: &moved("float:1", 1_000), sequence: 1 });
    for (sequence, number) in (2..).zip(1..4) {
        let wants = wants_all(number.into());
        let wants = Wants::Reserve(&wants);
        replay.begin(lane, sequence, payment(number), Timestamp(NOON), wants);
    }
    for (number, settle, wants, sequence) in endings() {
        let (payment, reservation, entry) =
            (payment(number), Some(&wants), &entry_of(settle, &wants));
        replay.end(lane, &ReservationEnd { payment, settle, reservation, entry, sequence });
    }
    replay
}

/// Does the same through a guard, up to a step: 0 nothing, 9 everything.
fn live(guard: &mut dyn Guard, steps: u64) {
    if steps >= 1 {
        top_up(guard, 1_000, 1);
    }
    for number in 1..steps.clamp(1, 4) {
        let verdict = reserve(guard, number, &wants_all(number.into()));
        assert_eq!(verdict, Ok(Verdict::Granted));
        begin(guard, number, number.into(), number + 1);
    }
    for (number, settle, wants, sequence) in endings() {
        if steps >= sequence {
            end(guard, number, settle, &wants, sequence);
        }
    }
}

/// What the whole history leaves: payment 3 is open.
fn assert_whole(gate: &Arc<Gate>) {
    let mut guard = guard(gate);
    assert_eq!(standing(&mut guard, "float:1"), (1_000, 100));
    let left = reserve(
        &mut guard,
        90,
        &Reservation { counters: [counter(1, 10, 10)].into_iter().collect(), ..nothing(90) },
    );
    let Ok(Verdict::Exceeded { headroom, .. }) = left else { panic!("{left:?}") };
    assert_eq!(headroom, Some(9), "one of the counter is taken");
    for (number, free) in [(1, true), (2, true), (3, false)] {
        let (number, key) = (90 + number, 190 + u128::from(number));
        let slots = [slot(u128::from(number) - 90, Keep::UntilOutcome)].into_iter().collect();
        let verdict = reserve(&mut guard, number, &Reservation { slots, ..nothing(key) }).unwrap();
        assert_eq!(verdict == Verdict::Granted, free, "slot {number}: {verdict:?}");
    }
    for number in 1..4 {
        let verdict = reserve(&mut guard, 200 + number, &nothing(number.into()));
        assert_eq!(verdict, Ok(Verdict::Duplicate(payment(number))));
    }
}

fn replay_whole(gate: &Gate, epoch: GateEpoch, releases: &[(PaymentId, IdempotencyKey)]) {
    let pin = gate.discover().unwrap();
    let mut rebuild = gate.rebuild(epoch, &pin).unwrap();
    // Whatever the mark is: what is reflected is skipped.
    rebuild.replay(&history(LANE)).unwrap();
    rebuild.replay(&history(LANE)).unwrap();
    assert_eq!(rebuild.claims(LANE).unwrap(), releases);
    rebuild.release_claims(LANE, releases).unwrap();
    assert_eq!(rebuild.claims(LANE).unwrap(), []);
    rebuild.set_mark(LANE, 9).unwrap();
    assert_eq!(rebuild.marks().unwrap(), Some([(LANE, at_position(9))].into_iter().collect()));
    rebuild.publish().unwrap();
    gate.open(epoch, pin);
}

fn check_every_prefix(settings: impl Fn() -> RedisSettings) {
    for steps in 0..=9 {
        let gate = open(settings());
        let mut guard = guard(&gate);
        live(&mut guard, steps);
        // Granted, and its record never came.
        let lost = Reservation { key: IdempotencyKey(66), ..wants_all(66) };
        let granted = reserve(&mut guard, 66, &lost);
        let claims = match granted {
            Ok(Verdict::Granted) => [(payment(66), IdempotencyKey(66))],
            Ok(Verdict::Exceeded { .. }) if steps == 0 => [(payment(66), IdempotencyKey(66))],
            other => panic!("{other:?}"),
        };
        replay_whole(&gate, GateEpoch(2), &claims);
        assert_whole(&gate);
    }
}

#[test]
fn replaying_what_any_prefix_lacks_gives_the_whole() {
    let redis = redis();
    check_every_prefix(|| single(&redis));
}

#[test]
fn replaying_what_any_prefix_lacks_gives_the_whole_on_a_cluster() {
    let cluster = RedisCluster::start(3, 0).unwrap();
    check_every_prefix(|| RedisSettings::new(Form::Cluster { urls: cluster.urls() }, &namespace()));
}

#[test]
fn a_promotion_that_lost_a_tail_is_made_whole() {
    let primary = redis();
    let replica = Redis::start(RedisOptions::default().replica_of(&primary)).unwrap();
    let settings = single(&primary);
    let gate = open(settings.clone());
    let mut guard = guard(&gate);
    live(&mut guard, 3);
    primary.wait_replica_in_sync(&replica).unwrap();
    replica.promote().unwrap();
    for number in [2, 3] {
        // Payment 2 is there again with its record; payment 3 and all that follows is lost.
        let verdict = reserve(&mut guard, number, &wants_all(number.into()));
        let known = Verdict::Duplicate(payment(2));
        assert_eq!(verdict, Ok(if number == 2 { known } else { Verdict::Granted }));
    }
    begin(&mut guard, 3, 3, 4);
    end(&mut guard, 1, Settle::Post, &wants_all(1), 5);
    primary.kill();
    let form = Form::Single { url: replica.url() };
    let gate = Arc::new(Gate::new(RedisSettings { form, ..settings }).unwrap());
    let pin = gate.discover().unwrap();
    let mut rebuild = gate.rebuild(GateEpoch(2), &pin).unwrap();
    assert_eq!(rebuild.marks().unwrap(), Some([(LANE, at_position(3))].into_iter().collect()));
    drop(rebuild);
    replay_whole(&gate, GateEpoch(3), &[]);
    assert_whole(&gate);
}

/// Redis has it already, though it was never told of the record.
#[test]
fn a_payment_that_is_open_there_is_not_taken_twice() {
    let redis = redis();
    let gate = open(single(&redis));
    let mut guard = guard(&gate);
    live(&mut guard, 1);
    assert_eq!(reserve(&mut guard, 1, &wants_all(1)), Ok(Verdict::Granted));
    let pin = gate.discover().unwrap();
    let mut rebuild = gate.rebuild(GateEpoch(2), &pin).unwrap();
    let mut replay = Replay::new();
    let wants = wants_all(1);
    replay.begin(LANE, 2, payment(1), Timestamp(NOON), Wants::Reserve(&wants));
    rebuild.replay(&replay).unwrap();
    assert_eq!(rebuild.claims(LANE).unwrap(), [], "it has a record");
    rebuild.publish().unwrap();
    gate.open(GateEpoch(2), pin);
    assert_eq!(standing(&mut guard, "float:1"), (1_000, 100));
    end(&mut guard, 1, Settle::Release, &wants, 3);
    assert_eq!(standing(&mut guard, "float:1"), (1_000, 0));
}

#[test]
fn lanes_may_be_replayed_in_any_order() {
    let redis = redis();
    for second_first in [false, true] {
        let gate = Gate::new(single(&redis)).unwrap();
        let pin = gate.discover().unwrap();
        let mut rebuild = gate.rebuild(GateEpoch(1), &pin).unwrap();
        rebuild.clear().unwrap();
        // Payment 1 of lane 3 had the slot and was declined, then payment 2 of lane 4 had it.
        let mut first = Replay::new();
        let wants = |key| Reservation {
            slots: [slot(5, Keep::WhileApproved)].into_iter().collect(),
            ..nothing(key)
        };
        let (one, two) = (wants(1), wants(2));
        first.begin(LANE, 1, payment(1), Timestamp(NOON), Wants::Reserve(&one));
        let (settle, reservation, sequence) = (Settle::Release, Some(&one), 2);
        let (payment, entry) = (payment(1), &entry_of(settle, &one));
        first.end(LANE, &ReservationEnd { payment, settle, reservation, entry, sequence });
        let mut second = Replay::new();
        let owner = PaymentId::in_lane(NOON / 1_000, Lane(4), 2);
        second.begin(Lane(4), 1, owner, Timestamp(NOON + HOUR), Wants::Reserve(&two));
        let order = if second_first { [&second, &first] } else { [&first, &second] };
        order.into_iter().for_each(|steps| rebuild.replay(steps).unwrap());
        rebuild.publish().unwrap();
        gate.open(GateEpoch(1), pin);
        let gate = Arc::new(gate);
        let verdict = reserve(&mut guard(&gate), 9, &wants(9)).unwrap();
        let Verdict::Exceeded { owner: told, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(told, Some(ClaimOwner::Payment(owner)), "second first: {second_first}");
    }
}

fn rows() -> Vec<Row> {
    let (account, currency) = (account("float:1"), currency());
    let open_slot = (SlotKey(3), Keep::WhileApproved);
    vec![
        Row::Dropped(Timestamp(NOON)),
        Row::Account { account, currency, balance: 1_000, held: 100 },
        Row::Counter { key: CounterKey(1), value: 1, window_end: Timestamp(NOON + 24 * HOUR) },
        Row::Slot {
            key: SlotKey(3),
            owner: ClaimOwner::Payment(payment(3)),
            claimed: Claimed::Open,
        },
        Row::Open {
            lane: LANE,
            payment: payment(3),
            holds: vec![(account, currency, 100)],
            counters: vec![(CounterKey(1), 1)],
            slots: vec![open_slot],
        },
        Row::Key { key: IdempotencyKey(1), fingerprint: Fingerprint(1 << 64), payment: payment(1) },
        Row::Key { key: IdempotencyKey(2), fingerprint: Fingerprint(1 << 64), payment: payment(2) },
        Row::Key { key: IdempotencyKey(3), fingerprint: Fingerprint(1 << 64), payment: payment(3) },
    ]
}

fn check_from_nothing(settings: RedisSettings) {
    let gate = Arc::new(Gate::new(settings).unwrap());
    let pin = gate.discover().unwrap();
    let mut rebuild = gate.rebuild(GateEpoch(1), &pin).unwrap();
    assert_eq!(rebuild.marks().unwrap(), None);
    rebuild.clear().unwrap();
    rebuild.load(&rows()).unwrap();
    rebuild.set_mark(LANE, 7).unwrap();
    let progress = rebuild.publish().unwrap();
    assert_eq!((progress.loaded, progress.replayed), (8, 0));
    gate.open(GateEpoch(1), pin);
    assert_whole(&gate);
    let mut guard = guard(&gate);
    end(&mut guard, 3, Settle::Post, &wants_all(3), 8);
    assert_eq!(standing(&mut guard, "float:1"), (900, 0));
}

#[test]
fn everything_is_loaded_into_nothing() {
    check_from_nothing(single(&redis()));
}

#[test]
fn everything_is_loaded_into_an_empty_cluster() {
    let cluster = RedisCluster::start(3, 0).unwrap();
    check_from_nothing(RedisSettings::new(Form::Cluster { urls: cluster.urls() }, &namespace()));
}

#[test]
fn a_rebuild_from_nothing_that_was_not_finished_is_begun_again() {
    let redis = redis();
    let gate = Gate::new(single(&redis)).unwrap();
    let pin = gate.discover().unwrap();
    let mut rebuild = gate.rebuild(GateEpoch(1), &pin).unwrap();
    rebuild.clear().unwrap();
    rebuild.load(&rows()).unwrap();
    rebuild.set_mark(LANE, 7).unwrap();
    drop(rebuild);
    let mut rebuild = gate.rebuild(GateEpoch(2), &pin).unwrap();
    assert_eq!(rebuild.marks().unwrap(), None);
    rebuild.clear().unwrap();
    rebuild.publish().unwrap();
    gate.open(GateEpoch(2), pin);
    let mut guard = guard(&Arc::new(gate));
    assert_eq!(guard.balance(account("float:1"), currency()), Ok(None), "nothing is left of it");
    assert_eq!(guard.find_key(IdempotencyKey(1)), Ok(None));
}

#[test]
fn the_gate_value_only_moves_forward() {
    let redis = redis();
    let gate = open(single(&redis));
    let pin = gate.discover().unwrap();
    let rebuild = |epoch| gate.rebuild(GateEpoch(epoch), &pin).map(drop);
    assert!(matches!(rebuild(1), Err(GateError::Older(_))), "it is open already");
    assert_eq!(rebuild(3), Ok(()));
    assert_eq!(rebuild(3), Ok(()), "it may be taken up again");
    assert!(matches!(rebuild(2), Err(GateError::Older(_))));
}

#[test]
fn a_rebuild_that_another_has_overtaken_changes_nothing() {
    let redis = redis();
    let gate = open(single(&redis));
    let pin = gate.discover().unwrap();
    let mut overtaken = gate.rebuild(GateEpoch(2), &pin).unwrap();
    let _later = gate.rebuild(GateEpoch(3), &pin).unwrap();
    assert!(overtaken.clear().is_err());
    assert!(overtaken.publish().is_err());
}

#[test]
fn a_lane_taken_over_releases_what_has_no_record_and_obeys_its_old_writer_no_more() {
    let redis = redis();
    let gate = open(single(&redis));
    let mut old = guard(&gate);
    live(&mut old, 4);
    assert_eq!(reserve(&mut old, 8, &hundred(8)), Ok(Verdict::Granted));
    old.withhold(payment(9), &moved("float:1", -50)).unwrap();
    assert_eq!(standing(&mut old, "float:1"), (1_000, 450));
    let mut mend = gate.mend(GateEpoch(1), LANE, taker(0)).unwrap();
    assert!(reserve(&mut old, 10, &hundred(10)).is_err());
    assert_eq!(mend.marks().unwrap(), Some([(LANE, at_position(4))].into_iter().collect()));
    let claims = mend.claims(LANE).unwrap();
    assert_eq!(claims, [(payment(8), IdempotencyKey(8)), (payment(9), IdempotencyKey(0))]);
    mend.release_claims(LANE, &claims).unwrap();
    // A payment whose record is durable is no claim any more.
    mend.release_claims(LANE, &[(payment(3), IdempotencyKey(3))]).unwrap();
    mend.replay(&history(LANE)).unwrap();
    assert_whole(&gate);
    assert!(guard(&gate).find_key(IdempotencyKey(8)).unwrap().is_none());
}

#[test]
fn what_is_open_is_never_cleared() {
    let redis = redis();
    let gate = open(single(&redis));
    let mut guard = guard(&gate);
    live(&mut guard, 1);
    let mut mend = gate.mend(GateEpoch(1), LANE, taker(0)).unwrap();
    assert!(mend.clear().is_err());
    let mut mend = gate.mend(GateEpoch(1), LANE, taker(0)).unwrap();
    assert!(mend.load(&rows()).is_err());
    assert!(gate.mend(GateEpoch(2), LANE, taker(0)).is_err(), "another epoch is open");
    assert_eq!(soon(|| guard.balance(account("float:1"), currency())).unwrap().balance, 1_000);
}

#[test]
fn a_writer_from_whom_the_lane_was_taken_is_refused_and_ends_no_session() {
    let redis = redis();
    let gate = open(single(&redis));
    live(&mut guard(&gate), 1);
    let mut before = guard(&gate).taken_at(2);
    assert_eq!(reserve(&mut before, 11, &hundred(11)), Ok(Verdict::Granted));
    let mut after = guard(&gate).taken_at(3);
    assert_eq!(reserve(&mut after, 12, &hundred(12)), Ok(Verdict::Granted));
    // It wakes, and tries twice: the second time on fresh connections.
    assert!(reserve(&mut before, 13, &hundred(13)).is_err());
    assert!(reserve(&mut before, 14, &hundred(14)).is_err());
    assert!(gate.mend(GateEpoch(1), LANE, taker(2)).is_err(), "nor may it mend");
    assert_eq!(reserve(&mut after, 15, &hundred(15)), Ok(Verdict::Granted));
}
