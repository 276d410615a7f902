//! The read models: derived from the journal, behind it by a little, deleted without loss.
//!
//! Rows of one payment: its records by id; and, pointing to the id, one row each by folio, by
//! biller and day, by the originator's terminal and trace, by its terminal and its reference (DE37), and
//! by idempotency key. And the notices owed, by endpoint. On one machine they stand in an embedded
//! store (`local`), which holds the positions of the records in the journal and leaves the keys to
//! the guard; elsewhere in tables that all nodes read, with the records themselves.

mod keys;
pub(crate) mod local;

use std::ops::RangeInclusive;

use router::endpoint::Endpoint;
use router::id::{BillerId, EndpointId, Folio, Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::time::{Date, Timestamp};

pub use crate::facts::{Facts, NamedBy, TraceName};
pub use crate::history::History;
pub use crate::journal::FrameRecords;
pub use crate::positions::Positions;

/// Rows of one STAN and DE7 that are looked at: of all terminals that have both.
pub const TRACE_ROWS_MAX: usize = 1_024;

/// Why the read models failed.
#[derive(Debug, thiserror::Error)]
#[error("the read models failed")]
pub struct ViewError {
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
    is_passing: bool,
}

impl ViewError {
    /// From what the store of the rows said; the same may succeed when it is asked again.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: source.into(), is_passing: true }
    }

    /// From what the store of the rows will say again, as long as nobody changes it.
    pub fn lasting(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: source.into(), is_passing: false }
    }

    /// Whether the same may succeed when it is asked again.
    pub fn is_passing(&self) -> bool {
        self.is_passing
    }
}

/// How far the read models have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ViewPosition {
    /// Everything up to here is written; reading goes on after it.
    pub written: u64,
    /// Notices are derived up to here.
    pub noticed: u64,
}

/// An endpoint, and the lane it was set in last. Only that lane's owner serves the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointHome {
    /// The lane.
    pub home: Lane,
    /// The endpoint.
    pub endpoint: Endpoint,
}

/// Rows to be written together. Of two rows of one key the later counts.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The records of payments …
    pub histories: Vec<(PaymentId, History)>,
    /// … or where these stand, for a store that points into the journal.
    pub positions: Vec<(PaymentId, Positions)>,
    /// Where frames begin in their segments: the first record, and the offset.
    pub places: Vec<(u64, u64)>,
    /// What payments are found by; written once, with a payment's first row.
    pub pointers: Vec<(PaymentId, Facts)>,
    /// Endpoints set or removed, as record bodies.
    pub endpoints: Vec<(EndpointId, Vec<u8>)>,
    /// Notices owed: endpoint, position, row.
    pub notices: Vec<(EndpointId, u64, Vec<u8>)>,
}

/// The row of one notice, opaque to the store of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeBytes {
    /// Position of the record it is about.
    pub sequence: u64,
    /// The row that is kept of it.
    pub row: Vec<u8>,
}

/// The rows, wherever they are kept. All calls block.
pub trait Views: Send + Sync {
    /// Whether small reads and writes take microseconds, so that a task may make them.
    fn is_near(&self) -> bool;

    /// Whether rows hold the records of payments; otherwise they hold positions in the journal, and
    /// the records are read there.
    fn keeps_records(&self) -> bool;

    /// When the last record was made that is no longer kept; none where all are. Rows may lead to
    /// records that were removed.
    fn removed_until(&self) -> Option<Timestamp> {
        None
    }

    /// How far they have come.
    fn position(&self) -> Result<ViewPosition, ViewError>;

    /// Endpoints as of the position notices are derived up to, removed ones too.
    fn endpoints(&self) -> Result<Vec<EndpointHome>, ViewError>;

    /// Writes rows, then the position they bring the read models to. Writing some rows twice
    /// changes nothing, so a write that was cut short is made good by the next.
    fn write(&self, rows: Rows, position: ViewPosition) -> Result<(), ViewError>;

    /// Makes everything durable, so that the next start finds it written.
    fn persist(&self) -> Result<(), ViewError>;

    /// Ends what works on the rows in the background: when this returns, nothing is written any
    /// more. Reads go on; writes fail.
    fn close(&self);

    /// The records of a payment.
    fn history(&self, id: PaymentId) -> Result<Option<History>, ViewError>;

    /// The payment of a folio.
    fn id_of_folio(&self, folio: Folio) -> Result<Option<PaymentId>, ViewError>;

    /// The latest payment of a trace.
    fn id_of_trace(&self, name: &TraceName) -> Result<Option<PaymentId>, ViewError>;

    /// Payments that a name leads to, the newest first; those made before an instant are left out,
    /// and at most `limit` are given.
    fn ids_of_name(
        &self,
        name: &NamedBy,
        within: RangeInclusive<Timestamp>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError>;

    /// The payment that used a key, and for what exactly; none where the guard alone knows keys.
    /// The trace is the one of the request with that key, where it has one.
    fn id_of_key(
        &self,
        key: IdempotencyKey,
        trace: Option<&TraceName>,
    ) -> Result<Option<(PaymentId, Fingerprint)>, ViewError>;

    /// Ids of a biller's day after one, ascending.
    fn ids_of_biller(
        &self,
        biller: &BillerId,
        date: Date,
        after: Option<PaymentId>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError>;

    /// Notices of an endpoint after a position, in order.
    fn notices_after(
        &self,
        endpoint: EndpointId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, ViewError>;

    /// Notices of an endpoint before a position, newest first.
    fn notices_before(
        &self,
        endpoint: EndpointId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, ViewError>;

    /// One notice.
    fn notice(&self, endpoint: EndpointId, sequence: u64)
    -> Result<Option<NoticeBytes>, ViewError>;

    /// Replaces one notice.
    fn put_notice(&self, endpoint: EndpointId, notice: NoticeBytes) -> Result<(), ViewError>;

    /// Everything up to here was delivered to an endpoint, or given up.
    fn cursor(&self, endpoint: EndpointId) -> Result<Option<u64>, ViewError>;

    /// Moves that.
    fn put_cursor(&self, endpoint: EndpointId, through: u64) -> Result<(), ViewError>;

    /// Frames of the journal in order, from the one that holds the record after a position, as far
    /// as one read goes: that record must be durable. Where it is not kept any more, from the oldest
    /// that is.
    fn frames_after(&self, after: u64) -> Result<Vec<FrameRecords>, ViewError>;
}
