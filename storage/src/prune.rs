//! Removes the journal's oldest segments once all their records are older than records are kept.
//!
//! One segment at a time, in three steps, each durable before the next:
//!
//! 1. the file `beginning` is replaced by the state behind the segment, which is folded from the
//!    state before it; with that the journal begins behind the segment, and whatever still stands
//!    before is no part of it;
//! 2. the look-ups that lead to its records are removed, and the notices that are done with;
//! 3. the files of segments and snapshots before the beginning are removed, the oldest first.
//!
//! A process that ends between two steps leaves files before the beginning: the next removal begins
//! with those. Payments that are open behind the segment are carried in `beginning` with all their
//! records, and keep their look-ups. So do payments that a later record, which is kept, opened again:
//! that record carries the earlier ones. A payment's look-ups are removed with its last record.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use foldhash::{HashMap, HashMapExt};
use metrics::counter;
use router::id::PaymentId;
use router::record::Record;
use router::time::Timestamp;

use crate::beginning::{self, Beginning};
use crate::error::OpenError;
use crate::history::{History, HistoryError};
use crate::journal::{Damage, End, FileTail, Tail, dir_of, list, path_of, sync_dir, walk};
use crate::opening::open_views;
use crate::record::{self, Kind, bodies};
use crate::seal::Sealer;
use crate::settings::{Settings, micros};
use crate::snapshot::{self, SnapshotError};
use crate::view::local::LocalViews;
use crate::view::{Facts, ViewError, Views};

/// Payments whose look-ups are removed at once, some 500 bytes of memory each.
const PAYMENTS_AT_ONCE: usize = 32_768;

/// Why no segment was removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The data folder cannot be opened, or is in use.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal, as far as it was read.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The file `beginning` was not written.
    #[error("the file `beginning` cannot be written")]
    Beginning(#[from] SnapshotError),
    /// The look-ups.
    #[error(transparent)]
    Views(#[from] ViewError),
    /// The disk refused.
    #[error("files of the journal cannot be removed")]
    Io(#[from] io::Error),
}

/// Removes all segments of a data folder that are due, and gives how many that were.
///
/// The store does this by itself while it is open; this is for tools and tests. Blocks.
/// Errors: [`PruneError`]; segments that were removed before stay removed.
pub fn prune_now(settings: &Settings, sealer: &Sealer) -> Result<u64, PruneError> {
    let (_lock, views) = open_views(settings, sealer)?;
    let views = Arc::new(views);
    let mut removed = 0;
    if let Some(mut pruner) = Pruner::of(settings, Arc::clone(&views)) {
        while pruner.remove_next()? {
            removed += 1;
        }
    }
    views.close();
    Ok(removed)
}

/// Removes old segments of one data folder.
pub(crate) struct Pruner {
    data: PathBuf,
    keep_for: Duration,
    key_retention: Duration,
    views: Arc<LocalViews>,
    /// Behind which record the journal begins, once that was read.
    begun_after: Option<u64>,
    /// Payments that were carried until the last removal, which ended in the segment removed; as
    /// `beginning` says it.
    ended: Vec<(PaymentId, History)>,
}

impl Pruner {
    /// Of the data folder of some settings; none where records are kept for ever.
    pub fn of(settings: &Settings, views: Arc<LocalViews>) -> Option<Self> {
        let (data, key_retention) = (settings.dir.clone(), settings.key_retention);
        let (begun_after, ended) = (None, Vec::new());
        Some(Self { data, keep_for: settings.keep_for?, key_retention, views, begun_after, ended })
    }

    /// Behind which record the journal begins. Read once: the state that says so may be large.
    fn begun_after(&mut self) -> Result<u64, PruneError> {
        if let Some(sequence) = self.begun_after {
            return Ok(sequence);
        }
        let Beginning { head, ended, .. } = beginning::read(&self.data, self.key_retention)?;
        (self.begun_after, self.ended) = (Some(head.sequence), ended);
        Ok(head.sequence)
    }

    /// Removes every segment that is due, until it is stopped; between two it rests as long as one
    /// took, for payments come first.
    pub fn run(&mut self, stop: &Receiver<()>) {
        let mut rest = Duration::ZERO;
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(rest) {
            let began = Instant::now();
            match self.remove_next() {
                Ok(true) => rest = began.elapsed(),
                Ok(false) => return,
                Err(error) => {
                    let error = crate::with_causes(&error).to_string();
                    tracing::warn!(error, "old segments of the journal were not removed");
                    return;
                }
            }
        }
    }

    /// Removes what an earlier removal left, then the oldest segment if it is due; says whether more
    /// may be due.
    pub fn remove_next(&mut self) -> Result<bool, PruneError> {
        // First: the next `beginning` no longer says which payments ended before this one.
        self.finish()?;
        let Some(next) = self.due()? else { return Ok(false) };
        self.begin_before(next)?;
        self.finish()?;
        Ok(true)
    }

    /// Steps 2 and 3, for all that stands before the beginning.
    fn finish(&mut self) -> Result<(), PruneError> {
        self.remove_look_ups()?;
        self.remove_files()
    }

    /// The segment behind the oldest one, if that is due: all its records are older than they are
    /// kept, and the look-ups are durably behind it. Time is what the newest segment says: a machine
    /// whose clock is wrong removes nothing by it.
    fn due(&mut self) -> Result<Option<u64>, PruneError> {
        let begun_after = self.begun_after()?;
        let segments: Vec<u64> = self.segments()?.filter(|first| *first > begun_after).collect();
        let [_, next, ..] = segments[..] else { return Ok(None) };
        let written = self.views.position()?.written;
        if next > written + 1 {
            return Ok(None);
        }
        let Some(then) = self.begun_at(next, written)? else { return Ok(None) };
        // The end may be written right now: a record that cannot be read there has no time.
        let now = |first: &u64| self.begun_at(*first, u64::MAX).ok().flatten();
        let now = segments.iter().rev().find_map(now);
        let is_due = |now: Timestamp| now.0.saturating_sub(then.0) > micros(self.keep_for);
        Ok(now.is_some_and(is_due).then_some(next))
    }

    /// When a segment was begun, as the first record says that tells a time: of its frames up to a
    /// record, or of those of later segments where none of its own tells one. No record before the
    /// segment is younger. None where no record tells a time.
    fn begun_at(&self, segment: u64, end: u64) -> Result<Option<Timestamp>, Damage> {
        let mut tail = FileTail::after(&self.data, segment - 1);
        while tail.next_sequence() <= end {
            let records = tail.next_frame()?.records()?;
            if let Some(at) = records.iter().find_map(|(_, record)| record.at()) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Step 1: the journal begins with a segment from now on.
    fn begin_before(&mut self, segment: u64) -> Result<(), PruneError> {
        let (mut state, before) = beginning::load(&self.data, self.key_retention)?;
        let walked = walk(&self.data, before, End::Before(segment), |_, frame| {
            for (sequence, body) in (frame.first_sequence..).zip(bodies(frame.body)) {
                let body = body.map_err(|source| Damage::Record { sequence, source })?;
                state.apply(sequence, body)?;
            }
            Ok::<(), Damage>(())
        })?;
        let ended = self.views.carried_no_more(&state.fold);
        // Keys among them: they are over by elapsed time, which a wrong clock does not make longer.
        beginning::write(&self.data, &walked.head, &state, &ended)?;
        (self.begun_after, self.ended) = (Some(walked.head.sequence), ended);
        self.views.carry(&state.fold, walked.head.sequence);
        Ok(())
    }

    /// Step 2: the look-ups of all segments that stand before the beginning.
    fn remove_look_ups(&mut self) -> Result<(), PruneError> {
        let begun_after = self.begun_after()?;
        let Some(first) = self.segments()?.next().filter(|first| *first <= begun_after) else {
            return Ok(());
        };
        let mut payments = HashMap::new();
        for (id, history) in &self.ended {
            let facts = history.facts().map_err(|error| crate::state::damage(first, error))?;
            payments.insert(*id, facts);
        }
        let mut tail = FileTail::after(&self.data, first - 1);
        while tail.next_sequence() <= begun_after {
            let frame = tail.next_frame()?;
            for (sequence, body) in (frame.first_sequence..).zip(bodies(&frame.body)) {
                let body = body.map_err(|source| Damage::Record { sequence, source })?;
                let begun = begun(body).map_err(|error| crate::state::damage(sequence, error))?;
                payments.extend(begun);
            }
            if payments.len() >= PAYMENTS_AT_ONCE {
                self.views.remove_payments(std::mem::take(&mut payments), begun_after)?;
            }
        }
        self.views.remove_payments(payments, begun_after)?;
        self.views.remove_through(begun_after)?;
        self.ended.clear();
        Ok(())
    }

    /// Step 3: the files of all segments and snapshots that stand before the beginning.
    fn remove_files(&mut self) -> Result<(), PruneError> {
        let begun_after = self.begun_after()?;
        let dir = dir_of(&self.data);
        for segment in self.segments()?.filter(|first| *first <= begun_after) {
            self.views.forget_before(begun_after + 1);
            let bytes = remove(&path_of(&dir, segment))?;
            counter!("cauce_journal_segments_removed_total").increment(1);
            tracing::info!(
                segment,
                bytes,
                begins_with = begun_after + 1,
                "a segment of the journal is no longer kept and was removed"
            );
        }
        sync_dir(&dir)?;
        Ok(snapshot::remove_before(&self.data, begun_after)?)
    }

    fn segments(&self) -> io::Result<impl Iterator<Item = u64>> {
        Ok(list(&dir_of(&self.data))?.into_iter())
    }
}

/// Removes a file; gives its length.
fn remove(path: &Path) -> io::Result<u64> {
    let len = fs::metadata(path)?.len();
    fs::remove_file(path)?;
    Ok(len)
}

/// The payment that a record begins or opens again, and what its rows are found by; none of another
/// record.
fn begun(body: &[u8]) -> Result<Option<(PaymentId, Facts)>, HistoryError> {
    match record::kind_of(body)? {
        Kind::Intent => {
            let intent = record::intent_request(body)?;
            let facts = Facts::of(intent.folio, intent.business_date, &intent.request);
            Ok(Some((intent.payment, facts)))
        }
        Kind::Refused => {
            let Record::Refused(refused) = record::decode_step(body)? else { return Ok(None) };
            let facts = Facts::of(refused.folio, refused.business_date, &refused.request);
            Ok(Some((refused.payment, facts)))
        }
        Kind::Rerouted
        | Kind::Outcome
        | Kind::Reversal
        | Kind::LateAnswer
        | Kind::Account
        | Kind::Event
        | Kind::NoticeMark
        | Kind::EarlyReversal
        | Kind::Awaiting
        | Kind::Confirming
        | Kind::Expired
        | Kind::Inquiry
        | Kind::Refund => opened_again(body),
    }
}

fn opened_again(body: &[u8]) -> Result<Option<(PaymentId, Facts)>, HistoryError> {
    let Some(history) = record::reopened_history(body)? else { return Ok(None) };
    let facts = History::from_bytes(history).facts()?;
    Ok(record::decode_step(body)?.payment().map(|id| (id, facts)))
}

#[cfg(test)]
mod tests;
