//! The memory of a node, all of which a crash takes away.

use super::{LANES, Outcome, Record};

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Whether it runs.
    pub up: bool,
    /// Whether its clock has jumped ahead, and the node believes it.
    pub ahead: bool,
    /// The instance of Redis that it is connected to.
    pub redis: usize,
    /// The gate epoch that it carries in its calls; `None` until it has read `control` over this
    /// connection.
    pub gate: Option<u8>,
    /// The lanes that it believes to be its own.
    pub writers: [Option<Writer>; LANES],
    /// For the lane it is about to insert: the gate epoch it has read.
    pub planned_guard: Option<u8>,
    /// The change of the gate epoch that it is in the middle of.
    pub change: Option<Change>,
}

/// What the owner of a lane remembers of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    /// The lane epoch that made it the owner.
    pub epoch: u8,
    /// The gate epoch that the row had when it last looked.
    pub guard: u8,
    /// The head as it moved it last.
    pub head: u8,
    /// Whether it has read `control` since it got the lane. Before that, no intent.
    pub rechecked: bool,
    /// The record on its way to position `head + 1`.
    pub pending: Option<Pending>,
}

/// A record on its way into the journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pending {
    /// What it says.
    pub record: Record,
    /// Whether the store has acknowledged the frame.
    pub acknowledged: bool,
    /// Whether the update of the head timed out, so that it may or may not have been applied.
    pub unsure: bool,
}

/// Why a payment was refused. None of these leaves a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Another payment has its key.
    Duplicate,
    /// The account has no room.
    Limit,
    /// It was decided under an epoch that has passed: ask again.
    Fenced,
}

/// How far a payment has come in the memory of the node that was asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not asked for yet.
    #[default]
    New,
    /// Redis holds room for it, under the epochs that its lane's writer has.
    Reserved,
    /// Its INTENT is pending.
    IntentPending,
    /// Its INTENT counts; it may be sent.
    Intended,
    /// It has been put on the wire.
    Sent,
    /// The other side's word has come.
    Heard(Outcome),
    /// Its OUTCOME is pending.
    OutcomePending(Outcome),
    /// Its OUTCOME counts; the originator may be told.
    Decided(Outcome),
    /// The originator was told what is in the journal.
    Answered,
    /// The originator was told that nothing has happened.
    Refused(Refusal),
    /// The node remembers nothing of it or must not act on it, and the originator was told nothing.
    Lost,
}

/// A change of the gate epoch, as far as its node has brought it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// The new gate epoch.
    pub epoch: u8,
    /// What was done last.
    pub stage: Stage,
}

/// The steps of a change of the gate epoch, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// `control` says that a rebuild goes on.
    Begun,
    /// The lanes have been listed; those marked in `left` are still to be fenced.
    Fencing {
        /// The lanes that the listing found.
        listed: [bool; LANES],
        /// The lanes among them that are not fenced yet.
        left: [bool; LANES],
    },
    /// The instance carries the new epoch, closed.
    Claimed {
        /// The lanes that the listing found.
        listed: [bool; LANES],
    },
    /// Marks and heads have been read: the rebuild will replay what is between them.
    Read {
        /// How far the instance reflected each lane.
        marks: [u8; LANES],
        /// The head of each listed lane, 0 for the others.
        heads: [u8; LANES],
    },
    /// The instance reflects the journal and is open.
    Rebuilt,
}

impl Node {
    /// The node of this number as the model starts: it has its own lane, and knows the gate.
    pub fn start(own: usize) -> Node {
        let writer = Writer { epoch: 1, guard: 1, head: 0, rechecked: true, pending: None };
        let mut writers = [const { None }; LANES];
        writers[own] = Some(writer);
        let (planned_guard, change) = (None, None);
        Node { up: true, ahead: false, redis: 0, gate: Some(1), writers, planned_guard, change }
    }

    /// The same process after it has died; `redis` is where it will be told to connect.
    pub fn dead(&self) -> Node {
        let writers = [const { None }; LANES];
        let Node { redis, ahead, .. } = *self;
        Node { up: false, ahead, redis, gate: None, writers, planned_guard: None, change: None }
    }
}
