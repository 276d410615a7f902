//! Notices owed to merchants' endpoints, as the journal implies them.

mod lanes;
mod row;

use router::id::{BillNo, EndpointId, NoticeId, PaymentId, RefundId};
use router::notice::NoticeType;
use router::time::Timestamp;

pub(crate) use lanes::{LanePage, log_page, owed_page};
pub use lanes::{LogCursor, LogCursorError, ReadThrough};
pub(crate) use row::{NoticeOrigin, Outbox, owed_at_first, owed_row};

/// One notice that must still be delivered to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndeliveredNotice {
    /// The journal position of the record it is about, its lane included; it orders the notices
    /// that one lane owes an endpoint.
    pub sequence: u64,
    /// The notice, the same for every endpoint and attempt.
    pub notice_id: NoticeId,
    /// The payment it is about.
    pub payment: PaymentId,
    /// Its type.
    pub kind: NoticeType,
    /// The refund it is about, where it is about one.
    pub refund: Option<RefundId>,
    /// Notices with the same key are delivered in order.
    pub order_key: OrderKey,
    /// Attempts so far.
    pub attempts: u32,
    /// Not before; the epoch for a notice never tried.
    pub next_at: Timestamp,
    /// When its event happened, or when somebody last asked for it once more: its age counts from
    /// here.
    pub owed_since: Timestamp,
}

/// Some of the notices an endpoint is owed, and how far was looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedPage {
    /// In the order of each lane; between lanes, by time.
    pub rows: Vec<UndeliveredNotice>,
    /// No other notice is owed up to here: the next page begins after it.
    pub through: ReadThrough,
    /// Whether more may be owed already. If not, the store's signal announces new notices.
    pub is_more: bool,
}

/// Some of the log of an endpoint's notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticePage {
    /// Newest first: by time between lanes, in the reverse order of the journal within one.
    pub rows: Vec<NoticeRow>,
    /// Where the next page begins; none at the end.
    pub next: Option<LogCursor>,
}

/// What keeps notices in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderKey {
    /// The notices of one bill.
    Bill(BillNo),
    /// The notices of one payment that names no bill.
    Payment(PaymentId),
}

/// Where a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Never tried.
    Queued,
    /// Tried in vain, to be tried again.
    Retrying,
    /// Accepted by the endpoint.
    Delivered,
    /// Given up.
    Dead,
}

/// The result of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempted {
    /// When.
    pub at: Timestamp,
    /// HTTP status of the answer; none when there was no answer.
    pub status: Option<u16>,
    /// Attempts so far, this one included.
    pub attempts: u32,
}

/// One line of the log of notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The notice that is or was owed.
    pub owed: UndeliveredNotice,
    /// Where it stands.
    pub delivery: Delivery,
    /// HTTP status of the last answer.
    pub last_status: Option<u16>,
    /// When the last attempt was made, or the notice was given up for its age.
    pub last_at: Option<Timestamp>,
}
