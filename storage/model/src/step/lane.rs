//! Lanes that change hands, lanes that are fenced, and lanes that are new.
//!
//! A pause needs no step: between any two steps of a node everything else may happen, since none
//! of them looks at a clock. A node whose lane is taken while it lives *is* the paused node.

use super::{after, append, only_if};
use crate::state::{Entry, Lane, Phase, Record, Refusal, State, Writer};
use crate::{Cluster, Plant};

/// `SET epoch = e + 1, starts[e + 1] = head + 1 IF epoch = e`. It may be the dead owner's other
/// node, the owner itself started again, or somebody who takes a slow one for dead.
pub fn take(cluster: &Cluster, now: &State, node: usize, lane: usize) -> Option<State> {
    let row = now.lanes[lane].as_ref()?;
    only_if(now.nodes[node].up && now.left.takeovers > 0)?;
    let epoch_held = now.nodes[node].writers[lane].as_ref().map(|writer| writer.epoch);
    only_if(epoch_held != Some(row.epoch))?;
    after(now, |next| {
        next.left.takeovers -= 1;
        forget_lane(cluster, next, node, lane);
        let row = next.lanes[lane].as_mut().expect("invariant: the step found this lane");
        row.take();
        let (epoch, guard, head) = (row.epoch, row.guard, row.head);
        // Whoever inserted the lane may have died before reading `control` again.
        let rechecked = cluster.is_planted(Plant::TakenLaneNotRechecked);
        let writer = Writer { epoch, guard, head, rechecked, pending: None };
        next.nodes[node].writers[lane] = Some(writer);
    })
}

/// An update was not applied, or the row was read: another epoch.
pub fn find_lost(cluster: &Cluster, now: &State, node: usize, lane: usize) -> Option<State> {
    let (row, writer) = now.writer(node, lane)?;
    only_if(row.epoch != writer.epoch)?;
    after(now, |next| forget_lane(cluster, next, node, lane))
}

/// The former owner's memory of the lane. Its holds it leaves alone: the taker judges them by
/// the records.
pub(super) fn forget_lane(cluster: &Cluster, next: &mut State, node: usize, lane: usize) {
    next.nodes[node].writers[lane] = None;
    for (payment, _) in cluster.asked_in(node, lane) {
        next.phases[payment] = match next.phases[payment] {
            Phase::Reserved => Phase::Refused(Refusal::Fenced),
            // The update may have been applied before the lane was taken: then it counts, and
            // is the taker's.
            Phase::IntentPending
                if next.is_recorded(Record::Intent(payment))
                    && !cluster.is_planted(Plant::LostMeansRefused) =>
            {
                Phase::Lost
            }
            Phase::IntentPending => Phase::Refused(Refusal::Fenced),
            Phase::OutcomePending(outcome)
                if next.is_recorded(Record::Outcome(payment, outcome)) =>
            {
                Phase::Decided(outcome)
            }
            Phase::Intended | Phase::Sent | Phase::Heard(_) | Phase::OutcomePending(_) => {
                Phase::Lost
            }
            done => done,
        };
    }
}

/// The row has another gate epoch. What was reserved under the old one can get in no more, so its
/// originator may ask again; a frame of it that is already inserted must never count either, so the
/// owner takes its own lane once more. What is below the head goes on.
pub fn renew(cluster: &Cluster, now: &State, node: usize, lane: usize) -> Option<State> {
    let (row, writer) = now.writer(node, lane)?;
    only_if(now.nodes[node].up && row.epoch == writer.epoch && row.guard != writer.guard)?;
    let moved = row.head > writer.head;
    after(now, |next| {
        if moved {
            append::acknowledge(cluster, next, node, lane);
        }
        let (row, writer) = next.writer_mut(node, lane);
        row.take();
        writer.pending = None;
        (writer.epoch, writer.guard) = (row.epoch, row.guard);
        for (payment, _) in cluster.asked_in(node, lane) {
            next.phases[payment] = match next.phases[payment] {
                Phase::Reserved | Phase::IntentPending => Phase::Refused(Refusal::Fenced),
                Phase::OutcomePending(outcome) => Phase::Heard(outcome),
                other => other,
            };
        }
    })
}

/// The holds of earlier lane epochs that no record names, and their keys: those epochs can append
/// no more. One call, gated like every other.
pub fn release_holds(cluster: &Cluster, now: &State, node: usize, lane: usize) -> Option<State> {
    let (row, writer) = now.writer(node, lane)?;
    only_if(now.gate_accepts(node))?;
    let lane_alone = cluster.is_planted(Plant::HoldsReleasedByLaneAlone);
    let redis = now.redis_of(node);
    let named = |payment| row.visible().any(|frame| frame.record == Record::Intent(payment));
    let ended = |payment: &usize| match redis.entries[*payment] {
        Some(Entry::Held { epoch }) => {
            let of_another = lane_alone && cluster.payments[*payment].node != node;
            (epoch < writer.epoch || of_another) && !named(*payment)
        }
        _ => false,
    };
    let in_lane = cluster.payments.iter().enumerate().filter(|(_, asked)| asked.lane == lane);
    let ended: Vec<usize> = in_lane.map(|(payment, _)| payment).filter(ended).collect();
    only_if(!ended.is_empty())?;
    let instance = now.nodes[node].redis;
    after(now, |next| {
        ended.iter().for_each(|payment| next.redis[instance].entries[*payment] = None);
    })
}

/// First read of `control`.
pub fn plan(cluster: &Cluster, now: &State, node: usize) -> Option<State> {
    let planner = &now.nodes[node];
    let lane = cluster.new_lane.filter(|new| new.node == node)?.lane;
    only_if(planner.up && now.lanes[lane].is_none() && planner.planned_guard.is_none())?;
    after(now, |next| next.nodes[node].planned_guard = Some(now.control.epoch))
}

/// `INSERT … IF NOT EXISTS` with the gate epoch that was read, which may have passed by now.
pub fn insert(cluster: &Cluster, now: &State, node: usize) -> Option<State> {
    let lane = cluster.new_lane.filter(|new| new.node == node)?.lane;
    let guard = now.nodes[node].planned_guard?;
    let rechecked = cluster.is_planted(Plant::NewLaneNotRechecked);
    after(now, |next| {
        next.nodes[node].planned_guard = None;
        next.lanes[lane] = Some(Lane::new(guard));
        let writer = Writer { epoch: 1, guard, head: 0, rechecked, pending: None };
        next.nodes[node].writers[lane] = Some(writer);
    })
}

/// Second read of `control`, once the lane is there to be listed. If the epoch is the lane's, then
/// every later change of it will find the lane. If it is not, a fence may have missed the lane:
/// raise its gate epoch as the fence would have, and read again.
pub fn recheck(now: &State, node: usize, lane: usize) -> Option<State> {
    let (row, writer) = now.writer(node, lane)?;
    only_if(!writer.rechecked && row.epoch == writer.epoch)?;
    let epoch = now.control.epoch;
    after(now, |next| {
        let (row, writer) = next.writer_mut(node, lane);
        row.guard = row.guard.max(epoch);
        writer.rechecked = writer.guard == epoch;
        writer.guard = row.guard;
    })
}
