//! What one turn of the follower gathers: the rows of payments, and the payments themselves.

use foldhash::{HashMap, HashMapExt};
use router::event::OwedNotice;
use router::id::PaymentId;
use router::notice::NoticeType;
use router::payment::{Effects, Progress};
use router::record::Record;

use super::FollowError;
use crate::events::PaymentEvent;
use crate::history::History;
use crate::journal::Damage;
use crate::view::{Facts, Positions, Rows};

/// A payment as its records were followed so far.
pub(super) struct FollowedPayment {
    pub facts: Facts,
    pub progress: Progress,
    pub positions: Positions,
    /// The records themselves, for a store of rows that keeps them.
    pub history: Option<History>,
}

/// What one turn writes.
pub(super) struct FollowerTurn {
    pub rows: Rows,
    /// Payments whose rows this turn makes: later steps of them are told by these.
    pub made: HashMap<PaymentId, FollowedPayment>,
    /// Rows read to be made longer, which the batch does not show to readers yet.
    pub rewritten: HashMap<PaymentId, History>,
    pub written: Vec<(PaymentId, u64)>,
    pub owes: bool,
    /// What happened to payments, in the journal's order.
    pub events: Vec<PaymentEvent>,
    pub records: usize,
}

impl FollowedPayment {
    /// Takes the payment's next record.
    pub fn step(
        &mut self,
        sequence: u64,
        body: &[u8],
        record: &Record,
    ) -> Result<Effects, FollowError> {
        let effects = self.progress.apply(record);
        let effects = effects.map_err(|source| Damage::Step { sequence, source })?;
        self.positions.push(sequence);
        if let Some(history) = &mut self.history {
            history.push(sequence, body);
        }
        Ok(effects)
    }
}

impl FollowerTurn {
    pub fn new() -> Self {
        Self {
            rows: Rows::default(),
            made: HashMap::new(),
            rewritten: HashMap::new(),
            written: Vec::new(),
            owes: false,
            events: Vec::new(),
            records: 0,
        }
    }

    /// Writes the row of a payment as it is now.
    pub fn put_row(&mut self, id: PaymentId, made: FollowedPayment) {
        match &made.history {
            Some(history) => self.rows.histories.push((id, history.clone())),
            None => self.rows.positions.push((id, made.positions.clone())),
        }
        self.written.push((id, made.positions.last()));
        self.made.insert(id, made);
    }
}

/// The notice of a payment to its biller, where it has one.
pub(super) fn owed(payment: PaymentId, kind: NoticeType, facts: &Facts) -> Option<OwedNotice> {
    facts.biller.map(|biller| OwedNotice { biller, kind, payment, bill: facts.bill })
}
