//! What the guard is told of its epochs, and when.

use std::sync::Arc;

use parking_lot::Mutex;
use router::id::{AccountId, PaymentId};
use router::message::{EarlyReversal, IdempotencyKey};
use router::money::Currency;
use router::posting::Entry;

use super::*;
use crate::guard::{Balance, GiveBack, GuardError, ReserveAsk, Sought, Verdict};

type Log = Arc<Mutex<Vec<Told>>>;

/// What a guard was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Epoch(u64),
    /// What is reflected now.
    GivenBack(u64),
}

/// A guard in memory that notes what it is told.
struct NotingGuard {
    inner: MemoryGuard,
    log: Log,
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
        self.log.lock().push(Told::GivenBack(group.through));
        Guard::give_back(&mut self.inner, group)
    }

    fn raise_epoch(&mut self, trusted: GateEpoch) {
        self.log.lock().push(Told::Epoch(trusted.0));
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

/// The guard after a payment and a second group, by whether that has a new payment in it too.
fn told_after(has_new_payment: bool) -> Vec<Told> {
    let dir = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::new(Head::ZERO, 0));
    let (_commands, queue) = bounded(16);
    let plain = writer(dir.path(), RaisedLane::default(), queue, &shared);
    let log = Log::default();
    let guard = NotingGuard { inner: plain.guard, log: Arc::clone(&log) };
    let Writer { commands, journal, views, shared, sealer, steps, versions, limits, .. } = plain;
    let mut writer =
        Writer { commands, guard, journal, views, shared, sealer, steps, versions, limits };
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
    let first = [Told::Epoch(1), Told::GivenBack(1)];
    let only_an_outcome = [&first[..], &[Told::Epoch(2), Told::GivenBack(2)]].concat();
    assert_eq!(told_after(false), only_an_outcome);
    let fenced = [&first[..], &[Told::Epoch(2), Told::Epoch(2), Told::GivenBack(2)]].concat();
    assert_eq!(told_after(true), fenced);
}
