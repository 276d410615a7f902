//! What an operator sees of the back office.

use router::id::Lane;
use router::time::Timestamp;

use crate::database::{Database, Part, read};
use crate::error::BackofficeError;
use crate::migrations;
use crate::office::Backoffice;
use crate::projection::LanePosition;
use crate::settings::BackofficeSettings;

/// The back office at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackofficeStatus {
    /// The migrations of both databases.
    pub schema: Vec<SchemaStatus>,
    /// How far the rows of each lane have come.
    pub lanes: Vec<(Lane, LanePosition)>,
    /// Registered bills.
    pub bills: i64,
    /// Payments that have a row.
    pub payments: i64,
}

/// The migrations of one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaStatus {
    /// Which database.
    pub part: Part,
    /// How many migrations this program has.
    pub known: usize,
    /// How many of them are still to be applied.
    pub pending: usize,
}

impl Backoffice {
    /// The migrations of the databases, which may lack some. Nothing is changed.
    ///
    /// Errors: a database cannot be reached, or has other migrations than this program.
    pub async fn schema_status(
        settings: &BackofficeSettings,
    ) -> Result<Vec<SchemaStatus>, BackofficeError> {
        let office = Self::of(settings)?;
        let mut all = Vec::new();
        for database in [&office.registered, &office.projections] {
            let (part, pending) = (database.part, migrations::pending(database).await?);
            all.push(SchemaStatus { part, known: migrations::files(part).len(), pending });
        }
        office.close().await;
        Ok(all)
    }

    /// The back office at a glance. Cancel-safe.
    pub async fn status(&self) -> Result<BackofficeStatus, BackofficeError> {
        let mut schema = Vec::new();
        for database in [&self.registered, &self.projections] {
            let (part, pending) = (database.part, migrations::pending(database).await?);
            schema.push(SchemaStatus { part, known: migrations::files(part).len(), pending });
        }
        let bills = count(&self.registered, "SELECT COUNT(*) FROM bills").await?;
        let payments = count(&self.projections, "SELECT COUNT(*) FROM payments").await?;
        Ok(BackofficeStatus { schema, lanes: self.lane_positions().await?, bills, payments })
    }

    /// How far the rows of each lane have come. Cancel-safe.
    pub async fn lane_positions(&self) -> Result<Vec<(Lane, LanePosition)>, BackofficeError> {
        const SQL: &str = "SELECT lane, position, record_at FROM projected_lanes ORDER BY lane";
        let rows = read!(&self.projections, |on| {
            sqlx::query_as::<_, (i64, i64, i64)>(SQL).fetch_all(on).await
        })?;
        let lane = |(lane, position, record_at): (i64, i64, i64)| {
            let position = position.cast_unsigned();
            let at = LanePosition { position, record_at: Timestamp(record_at) };
            u16::try_from(lane).ok().map(|lane| (Lane(lane), at))
        };
        Ok(rows.into_iter().filter_map(lane).collect())
    }
}

async fn count(database: &Database, sql: &'static str) -> Result<i64, BackofficeError> {
    read!(database, |on| sqlx::query_scalar::<_, i64>(sql).fetch_one(on).await)
}
