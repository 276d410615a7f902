//! Notices and how far they are delivered: by endpoint and lane, in buckets of positions.
//!
//! A notice and a cursor are changed by one node alone, the one that serves the endpoint, but in
//! any direction; each change is stamped with the count of changes before it, which is read with
//! the row. What is derived from the journal has the first count, so that deriving it again undoes
//! no delivery.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt, stream};
use router::id::EndpointId;
use storage::journal::Head;
use storage::view::NoticeBytes;

use super::together::RowValues;
use super::{CqlViews, INDEXED_MAX, POSITION, READ_AHEAD, blob};
use crate::session::{CqlError, Statement};

/// Positions of one bucket, as a power of two.
const BUCKET_BITS: u32 = 17;
/// Buckets of one partition of their list, as a power of two.
const ERA_BITS: u32 = 13;
/// Count of a notice that never changed, and of a cursor before its first.
const FIRST: i64 = 1;

static PUT_NOTICE: Statement = Statement::write(
    "put_notice",
    "INSERT INTO notice (endpoint, lane, bucket, sequence, row) VALUES (?, ?, ?, ?, ?) \
     USING TIMESTAMP ?",
);
static PUT_BUCKET: Statement = Statement::write(
    "put_notice_bucket",
    "INSERT INTO notice_bucket (endpoint, lane, era, bucket) VALUES (?, ?, ?, ?)",
);
static BUCKETS: Statement = Statement::read(
    "notice_buckets",
    "SELECT bucket FROM notice_bucket \
     WHERE endpoint = ? AND lane = ? AND era = ? AND bucket >= ? AND bucket <= ?",
);
static AFTER: Statement = Statement::read(
    "notices_after",
    "SELECT sequence, row FROM notice \
     WHERE endpoint = ? AND lane = ? AND bucket = ? AND sequence > ? AND sequence <= ? LIMIT ?",
);
static BEFORE: Statement = Statement::read(
    "notices_before",
    "SELECT sequence, row FROM notice \
     WHERE endpoint = ? AND lane = ? AND bucket = ? AND sequence > ? AND sequence < ? \
     ORDER BY sequence DESC LIMIT ?",
);
static NOTICE: Statement = Statement::read(
    "notice",
    "SELECT row, WRITETIME(row) FROM notice \
     WHERE endpoint = ? AND lane = ? AND bucket = ? AND sequence = ?",
);
static CURSOR: Statement = Statement::read(
    "notice_cursor",
    "SELECT through, WRITETIME(through) FROM notice_cursor WHERE endpoint = ? AND lane = ?",
);
static PUT_CURSOR: Statement = Statement::write(
    "put_notice_cursor",
    "INSERT INTO notice_cursor (endpoint, lane, through) VALUES (?, ?, ?) USING TIMESTAMP ?",
);

/// A row whose changes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Changing {
    Notice(EndpointId, u64),
    Cursor(EndpointId),
}

impl CqlViews {
    pub(super) async fn put_notices(
        &self,
        notices: Vec<(EndpointId, u64, Vec<u8>)>,
    ) -> Result<(), CqlError> {
        let lane = i32::from(self.lane.0);
        let last = notices.iter().map(|(_, sequence, _)| *sequence).max().unwrap_or_default();
        let buckets =
            notices.iter().map(|(endpoint, sequence, _)| (*endpoint, bucket_of(*sequence)));
        let buckets = self.buckets.missing(buckets);
        let bucket_rows = buckets.iter().map(|(endpoint, bucket)| {
            let (endpoint, era) = (blob(endpoint.0), era_of(*bucket).cast_signed());
            RowValues::small((endpoint, era), (endpoint, lane, era, bucket.cast_signed()))
        });
        let rows = notices.into_iter().map(|(endpoint, sequence, row)| {
            let (endpoint, bucket) = (blob(endpoint.0), bucket_of(sequence).cast_signed());
            let values = (endpoint, lane, bucket, sequence.cast_signed(), row, FIRST);
            RowValues::new((endpoint, bucket), values.4.len(), values)
        });
        self.put_together(&PUT_NOTICE, rows.collect()).await?;
        self.put_together(&PUT_BUCKET, bucket_rows.collect()).await?;
        self.buckets.written(buckets);
        self.reach.fetch_max(last, Ordering::Relaxed);
        Ok(())
    }

    pub(super) async fn read_notices_after(
        &self,
        endpoint: EndpointId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, CqlError> {
        let (first, reach) = self.reach().await?;
        let after = after.max(first);
        if after >= reach || limit == 0 {
            return Ok(Vec::new());
        }
        let (from, to) = (bucket_of(after + 1), bucket_of(reach));
        let eras = (era_of(from)..=era_of(to)).map(|era| self.buckets(endpoint, era, (from, to)));
        let mut eras = stream::iter(eras).buffered(READ_AHEAD);
        let mut notices = Vec::new();
        while let Some(buckets) = eras.next().await {
            for bucket in buckets? {
                let left = limit - notices.len();
                // What is beyond is just being written, in no order.
                let bounds = [after, reach];
                notices.extend(self.bucket(&AFTER, (endpoint, bucket), bounds, left).await?);
                if notices.len() >= limit {
                    return Ok(notices);
                }
            }
        }
        Ok(notices)
    }

    pub(super) async fn read_notices_before(
        &self,
        endpoint: EndpointId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, CqlError> {
        let (first, reach) = self.reach().await?;
        let before = before.min(reach + 1);
        if before <= first + 1 || limit == 0 {
            return Ok(Vec::new());
        }
        let (from, to) = (0, bucket_of(before - 1));
        let eras = (0..=era_of(to)).rev().map(|era| self.buckets(endpoint, era, (from, to)));
        let mut eras = stream::iter(eras).buffered(READ_AHEAD);
        let mut notices = Vec::new();
        while let Some(buckets) = eras.next().await {
            for bucket in buckets?.into_iter().rev() {
                let left = limit - notices.len();
                let bounds = [first, before];
                notices.extend(self.bucket(&BEFORE, (endpoint, bucket), bounds, left).await?);
                if notices.len() >= limit {
                    return Ok(notices);
                }
            }
        }
        Ok(notices)
    }

    pub(super) async fn read_notice(
        &self,
        endpoint: EndpointId,
        sequence: u64,
    ) -> Result<Option<NoticeBytes>, CqlError> {
        let values = (
            blob(endpoint.0),
            i32::from(Head::lane_of(sequence).0),
            bucket_of(sequence).cast_signed(),
            sequence.cast_signed(),
        );
        let row = self.cql.row::<(Vec<u8>, Option<i64>)>(&NOTICE, values).await?;
        Ok(row.map(|(row, changes)| {
            self.has_changed(Changing::Notice(endpoint, sequence), changes.unwrap_or(FIRST));
            NoticeBytes { sequence, row }
        }))
    }

    pub(super) async fn change_notice(
        &self,
        endpoint: EndpointId,
        NoticeBytes { sequence, row }: NoticeBytes,
    ) -> Result<(), CqlError> {
        let changing = Changing::Notice(endpoint, sequence);
        if self.changes_of(changing).is_none() {
            self.read_notice(endpoint, sequence).await?;
        }
        let changes = self.changes_of(changing).unwrap_or(FIRST) + 1;
        let values = (
            blob(endpoint.0),
            i32::from(Head::lane_of(sequence).0),
            bucket_of(sequence).cast_signed(),
            sequence.cast_signed(),
            row,
            changes,
        );
        self.cql.persist(&PUT_NOTICE, values).await?;
        // Read again before its next change, which may be long after.
        self.changes.lock().remove(&changing);
        Ok(())
    }

    pub(super) async fn read_cursor(&self, endpoint: EndpointId) -> Result<Option<u64>, CqlError> {
        let values = (blob(endpoint.0), i32::from(self.lane.0));
        let row = self.cql.row::<(i64, Option<i64>)>(&CURSOR, values).await?;
        let (through, changes) = row.unzip();
        self.has_changed(Changing::Cursor(endpoint), changes.flatten().unwrap_or(FIRST));
        Ok(through.map(i64::cast_unsigned))
    }

    pub(super) async fn change_cursor(
        &self,
        endpoint: EndpointId,
        through: u64,
    ) -> Result<(), CqlError> {
        let changing = Changing::Cursor(endpoint);
        if self.changes_of(changing).is_none() {
            self.read_cursor(endpoint).await?;
        }
        let changes = self.changes_of(changing).unwrap_or(FIRST) + 1;
        let values = (blob(endpoint.0), i32::from(self.lane.0), through.cast_signed(), changes);
        // Whether or not it comes to pass, the next change comes after it.
        self.has_changed(changing, changes);
        self.cql.persist(&PUT_CURSOR, values).await.map(drop)
    }

    /// Positions before the first and at the last notice of this lane.
    async fn reach(&self) -> Result<(u64, u64), CqlError> {
        if !self.has_reach.load(Ordering::Relaxed) {
            self.read_position().await?;
        }
        Ok((Head::of_lane(self.lane).sequence, self.reach.load(Ordering::Relaxed)))
    }

    async fn buckets(
        &self,
        endpoint: EndpointId,
        era: u64,
        (from, to): (u64, u64),
    ) -> Result<Vec<i64>, CqlError> {
        let lane = i32::from(self.lane.0);
        let (era, from, to) = (era.cast_signed(), from.cast_signed(), to.cast_signed());
        let values = (blob(endpoint.0), lane, era, from, to);
        let rows = self.cql.rows::<(i64,)>(&BUCKETS, values).await?;
        Ok(rows.into_iter().map(|(bucket,)| bucket).collect())
    }

    async fn bucket(
        &self,
        statement: &Statement,
        (endpoint, bucket): (EndpointId, i64),
        bounds: [u64; 2],
        limit: usize,
    ) -> Result<impl Iterator<Item = NoticeBytes> + use<>, CqlError> {
        let rows_max = i32::try_from(limit).unwrap_or(i32::MAX);
        let lane = i32::from(self.lane.0);
        let [from, to] = bounds.map(u64::cast_signed);
        let values = (blob(endpoint.0), lane, bucket, from, to, rows_max);
        let rows = self.cql.rows::<(i64, Vec<u8>)>(statement, values).await?;
        let notice = |(sequence, row): (i64, Vec<u8>)| NoticeBytes {
            sequence: sequence.cast_unsigned(),
            row,
        };
        Ok(rows.into_iter().map(notice))
    }

    fn changes_of(&self, changing: Changing) -> Option<i64> {
        self.changes.lock().get(&changing).copied()
    }

    fn has_changed(&self, changing: Changing, changes: i64) {
        let mut known = self.changes.lock();
        if known.len() >= INDEXED_MAX {
            known.clear();
        }
        known.insert(changing, changes);
    }
}

fn bucket_of(sequence: u64) -> u64 {
    (sequence & POSITION) >> BUCKET_BITS
}

fn era_of(bucket: u64) -> u64 {
    bucket >> ERA_BITS
}

#[cfg(test)]
mod tests {
    use router::id::Lane;

    use super::*;

    #[test]
    fn buckets_and_eras_begin_anew_in_each_lane() {
        let at = |lane, position: u64| Head::of_lane(Lane(lane)).sequence + position;
        assert_eq!([bucket_of(at(3, 131_071)), bucket_of(at(65_535, 131_072))], [0, 1]);
        assert_eq!(era_of(bucket_of(at(3, 1 << 30))), 1);
        assert_eq!(era_of(bucket_of(at(3, (1 << 30) - 1))), 0);
    }
}
