//! The rows of notices owed, and how far each endpoint has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use router::id::{BillNo, EndpointId, NoticeId, PaymentId, RefundId};
use router::notice::{NoticeType, notice_id, refund_notice_id};
use router::record::{NoticeMark, Record};
use router::time::Timestamp;

use super::{Attempted, Delivery, LanePage, NoticeRow, OrderKey, UndeliveredNotice};
use crate::packing::{Reader, put_option, put_text, put_timestamp, put_u16, put_u32, put_u128};
use crate::record::DecodeError;
use crate::record::{notice_type, put_notice_type};
use crate::view::{NoticeBytes, ViewError, Views};

/// Deliveries to an endpoint between two marks in the journal.
const MARK_EVERY: u64 = 1_000;
/// Rows looked at in one call; the next goes on where it ended.
const SCAN_MAX: usize = 10_000;
/// Rows asked of the read models at once.
const READ_AT_ONCE: usize = 256;

/// The record that owes a notice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoticeOrigin {
    /// Its position.
    pub sequence: u64,
    /// When it was made.
    pub at: Timestamp,
    /// The refund that it is a step of, where it is one.
    pub refund: Option<RefundId>,
}

impl NoticeOrigin {
    /// A step of a payment at a position.
    pub fn of(sequence: u64, step: &Record) -> Self {
        let at = step.at().expect("invariant: every step of a payment has its time");
        Self { sequence, at, refund: step.refund() }
    }
}

/// The id of the notice of one type about a payment.
fn id_of(payment: PaymentId, kind: NoticeType, refund: Option<RefundId>) -> NoticeId {
    match refund {
        Some(refund) => refund_notice_id(payment, refund),
        None => notice_id(payment, kind),
    }
}

/// A notice as it is owed at first, to whomever.
pub(crate) fn owed_at_first(
    NoticeOrigin { sequence, at, refund }: NoticeOrigin,
    (payment, kind, bill): (PaymentId, NoticeType, Option<BillNo>),
) -> UndeliveredNotice {
    let order_key = bill.map_or(OrderKey::Payment(payment), OrderKey::Bill);
    UndeliveredNotice {
        sequence,
        notice_id: id_of(payment, kind, refund),
        payment,
        kind,
        refund,
        order_key,
        attempts: 0,
        next_at: Timestamp(0),
        owed_since: at,
    }
}

/// The row of one notice owed.
pub(crate) fn owed_row(
    endpoint: EndpointId,
    from: NoticeOrigin,
    tells: (PaymentId, NoticeType, Option<BillNo>),
) -> Vec<u8> {
    let owed = owed_at_first(from, tells);
    let row =
        NoticeRow { endpoint, owed, delivery: Delivery::Queued, last_status: None, last_at: None };
    encode(&row)
}

/// The delivery state of all endpoints, as far as the notices of one lane go.
pub(crate) struct Outbox {
    views: Arc<dyn Views>,
    /// Where endpoints begin that the read models know no cursor of.
    marks: BTreeMap<EndpointId, u64>,
    /// One lock an endpoint: one whose rows are being scanned keeps no other waiting.
    cursors: Mutex<BTreeMap<EndpointId, Arc<Mutex<Cursor>>>>,
    scan_max: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// Everything up to here is delivered or given up.
    through: u64,
    /// Delivered or given up since the last mark.
    unmarked: u64,
}

impl Outbox {
    pub fn new(views: Arc<dyn Views>, marks: BTreeMap<EndpointId, u64>) -> Self {
        Self { views, marks, cursors: Mutex::default(), scan_max: SCAN_MAX }
    }

    /// What an endpoint is owed after a position, in order, as far as one call looks.
    pub fn page(
        &self,
        endpoint: EndpointId,
        after: u64,
        limit: usize,
    ) -> Result<LanePage, ViewError> {
        let through = self.cursor(endpoint)?.lock().through;
        let (rows, scanned_through) = (Vec::new(), after.max(through));
        let mut page = LanePage { rows, scanned_through, is_end: false };
        let mut left = self.scan_max;
        while left > 0 && page.rows.len() < limit {
            let wanted = left.min(READ_AT_ONCE);
            let found = self.views.notices_after(endpoint, page.scanned_through, wanted)?;
            let is_last = found.len() < wanted;
            for notice in found {
                if page.rows.len() >= limit {
                    return Ok(page);
                }
                page.scanned_through = notice.sequence;
                let row = decode(endpoint, &notice).filter(NoticeRow::is_owed);
                page.rows.extend(row.map(|row| row.owed));
            }
            if is_last {
                page.is_end = true;
                break;
            }
            left -= wanted;
        }
        Ok(page)
    }

    /// Rows of an endpoint, newest first, before a position.
    pub fn log(
        &self,
        endpoint: EndpointId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<NoticeRow>, ViewError> {
        let found = self.views.notices_before(endpoint, before, limit)?;
        Ok(found.iter().filter_map(|notice| decode(endpoint, notice)).collect())
    }

    /// Notes what became of a notice; gives the mark that is now due, if one is.
    ///
    /// A failed attempt does not end a redelivery that was asked for after the attempt began: the
    /// notice stays owed as the redelivery set it.
    pub fn note(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
        (delivery, next_at): (Delivery, Timestamp),
    ) -> Result<Option<NoticeMark>, ViewError> {
        self.change(endpoint, sequence, |row| {
            if delivery == Delivery::Delivered || !row.is_redelivery_asked_since(attempted.at) {
                row.delivery = delivery;
                row.owed.attempts = attempted.attempts;
                row.owed.next_at = next_at;
            }
            row.last_status = attempted.status;
            row.last_at = Some(attempted.at);
        })
    }

    /// Notes that a notice was given up for its age at a time, without one more attempt: of one that
    /// is owed since no later than `since`. A notice whose redelivery was asked for meanwhile stays owed.
    pub fn note_too_old(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        (since, at): (Timestamp, Timestamp),
    ) -> Result<Option<NoticeMark>, ViewError> {
        self.change(endpoint, sequence, |row| {
            if row.owed.owed_since <= since {
                (row.delivery, row.owed.next_at, row.last_at) =
                    (Delivery::Dead, Timestamp(0), Some(at));
            }
        })
    }

    /// Changes the row of a notice; gives the mark that is now due, if one is.
    fn change(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        change: impl FnOnce(&mut NoticeRow),
    ) -> Result<Option<NoticeMark>, ViewError> {
        let cursor = self.cursor(endpoint)?;
        // Held from the look at the row: what another thread writes meanwhile would be lost.
        let mut cursor = cursor.lock();
        let Some(notice) = self.views.notice(endpoint, sequence)? else { return Ok(None) };
        let Some(mut row) = decode(endpoint, &notice) else { return Ok(None) };
        change(&mut row);
        self.views.put_notice(endpoint, NoticeBytes { sequence, row: encode(&row) })?;
        match row.delivery {
            Delivery::Delivered | Delivery::Dead => cursor.unmarked += 1,
            Delivery::Queued | Delivery::Retrying => {
                self.move_cursor_before(endpoint, sequence, &mut cursor)?;
            }
        }
        if cursor.unmarked >= MARK_EVERY { self.mark(endpoint, &mut cursor) } else { Ok(None) }
    }

    /// Owes a notice once more from a time on, whether it was delivered, given up or is owed: its
    /// attempts and its age count from zero. A notice without a row is left alone.
    pub fn owe_again(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        at: Timestamp,
    ) -> Result<(), ViewError> {
        let cursor = self.cursor(endpoint)?;
        let mut cursor = cursor.lock();
        let Some(notice) = self.views.notice(endpoint, sequence)? else { return Ok(()) };
        let Some(mut row) = decode(endpoint, &notice) else { return Ok(()) };
        (row.delivery, row.owed.attempts, row.owed.next_at) = (Delivery::Retrying, 0, at);
        row.owed.owed_since = at;
        self.views.put_notice(endpoint, NoticeBytes { sequence, row: encode(&row) })?;
        self.move_cursor_before(endpoint, sequence, &mut cursor)
    }

    /// Moves the cursor back before a notice that is owed, if the cursor has passed it.
    fn move_cursor_before(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        cursor: &mut Cursor,
    ) -> Result<(), ViewError> {
        if sequence > cursor.through {
            return Ok(());
        }
        cursor.through = sequence - 1;
        self.views.put_cursor(endpoint, cursor.through)
    }

    /// What a mark would say now, moved by nothing.
    pub fn standing(&self, endpoint: EndpointId) -> Result<NoticeMark, ViewError> {
        let through = self.cursor(endpoint)?.lock().through;
        Ok(NoticeMark { endpoint, through })
    }

    /// The marks that are due when the store closes.
    pub fn marks(&self) -> Result<Vec<NoticeMark>, ViewError> {
        let mut marks = Vec::new();
        let cursors = self.cursors.lock().clone();
        for (endpoint, cursor) in cursors {
            let mut cursor = cursor.lock();
            let mut last = None;
            while cursor.unmarked > 0 {
                last = self.mark(endpoint, &mut cursor)?.or(last);
            }
            marks.extend(last);
        }
        Ok(marks)
    }

    /// An endpoint's cursor, read when it is first asked for: another may have moved it before.
    fn cursor(&self, endpoint: EndpointId) -> Result<Arc<Mutex<Cursor>>, ViewError> {
        if let Some(known) = self.cursors.lock().get(&endpoint) {
            return Ok(Arc::clone(known));
        }
        let mark = self.marks.get(&endpoint).copied().unwrap_or_default();
        let through = self.views.cursor(endpoint)?.unwrap_or(mark);
        let read = Arc::new(Mutex::new(Cursor { through, unmarked: 0 }));
        Ok(Arc::clone(self.cursors.lock().entry(endpoint).or_insert(read)))
    }

    /// Moves an endpoint's cursor over what is delivered or given up, as far as one call looks;
    /// a mark stays due until the first row that is owed, or the last row, is reached.
    fn mark(
        &self,
        endpoint: EndpointId,
        cursor: &mut Cursor,
    ) -> Result<Option<NoticeMark>, ViewError> {
        let before = cursor.through;
        let mut scanned = 0;
        for notice in self.views.notices_after(endpoint, before, self.scan_max)? {
            let Some(row) = decode(endpoint, &notice) else { continue };
            if row.is_owed() {
                break;
            }
            cursor.through = row.owed.sequence;
            scanned += 1;
        }
        if scanned < self.scan_max {
            cursor.unmarked = 0;
        }
        if cursor.through == before {
            return Ok(None);
        }
        self.views.put_cursor(endpoint, cursor.through)?;
        Ok(Some(NoticeMark { endpoint, through: cursor.through }))
    }
}

impl NoticeRow {
    fn is_owed(&self) -> bool {
        matches!(self.delivery, Delivery::Queued | Delivery::Retrying)
    }

    /// Whether its redelivery was asked for after a time, and it was not tried since.
    fn is_redelivery_asked_since(&self, time: Timestamp) -> bool {
        (self.delivery, self.owed.attempts) == (Delivery::Retrying, 0)
            && self.owed.owed_since > time
    }
}

fn encode(row: &NoticeRow) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    put_u128(row.owed.payment.0, &mut out);
    put_notice_type(row.owed.kind, &mut out);
    let bill = match &row.owed.order_key {
        OrderKey::Bill(bill) => Some(bill),
        OrderKey::Payment(_) => None,
    };
    put_option(bill, &mut out, |bill, out| put_text(&bill.0, out));
    put_option(row.owed.refund.as_ref(), &mut out, |refund, out| put_u128(refund.0, out));
    out.push(match row.delivery {
        Delivery::Queued => 1,
        Delivery::Retrying => 2,
        Delivery::Delivered => 3,
        Delivery::Dead => 4,
    });
    put_u32(row.owed.attempts, &mut out);
    put_timestamp(row.owed.next_at, &mut out);
    put_timestamp(row.owed.owed_since, &mut out);
    put_option(row.last_status.as_ref(), &mut out, |status, out| put_u16(*status, out));
    put_option(row.last_at.as_ref(), &mut out, |at, out| put_timestamp(*at, out));
    out
}

/// None for a row that cannot be read; the read models can be rebuilt.
fn decode(endpoint: EndpointId, notice: &NoticeBytes) -> Option<NoticeRow> {
    row(endpoint, notice.sequence, &mut Reader::new(&notice.row)).ok()
}

fn row(
    endpoint: EndpointId,
    sequence: u64,
    reader: &mut Reader<'_>,
) -> Result<NoticeRow, DecodeError> {
    let payment = PaymentId(reader.u128()?);
    let kind = notice_type(reader)?;
    let bill = reader.option(|reader| reader.text().map(BillNo))?;
    let refund = reader.option(|reader| reader.u128().map(RefundId))?;
    let at = reader.at();
    let delivery = match reader.u8()? {
        1 => Delivery::Queued,
        2 => Delivery::Retrying,
        3 => Delivery::Delivered,
        4 => Delivery::Dead,
        _ => return Err(DecodeError::Value { field: "delivery", at }),
    };
    let owed = UndeliveredNotice {
        sequence,
        notice_id: id_of(payment, kind, refund),
        payment,
        kind,
        refund,
        order_key: bill.map_or(OrderKey::Payment(payment), OrderKey::Bill),
        attempts: reader.u32()?,
        next_at: reader.timestamp()?,
        owed_since: reader.timestamp()?,
    };
    let last_status = reader.option(Reader::u16)?;
    Ok(NoticeRow {
        endpoint,
        owed,
        delivery,
        last_status,
        last_at: reader.option(Reader::timestamp)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::local::LocalViews;
    use crate::view::{Rows, ViewPosition};

    const ENDPOINT: EndpointId = EndpointId(4);
    const SINCE: Timestamp = Timestamp(77);

    /// An outbox whose calls look at ten rows, with rows at 1 to `last`.
    fn outbox(dir: &std::path::Path, last: u64) -> Outbox {
        let views = Arc::new(LocalViews::open(dir, 1 << 20).unwrap());
        let mut rows = Rows::default();
        for sequence in 1..=last {
            let tells = (PaymentId(sequence.into()), NoticeType::PaymentApproved, None);
            let origin = NoticeOrigin { sequence, at: SINCE, refund: None };
            rows.notices.push((ENDPOINT, sequence, owed_row(ENDPOINT, origin, tells)));
        }
        views.write(rows, ViewPosition::default()).unwrap();
        Outbox { scan_max: 10, ..Outbox::new(views, BTreeMap::new()) }
    }

    fn note(outbox: &Outbox, sequence: u64, delivery: Delivery) {
        let attempted = Attempted { at: Timestamp(1), status: None, attempts: 1 };
        outbox.note(ENDPOINT, sequence, attempted, (delivery, Timestamp(2))).unwrap();
    }

    fn sequences(owed: &[UndeliveredNotice]) -> Vec<u64> {
        owed.iter().map(|owed| owed.sequence).collect()
    }

    #[test]
    fn a_notice_behind_many_delivered_ones_is_reached_page_by_page() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), 35);
        note(&outbox, 1, Delivery::Retrying);
        (2..=34).for_each(|sequence| note(&outbox, sequence, Delivery::Delivered));
        let (mut after, mut found) = (0, Vec::new());
        for (looked_through, is_end) in [(10, false), (20, false), (30, false), (35, true)] {
            let page = outbox.page(ENDPOINT, after, 5).unwrap();
            assert_eq!((page.scanned_through, page.is_end), (looked_through, is_end));
            after = page.scanned_through;
            found.extend(sequences(&page.rows));
        }
        assert_eq!(found, [1, 35]);
    }

    #[test]
    fn a_notice_given_up_for_its_age_keeps_its_attempts_and_a_redelivery_counts_its_age_anew() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), 1);
        let row = || outbox.log(ENDPOINT, u64::MAX, 1).unwrap().remove(0);
        assert_eq!((row().owed.owed_since, row().delivery), (SINCE, Delivery::Queued));
        let refused = Attempted { at: Timestamp(80), status: Some(429), attempts: 3 };
        outbox.note(ENDPOINT, 1, refused, (Delivery::Retrying, Timestamp(90))).unwrap();
        assert_eq!((row().owed.owed_since, row().owed.next_at), (SINCE, Timestamp(90)));
        outbox.note_too_old(ENDPOINT, 1, (SINCE, Timestamp(95))).unwrap();
        let dead = row();
        assert_eq!((dead.delivery, dead.owed.attempts), (Delivery::Dead, 3));
        assert_eq!((dead.last_status, dead.last_at), (Some(429), Some(Timestamp(95))));
        assert_eq!(outbox.page(ENDPOINT, 0, 9).unwrap().rows, [], "it is owed no more");
        outbox.owe_again(ENDPOINT, 1, Timestamp(99)).unwrap();
        let again = outbox.page(ENDPOINT, 0, 9).unwrap().rows.remove(0);
        assert_eq!((again.owed_since, again.attempts), (Timestamp(99), 0));
    }

    #[test]
    fn a_redelivery_asked_for_while_the_notice_is_given_up_stands() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), 1);
        let owed = || outbox.page(ENDPOINT, 0, 9).unwrap().rows;
        // The endpoint's server has read the notice, and asks its age, before the redelivery.
        let read = owed().remove(0);
        outbox.owe_again(ENDPOINT, 1, Timestamp(99)).unwrap();
        outbox.note_too_old(ENDPOINT, 1, (read.owed_since, Timestamp(99))).unwrap();
        let again = owed().remove(0);
        assert_eq!((again.owed_since, again.next_at), (Timestamp(99), Timestamp(99)));
        // An attempt that began before fails after it: the last of the schedule, or not the last.
        let failed = Attempted { at: Timestamp(98), status: Some(500), attempts: 9 };
        for became in [(Delivery::Dead, Timestamp(0)), (Delivery::Retrying, Timestamp(500))] {
            outbox.note(ENDPOINT, 1, failed, became).unwrap();
            assert_eq!(owed(), std::slice::from_ref(&again));
        }
        let later = Attempted { at: Timestamp(100), ..failed };
        outbox.note(ENDPOINT, 1, later, (Delivery::Dead, Timestamp(0))).unwrap();
        assert_eq!(owed(), [], "an attempt after the redelivery was asked for counts");
    }

    #[test]
    fn a_full_page_ends_at_its_last_row() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), 9);
        let page = outbox.page(ENDPOINT, 2, 3).unwrap();
        assert_eq!((sequences(&page.rows), page.scanned_through), (vec![3, 4, 5], 5));
        assert!(!page.is_end);
        let none = outbox.page(ENDPOINT, 2, 0).unwrap();
        assert_eq!((none.rows.len(), none.scanned_through), (0, 2));
    }

    #[test]
    fn a_mark_moves_on_in_steps_and_reaches_what_is_owed_when_the_store_closes() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path(), 35);
        (1..=32).for_each(|sequence| note(&outbox, sequence, Delivery::Delivered));
        let cursor = outbox.cursor(ENDPOINT).unwrap();
        let first = outbox.mark(ENDPOINT, &mut cursor.lock()).unwrap();
        assert_eq!(first, Some(NoticeMark { endpoint: ENDPOINT, through: 10 }));
        assert_eq!(outbox.marks().unwrap(), [NoticeMark { endpoint: ENDPOINT, through: 32 }]);
        assert_eq!(outbox.marks().unwrap(), [], "nothing is due any more");
    }
}
