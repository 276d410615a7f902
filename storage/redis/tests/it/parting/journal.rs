//! What is recorded in the lane: the truth that the gate is held against.

use std::time::Duration;

use router::early::EarlyReversal;
use router::id::PaymentId;
use router::reservation::{Keep, Reservation, Settle};
use router::time::Timestamp;
use storage::Reflect;
use storage::guard::{Credit, GateEpoch, MemoryGuard, ReservationEnd, ReserveAsk, Wants};
use storage_redis::{GateError, Rebuild, Replay};

use crate::support::*;

pub const SLOTS: u64 = 3;
pub const COUNTER: u128 = 1;
pub const FLOAT: &str = "float:1";

#[derive(Debug, Clone)]
pub enum Record {
    Intent(u64),
    Refused(u64),
    Ended(u64, Settle),
    Moved(i64),
}

/// What is recorded, and the earliest epoch whose decisions are taken.
#[derive(Default)]
pub struct Journal {
    pub records: Vec<Record>,
    pub trusted: GateEpoch,
}

impl Journal {
    pub fn head(&self) -> u64 {
        self.records.len() as u64
    }

    /// Appends a record, unless the epoch it was decided under is over.
    pub fn append(&mut self, record: Record, decided_under: Option<GateEpoch>) -> bool {
        if decided_under.is_some_and(|epoch| epoch < self.trusted) {
            return false;
        }
        self.trusted = self.trusted.max(decided_under.unwrap_or_default());
        self.records.push(record);
        true
    }

    /// Whether a payment was admitted or refused.
    pub fn has(&self, asked: PaymentId) -> bool {
        self.records.iter().any(|record| match record {
            Record::Intent(number) | Record::Refused(number) => payment(*number) == asked,
            Record::Ended(..) | Record::Moved(_) => false,
        })
    }

    /// Payments that can end, or be reversed.
    pub fn unended(&self) -> Vec<(u64, bool)> {
        let mut unended = Vec::new();
        for record in &self.records {
            match record {
                Record::Intent(number) => unended.push((*number, false)),
                Record::Ended(number, settle) => {
                    unended.retain(|(other, _)| other != number);
                    if *settle == Settle::Post {
                        unended.push((*number, true));
                    }
                }
                Record::Refused(_) | Record::Moved(_) => {}
            }
        }
        unended
    }

    fn reflect(&self, through: u64, guard: &mut dyn Reflect) {
        for (sequence, record) in (1..=through).zip(&self.records) {
            match record {
                Record::Intent(number) => guard.regrant(&ask(*number, &wanted(*number)), sequence),
                Record::Refused(number) => {
                    let Reservation { key, fingerprint, .. } = wanted(*number);
                    let (payment, wants) = (payment(*number), Wants::Remember(key, fingerprint));
                    let at = Timestamp(NOON);
                    guard.regrant(&ReserveAsk { payment, at, wants, requested: None }, sequence);
                }
                Record::Ended(number, settle) => {
                    let wants = wanted(*number);
                    let entry = &entry_of(*settle, &wants);
                    let (payment, settle, reservation) = (payment(*number), *settle, Some(&wants));
                    guard.end(&ReservationEnd { payment, settle, reservation, entry, sequence });
                }
                Record::Moved(minor) => {
                    guard.credit(&Credit { entry: &moved(FLOAT, *minor), sequence });
                }
            }
        }
    }

    pub fn fold(&self) -> MemoryGuard {
        let mut model = MemoryGuard::new(Duration::from_hours(48));
        self.reflect(self.head(), &mut model);
        model
    }
}

/// Makes a replay of records.
struct Steps(Replay);

impl Reflect for Steps {
    fn regrant(&mut self, ask: &ReserveAsk<'_>, sequence: u64) {
        self.0.begin(LANE, sequence, ask.payment, ask.at, ask.wants);
    }

    fn end(&mut self, settlement: &ReservationEnd<'_>) {
        self.0.end(LANE, settlement);
    }

    fn credit(&mut self, credit: &Credit<'_>) {
        self.0.credit(LANE, credit);
    }

    fn forestall(&mut self, early: &EarlyReversal) {
        self.0.forestall(LANE, early);
    }
}

/// What a payment wants: 100 of the float, one of the counter, one of few slots.
pub fn wanted(number: u64) -> Reservation {
    Reservation {
        counters: [counter(COUNTER, 1, i64::MAX)].into_iter().collect(),
        slots: [slot(u128::from(number % SLOTS), Keep::WhileApproved)].into_iter().collect(),
        ..hundred(u128::from(number) << 64)
    }
}

/// Replays the records up to one, whatever is there, and releases what has none.
pub fn reflect(
    journal: &Journal,
    through: u64,
    rebuild: &mut Rebuild<'_>,
) -> Result<(), GateError> {
    let mut steps = Steps(Replay::new());
    journal.reflect(through, &mut steps);
    rebuild.replay(&steps.0)?;
    let mut claims = rebuild.claims(LANE)?;
    claims.retain(|(payment, _)| !journal.has(*payment));
    rebuild.release_claims(LANE, &claims)?;
    rebuild.set_mark(LANE, at_position(through))
}
