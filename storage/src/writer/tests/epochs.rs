//! What the guard is told of its epochs, and when.

use std::sync::Arc;

use parking_lot::Mutex;
use router::early::EarlyReversal;
use router::id::{AccountId, PaymentId};
use router::message::IdempotencyKey;
use router::money::Currency;
use router::posting::Entry;

use super::*;
use crate::guard::{Balance, GiveBack, GuardError, ReserveAsk, Sought, Verdict};

type Log = Arc<Mutex<Vec<GuardCall>>>;

/// What a guard was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GuardCall {
    Epoch(u64),
    /// What is reflected now.
    GivenBack(u64),
}

/// A guard in memory that notes what it is told.
struct NotingGuard {
    inner: MemoryGuard,
    log: Log,
    /// How often it has to be told before it is not behind.
    calls: usize,
}

impl Guard for NotingGuard {
    fn reserve(
        &mut self,
        batch: &[ReserveAsk<'_>],
        verdicts: &mut Vec<Verdict>,
    ) -> Result<GateEpoch, GuardError> {
        self.inner.reserve(batch, verdicts).map(|_| GateEpoch(1))
    }

    fn withhold(&mut self, token: PaymentId, entry: &Entry) -> Result<GateEpoch, GuardError> {
        self.inner.withhold(token, entry)
    }

    fn give_back(&mut self, group: &GiveBack<'_>) -> Result<(), GuardError> {
        self.log.lock().push(GuardCall::GivenBack(group.through));
        Guard::give_back(&mut self.inner, group)
    }

    fn is_behind(&self) -> bool {
        self.log.lock().iter().filter(|told| matches!(told, GuardCall::GivenBack(_))).count()
            < self.calls
    }

    fn raise_epoch(&mut self, trusted: GateEpoch) {
        self.log.lock().push(GuardCall::Epoch(trusted.0));
    }

    fn balance(
        &mut self,
        account: AccountId,
        currency: Currency,
    ) -> Result<Option<Balance>, GuardError> {
        Guard::balance(&mut self.inner, account, currency)
    }

    fn forestall(&mut self, early: &EarlyReversal) -> Result<GateEpoch, GuardError> {
        self.inner.forestall(early)
    }

    fn find_key(&mut self, key: IdempotencyKey) -> Result<Option<PaymentId>, GuardError> {
        self.inner.find_key(key)
    }

    fn find_original(&mut self, sought: &Sought) -> Result<Option<PaymentId>, GuardError> {
        self.inner.find_original(sought)
    }
}

/// A lane that trusts epoch 2 from its second frame on.
#[derive(Default)]
struct RaisedLane {
    frames: u32,
}

impl Backend for RaisedLane {
    fn append(&mut self, frame: &Frame<'_>) -> Result<(), BackendError> {
        self.frames += 1;
        match frame.decided_under {
            Some(decided_under) if self.frames > 1 => Err(BackendError::Fenced { decided_under }),
            Some(_) | None => Ok(()),
        }
    }

    fn guard_epoch(&self) -> GateEpoch {
        GateEpoch(if self.frames > 1 { 2 } else { 1 })
    }

    fn anchor(&mut self, _: &Head) -> Result<(), BackendError> {
        Ok(())
    }
}

/// A writer, what its guard is told, and where its commands come from.
fn noting(
    dir: &std::path::Path,
    calls: usize,
) -> (Writer<NotingGuard, RaisedLane>, Log, crossbeam::channel::Sender<Command>) {
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let (sender, queue) = bounded(16);
    let plain = writer(dir, RaisedLane::default(), queue, &shared);
    let log = Log::default();
    let guard = NotingGuard { inner: plain.guard, log: Arc::clone(&log), calls };
    let Writer { commands, journal, views, shared, sealer, steps, versions, limits, .. } = plain;
    let writer =
        Writer { commands, guard, journal, views, shared, sealer, steps, versions, limits };
    (writer, log, sender)
}

/// The guard after a payment and a second group, by whether that has a new payment in it too.
fn told_after(has_new_payment: bool) -> Vec<GuardCall> {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, log, _commands) = noting(dir.path(), 0);
    writer.serve(&mut vec![admit(1).0]);
    let (outcome, appended) = append(Sample::new(1).approved());
    let (second, _decided) = admit(2);
    let group = [has_new_payment.then_some(second), Some(outcome)];
    writer.serve(&mut group.into_iter().flatten().collect());
    assert_eq!(appended.blocking_recv().unwrap().unwrap().sequence, 2);
    log.lock().clone()
}

#[test]
fn the_guard_hears_which_epoch_the_lane_trusts_before_it_is_given_anything_back() {
    let first = [GuardCall::Epoch(1), GuardCall::GivenBack(1)];
    let only_an_outcome = [&first[..], &[GuardCall::Epoch(2), GuardCall::GivenBack(2)]].concat();
    assert_eq!(told_after(false), only_an_outcome);
    let fenced =
        [&first[..], &[GuardCall::Epoch(2), GuardCall::Epoch(2), GuardCall::GivenBack(2)]].concat();
    assert_eq!(told_after(true), fenced);
}

/// The last payment's ending was not told, and no other payment comes.
#[test]
fn a_guard_that_is_behind_is_told_again_though_nothing_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, log, commands) = noting(dir.path(), 3);
    let (first, decided) = admit(1);
    assert!(commands.send(first).is_ok());
    let thread = std::thread::spawn(move || writer.run());
    assert_eq!(decided.blocking_recv().unwrap(), Ok(Decided::Granted { sequence: 1 }));
    let three = [
        GuardCall::Epoch(1),
        GuardCall::GivenBack(1),
        GuardCall::GivenBack(1),
        GuardCall::GivenBack(1),
    ];
    let deadline = Instant::now() + Duration::from_secs(30);
    while *log.lock() != three {
        assert!(Instant::now() < deadline, "{:?}", log.lock());
        std::thread::yield_now();
    }
    drop(commands);
    thread.join().unwrap();
}
