//! What a follower owes that begins in the middle.

use super::*;
use crate::conformance::sample::{Sample, endpoint};
use crate::journal::{Head, TailFrame};
use crate::seal::{Sealer, SealingKey};
use crate::view::local::LocalViews;

fn sealer() -> Sealer {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    Sealer::new("k1", vec![key]).unwrap()
}

/// Records as the journal has them, with what stands before each.
fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record::encode(record, &sealer(), &mut bytes);
    bytes
}

/// The frames after a position, each of one record.
struct Frames(u64, VecDeque<Vec<u8>>);

impl Tail for Frames {
    fn next_sequence(&self) -> u64 {
        self.0
    }

    fn next_frame(&mut self) -> Result<TailFrame, Damage> {
        let previous = Head { sequence: self.0 - 1, ..Head::ZERO };
        self.0 += 1;
        Ok(TailFrame::after(&previous, 1, self.1.pop_front().unwrap()))
    }
}

#[test]
fn a_notice_is_owed_though_the_history_of_its_payment_was_written_before_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let views = Arc::new(LocalViews::open(dir.path(), 1 << 20).unwrap());
    let sample = Sample::new(1);
    let intent = sample.intent();
    let steps = [
        Record::Intent(Box::new(intent.clone())),
        sample.unknown(),
        sample.reversal_owed_for(router::outcome::Cause::Timeout),
        sample.reversal_confirmed(),
    ]
    .map(|record| encoded(&record));
    let mut history = History::new(1, &steps[0][record::RECORD_HEADER_LEN..]);
    for (sequence, step) in (2..).zip(&steps[1..]) {
        history.push(sequence, &step[record::RECORD_HEADER_LEN..]);
    }
    // A store of rows that is many writes: the crash came after the history, before the notice.
    let facts = Facts::of(intent.folio, intent.plan.business_date, &intent.request);
    let rows = Rows {
        histories: vec![(intent.payment, history)],
        pointers: vec![(intent.payment, facts)],
        endpoints: vec![(
            EndpointId(5),
            encoded(&endpoint(5)).split_off(record::RECORD_HEADER_LEN),
        )],
        notices: Vec::new(),
    };
    views.write(rows, ViewPosition { written: 2, noticed: 2 }).unwrap();
    let shared = Arc::new(Shared::new(Head { sequence: 4, ..Head::ZERO }, 2));
    let tail = Frames(3, steps[2..].to_vec().into());
    let (boxed, rows) = (Box::new(tail), Arc::clone(&views) as Arc<dyn Views>);
    let mut follower = Follower::new(boxed, rows, shared, BTreeMap::new()).unwrap();
    follower.turn(true).unwrap();
    let owed = views.notices_after(EndpointId(5), 0, 10).unwrap();
    let positions: Vec<u64> = owed.iter().map(|notice| notice.sequence).collect();
    assert_eq!(positions, [4], "that it was reversed");
    assert_eq!(views.history(intent.payment).unwrap().unwrap().iter().count(), 4);
}
