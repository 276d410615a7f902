//! What one turn of the follower gathers: the rows of payments, and the payments themselves.

use std::time::Instant;

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
    pub row: FollowedRow,
}

/// What stands in the row of a payment, and what its next record follows.
pub(super) struct FollowedRow {
    pub progress: Progress,
    pub positions: Positions,
    /// The records themselves, for a store of rows that keeps them.
    pub history: Option<History>,
}

/// What one turn writes.
pub(super) struct FollowerTurn {
    pub began: Instant,
    pub rows: Rows,
    /// The payments whose rows this turn makes, each with the place of its pointers: later steps of them
    /// are told by these.
    made: Vec<MadeRow>,
    /// Which of them a payment is; of those that were looked for so far.
    made_by_id: HashMap<PaymentId, usize>,
    /// Rows read to be made longer, which the batch does not show to readers yet.
    pub rewritten: HashMap<PaymentId, History>,
    pub written: Vec<(PaymentId, u64)>,
    pub owes: bool,
    /// What happened to payments, in the journal's order.
    pub events: Vec<PaymentEvent>,
    pub records: usize,
}

/// A payment whose rows a turn makes.
struct MadeRow {
    id: PaymentId,
    /// Its place among the pointers of the turn, which has those of other payments too.
    pointer: usize,
    row: FollowedRow,
}

impl FollowedRow {
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
            began: Instant::now(),
            rows: Rows::default(),
            made: Vec::new(),
            made_by_id: HashMap::new(),
            rewritten: HashMap::new(),
            written: Vec::new(),
            owes: false,
            events: Vec::new(),
            records: 0,
        }
    }

    /// Makes the rows of a payment.
    pub fn make(&mut self, id: PaymentId, FollowedPayment { facts, row }: FollowedPayment) {
        let pointer = self.rows.pointers.len();
        self.rows.pointers.push((id, facts));
        self.made.push(MadeRow { id, pointer, row });
        self.put_row(self.made.len() - 1);
    }

    /// Takes the next record of a payment whose rows this turn makes, and gives what it is found by;
    /// none of another payment.
    pub fn step(
        &mut self,
        id: PaymentId,
        (sequence, body): (u64, &[u8]),
        record: &Record,
    ) -> Result<Option<(Effects, &Facts)>, FollowError> {
        // Most turns are asked for none.
        let known = self.made_by_id.len();
        let more = self.made.iter().enumerate().skip(known).map(|(at, made)| (made.id, at));
        self.made_by_id.extend(more);
        let Some(at) = self.made_by_id.get(&id).copied() else { return Ok(None) };
        let effects = self.made[at].row.step(sequence, body, record)?;
        self.put_row(at);
        Ok(Some((effects, &self.rows.pointers[self.made[at].pointer].1)))
    }

    /// Writes the row of a payment as it is now.
    fn put_row(&mut self, at: usize) {
        let MadeRow { id, row, .. } = &self.made[at];
        match &row.history {
            Some(history) => self.rows.histories.push((*id, history.clone())),
            None => self.rows.positions.push((*id, row.positions.clone())),
        }
        self.written.push((*id, row.positions.last()));
    }
}

/// The notice of a payment to its biller, where it has one.
pub(super) fn owed(payment: PaymentId, kind: NoticeType, facts: &Facts) -> Option<OwedNotice> {
    facts.biller.map(|biller| OwedNotice { biller, kind, payment, bill: facts.bill })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::Sample;

    #[test]
    fn a_step_is_told_by_what_its_own_payment_is_found_by_whatever_else_the_turn_points_at() {
        let facts = |sample: &Sample| {
            let intent = sample.intent();
            Facts::of(intent.folio, intent.plan.business_date, &intent.request)
        };
        let (reopened, made) = (Sample::new(1), Sample::new(2));
        let mut turn = FollowerTurn::new();
        // What leads to a payment that was opened again is written anew.
        turn.rows.pointers.push((reopened.id(), facts(&reopened)));
        let row =
            FollowedRow { progress: Progress::SENT, positions: Positions::new(5), history: None };
        turn.make(made.id(), FollowedPayment { facts: facts(&made), row });
        let stepped = turn.step(made.id(), (6, &[]), &made.approved()).expect("a legal step");
        let (_, found_by) = stepped.expect("a payment of this turn");
        assert_eq!(*found_by, facts(&made));
        assert!(turn.step(reopened.id(), (7, &[]), &reopened.approved()).unwrap().is_none());
    }
}
