use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam::channel::bounded;

use super::*;
use crate::conformance::sample::Sample;
use crate::guard::MemoryGuard;
use crate::journal::{BackendError, Frame, Head};
use crate::seal::SealingKey;

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

#[test]
fn after_a_failed_write_everything_is_refused_and_nothing_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    let sealer = Sealer::new("k1", vec![key]).unwrap();
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let tried = Arc::new(AtomicU32::new(0));
    let (commands, queue) = bounded(16);
    let writer = Writer {
        commands: queue,
        guard: MemoryGuard::new(Duration::from_secs(60)),
        journal: Journal::new(Filling { frames_left: 1, tried: Arc::clone(&tried) }, Head::ZERO),
        views: Arc::new(Views::open(dir.path(), 1 << 20).unwrap()),
        shared: Arc::clone(&shared),
        sealer: sealer.clone(),
        steps: HashMap::default(),
        ceilings: Ceilings { group_len_max: 8, frame_len_max: 1 << 20, view_lag_max: 100 },
        anchor_interval: Duration::from_secs(60),
    };
    let thread = std::thread::spawn(move || writer.run());
    let admit = |n| {
        let intent = Box::new(Sample::new(n).intent());
        let mut encoded = Vec::new();
        crate::record::encode_intent(&intent, &sealer, &mut encoded);
        let (answer, decided) = oneshot::channel();
        assert!(commands.send(Command::Admit { intent, encoded, answer }).is_ok());
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
