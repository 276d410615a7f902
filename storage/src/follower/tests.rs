//! What a follower owes that begins in the middle.

use std::ops::RangeInclusive;
use std::sync::atomic::AtomicU32;

use router::message::{Fingerprint, IdempotencyKey};
use router::time::{Date, Timestamp};

use super::*;
use crate::conformance::sample::{Sample, endpoint};
use crate::journal::{Files, Head, Journal, dir_of};
use crate::seal::{Sealer, SealingKey};
use crate::view::local::LocalViews;
use crate::view::{EndpointHome, NamedBy, NoticeBytes, TraceName};
use crate::written::{WrittenGroup, WrittenIntent, WrittenOutcome};

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

/// The journal of these records in a data folder, each in a frame of its own, for rows to point into.
fn write_journal(data: &std::path::Path, records: &[Vec<u8>]) {
    std::fs::create_dir_all(dir_of(data)).unwrap();
    let files = Files::open(data.to_owned(), None, 1 << 20, Duration::ZERO).unwrap();
    let mut journal = Journal::new(files, Head::ZERO);
    for record in records {
        journal.begin();
        journal.frame_mut().extend_from_slice(record);
        journal.commit(1, None).unwrap();
    }
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
    write_journal(dir.path(), &steps);
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
        ..Rows::default()
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

/// Read models that are servers, which are away for some asks of each kind.
struct Away {
    /// What they say then will be said for ever.
    is_lasting: bool,
    rows: LocalViews,
    writes_lost: AtomicU32,
    reads_lost: AtomicU32,
}

impl Away {
    fn lose(&self, left: &AtomicU32) -> Result<(), ViewError> {
        let take = |left: u32| left.checked_sub(1);
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(_) if self.is_lasting => Err(ViewError::lasting("no such table")),
            Ok(_) => Err(ViewError::new("no server answers")),
            Err(_) => Ok(()),
        }
    }
}

impl Views for Away {
    fn is_near(&self) -> bool {
        false
    }

    fn keeps_records(&self) -> bool {
        self.rows.keeps_records()
    }

    fn position(&self) -> Result<ViewPosition, ViewError> {
        self.rows.position()
    }

    fn endpoints(&self) -> Result<Vec<EndpointHome>, ViewError> {
        self.rows.endpoints()
    }

    fn write(&self, rows: Rows, position: ViewPosition) -> Result<(), ViewError> {
        self.lose(&self.writes_lost)?;
        self.rows.write(rows, position)
    }

    fn persist(&self) -> Result<(), ViewError> {
        self.rows.persist()
    }

    fn close(&self) {
        self.rows.close();
    }

    fn history(&self, id: PaymentId) -> Result<Option<History>, ViewError> {
        self.lose(&self.reads_lost)?;
        self.rows.history(id)
    }

    fn id_of_folio(&self, folio: router::id::Folio) -> Result<Option<PaymentId>, ViewError> {
        self.rows.id_of_folio(folio)
    }

    fn id_of_trace(&self, name: &TraceName) -> Result<Option<PaymentId>, ViewError> {
        self.rows.id_of_trace(name)
    }

    fn ids_of_name(
        &self,
        name: &NamedBy,
        within: RangeInclusive<Timestamp>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        self.rows.ids_of_name(name, within, limit)
    }

    fn id_of_key(
        &self,
        key: IdempotencyKey,
        trace: Option<&TraceName>,
    ) -> Result<Option<(PaymentId, Fingerprint)>, ViewError> {
        self.rows.id_of_key(key, trace)
    }

    fn ids_of_biller(
        &self,
        biller: &BillerId,
        date: Date,
        after: Option<PaymentId>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        self.rows.ids_of_biller(biller, date, after, limit)
    }

    fn notices_after(
        &self,
        endpoint: EndpointId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, ViewError> {
        self.rows.notices_after(endpoint, after, limit)
    }

    fn notices_before(
        &self,
        endpoint: EndpointId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, ViewError> {
        self.rows.notices_before(endpoint, before, limit)
    }

    fn notice(&self, endpoint: EndpointId, at: u64) -> Result<Option<NoticeBytes>, ViewError> {
        self.rows.notice(endpoint, at)
    }

    fn put_notice(&self, endpoint: EndpointId, notice: NoticeBytes) -> Result<(), ViewError> {
        self.rows.put_notice(endpoint, notice)
    }

    fn cursor(&self, endpoint: EndpointId) -> Result<Option<u64>, ViewError> {
        self.rows.cursor(endpoint)
    }

    fn frames_after(&self, after: u64) -> Result<Vec<crate::view::FrameRecords>, ViewError> {
        self.rows.frames_after(after)
    }

    fn put_cursor(&self, endpoint: EndpointId, through: u64) -> Result<(), ViewError> {
        self.rows.put_cursor(endpoint, through)
    }
}

/// A payment whose reversal is confirmed after its row was written.
fn reversed(sample: &Sample) -> [Vec<u8>; 4] {
    let records = [
        Record::Intent(Box::new(sample.intent())),
        sample.unknown(),
        sample.reversal_owed_for(router::outcome::Cause::Timeout),
        sample.reversal_confirmed(),
    ];
    records.map(|record| encoded(&record))
}

fn away(dir: &std::path::Path, writes_lost: u32, reads_lost: u32) -> Arc<Away> {
    let rows = LocalViews::open(dir, 1 << 20).unwrap();
    let (writes_lost, reads_lost) = (writes_lost.into(), reads_lost.into());
    Arc::new(Away { is_lasting: false, rows, writes_lost, reads_lost })
}

#[test]
fn read_models_that_are_away_are_asked_until_they_are_back_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let views = away(dir.path(), 3, 2);
    let sample = Sample::new(1);
    let steps = reversed(&sample);
    write_journal(dir.path(), &steps);
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let tail = Box::new(Frames(1, VecDeque::from(steps)));
    let follow = |views: &Arc<Away>| Arc::clone(views) as Arc<dyn Views>;
    let mut follower =
        Follower::new(tail, follow(&views), Arc::clone(&shared), BTreeMap::new()).unwrap();
    shared.set_durable(Head { sequence: 2, ..Head::ZERO });
    assert_eq!(follower.turn(true).unwrap(), 2);
    shared.set_durable(Head { sequence: 4, ..Head::ZERO });
    assert_eq!(follower.turn(true).unwrap(), 2);
    let history = views.rows.history(sample.id()).unwrap().unwrap();
    assert_eq!((history.last_sequence(), shared.lag()), (4, 0));
    let left = [&views.writes_lost, &views.reads_lost].map(|left| left.load(Ordering::SeqCst));
    assert_eq!((left, shared.has_failed()), ([0, 0], false));
}

#[test]
fn a_store_that_closes_waits_for_no_read_models_and_has_not_failed() {
    let dir = tempfile::tempdir().unwrap();
    let views = away(dir.path(), u32::MAX, 0);
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let tail = Box::new(Frames(1, VecDeque::from(reversed(&Sample::new(1)))));
    let follower = Follower::new(tail, views, Arc::clone(&shared), BTreeMap::new()).unwrap();
    shared.set_durable(Head { sequence: 4, ..Head::ZERO });
    follower.run(&Arc::new(AtomicBool::new(true)));
    assert_eq!((shared.lag(), shared.has_failed()), (4, false));
}

#[test]
fn what_read_models_refuse_for_ever_is_asked_once_and_ends_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let rows = LocalViews::open(dir.path(), 1 << 20).unwrap();
    let (writes_lost, reads_lost) = (AtomicU32::new(1), AtomicU32::new(0));
    let views = Arc::new(Away { is_lasting: true, rows, writes_lost, reads_lost });
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let tail = Box::new(Frames(1, VecDeque::from(reversed(&Sample::new(1)))));
    let follower = Follower::new(tail, views, Arc::clone(&shared), BTreeMap::new()).unwrap();
    shared.set_durable(Head { sequence: 4, ..Head::ZERO });
    follower.run(&Arc::new(AtomicBool::new(false)));
    assert_eq!((shared.lag(), shared.failure()), (4, Some(StoreFailure::ReadModels)));
}

/// The rows that a follower makes of a payment, with what the writer knows of its records or without.
fn rows_of(sample: &Sample, written: Option<WrittenGroup>) -> (Facts, ViewPosition, History) {
    let dir = tempfile::tempdir().unwrap();
    let steps = [Record::Intent(Box::new(sample.intent())), sample.approved()];
    let steps = steps.map(|record| encoded(&record));
    write_journal(dir.path(), &steps);
    let views = Arc::new(LocalViews::open(dir.path(), 1 << 20).unwrap());
    let shared = Arc::new(Shared::new(Head { sequence: 2, ..Head::ZERO }, 0));
    written.into_iter().for_each(|written| shared.written_groups.put(written));
    let tail = Box::new(Frames(1, VecDeque::from(steps)));
    let rows = Arc::clone(&views) as Arc<dyn Views>;
    let mut follower = Follower::new(tail, rows, shared, BTreeMap::new()).unwrap();
    assert_eq!(follower.turn(true).unwrap(), 2);
    let folio = sample.intent().folio;
    let id = views.id_of_folio(folio).unwrap().expect("a row of its folio");
    let history = views.history(id).unwrap().expect("its records");
    let facts = history.facts().unwrap();
    let trace = facts.trace.expect("a trace");
    assert_eq!(views.id_of_trace(&trace).unwrap(), Some(id));
    (facts, follower.position, history)
}

#[test]
fn what_the_writer_knows_makes_the_same_rows_as_what_is_decoded() {
    let sample = Sample::new(1);
    let intent = sample.intent();
    let facts = Facts::of(intent.folio, intent.plan.business_date, &intent.request);
    let Record::Outcome(concluded) = sample.approved() else { panic!("an outcome") };
    let written = WrittenGroup {
        intents: vec![WrittenIntent { sequence: 1, payment: intent.payment, facts: facts.clone() }],
        outcomes: vec![WrittenOutcome { sequence: 2, concluded }],
    };
    let (decoded, known) = (rows_of(&sample, None), rows_of(&sample, Some(written)));
    assert_eq!(known, decoded);
    assert_eq!(facts, decoded.0, "what the request told is what its record tells");
}
