//! Endings while the epoch changes: each reaches the gate that counts in the end, once.

use std::sync::Arc;

use rig::{Redis, RedisOptions};
use router::reservation::Settle;
use router::time::Timestamp;
use storage::guard::{Credit, GateEpoch, Guard, ReservationEnd, Verdict, Wants};
use storage_redis::{Form, Gate, GateState, LaneTaker, Pin, RedisGuard, RedisSettings, Replay};

use crate::support::*;

/// Two primaries that both live: the first is open under epoch 1, the second, promoted, is being
/// rebuilt for epoch 2. Of the lane's 1,000 payment 1 holds 100, by records 1 and 2.
struct TwoPrimaries {
    guard: RedisGuard,
    gate: Arc<Gate>,
    next: Gate,
    pin: Pin,
    _servers: [Redis; 2],
}

impl TwoPrimaries {
    fn start() -> Self {
        let primary = redis();
        let replica = Redis::start(RedisOptions::default().replica_of(&primary)).unwrap();
        let settings = single(&primary);
        let gate = open(settings.clone());
        let mut guard = guard(&gate);
        top_up(&mut guard, 1_000, 1);
        assert_eq!(reserve(&mut guard, 1, &hundred(1)), Ok(Verdict::Granted));
        begin(&mut guard, 1, 1, 2);
        primary.wait_replica_in_sync(&replica).unwrap();
        replica.promote().unwrap();
        let form = Form::Single { url: replica.url() };
        let next = Gate::new(RedisSettings { form, ..settings }).unwrap();
        let pin = next.discover().unwrap();
        Self { guard, gate, next, pin, _servers: [primary, replica] }
    }

    /// Rebuilds the second from the records up to one, and opens it on this node.
    fn open_second(&self, records: u64) {
        let mut rebuild = self.next.rebuild(GateEpoch(2), &self.pin).unwrap();
        assert!(rebuild.marks().unwrap().is_some(), "it was promoted with its data");
        rebuild.replay(&history(records)).unwrap();
        rebuild.set_mark(LANE, at_position(records)).unwrap();
        rebuild.publish().unwrap();
        self.gate.open(GateEpoch(2), self.pin.clone());
    }
}

/// A top-up, an intent and its approval, up to a record.
fn history(records: u64) -> Replay {
    let (mut replay, wants) = (Replay::new(), hundred(1));
    replay.credit(LANE, &Credit { entry: &moved("float:1", 1_000), sequence: 1 });
    replay.begin(LANE, 2, payment(1), Timestamp(NOON), Wants::Reserve(&wants));
    if records >= 3 {
        let (settle, entry) = (Settle::Post, &entry_of(Settle::Post, &wants));
        let (payment, reservation) = (payment(1), Some(&wants));
        replay.end(LANE, &ReservationEnd { payment, settle, reservation, entry, sequence: 3 });
    }
    replay
}

/// The rebuild has read the lane; then the lane, which trusts the new epoch, takes an approval,
/// and its guard still has the old primary.
#[test]
fn an_ending_recorded_after_a_rebuild_read_the_lane_is_kept_for_the_epoch_that_is_being_built() {
    let mut case = TwoPrimaries::start();
    case.guard.raise_epoch(GateEpoch(2));
    end(&mut case.guard, 1, Settle::Post, &hundred(1), 3);
    assert_eq!(case.guard.owed_len(), 1, "the old primary is not told");
    case.open_second(2);
    assert_eq!(standing(&mut case.guard, "float:1"), (900, 0));
    assert_eq!(case.guard.owed_len(), 0);
}

/// The record was appended under the old epoch, so the rebuild, which fences first, has read it.
#[test]
fn an_ending_recorded_before_the_fence_is_told_to_the_old_epoch_and_replayed_in_the_new() {
    let mut case = TwoPrimaries::start();
    end(&mut case.guard, 1, Settle::Post, &hundred(1), 3);
    assert_eq!(case.guard.owed_len(), 0);
    case.open_second(3);
    case.guard.raise_epoch(GateEpoch(2));
    assert_eq!(standing(&mut case.guard, "float:1"), (900, 0));
}

#[test]
fn an_epoch_that_the_lane_trusts_no_more_decides_nothing_and_closes_the_gate() {
    let mut case = TwoPrimaries::start();
    case.guard.raise_epoch(GateEpoch(2));
    assert!(reserve(&mut case.guard, 2, &hundred(2)).is_err());
    assert!(matches!(case.gate.state(), GateState::Closed { .. }), "{:?}", case.gate.state());
    case.open_second(2);
    assert_eq!(reserve(&mut case.guard, 3, &hundred(3)), Ok(Verdict::Granted));
    assert_eq!(standing(&mut case.guard, "float:1"), (1_000, 200), "payment 2 took nothing");
}

/// The writer that recorded it is dead, and its queue with it.
#[test]
fn a_lane_taken_over_is_mended_under_no_epoch_that_the_lane_trusts_no_more() {
    let case = TwoPrimaries::start();
    let taker = LaneTaker { taken_at: 1, trusted: GateEpoch(2) };
    assert!(case.gate.mend(GateEpoch(1), LANE, taker).is_err(), "epoch 2 would not have it");
    case.open_second(2);
    let mut mend = case.gate.mend(GateEpoch(2), LANE, taker).unwrap();
    mend.replay(&history(3)).unwrap();
    let mut guard = guard(&case.gate).taken_at(1);
    guard.raise_epoch(GateEpoch(2));
    assert_eq!(standing(&mut guard, "float:1"), (900, 0));
}
