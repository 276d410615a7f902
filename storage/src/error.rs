//! Why a store gave no answer, or could not be opened.

use std::io;

use router::event::{StaleVersion, Subject};
use router::id::{BillerId, Lane, PaymentId};
use router::payment::IllegalStep;

use crate::folder::FolderError;
use crate::guard::GuardError;
use crate::journal::Damage;
use crate::record::{LIST_LEN_MAX, ListTooLong};
use crate::view::ViewError;

/// Why a store gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Too much waits already; nothing was decided, the originator may repeat.
    #[error("the journal's queue is full")]
    Overloaded,
    /// The journal takes too long to make anything durable; nothing was decided, the originator may
    /// repeat.
    #[error("the journal has not become durable for {for_ms} ms")]
    Stalled {
        /// How long the frame under way has been waiting, in milliseconds.
        for_ms: u64,
    },
    /// A write or sync failed earlier, or the lane was lost: [`Store::failure`] says why. The
    /// process must end; what was under way is decided by the next start.
    ///
    /// [`Store::failure`]: crate::Store::failure
    #[error("the journal takes nothing more")]
    Failed,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The record cannot follow what happened before; nothing was appended.
    #[error(transparent)]
    Illegal(#[from] IllegalStep),
    /// The record's payment is not known.
    #[error("payment {0} is not known")]
    UnknownPayment(PaymentId),
    /// The subject was changed or deleted meanwhile, so an event made from an earlier version of it
    /// was not appended.
    #[error(transparent)]
    StaleVersion(#[from] Box<StaleVersion>),
    /// The event owes a biller more than one notice; nothing was appended.
    #[error("an event owes biller {biller} more than one notice")]
    NoticesOfOneBiller {
        /// The biller.
        biller: BillerId,
    },
    /// The record begins a payment; that goes through `admit` or `refuse`.
    #[error("a record of kind `{kind}` cannot be appended by itself")]
    NotAppendable {
        /// Its kind.
        kind: &'static str,
    },
    /// This build does not know the kind of the event's subject, and so not the lane that keeps the
    /// subject's versions; nothing was appended.
    #[error(
        "an event of {subject} cannot be appended here: this build does not know what a `{}` is, and \
         so not which node keeps its versions; a newer build does",
        subject.kind()
    )]
    UnknownSubject {
        /// The subject.
        subject: Box<Subject>,
    },
    /// The record posts something else than its payment owes there; nothing was appended.
    #[error("a record of kind `{kind}` posts another entry than its payment owes")]
    EntryDiffers {
        /// Its kind.
        kind: &'static str,
    },
    /// The guard gave no answer.
    #[error("the guard gave no answer")]
    Guard(#[from] GuardError),
    /// The record does not fit a frame, or one of its lists does not fit the record; nothing was
    /// appended.
    #[error("a record, or a list in it, is {len} long, over the ceiling of {max}")]
    RecordTooLong {
        /// Its length in bytes, or the list's in items.
        len: usize,
        /// The ceiling.
        max: usize,
    },
    /// Too many wait for one payment.
    #[error("{max} callers wait for payment {payment} already")]
    TooManyWaiters {
        /// The payment.
        payment: PaymentId,
        /// The ceiling.
        max: usize,
    },
    /// The payment is in the hands of another node, which cannot be asked now; repeat later.
    #[error("lane {lane} of another node cannot be asked: {detail}")]
    Elsewhere {
        /// The lane.
        lane: Lane,
        /// Why not.
        detail: Box<str>,
    },
    /// The read models cannot be read.
    #[error("the read models cannot be read: {detail}")]
    Views {
        /// What is known of it.
        detail: Box<str>,
    },
}

impl StoreError {
    pub(crate) fn unreadable(error: &dyn std::error::Error) -> Self {
        Self::Views { detail: error.to_string().into() }
    }
}

impl From<StaleVersion> for StoreError {
    fn from(stale: StaleVersion) -> Self {
        Self::StaleVersion(Box::new(stale))
    }
}

impl From<ListTooLong> for StoreError {
    fn from(list: ListTooLong) -> Self {
        Self::RecordTooLong { len: list.len, max: LIST_LEN_MAX }
    }
}

impl From<ViewError> for StoreError {
    fn from(error: ViewError) -> Self {
        Self::unreadable(&*error.source)
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used, or another process has it open.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The folder cannot be made or read.
    #[error("the data folder cannot be {doing}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The journal is damaged. Nothing was changed; restore it from a copy.
    #[error("the journal is damaged")]
    Journal(#[from] Damage),
    /// The read models cannot be opened or rebuilt.
    #[error(transparent)]
    Views(#[from] ViewError),
    /// The read models did not reach the end of the journal.
    #[error("the read models stopped at record {at} of {head}")]
    ViewsStopped {
        /// The last record they hold.
        at: u64,
        /// The journal's last record.
        head: u64,
    },
}
