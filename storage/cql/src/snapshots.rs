//! Snapshots of lanes, so that who takes one need not replay everything. Two are kept, for when
//! the newer is damaged.

use futures_util::{StreamExt, TryStreamExt, stream};
use router::id::Lane;

use crate::session::{Cql, CqlError, Statement};

/// Snapshots kept of each lane.
const KEPT: usize = 2;
const PART_BYTES_MAX: usize = 64 * 1024;
/// Parts of one partition.
const PIECE_PARTS: usize = 256;
/// Parts on their way at once: the journal's frames come first.
const IN_FLIGHT_MAX: usize = 4;

static PUT_PART: Statement = Statement::write(
    "snapshot_part",
    "INSERT INTO lane_snapshot (lane, sequence, piece, part, body) VALUES (?, ?, ?, ?, ?)",
);
static PUT_HEAD: Statement = Statement::write(
    "snapshot_head",
    "INSERT INTO lane_snapshot_head (lane, sequence, len) VALUES (?, ?, ?)",
);
static HEADS: Statement = Statement::read(
    "snapshot_heads",
    "SELECT sequence, len FROM lane_snapshot_head WHERE lane = ?",
);
static PIECE: Statement = Statement::read(
    "snapshot_piece",
    "SELECT body FROM lane_snapshot WHERE lane = ? AND sequence = ? AND piece = ?",
);
static DROP_HEAD: Statement = Statement::write(
    "snapshot_drop_head",
    "DELETE FROM lane_snapshot_head WHERE lane = ? AND sequence = ?",
);
static DROP_PIECE: Statement = Statement::write(
    "snapshot_drop_piece",
    "DELETE FROM lane_snapshot WHERE lane = ? AND sequence = ? AND piece = ?",
);

/// The snapshots of all lanes.
#[derive(Debug, Clone)]
pub struct Snapshots {
    cql: Cql,
}

impl Snapshots {
    /// Over a connection.
    pub fn new(cql: &Cql) -> Self {
        Self { cql: cql.clone() }
    }

    /// Keeps a snapshot of a lane at a position, and of older ones only the newest.
    ///
    /// It is listed once it is whole: one that was cut short is as if it had not been made.
    pub fn put(&self, lane: Lane, sequence: u64, bytes: &[u8]) -> Result<(), CqlError> {
        self.cql.block_on(async {
            self.put_parts(lane, sequence, bytes).await?;
            let len = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            let values = (i32::from(lane.0), sequence.cast_signed(), len);
            self.cql.persist(&PUT_HEAD, values).await?;
            for (sequence, len) in self.heads(lane).await?.into_iter().skip(KEPT) {
                self.drop_one(lane, sequence, len).await?;
            }
            Ok(())
        })
    }

    /// The position of a lane's newest snapshot.
    pub fn newest(&self, lane: Lane) -> Result<Option<u64>, CqlError> {
        let heads = self.cql.block_on(self.heads(lane))?;
        Ok(heads.first().map(|(sequence, _)| sequence.cast_unsigned()))
    }

    /// The snapshots of a lane that are whole, as position and bytes, newest first.
    pub fn latest(&self, lane: Lane) -> Result<Vec<(u64, Vec<u8>)>, CqlError> {
        self.cql.block_on(async {
            let mut found = Vec::new();
            for (sequence, len) in self.heads(lane).await?.into_iter().take(KEPT) {
                let bytes = self.read(lane, sequence, len).await?;
                match bytes.len() == len {
                    true => found.push((sequence.cast_unsigned(), bytes)),
                    false => {
                        tracing::warn!(lane = lane.0, sequence, "a snapshot is passed over");
                    }
                }
            }
            Ok(found)
        })
    }

    async fn put_parts(&self, lane: Lane, sequence: u64, bytes: &[u8]) -> Result<(), CqlError> {
        let (lane, sequence) = (i32::from(lane.0), sequence.cast_signed());
        let pieces = (0_i32..).zip(bytes.chunks(PIECE_PARTS * PART_BYTES_MAX));
        let parts = pieces.flat_map(|(piece, bytes)| {
            let parts = (0_i32..).zip(bytes.chunks(PART_BYTES_MAX));
            parts.map(move |(part, body)| (lane, sequence, piece, part, body))
        });
        let puts = parts.map(|values| self.cql.persist(&PUT_PART, values));
        let puts = stream::iter(puts).buffer_unordered(IN_FLIGHT_MAX);
        puts.try_for_each(async |_| Ok(())).await
    }

    /// Positions and lengths, newest first.
    async fn heads(&self, lane: Lane) -> Result<Vec<(i64, usize)>, CqlError> {
        let rows = self.cql.rows::<(i64, i64)>(&HEADS, (i32::from(lane.0),)).await?;
        let len = |len| usize::try_from(len).map_err(|error| CqlError::row(&HEADS, error));
        rows.into_iter().map(|(sequence, bytes)| Ok((sequence, len(bytes)?))).collect()
    }

    async fn read(&self, lane: Lane, sequence: i64, len: usize) -> Result<Vec<u8>, CqlError> {
        let mut bytes = Vec::new();
        for piece in pieces(len) {
            let values = (i32::from(lane.0), sequence, piece);
            for (part,) in self.cql.rows::<(Vec<u8>,)>(&PIECE, values).await? {
                bytes.extend_from_slice(&part);
            }
        }
        Ok(bytes)
    }

    async fn drop_one(&self, lane: Lane, sequence: i64, len: usize) -> Result<(), CqlError> {
        let lane = i32::from(lane.0);
        // Not listed any more before it is not whole any more.
        self.cql.persist(&DROP_HEAD, (lane, sequence)).await?;
        for piece in pieces(len) {
            self.cql.persist(&DROP_PIECE, (lane, sequence, piece)).await?;
        }
        Ok(())
    }
}

fn pieces(len: usize) -> impl Iterator<Item = i32> {
    (0_i32..).take(len.div_ceil(PIECE_PARTS * PART_BYTES_MAX))
}
