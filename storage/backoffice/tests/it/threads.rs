//! The projector's thread: it follows a journal, survives the database, and ends when told.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use router::id::Lane;
use router::record::Record;
use storage::Sealer;
use storage::conformance::sample::Sample;
use storage::journal::{Damage, Head, Tail, TailFrame};
use storage::record::encode;
use storage::seal::SealingKey;
use storage_backoffice::projector::{ProjectorProgress, ProjectorThread, RecordSource};
use storage_backoffice::{Backoffice, BackofficeLocation, BackofficeSettings};
use tokio::sync::watch;

use crate::places::{Place, block_on};

const PATIENCE: Duration = Duration::from_secs(60);

/// A journal in memory: one frame a record.
#[derive(Clone)]
struct Journal {
    frames: Arc<Mutex<Vec<TailFrame>>>,
    moved: watch::Sender<u64>,
}

impl Journal {
    fn new() -> Self {
        Self { frames: Arc::default(), moved: watch::Sender::new(0) }
    }

    fn append(&self, record: &Record) {
        let mut frames = self.frames.lock();
        let head = frames.last().map_or(Head::ZERO, TailFrame::head);
        let mut body = Vec::new();
        encode(record, &sealer(), &mut body);
        frames.push(TailFrame::after(&head, 1, body));
        self.moved.send_replace(head.sequence + 1);
    }

    /// A payment that was approved.
    fn pay(&self, number: u64) {
        let sample = Sample::new(number);
        self.append(&Record::Intent(Box::new(sample.intent())));
        self.append(&sample.approved());
    }

    fn len(&self) -> u64 {
        u64::try_from(self.frames.lock().len()).unwrap()
    }
}

fn sealer() -> Sealer {
    Sealer::new("k1", vec![SealingKey { name: "k1".into(), bytes: [7; 32].into() }]).unwrap()
}

struct JournalTail(Journal, u64);

impl Tail for JournalTail {
    fn next_sequence(&self) -> u64 {
        self.1
    }

    fn next_frame(&mut self) -> Result<TailFrame, Damage> {
        let at = usize::try_from(self.1 - 1).unwrap();
        self.1 += 1;
        Ok(self.0.frames.lock()[at].clone())
    }
}

impl RecordSource for Journal {
    fn lane(&self) -> Lane {
        Lane(0)
    }

    fn after(&mut self, position: u64) -> Result<Box<dyn Tail>, Damage> {
        Ok(Box::new(JournalTail(self.clone(), position + 1)))
    }

    fn durable(&mut self) -> Result<u64, Damage> {
        Ok(self.len())
    }

    fn moved(&self) -> Option<watch::Receiver<u64>> {
        Some(self.moved.subscribe())
    }

    fn is_authoritative(&self) -> bool {
        true
    }
}

/// A projector of a journal.
fn follow(
    settings: &BackofficeSettings,
    journal: &Journal,
) -> (ProjectorThread, Arc<ProjectorProgress>) {
    let progress = Arc::<ProjectorProgress>::default();
    let source = Box::new(journal.clone());
    let thread = ProjectorThread::start(settings, source, Arc::clone(&progress)).unwrap();
    (thread, progress)
}

fn reaches(progress: &ProjectorProgress, position: u64) {
    let reached = block_on(progress.reaches(position, PATIENCE));
    assert!(reached, "at {:?} of {position}: {:?}", progress.at(), progress.failure());
}

#[test]
fn rows_follow_the_journal_over_stops_of_the_projector() {
    for place in [Place::files(), Place::server()] {
        let journal = Journal::new();
        block_on(async { place.office().await.close().await });
        for round in 0..3_u64 {
            for number in 1..=40 {
                journal.pay(round * 40 + number);
            }
            let (thread, progress) = follow(&place.settings, &journal);
            reaches(&progress, journal.len());
            journal.pay(1_000 + round);
            reaches(&progress, journal.len());
            drop(thread);
        }
        block_on(async {
            let office = Backoffice::open(&place.settings).await.unwrap();
            assert_eq!(office.status().await.unwrap().payments, 123);
            office.close().await;
        });
    }
}

#[test]
fn rows_of_another_journal_are_made_anew() {
    let place = Place::files();
    block_on(async { place.office().await.close().await });
    let long = Journal::new();
    (1..=30).for_each(|number| long.pay(number));
    let (thread, progress) = follow(&place.settings, &long);
    reaches(&progress, long.len());
    drop(thread);
    let short = Journal::new();
    (101..=103).for_each(|number| short.pay(number));
    let (thread, progress) = follow(&place.settings, &short);
    reaches(&progress, short.len());
    drop(thread);
    block_on(async {
        let office = Backoffice::open(&place.settings).await.unwrap();
        assert_eq!(office.status().await.unwrap().payments, 3);
        office.close().await;
    });
}

#[test]
fn a_server_that_is_killed_and_comes_back_loses_and_doubles_nothing() {
    let server = rig::Postgres::start().unwrap();
    let url = server.fresh_database().unwrap();
    let settings = BackofficeSettings::at(BackofficeLocation::Server(url.into()));
    block_on(async { Backoffice::migrate(&settings).await.unwrap().close().await });
    let journal = Journal::new();
    let (thread, progress) = follow(&settings, &journal);
    for round in 0..3_u64 {
        for number in 1..=500 {
            journal.pay(round * 500 + number);
        }
        server.kill();
        journal.pay(10_000 + round);
        let wanted = journal.len();
        rig::eventually("the projector to say that it is behind", PATIENCE, || {
            match progress.failure() {
                Some(_) => Ok(()),
                None => Err(rig::Error::new(format!("it is at {:?}", progress.at()))),
            }
        })
        .unwrap();
        server.restart().unwrap();
        reaches(&progress, wanted);
    }
    drop(thread);
    block_on(async {
        let office = Backoffice::open(&settings).await.unwrap();
        let status = office.status().await.unwrap();
        assert_eq!((status.payments, status.lanes[0].1.position), (1_503, journal.len()));
        office.close().await;
    });
}
