//! The guard of one lane.
//!
//! A batch is one round trip, one call for each decision. In a Redis Cluster a reservation may
//! need several groups: its key's first, then the others in ascending order, each a round for the
//! whole batch; where one refuses, what the earlier ones took is given back. For a moment that is
//! too strict, never too loose.

mod decide;
mod owed;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::Value;
use router::early::EarlyReversal;
use router::id::{AccountId, Lane, PaymentId};
use router::message::IdempotencyKey;
use router::money::Currency;
use router::posting::Entry;
use storage::Backoff;
use storage::guard::{
    Balance, GateEpoch, GiveBack, Guard, GuardError, ReserveAsk, Sought, Verdict,
};

use crate::early;
use crate::failure::{Failure, Why};
use crate::gate::{Gate, Opening, open_value};
use crate::library::Function;
use crate::link::{Links, Round};
use crate::pack;
use owed::OwedEndings;

/// After a failure, how long nothing is tried: a Redis that hangs costs a time-out each try.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// After several, at most.
const RETRY_AFTER_MAX: Duration = Duration::from_millis(1_600);
/// Pauses before the same trouble is told again, and before another one is told.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(10);
const TELL_OTHER_AFTER: Duration = Duration::from_secs(1);
/// Most payments whose decision was never heard; beyond, only a new epoch gets rid of them.
const UNHEARD_MAX: usize = 65_536;
/// Calls that release such payments in one round, which has to be answered in time.
const RELEASES_MAX: usize = 2_048;
/// Decisions between two looks for what closed long ago, and how many of it are dropped then.
const SWEEP_EVERY: usize = 8_192;
const SWEEP_MAX: &[u8] = b"1000";

/// Decides for one lane.
pub struct RedisGuard {
    gate: Arc<Gate>,
    lane: Lane,
    lane_text: String,
    session: Option<Session>,
    /// Of the opening that was last worked under.
    generation: Option<u64>,
    not_before: Option<Instant>,
    backoff: Backoff,
    /// The trouble that was told last, and when.
    told: Option<(Why, Instant)>,
    /// What calls that were never answered may have taken, and under which epoch.
    unheard: Vec<(PaymentId, IdempotencyKey)>,
    epoch: Option<GateEpoch>,
    /// Where payments without an end have something; without an entry it may be anywhere.
    spans: HashMap<PaymentId, Span>,
    owed: OwedEndings,
    until_sweep: usize,
    /// Whether Redis reflects what the lane's earlier writer recorded.
    mended: Option<Arc<AtomicBool>>,
    /// Epoch of the lane at which its writer took it.
    taken_at: u64,
    /// The earliest epoch of the gate that the lane still takes decisions of.
    trusted: GateEpoch,
}

/// Where a payment has something, and whether a record will end it.
struct Span {
    groups: Box<[usize]>,
    has_end: bool,
}

/// Checked connections under one opening of the gate.
struct Session {
    opening: Opening,
    gate_value: String,
    links: Links,
    /// For each group, what tells these connections from those of this lane before.
    numbers: Vec<String>,
}

impl RedisGuard {
    /// A guard for the payments of a lane; connects when it is first asked.
    pub fn new(gate: Arc<Gate>, lane: Lane) -> Self {
        let owed = OwedEndings::new(gate.layout().groups());
        Self {
            gate,
            lane,
            lane_text: lane.to_string(),
            session: None,
            generation: None,
            not_before: None,
            backoff: Backoff::between(RETRY_AFTER, RETRY_AFTER_MAX),
            told: None,
            unheard: Vec::new(),
            epoch: None,
            spans: HashMap::new(),
            owed,
            until_sweep: SWEEP_EVERY,
            mended: None,
            taken_at: 0,
            trusted: GateEpoch::default(),
        }
    }

    /// The same, which refuses until `mended` is set: its lane had another writer, and Redis may
    /// not reflect all that that one recorded.
    #[must_use]
    pub fn after(self, mended: Arc<AtomicBool>) -> Self {
        Self { mended: Some(mended), ..self }
    }

    /// The same for a writer who took the lane at an epoch of it: once another has taken it at
    /// a later one, nothing is decided here any more.
    #[must_use]
    pub fn taken_at(self, epoch: u64) -> Self {
        Self { taken_at: epoch, ..self }
    }

    /// Its lane.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Endings and credits that Redis has not been told of.
    pub fn owed_len(&self) -> usize {
        self.owed.len()
    }

    /// Connections of the gate's present opening, with everything owed told.
    fn ready(&mut self) -> Result<(), Failure> {
        self.meet()?;
        self.release_unheard()?;
        self.tell_owed()
    }

    fn meet(&mut self) -> Result<(), Failure> {
        if self.mended.as_ref().is_some_and(|mended| !mended.load(Ordering::Acquire)) {
            return Err(Failure::new(Why::Closed, "the lane is being taken over"));
        }
        self.mended = None;
        let opening = self.gate.opening().inspect_err(|_| self.session = None)?;
        self.check_epoch(&opening)?;
        let generation = opening.generation;
        if self.session.as_ref().is_some_and(|it| it.opening.generation == generation) {
            return Ok(());
        }
        self.session = None;
        if self.generation != Some(generation) {
            self.generation = Some(generation);
            self.not_before = None;
            self.backoff.reset();
        }
        if self.epoch != Some(opening.epoch) {
            // The rebuild released what no record names.
            self.unheard.clear();
            self.spans.clear();
            self.epoch = Some(opening.epoch);
        }
        if self.not_before.is_some_and(|instant| Instant::now() < instant) {
            return Err(Failure::new(Why::Lost, "the last try failed a moment ago"));
        }
        let connected =
            Session::connect(&self.gate, opening.clone(), (&self.lane_text, self.taken_at));
        self.session = Some(self.noting(Some(&opening), connected)?);
        Ok(())
    }

    /// Whether the lane still takes decisions of the epoch that is open here.
    ///
    /// Where it does not, the next epoch is being rebuilt, maybe on another instance, and maybe up
    /// to an earlier record of the lane than its last. An ending told to the instance that is open
    /// here would be lost with that: it is owed to the next epoch.
    fn check_epoch(&mut self, opening: &Opening) -> Result<(), Failure> {
        if opening.epoch >= self.trusted {
            return Ok(());
        }
        let (open, trusted) = (opening.epoch.0, self.trusted.0);
        let detail = format!("epoch {open} is open, and lane {} trusts {trusted}", self.lane);
        self.noting(Some(opening), Err(Failure::new(Why::Stale, detail)))
    }

    /// Takes note of what went wrong: the connections are of no use any more.
    fn noting<T>(
        &mut self,
        opening: Option<&Opening>,
        result: Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Err(failure) = &result {
            self.tell(failure);
            self.session = None;
            let comes_back = [Why::OutOfMemory, Why::Superseded, Why::NoFunction, Why::Clock]
                .contains(&failure.why);
            if !comes_back {
                self.not_before = Some(Instant::now() + self.backoff.pause());
            }
            let _ = self.gate.fail(opening, failure);
        }
        result
    }

    /// Tells of a trouble once in a while: it is met many times while it lasts.
    fn tell(&mut self, failure: &Failure) {
        let (lane, why) = (self.lane.0, failure.why.label());
        let is_due = self.told.is_none_or(|(told, at)| {
            let pause = if told == failure.why { TELL_AGAIN_AFTER } else { TELL_OTHER_AFTER };
            pause <= at.elapsed()
        });
        if is_due {
            tracing::warn!(lane, why, %failure, "no decision");
            self.told = Some((failure.why, Instant::now()));
        } else {
            tracing::debug!(lane, why, %failure, "no decision");
        }
    }

    /// One round under the present session.
    fn exchange(
        &mut self,
        fill: impl FnOnce(&mut Round<'_>, &Call<'_>),
    ) -> Result<Vec<Value>, Failure> {
        let closed = || Failure::new(Why::Lost, "not connected");
        let session = self.session.as_mut().ok_or_else(closed)?;
        let mut round = session.links.round(self.gate.layout());
        let call = Call {
            gate_value: session.gate_value.as_bytes(),
            lane: self.lane_text.as_bytes(),
            numbers: &session.numbers,
        };
        fill(&mut round, &call);
        if round.is_empty() {
            return Ok(Vec::new());
        }
        let answers = session.links.exchange(round);
        if answers.is_ok() {
            self.backoff.reset();
        }
        let opening = session.opening.clone();
        self.noting(Some(&opening), answers)
    }

    /// Gives back what calls took whose answers never came.
    fn release_unheard(&mut self) -> Result<(), Failure> {
        let groups = self.gate.layout().groups();
        while !self.unheard.is_empty() {
            let len = self.unheard.len().min(RELEASES_MAX / groups + 1);
            let unheard = self.unheard[..len].to_vec();
            self.exchange(|round, call| {
                for (payment, key) in &unheard {
                    (0..groups).for_each(|group| call.release_claim(round, group, *payment, *key));
                }
            })?;
            self.unheard.drain(..len);
        }
        Ok(())
    }

    /// Remembers that a payment may have been granted something without an answer.
    fn note_unheard(&mut self, asked: impl Iterator<Item = (PaymentId, IdempotencyKey)>) {
        self.unheard.extend(asked);
        if self.unheard.len() > UNHEARD_MAX {
            self.gate.close("too many decisions were never answered");
        }
    }

    fn tell_owed(&mut self) -> Result<(), Failure> {
        while !self.owed.is_empty() {
            let owed = std::mem::take(&mut self.owed);
            let told = self.exchange(|round, call| owed.call(round, call));
            // A round is told again whole after a failure: marks tell what is already reflected.
            self.owed = owed;
            told?;
            self.owed.heard();
        }
        Ok(())
    }

    fn withhold_once(&mut self, token: PaymentId, entry: &Entry) -> Result<(), Failure> {
        let withheld = self.gate.layout().withheld(entry);
        let answers = self.exchange(|round, call| {
            let token = pack::payment(token);
            for (group, held) in &withheld {
                call.in_session(round, *group, Function::Withhold, &[&token, held]);
            }
        });
        if answers.is_err() {
            self.note_unheard([(token, IdempotencyKey(0))].into_iter());
        }
        answers.map(drop)
    }

    fn forestall_once(&mut self, early: &EarlyReversal) -> Result<(), Failure> {
        let Some(arguments) = early::arguments(early) else { return Ok(()) };
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let groups = self.gate.layout().groups();
        let answers = self.exchange(|round, call| {
            for group in 0..groups {
                call.in_session(round, group, Function::Forestall, &arguments);
            }
        });
        answers.map(drop)
    }

    fn ask(&mut self, group: usize, function: Function, asked: &[&[u8]]) -> Result<Value, Failure> {
        self.ready()?;
        let answers = self.exchange(|round, call| {
            let arguments: Vec<&[u8]> = [call.gate_value].iter().chain(asked).copied().collect();
            round.call(group, function, &arguments);
        })?;
        answers.into_iter().next().ok_or_else(|| Failure::strange("nothing"))
    }

    /// Counts what was asked of Redis, or could not be told to it, where it failed.
    fn counted<T>(&self, result: Result<T, Failure>, count: usize) -> Result<T, GuardError> {
        let figures = self.gate.figures();
        Ok(result.inspect_err(|failure| figures.failed(failure.why, count))?)
    }

    fn epoch_now(&self) -> GateEpoch {
        self.epoch.expect("invariant: what was decided was decided under an epoch")
    }

    fn sweep(&mut self, decisions: usize) {
        self.until_sweep = self.until_sweep.saturating_sub(decisions);
        if self.until_sweep > 0 {
            return;
        }
        self.until_sweep = SWEEP_EVERY;
        let groups = self.gate.layout().groups();
        // Without it Redis holds more than it needs to, no more; the failure is told already.
        let _ = self.exchange(|round, call| {
            for group in 0..groups {
                round.call(group, Function::Sweep, &[call.gate_value, SWEEP_MAX]);
            }
        });
    }
}

impl Session {
    fn connect(
        gate: &Gate,
        opening: Opening,
        (lane, taken_at): (&str, u64),
    ) -> Result<Self, Failure> {
        let taken_at = taken_at.to_string();
        let mut links = gate.connect(&opening.pin)?;
        let gate_value = open_value(opening.epoch);
        let mut round = links.round(gate.layout());
        for group in 0..gate.layout().groups() {
            let arguments = [gate_value.as_bytes(), lane.as_bytes(), taken_at.as_bytes()];
            round.call(group, Function::Greet, &arguments);
        }
        let number = |answer: &Value| match answer {
            Value::Int(number) => Ok(number.to_string()),
            other => Err(Failure::strange(&format!("{other:?}"))),
        };
        let answers = links.exchange(round)?;
        let numbers = answers.iter().map(number).collect::<Result<_, _>>()?;
        Ok(Self { opening, gate_value, links, numbers })
    }
}

/// What every call of a session carries.
struct Call<'a> {
    gate_value: &'a [u8],
    lane: &'a [u8],
    numbers: &'a [String],
}

impl Call<'_> {
    fn in_session(&self, round: &mut Round<'_>, group: usize, function: Function, more: &[&[u8]]) {
        let head = [self.gate_value, self.lane, self.numbers[group].as_bytes()];
        let arguments: Vec<&[u8]> = head.iter().chain(more).copied().collect();
        round.call(group, function, &arguments);
    }

    fn release_claim(
        &self,
        round: &mut Round<'_>,
        group: usize,
        payment: PaymentId,
        key: IdempotencyKey,
    ) {
        let (payment, key) = (pack::payment(payment), key.0.to_be_bytes());
        let session = self.numbers[group].as_bytes();
        let arguments = [self.gate_value, self.lane, &payment, &key, session];
        round.call(group, Function::ReleaseClaim, &arguments);
    }
}

impl From<Failure> for GuardError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable { detail: failure.detail }
    }
}

impl Guard for RedisGuard {
    fn reserve(
        &mut self,
        batch: &[ReserveAsk<'_>],
        verdicts: &mut Vec<Verdict>,
    ) -> Result<GateEpoch, GuardError> {
        let decided = self.ready().and_then(|()| self.decide(batch));
        verdicts.extend(self.counted(decided, batch.len())?);
        self.sweep(batch.len());
        Ok(self.epoch_now())
    }

    fn withhold(&mut self, token: PaymentId, entry: &Entry) -> Result<GateEpoch, GuardError> {
        let withheld = self.ready().and_then(|()| self.withhold_once(token, entry));
        self.counted(withheld, 1)?;
        Ok(self.epoch_now())
    }

    fn forestall(&mut self, early: &EarlyReversal) -> Result<GateEpoch, GuardError> {
        let noted = self.ready().and_then(|()| self.forestall_once(early));
        self.counted(noted, 1)?;
        Ok(self.epoch_now())
    }

    /// While Redis is away it is kept, in order, and told before the next call.
    ///
    /// Errors: more is kept than the settings allow.
    fn give_back(&mut self, group: &GiveBack<'_>) -> Result<(), GuardError> {
        let layout = self.gate.layout();
        self.owed.add(group, layout, &mut self.spans);
        if self.owed.len() > self.gate.settings().owed_max {
            let detail = format!("{} endings wait for the gate", self.owed.len()).into();
            return Err(GuardError::Unavailable { detail });
        }
        // What fails here is kept, and told by whoever asks next: it counts now, and never again.
        let told = self.ready();
        let _ = self.counted(told, group.endings.len() + group.credits.len());
        Ok(())
    }

    fn is_behind(&self) -> bool {
        !self.owed.is_empty() || !self.unheard.is_empty()
    }

    fn raise_epoch(&mut self, trusted: GateEpoch) {
        self.trusted = self.trusted.max(trusted);
    }

    fn balance(
        &mut self,
        account: AccountId,
        currency: Currency,
    ) -> Result<Option<Balance>, GuardError> {
        let group = self.gate.layout().group_of_account(account, currency);
        let name = pack::account_name(account, currency);
        let answer = self.ask(group, Function::Balance, &[name.as_bytes()]);
        let answer = self.counted(answer, 1)?;
        Ok(decide::balance(&answer)?)
    }

    fn find_key(&mut self, key: IdempotencyKey) -> Result<Option<PaymentId>, GuardError> {
        self.find_original(&key.into())
    }

    fn find_original(&mut self, sought: &Sought) -> Result<Option<PaymentId>, GuardError> {
        let group = self.gate.layout().group_of_key(sought.key);
        let (key, half) = (sought.key.0.to_be_bytes(), pack::half(sought.fingerprint));
        let since = pack::since(sought.day_began);
        let answer = self.ask(group, Function::FindKey, &[&key, &half, since.as_bytes()]);
        let answer = self.counted(answer, 1)?;
        Ok(decide::owner(&answer)?)
    }
}
