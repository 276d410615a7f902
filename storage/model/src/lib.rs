//! The protocol of the cluster form, checked state by state.
//!
//! Two nodes write one journal, each into its own lane of a CQL store, and decide at one Redis,
//! which forgets. This crate says what each of them may do in one step ([`step`]) and what must be
//! true after every step ([`properties`]); `stateright` tries every order of the steps in a few
//! small worlds ([`scenario`]). It is the protocol's most exact description: where the code of the
//! cluster differs from it, one of the two is wrong.
//!
//! # What is modelled
//!
//! * **One payment**: reserve at Redis – insert the INTENT's frame – move the head – send – insert
//!   the OUTCOME's frame – move the head – answer – settle at Redis. Each account has room for one
//!   payment, so that one hold too few is seen at once.
//! * **Bills** ([`step::bill`]): an account with room for more, of which each payment takes its part.
//!   A reversal of an approved payment is a record, and gives its part back at Redis once it counts. A
//!   bill is forgotten a set time after its last payment, by each instance when it likes; after that its
//!   number is a new bill's, and a reversal of an old payment gives nothing back.
//! * **The CQL store**: rows that change by conditional update, linearizable and durable; frames
//!   that are inserted plainly and count only when a head has moved over them. An update whose
//!   reply does not come may be applied at any later time, or never.
//! * **Redis**: a gate value, entries by payment, a mark by lane. It is flushed or restarts empty;
//!   its replica stops at any moment and is promoted at any later one; the old primary lives on,
//!   and each node changes over when it likes. A restart from an old file on disk is such a
//!   promotion, too.
//! * **Nodes** die and start again. They pause as well, without a step of its own: no step looks
//!   at how late it is, so any node may be late at any point, and its lane may be taken meanwhile.
//! * **Clocks** of machines are right, or far ahead. A node asks Redis only while the two agree, and
//!   a jump of both makes no key forgotten. That a process notices the jump of its own machine's
//!   clock is left out: it takes possible steps away.
//! * **A change of the gate epoch**: begin – list the lanes – fence each – claim Redis – read marks
//!   and heads – rebuild and open – publish. It may stop anywhere, and be overtaken by another.
//! * **Lanes**: taken, renewed by their owner after a fence, and inserted while the epoch changes.
//!
//! # What is left out
//!
//! * Progress: the check says that nothing wrong happens, and that good things can happen, not that
//!   they will.
//! * The inside of a frame, and several frames in flight under one update: a group is one frame.
//!   A rebuild is one write; one that stops half way is one that has not been opened.
//! * Replies of Redis that are lost. Its calls are idempotent by payment and carry the gate epoch,
//!   so one that arrives late is refused or changes nothing that it would not have changed before.
//!   A hold that leaks so is too strict, not too loose.
//! * Updates other than of heads that time out: whoever does not learn what became of a beginning
//!   or a publication acts like one that died then, which is modelled.
//! * Conditional updates of one row that race are taken one after the other; that the store really
//!   is linearizable, and that a listing finds every lane whose insertion was acknowledged, is
//!   assumed.
//! * That a reversal is owed before it is confirmed, that it may give back less than the whole, and
//!   inquiries; snapshots, keys that are looked up while the gate is cold, the clean
//!   up of frames that never counted, and the one thing that no store can prevent: a paused node
//!   that sends an old message after its lane was taken. The model lets it ([`step::payment::send`]),
//!   and its INTENT is in the journal.
//!
//! # How to read a counterexample
//!
//! `cargo test -p storage-model -- --nocapture` prints one for each broken rule ([`Plant`]): a list
//! of [`Action`]s from the start, the shortest there is. Find the last step; it makes the property
//! false. Then go back to the step that should have been refused. Payments, nodes, lanes and
//! instances are numbered from 0; the payments of each world are in [`scenario`]. To see the states
//! in between, print the path itself rather than its actions.
//!
//! In reading order: [`state`], [`step`], [`properties`], [`scenario`]; [`action`] is their index.

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
    /// The account it is taken from, or the bill it pays; each has the room of its [`Cluster`].
    pub account: u8,
    /// How much of the room it takes.
    pub amount: u8,
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
    /// How much each account has room for: 1 for an account of one payment, more for a bill that is
    /// paid in parts.
    pub room: u8,
    /// Whether an approved payment may be reversed.
    pub reverses: bool,
    /// Whether a bill may be forgotten, a set time after its last payment.
    pub forgets_bills: bool,
    /// What may come of a payment that was sent.
    pub outcomes: Vec<Outcome>,
    /// Whether a lane may be inserted.
    pub new_lane: Option<NewLane>,
    /// How much may go wrong.
    pub faults: Faults,
    /// The rule that is broken on purpose.
    pub plant: Option<Plant>,
}

/// A rule of the protocol that can be taken away, to see that the check notices. The first five
/// are the famous ones; each of the others is easily overlooked.
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
    /// A call is obeyed whatever the clocks of its node and of Redis say, and keys are forgotten by the
    /// node's.
    ClocksNotCompared,
    /// Keys are forgotten by the clock of Redis, however far one step of it takes.
    StepOfClockNotBounded,
    /// Whoever finds its lane taken tells the originators of what was pending that nothing happened.
    LostMeansRefused,
    /// What a reversal frees is given back at Redis before its record counts.
    GivenBackBeforeRecord,
    /// What a reversal frees is given back even where the bill was forgotten since.
    GivenBackOfForgottenBill,
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
