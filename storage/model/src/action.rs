//! What can happen next.

use std::collections::BTreeSet;

use crate::state::{LANES, NODES, Outcome, State};
use crate::{Cluster, step};

/// One step. Whether it can be taken now, and what it does, is in [`crate::step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are what their names say: numbers from 0")]
pub enum Action {
    // One payment, in its order.
    /// Redis takes the key and room on the account, or refuses.
    Reserve { payment: usize },
    /// The INTENT is inserted as a frame.
    InsertIntent { payment: usize },
    /// The conditional update of the head is applied and its reply arrives.
    MoveHead { node: usize, lane: usize },
    /// The payment is put on the wire.
    Send { payment: usize },
    /// The other side's word arrives, or not in time, and is inserted as a frame.
    InsertOutcome { payment: usize, outcome: Outcome },
    /// The originator is told.
    Answer { payment: usize },
    /// The next outcome of the lane that Redis does not reflect is brought there.
    Settle { node: usize, lane: usize },

    // Bills.
    /// An approved payment is reversed: its record is inserted as a frame.
    Reverse { node: usize, lane: usize, payment: usize },
    /// The set time after an account's last payment passes.
    TimePasses { account: u8 },
    /// An instance drops what it counted of an account that is forgotten.
    ForgetBill { redis: usize, account: u8 },

    // A store that answers late.
    /// The update of the head gets no reply in time.
    MoveTimesOut { node: usize, lane: usize },
    /// It arrives after all.
    LateMove { lane: usize },
    /// The writer reads the row to learn what happened.
    ReadBack { node: usize, lane: usize },
    /// Planted: the frame arrives when the head is already beyond it.
    FrameArrives { node: usize, lane: usize },

    // Lanes that change hands.
    /// A lane is taken, whether its owner is dead, paused or well.
    TakeLane { node: usize, lane: usize },
    /// An owner learns that the lane is no longer its own.
    FindLaneLost { node: usize, lane: usize },
    /// An owner learns that the lane was fenced, and goes on in a new lane epoch.
    RenewLane { node: usize, lane: usize },
    /// The taker closes an INTENT that it has no memory of.
    ResolveIntent { node: usize, lane: usize, payment: usize },
    /// The taker gives back the holds of earlier lane epochs that no record names.
    ReleaseHolds { node: usize, lane: usize },

    // A lane that is new.
    /// The node reads the gate epoch that the new lane shall have.
    PlanLane { node: usize },
    /// The lane is inserted.
    InsertLane { node: usize },
    /// `control` is read again, and the lane's gate epoch raised if it was missed.
    RecheckLane { node: usize, lane: usize },

    // A change of the gate epoch.
    /// The node takes the published gate epoch, having compared the pin with its connection.
    LearnGate { node: usize },
    /// The node follows a promotion.
    Reconnect { node: usize },
    /// `control` goes to the next epoch, closed.
    BeginChange { node: usize },
    /// The lanes are listed.
    ListLanes { node: usize },
    /// One of them is fenced.
    FenceLane { node: usize, lane: usize },
    /// The node's Redis is put under the new epoch, closed.
    ClaimRedis { node: usize },
    /// The heads are read.
    ReadHeads { node: usize },
    /// The journal up to there is written to Redis, and its gate opened.
    Rebuild { node: usize },
    /// `control` says open, and which instance.
    Publish { node: usize },

    // The world.
    /// An instance loses everything.
    Flush { redis: usize },
    /// The replica gets nothing more.
    ReplicaFallsBehind,
    /// The replica becomes a primary.
    Promote,
    /// A node dies.
    Crash { node: usize },
    /// It starts again, with no memory.
    Restart { node: usize },
    /// A node's clock jumps ahead, or returns.
    NodeClockJumps { node: usize },
    /// The clock of an instance jumps ahead, or returns.
    RedisClockJumps { redis: usize },
    /// Planted: a hold runs out.
    HoldExpires { redis: usize, payment: usize },
}

impl Action {
    /// Everything that might happen in `cluster`, possible now or not.
    pub fn all(cluster: &Cluster, all: &mut Vec<Action>) {
        let lanes = if cluster.new_lane.is_some() { LANES } else { LANES - 1 };
        all.extend([Action::ReplicaFallsBehind, Action::Promote]);
        for payment in 0..cluster.payments.len() {
            all.extend(of_payment(payment));
            let outcome = |outcome: &_| Action::InsertOutcome { payment, outcome: *outcome };
            all.extend(cluster.outcomes.iter().map(outcome));
        }
        for lane in 0..lanes {
            all.push(Action::LateMove { lane });
        }
        all.extend(of_bills(cluster));
        for node in 0..NODES {
            all.extend(of_node(node));
            for lane in 0..lanes {
                all.extend(of_lane(node, lane));
                let resolve = |payment| Action::ResolveIntent { node, lane, payment };
                all.extend((0..cluster.payments.len()).map(resolve));
            }
        }
    }

    /// The state after this step, or `None` where it cannot be taken.
    pub fn take(self, cluster: &Cluster, now: &State) -> Option<State> {
        match self {
            Action::Reserve { payment } => step::payment::reserve(cluster, now, payment),
            Action::InsertIntent { payment } => step::append::insert_intent(cluster, now, payment),
            Action::MoveHead { node, lane } => step::append::move_head(cluster, now, node, lane),
            Action::Send { payment } => step::payment::send(now, payment),
            Action::InsertOutcome { payment, outcome } => {
                step::append::insert_outcome(cluster, now, payment, outcome)
            }
            Action::Answer { payment } => step::payment::answer(now, payment),
            Action::Settle { node, lane } => step::payment::settle(cluster, now, node, lane),
            Action::Reverse { node, lane, payment } => {
                step::bill::reverse(cluster, now, (node, lane), payment)
            }
            Action::TimePasses { account } => step::bill::time_passes(cluster, now, account),
            Action::ForgetBill { redis, account } => {
                step::bill::forget(cluster, now, redis, account)
            }
            Action::MoveTimesOut { node, lane } => {
                step::append::move_times_out(cluster, now, node, lane)
            }
            Action::LateMove { lane } => step::append::late_move(now, lane),
            Action::ReadBack { node, lane } => step::append::read_back(cluster, now, node, lane),
            Action::FrameArrives { node, lane } => step::append::frame_arrives(now, node, lane),
            Action::TakeLane { node, lane } => step::lane::take(cluster, now, node, lane),
            Action::FindLaneLost { node, lane } => step::lane::find_lost(cluster, now, node, lane),
            Action::RenewLane { node, lane } => step::lane::renew(cluster, now, node, lane),
            Action::ResolveIntent { node, lane, payment } => {
                step::append::resolve_intent(cluster, now, (node, lane), payment)
            }
            Action::ReleaseHolds { node, lane } => {
                step::lane::release_holds(cluster, now, node, lane)
            }
            Action::PlanLane { node } => step::lane::plan(cluster, now, node),
            Action::InsertLane { node } => step::lane::insert(cluster, now, node),
            Action::RecheckLane { node, lane } => step::lane::recheck(now, node, lane),
            Action::LearnGate { node } => step::change::learn_gate(cluster, now, node),
            Action::Reconnect { node } => step::change::reconnect(now, node),
            Action::BeginChange { node } => step::change::begin(now, node),
            Action::ListLanes { node } => step::change::list_lanes(cluster, now, node),
            Action::FenceLane { node, lane } => step::change::fence_lane(now, node, lane),
            Action::ClaimRedis { node } => step::change::claim_redis(cluster, now, node),
            Action::ReadHeads { node } => step::change::read_heads(now, node),
            Action::Rebuild { node } => step::change::rebuild(cluster, now, node),
            Action::Publish { node } => step::change::publish(cluster, now, node),
            Action::Flush { redis } => step::world::flush(now, redis),
            Action::ReplicaFallsBehind => step::world::replica_falls_behind(now),
            Action::Promote => step::world::promote(now),
            Action::Crash { node } => step::world::crash(cluster, now, node),
            Action::Restart { node } => step::world::restart(now, node),
            Action::NodeClockJumps { node } => step::world::node_clock_jumps(now, node),
            Action::RedisClockJumps { redis } => step::world::redis_clock_jumps(now, redis),
            Action::HoldExpires { redis, payment } => {
                step::world::hold_expires(cluster, now, redis, payment)
            }
        }
    }
}

/// Nothing where no bill is reversed or forgotten.
fn of_bills(cluster: &Cluster) -> Vec<Action> {
    let mut all = Vec::new();
    if cluster.reverses {
        for (payment, asked) in cluster.payments.iter().enumerate() {
            let reverse = |node| Action::Reverse { node, lane: asked.lane, payment };
            all.extend((0..NODES).map(reverse));
        }
    }
    if cluster.forgets_bills {
        let accounts: BTreeSet<u8> = cluster.payments.iter().map(|asked| asked.account).collect();
        for account in accounts {
            all.push(Action::TimePasses { account });
            // There are as many instances as nodes.
            all.extend((0..NODES).map(|redis| Action::ForgetBill { redis, account }));
        }
    }
    all
}

fn of_payment(payment: usize) -> [Action; 6] {
    [
        Action::Reserve { payment },
        Action::InsertIntent { payment },
        Action::Send { payment },
        Action::Answer { payment },
        Action::HoldExpires { redis: 0, payment },
        Action::HoldExpires { redis: 1, payment },
    ]
}

fn of_node(node: usize) -> [Action; 15] {
    [
        Action::PlanLane { node },
        Action::InsertLane { node },
        Action::LearnGate { node },
        Action::Reconnect { node },
        Action::BeginChange { node },
        Action::ListLanes { node },
        Action::ClaimRedis { node },
        Action::ReadHeads { node },
        Action::Rebuild { node },
        Action::Publish { node },
        Action::Crash { node },
        Action::Restart { node },
        // There are as many instances as nodes.
        Action::Flush { redis: node },
        Action::RedisClockJumps { redis: node },
        Action::NodeClockJumps { node },
    ]
}

fn of_lane(node: usize, lane: usize) -> [Action; 11] {
    [
        Action::MoveHead { node, lane },
        Action::Settle { node, lane },
        Action::MoveTimesOut { node, lane },
        Action::ReadBack { node, lane },
        Action::FrameArrives { node, lane },
        Action::TakeLane { node, lane },
        Action::FindLaneLost { node, lane },
        Action::RenewLane { node, lane },
        Action::ReleaseHolds { node, lane },
        Action::RecheckLane { node, lane },
        Action::FenceLane { node, lane },
    ]
}
