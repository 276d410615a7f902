//! What time it is: forgetting by elapsed time, and clocks that are wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rig::{FakeClock, Redis, RedisOptions};
use router::id::PaymentId;
use router::message::IdempotencyKey;
use router::reservation::{Counter, CounterKey, Keep, Reservation, Settle, SlotKey};
use router::time::Timestamp;
use storage::guard::{GateEpoch, Guard, ReserveAsk, Verdict, Wants};
use storage::{Clock, WallClock};
use storage_redis::{Gate, GateError, Health, RedisSettings, Why};

use crate::support::*;

const MINUTE: i64 = HOUR / 60;

/// The clock of a node, ahead of the right time by so many microseconds.
#[derive(Debug, Default)]
struct NodeClock(AtomicI64);

impl NodeClock {
    fn set_ahead(&self, minutes: i64) {
        self.0.store(minutes * MINUTE, Ordering::Relaxed);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        WallClock.now().plus_micros(self.0.load(Ordering::Relaxed))
    }
}

/// One Redis and one node, each with a clock of its own.
struct Machines {
    redis: Redis,
    redis_clock: FakeClock,
    node_clock: Arc<NodeClock>,
    began: Timestamp,
}

impl Machines {
    fn start() -> Self {
        let redis_clock = FakeClock::new().unwrap();
        let redis = Redis::start(RedisOptions::default().clock(&redis_clock)).unwrap();
        Self { redis, redis_clock, node_clock: Arc::default(), began: WallClock.now() }
    }

    fn gate(&self, key_retention: Duration) -> Arc<Gate> {
        // A Redis that reads its clock from a file is slow.
        let response_timeout = Duration::from_secs(20);
        let settings = RedisSettings { key_retention, response_timeout, ..single(&self.redis) };
        let clock: Arc<dyn Clock> = Arc::<NodeClock>::clone(&self.node_clock);
        let gate = Arc::new(Gate::new(settings).unwrap().with_clock(clock));
        open_from_nothing(&gate, GateEpoch(1));
        gate
    }

    /// Sets both clocks ahead, by so many minutes.
    fn set_ahead(&self, minutes: i64) {
        self.redis_clock.set_ahead(minutes * 60).unwrap();
        self.node_clock.set_ahead(minutes);
    }

    /// Lets an hour pass, to the one of this number, in steps that count whole.
    fn pass_to(&self, guard: &mut dyn Guard, hour: i64) {
        for minutes in (hour * 60 - 50..=hour * 60).step_by(10).filter(|minutes| *minutes > 0) {
            self.set_ahead(minutes);
            let number = 100_000 + u64::try_from(minutes).unwrap();
            let wants = nothing(u128::from(number));
            assert_eq!(self.ask(guard, hour, &wants, number), Verdict::Granted);
        }
    }

    /// An instant so many hours after the start.
    fn hour(&self, hour: i64) -> Timestamp {
        self.began.plus_micros(hour * HOUR)
    }

    /// One payment at an hour, with a counter whose window closes an hour later and a slot that an
    /// approval keeps until then.
    fn hourly(&self, hour: i64) -> Reservation {
        let name = u128::try_from(hour).unwrap();
        let until = self.hour(hour + 1);
        let counter = Counter { key: CounterKey(name), window_end: until, ..counter(1, 1, 1) };
        Reservation {
            counters: [counter].into_iter().collect(),
            slots: [slot(name, Keep::Until(until))].into_iter().collect(),
            ..nothing(name)
        }
    }

    fn ask(&self, guard: &mut dyn Guard, hour: i64, wants: &Reservation, number: u64) -> Verdict {
        let (payment, at): (PaymentId, _) = (payment(number), self.hour(hour));
        let ask = ReserveAsk { payment, at, wants: Wants::Reserve(wants), requested: None };
        let mut verdicts = Vec::new();
        guard.reserve(&[ask], &mut verdicts).unwrap();
        verdicts[0]
    }

    /// Rows of the one key whose name ends so.
    fn rows(&self, name: &str) -> i64 {
        let keys = self.redis.command(&["KEYS", &format!("*{name}")]).unwrap();
        let [key] = keys.items() else { return 0 };
        let key = key.text();
        let kind = self.redis.command(&["TYPE", &key]).unwrap().text();
        let count = if kind == "zset" { "ZCARD" } else { "HLEN" };
        self.redis.command(&[count, &key]).unwrap().integer().unwrap()
    }
}

/// As many decisions as bring a sweep about.
fn sweep(guard: &mut dyn Guard, first: u64) {
    let many: Vec<Reservation> =
        (0..8_192).map(|number| nothing(u128::from(first + number))).collect();
    let asks: Vec<ReserveAsk<'_>> =
        (first..).zip(&many).map(|(number, wanted)| ask(number, wanted)).collect();
    for asks in asks.chunks(512) {
        guard.reserve(asks, &mut Vec::new()).unwrap();
    }
}

fn known(guard: &mut dyn Guard, keys: &[u128]) -> Vec<bool> {
    let find = |key: &u128| guard.find_key(IdempotencyKey(*key)).unwrap().is_some();
    keys.iter().map(find).collect()
}

#[test]
fn counters_and_slots_that_closed_long_ago_are_dropped_and_decide_nothing_more() {
    let machines = Machines::start();
    let gate = machines.gate(Duration::from_hours(48));
    let mut guard = guard(&gate);
    // One whose window turned out to close later than it said first.
    for (key, hours) in [(600, 1), (601, 40)] {
        let window_end = machines.hour(hours);
        let counters = [Counter { window_end, ..counter(77, 1, 5) }].into_iter().collect();
        let wants = Reservation { counters, ..nothing(key) };
        let number = u64::try_from(key).unwrap();
        assert_eq!(machines.ask(&mut guard, 0, &wants, number), Verdict::Granted);
    }
    for hour in 0..20 {
        machines.pass_to(&mut guard, hour);
        let (number, wants) = (u64::try_from(hour).unwrap(), machines.hourly(hour));
        assert_eq!(machines.ask(&mut guard, hour, &wants, number), Verdict::Granted);
        end(&mut guard, number, Settle::Post, &wants, number + 1);
    }
    assert_eq!((machines.rows("state"), machines.rows("due")), (41, 41));
    sweep(&mut guard, 1_000);
    let left = (machines.rows("state"), machines.rows("due"));
    assert_eq!(left, (6, 5), "hours 18 and 19, 77, and what was dropped");
    let again = Reservation { key: IdempotencyKey(500), ..machines.hourly(3) };
    let verdict = machines.ask(&mut guard, 3, &again, 500);
    assert!(matches!(verdict, Verdict::Exceeded { headroom: Some(0), .. }), "{verdict:?}");
    let slots = [slot(SlotKey(3).0, Keep::UntilOutcome)].into_iter().collect();
    let free = Reservation { slots, ..nothing(501) };
    assert_eq!(machines.ask(&mut guard, 19, &free, 501), Verdict::Granted);
}

#[test]
fn a_key_is_known_for_the_retention_and_forgotten_after_two() {
    let machines = Machines::start();
    let gate = machines.gate(Duration::from_hours(2));
    let mut guard = guard(&gate);
    for (number, hour) in (0..).zip(0..5) {
        machines.pass_to(&mut guard, hour);
        let wants = nothing(u128::from(number) + 1);
        assert_eq!(machines.ask(&mut guard, hour, &wants, number), Verdict::Granted);
    }
    assert_eq!(known(&mut guard, &[1, 2, 3, 4, 5]), [false, false, true, true, true]);
}

#[test]
fn clocks_that_jump_ahead_together_and_return_make_nothing_forgotten() {
    let machines = Machines::start();
    let gate = machines.gate(Duration::from_hours(48));
    let mut guard = guard(&gate);
    assert_eq!(machines.ask(&mut guard, 0, &machines.hourly(0), 0), Verdict::Granted);
    end(&mut guard, 0, Settle::Post, &machines.hourly(0), 1);
    for (jump, number) in [(72 * 60, 1_000), (144 * 60, 20_000)] {
        machines.set_ahead(jump);
        sweep(&mut guard, number);
        machines.set_ahead(0);
        let wants = nothing(u128::from(number) + 10_000);
        assert_eq!(machines.ask(&mut guard, 0, &wants, number + 10_000), Verdict::Granted);
    }
    assert_eq!(known(&mut guard, &[0]), [true]);
    let again = Reservation { slots: Default::default(), ..machines.hourly(0) };
    let again = Reservation { key: IdempotencyKey(5), ..again };
    let verdict = machines.ask(&mut guard, 0, &again, 5);
    assert!(matches!(verdict, Verdict::Exceeded { headroom: Some(0), .. }), "{verdict:?}");
    let other = Counter { key: CounterKey(9), window_end: machines.hour(1), ..counter(9, 1, 1) };
    let other = Reservation { counters: [other].into_iter().collect(), ..nothing(6) };
    assert_eq!(
        machines.ask(&mut guard, 0, &other, 6),
        Verdict::Granted,
        "another's window is open"
    );
}

#[test]
fn a_node_with_another_time_than_redis_is_refused_and_turns_no_generation() {
    let machines = Machines::start();
    let gate = machines.gate(Duration::from_hours(48));
    let mut guard = guard(&gate);
    assert_eq!(machines.ask(&mut guard, 0, &nothing(1), 1), Verdict::Granted);
    for hours in [72, 144, -72] {
        machines.node_clock.set_ahead(hours * 60);
        let wants = nothing(2);
        let ask = ReserveAsk {
            payment: payment(2),
            at: machines.hour(hours),
            wants: Wants::Reserve(&wants),
            requested: None,
        };
        let refused = guard.reserve(&[ask], &mut Vec::new()).unwrap_err().to_string();
        assert!(refused.contains("CLOCK"), "{refused}");
        let health = gate.probe();
        let Health::Unreachable(why) = &health else { panic!("{health:?}") };
        assert!(why.contains("the clock of Redis is"), "{why}");
        assert!(gate.clock_trouble().is_some());
    }
    machines.node_clock.set_ahead(0);
    assert_eq!(gate.probe(), Health::Well);
    assert_eq!(gate.clock_trouble(), None);
    assert_eq!(known(&mut guard, &[1, 2]), [true, false]);
    assert_eq!(machines.ask(&mut guard, 0, &nothing(2), 2), Verdict::Granted);
}

#[test]
fn a_redis_with_a_wrong_clock_decides_nothing_and_no_epoch_is_opened_on_it() {
    let machines = Machines::start();
    let gate = machines.gate(Duration::from_hours(48));
    let mut guard = guard(&gate);
    assert_eq!(machines.ask(&mut guard, 0, &nothing(1), 1), Verdict::Granted);
    machines.redis_clock.set_ahead(72 * 3_600).unwrap();
    assert!(reserve(&mut guard, 2, &nothing(2)).is_err());
    let found = gate.discover();
    assert!(matches!(found, Err(GateError::Redis { why: Why::Clock, .. })), "{found:?}");
    machines.redis_clock.set_ahead(0).unwrap();
    assert_eq!(reserve(&mut guard, 2, &nothing(2)), Ok(Verdict::Granted));
    assert_eq!(known(&mut guard, &[1, 2]), [true, true]);
}
