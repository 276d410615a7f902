//! Everything the protocol can see or remember, in one value.

mod lane;
mod node;
mod redis;

pub use lane::{Frame, Lane, LateMove, Outcome, Record};
pub use node::{Change, Node, Pending, Phase, Refusal, Stage, Writer};
pub use redis::{Entry, Gate, Redis};

use crate::Cluster;

/// Nodes of the cluster.
pub const NODES: usize = 2;
/// Lanes there may be: one for each node, and one that is new.
pub const LANES: usize = 3;
/// Payments there may be.
pub const PAYMENTS: usize = 3;

/// The whole cluster between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The row in CQL which says whose word counts.
    pub control: Control,
    /// The journal in CQL; a lane that was never inserted is `None`.
    pub lanes: [Option<Lane>; LANES],
    /// The instance that is in use at the start, and its replica.
    pub redis: [Redis; 2],
    /// How the replica stands to the first instance.
    pub replica: Replica,
    /// The processes.
    pub nodes: [Node; NODES],
    /// How far each payment has come in the memory of the node that was asked for it.
    pub phases: [Phase; PAYMENTS],
    /// What has been put on the wire. Nobody reads this but the properties.
    pub sent: [bool; PAYMENTS],
    /// What the originator was told. Nobody reads this but the properties.
    pub answered: [Option<Outcome>; PAYMENTS],
    /// Payments whose account is forgotten: the set time after its last payment has passed.
    pub over: [bool; PAYMENTS],
    /// The faults that may still happen.
    pub left: Faults,
}

/// The row `control`, changed by conditional update alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Control {
    /// The gate epoch; it only grows.
    pub epoch: u8,
    /// Open, or being rebuilt.
    pub open: bool,
    /// The instance of Redis that was published last, an index into [`State::redis`].
    pub pin: usize,
}

/// How the replica stands to the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replica {
    /// It has everything.
    InSync,
    /// It will get nothing more; what the primary does from here on is the tail that gets lost.
    Behind,
    /// It is a primary too. The first one lives on, as it does in a split; that it is dead instead
    /// is the case in which nobody calls it again.
    Promoted,
}

/// How many faults of each kind there may be; it is what keeps the model finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// `FLUSHALL`, or a restart without data (which breaks the connections besides).
    pub flushes: u8,
    /// Promotions of the replica with a lost tail; more than one has no meaning here.
    pub promotions: u8,
    /// Changes of the gate epoch that may be begun.
    pub changes: u8,
    /// Processes that die.
    pub crashes: u8,
    /// Lanes that are taken, by the other node or by their own after it has started again.
    pub takeovers: u8,
    /// Conditional updates of a head whose reply does not come in time.
    pub timeouts: u8,
    /// Clocks of machines that jump ahead by more than keys are known for.
    pub jumps: u8,
}

impl State {
    /// Two nodes, each with its lane, one Redis in use, nothing asked yet.
    pub fn start(cluster: &Cluster) -> State {
        let gate = Gate { epoch: 1, open: true };
        let redis = Redis { gate: Some(gate), ..Redis::default() };
        State {
            control: Control { epoch: 1, open: true, pin: 0 },
            lanes: [Some(Lane::new(1)), Some(Lane::new(1)), None],
            redis: [redis, Redis::default()],
            replica: Replica::InSync,
            nodes: [Node::start(0), Node::start(1)],
            phases: Default::default(),
            sent: Default::default(),
            answered: Default::default(),
            over: Default::default(),
            left: cluster.faults,
        }
    }

    /// The instance that `node` is connected to.
    pub fn redis_of(&self, node: usize) -> &Redis {
        &self.redis[self.nodes[node].redis]
    }

    /// Whether the function accepts a call that carries what `node` has in hand.
    pub fn gate_accepts(&self, node: usize) -> bool {
        let in_hand = self.nodes[node].gate.map(|epoch| Gate { epoch, open: true });
        self.nodes[node].up && in_hand.is_some() && self.redis_of(node).gate == in_hand
    }

    /// Whether the clocks of `node` and of its Redis agree, so that the node's calls are obeyed.
    pub fn clocks_agree(&self, node: usize) -> bool {
        self.nodes[node].ahead == self.redis_of(node).ahead
    }

    /// The lane and what `node` believes about it, if it believes that the lane is its own.
    pub fn writer(&self, node: usize, lane: usize) -> Option<(&Lane, &Writer)> {
        let writer = self.nodes[node].writers[lane].as_ref()?;
        Some((self.lanes[lane].as_ref()?, writer))
    }

    /// The same two, to be changed; only after [`State::writer`] has found them.
    pub fn writer_mut(&mut self, node: usize, lane: usize) -> (&mut Lane, &mut Writer) {
        let row = self.lanes[lane].as_mut().expect("invariant: a writer's lane exists");
        let writer = self.nodes[node].writers[lane].as_mut();
        (row, writer.expect("invariant: the step found this writer"))
    }

    /// The records of all lanes that count, lane by lane and in order.
    pub fn journal(&self) -> impl Iterator<Item = &Frame> {
        self.lanes.iter().flatten().flat_map(Lane::visible)
    }

    /// Whether `record` counts.
    pub fn is_recorded(&self, record: Record) -> bool {
        self.journal().any(|frame| frame.record == record)
    }
}
