//! The protocol of the cluster form, checked state by state.

pub mod action;
pub mod properties;
pub mod scenario;
pub mod state;
pub mod step;

use stateright::{Model, Property};

pub use action::Action;
pub use state::{Faults, Outcome, State};

/// A payment that somebody may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Its idempotency key.
    pub key: u8,
    /// The account it is taken from; each has room for one payment.
    pub account: u8,
    /// The node that is asked.
    pub node: usize,
    /// The lane which that node will record it in, if it owns it.
    pub lane: usize,
}

/// The lane that is not there at the start.
#[derive(Clone, Copy, Debug)]
pub struct NewLane {
    /// The node that inserts it.
    pub node: usize,
    /// Its number.
    pub lane: usize,
}

/// What the world may ask for and do in one check. It is the model in the sense of `stateright`.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The payments; each is asked for at most once, at any time.
    pub payments: Vec<Request>,
    /// What may come of a payment that was sent.
    pub outcomes: Vec<Outcome>,
    /// Whether a lane may be inserted.
    pub new_lane: Option<NewLane>,
    /// How much may go wrong.
    pub faults: Faults,
    /// The rule that is broken on purpose.
    pub plant: Option<Plant>,
}

/// A rule of the protocol that can be taken away, to see that the check notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A change of the gate epoch does not touch the lanes, and nobody minds that they are behind.
    NoFence,
    /// It fences them when Redis has been rebuilt already.
    FenceAfterRebuild,
    /// The head is moved while the frame may still be on its way.
    HeadBeforeFrameAcknowledged,
    /// A hold has a time to live.
    HoldReleasedByTime,
    /// The owner of a new lane does not read `control` again.
    NewLaneNotRechecked,
    /// Who takes a lane does not read `control` again.
    TakenLaneNotRechecked,
    /// A taker releases the lane's unrecorded holds of whatever lane epoch.
    HoldsReleasedByLaneAlone,
    /// A node takes the gate epoch from `control` without comparing the pin.
    PinNotCompared,
    /// A settle is accepted whatever the gate value.
    SettledWithoutGate,
    /// A rebuild writes to an instance that it did not put under its own epoch beforehand.
    RedisNotClaimed,
}

impl Cluster {
    /// Whether this rule is broken.
    pub fn is_planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    /// The payments that this node is asked for, with their numbers.
    pub fn asked_at(&self, node: usize) -> impl Iterator<Item = (usize, &Request)> {
        self.payments.iter().enumerate().filter(move |(_, asked)| asked.node == node)
    }

    /// Those among them that it records in this lane.
    pub fn asked_in(&self, node: usize, lane: usize) -> impl Iterator<Item = (usize, &Request)> {
        self.asked_at(node).filter(move |(_, asked)| asked.lane == lane)
    }
}

impl Model for Cluster {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::start(self)]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        Action::all(self, actions);
    }

    fn next_state(&self, now: &State, action: Action) -> Option<State> {
        action.take(self, now)
    }

    fn properties(&self) -> Vec<Property<Cluster>> {
        properties::all()
    }
}
