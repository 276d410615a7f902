//! The same verdicts as the guard in memory, whatever is asked.

use std::time::Duration;

use proptest::prelude::*;
use rig::RedisCluster;
use router::early::EarlyReversal;
use router::id::PaymentId;
use router::message::{Fingerprint, PaymentRequest};
use router::posting::Entry;
use router::reason::Reason;
use router::reservation::{Keep, Reservation, Settle};
use router::time::Timestamp;
use storage::conformance::sample::{self, Sample};
use storage::guard::{
    Begun, Credit, GateEpoch, GiveBack, Guard, MemoryGuard, Requested, ReservationEnd, ReserveAsk,
    Verdict, Wants,
};
use storage_redis::{Form, Gate, RedisSettings, Replay};

use crate::support::*;

/// Longer than what is asked spans: the guard in memory counts elapsed time by what is asked, Redis by
/// its own clock.
const RETENTION: Duration = Duration::from_hours(48);

#[derive(Debug, Clone)]
struct Ask {
    at: i64,
    remember: bool,
    reservation: Reservation,
    request: Option<Box<PaymentRequest>>,
    /// Whether payments made so far may be what it repeats.
    day_began: Timestamp,
}

#[derive(Debug, Clone)]
enum Step {
    Asks(Vec<Ask>),
    /// Ends one of the payments asked for so far.
    End(prop::sample::Index, Settle),
    Credit(u8, i64),
    Withhold(u8, i64, bool),
    /// A reversal comes before an original, which it may name in part.
    Forestall(EarlyReversal),
}

fn minor() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0_i64..300, 1 => (1_i64 << 53)..(1 << 53) + 9, 1 => i64::MAX / 5..i64::MAX / 4]
}

fn keep(hours: i64) -> impl Strategy<Value = Keep> {
    prop_oneof![
        Just(Keep::UntilOutcome),
        Just(Keep::WhileApproved),
        (0..=hours).prop_map(|hour| Keep::Until(Timestamp(NOON + hour * HOUR))),
    ]
}

/// One of few requests on a line, so that they meet.
fn request() -> impl Strategy<Value = PaymentRequest> {
    (1_u64..4, any::<bool>(), prop::sample::select(vec!["", "R1"])).prop_map(|it| {
        let (number, is_repeat, rrn) = it;
        let mut request = Sample::new(number).intent().request;
        request.trace.mti = if is_repeat { "0201" } else { "0200" }.parse().unwrap();
        request.trace.rrn = rrn.parse().unwrap();
        request
    })
}

fn early(hours: i64) -> impl Strategy<Value = EarlyReversal> {
    let said = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (1_u64..4, said, 0..=hours * HOUR).prop_map(|(number, said, at)| {
        let early = sample::early_reversal(&Sample::new(number));
        let (has_stan, has_time, has_terminal, has_amount) = said;
        EarlyReversal {
            at: Timestamp(NOON + at),
            until: Timestamp(NOON + at + HOUR),
            stan: early.stan.filter(|_| has_stan),
            rrn: "R1".parse().unwrap(),
            transmitted_at: if has_time { early.transmitted_at } else { Default::default() },
            terminal: if has_terminal { early.terminal } else { Default::default() },
            amount: early.amount.filter(|_| has_amount),
            ..early
        }
    })
}

/// Few names, so that requests meet that differ in the rest of their keys.
fn identity() -> impl Strategy<Value = (u128, u128)> {
    let key = (0_u128..4, 0_u128..20).prop_map(|(name, rest)| name << 64 | rest);
    let fingerprint = (0_u128..2, any::<bool>(), 0_u128..2);
    (key, fingerprint).prop_map(|(key, (amount, is_repeat, other))| {
        let repeat = if is_repeat { Fingerprint::REPEAT.0 } else { 0 };
        (key, amount << 96 | repeat | other << 64)
    })
}

/// `hours`: over how many requests are spread; none keeps every window open.
fn asked(hours: i64) -> impl Strategy<Value = Ask> {
    let window = (-1..=hours)
        .prop_map(move |hour| Timestamp(NOON + if hours == 0 { 24 } else { hour } * HOUR));
    let slots = prop::collection::vec((0_u128..4, keep(hours)), 0..3);
    let counters = prop::collection::vec((0_u128..4, minor(), minor(), window), 0..3);
    let holds = prop::collection::vec((0_u8..3, minor(), -300_i64..100), 0..3);
    let at = 0..=hours * HOUR;
    let requested = (prop::option::of(request()), 0..=1_i64);
    (slots, counters, holds, identity(), at, prop::bool::weighted(0.1), requested).prop_map(
        |(slots, counters, holds, (key, fingerprint), at, remember, (request, later))| {
            let slots = slots.into_iter().map(|(key, keep)| slot(key, keep)).collect();
            let counters = counters.into_iter().map(|(key, delta, ceiling, window_end)| {
                router::reservation::Counter { window_end, ..counter(key, delta, ceiling) }
            });
            let holds = holds.into_iter().map(|(name, minor, floor_minor)| {
                let reason = Reason::FloatInsufficient;
                let hold = hold(name_of(name), minor);
                router::reservation::Hold { floor_minor, reason, ..hold }
            });
            let reservation = Reservation {
                fingerprint: Fingerprint(fingerprint),
                slots,
                counters: counters.collect(),
                holds: holds.collect(),
                ..nothing(key)
            };
            let (at, request) = (NOON + at, request.map(Box::new));
            let day_began = Timestamp(NOON + later * HOUR);
            Ask { at, remember, reservation, request, day_began }
        },
    )
}

fn name_of(number: u8) -> &'static str {
    ["float:1", "float:2", "float:3"][usize::from(number)]
}

fn steps(hours: i64, batch: usize) -> impl Strategy<Value = Vec<Step>> {
    let settle = prop_oneof![
        3 => Just(Settle::Post), 2 => Just(Settle::Release), 1 => Just(Settle::Undo)
    ];
    let step = prop_oneof![
        4 => prop::collection::vec(asked(hours), 1..=batch).prop_map(Step::Asks),
        4 => (any::<prop::sample::Index>(), settle).prop_map(|(at, settle)| Step::End(at, settle)),
        1 => (0_u8..3, minor()).prop_map(|(name, minor)| Step::Credit(name, minor)),
        1 => (0_u8..3, 1_i64..200, any::<bool>())
            .prop_map(|(name, minor, twice)| Step::Withhold(name, minor, twice)),
        1 => early(hours).prop_map(Step::Forestall),
    ];
    prop::collection::vec(step, 1..40)
}

/// Drives both guards; every answer must be the same.
struct Pair<'a> {
    ours: &'a mut dyn Guard,
    model: MemoryGuard,
    sequence: u64,
    asked: Vec<Reservation>,
    open: Vec<u64>,
    posted: Vec<u64>,
    journal: Vec<Recorded>,
    /// Ours is told nothing: it will have lost it.
    is_lost: bool,
}

struct Recorded {
    sequence: u64,
    what: What,
}

enum What {
    Begun(PaymentId, i64, bool, Reservation),
    Ended(PaymentId, Settle, Reservation),
    Moved(Entry),
    Early(EarlyReversal),
}

impl<'a> Pair<'a> {
    fn new(ours: &'a mut dyn Guard, retention: Duration) -> Self {
        let model = MemoryGuard::new(retention);
        let (asked, open, posted, journal) = Default::default();
        Self { ours, model, sequence: 0, asked, open, posted, journal, is_lost: false }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Asks(asks) => self.ask(asks),
            Step::End(at, settle) => self.end(*at, *settle),
            Step::Credit(name, minor) => self.credit(name_of(*name), *minor),
            Step::Withhold(name, minor, twice) => self.withhold(name_of(*name), *minor, *twice),
            Step::Forestall(early) => self.forestall(early),
        }
        if self.is_lost {
            return;
        }
        for name in ["float:1", "float:2", "float:3"] {
            // A cluster may know an account that it undid the only hold of.
            let standing = |guard: &mut dyn Guard| {
                guard.balance(account(name), currency()).unwrap().unwrap_or_default()
            };
            assert_eq!(standing(self.ours), standing(&mut self.model), "{name} after {step:?}");
        }
    }

    fn ask(&mut self, asks: &[Ask]) {
        let first = self.asked.len() as u64;
        let batch: Vec<ReserveAsk<'_>> = (first..)
            .zip(asks)
            .map(|(number, ask)| ReserveAsk {
                payment: payment(number),
                at: Timestamp(ask.at),
                wants: wants(ask.remember, &ask.reservation),
                requested: ask
                    .request
                    .as_deref()
                    .map(|request| Requested { request, day_began: ask.day_began }),
            })
            .collect();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        self.model.reserve(&batch, &mut theirs).unwrap();
        if !self.is_lost {
            self.ours.reserve(&batch, &mut ours).unwrap();
            assert_eq!(ours, theirs, "{asks:?}");
        }
        let mut begun = Vec::new();
        for ((number, ask), verdict) in (first..).zip(asks).zip(&theirs) {
            self.asked.push(ask.reservation.clone());
            if matches!(verdict, Verdict::Granted | Verdict::Exceeded { .. }) {
                let remember = ask.remember || *verdict != Verdict::Granted;
                let (id, wanted) = (payment(number), ask.reservation.clone());
                self.record(What::Begun(id, ask.at, remember, wanted));
                begun.push(Begun { payment: payment(number), key: ask.reservation.key });
            }
            if *verdict == Verdict::Granted && !ask.remember {
                self.open.push(number);
            }
        }
        self.give_back(&begun, &[], &[]);
        for ask in asks.iter().filter(|_| !self.is_lost) {
            let key = ask.reservation.key;
            assert_eq!(self.ours.find_key(key).unwrap(), self.model.find_key(key).unwrap());
        }
        for ask in batch.iter().map(ReserveAsk::sought).filter(|_| !self.is_lost) {
            let theirs = self.model.find_original(&ask).unwrap();
            assert_eq!(self.ours.find_original(&ask).unwrap(), theirs, "{ask:?}");
        }
    }

    fn end(&mut self, at: prop::sample::Index, settle: Settle) {
        let from = if settle == Settle::Undo { &mut self.posted } else { &mut self.open };
        if from.is_empty() {
            return;
        }
        let number = from.remove(at.index(from.len()));
        if settle == Settle::Post {
            self.posted.push(number);
        }
        let reservation = self.asked[usize::try_from(number).unwrap()].clone();
        self.record(What::Ended(payment(number), settle, reservation.clone()));
        let entry = &entry_of(settle, &reservation);
        let (payment, reservation, sequence) = (payment(number), Some(&reservation), self.sequence);
        self.give_back(
            &[],
            &[ReservationEnd { payment, settle, reservation, entry, sequence }],
            &[],
        );
    }

    fn credit(&mut self, name: &str, minor: i64) {
        let entry = &moved(name, minor);
        self.record(What::Moved(entry.clone()));
        let sequence = self.sequence;
        self.give_back(&[], &[], &[Credit { entry, sequence }]);
    }

    fn withhold(&mut self, name: &str, minor: i64, twice: bool) {
        let entry = &moved(name, -minor);
        self.record(What::Moved(entry.clone()));
        let token = payment(u64::MAX - self.sequence);
        self.model.withhold(token, entry).unwrap();
        // The position of a record that never was comes again.
        for _ in (0..=u8::from(twice)).filter(|_| !self.is_lost) {
            self.ours.withhold(token, entry).unwrap();
        }
        let (settle, reservation, sequence) = (Settle::Post, None, self.sequence);
        let payment = token;
        self.give_back(
            &[],
            &[ReservationEnd { payment, settle, reservation, entry, sequence }],
            &[],
        );
    }

    fn forestall(&mut self, early: &EarlyReversal) {
        self.record(What::Early(*early));
        self.model.forestall(early).unwrap();
        if !self.is_lost {
            self.ours.forestall(early).unwrap();
        }
        self.give_back(&[], &[], &[]);
    }

    fn record(&mut self, what: What) {
        self.sequence += 1;
        self.journal.push(Recorded { sequence: self.sequence, what });
    }

    /// Tells ours twice, as after an answer that was lost.
    fn give_back(
        &mut self,
        begun: &[Begun],
        endings: &[ReservationEnd<'_>],
        credits: &[Credit<'_>],
    ) {
        let group = GiveBack { begun, endings, credits, through: self.sequence };
        for _ in (0..2).filter(|_| !self.is_lost) {
            self.ours.give_back(&group).unwrap();
        }
        self.model.give_back(&group).unwrap();
    }
}

fn check(cases: u32, hours: i64, batch: usize, settings: impl Fn() -> RedisSettings) {
    check_random(cases, &steps(hours, batch), |steps: Vec<Step>| {
        let gate = open(RedisSettings { key_retention: RETENTION, ..settings() });
        let mut guard = guard(&gate);
        let mut pair = Pair::new(&mut guard, RETENTION);
        steps.iter().for_each(|step| pair.step(step));
        assert_eq!(claims(&gate), [], "everything that was granted has its record");
    });
}

/// Redis does a first part, loses what came after, is made whole, and does the rest: as if it had
/// seen everything.
fn check_with_a_lost_part(
    cases: u32,
    hours: i64,
    batch: usize,
    settings: impl Fn() -> RedisSettings,
) {
    let parts = [steps(hours, batch), steps(hours, batch), steps(hours, batch)];
    check_random(cases, &parts, |[seen, lost, after]| {
        let settings = RedisSettings { key_retention: RETENTION, ..settings() };
        let gate = open(settings);
        let mut guard = guard(&gate);
        let mut pair = Pair::new(&mut guard, RETENTION);
        seen.iter().for_each(|step| pair.step(step));
        pair.is_lost = true;
        lost.iter().for_each(|step| pair.step(step));
        pair.is_lost = false;
        make_whole(&gate, &pair.journal, pair.sequence);
        after.iter().for_each(|step| pair.step(step));
    });
}

fn make_whole(gate: &Gate, journal: &[Recorded], through: u64) {
    let pin = gate.discover().unwrap();
    let mut rebuild = gate.rebuild(GateEpoch(2), &pin).unwrap();
    let marks = rebuild.marks().unwrap().unwrap();
    let from = marks.get(&LANE).map_or(0, |mark| mark - at_position(0));
    let mut replay = Replay::new();
    for Recorded { sequence, what } in journal.iter().filter(|it| it.sequence > from) {
        match what {
            What::Begun(payment, at, remember, reservation) => {
                let wants = wants(*remember, reservation);
                replay.begin(LANE, *sequence, *payment, Timestamp(*at), wants);
            }
            What::Ended(payment, settle, reservation) => {
                let (payment, settle, sequence) = (*payment, *settle, *sequence);
                let (entry, reservation) = (&entry_of(settle, reservation), Some(reservation));
                replay.end(LANE, &ReservationEnd { payment, settle, reservation, entry, sequence });
            }
            What::Moved(entry) => {
                replay.credit(LANE, &Credit { entry, sequence: *sequence });
            }
            What::Early(early) => replay.forestall(LANE, early),
        }
    }
    rebuild.replay(&replay).unwrap();
    assert_eq!(rebuild.claims(LANE).unwrap(), []);
    rebuild.set_mark(LANE, through).unwrap();
    rebuild.publish().unwrap();
    gate.open(GateEpoch(2), pin);
}

fn wants(remember: bool, reservation: &Reservation) -> Wants<'_> {
    match remember {
        true => Wants::Remember(reservation.key, reservation.fingerprint),
        false => Wants::Reserve(reservation),
    }
}

#[test]
fn one_redis_says_what_memory_says() {
    let redis = redis();
    check(96, 12, 8, || single(&redis));
}

/// All requests are of one hour; and one is asked at a time, for a batch may be too strict for a
/// moment.
#[test]
fn a_cluster_says_what_memory_says_when_asked_one_by_one() {
    let cluster = RedisCluster::start(3, 0).unwrap();
    check(16, 0, 1, || RedisSettings::new(Form::Cluster { urls: cluster.urls() }, &namespace()));
}

#[test]
fn one_redis_that_lost_a_part_is_made_whole() {
    let redis = redis();
    check_with_a_lost_part(48, 12, 8, || single(&redis));
}

#[test]
fn a_cluster_that_lost_a_part_is_made_whole() {
    let cluster = RedisCluster::start(3, 0).unwrap();
    let settings = || RedisSettings::new(Form::Cluster { urls: cluster.urls() }, &namespace());
    check_with_a_lost_part(8, 0, 1, settings);
}
