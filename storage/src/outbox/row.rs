//! The rows of notices owed, and how far each endpoint has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use fjall::OwnedWriteBatch;
use parking_lot::Mutex;
use router::id::{BillNo, EndpointId, PaymentId};
use router::notice::{NoticeType, notice_id};
use router::record::NoticeMark;
use router::time::Timestamp;

use super::{Attempted, Delivery, NoticeRow, OrderKey, Owed};
use crate::record::DecodeError;
use crate::record::bytes::{
    Reader, put_option, put_text, put_timestamp, put_u16, put_u32, put_u128,
};
use crate::record::{notice_type, put_notice_type};
use crate::view::{ViewError, Views, outbox_key, outbox_key_parts};

/// Deliveries to an endpoint between two marks in the journal.
const MARK_EVERY: u64 = 1_000;
/// Rows looked at for one page; a page that ends early goes on where it ended.
const SCAN_MAX: usize = 100_000;

/// Adds one notice owed.
pub(crate) fn put_owed(
    views: &Views,
    endpoint: EndpointId,
    sequence: u64,
    (payment, kind, bill): (PaymentId, NoticeType, Option<BillNo>),
    batch: &mut OwnedWriteBatch,
) {
    let order_key = bill.map_or(OrderKey::Payment(payment), OrderKey::Bill);
    let owed = Owed {
        sequence,
        notice_id: notice_id(payment, kind),
        payment,
        kind,
        order_key,
        attempts: 0,
        next_at: Timestamp(0),
    };
    let row =
        NoticeRow { endpoint, owed, delivery: Delivery::Queued, last_status: None, last_at: None };
    batch.insert(&views.outbox, outbox_key(endpoint, sequence), encode(&row));
}

/// The delivery state of all endpoints.
pub(crate) struct Outbox {
    views: Arc<Views>,
    cursors: Mutex<BTreeMap<EndpointId, Cursor>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// Everything up to here is delivered or given up.
    through: u64,
    /// Delivered or given up since the last mark.
    unmarked: u64,
}

impl Outbox {
    pub fn open(views: Arc<Views>, marks: &BTreeMap<EndpointId, u64>) -> Result<Self, ViewError> {
        let mut cursors = BTreeMap::new();
        for (endpoint, mark) in marks {
            let through = views.cursor(*endpoint)?.unwrap_or(*mark);
            cursors.insert(*endpoint, Cursor { through, unmarked: 0 });
        }
        Ok(Self { views, cursors: Mutex::new(cursors) })
    }

    /// What an endpoint is owed after a position, in order.
    pub fn owed(
        &self,
        endpoint: EndpointId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Owed>, ViewError> {
        let through = self.cursors.lock().get(&endpoint).map_or(0, |cursor| cursor.through);
        let from = outbox_key(endpoint, after.max(through).saturating_add(1));
        let mut owed = Vec::new();
        for row in self.views.outbox.range(from..=outbox_key(endpoint, u64::MAX)).take(SCAN_MAX) {
            let (key, value) = row.into_inner()?;
            let Some(row) = decode(&key, &value) else { continue };
            if matches!(row.delivery, Delivery::Queued | Delivery::Retrying) {
                owed.push(row.owed);
            }
            if owed.len() >= limit {
                break;
            }
        }
        Ok(owed)
    }

    /// Rows of an endpoint, newest first, before a position.
    pub fn log(
        &self,
        endpoint: EndpointId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<NoticeRow>, ViewError> {
        let to = outbox_key(endpoint, before.unwrap_or(u64::MAX));
        let rows = self.views.outbox.range(outbox_key(endpoint, 0)..to).rev().take(limit);
        let mut log = Vec::new();
        for row in rows {
            let (key, value) = row.into_inner()?;
            log.extend(decode(&key, &value));
        }
        Ok(log)
    }

    /// Notes what became of a notice; gives the mark that is now due, if one is.
    pub fn note(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
        (delivery, next_at): (Delivery, Timestamp),
    ) -> Result<Option<NoticeMark>, ViewError> {
        let key = outbox_key(endpoint, sequence);
        let Some(value) = self.views.outbox.get(key)? else { return Ok(None) };
        let Some(mut row) = decode(&key, &value) else { return Ok(None) };
        row.delivery = delivery;
        row.owed.attempts = attempted.attempts;
        row.owed.next_at = next_at;
        row.last_status = attempted.status;
        row.last_at = Some(attempted.at);
        self.views.outbox.insert(key, encode(&row)).map_err(ViewError)?;
        let mut cursors = self.cursors.lock();
        let cursor = cursors.entry(endpoint).or_default();
        match delivery {
            Delivery::Delivered | Delivery::Dead => cursor.unmarked += 1,
            // A notice that was given up lives again.
            Delivery::Queued | Delivery::Retrying if sequence <= cursor.through => {
                cursor.through = sequence - 1;
                self.views.put_cursor(endpoint, cursor.through)?;
            }
            Delivery::Queued | Delivery::Retrying => {}
        }
        if cursor.unmarked >= MARK_EVERY { self.mark(endpoint, cursor) } else { Ok(None) }
    }

    /// The marks that are due when the store closes.
    pub fn marks(&self) -> Result<Vec<NoticeMark>, ViewError> {
        let mut marks = Vec::new();
        for (endpoint, cursor) in self.cursors.lock().iter_mut() {
            if cursor.unmarked > 0 {
                marks.extend(self.mark(*endpoint, cursor)?);
            }
        }
        Ok(marks)
    }

    /// Moves an endpoint's cursor over everything that is delivered or given up.
    fn mark(
        &self,
        endpoint: EndpointId,
        cursor: &mut Cursor,
    ) -> Result<Option<NoticeMark>, ViewError> {
        let from = outbox_key(endpoint, cursor.through.saturating_add(1));
        let before = cursor.through;
        for row in self.views.outbox.range(from..=outbox_key(endpoint, u64::MAX)) {
            let (key, value) = row.into_inner()?;
            let Some(row) = decode(&key, &value) else { continue };
            match row.delivery {
                Delivery::Delivered | Delivery::Dead => cursor.through = row.owed.sequence,
                Delivery::Queued | Delivery::Retrying => break,
            }
        }
        cursor.unmarked = 0;
        if cursor.through == before {
            return Ok(None);
        }
        self.views.put_cursor(endpoint, cursor.through)?;
        Ok(Some(NoticeMark { endpoint, through: cursor.through }))
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
    out.push(match row.delivery {
        Delivery::Queued => 1,
        Delivery::Retrying => 2,
        Delivery::Delivered => 3,
        Delivery::Dead => 4,
    });
    put_u32(row.owed.attempts, &mut out);
    put_timestamp(row.owed.next_at, &mut out);
    put_option(row.last_status.as_ref(), &mut out, |status, out| put_u16(*status, out));
    put_option(row.last_at.as_ref(), &mut out, |at, out| put_timestamp(*at, out));
    out
}

/// None for a row that cannot be read; the read models can be rebuilt.
fn decode(key: &[u8], value: &[u8]) -> Option<NoticeRow> {
    let (endpoint, sequence) = outbox_key_parts(key)?;
    row(endpoint, sequence, &mut Reader::new(value)).ok()
}

fn row(
    endpoint: EndpointId,
    sequence: u64,
    reader: &mut Reader<'_>,
) -> Result<NoticeRow, DecodeError> {
    let payment = PaymentId(reader.u128()?);
    let kind = notice_type(reader)?;
    let bill = reader.option(|reader| reader.text().map(BillNo))?;
    let at = reader.at();
    let delivery = match reader.u8()? {
        1 => Delivery::Queued,
        2 => Delivery::Retrying,
        3 => Delivery::Delivered,
        4 => Delivery::Dead,
        _ => return Err(DecodeError::Value { field: "delivery", at }),
    };
    let owed = Owed {
        sequence,
        notice_id: notice_id(payment, kind),
        payment,
        kind,
        order_key: bill.map_or(OrderKey::Payment(payment), OrderKey::Bill),
        attempts: reader.u32()?,
        next_at: reader.timestamp()?,
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
