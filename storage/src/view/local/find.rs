//! Looking for rows: those in memory first, for they leave it when they are in tables.

use std::ops::RangeInclusive;

use fjall::Keyspace;
use router::id::PaymentId;

use super::LocalViews;
use super::recent::RecentRows;
use super::runs::Runs;
use super::tables::{self, RangeEnd};
use crate::history::History;
use crate::journal::FramePlace;
use crate::record::reopened_history;
use crate::view::keys::{self, BillerKey, NameKey, TraceKey};
use crate::view::{FrameRecords, NamedBy, Positions, ViewError};

impl LocalViews {
    /// Keys of a range, ascending: of the rows in memory and of those in tables.
    fn keys<const LEN: usize>(
        &self,
        rows: impl Fn(&RecentRows) -> &Runs<[u8; LEN], ()>,
        table: &Keyspace,
        range: &RangeInclusive<[u8; LEN]>,
        (wanted, limit): (RangeEnd, usize),
    ) -> Result<Vec<[u8; LEN]>, ViewError> {
        // In this order: rows leave memory when they are in tables.
        let mut keys: Vec<[u8; LEN]> = Vec::new();
        for recent in self.recent.read().all() {
            keys.extend(match wanted {
                RangeEnd::First => rows(recent).first_keys(range, limit),
                RangeEnd::Last => rows(recent).last_keys(range, limit),
            });
        }
        keys.extend(tables::keys(table, range, (wanted, limit))?);
        keys.sort_unstable();
        keys.dedup();
        match wanted {
            RangeEnd::First => keys.truncate(limit),
            RangeEnd::Last => drop(keys.drain(..keys.len().saturating_sub(limit))),
        }
        Ok(keys)
    }

    pub(super) fn trace_ids(
        &self,
        range: &RangeInclusive<TraceKey>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        let (table, wanted) = (&self.tables.by_trace, (RangeEnd::Last, limit));
        let keys = self.keys(|recent| &recent.by_trace, table, range, wanted)?;
        Ok(keys.iter().filter_map(keys::last_id).collect())
    }

    pub(super) fn biller_ids(
        &self,
        range: &RangeInclusive<BillerKey>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        let (table, wanted) = (&self.tables.by_biller, (RangeEnd::First, limit));
        let keys = self.keys(|recent| &recent.by_biller, table, range, wanted)?;
        Ok(keys.iter().filter_map(keys::last_id).collect())
    }

    /// Ids of recent payments within bounds, day by day from the last.
    pub(super) fn named_ids(
        &self,
        name: &NamedBy,
        (from, to): (PaymentId, PaymentId),
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        let Some(days) = self.days_of_names()? else { return Ok(Vec::new()) };
        let first = keys::day_of(from).max(*days.start());
        let last = keys::day_of(to).min(*days.end());
        let mut ids = Vec::new();
        for day in (first..=last).rev() {
            let ids_of_day = keys::ids_of_day(day);
            let (begin, end) = (from.max(*ids_of_day.start()), to.min(*ids_of_day.end()));
            if begin > end {
                continue;
            }
            let range = keys::name_key(name, begin)..=keys::name_key(name, end);
            let wanted = (RangeEnd::Last, limit - ids.len());
            let found =
                self.keys(|recent| &recent.by_name, &self.tables.by_name, &range, wanted)?;
            ids.extend(found.iter().rev().filter_map(keys::last_id));
            if ids.len() >= limit {
                break;
            }
        }
        Ok(ids)
    }

    /// The days of the names there are; none without any.
    fn days_of_names(&self) -> Result<Option<RangeInclusive<u32>>, ViewError> {
        let all = [0; size_of::<NameKey>()]..=[u8::MAX; size_of::<NameKey>()];
        let table = &self.tables.by_name;
        let at = |wanted| self.keys(|recent| &recent.by_name, table, &all, (wanted, 1));
        let (first, last) = (at(RangeEnd::First)?, at(RangeEnd::Last)?);
        Ok(first
            .first()
            .zip(last.first())
            .map(|(first, last)| keys::day_in(first)..=keys::day_in(last)))
    }

    pub(super) fn positions(&self, id: PaymentId) -> Result<Option<Positions>, ViewError> {
        let id = id.0.to_be_bytes();
        let recent = self.recent.read().all().find_map(|rows| rows.by_id.get(&id).cloned());
        match recent {
            Some(positions) => Ok(Some(positions)),
            None => self.tables.positions(id),
        }
    }

    /// The frame that holds a durable record, or the oldest that is kept behind it.
    pub(super) fn frame_with(&self, sequence: u64) -> Result<Option<FrameRecords>, ViewError> {
        let read = |sequence| self.records.frame(sequence, || self.place(sequence));
        if let Some(frame) = read(sequence)? {
            return Ok(Some(frame));
        }
        let oldest = self.records.oldest()?.filter(|oldest| *oldest > sequence);
        oldest.map_or(Ok(None), read)
    }

    /// The last place that is noted up to a position.
    fn place(&self, sequence: u64) -> Result<Option<FramePlace>, ViewError> {
        let key = sequence.to_be_bytes();
        let recent = self.recent.read().all().find_map(|rows| rows.places.last_up_to(&key));
        let (first, offset) = match recent {
            Some(found) => found,
            None => {
                let Some(row) = self.tables.places.range(..=key).next_back() else {
                    return Ok(None);
                };
                let (key, offset) = row.into_inner()?;
                let whole = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).ok();
                let Some(found) = whole(&key).zip(whole(&offset)) else { return Ok(None) };
                (found.0, u64::from_be_bytes(found.1))
            }
        };
        Ok(Some(FramePlace { first_sequence: u64::from_be_bytes(first), offset }))
    }

    /// The records of a payment at positions; none where the journal has not all of them any more.
    /// Those that were removed are told by what is carried of them, or by the record that opened
    /// the payment again.
    pub(super) fn records_at(
        &self,
        id: PaymentId,
        positions: &Positions,
    ) -> Result<Option<History>, ViewError> {
        let (mut history, mut is_cut) = (History::default(), false);
        for sequence in positions.iter() {
            match self.kept_body(sequence)? {
                Some(body) => {
                    if std::mem::take(&mut is_cut) {
                        let Some(earlier) = self.earlier(id, sequence, &body)? else {
                            return Ok(None);
                        };
                        history = earlier;
                    }
                    history.push(sequence, &body);
                }
                // Its segment may have been removed since the one before it was read.
                None => (history, is_cut) = (History::default(), true),
            }
        }
        if is_cut {
            return Ok(self.carried.read().histories.get(&id).cloned());
        }
        Ok(Some(history))
    }

    /// The body of a record; none where it was removed, whether its file is still there or not.
    fn kept_body(&self, sequence: u64) -> Result<Option<Vec<u8>>, ViewError> {
        if sequence <= self.carried.read().removed_through {
            return Ok(None);
        }
        self.records.body(sequence, || self.place(sequence))
    }

    /// The removed records of a payment before the first that is there.
    fn earlier(
        &self,
        id: PaymentId,
        sequence: u64,
        body: &[u8],
    ) -> Result<Option<History>, ViewError> {
        if let Some(carried) = self.carried.read().histories.get(&id) {
            return Ok(Some(carried.before(sequence)));
        }
        let reopened = reopened_history(body).map_err(ViewError::lasting)?;
        Ok(reopened.map(History::from_bytes))
    }
}
