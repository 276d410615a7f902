//! Gate and journal never part: random decisions, endings, changes of epoch, flushes and takeovers
//! of the lane, by two nodes on two instances that all live, and in the end both say the same.

mod journal;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use rig::{Redis, RedisCluster};
use router::reservation::{Keep, Reservation, Settle};
use storage::guard::{
    Begun, Credit, GateEpoch, GiveBack, Guard, MemoryGuard, ReservationEnd, Verdict,
};
use storage_redis::{
    Form, Gate, GateState, Health, LaneTaker, Pin, Rebuild, RedisGuard, RedisSettings,
};

use crate::support::*;
use journal::{COUNTER, FLOAT, Journal, Record, SLOTS, reflect, wanted};

#[derive(Debug, Clone)]
enum Step {
    /// A payment is asked for, and recorded where the lane lets it be.
    Ask,
    /// One of the payments that are not over moves on.
    End(prop::sample::Index, bool),
    /// A movement of the float, up or down.
    Move(i64),
    /// The next epoch begins, on one of the instances: the lane is fenced.
    Change(bool),
    /// Who rebuilds reads the lane, and replays it.
    Reflect,
    /// The rebuild is published, where the lane was read.
    Publish,
    /// A node finds out which epoch is open.
    Follow(bool),
    /// One server of an instance forgets everything.
    Flush(bool, prop::sample::Index),
    /// The lane's writer is taken for dead by the other node, and lives.
    TakeOver,
    /// The lane that was taken is mended.
    Mend,
    /// The writer from whom the lane was taken wakes.
    Wake,
}

/// A rebuild under way.
struct Change<'g> {
    epoch: GateEpoch,
    pin: Pin,
    rebuild: Rebuild<'g>,
    is_read: bool,
}

struct Case<'g> {
    journal: Journal,
    /// Of each node.
    gates: [Arc<Gate>; 2],
    /// Which of them has the lane.
    node: usize,
    others: &'g [Gate; 2],
    servers: [&'g [Redis]; 2],
    epoch: GateEpoch,
    change: Option<Change<'g>>,
    published: Option<(GateEpoch, Pin)>,
    guard: RedisGuard,
    asleep: Option<RedisGuard>,
    taker: LaneTaker,
    /// The lane's head when it was taken.
    taken_head: u64,
    mended: Arc<AtomicBool>,
    next: u64,
}

impl<'g> Case<'g> {
    fn new(settings: RedisSettings, others: &'g [Gate; 2], servers: [&'g [Redis]; 2]) -> Self {
        let gates = [settings.clone(), settings].map(|it| Arc::new(Gate::new(it).unwrap()));
        let guard = guard(&gates[0]).taken_at(1);
        Self {
            journal: Journal::default(),
            gates,
            node: 0,
            others,
            servers,
            epoch: GateEpoch(0),
            change: None,
            published: None,
            guard,
            asleep: None,
            taker: LaneTaker { taken_at: 1, trusted: GateEpoch(0) },
            taken_head: 0,
            mended: Arc::new(AtomicBool::new(true)),
            next: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Ask => self.ask(),
            Step::End(at, is_approved) => self.end(*at, *is_approved),
            Step::Move(minor) => self.move_float(*minor),
            Step::Change(second) => self.begin_change(usize::from(*second)),
            Step::Reflect => self.reflect(),
            Step::Publish => self.publish(),
            Step::Follow(second) => self.follow(usize::from(*second)),
            Step::Flush(second, at) => {
                at.get(self.servers[usize::from(*second)]).flush_all().unwrap();
            }
            Step::TakeOver => self.take_over(),
            Step::Mend => self.mend(),
            Step::Wake => {
                let asleep = self.asleep.as_mut();
                // It tells what it owes, where it may.
                asleep.map(|guard| guard.balance(account(FLOAT), currency()));
            }
        }
    }

    fn ask(&mut self) {
        let number = self.next;
        self.next += 1;
        let (wants, mut verdicts) = (wanted(number), Vec::new());
        let Ok(epoch) = self.guard.reserve(&[ask(number, &wants)], &mut verdicts) else { return };
        let verdict = verdicts[0];
        let record = match verdict {
            Verdict::Granted => Record::Intent(number),
            Verdict::Exceeded { .. } => Record::Refused(number),
            known => panic!("payment {number} is known: {known:?}"),
        };
        let before = self.journal.fold();
        if self.append(record, Some(epoch)) {
            if verdict == Verdict::Granted {
                assert_allowed(&before, &wants);
            }
            let begun = &[Begun { payment: payment(number), key: wants.key }];
            let through = self.journal.head();
            self.tell(&GiveBack { begun, endings: &[], credits: &[], through });
        }
    }

    fn end(&mut self, at: prop::sample::Index, is_approved: bool) {
        let unended = self.journal.unended();
        if unended.is_empty() {
            return;
        }
        let (number, is_posted) = unended[at.index(unended.len())];
        let settle = match (is_posted, is_approved) {
            (true, _) => Settle::Undo,
            (false, true) => Settle::Post,
            (false, false) => Settle::Release,
        };
        self.append(Record::Ended(number, settle), None);
        let (wants, sequence) = (wanted(number), self.journal.head());
        let (entry, reservation) = (&entry_of(settle, &wants), Some(&wants));
        let payment = payment(number);
        let endings = &[ReservationEnd { payment, settle, reservation, entry, sequence }];
        self.tell(&GiveBack { begun: &[], endings, credits: &[], through: sequence });
    }

    fn move_float(&mut self, minor: i64) {
        let (entry, sequence) = (&moved(FLOAT, minor), self.journal.head() + 1);
        if minor >= 0 {
            self.append(Record::Moved(minor), None);
            let credits = &[Credit { entry, sequence }];
            return self.tell(&GiveBack { begun: &[], endings: &[], credits, through: sequence });
        }
        // As the writer does: the digest of a position is what it is withheld as.
        let token = payment(1_000_000 + sequence);
        let Ok(epoch) = self.guard.withhold(token, entry) else { return };
        if self.append(Record::Moved(minor), Some(epoch)) {
            let (settle, reservation) = (Settle::Post, None);
            let endings =
                &[ReservationEnd { payment: token, settle, reservation, entry, sequence }];
            self.tell(&GiveBack { begun: &[], endings, credits: &[], through: sequence });
        }
    }

    fn append(&mut self, record: Record, decided_under: Option<GateEpoch>) -> bool {
        let is_there = self.journal.append(record, decided_under);
        self.guard.raise_epoch(self.journal.trusted);
        is_there
    }

    fn tell(&mut self, group: &GiveBack<'_>) {
        self.guard.give_back(group).unwrap();
    }

    fn begin_change(&mut self, at: usize) {
        self.epoch.0 += 1;
        self.journal.trusted = self.epoch;
        self.published = None;
        let pin = self.others[at].discover().unwrap();
        let rebuild = self.others[at].rebuild(self.epoch, &pin).unwrap();
        self.change = Some(Change { epoch: self.epoch, pin, rebuild, is_read: false });
    }

    /// A rebuild that fails, for what was flushed, is given up.
    fn reflect(&mut self) {
        let Some(mut change) = self.change.take() else { return };
        let Ok(marks) = change.rebuild.marks() else { return };
        if marks.is_none() && change.rebuild.clear().is_err() {
            return;
        }
        if reflect(&self.journal, self.journal.head(), &mut change.rebuild).is_ok() {
            self.change = Some(Change { is_read: true, ..change });
        }
    }

    fn publish(&mut self) {
        if let Some(change) = self.change.take_if(|change| change.is_read)
            && change.rebuild.publish().is_ok()
        {
            self.published = Some((change.epoch, change.pin));
        }
    }

    fn follow(&mut self, node: usize) {
        if let Some((epoch, pin)) = &self.published
            && self.gates[node].check(*epoch, pin) == Health::Well
        {
            self.gates[node].open(*epoch, pin.clone());
        }
    }

    fn take_over(&mut self) {
        let taken_at = self.taker.taken_at + 1;
        self.taker = LaneTaker { taken_at, trusted: self.journal.trusted };
        self.taken_head = self.journal.head();
        self.mended = Arc::new(AtomicBool::new(false));
        self.node = 1 - self.node;
        let taken =
            guard(&self.gates[self.node]).taken_at(taken_at).after(Arc::clone(&self.mended));
        self.asleep = Some(std::mem::replace(&mut self.guard, taken));
        self.guard.raise_epoch(self.journal.trusted);
    }

    /// Records up to where the lane was taken: what came since is owed by its guard.
    fn mend(&mut self) {
        let GateState::Open { epoch, .. } = self.gates[self.node].state() else {
            return;
        };
        if self.mended.load(Ordering::Acquire) {
            return;
        }
        let Ok(mut mending) = self.gates[self.node].mend(epoch, LANE, self.taker) else { return };
        if reflect(&self.journal, self.taken_head, &mut mending).is_ok() {
            self.mended.store(true, Ordering::Release);
        }
    }

    /// Until the gate serves: an epoch that is open stays, for a rebuild would hide what is missing.
    fn settle(&mut self) {
        self.reflect();
        self.publish();
        self.follow(self.node);
        let is_served = self.published.as_ref().is_some_and(|(epoch, pin)| {
            *epoch == self.epoch && self.gates[self.node].check(*epoch, pin) == Health::Well
        });
        if !is_served {
            let follow = Step::Follow(self.node == 1);
            [Step::Change(false), Step::Reflect, Step::Publish, follow]
                .iter()
                .for_each(|step| self.take(step));
        }
        self.mend();
        assert!(self.mended.load(Ordering::Acquire), "the lane is mended");
    }

    /// What is recorded is known, and what is not may be asked again.
    fn assert_keys(&mut self) {
        for number in 0..self.next {
            let is_recorded = self.journal.has(payment(number));
            let known = self.guard.find_key(wanted(number).key).unwrap();
            assert_eq!(known, is_recorded.then(|| payment(number)), "the key of {number}");
        }
    }

    fn assert_same(&mut self) {
        let model = self.journal.fold();
        let found = soon(|| self.guard.balance(account(FLOAT), currency()));
        let found = found.map_or((0, 0), |it| (it.balance, it.held));
        let there = model.accounts().find(|(name, ..)| *name == account(FLOAT));
        let there = there.map_or((0, 0), |(_, _, balance, held)| (balance, held));
        assert_eq!((i128::from(found.0), i128::from(found.1)), there, "balance and held");
        assert_eq!(self.guard.owed_len(), 0);
        self.assert_keys();
        let counted = model.counters().find(|(key, ..)| key.0 == COUNTER).map_or(0, |it| it.1);
        for slot_key in 0..u128::from(SLOTS) {
            let owner = model.slots().find(|(key, ..)| key.0 == slot_key).map(|it| it.1);
            let slots = [slot(slot_key, Keep::UntilOutcome)].into_iter().collect();
            let wants = Reservation { slots, ..nothing(slot_key + 7) };
            let verdict = reserve(&mut self.guard, 2_000_000 + slot_key as u64, &wants).unwrap();
            let told = match verdict {
                Verdict::Exceeded { owner, .. } => owner,
                _ => None,
            };
            assert_eq!(told, owner, "slot {slot_key}");
        }
        let counters = [counter(COUNTER, i64::MAX, i64::MAX - 1)].into_iter().collect();
        let wants = Reservation { counters, ..nothing(3) };
        let verdict = reserve(&mut self.guard, 3_000_000, &wants).unwrap();
        let Verdict::Exceeded { headroom, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(headroom, Some(i64::MAX - 1 - counted), "the counter");
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(Step::Ask),
        8 => (any::<prop::sample::Index>(), prop::bool::weighted(0.7))
            .prop_map(|(at, is_approved)| Step::End(at, is_approved)),
        2 => (-300_i64..600).prop_map(Step::Move),
        2 => any::<bool>().prop_map(Step::Change),
        4 => Just(Step::Reflect),
        4 => Just(Step::Publish),
        6 => any::<bool>().prop_map(Step::Follow),
        1 => (any::<bool>(), any::<prop::sample::Index>())
            .prop_map(|(second, at)| Step::Flush(second, at)),
        2 => Just(Step::TakeOver),
        4 => Just(Step::Mend),
        2 => Just(Step::Wake),
    ];
    prop::collection::vec(step, 1..80)
}

/// What counts was allowed by what counted before.
fn assert_allowed(before: &MemoryGuard, wants: &Reservation) {
    let float = before.accounts().find(|(name, ..)| *name == account(FLOAT));
    let available = float.map_or(0, |(_, _, balance, held)| balance - held);
    assert!(available >= 100, "{available} were available");
    let slot_key = wants.slots[0].key;
    let owner = before.slots().find(|(key, ..)| *key == slot_key).map(|it| it.1);
    assert_eq!(owner, None, "slot {} was free", slot_key.0);
}

fn check(cases: u32, servers: [&[Redis]; 2], settings: impl Fn() -> [RedisSettings; 2]) {
    check_random(cases, &steps(), |steps| {
        let settings = settings();
        let others = settings.clone().map(|settings| Gate::new(settings).unwrap());
        let [first, _] = settings;
        let mut case = Case::new(first, &others, servers);
        let follows = [Step::Follow(false), Step::Follow(true)];
        [Step::Change(false), Step::Reflect, Step::Publish]
            .iter()
            .chain(&follows)
            .chain(&[Step::Move(1_000)])
            .chain(&steps)
            .for_each(|step| case.take(step));
        case.settle();
        case.assert_same();
    });
}

#[test]
fn gate_and_journal_say_the_same_after_whatever_happened() {
    let servers = [redis(), redis()];
    let [first, second] = &servers;
    check(200, [first, second].map(std::slice::from_ref), || {
        let form = Form::Single { url: second.url() };
        let settings = single(first);
        [settings.clone(), RedisSettings { form, ..settings }]
    });
}

#[test]
fn gate_and_journal_say_the_same_after_whatever_happened_on_clusters() {
    let clusters = [(); 2].map(|()| RedisCluster::start(2, 0).unwrap());
    check(40, [clusters[0].masters(), clusters[1].masters()], || {
        let namespace = namespace();
        let form = |cluster: &RedisCluster| Form::Cluster { urls: cluster.urls() };
        [0, 1].map(|at| RedisSettings::new(form(&clusters[at]), &namespace))
    });
}
