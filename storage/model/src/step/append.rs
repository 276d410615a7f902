//! How a record gets into a lane: a frame inserted plainly, then the head moved over it by one
//! conditional update. Only the second step makes it count.
//!
//! A frame that is not acknowledged yet is no state of its own: nobody sees it, and its writer
//! only waits and repeats it. So inserting and acknowledging are one step – unless it is planted
//! that the writer does not wait.

use super::{after, only_if};
use crate::state::{Frame, Lane, LateMove, Outcome, Pending, Phase, Record, State, Writer};
use crate::{Cluster, Plant};

/// The lane's writer has the epochs under which the payment was reserved, or the payment would
/// have been refused when they changed: see [`super::lane`].
pub fn insert_intent(cluster: &Cluster, now: &State, payment: usize) -> Option<State> {
    let request = &cluster.payments[payment];
    only_if(now.phases[payment] == Phase::Reserved)?;
    insert(cluster, now, (request.node, request.lane), Record::Intent(payment)).map(|mut next| {
        next.phases[payment] = Phase::IntentPending;
        next
    })
}

/// The other side's word arrives, and from then on it is what it is.
pub fn insert_outcome(
    cluster: &Cluster,
    now: &State,
    payment: usize,
    outcome: Outcome,
) -> Option<State> {
    let request = &cluster.payments[payment];
    only_if([Phase::Sent, Phase::Heard(outcome)].contains(&now.phases[payment]))?;
    let record = Record::Outcome(payment, outcome);
    insert(cluster, now, (request.node, request.lane), record).map(|mut next| {
        next.phases[payment] = Phase::OutcomePending(outcome);
        next
    })
}

/// Whoever took the lane closes what it finds open and did not send itself: it may have been
/// sent, so nobody may say that it was not.
pub fn resolve_intent(
    cluster: &Cluster,
    now: &State,
    (node, lane): (usize, usize),
    payment: usize,
) -> Option<State> {
    let (row, _) = now.writer(node, lane)?;
    let request = &cluster.payments[payment];
    only_if(request.node != node || now.phases[payment] == Phase::Lost)?;
    let mut about = row.visible().filter(|frame| frame.record.payment() == payment);
    only_if(about.next().is_some() && about.next().is_none())?;
    insert(cluster, now, (node, lane), Record::Outcome(payment, Outcome::Unknown))
}

/// One record at a time is on its way; a group of many is a longer frame.
pub(super) fn insert(
    cluster: &Cluster,
    now: &State,
    (node, lane): (usize, usize),
    record: Record,
) -> Option<State> {
    let (_, writer) = now.writer(node, lane)?;
    only_if(writer.pending.is_none())?;
    let acknowledged = !cluster.is_planted(Plant::HeadBeforeFrameAcknowledged);
    after(now, |next| {
        let (row, writer) = next.writer_mut(node, lane);
        writer.pending = Some(Pending { record, acknowledged, unsure: false });
        if acknowledged {
            row.insert(frame(writer, record));
        }
    })
}

fn frame(writer: &Writer, record: Record) -> Frame {
    Frame { position: writer.head + 1, epoch: writer.epoch, guard: writer.guard, record }
}

/// Planted: the frame that was not waited for arrives, if its writer still lives.
pub fn frame_arrives(now: &State, node: usize, lane: usize) -> Option<State> {
    let (_, writer) = now.writer(node, lane)?;
    let pending = writer.pending.as_ref().filter(|pending| !pending.acknowledged)?;
    let frame = frame(writer, pending.record);
    after(now, |next| {
        let (row, writer) = next.writer_mut(node, lane);
        row.insert(frame);
        let pending = writer.pending.as_mut().expect("invariant: the step found it pending");
        pending.acknowledged = true;
    })
}

/// `SET head = k + 1 IF epoch = e AND guard_epoch = g AND head = k`, applied, and known to be. One
/// that is not applied changes nothing; what its writer does then is in [`super::lane`].
pub fn move_head(cluster: &Cluster, now: &State, node: usize, lane: usize) -> Option<State> {
    let (row, writer) = movable(cluster, now, node, lane)?;
    only_if(row.accepts(writer.epoch, writer.guard, writer.head))?;
    after(now, |next| {
        let (row, _) = next.writer_mut(node, lane);
        row.head += 1;
        acknowledge(cluster, next, node, lane);
    })
}

/// The same update, but no reply comes in time, and it may be applied at any later time.
pub fn move_times_out(cluster: &Cluster, now: &State, node: usize, lane: usize) -> Option<State> {
    let (row, writer) = movable(cluster, now, node, lane)?;
    only_if(now.left.timeouts > 0 && row.late.is_none())?;
    let late = LateMove { epoch: writer.epoch, guard: writer.guard, head: writer.head };
    after(now, |next| {
        next.left.timeouts -= 1;
        let (row, writer) = next.writer_mut(node, lane);
        row.late = Some(late);
        let pending = writer.pending.as_mut().expect("invariant: the step found it pending");
        pending.unsure = true;
    })
}

fn movable<'a>(
    cluster: &Cluster,
    now: &'a State,
    node: usize,
    lane: usize,
) -> Option<(&'a Lane, &'a Writer)> {
    let (row, writer) = now.writer(node, lane)?;
    let pending = writer.pending.as_ref()?;
    let may_move = pending.acknowledged || cluster.is_planted(Plant::HeadBeforeFrameAcknowledged);
    (may_move && !pending.unsure).then_some((row, writer))
}

/// The late update arrives, and its condition is compared only now. That it never arrives is the
/// case in which this step is not taken.
pub fn late_move(now: &State, lane: usize) -> Option<State> {
    let row = now.lanes[lane].as_ref()?;
    let late = row.late.as_ref()?;
    let applied = row.accepts(late.epoch, late.guard, late.head);
    after(now, |next| {
        let row = next.lanes[lane].as_mut().expect("invariant: the step found this lane");
        row.late = None;
        row.head += u8::from(applied);
    })
}

/// A serial read of the row: the head has moved, or it has not and the same update is repeated. A
/// row of another epoch is the business of [`super::lane`].
pub fn read_back(cluster: &Cluster, now: &State, node: usize, lane: usize) -> Option<State> {
    let (row, writer) = now.writer(node, lane)?;
    only_if(writer.pending.as_ref()?.unsure && row.epoch == writer.epoch)?;
    let moved = row.head > writer.head;
    after(now, |next| match moved {
        true => acknowledge(cluster, next, node, lane),
        false => {
            let (_, writer) = next.writer_mut(node, lane);
            let pending = writer.pending.as_mut().expect("invariant: the step found it pending");
            pending.unsure = false;
        }
    })
}

/// What is pending counts, and its writer knows.
pub(super) fn acknowledge(cluster: &Cluster, next: &mut State, node: usize, lane: usize) {
    let (_, writer) = next.writer_mut(node, lane);
    writer.head += 1;
    let pending = writer.pending.take().expect("invariant: only what is pending is acknowledged");
    let payment = pending.record.payment();
    next.phases[payment] = match (next.phases[payment], pending.record) {
        (Phase::IntentPending, Record::Intent(_)) => Phase::Intended,
        (Phase::OutcomePending(outcome), _) if own(cluster, payment, node) => {
            Phase::Decided(outcome)
        }
        // A taker's record about a payment that somebody else was asked for.
        (phase, _) => phase,
    };
}

fn own(cluster: &Cluster, payment: usize, node: usize) -> bool {
    cluster.payments[payment].node == node
}
