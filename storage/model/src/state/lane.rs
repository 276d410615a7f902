//! A lane: one row that is changed conditionally, and frames that are inserted plainly.

/// What the other side of the wire made of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The money moved.
    Approved,
    /// It did not.
    Declined,
    /// Nobody here knows; a reversal is owed, and the hold stays until it is done.
    Unknown,
}

/// What one frame says. A frame of many records is one that says more; none of the rules looks
/// into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Record {
    /// The payment of this number may be sent from now on.
    Intent(usize),
    /// What came of it.
    Outcome(usize, Outcome),
    /// Its approval was undone.
    Reversed(usize),
}

impl Record {
    /// The payment it is about.
    pub fn payment(self) -> usize {
        match self {
            Record::Intent(payment) | Record::Outcome(payment, _) | Record::Reversed(payment) => {
                payment
            }
        }
    }
}

/// A frame in the store, keyed by position and lane epoch. Being here says nothing yet: see
/// [`Lane::visible`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// Its place in the lane, from 1.
    pub position: u8,
    /// The lane epoch of its writer.
    pub epoch: u8,
    /// The gate epoch of its writer.
    pub guard: u8,
    /// What it says.
    pub record: Record,
}

/// A conditional update of a head that its writer has stopped waiting for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LateMove {
    /// The condition: the lane epoch …
    pub epoch: u8,
    /// … the gate epoch …
    pub guard: u8,
    /// … and the head. The update adds one to it.
    pub head: u8,
}

/// The row of a lane and the frames of its partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// How often the lane was taken, from 1. Who owns it is whoever counted up to this.
    pub epoch: u8,
    /// The first position of each epoch, from epoch 1.
    pub starts: Vec<u8>,
    /// The gate epoch that an append must carry.
    pub guard: u8,
    /// The last position that counts.
    pub head: u8,
    /// What has been inserted, in order.
    pub frames: Vec<Frame>,
    /// An update on its way here, which may arrive at any time or never.
    pub late: Option<LateMove>,
}

impl Lane {
    /// An empty lane of the given gate epoch, in its first lane epoch.
    pub fn new(guard: u8) -> Lane {
        Lane { epoch: 1, starts: vec![1], guard, head: 0, frames: vec![], late: None }
    }

    /// Inserts plainly: nothing is asked, so nothing can be refused.
    pub fn insert(&mut self, frame: Frame) {
        let at = self.frames.partition_point(|other| *other < frame);
        self.frames.insert(at, frame);
    }

    /// Counts the lane epoch up: whatever its last writer had not brought below the head by now
    /// will never count.
    pub fn take(&mut self) {
        self.epoch += 1;
        self.starts.push(self.head + 1);
    }

    /// The frames that are part of the journal: not beyond the head, and of the epoch that the
    /// row gives for their position.
    pub fn visible(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| {
            frame.position <= self.head && self.epoch_at(frame.position) == frame.epoch
        })
    }

    /// Whether an update with this condition would be applied.
    pub fn accepts(&self, epoch: u8, guard: u8, head: u8) -> bool {
        (self.epoch, self.guard, self.head) == (epoch, guard, head)
    }

    /// Epochs start in order, and one that wrote nothing starts where the next one does.
    fn epoch_at(&self, position: u8) -> u8 {
        let started = self.starts.iter().filter(|start| **start <= position).count();
        u8::try_from(started).expect("invariant: lanes are taken a few times only")
    }
}
