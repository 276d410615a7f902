//! One payment at the gate, on the wire, and at the gate again.

use super::{after, only_if};
use crate::state::{Entry, Phase, Record, Redis, Refusal, State};
use crate::{Cluster, Plant};

/// One call of the function: it compares the gate, then takes key and room together or neither.
/// The node asks only under the gate epoch that its lane has, and only for a lane that it may
/// append intents to. A node whose clock is not that of Redis is refused. No key is forgotten: less
/// time passes in this model than keys are known for, and one step of a clock counts for little.
pub fn reserve(cluster: &Cluster, now: &State, payment: usize) -> Option<State> {
    let request = &cluster.payments[payment];
    let (_, writer) = now.writer(request.node, request.lane)?;
    only_if(now.phases[payment] == Phase::New && writer.rechecked)?;
    let of_lane = now.nodes[request.node].gate == Some(writer.guard);
    only_if(now.gate_accepts(request.node) && (of_lane || cluster.is_planted(Plant::NoFence)))?;
    let not_compared = cluster.is_planted(Plant::ClocksNotCompared);
    only_if(now.clocks_agree(request.node) || not_compared)?;
    let epoch = writer.epoch;
    let instance = now.nodes[request.node].redis;
    let of_node = not_compared && now.nodes[request.node].ahead;
    let of_redis = cluster.is_planted(Plant::StepOfClockNotBounded) && now.redis[instance].ahead;
    after(now, |next| {
        if of_node || of_redis {
            next.redis[instance].forget_keys();
        }
        next.phases[payment] = match admit(cluster, &next.redis[instance], payment) {
            Err(refusal) => Phase::Refused(refusal),
            Ok(()) => {
                next.redis[instance].entries[payment] = Some(Entry::Held { epoch });
                Phase::Reserved
            }
        }
    })
}

fn admit(cluster: &Cluster, redis: &Redis, payment: usize) -> Result<(), Refusal> {
    let request = &cluster.payments[payment];
    let others = || cluster.payments.iter().enumerate().filter(|(other, _)| *other != payment);
    if others().any(|(other, asked)| asked.key == request.key && redis.knows_key(other)) {
        return Err(Refusal::Duplicate);
    }
    let rivals = others().filter(|(_, asked)| asked.account == request.account);
    let counting = rivals.filter(|(other, _)| redis.takes_room(*other));
    let taken: u8 = counting.map(|(_, asked)| asked.amount).sum();
    let taken = taken.saturating_sub(redis.lowered[usize::from(request.account)]);
    if taken + request.amount > cluster.room {
        return Err(Refusal::Limit);
    }
    Ok(())
}

/// Nothing is asked of any store here: a node that was paused since its INTENT counts may well
/// have lost the lane.
pub fn send(now: &State, payment: usize) -> Option<State> {
    only_if(now.phases[payment] == Phase::Intended)?;
    after(now, |next| {
        next.phases[payment] = Phase::Sent;
        next.sent[payment] = true;
    })
}

/// The originator is told what the journal says.
pub fn answer(now: &State, payment: usize) -> Option<State> {
    let Phase::Decided(outcome) = now.phases[payment] else { return None };
    after(now, |next| {
        next.phases[payment] = Phase::Answered;
        next.answered[payment] = Some(outcome);
    })
}

/// The owner of a lane brings its next outcome or reversal to Redis: the first beyond the mark that Redis has,
/// whatever the owner may have brought to another instance before.
pub fn settle(cluster: &Cluster, now: &State, node: usize, lane: usize) -> Option<State> {
    let (row, writer) = now.writer(node, lane)?;
    let ungated = cluster.is_planted(Plant::SettledWithoutGate) && now.nodes[node].up;
    only_if(now.gate_accepts(node) || ungated)?;
    let instance = now.nodes[node].redis;
    let beyond = now.redis[instance].marks[lane] + 1..=writer.head;
    let mut endings = row.visible().filter(|frame| match frame.record {
        Record::Outcome(..) | Record::Reversed(_) => true,
        Record::Intent(_) => false,
    });
    let frame = endings.find(|frame| beyond.contains(&frame.position))?;
    after(now, |next| {
        next.redis[instance].reflect(cluster, &now.over, frame);
        next.redis[instance].marks[lane] = frame.position;
    })
}
