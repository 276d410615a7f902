//! What all guards of a process share: whether the gate is open, under which epoch, and on which
//! instances.

pub(crate) mod time;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use redis::Value;
use storage::guard::{GateEpoch, GuardError};
use storage::{Clock, WallClock};

use crate::discovery;
use crate::failure::{Failure, Why};
use crate::figures::GateFigures;
use crate::layout::Layout;
use crate::library::Function;
use crate::link::{Link, Links};
use crate::pin::Pin;
use crate::settings::RedisSettings;

/// Why something of the gate could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The settings make no sense.
    #[error("the gate's settings: {0}")]
    Settings(Box<str>),
    /// Redis could not be used; it may be tried again.
    #[error("the gate's Redis: {detail}")]
    Redis {
        /// The kind of it.
        why: Why,
        /// What is known of it.
        detail: Box<str>,
    },
    /// The data in Redis are of a later epoch, or this one is open already.
    #[error("the gate has moved on: {0}")]
    Older(Box<str>),
}

impl From<Failure> for GateError {
    fn from(Failure { why, detail }: Failure) -> Self {
        if why == Why::Older { Self::Older(detail) } else { Self::Redis { why, detail } }
    }
}

/// Whether reservations can be decided on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateState {
    /// They cannot.
    Closed {
        /// Why not.
        why: Box<str>,
    },
    /// They can, on these instances alone.
    Open {
        /// What every call carries.
        epoch: GateEpoch,
        /// The instances.
        pin: Arc<Pin>,
    },
}

/// Something that an orchestrator should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// How many there were with this one, since the process began.
    pub count: u64,
    /// The kind of it.
    pub why: Why,
    /// What is known of it.
    pub detail: Box<str>,
}

/// What a look at the pinned instances found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// They are those of the pin, in use, and have the data of the epoch.
    Well,
    /// They could not be looked at.
    Unreachable(Box<str>),
    /// Others are in use, or the data are others: a new epoch is needed.
    Changed(Box<str>),
    /// They are those of the pin, in the same run, and have not the data of the epoch: a new epoch
    /// is needed, and no other node can be served under this one.
    Forgotten(Box<str>),
}

/// The gate as one process sees it.
pub struct Gate {
    settings: RedisSettings,
    clock: Arc<dyn Clock>,
    layout: Layout,
    figures: Arc<GateFigures>,
    inner: Mutex<GateInner>,
    raised: Condvar,
}

struct GateInner {
    state: GateState,
    /// Changes with the state.
    generation: u64,
    trouble: Option<Trouble>,
    /// How far the clock of Redis was ahead at the last look, in microseconds.
    clock_ahead_micros: Option<i64>,
}

/// What a guard works under.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub generation: u64,
    pub epoch: GateEpoch,
    pub pin: Arc<Pin>,
}

impl Gate {
    /// A closed gate.
    ///
    /// Errors: settings that make no sense.
    pub fn new(settings: RedisSettings) -> Result<Self, GateError> {
        if let Some(mistake) = settings.mistake() {
            return Err(GateError::Settings(mistake.into()));
        }
        let layout = Layout::new(&settings.namespace, settings.groups_in_use());
        let state = GateState::Closed { why: "not opened yet".into() };
        let inner =
            Mutex::new(GateInner { state, generation: 0, trouble: None, clock_ahead_micros: None });
        let figures = Arc::new(GateFigures::new());
        let clock = Arc::new(WallClock);
        Ok(Self { settings, clock, layout, figures, inner, raised: Condvar::new() })
    }

    /// The same with a clock that its process trusts.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Finds out afresh which instances are in use, and who they are.
    ///
    /// Errors: one cannot be reached, is no primary, would evict keys, or has another time than
    /// this node.
    pub fn discover(&self) -> Result<Pin, GateError> {
        let compare = |link: &mut Link| time::compare(self, link);
        discovery::discover(&self.settings, &self.layout, compare).map_err(GateError::from)
    }

    /// How far the clock of Redis was ahead of this node's at the last look, in microseconds.
    pub fn clock_ahead_micros(&self) -> Option<i64> {
        self.inner.lock().clock_ahead_micros
    }

    /// Why this node and Redis do not agree on what time it is; none while they do.
    pub fn clock_trouble(&self) -> Option<String> {
        let ahead = self.clock_ahead_micros()?;
        let is_far = ahead.saturating_abs() > self.settings.tolerance_micros();
        is_far.then(|| time::words(ahead))
    }

    /// Whether it is open.
    pub fn state(&self) -> GateState {
        self.inner.lock().state.clone()
    }

    /// Lets guards decide under an epoch, on the instances of the pin.
    pub fn open(&self, epoch: GateEpoch, pin: Pin) {
        tracing::info!(epoch = epoch.0, %pin, "the gate is open");
        self.figures.opened(epoch);
        self.set(GateState::Open { epoch, pin: Arc::new(pin) });
    }

    /// Lets them decide no more.
    pub fn close(&self, why: &str) {
        tracing::warn!(why, "the gate is closed");
        self.figures.closed();
        self.set(GateState::Closed { why: why.into() });
    }

    fn set(&self, state: GateState) {
        let mut inner = self.inner.lock();
        inner.state = state;
        inner.generation += 1;
    }

    /// The last trouble, if there was any.
    pub fn trouble(&self) -> Option<Trouble> {
        self.inner.lock().trouble.clone()
    }

    /// Waits until there were more troubles than `seen`, or for so long; the last one.
    pub fn wait_trouble(&self, seen: u64, at_most: Duration) -> Option<Trouble> {
        let deadline = Instant::now() + at_most;
        let mut inner = self.inner.lock();
        loop {
            if let Some(trouble) = inner.trouble.as_ref().filter(|trouble| trouble.count > seen) {
                return Some(trouble.clone());
            }
            if self.raised.wait_until(&mut inner, deadline).timed_out() {
                return None;
            }
        }
    }

    /// Looks whether the pinned instances are still those in use and have the data of the epoch.
    /// Blocks for as long as connections and answers may take.
    pub fn probe(&self) -> Health {
        let opening = match self.opening() {
            Ok(opening) => opening,
            Err(why) => return Health::Unreachable(why.detail),
        };
        // Where Sentinels cannot be asked, the pinned instance still can.
        if let Ok(pin) = self.discover()
            && pin != *opening.pin
        {
            return Health::Changed(format!("in use is {pin}, not {}", opening.pin).into());
        }
        self.check(opening.epoch, &opening.pin)
    }

    /// Looks whether instances are those of a pin and have the data of an epoch, whether or not
    /// this gate is open on them. Blocks for as long as connections and answers may take.
    pub fn check(&self, epoch: GateEpoch, pin: &Pin) -> Health {
        match self.look(epoch, pin) {
            Ok(()) => Health::Well,
            // The connection was checked against the pin before it was asked for the data.
            Err(failure) if failure.why == Why::Stale => Health::Forgotten(failure.detail),
            Err(failure) if failure.why.needs_new_epoch() => Health::Changed(failure.detail),
            Err(failure) => Health::Unreachable(failure.detail),
        }
    }

    fn look(&self, epoch: GateEpoch, pin: &Pin) -> Result<(), Failure> {
        let mut links = self.connect(pin)?;
        links.each().try_for_each(|link| time::compare(self, link))?;
        let mut round = links.round(&self.layout);
        let value = open_value(epoch);
        for group in 0..self.layout.groups() {
            round.call(group, Function::Balance, &[value.as_bytes(), b"-"]);
        }
        let answers: Vec<Value> = links.exchange(round)?;
        tracing::trace!(groups = answers.len(), "looked at the gate");
        Ok(())
    }

    /// Connects to all primaries of a pin.
    pub(crate) fn connect(&self, pin: &Pin) -> Result<Links, Failure> {
        Links::connect(&self.settings, &self.figures, pin)
    }

    pub(crate) fn settings(&self) -> &RedisSettings {
        &self.settings
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn set_clock_ahead(&self, ahead_micros: i64) {
        self.figures.clock_ahead(ahead_micros);
        self.inner.lock().clock_ahead_micros = Some(ahead_micros);
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn figures(&self) -> &GateFigures {
        &self.figures
    }

    pub(crate) fn opening(&self) -> Result<Opening, Failure> {
        let inner = self.inner.lock();
        match &inner.state {
            GateState::Closed { why } => Err(Failure::new(Why::Closed, why.clone())),
            GateState::Open { epoch, pin } => {
                let (generation, epoch, pin) = (inner.generation, *epoch, Arc::clone(pin));
                Ok(Opening { generation, epoch, pin })
            }
        }
    }

    /// Takes note of a failure under an opening: tells who waits for trouble, and closes where
    /// the data are not those that the epoch was opened on.
    pub(crate) fn fail(&self, opening: Option<&Opening>, failure: &Failure) -> GuardError {
        // A memory that is full forgets nothing, and a closed gate is known to be.
        if !matches!(failure.why, Why::OutOfMemory | Why::Closed) {
            self.raise(failure);
        }
        let generation = self.inner.lock().generation;
        let is_current = opening.is_some_and(|opening| opening.generation == generation);
        if failure.why.needs_new_epoch() && is_current {
            self.close(&failure.detail);
        }
        GuardError::Unavailable { detail: failure.detail.clone() }
    }

    fn raise(&self, failure: &Failure) {
        let mut inner = self.inner.lock();
        let count = inner.trouble.as_ref().map_or(0, |trouble| trouble.count) + 1;
        let Failure { why, detail } = failure.clone();
        inner.trouble = Some(Trouble { count, why, detail });
        self.raised.notify_all();
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Gate").field("settings", &self.settings).field("state", &state).finish()
    }
}

/// The gate value of an epoch that decides.
pub(crate) fn open_value(epoch: GateEpoch) -> String {
    format!("o{}", epoch.0)
}
