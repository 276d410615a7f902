//! Notices of several lanes as one list.
//!
//! Within a lane the journal's order is the order, and it is never touched. Between lanes there is
//! none but time: the lists are merged by the moment each payment's id was made at.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use router::id::Lane;

use super::{NoticePage, NoticeRow, OwedPage, UndeliveredNotice};
use crate::journal::Head;

/// How far an endpoint's notices were read, lane by lane: nothing of a lane that is not named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadThrough(BTreeMap<Lane, u64>);

impl ReadThrough {
    /// The position up to which a lane was read.
    pub fn of(&self, lane: Lane) -> u64 {
        self.0.get(&lane).copied().unwrap_or_default()
    }

    /// Notes that a lane was read up to a position.
    pub(crate) fn set(&mut self, lane: Lane, through: u64) {
        self.0.insert(lane, through);
    }

    /// Notes that the lane of a position was read up to it.
    pub fn pass(&mut self, sequence: u64) {
        self.set(Head::lane_of(sequence), sequence);
    }
}

/// As [`LogCursor`].
impl fmt::Display for ReadThrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_positions(&self.0, f)
    }
}

impl FromStr for ReadThrough {
    type Err = LogCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        positions(text).map(Self)
    }
}

/// Where a page of the log ended in each lane that has older notices. A lane that is not named has
/// none, or none that were there when the first page was read.
///
/// Printed as positions with hyphens between them: on one machine, a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCursor(BTreeMap<Lane, u64>);

/// The text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a place in the log of notices")]
pub struct LogCursorError;

impl LogCursor {
    /// The position before which a lane's notices come next; none when it has no more.
    pub(crate) fn before(&self, lane: Lane) -> Option<u64> {
        self.0.get(&lane).copied()
    }
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_positions(&self.0, f)
    }
}

/// Positions with hyphens between them; `0` for none.
fn print_positions(lanes: &BTreeMap<Lane, u64>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if lanes.is_empty() {
        return f.write_str("0");
    }
    for (place, sequence) in lanes.values().enumerate() {
        let hyphen = if place == 0 { "" } else { "-" };
        write!(f, "{hyphen}{sequence}")?;
    }
    Ok(())
}

/// The positions of such a text, each of its lane.
fn positions(text: &str) -> Result<BTreeMap<Lane, u64>, LogCursorError> {
    let positions = text.split('-').map(|position| position.parse::<u64>());
    let lanes = positions.map(|position| {
        position.map(|sequence| (Head::lane_of(sequence), sequence)).map_err(|_| LogCursorError)
    });
    lanes.collect()
}

impl FromStr for LogCursor {
    type Err = LogCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        positions(text).map(Self)
    }
}

/// What one lane owes an endpoint after a position, as far as was looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LanePage {
    /// In the lane's order.
    pub rows: Vec<UndeliveredNotice>,
    /// Nothing else is owed up to this position.
    pub scanned_through: u64,
    /// Nothing more was there behind it.
    pub is_end: bool,
}

/// One page out of those of several lanes: the rows that come first, as many as are wanted.
pub(crate) fn owed_page(
    mut through: ReadThrough,
    pages: Vec<(Lane, LanePage)>,
    limit: usize,
) -> OwedPage {
    let (mut lists, mut is_more) = (Vec::new(), false);
    for (lane, page) in pages {
        through.set(lane, page.scanned_through);
        is_more |= !page.is_end;
        lists.push(LaneList { rows: page.rows, is_end: page.is_end });
    }
    let (rows, left) = merged(lists, limit, row_time);
    for row in left.iter().filter_map(|list| list.first()) {
        // The lane is read again from here.
        through.set(Head::lane_of(row.sequence), row.sequence - 1);
        is_more = true;
    }
    OwedPage { rows, through, is_more }
}

/// One page out of those of several lanes, newest first. Each list is as long as the page may be,
/// unless its lane has no more.
pub(crate) fn log_page(lists: Vec<Vec<NoticeRow>>, limit: usize) -> NoticePage {
    let ends: Vec<Option<u64>> = lists
        .iter()
        .map(|list| list.last().filter(|_| list.len() >= limit).map(|row| row.owed.sequence))
        .collect();
    let newest = |row: &NoticeRow| {
        let (ms, sequence) = row_time(&row.owed);
        (std::cmp::Reverse(ms), std::cmp::Reverse(sequence))
    };
    let whole = |rows| LaneList { rows, is_end: true };
    let (rows, left) = merged(lists.into_iter().map(whole).collect(), limit, newest);
    let nexts = left.iter().zip(ends).filter_map(|(list, end)| match list.first() {
        Some(row) => Some(row.owed.sequence + 1),
        None => end,
    });
    let next: BTreeMap<Lane, u64> = nexts.map(|before| (Head::lane_of(before), before)).collect();
    NoticePage { rows, next: (!next.is_empty()).then_some(LogCursor(next)) }
}

fn row_time(owed: &UndeliveredNotice) -> (i64, u64) {
    (owed.payment.unix_ms(), owed.sequence)
}

/// What was read of one lane.
struct LaneList<T> {
    rows: Vec<T>,
    /// There was nothing more, or what comes is no earlier than any other lane's.
    is_end: bool,
}

/// Takes the first of all lists again and again, up to a limit; gives what is left of each too.
/// Stops at the end of a list that was not read to its lane's end: what comes there may be earlier
/// than the others' next.
fn merged<T, K: Ord>(
    lists: Vec<LaneList<T>>,
    limit: usize,
    key: impl Fn(&T) -> K,
) -> (Vec<T>, Vec<Vec<T>>) {
    let mut lists: Vec<_> = lists.into_iter().map(|list| (list.rows, list.is_end)).collect();
    if let [(list, _)] = &mut lists[..] {
        let left = list.split_off(list.len().min(limit));
        return (std::mem::replace(list, left), lists.into_iter().map(|(rows, _)| rows).collect());
    }
    lists.iter_mut().for_each(|(list, _)| list.reverse());
    let mut taken = Vec::new();
    let stops = |lists: &[(Vec<T>, bool)]| lists.iter().any(|(list, end)| list.is_empty() && !end);
    while taken.len() < limit && !stops(&lists) {
        let first = lists.iter_mut().map(|(list, _)| list).filter(|list| !list.is_empty());
        let Some(first) = first.min_by_key(|list| list.last().map(&key)) else { break };
        taken.extend(first.pop());
    }
    let left = lists.into_iter().map(|(mut list, _)| {
        list.reverse();
        list
    });
    (taken, left.collect())
}

#[cfg(test)]
mod tests {
    use router::id::{EndpointId, PaymentId};
    use router::notice::{NoticeType, notice_id};
    use router::time::Timestamp;

    use super::*;
    use crate::outbox::{Delivery, OrderKey};

    fn at(lane: u16, position: u64) -> u64 {
        Head::of_lane(Lane(lane)).sequence + position
    }

    /// A notice at a position of a lane, of a payment made in a millisecond.
    fn owed(lane: u16, position: u64, ms: i64) -> UndeliveredNotice {
        let payment = PaymentId::in_lane(ms, Lane(lane), position);
        let kind = NoticeType::PaymentApproved;
        UndeliveredNotice {
            sequence: at(lane, position),
            notice_id: notice_id(payment, kind),
            payment,
            kind,
            refund: None,
            order_key: OrderKey::Payment(payment),
            attempts: 0,
            next_at: Timestamp(0),
            owed_since: Timestamp(0),
        }
    }

    fn row(lane: u16, position: u64, ms: i64) -> NoticeRow {
        NoticeRow {
            endpoint: EndpointId(1),
            owed: owed(lane, position, ms),
            delivery: Delivery::Delivered,
            last_status: None,
            last_at: None,
        }
    }

    fn page(rows: Vec<UndeliveredNotice>, scanned_through: u64, is_end: bool) -> LanePage {
        LanePage { rows, scanned_through, is_end }
    }

    #[test]
    fn lanes_are_merged_by_time_and_each_keeps_its_own_order() {
        // In lane 1 a payment that began earlier ended later.
        let one = vec![owed(1, 5, 30), owed(1, 6, 10), owed(1, 7, 50)];
        let two = vec![owed(2, 1, 20), owed(2, 9, 40)];
        let pages = vec![
            (Lane(1), page(one, at(1, 8), true)),
            (Lane(2), page(two, at(2, 9), true)),
            (Lane(3), page(vec![], at(3, 4), true)),
        ];
        let merged = owed_page(ReadThrough::default(), pages, 10);
        let sequences: Vec<u64> = merged.rows.iter().map(|row| row.sequence).collect();
        assert_eq!(sequences, [at(2, 1), at(1, 5), at(1, 6), at(2, 9), at(1, 7)]);
        let through = [1, 2, 3].map(|lane| merged.through.of(Lane(lane)));
        assert_eq!((through, merged.is_more), ([at(1, 8), at(2, 9), at(3, 4)], false));
    }

    #[test]
    fn a_lane_whose_rows_found_no_room_is_read_again_from_there() {
        let one = vec![owed(1, 5, 10), owed(1, 6, 40)];
        let two = vec![owed(2, 3, 20), owed(2, 4, 30)];
        let pages = || {
            vec![
                (Lane(1), page(one.clone(), at(1, 90), true)),
                (Lane(2), page(two.clone(), at(2, 90), true)),
            ]
        };
        let merged = owed_page(ReadThrough::default(), pages(), 3);
        assert_eq!((merged.rows.len(), merged.is_more), (3, true));
        assert_eq!(merged.through.of(Lane(1)), at(1, 5));
        assert_eq!(merged.through.of(Lane(2)), at(2, 90));
    }

    #[test]
    fn nothing_goes_past_a_lane_that_was_not_read_to_its_end() {
        // Behind thousands of delivered ones lane 1 may owe what is earlier than lane 2's second.
        let pages = vec![
            (Lane(1), page(vec![owed(1, 5, 20)], at(1, 10_000), false)),
            (Lane(2), page(vec![owed(2, 3, 10), owed(2, 4, 30)], at(2, 90), true)),
        ];
        let merged = owed_page(ReadThrough::default(), pages, 10);
        let sequences: Vec<u64> = merged.rows.iter().map(|row| row.sequence).collect();
        assert_eq!((sequences, merged.is_more), (vec![at(2, 3), at(1, 5)], true));
        assert_eq!(merged.through.of(Lane(1)), at(1, 10_000));
        assert_eq!(merged.through.of(Lane(2)), at(2, 3));
    }

    #[test]
    fn the_log_is_paged_newest_first_over_all_lanes_and_names_each_row_once() {
        let lanes = [
            vec![row(1, 9, 90), row(1, 8, 60), row(1, 2, 50)],
            vec![row(2, 4, 80), row(2, 3, 70)],
            vec![],
        ];
        let (mut seen, mut cursor) = (Vec::new(), None::<LogCursor>);
        loop {
            let lists = lanes.iter().enumerate().filter_map(|(place, rows)| {
                let lane = Lane(u16::try_from(place).unwrap() + 1);
                let before = cursor.as_ref().map_or(Some(u64::MAX), |at| at.before(lane))?;
                let older = rows.iter().filter(|row| row.owed.sequence < before);
                Some(older.take(2).cloned().collect())
            });
            let page = log_page(lists.collect(), 2);
            seen.extend(page.rows.iter().map(|row| row.owed.payment.unix_ms()));
            // As a client carries it.
            cursor = page.next.map(|next| next.to_string().parse().unwrap());
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [90, 80, 70, 60, 50]);
    }

    #[test]
    fn a_cursor_of_one_lane_is_a_number_and_other_text_is_none() {
        let page = log_page(vec![vec![row(0, 7, 1), row(0, 6, 1)]], 1);
        assert_eq!(page.next.map(|next| next.to_string()), Some("7".to_owned()));
        for text in ["", "-", "7-", "x", "7,8", "-7", "99999999999999999999"] {
            assert_eq!(text.parse::<LogCursor>(), Err(LogCursorError), "{text}");
        }
    }
}
