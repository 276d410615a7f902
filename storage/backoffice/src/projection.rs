//! Rows from records: a batch of one lane's records, with the position behind it, in one
//! transaction. Whatever ends the process, the rows are those of all records up to the position.

mod write;

use std::collections::{BTreeMap, HashMap};

use router::event::Event;
use router::id::{Lane, PaymentId};
use router::record::Record;
use router::time::Timestamp;
use storage::journal::Damage;

use crate::database::{change, read};
use crate::error::BackofficeError;
use crate::office::Backoffice;
use crate::payment_row::{PaymentRow, RecordPlace};
use write::{put_events, put_position, put_rows, put_steps};

/// Most records of one batch.
pub(crate) const BATCH_RECORDS_MAX: usize = 10_000;

/// How far the rows of a lane have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanePosition {
    /// The last record that rows were made of; 0 before the first.
    pub position: u64,
    /// When that record was made.
    pub record_at: Timestamp,
}

impl LanePosition {
    /// Before the first record.
    pub const NONE: Self = Self { position: 0, record_at: Timestamp(0) };
}

/// A step of a payment of a bill.
#[derive(Debug)]
struct BillStep {
    payment: PaymentId,
    position: i64,
    at: i64,
    step: &'static str,
    /// What was paid of the bill in all, behind the step.
    bill_paid_minor: i64,
}

/// An event, as its table has it.
#[derive(Debug)]
struct EventRow {
    position: i64,
    at: i64,
    subject_kind: String,
    subject_id: String,
    subject_version: i64,
    event: String,
    actor_kind: String,
    actor_id: String,
}

/// A bill by its biller, its number and a currency.
type BillKey = (String, String, String);

/// The rows that a batch of records changes.
#[derive(Debug, Default)]
struct Batch {
    rows: BTreeMap<PaymentId, PaymentRow>,
    steps: Vec<BillStep>,
    events: Vec<EventRow>,
    /// What stands of the payments of each bill that the batch touches.
    paid: HashMap<BillKey, i64>,
}

impl Backoffice {
    /// How far the rows of a lane have come. Cancel-safe.
    pub async fn lane_position(&self, lane: Lane) -> Result<LanePosition, BackofficeError> {
        const SQL: &str = "SELECT position, record_at FROM projected_lanes WHERE lane = $1";
        let row = read!(&self.projections, |on| {
            sqlx::query_as::<_, (i64, i64)>(SQL).bind(i64::from(lane.0)).fetch_optional(on).await
        })?;
        Ok(row.map_or(LanePosition::NONE, |(position, record_at)| LanePosition {
            position: position.cast_unsigned(),
            record_at: Timestamp(record_at),
        }))
    }

    /// Makes rows of records that follow `from`; gives the position behind them.
    ///
    /// Errors: [`BackofficeError::OtherProjector`] when the lane is no longer at `from`; nothing is
    ///         changed then. A call that is dropped has changed all or nothing.
    pub async fn project(
        &self,
        lane: Lane,
        from: LanePosition,
        records: &[(u64, Record)],
    ) -> Result<LanePosition, BackofficeError> {
        let Some((position, _)) = records.last() else { return Ok(from) };
        let last_at = records.iter().rev().find_map(|(_, record)| record.at());
        let to = LanePosition { position: *position, record_at: last_at.unwrap_or(from.record_at) };
        let mut batch = Batch { rows: self.known_rows(records).await?, ..Batch::default() };
        batch.paid = self.paid_before(&batch, records).await?;
        for (position, record) in records {
            batch.take(RecordPlace { lane, position: *position }, record);
        }
        let lane_column = i64::from(lane.0);
        let is_ours = change!(&self.projections, |on| {
            let is_ours = put_position!(on, lane_column, from, to);
            if is_ours {
                put_rows!(on, batch.rows.values());
                put_steps!(on, &batch.steps);
                put_events!(on, lane_column, &batch.events);
            }
            is_ours
        })?;
        let moved = BackofficeError::OtherProjector { lane: lane.0, expected: from.position };
        if is_ours { Ok(to) } else { Err(moved) }
    }

    /// Makes rows of a whole lane, which may have some already; gives the position behind it. What was
    /// made until a failure stays.
    pub async fn project_all(
        &self,
        lane: Lane,
        records: impl Iterator<Item = Result<(u64, Record), Damage>>,
    ) -> Result<LanePosition, BackofficeError> {
        let mut at = self.lane_position(lane).await?;
        let mut batch = Vec::with_capacity(BATCH_RECORDS_MAX);
        for record in records {
            let record = record?;
            if record.0 <= at.position {
                continue;
            }
            batch.push(record);
            if batch.len() == BATCH_RECORDS_MAX {
                at = self.project(lane, at, &batch).await?;
                batch.clear();
            }
        }
        self.project(lane, at, &batch).await
    }

    /// Removes every row that was derived from the journal, and every position. A call that is
    /// dropped has removed all or nothing.
    pub async fn clear_projections(&self) -> Result<(), BackofficeError> {
        change!(&self.projections, |on| {
            for table in [
                "DELETE FROM payment_steps",
                "DELETE FROM payments",
                "DELETE FROM events",
                "DELETE FROM projected_lanes",
            ] {
                sqlx::query(table).execute(&mut *on).await?;
            }
        })
    }

    /// The rows of payments by their ids.
    pub async fn payment_rows(
        &self,
        ids: &[PaymentId],
    ) -> Result<Vec<PaymentRow>, BackofficeError> {
        let mut rows = Vec::with_capacity(ids.len());
        for some in ids.chunks(write::ROWS_PER_STATEMENT) {
            let found = read!(&self.projections, |on| {
                let mut query = sqlx::QueryBuilder::<Db>::new(concat!(
                    "SELECT ",
                    write::payment_columns!(),
                    " FROM payments WHERE id IN ("
                ));
                let mut names = query.separated(", ");
                for id in some {
                    names.push_bind(id.to_string());
                }
                query.push(")");
                query.build_query_as::<PaymentRow>().fetch_all(on).await
            })?;
            rows.extend(found);
        }
        Ok(rows)
    }

    /// The rows of payments that were begun before these records.
    async fn known_rows(
        &self,
        records: &[(u64, Record)],
    ) -> Result<BTreeMap<PaymentId, PaymentRow>, BackofficeError> {
        let mut begun = std::collections::HashSet::new();
        let mut sought = std::collections::BTreeSet::new();
        for (_, record) in records {
            let Some(id) = record.payment() else { continue };
            match record {
                Record::Intent(_) | Record::Refused(_) => {
                    begun.insert(id);
                }
                Record::Rerouted(_)
                | Record::Outcome(_)
                | Record::Reversal(_)
                | Record::LateAnswer(_)
                | Record::Account(_)
                | Record::Event(_)
                | Record::NoticeMark(_)
                | Record::EarlyReversal(_)
                | Record::Awaiting(_)
                | Record::Confirming(_)
                | Record::Expired(_)
                | Record::Inquiry(_)
                | Record::Refund(_) => {
                    if !begun.contains(&id) {
                        sought.insert(id);
                    }
                }
            }
        }
        let sought: Vec<PaymentId> = sought.into_iter().collect();
        let found = self.payment_rows(&sought).await?;
        let named = |row: PaymentRow| row.id.parse().ok().map(|id: PaymentId| (id, row));
        Ok(found.into_iter().filter_map(named).collect())
    }

    /// What stood before these records of each bill that they pay or give back of.
    async fn paid_before(
        &self,
        batch: &Batch,
        records: &[(u64, Record)],
    ) -> Result<HashMap<BillKey, i64>, BackofficeError> {
        let mut paid: HashMap<BillKey, i64> = HashMap::new();
        let begun = records.iter().filter_map(|(position, record)| {
            let place = RecordPlace { lane: Lane::default(), position: *position };
            PaymentRow::begin(place, record)
        });
        let begun: Vec<PaymentRow> = begun.filter(|row| row.bill_no.is_some()).collect();
        let bills = begun.iter().chain(batch.rows.values()).filter_map(PaymentRow::bill);
        for (biller, bill_no, currency) in bills {
            paid.insert((biller.to_owned(), bill_no.to_owned(), currency.to_owned()), 0);
        }
        let keys: Vec<BillKey> = paid.keys().cloned().collect();
        for some in keys.chunks(write::ROWS_PER_STATEMENT) {
            let rows = read!(&self.projections, |on| {
                let mut query = sqlx::QueryBuilder::<Db>::new(
                    "SELECT biller, bill_no, currency, CAST(SUM(stands_minor) AS BIGINT) \
                     FROM payments WHERE bill_no IS NOT NULL AND (biller, bill_no) IN (",
                );
                query.push_values(some, |mut tuple, (biller, bill_no, _)| {
                    tuple.push_bind(biller.clone()).push_bind(bill_no.clone());
                });
                query.push(")");
                query.push(" GROUP BY biller, bill_no, currency");
                query.build_query_as::<(String, String, String, i64)>().fetch_all(on).await
            })?;
            for (biller, bill_no, currency, stands) in rows {
                paid.insert((biller, bill_no, currency), stands);
            }
        }
        Ok(paid)
    }
}

impl Batch {
    fn take(&mut self, place: RecordPlace, record: &Record) {
        if let Record::Event(event) = record {
            self.events.push(EventRow::of(place, event));
        }
        let Some(payment) = record.payment() else { return };
        let at = record.at().unwrap_or(Timestamp(0)).0;
        if let Some(row) = PaymentRow::begin(place, record) {
            let step = if matches!(record, Record::Refused(_)) { "declined" } else { "sent" };
            self.note_step(&row, 0, BillStep::of(payment, &row, at, step));
            self.rows.insert(payment, row);
            return;
        }
        // Its beginning is no longer kept, and its row is not there: nothing is known of it.
        let Some(mut row) = self.rows.remove(&payment) else { return };
        let stood = row.stands_minor;
        let step = row.apply(place, record).map(|step| BillStep::of(payment, &row, at, step));
        let more_minor = row.stands_minor.saturating_sub(stood);
        self.note_step(&row, more_minor, step.flatten());
        self.rows.insert(payment, row);
    }

    /// Counts what a step adds to what was paid of the payment's bill, where it names one.
    fn note_step(&mut self, row: &PaymentRow, more_minor: i64, step: Option<BillStep>) {
        let Some((biller, bill_no, currency)) = row.bill() else { return };
        let key = (biller.to_owned(), bill_no.to_owned(), currency.to_owned());
        let paid = self.paid.entry(key).or_default();
        *paid = paid.saturating_add(more_minor);
        let bill_paid_minor = *paid;
        self.steps.extend(step.map(|step| BillStep { bill_paid_minor, ..step }));
    }
}

impl BillStep {
    /// A step of a payment whose row it has changed; none of a payment that names no bill.
    fn of(payment: PaymentId, row: &PaymentRow, at: i64, step: &'static str) -> Option<Self> {
        row.bill()?;
        Some(Self { payment, position: row.position, at, step, bill_paid_minor: 0 })
    }
}

impl EventRow {
    fn of(place: RecordPlace, event: &Event) -> Self {
        let subject = event.subject();
        Self {
            position: place.column(),
            at: event.at().0,
            subject_kind: subject.kind().to_string(),
            subject_id: subject.id().to_string(),
            subject_version: i64::from(event.version()),
            event: event.kind.name().to_string(),
            actor_kind: event.actor.kind().to_string(),
            actor_id: event.actor.id().to_string(),
        }
    }
}
