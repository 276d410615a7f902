//! The thread that derives the read models from the durable journal.
//!
//! It reads the segment files behind the writer. A payment is written when it has its outcome,
//! so that most payments cost one row and its pointers; one that has none yet is written when it
//! is a second old, or when a reader asks. Notices are derived on the way.

mod endpoints;
mod turn;
mod view_retry;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use foldhash::{HashMap, HashMapExt};
use router::endpoint::Endpoint;
use router::event::{Event, OwedNotice};
use router::id::{BillerId, EndpointId, PaymentId};
use router::notice::NoticeType;
use router::payment::Progress;
use router::record::Record;

use crate::causes::with_causes;
use crate::events::{PaymentEvent, RecentEvents};
use crate::failure::StoreFailure;
use crate::history::History;
use crate::journal::{Damage, PLACE_EVERY, Tail, TailFrame};
use crate::outbox::{self, NoticeOrigin};
use crate::record::{self, DecodeError, Kind};
use crate::shared::Shared;
use crate::view::{Facts, Positions, Rows, ViewError, ViewPosition, Views};
use crate::written::TakenGroups;
use turn::{FollowedPayment, FollowedRow, FollowerTurn, owed};
use view_retry::ViewRetry;

/// A payment without outcome is written when it is this old.
const WRITE_AFTER: Duration = Duration::from_secs(1);
/// Most records of one batch of rows.
const BATCH_RECORDS_MAX: usize = 8_192;
const IDLE_WAIT: Duration = Duration::from_millis(50);

/// Why the read models cannot follow.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The read models failed.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] Damage),
}

/// Everything the thread owns.
pub(crate) struct Follower {
    tail: Box<dyn Tail>,
    views: Arc<dyn Views>,
    shared: Arc<Shared>,
    /// Payments whose rows wait for their outcome.
    pending: HashMap<PaymentId, FollowedPayment>,
    /// The same in journal order; those that are written already are passed over.
    order: VecDeque<(u64, PaymentId, Instant)>,
    endpoints: HashMap<BillerId, Vec<Endpoint>>,
    /// Whose each of them is.
    billers: HashMap<EndpointId, BillerId>,
    /// A rebuild owes no notice up to these.
    marks: BTreeMap<EndpointId, u64>,
    position: ViewPosition,
    /// Whether rows hold records; otherwise positions.
    keeps_records: bool,
    /// Where the last frame whose place was noted begins in its segment.
    last_place: Option<u64>,
    refresh: Option<Refresh>,
    retry: ViewRetry,
    taken: TakenGroups,
}

/// When endpoints that other nodes set are read.
struct Refresh {
    every: Duration,
    last: Instant,
}

impl Follower {
    pub fn new(
        tail: Box<dyn Tail>,
        views: Arc<dyn Views>,
        shared: Arc<Shared>,
        marks: BTreeMap<EndpointId, u64>,
    ) -> Result<Self, ViewError> {
        let position = views.position()?;
        let retry = ViewRetry {
            is_near: views.is_near(),
            shared: Arc::clone(&shared),
            stop: Arc::default(),
        };
        let mut follower = Self {
            tail,
            position,
            shared,
            pending: HashMap::new(),
            order: VecDeque::new(),
            endpoints: HashMap::new(),
            billers: HashMap::new(),
            marks,
            keeps_records: views.keeps_records(),
            last_place: None,
            views,
            refresh: None,
            retry,
            taken: TakenGroups::default(),
        };
        *follower.shared.recent_events.lock() = RecentEvents::after(position.noticed);
        for homed in follower.views.endpoints()? {
            follower.set_endpoint(homed.endpoint);
        }
        Ok(follower)
    }

    /// Follows until it is stopped, then writes everything there is.
    pub fn run(mut self, stop: &Arc<AtomicBool>) {
        self.follow(stop);
        self.views.close();
    }

    fn follow(&mut self, stop: &Arc<AtomicBool>) {
        self.retry.stop = Arc::clone(stop);
        loop {
            let is_last = stop.load(Ordering::Acquire);
            match self.turn(is_last) {
                Ok(0) if is_last => break,
                Ok(0) => self.shared.follower_waits(IDLE_WAIT),
                Ok(_) => {}
                Err(error) if stop.load(Ordering::Acquire) => {
                    let (error, lag) = (with_causes(&error).to_string(), self.shared.lag());
                    return tracing::warn!(
                        error,
                        lag,
                        "the read models stay behind until the next start"
                    );
                }
                Err(error) => {
                    let error = with_causes(&error).to_string();
                    tracing::error!(error, "the read models cannot follow; the process must end");
                    return self.shared.fail(StoreFailure::ReadModels);
                }
            }
        }
        if let Err(error) = self.views.persist() {
            tracing::warn!(%error, "the read models were not synced; the next start goes back");
        }
    }

    /// Takes durable records, in batches; gives the number of records taken.
    pub fn turn(&mut self, flush_all: bool) -> Result<usize, FollowError> {
        self.refresh_endpoints()?;
        let durable = self.shared.durable();
        self.taken.take(&self.shared.written_groups);
        let mut turn = FollowerTurn::new();
        while turn.records < BATCH_RECORDS_MAX && self.tail.next_sequence() <= durable {
            let frame = self.retry.ask(|| Ok(self.tail.next_frame()?))?;
            self.note_place(&frame, &mut turn);
            for (sequence, body) in (frame.first_sequence..).zip(record::bodies(&frame.body)) {
                let unreadable = |source| Damage::Record { sequence, source };
                self.take(sequence, body.map_err(unreadable)?, &mut turn)?;
                turn.records += 1;
            }
        }
        let followed = self.tail.next_sequence() - 1;
        let flush_to = self.shared.flush_to();
        let wanted = flush_to > self.position.written && followed >= flush_to;
        self.flush(flush_all || wanted, &mut turn);
        self.commit(followed, turn)
    }

    /// Notes where a frame begins, once in so many bytes of a segment.
    fn note_place(&mut self, frame: &TailFrame, turn: &mut FollowerTurn) {
        let Some(offset) = frame.offset.filter(|_| !self.keeps_records) else { return };
        let is_near = |last: u64| (last..last + PLACE_EVERY).contains(&offset);
        if !self.last_place.is_some_and(is_near) {
            turn.rows.places.push((frame.first_sequence, offset));
            self.last_place = Some(offset);
        }
    }

    /// A payment at the record that begins it.
    fn begun(
        &self,
        sequence: u64,
        body: &[u8],
        facts: Facts,
        progress: Progress,
    ) -> FollowedPayment {
        let history = self.keeps_records.then(|| History::new(sequence, body));
        let row = FollowedRow { progress, positions: Positions::new(sequence), history };
        FollowedPayment { facts, row }
    }

    fn take(
        &mut self,
        sequence: u64,
        body: &[u8],
        turn: &mut FollowerTurn,
    ) -> Result<(), FollowError> {
        let unreadable = |source| Damage::Record { sequence, source };
        match record::kind_of(body).map_err(unreadable)? {
            Kind::Intent => {
                let (payment, facts) = self.intent(sequence, body).map_err(unreadable)?;
                let pending = self.begun(sequence, body, facts, Progress::SENT);
                self.pending.insert(payment, pending);
                self.order.push_back((sequence, payment, turn.began));
            }
            Kind::Outcome => {
                let record = match self.taken.outcome(sequence, &self.shared.written_groups) {
                    Some(concluded) => Record::Outcome(concluded),
                    None => record::decode_step(body).map_err(unreadable)?,
                };
                self.step(sequence, body, &record, turn)?;
            }
            Kind::Refused
            | Kind::Rerouted
            | Kind::Reversal
            | Kind::LateAnswer
            | Kind::Event
            | Kind::Awaiting
            | Kind::Confirming
            | Kind::Expired
            | Kind::Inquiry
            | Kind::Refund => {
                let record = record::decode_step(body).map_err(unreadable)?;
                self.take_whole(sequence, body, record, turn)?;
            }
            Kind::NoticeMark | Kind::Account | Kind::EarlyReversal => {}
        }
        Ok(())
    }

    /// The facts of an intent for its rows: from the writer, or decoded from its bytes.
    fn intent(&mut self, sequence: u64, body: &[u8]) -> Result<(PaymentId, Facts), DecodeError> {
        if let Some(known) = self.taken.intent(sequence, &self.shared.written_groups) {
            return Ok((known.payment, known.facts));
        }
        let intent = record::intent_request(body)?;
        Ok((intent.payment, Facts::of(intent.folio, intent.business_date, &intent.request)))
    }

    fn take_whole(
        &mut self,
        sequence: u64,
        body: &[u8],
        record: Record,
        turn: &mut FollowerTurn,
    ) -> Result<(), FollowError> {
        match record {
            Record::Refused(refused) => {
                let facts = Facts::of(refused.folio, refused.business_date, &refused.request);
                self.owe(
                    NoticeOrigin { sequence, at: refused.at, refund: None },
                    owed(refused.payment, NoticeType::PaymentDeclined, &facts),
                    turn,
                );
                let pending = self.begun(sequence, body, facts, Progress::REFUSED);
                turn.make(refused.payment, pending);
            }
            Record::Event(event) => self.take_event(sequence, body, *event, turn),
            Record::Intent(_)
            | Record::NoticeMark(_)
            | Record::Account(_)
            | Record::EarlyReversal(_) => {}
            record @ (Record::Rerouted(_)
            | Record::Outcome(_)
            | Record::Reversal(_)
            | Record::LateAnswer(_)
            | Record::Awaiting(_)
            | Record::Confirming(_)
            | Record::Expired(_)
            | Record::Inquiry(_)
            | Record::Refund(_)) => {
                self.step(sequence, body, &record, turn)?;
            }
        }
        Ok(())
    }

    fn take_event(&mut self, sequence: u64, body: &[u8], event: Event, turn: &mut FollowerTurn) {
        for notice in &event.notices {
            let origin = NoticeOrigin { sequence, at: event.at(), refund: None };
            self.owe(origin, Some(*notice), turn);
        }
        if let Some(endpoint) = event.endpoint() {
            turn.rows.endpoints.push((endpoint.id, body.to_vec()));
            self.set_endpoint(endpoint.clone());
        }
    }

    fn step(
        &mut self,
        sequence: u64,
        body: &[u8],
        record: &Record,
        turn: &mut FollowerTurn,
    ) -> Result<(), FollowError> {
        let Some(id) = record.payment() else { return Ok(()) };
        let from = NoticeOrigin::of(sequence, record);
        if let Some(mut pending) = self.pending.remove(&id) {
            let effects = pending.row.step(sequence, body, record)?;
            if let Some(kind) = effects.notice {
                self.owe(from, owed(id, kind, &pending.facts), turn);
            }
            // The row that a notice is about is written with it: another node may send the notice.
            if pending.row.progress.is_open() && effects.notice.is_none() {
                self.pending.insert(id, pending);
            } else {
                turn.make(id, pending);
            }
            return Ok(());
        }
        if let Some((effects, facts)) = turn.step(id, (sequence, body), record)? {
            let notice = effects.notice.and_then(|kind| owed(id, kind, facts));
            self.owe(from, notice, turn);
            return Ok(());
        }
        self.step_of_written(sequence, body, record, turn)
    }

    /// A step of a payment whose row is written already.
    fn step_of_written(
        &mut self,
        sequence: u64,
        body: &[u8],
        record: &Record,
        turn: &mut FollowerTurn,
    ) -> Result<(), FollowError> {
        let Some(id) = record.payment() else { return Ok(()) };
        let row = match turn.rewritten.remove(&id) {
            Some(row) => Some(row),
            None => self.retry.ask(|| Ok(self.views.history(id)?))?,
        };
        let lost = || Damage::Record {
            sequence,
            source: DecodeError::Value { field: "earlier record of its payment", at: 0 },
        };
        let row = match row {
            None if self.views.removed_until().is_some() => {
                self.removed_history(id, sequence, body)?
            }
            row => Some(row.ok_or_else(lost)?),
        };
        // A late answer to a payment that is no longer kept.
        let Some(mut row) = row else { return Ok(()) };
        // A restart reads some records again. The rows of one turn may not have been written
        // together: a history may be there, and the notice that its last record owes not.
        let is_new = sequence > row.last_sequence();
        if is_new || sequence > self.position.noticed {
            let mut progress = row.progress_before(sequence).map_err(|_| lost())?;
            let effects = progress.apply(record);
            let effects = effects.map_err(|source| Damage::Step { sequence, source })?;
            let facts = row.facts().map_err(|_| lost())?;
            if let Some(kind) = effects.notice {
                self.owe(NoticeOrigin::of(sequence, record), owed(id, kind, &facts), turn);
            }
        }
        if is_new {
            self.point_again(id, body, &row, turn)?;
            row.push(sequence, body);
            turn.rows.histories.push((id, row.clone()));
            turn.written.push((id, sequence));
        }
        turn.rewritten.insert(id, row);
        Ok(())
    }

    /// Where records are removed, what leads to a payment is written anew with the record that opens it
    /// again: it may have been removed with the payment's first records since.
    fn point_again(
        &self,
        id: PaymentId,
        body: &[u8],
        row: &History,
        turn: &mut FollowerTurn,
    ) -> Result<(), FollowError> {
        if self.keeps_records {
            return Ok(());
        }
        let damage = |source| crate::state::damage(row.last_sequence(), source);
        if record::reopened_history(body).map_err(|source| damage(source.into()))?.is_some() {
            turn.rows.pointers.push((id, row.facts().map_err(damage)?));
        }
        Ok(())
    }

    /// The records of a payment before a position, where the journal keeps not all of them: as the
    /// record there carries them, or as they are in memory.
    fn removed_history(
        &self,
        id: PaymentId,
        sequence: u64,
        body: &[u8],
    ) -> Result<Option<History>, FollowError> {
        let carried = record::reopened_history(body);
        let carried = carried.map_err(|source| Damage::Record { sequence, source })?;
        let live = || Some(self.shared.live.history(id)?.before(sequence));
        let known = carried.map(History::from_bytes).or_else(live);
        Ok(known.filter(|history| !history.is_empty()))
    }

    /// Writes payments without outcome: the old ones, or all.
    fn flush(&mut self, all: bool, turn: &mut FollowerTurn) {
        while let Some((_, id, since)) = self.order.front().copied() {
            if self.pending.contains_key(&id) && !all && since.elapsed() < WRITE_AFTER {
                break;
            }
            self.order.pop_front();
            if let Some(pending) = self.pending.remove(&id) {
                turn.make(id, pending);
            }
        }
    }

    /// Owes what a record makes owed.
    fn owe(&self, from: NoticeOrigin, owed: Option<OwedNotice>, turn: &mut FollowerTurn) {
        let sequence = from.sequence;
        let Some(notice) = owed.filter(|_| sequence > self.position.noticed) else { return };
        turn.events.push(PaymentEvent { from, notice });
        let OwedNotice { biller, kind, payment, bill } = notice;
        for endpoint in self.endpoints.get(&biller).into_iter().flatten() {
            let wants = endpoint.types.is_empty() || endpoint.types.contains(&kind);
            let is_done = self.marks.get(&endpoint.id).is_some_and(|mark| sequence <= *mark);
            if wants && !is_done {
                let row = outbox::owed_row(endpoint.id, from, (payment, kind, bill));
                turn.rows.notices.push((endpoint.id, sequence, row));
                turn.owes = true;
            }
        }
    }

    fn commit(&mut self, followed: u64, mut turn: FollowerTurn) -> Result<usize, FollowError> {
        let written = self.order.front().map_or(followed, |(first, _, _)| first - 1);
        let noticed = followed.max(self.position.noticed);
        let events = std::mem::take(&mut turn.events);
        let position = ViewPosition { written: written.max(self.position.written), noticed };
        if position == self.position && turn.written.is_empty() {
            self.shared.set_followed(followed);
            return Ok(turn.records);
        }
        let rows = std::mem::take(&mut turn.rows);
        self.write_rows(rows, position)?;
        self.position = position;
        self.shared.recent_events.lock().take(events);
        for (id, through) in turn.written {
            self.shared.live.forget(id, through);
        }
        // Before `written`: a caller that waits for the rows reads the notices too.
        if turn.owes {
            self.shared.noticed.send_replace(position.noticed);
        }
        self.shared
            .written
            .send_if_modified(|at| std::mem::replace(at, position.written) != position.written);
        self.shared.set_followed(followed);
        self.shared.show_lag();
        Ok(turn.records)
    }

    fn write_rows(&self, rows: Rows, position: ViewPosition) -> Result<(), FollowError> {
        match self.retry.is_near {
            true => Ok(self.views.write(rows, position)?),
            false => self.retry.ask(|| Ok(self.views.write(rows.clone(), position)?)),
        }
    }
}

#[cfg(test)]
mod tests;
