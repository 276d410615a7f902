//! The events of a biller's payments, read from the journal itself: there is no row for an event.
//!
//! The last events of all billers are in memory, where the follower puts them. Older ones are read
//! from the frames of the journal, so many records in one call.

use std::collections::{HashSet, VecDeque};

use router::event::OwedNotice;
use router::id::{BillerId, PaymentId};
use router::notice::NoticeType;
use router::record::Record;

use crate::journal::{Damage, FrameRecords};
use crate::outbox::{LanePage, NoticeOrigin, UndeliveredNotice, owed_at_first};
use crate::record::{self, DecodeError, Kind};
use crate::view::{ViewError, Views};

/// Events in memory, of all billers together: some 100 bytes each.
const RECENT_MAX: usize = 16_384;
/// Records looked at in one call; the next goes on where it ended.
const SCAN_MAX: usize = 50_000;

/// What happened to a payment, and where the journal says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PaymentEvent {
    pub from: NoticeOrigin,
    pub notice: OwedNotice,
}

impl PaymentEvent {
    fn sequence(&self) -> u64 {
        self.from.sequence
    }

    /// The notice of it, as every endpoint of the biller would be owed it.
    fn owed(&self) -> UndeliveredNotice {
        let OwedNotice { kind, payment, bill, .. } = self.notice;
        owed_at_first(self.from, (payment, kind, bill))
    }
}

/// The last events of one lane.
#[derive(Debug, Default)]
pub(crate) struct RecentEvents {
    /// In the journal's order.
    events: VecDeque<PaymentEvent>,
    /// Every event behind this position is among them, as far as the journal was followed.
    complete_after: u64,
}

impl RecentEvents {
    /// None yet of those behind a position.
    pub fn after(position: u64) -> Self {
        Self { events: VecDeque::new(), complete_after: position }
    }

    /// Takes the next events; as many of the oldest make room.
    pub fn take(&mut self, events: Vec<PaymentEvent>) {
        self.events.extend(events);
        let surplus = self.events.len().saturating_sub(RECENT_MAX);
        if let Some(last) = self.events.drain(..surplus).next_back() {
            self.complete_after = last.sequence();
        }
    }

    /// Events of a biller after one position and up to another; none where older ones are wanted
    /// than are here.
    pub fn page(
        &self,
        biller: BillerId,
        (after, through): (u64, u64),
        limit: usize,
    ) -> Option<LanePage> {
        if after < self.complete_after {
            return None;
        }
        let begin = self.events.partition_point(|event| event.sequence() <= after);
        let end = self.events.partition_point(|event| event.sequence() <= through);
        let of_biller = self.events.range(begin..end.max(begin));
        let mut rows =
            of_biller.filter(|event| event.notice.biller == biller).map(PaymentEvent::owed);
        let page: Vec<UndeliveredNotice> = rows.by_ref().take(limit).collect();
        let is_end = rows.next().is_none();
        let last = page.last().map_or(after, |row| row.sequence);
        let scanned_through = if is_end { through.max(after) } else { last };
        Some(LanePage { rows: page, scanned_through, is_end })
    }
}

/// Events of a biller in a lane's journal after one position and up to another, as far as one call
/// looks. The payments of the lane up to there are in the read models.
pub(crate) fn page(
    views: &dyn Views,
    biller: BillerId,
    (after, through): (u64, u64),
    limit: usize,
) -> Result<LanePage, ViewError> {
    let mut scan = Scan::new(views, biller, after);
    while scan.goes_on(through, limit) {
        let frames = views.frames_after(scan.page.scanned_through)?;
        let before = scan.page.scanned_through;
        for frame in frames {
            scan.take(&frame, through, limit)?;
        }
        if scan.page.scanned_through == before {
            // Nothing of what is asked for is kept.
            scan.page.scanned_through = through;
        }
    }
    scan.page.is_end = scan.page.scanned_through >= through;
    Ok(scan.page)
}

/// A walk through a journal for one biller's events.
struct Scan<'a> {
    views: &'a dyn Views,
    biller: BillerId,
    /// Payments that are known to be other billers'.
    others: HashSet<PaymentId>,
    page: LanePage,
    looked_at: usize,
}

impl<'a> Scan<'a> {
    fn new(views: &'a dyn Views, biller: BillerId, after: u64) -> Self {
        let page = LanePage { rows: Vec::new(), scanned_through: after, is_end: false };
        Self { views, biller, others: HashSet::new(), page, looked_at: 0 }
    }

    fn goes_on(&self, through: u64, limit: usize) -> bool {
        let page = &self.page;
        page.scanned_through < through && page.rows.len() < limit && self.looked_at < SCAN_MAX
    }

    fn take(&mut self, frame: &FrameRecords, through: u64, limit: usize) -> Result<(), ViewError> {
        for (sequence, body) in (frame.first_sequence..).zip(record::bodies(&frame.body)) {
            if sequence <= self.page.scanned_through {
                continue;
            }
            if !self.goes_on(through, limit) || sequence > through {
                break;
            }
            let unreadable = |source| Damage::Record { sequence, source };
            let body = body.map_err(unreadable).map_err(ViewError::lasting)?;
            let event = self.event(sequence, body)?;
            self.page.rows.extend(event.map(|event| event.owed()));
            self.page.scanned_through = sequence;
            self.looked_at += 1;
        }
        Ok(())
    }

    /// What a record says of a payment of the biller.
    fn event(&mut self, sequence: u64, body: &[u8]) -> Result<Option<PaymentEvent>, ViewError> {
        let unreadable =
            |source: DecodeError| ViewError::lasting(Damage::Record { sequence, source });
        match record::kind_of(body).map_err(unreadable)? {
            Kind::Intent => {
                let intent = record::intent_request(body).map_err(unreadable)?;
                if intent.request.biller != Some(self.biller) {
                    self.others.insert(intent.payment);
                }
                Ok(None)
            }
            Kind::Refused
            | Kind::Outcome
            | Kind::Reversal
            | Kind::LateAnswer
            | Kind::Awaiting
            | Kind::Confirming
            | Kind::Expired
            | Kind::Inquiry
            | Kind::Refund
            | Kind::Event => {
                let record = record::decode_step(body).map_err(unreadable)?;
                let told = self.told(sequence, &record)?;
                let told = told.filter(|notice| notice.biller == self.biller);
                let from = || NoticeOrigin::of(sequence, &record);
                Ok(told.map(|notice| PaymentEvent { from: from(), notice }))
            }
            Kind::Rerouted | Kind::NoticeMark | Kind::Account | Kind::EarlyReversal => Ok(None),
        }
    }

    /// The notice that a record owes; of another biller's payment it may be none.
    fn told(&mut self, sequence: u64, record: &Record) -> Result<Option<OwedNotice>, ViewError> {
        match record {
            Record::Refused(refused) => Ok(refused.request.biller.map(|biller| OwedNotice {
                biller,
                kind: NoticeType::PaymentDeclined,
                payment: refused.payment,
                bill: refused.request.bill,
            })),
            Record::Event(event) => {
                let mut notices = event.notices.iter();
                Ok(notices.find(|notice| notice.biller == self.biller).copied())
            }
            Record::Outcome(_)
            | Record::Reversal(_)
            | Record::LateAnswer(_)
            | Record::Awaiting(_)
            | Record::Confirming(_)
            | Record::Expired(_)
            | Record::Inquiry(_)
            | Record::Refund(_) => self.step(sequence, record),
            Record::Intent(_)
            | Record::Rerouted(_)
            | Record::NoticeMark(_)
            | Record::Account(_)
            | Record::EarlyReversal(_) => Ok(None),
        }
    }

    /// The notice that a step of a payment owes.
    fn step(&mut self, sequence: u64, step: &Record) -> Result<Option<OwedNotice>, ViewError> {
        let Some(payment) = step.payment().filter(|payment| !self.others.contains(payment)) else {
            return Ok(None);
        };
        // One that is not kept any more has nothing to tell.
        let Some(history) = self.views.history(payment)? else { return Ok(None) };
        let facts = history.facts().map_err(ViewError::lasting)?;
        let Some(biller) = facts.biller.filter(|biller| *biller == self.biller) else {
            self.others.insert(payment);
            return Ok(None);
        };
        let mut progress = history.progress_before(sequence).map_err(ViewError::lasting)?;
        let unreadable = |source| ViewError::lasting(Damage::Step { sequence, source });
        let effects = progress.apply(step).map_err(unreadable)?;
        let bill = facts.bill;
        Ok(effects.notice.map(|kind| OwedNotice { biller, kind, payment, bill }))
    }
}

#[cfg(test)]
mod tests {
    use router::time::Timestamp;

    use super::*;

    fn event(sequence: u64, biller: &str) -> PaymentEvent {
        let from = NoticeOrigin { sequence, at: Timestamp(1), refund: None };
        let notice = OwedNotice {
            biller: BillerId::new(biller).unwrap(),
            kind: NoticeType::PaymentApproved,
            payment: PaymentId(sequence.into()),
            bill: None,
        };
        PaymentEvent { from, notice }
    }

    fn sequences(page: Option<LanePage>) -> Option<(Vec<u64>, u64, bool)> {
        let LanePage { rows, scanned_through, is_end } = page?;
        Some((rows.iter().map(|row| row.sequence).collect(), scanned_through, is_end))
    }

    #[test]
    fn a_page_of_recent_events_is_one_biller_s_and_says_how_far_it_looked() {
        let shop = BillerId::new("shop").unwrap();
        let mut recent = RecentEvents::after(10);
        recent.take(vec![event(11, "shop"), event(13, "other"), event(15, "shop")]);
        let page = |after, through, limit| sequences(recent.page(shop, (after, through), limit));
        assert_eq!(page(9, 20, 5), None, "what is before is read from the journal");
        assert_eq!(page(10, 20, 5), Some((vec![11, 15], 20, true)));
        assert_eq!(page(10, 14, 5), Some((vec![11], 14, true)));
        assert_eq!(page(10, 20, 1), Some((vec![11], 11, false)));
        assert_eq!(page(11, 20, 1), Some((vec![15], 20, true)));
        assert_eq!(page(20, 15, 1), Some((vec![], 20, true)), "nothing has happened since");
    }

    #[test]
    fn the_oldest_events_make_room_and_are_no_longer_told_from_memory() {
        let shop = BillerId::new("shop").unwrap();
        let mut recent = RecentEvents::after(0);
        let last = u64::try_from(RECENT_MAX).unwrap() + 5;
        recent.take((1..=last).map(|sequence| event(sequence, "shop")).collect());
        assert_eq!(recent.events.len(), RECENT_MAX);
        assert_eq!(sequences(recent.page(shop, (4, last), 1)), None);
        assert_eq!(sequences(recent.page(shop, (5, last), 1)), Some((vec![6], 6, false)));
    }
}
