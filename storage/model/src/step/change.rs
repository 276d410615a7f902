//! A change of the gate epoch: fence every lane, rebuild one Redis from the journal, open.

use super::{after, only_if};
use crate::state::{Change, Entry, Gate, LANES, Record, Redis, Replica, Stage, State};
use crate::{Cluster, Plant};

/// A connection is compared with the pin before its first call. Without that, a replica that was
/// promoted with the right gate value and without its tail would pass for the instance in use.
pub fn learn_gate(cluster: &Cluster, now: &State, node: usize) -> Option<State> {
    let reader = &now.nodes[node];
    let pinned = now.control.pin == reader.redis || cluster.is_planted(Plant::PinNotCompared);
    only_if(reader.up && now.control.open && pinned)?;
    only_if(reader.gate != Some(now.control.epoch))?;
    after(now, |next| next.nodes[node].gate = Some(now.control.epoch))
}

/// What was begun over the old connection is not carried over to the new one. When nobody is left
/// who calls the first instance, what it holds is of no more consequence.
pub fn reconnect(now: &State, node: usize) -> Option<State> {
    only_if(now.nodes[node].up && now.nodes[node].redis == 0)?;
    only_if(now.replica == Replica::Promoted)?;
    after(now, |next| {
        next.nodes[node].redis = 1;
        next.nodes[node].gate = None;
        next.nodes[node].change = None;
        if next.nodes.iter().all(|node| node.redis == 1) {
            next.redis[0] = Redis::default();
        }
    })
}

/// `SET epoch = g + 1, state = rebuilding IF epoch = g`, by whoever sees that the published gate is
/// not the one it is connected to, or that a rebuild was left half done – or seems to be. On a Redis
/// with another time it begins nothing.
pub fn begin(now: &State, node: usize) -> Option<State> {
    let beginner = &now.nodes[node];
    let published = Gate { epoch: now.control.epoch, open: true };
    let agrees = now.control.open
        && now.control.pin == beginner.redis
        && now.redis_of(node).gate == Some(published);
    only_if(beginner.up && now.left.changes > 0 && !agrees && !is_under_way(now, node))?;
    only_if(now.clocks_agree(node))?;
    after(now, |next| {
        next.left.changes -= 1;
        next.control.epoch += 1;
        next.control.open = false;
        let change = Change { epoch: next.control.epoch, stage: Stage::Begun };
        next.nodes[node].change = Some(change);
    })
}

/// Whether the node's own change is the latest, and its Redis has not forgotten it.
fn is_under_way(now: &State, node: usize) -> bool {
    let Some(change) = &now.nodes[node].change else { return false };
    let open = match change.stage {
        Stage::Begun | Stage::Fencing { .. } => return change.epoch == now.control.epoch,
        Stage::Claimed { .. } | Stage::Read { .. } => false,
        Stage::Rebuilt => true,
    };
    let gate = Gate { epoch: change.epoch, open };
    change.epoch == now.control.epoch && now.redis_of(node).gate == Some(gate)
}

/// Lanes inserted after this are not found; their owners will find the new epoch.
pub fn list_lanes(cluster: &Cluster, now: &State, node: usize) -> Option<State> {
    let change = now.nodes[node].change.as_ref()?;
    only_if(change.stage == Stage::Begun)?;
    let listed = std::array::from_fn(|lane| now.lanes[lane].is_some());
    let left = if cluster.is_planted(Plant::NoFence) { [false; LANES] } else { listed };
    enter(now, node, Stage::Fencing { listed, left })
}

/// `SET guard_epoch = g + 1 IF guard_epoch < g + 1`; repeated until it is known to be so.
pub fn fence_lane(now: &State, node: usize, lane: usize) -> Option<State> {
    let change = now.nodes[node].change.as_ref()?;
    let Stage::Fencing { listed, mut left } = change.stage else { return None };
    only_if(left[lane])?;
    left[lane] = false;
    enter(now, node, Stage::Fencing { listed, left }).map(|mut next| {
        raise_guard(&mut next, lane, change.epoch);
        next
    })
}

fn raise_guard(next: &mut State, lane: usize, epoch: u8) {
    let row = next.lanes[lane].as_mut().expect("invariant: listed lanes exist");
    row.guard = row.guard.max(epoch);
}

/// The function accepts a newer epoch than its own, and nothing of an older one after that.
/// Claimed before anything is read: what empties the instance later takes the claim away too, so
/// what was read cannot be written to an instance that is no longer as it was.
pub fn claim_redis(cluster: &Cluster, now: &State, node: usize) -> Option<State> {
    let change = now.nodes[node].change.as_ref()?;
    let Stage::Fencing { listed, left } = change.stage else { return None };
    only_if(left == [false; LANES] || cluster.is_planted(Plant::FenceAfterRebuild))?;
    let gate = Gate { epoch: change.epoch, open: false };
    if now.redis_of(node).gate.is_some_and(|newer| newer.epoch >= gate.epoch) {
        return give_up(now, node);
    }
    enter(now, node, Stage::Claimed { listed }).map(|mut next| {
        if !cluster.is_planted(Plant::RedisNotClaimed) {
            next.redis[now.nodes[node].redis].gate = Some(gate);
        }
        next
    })
}

/// No intent can be added below these heads or above them any more, only outcomes.
pub fn read_heads(now: &State, node: usize) -> Option<State> {
    let change = now.nodes[node].change.as_ref()?;
    let Stage::Claimed { listed } = change.stage else { return None };
    let head = |lane: usize| now.lanes[lane].as_ref().map_or(0, |row| row.head);
    let heads = std::array::from_fn(|lane| if listed[lane] { head(lane) } else { 0 });
    enter(now, node, Stage::Read { marks: now.redis_of(node).marks, heads })
}

/// Replays each lane from its mark – from its beginning, where the instance is empty – and drops
/// what no record names: nothing decided before the fence can name it any more.
pub fn rebuild(cluster: &Cluster, now: &State, node: usize) -> Option<State> {
    let change = now.nodes[node].change.as_ref()?;
    let Stage::Read { marks, heads } = change.stage else { return None };
    let instance = now.nodes[node].redis;
    let claimed = now.redis[instance].gate == Some(Gate { epoch: change.epoch, open: false });
    if !claimed && !cluster.is_planted(Plant::RedisNotClaimed) {
        return give_up(now, node);
    }
    enter(now, node, Stage::Rebuilt).map(|mut next| {
        let redis = &mut next.redis[instance];
        reflect_lanes(cluster, now, redis, (marks, heads));
        redis.gate = Some(Gate { epoch: change.epoch, open: true });
        next
    })
}

fn reflect_lanes(
    cluster: &Cluster,
    now: &State,
    redis: &mut Redis,
    (marks, heads): ([u8; LANES], [u8; LANES]),
) {
    let mut entries_named = redis.entries.map(|_| None::<Entry>);
    for (lane, row) in now.lanes.iter().enumerate() {
        let read = row.iter().flat_map(|row| row.visible());
        for frame in read.filter(|frame| frame.position <= heads[lane]) {
            if frame.position > marks[lane] {
                redis.reflect(cluster, &now.over, frame);
            }
            if let Record::Intent(payment) = frame.record {
                entries_named[payment] = redis.entries[payment];
            }
        }
        redis.marks[lane] = redis.marks[lane].max(heads[lane]);
    }
    redis.entries = entries_named;
}

/// `SET state = open, pin = … IF epoch = g + 1`.
pub fn publish(cluster: &Cluster, now: &State, node: usize) -> Option<State> {
    let change = now.nodes[node].change.as_ref()?;
    only_if(change.stage == Stage::Rebuilt)?;
    if change.epoch != now.control.epoch {
        return give_up(now, node);
    }
    after(now, |next| {
        if cluster.is_planted(Plant::FenceAfterRebuild) {
            let lanes = (0..LANES).filter(|lane| now.lanes[*lane].is_some());
            lanes.for_each(|lane| raise_guard(next, lane, change.epoch));
        }
        next.control.open = true;
        next.control.pin = now.nodes[node].redis;
        next.nodes[node].change = None;
        next.nodes[node].gate = Some(now.control.epoch);
    })
}

/// A step was refused: somebody has begun a later change, or the instance has forgotten this one.
fn give_up(now: &State, node: usize) -> Option<State> {
    after(now, |next| next.nodes[node].change = None)
}

fn enter(now: &State, node: usize, stage: Stage) -> Option<State> {
    after(now, |next| {
        let change = next.nodes[node].change.as_mut();
        change.expect("invariant: the step found this change").stage = stage;
    })
}
