//! What nobody here does, but what happens: instances forget, replicas lag, processes die.

use super::{after, only_if};
use crate::state::{Entry, Phase, Redis, Replica, State};
use crate::{Cluster, Plant};

/// Everything is gone, the gate value too. A restart without data does the same and breaks the
/// connections besides, which takes possible steps away and adds none.
pub fn flush(now: &State, redis: usize) -> Option<State> {
    only_if(now.left.flushes > 0 && now.redis[redis] != now.redis[redis].emptied())?;
    only_if(redis == 0 || now.replica == Replica::Promoted)?;
    after(now, |next| {
        next.left.flushes -= 1;
        next.redis[redis] = now.redis[redis].emptied();
    })
}

/// Whatever a replica has, it had all of at one moment: only the last such moment matters.
pub fn replica_falls_behind(now: &State) -> Option<State> {
    only_if(now.left.promotions > 0 && now.replica == Replica::InSync)?;
    after(now, |next| {
        next.replica = Replica::Behind;
        next.redis[1] = Redis { ahead: now.redis[1].ahead, ..now.redis[0].clone() };
    })
}

/// The nodes follow one by one, or not at all.
pub fn promote(now: &State) -> Option<State> {
    only_if(now.replica == Replica::Behind)?;
    after(now, |next| {
        next.replica = Replica::Promoted;
        next.left.promotions -= 1;
    })
}

/// The process is gone with all it remembers; those who asked it hear nothing.
pub fn crash(cluster: &Cluster, now: &State, node: usize) -> Option<State> {
    only_if(now.nodes[node].up && now.left.crashes > 0)?;
    after(now, |next| {
        next.left.crashes -= 1;
        next.nodes[node] = now.nodes[node].dead();
        for (payment, _) in cluster.asked_at(node) {
            next.phases[payment] = match next.phases[payment] {
                told @ (Phase::New | Phase::Answered | Phase::Refused(_)) => told,
                _ => Phase::Lost,
            };
        }
    })
}

/// A lane it has to take, like anyone.
pub fn restart(now: &State, node: usize) -> Option<State> {
    only_if(!now.nodes[node].up)?;
    after(now, |next| next.nodes[node].up = true)
}

/// The clock of a node's machine jumps ahead, and its process believes it; or it returns.
pub fn node_clock_jumps(now: &State, node: usize) -> Option<State> {
    let is_ahead = now.nodes[node].ahead;
    only_if(is_ahead || now.left.jumps > 0)?;
    after(now, |next| {
        next.nodes[node].ahead = !is_ahead;
        next.left.jumps -= u8::from(!is_ahead);
    })
}

/// The clock of the machine of an instance jumps ahead, or returns.
pub fn redis_clock_jumps(now: &State, redis: usize) -> Option<State> {
    let is_called = now.nodes.iter().any(|node| node.redis == redis);
    only_if(is_called || (redis == 1 && now.replica == Replica::Promoted))?;
    let is_ahead = now.redis[redis].ahead;
    only_if(is_ahead || now.left.jumps > 0)?;
    after(now, |next| {
        next.redis[redis].ahead = !is_ahead;
        next.left.jumps -= u8::from(!is_ahead);
    })
}

/// Planted: a hold with a time to live.
pub fn hold_expires(cluster: &Cluster, now: &State, redis: usize, payment: usize) -> Option<State> {
    only_if(cluster.is_planted(Plant::HoldReleasedByTime))?;
    only_if(matches!(now.redis[redis].entries[payment], Some(Entry::Held { .. })))?;
    after(now, |next| next.redis[redis].entries[payment] = Some(Entry::Released))
}
