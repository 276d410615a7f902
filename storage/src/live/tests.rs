use allocation_counter::measure;
use proptest::prelude::*;
use router::outcome::Cause;
use router::payment::Payment;
use router::record::Record;

use super::*;
use crate::conformance::ledger::walk;
use crate::conformance::sample::{self, Sample};
use crate::guard::{MemoryGuard, Wants};
use crate::record::{RECORD_HEADER_LEN, encode};
use crate::seal::{Sealer, SealingKey};

/// The most that one open payment may take of memory, in bytes: what is said in README.md.
const OPEN_PAYMENT_LEN_MAX: u64 = 2048;

fn sealer() -> Sealer {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    Sealer::new("k1", vec![key]).unwrap()
}

fn body(record: &Record) -> Vec<u8> {
    let mut encoded = Vec::new();
    encode(record, &sealer(), &mut encoded);
    encoded[RECORD_HEADER_LEN..].to_vec()
}

/// A payment that was sent, is unknown, and is being undone: everything that is kept of one whose
/// bank is silent.
fn silent(sample: &Sample) -> [Record; 3] {
    let intent = Record::Intent(Box::new(sample.intent()));
    [intent, sample.unknown(), sample.reversal_owed_for(Cause::Timeout)]
}

fn publish(live: &Live, sample: &Sample, records: &[Record], first: u64) -> Progress {
    let (mut payment, _) = Payment::begin(&records[0]).unwrap();
    let history = History::new(first, &body(&records[0]));
    let mut progress = Progress::SENT;
    live.publish(sample.id(), progress, history, first);
    for (record, sequence) in records[1..].iter().zip(first + 1..) {
        progress.apply(record).unwrap();
        payment.apply(record).unwrap();
        live.push(sample.id(), progress, sequence, &body(record));
    }
    progress
}

#[test]
fn an_unknown_payment_is_owed_by_its_participant_until_it_is_undone() {
    let live = Live::new();
    let sample = Sample::new(7);
    let [intent, unknown, owed] = silent(&sample);
    publish(&live, &sample, std::slice::from_ref(&intent), 1);
    assert_eq!(live.owed(), [], "a payment that was sent is not owed yet");
    let steps = [intent, unknown, owed, sample.reversal_confirmed()];
    publish(&live, &sample, &steps[..2], 1);
    let bank = sample.intent().attempt.participant;
    assert_eq!(live.owed(), [(bank, sample.id())]);
    assert_eq!(live.owed_by(sample.id()), Some(bank));
    publish(&live, &sample, &steps, 1);
    assert_eq!((live.owed(), live.owed_by(sample.id())), (vec![], None));
}

#[test]
fn an_open_payment_takes_at_most_2_kib_of_memory() {
    const PAYMENTS: u64 = 10_000;
    let samples: Vec<Sample> = (1..=PAYMENTS)
        .map(|n| Sample {
            hold: Some(("float:1", 100)),
            counter: Some((u128::from(n), 5)),
            slot: Some((u128::from(n), router::reservation::Keep::WhileApproved)),
            ..Sample::new(n)
        })
        .collect();
    let mut kept = None;
    let used = measure(|| {
        let (live, mut steps) = (Live::new(), HashMap::default());
        let mut guard = MemoryGuard::new(std::time::Duration::from_secs(3600));
        for (sample, first) in samples.iter().zip((1..).step_by(3)) {
            steps.insert(sample.id(), publish(&live, sample, &silent(sample), first));
            let intent = sample.intent();
            guard.regrant(intent.payment, intent.at, Wants::Reserve(&intent.plan.reservation));
        }
        kept = Some((live, steps, guard));
    });
    let each = u64::try_from(used.bytes_current).unwrap() / PAYMENTS;
    println!("one open payment takes {each} bytes");
    assert!(each <= OPEN_PAYMENT_LEN_MAX, "one open payment takes {each} bytes");
    assert_eq!(kept.unwrap().0.owed().len(), 10_000);
}

/// One payment of a random run: its records so far, and what they come to.
struct Walked {
    sample: Sample,
    payment: Payment,
    progress: Progress,
    records: Vec<Record>,
}

impl Walked {
    fn begin(live: &Live, number: u64) -> Self {
        let sample = Sample::new(number);
        let intent = Record::Intent(Box::new(sample.intent()));
        let (payment, _) = Payment::begin(&intent).unwrap();
        let progress = publish(live, &sample, std::slice::from_ref(&intent), 1);
        Self { sample, payment, progress, records: vec![intent] }
    }

    /// Appends the record that a number chooses, where it may follow.
    fn step(&mut self, live: &Live, choice: u64) {
        let sample = &self.sample;
        let at = sample::at(100);
        let record = match choice % 10 {
            0 => Some(sample.approved()),
            1 => Some(sample.declined()),
            2 => Some(sample.unknown()),
            3 => Some(sample.reversal_owed_for(Cause::Timeout)),
            4 => Some(sample.reversal_confirmed()),
            5 => Some(sample.late()),
            turn => walk::next_of(&self.payment, at, turn - 6),
        };
        let Some(record) = record else { return };
        let (mut payment, mut progress) = (self.payment.clone(), self.progress);
        if payment.apply(&record).is_err() || progress.apply(&record).is_err() {
            return;
        }
        (self.payment, self.progress) = (payment, progress);
        self.records.push(record);
        let sequence = self.records.len() as u64;
        let encoded = body(self.records.last().unwrap());
        if !live.push(sample.id(), progress, sequence, &encoded) {
            self.publish_whole(live);
        }
    }

    /// Puts the whole history in, as a start or a later record of a payment long done does.
    fn publish_whole(&self, live: &Live) {
        let mut history = History::new(1, &body(&self.records[0]));
        for (record, sequence) in self.records[1..].iter().zip(2..) {
            history.push(sequence, &body(record));
        }
        live.publish(self.sample.id(), self.progress, history, self.records.len() as u64);
    }

    fn is_under_way(&self) -> bool {
        let is_confirming = |record: &Record| matches!(record, Record::Confirming(_));
        match self.payment.state {
            PaymentState::Sent => self.records.iter().any(is_confirming),
            state => state == PaymentState::Refunding,
        }
    }
}

proptest! {
    #[test]
    fn the_work_of_a_shard_is_what_a_look_at_every_payment_would_find(
        steps in proptest::collection::vec((0..12_u64, 0..64_u64), 1..200),
    ) {
        let live = Live::new();
        let mut walked: Vec<Walked> = (1..=12).map(|number| Walked::begin(&live, number)).collect();
        for (at, choice) in steps {
            let one = &mut walked[usize::try_from(at).unwrap()];
            match choice {
                60 | 61 => one.publish_whole(&live),
                62 | 63 => live.forget(one.sample.id(), one.records.len() as u64),
                choice => one.step(&live, choice),
            }
            let mut owed: Vec<_> = walked.iter().filter(|one| one.progress.owes_reversal())
                .map(|one| (one.sample.intent().attempt.participant, one.sample.id())).collect();
            let mut under_way: Vec<_> = walked.iter().filter(|one| one.is_under_way())
                .map(|one| one.sample.id()).collect();
            let (mut found, mut at_work) = (live.owed(), live.confirming_or_refunding());
            found.sort_by_key(|(_, id)| *id);
            at_work.sort();
            owed.sort_by_key(|(_, id)| *id);
            under_way.sort();
            prop_assert_eq!(found, owed);
            prop_assert_eq!(at_work, under_way);
        }
    }
}
