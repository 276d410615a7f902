mod epochs;
mod written;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam::channel::bounded;

use super::*;
use crate::conformance::sample::{self, Sample};
use crate::guard::{GateEpoch, MemoryGuard};
use crate::journal::{BackendError, Frame, Head};
use crate::seal::SealingKey;

/// A disk that takes a frame only when it is let.
struct Gated(Receiver<()>);

impl Backend for Gated {
    fn append(&mut self, _: &Frame<'_>) -> Result<(), BackendError> {
        self.0.recv().expect("a disk that is let");
        Ok(())
    }

    fn anchor(&mut self, _: &Head) -> Result<(), BackendError> {
        Ok(())
    }
}

/// A disk that takes some frames, then is full.
struct Filling {
    frames_left: u32,
    tried: Arc<AtomicU32>,
}

impl Backend for Filling {
    fn append(&mut self, _: &Frame<'_>) -> Result<(), BackendError> {
        self.tried.fetch_add(1, Ordering::SeqCst);
        if self.frames_left == 0 {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            return Err(BackendError::Io { doing: "written", source });
        }
        self.frames_left -= 1;
        Ok(())
    }

    fn anchor(&mut self, _: &Head) -> Result<(), BackendError> {
        Ok(())
    }
}

/// A lane whose guard's epoch ends before the second frame with payments in it.
#[derive(Default)]
struct Fencing {
    frames: Arc<parking_lot::Mutex<Vec<Appended>>>,
}

/// Records of a frame, and what they were decided under.
type Appended = (u64, Option<GateEpoch>);

impl Backend for Fencing {
    fn append(&mut self, frame: &Frame<'_>) -> Result<(), BackendError> {
        let mut frames = self.frames.lock();
        if let Some(decided_under) = frame.decided_under.filter(|_| !frames.is_empty()) {
            return Err(BackendError::Fenced { decided_under });
        }
        frames.push((frame.head.sequence - frame.previous.sequence, frame.decided_under));
        Ok(())
    }

    fn anchor(&mut self, _: &Head) -> Result<(), BackendError> {
        Ok(())
    }
}

fn sealer() -> Sealer {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    Sealer::new("k1", vec![key]).unwrap()
}

fn writer<B: Backend>(
    dir: &std::path::Path,
    backend: B,
    commands: Receiver<Command>,
    shared: &Arc<Shared>,
) -> Writer<MemoryGuard, B> {
    Writer {
        commands,
        guard: MemoryGuard::new(Duration::from_secs(60)),
        journal: Journal::new(backend, Head::ZERO),
        views: Arc::new(crate::view::local::LocalViews::open(dir, 1 << 20).unwrap()),
        shared: Arc::clone(shared),
        sealer: sealer(),
        versions: BTreeMap::new(),
        steps: HashMap::default(),
        limits: Limits {
            group_len_max: 8,
            view_lag_max: 100,
            anchor_interval: Duration::from_secs(60),
            ..Limits::default()
        },
    }
}

fn admit(n: u64) -> (Command, oneshot::Receiver<Result<Decided, StoreError>>) {
    admit_intent(Sample::new(n).intent())
}

fn admit_intent(intent: Intent) -> (Command, oneshot::Receiver<Result<Decided, StoreError>>) {
    let intent = Box::new(intent);
    let mut encoded = Vec::new();
    let is_as_it_came = crate::record::encode_intent(&intent, &sealer(), &mut encoded);
    let (answer, decided) = oneshot::channel();
    (Command::Admit { intent, encoded, is_as_it_came, answer }, decided)
}

/// The follower of a journal, which the writer of `shared` leaves what it knows.
fn what_the_follower_is_left(shared: &Shared) -> (Vec<u64>, Vec<u64>) {
    let groups = shared.written_groups.waiting();
    let intents = groups.iter().flat_map(|group| &group.intents).map(|intent| intent.sequence);
    let outcomes = groups.iter().flat_map(|group| &group.outcomes);
    (intents.collect(), outcomes.map(|outcome| outcome.sequence).collect())
}

#[test]
fn the_follower_is_left_what_was_made_durable_but_no_request_that_is_kept_masked() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let (_commands, queue) = bounded(16);
    let disk = Filling { frames_left: 2, tried: Arc::default() };
    let mut writer = writer(dir.path(), disk, queue, &shared);
    let mut masked = Sample::new(2).intent();
    masked.request.bill = Some(router::id::BillNo::new("4000001234567890").unwrap());
    writer.serve(&mut vec![admit(1).0, admit_intent(masked).0, admit(3).0]);
    assert_eq!(what_the_follower_is_left(&shared), (vec![1, 3], vec![]));
    let repeat = admit(1).0;
    writer.serve(&mut vec![append(Sample::new(2).approved()).0, repeat]);
    assert_eq!(what_the_follower_is_left(&shared), (vec![], vec![4]));
    // The disk is full: nothing of this is in the journal.
    writer.serve(&mut vec![admit(5).0, append(Sample::new(3).approved()).0]);
    assert_eq!(what_the_follower_is_left(&shared), (vec![], vec![]));
}

#[test]
fn a_barrier_is_passed_only_when_what_was_queued_before_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let (commands, queue) = bounded(16);
    let (let_pass, gate) = bounded(1);
    let writer = writer(dir.path(), Gated(gate), queue, &shared);
    let (command, decided) = admit(1);
    commands.send(command).unwrap_or_else(|_| panic!("room"));
    let (answer, mut passed) = oneshot::channel();
    commands.send(Command::Barrier { answer }).unwrap_or_else(|_| panic!("room"));
    let (answer, mut found) = oneshot::channel();
    let key = Sample::new(1).intent().request.key;
    commands
        .send(Command::FindKey { sought: key.into(), answer })
        .unwrap_or_else(|_| panic!("room"));
    // One group holds all three, and its frame waits for the disk.
    let thread = std::thread::spawn(move || writer.run());
    assert!(passed.try_recv().is_err());
    assert!(found.try_recv().is_err());
    let_pass.send(()).unwrap();
    assert_eq!(passed.blocking_recv().unwrap(), Ok(()));
    assert_eq!(shared.durable(), 1, "the barrier is behind the payment");
    assert_eq!(decided.blocking_recv().unwrap(), Ok(Decided::Granted { sequence: 1 }));
    assert_eq!(found.blocking_recv().unwrap(), Ok(Some(Sample::new(1).id())));
    drop(commands);
    thread.join().unwrap();
}

#[test]
fn after_a_failed_write_everything_is_refused_and_nothing_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let tried = Arc::new(AtomicU32::new(0));
    let (commands, queue) = bounded(16);
    let disk = Filling { frames_left: 1, tried: Arc::clone(&tried) };
    let writer = writer(dir.path(), disk, queue, &shared);
    let thread = std::thread::spawn(move || writer.run());
    let admit = |n| {
        let (command, decided) = admit(n);
        assert!(commands.send(command).is_ok());
        decided.blocking_recv().unwrap()
    };
    assert_eq!(admit(1), Ok(Decided::Granted { sequence: 1 }));
    assert_eq!(admit(2), Err(StoreError::Failed), "the disk is full");
    assert_eq!(admit(3), Err(StoreError::Failed));
    assert!(shared.has_failed());
    assert_eq!(shared.durable(), 1);
    assert!(shared.live.history(Sample::new(2).id()).is_none(), "readers see durable records only");
    assert_eq!(tried.load(Ordering::SeqCst), 2);
    drop(commands);
    thread.join().unwrap();
}

#[test]
fn a_fence_refuses_what_was_admitted_and_keeps_what_follows_up() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let (commands, queue) = bounded(16);
    let lane = Fencing::default();
    let frames = Arc::clone(&lane.frames);
    let mut writer = writer(dir.path(), lane, queue, &shared);
    let (first, decided) = admit(1);
    writer.serve(&mut vec![first]);
    assert_eq!(decided.blocking_recv().unwrap(), Ok(Decided::Granted { sequence: 1 }));
    // One group: a new payment, the outcome of the first, and a new endpoint.
    let (second, decided) = admit(2);
    let (outcome, appended) = append(Sample::new(1).approved());
    let (event, created) = append(sample::endpoint(4));
    writer.serve(&mut vec![second, outcome, event]);
    let refused = decided.blocking_recv().unwrap();
    assert!(matches!(refused, Err(StoreError::Guard(_))), "{refused:?}");
    assert_eq!(appended.blocking_recv().unwrap().unwrap().sequence, 2);
    let created = created.blocking_recv().unwrap();
    assert_eq!(created.unwrap().sequence, 3, "it is no second event of its version");
    assert_eq!(*frames.lock(), [(1, Some(GateEpoch::ONLY)), (2, None)]);
    assert!(shared.live.history(Sample::new(2).id()).is_none(), "it never was in the journal");
    assert!(!writer.steps.contains_key(&Sample::new(2).id()));
    assert_eq!(shared.durable(), 3);
    drop(commands);
}

fn append(
    record: Record,
) -> (Command, oneshot::Receiver<Result<crate::store::Appended, StoreError>>) {
    let mut encoded = Vec::new();
    crate::record::encode(&record, &sealer(), &mut encoded);
    let (answer, appended) = oneshot::channel();
    (Command::Append { record, encoded, answer }, appended)
}

#[test]
fn a_fence_of_nothing_but_new_payments_leaves_the_journal_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let (_commands, queue) = bounded(16);
    let mut writer = writer(dir.path(), Fencing::default(), queue, &shared);
    writer.serve(&mut vec![admit(1).0]);
    let (second, decided) = admit(2);
    writer.serve(&mut vec![second]);
    assert!(matches!(decided.blocking_recv().unwrap(), Err(StoreError::Guard(_))));
    assert_eq!((shared.durable(), shared.has_failed()), (1, false));
}

#[test]
fn after_a_failure_a_stop_ends_the_writer_though_handles_are_kept() {
    for is_in_the_group_that_fails in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared::new(Head::ZERO, 0));
        let (commands, queue) = bounded(16);
        let disk = Filling { frames_left: 0, tried: Arc::default() };
        let writer = writer(dir.path(), disk, queue, &shared);
        let (refused, decided) = admit(1);
        assert!(commands.send(refused).is_ok());
        let (answer, stopped) = oneshot::channel();
        let mut stop = Some(Command::Stop { answer });
        if is_in_the_group_that_fails {
            assert!(commands.send(stop.take().unwrap()).is_ok());
        }
        let thread = std::thread::spawn(move || writer.run());
        assert_eq!(decided.blocking_recv().unwrap(), Err(StoreError::Failed));
        assert_eq!(shared.failure(), Some(StoreFailure::Journal));
        if let Some(stop) = stop {
            assert!(commands.send(stop).is_ok());
        }
        assert_eq!(stopped.blocking_recv().unwrap(), Err(StoreError::Failed));
        thread.join().unwrap();
        // The handle lives on, as the engine's does, and is told that nobody reads it any more.
        assert!(commands.send(admit(2).0).is_err());
    }
}

#[test]
fn a_store_that_is_closed_while_its_read_models_lag_serves_what_waits_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody follows: the read models owe more than they may.
    let shared = Arc::new(Shared::new(Head { sequence: 101, ..Head::ZERO }, 0));
    let (commands, queue) = bounded(16);
    let disk = Filling { frames_left: 1, tried: Arc::default() };
    let writer = writer(dir.path(), disk, queue, &shared);
    let (answer, mut passed) = oneshot::channel();
    assert!(commands.send(Command::Barrier { answer }).is_ok());
    let (answer, stopped) = oneshot::channel();
    assert!(commands.send(Command::Stop { answer }).is_ok());
    let thread = std::thread::spawn(move || writer.run());
    assert!(passed.try_recv().is_err(), "nothing is taken yet");
    shared.set_closing();
    assert_eq!(passed.blocking_recv().unwrap(), Ok(()));
    assert_eq!(stopped.blocking_recv().unwrap(), Ok(()));
    thread.join().unwrap();
}

/// A lane that another owner has taken.
struct Taken;

impl Backend for Taken {
    fn append(&mut self, _: &Frame<'_>) -> Result<(), BackendError> {
        Err(BackendError::LaneLost { lane: router::id::Lane(3), owner: "node-2#7".into() })
    }

    fn anchor(&mut self, _: &Head) -> Result<(), BackendError> {
        Ok(())
    }
}

#[test]
fn a_lane_that_was_taken_is_told_from_a_journal_that_failed() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let (_commands, queue) = bounded(16);
    let mut writer = writer(dir.path(), Taken, queue, &shared);
    writer.serve(&mut vec![admit(1).0]);
    assert_eq!(shared.failure(), Some(StoreFailure::LaneLost { owner: "node-2#7".into() }));
}
