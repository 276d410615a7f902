//! From what Redis still reflects, or from nothing, to an open gate.
//!
//! Every group says up to which record of a lane it reflects the journal. What a promoted replica
//! has is a prefix of what was done, so replaying from the lowest of these marks makes it whole:
//! each step carries the position of its record and is skipped where it is reflected already. The
//! lanes may be replayed in any order. Where the data are gone, or were never finished, everything
//! is loaded into nothing.

mod mend;
mod replay;
mod rows;

use std::collections::BTreeMap;

use redis::Value;
use router::id::{Lane, PaymentId};
use router::message::IdempotencyKey;
use storage::guard::GateEpoch;
use storage::journal::Head;

use crate::failure::Failure;
use crate::gate::{Gate, GateError};
use crate::library::Function;
use crate::link::{Links, text_of};
use crate::pack;
use crate::pin::Pin;

pub use mend::LaneTaker;
pub use replay::Replay;
use replay::Target;
pub use rows::{Claimed, Row};

/// Calls that go out together: a round has to be answered in time.
const ROUND_MAX: usize = 1_024;
/// Calls of one round that each load many rows.
const LOADS_MAX: usize = 32;

/// A gate being rebuilt. Dropped before [`Rebuild::publish`], it leaves a gate that nobody can
/// open but another rebuild.
pub struct Rebuild<'g> {
    gate: &'g Gate,
    epoch: GateEpoch,
    value: String,
    links: Links,
    is_whole: bool,
    /// Where one lane is mended: the session of each group, which a later taker ends.
    sessions: Vec<String>,
    progress: RebuildProgress,
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RebuildProgress {
    /// Steps of records replayed.
    pub replayed: u64,
    /// Rows loaded.
    pub loaded: u64,
    /// Claims without a record that were released.
    pub released: u64,
}

impl Gate {
    /// Begins to rebuild what Redis knows, for an epoch that is not open yet. From then on every
    /// call of an earlier epoch is refused.
    ///
    /// Errors: Redis already has this epoch open, or a later one; or it cannot be used.
    pub fn rebuild(&self, epoch: GateEpoch, pin: &Pin) -> Result<Rebuild<'_>, GateError> {
        Rebuild::begin(self, epoch, pin)
    }
}

impl<'g> Rebuild<'g> {
    fn begin(gate: &'g Gate, epoch: GateEpoch, pin: &Pin) -> Result<Self, GateError> {
        let mut links = gate.connect(pin)?;
        let mut round = links.round(gate.layout());
        let number = epoch.0.to_string();
        for group in 0..gate.layout().groups() {
            round.call(group, Function::Begin, &[number.as_bytes()]);
        }
        let answers = links.exchange(round)?;
        let is_whole = answers.iter().all(|answer| *answer == Value::Int(1));
        let (value, progress) = (format!("r{}", epoch.0), RebuildProgress::default());
        Ok(Self { gate, epoch, value, links, is_whole, sessions: Vec::new(), progress })
    }

    /// How far it is.
    pub fn progress(&self) -> RebuildProgress {
        self.progress
    }

    /// Up to which record each lane is reflected everywhere: the lowest of all groups. None where
    /// something is gone or was never finished: then [`Rebuild::clear`], load everything, and set
    /// the marks.
    pub fn marks(&mut self) -> Result<Option<BTreeMap<Lane, u64>>, GateError> {
        if !self.is_whole {
            return Ok(None);
        }
        let answers = self.everywhere(Function::Marks, &[])?;
        let marks = answers.iter().map(read_marks).collect::<Result<Vec<_>, _>>()?;
        let mut lowest: BTreeMap<Lane, u64> = BTreeMap::new();
        for lane in marks.iter().flat_map(BTreeMap::keys) {
            let of_group = |marks: &BTreeMap<Lane, u64>| marks.get(lane).copied().unwrap_or(0);
            let lowest_mark = marks.iter().map(of_group).min().unwrap_or(0);
            lowest.insert(*lane, Head::of_lane(*lane).sequence + lowest_mark);
        }
        Ok(Some(lowest))
    }

    /// Removes everything of the namespace but the gate value.
    pub fn clear(&mut self) -> Result<(), GateError> {
        self.is_whole = false;
        self.everywhere(Function::Clear, &[]).map(drop)
    }

    /// Loads rows into what was cleared.
    pub fn load(&mut self, rows: &[Row]) -> Result<(), GateError> {
        for rows in rows.chunks(LOADS_MAX * rows::CALL_ROWS) {
            let calls = rows::calls(rows, self.gate.layout());
            let mut round = self.links.round(self.gate.layout());
            for (group, list) in calls {
                round.call(group, Function::Load, &[self.value.as_bytes(), &list]);
            }
            self.links.exchange(round)?;
            self.progress.loaded += rows.len() as u64;
        }
        Ok(())
    }

    /// Replays records, each lane's in their order.
    pub fn replay(&mut self, steps: &Replay) -> Result<(), GateError> {
        // An ending is a call for every group.
        for steps in steps.chunks(ROUND_MAX / self.gate.layout().groups() + 1) {
            let mut round = self.links.round(self.gate.layout());
            let (gate, value) = (self.gate, self.value.as_bytes());
            let mut to = Target { round: &mut round, gate, value };
            steps.iter().for_each(|step| step.call(&mut to));
            self.links.exchange(round)?;
            self.progress.replayed += steps.len() as u64;
        }
        Ok(())
    }

    /// What was granted to payments of a lane and is not known to have a record: the caller
    /// looks into the lane's journal, and releases those that have none.
    pub fn claims(&mut self, lane: Lane) -> Result<Vec<(PaymentId, IdempotencyKey)>, GateError> {
        Ok(claims(self.gate, &mut self.links, &self.value, lane)?)
    }

    /// Forgets everything of payments that have no record, and never will.
    pub fn release_claims(
        &mut self,
        lane: Lane,
        claims: &[(PaymentId, IdempotencyKey)],
    ) -> Result<(), GateError> {
        self.release(lane, claims)?;
        self.progress.released += claims.len() as u64;
        Ok(())
    }

    fn release(
        &mut self,
        lane: Lane,
        claims: &[(PaymentId, IdempotencyKey)],
    ) -> Result<(), Failure> {
        let (lane, groups) = (lane.to_string(), self.gate.layout().groups());
        for claims in claims.chunks(ROUND_MAX / groups + 1) {
            let mut round = self.links.round(self.gate.layout());
            for (payment, key) in claims {
                let (payment, key) = (pack::payment(*payment), key.0.to_be_bytes());
                for group in 0..groups {
                    let session = self.sessions.get(group).map_or("", String::as_str);
                    let arguments = [
                        self.value.as_bytes(),
                        lane.as_bytes(),
                        &payment,
                        &key,
                        session.as_bytes(),
                    ];
                    round.call(group, Function::ReleaseClaim, &arguments);
                }
            }
            self.links.exchange(round)?;
        }
        Ok(())
    }

    /// Notes that everything of a lane up to a record is reflected.
    pub fn set_mark(&mut self, lane: Lane, through: u64) -> Result<(), GateError> {
        let (lane, through) = (lane.to_string(), pack::within_lane(through).to_string());
        self.everywhere(Function::SetMark, &[lane.as_bytes(), through.as_bytes()]).map(drop)
    }

    /// From now on Redis decides under the epoch. Open the gate of every node then.
    pub fn publish(mut self) -> Result<RebuildProgress, GateError> {
        let number = self.epoch.0.to_string();
        self.everywhere(Function::Publish, &[number.as_bytes()])?;
        Ok(self.progress)
    }

    fn everywhere(&mut self, function: Function, more: &[&[u8]]) -> Result<Vec<Value>, GateError> {
        let mut round = self.links.round(self.gate.layout());
        let arguments: Vec<&[u8]> = [self.value.as_bytes()].iter().chain(more).copied().collect();
        for group in 0..self.gate.layout().groups() {
            round.call(group, function, &arguments);
        }
        Ok(self.links.exchange(round)?)
    }
}

fn claims(
    gate: &Gate,
    links: &mut Links,
    value: &str,
    lane: Lane,
) -> Result<Vec<(PaymentId, IdempotencyKey)>, Failure> {
    let mut round = links.round(gate.layout());
    for group in 0..gate.layout().groups() {
        let lane = lane.to_string();
        round.call(group, Function::Claims, &[value.as_bytes(), lane.as_bytes()]);
    }
    let mut found = BTreeMap::new();
    for answer in links.exchange(round)? {
        for pair in array(&answer)?.chunks_exact(2) {
            let (Value::BulkString(payment), Value::BulkString(key)) = (&pair[0], &pair[1]) else {
                return Err(Failure::strange("a claim"));
            };
            // A movement that was withheld has no key.
            let key = <[u8; 16]>::try_from(key.as_slice()).map_or(0, u128::from_be_bytes);
            let payment = <[u8; 16]>::try_from(payment.as_slice());
            let payment = payment.map_err(|_| Failure::strange("a claim's payment"))?;
            found.insert(PaymentId(u128::from_be_bytes(payment)), IdempotencyKey(key));
        }
    }
    Ok(found.into_iter().collect())
}

fn read_marks(answer: &Value) -> Result<BTreeMap<Lane, u64>, Failure> {
    let pair = |pair: &[Value]| {
        let (lane, mark) = (text_of(&pair[0])?, text_of(&pair[1])?);
        let read = lane.parse().ok().map(Lane).zip(mark.parse().ok());
        read.ok_or_else(|| Failure::strange("a mark"))
    };
    array(answer)?.chunks_exact(2).map(pair).collect()
}

fn array(answer: &Value) -> Result<&[Value], Failure> {
    match answer {
        Value::Array(items) => Ok(items),
        other => Err(Failure::strange(&format!("{other:?}"))),
    }
}
