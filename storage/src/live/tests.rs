use allocation_counter::measure;
use router::outcome::Cause;
use router::payment::Payment;
use router::record::Record;

use super::*;
use crate::conformance::sample::Sample;
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
        let (live, mut steps) = (Live::new(), HashMap::new());
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
