use std::sync::Arc;

use router::endpoint::Endpoint;
use router::id::{BillerId, EndpointId, Folio, Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::record::{Intent, Record};
use router::time::Date;
use storage::conformance::sample::{self, Sample, biller, first_endpoint};
use storage::journal::Head;
use storage::record::encode;
use storage::view::{EndpointHome, Facts, History, NoticeBytes, Rows, ViewPosition, Views};
use storage_cql::{Cql, CqlViews};

use crate::support::{connected, sealer, shared};

/// A record's body, without the length before it.
fn body(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(record, sealer(), &mut bytes);
    bytes.split_off(storage::record::RECORD_HEADER_LEN)
}

fn history(sequence: u64, intent: &Intent) -> History {
    History::new(sequence, &body(&Record::Intent(Box::new(intent.clone()))))
}

fn facts(intent: &Intent) -> Facts {
    Facts::of(intent.folio, intent.plan.business_date, &intent.request)
}

fn views(cql: &Cql, lane: u16) -> (CqlViews, u64) {
    (CqlViews::new(cql, Lane(lane)), Head::of_lane(Lane(lane)).sequence)
}

#[test]
fn a_payment_is_found_by_everything_that_names_it() {
    let cql = connected();
    let (views, start) = views(&cql, 3);
    assert_eq!(views.position().unwrap(), ViewPosition::default());
    let intents: Vec<Intent> = (1..=40).map(|number| Sample::new(number).intent()).collect();
    let mut rows = Rows::default();
    for (sequence, intent) in (start + 1..).zip(&intents) {
        rows.histories.push((intent.payment, history(sequence, intent)));
        rows.pointers.push((intent.payment, facts(intent)));
    }
    let position = ViewPosition { written: start + 40, noticed: start + 41 };
    views.write(rows, position).unwrap();
    let nothing_owed = ViewPosition { noticed: 0, ..position };
    assert_eq!(views.position().unwrap(), nothing_owed, "nobody is to look for notices");
    let notices = vec![(EndpointId(1), start + 41, vec![1])];
    views.write(Rows { notices, ..Rows::default() }, position).unwrap();
    assert_eq!(views.position().unwrap(), position);
    for (sequence, intent) in (start + 1..).zip(&intents) {
        let facts = facts(intent);
        assert_eq!(views.history(intent.payment).unwrap(), Some(history(sequence, intent)));
        assert_eq!(views.id_of_folio(intent.folio).unwrap(), Some(intent.payment));
        assert_eq!(views.id_of_trace(&facts.trace.unwrap()).unwrap(), Some(intent.payment));
        let by_key = views.id_of_key(facts.key, facts.trace.as_ref()).unwrap();
        assert_eq!(by_key, Some((intent.payment, facts.fingerprint)));
    }
    let nobody = Sample::new(41).intent();
    assert_eq!(views.history(nobody.payment).unwrap(), None);
    assert_eq!(views.id_of_folio(nobody.folio).unwrap(), None);
    assert_eq!(views.id_of_trace(&facts(&nobody).trace.unwrap()).unwrap(), None);
    let nobodys = facts(&nobody);
    assert_eq!(views.id_of_key(nobodys.key, nobodys.trace.as_ref()).unwrap(), None);
    assert_eq!(views.id_of_key(nobodys.key, None).unwrap(), None);
    views.write(Rows::default(), ViewPosition { written: start + 7, noticed: start + 8 }).unwrap();
    assert_eq!(views.position().unwrap(), position, "it never moves back");
}

#[test]
fn an_earlier_history_that_is_written_again_replaces_no_later_one() {
    let (views, start) = views(shared(), 201);
    let sample = Sample::new(9_001);
    let intent = sample.intent();
    let early = history(start + 1, &intent);
    let mut late = early.clone();
    late.push(start + 2, &body(&sample.approved()));
    let write = |history: &History| {
        let histories = vec![(intent.payment, history.clone())];
        views.write(Rows { histories, ..Rows::default() }, ViewPosition::default()).unwrap();
    };
    write(&early);
    assert_eq!(views.history(intent.payment).unwrap(), Some(early.clone()));
    write(&late);
    write(&early);
    assert_eq!(views.history(intent.payment).unwrap(), Some(late));
}

#[test]
fn the_latest_payment_of_a_trace_and_key_counts_whichever_is_written_last() {
    let (views, _) = views(shared(), 202);
    let intent = Sample::new(9_101).intent();
    let later = PaymentId::in_lane(intent.payment.unix_ms() + 1, Lane(7), 1);
    let of_a_line = facts(&intent);
    let of_a_merchant = Facts { trace: None, key: IdempotencyKey(9_101), ..of_a_line.clone() };
    for facts in [of_a_line, of_a_merchant] {
        for payment in [later, intent.payment] {
            let pointers = vec![(payment, facts.clone())];
            views.write(Rows { pointers, ..Rows::default() }, ViewPosition::default()).unwrap();
        }
        let of_key = views.id_of_key(facts.key, facts.trace.as_ref()).unwrap();
        assert_eq!(of_key, Some((later, facts.fingerprint)));
        if let Some(trace) = &facts.trace {
            assert_eq!(views.id_of_trace(trace).unwrap(), Some(later));
        }
    }
}

#[test]
fn two_payments_of_one_trace_are_told_apart_by_their_keys() {
    let (views, _) = views(shared(), 204);
    let intent = Sample::new(9_201).intent();
    let first = facts(&intent);
    // As with two reference numbers (DE37) under one trace.
    let second = Facts {
        key: IdempotencyKey(9_202),
        fingerprint: Fingerprint(2),
        folio: Folio::new(709_202).unwrap(),
        ..first.clone()
    };
    let later = PaymentId::in_lane(intent.payment.unix_ms() + 1, Lane(204), 1);
    let pointers = vec![(intent.payment, first.clone()), (later, second.clone())];
    views.write(Rows { pointers, ..Rows::default() }, ViewPosition::default()).unwrap();
    for (facts, payment) in [(first, intent.payment), (second, later)] {
        let found = views.id_of_key(facts.key, facts.trace.as_ref()).unwrap();
        assert_eq!(found, Some((payment, facts.fingerprint)));
    }
}

#[test]
fn a_billers_day_is_paged_in_the_order_of_ids_over_many_partitions() {
    let (views, _) = views(shared(), 203);
    let (mut rows, mut ids) = (Rows::default(), Vec::new());
    let base = Sample::new(1).intent();
    for minute in 0..120_u64 {
        let ms = 1_700_000_000_000 + i64::try_from(minute).unwrap() * 60_000;
        let payment = PaymentId::in_lane(ms, Lane(3), minute);
        let mut facts = facts(&base);
        facts.biller = Some(BillerId::new("paged").unwrap());
        facts.folio = Folio::new(700_000 + minute).unwrap();
        // Of two calendar days, as the biller counts them.
        facts.date = Date(20_000 + i32::from(minute >= 100));
        if minute < 100 {
            ids.push(payment);
        }
        rows.pointers.push((payment, facts));
    }
    views.write(rows, ViewPosition::default()).unwrap();
    let paged = BillerId::new("paged").unwrap();
    let page = |after, limit| views.ids_of_biller(&paged, Date(20_000), after, limit).unwrap();
    assert_eq!(page(None, 1_000), ids);
    assert_eq!(page(None, 7), ids[..7]);
    assert_eq!(page(Some(ids[6]), 50), ids[7..57]);
    assert_eq!(page(Some(ids[99]), 50), []);
    assert_eq!(page(None, 0), []);
    assert_eq!(views.ids_of_biller(&paged, Date(20_001), None, 99).unwrap().len(), 20);
    assert_eq!(views.ids_of_biller(&biller(), Date(1), None, 99).unwrap(), []);
}

#[test]
fn an_endpoint_is_what_it_was_set_to_last_whichever_lane_says_so() {
    let cql = connected();
    let (views, start) = views(&cql, 4);
    let mut old = first_endpoint(5);
    let mut new = old.clone();
    old.at.0 = 1_000;
    (new.at.0, new.url) = (2_000, None);
    let write = |views: &CqlViews, set: &Endpoint, noticed: u64| {
        let endpoints = vec![(set.id, body(&sample::set(set.clone())))];
        let position = ViewPosition { written: 0, noticed };
        views.write(Rows { endpoints, ..Rows::default() }, position).unwrap();
    };
    let (elsewhere, start_elsewhere) = self::views(&cql, 5);
    assert_eq!(elsewhere.endpoints().unwrap(), []);
    write(&views, &old, start + 1);
    let homed = |endpoint: &Endpoint, home| {
        vec![EndpointHome { home: Lane(home), endpoint: endpoint.clone() }]
    };
    assert_eq!(elsewhere.endpoints().unwrap(), homed(&old, 4));
    write(&elsewhere, &new, start_elsewhere + 2);
    write(&views, &old, start + 3);
    assert_eq!(elsewhere.endpoints().unwrap(), homed(&new, 5), "its home is where it was set last");
    let before = cql.figures().statements;
    assert_eq!(elsewhere.endpoints().unwrap(), homed(&new, 5));
    assert_eq!(cql.figures().statements - before, 1, "they are read again when one is set");
}

#[test]
fn notices_are_read_both_ways_over_buckets_and_eras() {
    let (views, start) = views(shared(), 60_000);
    let to = EndpointId(77);
    let positions =
        [1, 2, 3, 131_071, 131_072, 400_000, (1 << 30) + 5, (3 << 30) + 1, (3 << 30) + 2];
    let notices = positions.map(|at| (to, start + at, at.to_be_bytes().to_vec()));
    let expected = notices.clone().map(|(_, sequence, row)| NoticeBytes { sequence, row });
    let other = (EndpointId(78), start + 2, vec![9]);
    let notices = notices.into_iter().chain([other]).collect();
    let position = ViewPosition { written: start, noticed: start + (4 << 30) };
    views.write(Rows { notices, ..Rows::default() }, position).unwrap();
    assert_eq!(views.notices_after(to, 0, 100).unwrap(), expected);
    assert_eq!(views.notices_after(to, start + 2, 4).unwrap(), expected[2..6]);
    assert_eq!(views.notices_after(to, start + (3 << 30) + 1, 4).unwrap(), expected[8..]);
    assert_eq!(views.notices_after(to, start + (4 << 30), 4).unwrap(), []);
    let mut backwards = expected.to_vec();
    backwards.reverse();
    assert_eq!(views.notices_before(to, u64::MAX, 100).unwrap(), backwards);
    assert_eq!(views.notices_before(to, start + (3 << 30) + 1, 3).unwrap(), backwards[2..5]);
    assert_eq!(views.notices_before(to, start + 1, 3).unwrap(), []);
    assert_eq!(views.notice(to, start + 400_000).unwrap().as_ref(), Some(&expected[5]));
    assert_eq!(views.notice(to, start + 9).unwrap(), None);
    let again = CqlViews::new(shared(), Lane(60_000));
    assert_eq!(again.notices_after(to, 0, 100).unwrap(), expected, "for who opens them next");
}

#[test]
fn a_notice_and_a_cursor_change_in_any_direction_and_a_replay_changes_neither() {
    let (mine, start) = views(shared(), 205);
    let to = EndpointId(79);
    let owed = |row: u8| Rows { notices: vec![(to, start + 1, vec![row])], ..Rows::default() };
    let position = ViewPosition { written: start, noticed: start + 1 };
    let put = |views: &CqlViews, row: u8| {
        views.put_notice(to, NoticeBytes { sequence: start + 1, row: vec![row] }).unwrap();
    };
    let row = || mine.notice(to, start + 1).unwrap().unwrap().row;
    mine.write(owed(5), position).unwrap();
    put(&mine, 9);
    put(&mine, 3);
    assert_eq!(row(), [3]);
    mine.write(owed(5), position).unwrap();
    assert_eq!(row(), [3], "what is derived again undoes no delivery");
    let (successor, _) = views(shared(), 205);
    put(&successor, 1);
    assert_eq!(row(), [1]);
    put(&mine, 2);
    assert_eq!(row(), [2]);
    assert_eq!(mine.cursor(to).unwrap(), None);
    for through in [4, 9, 3, 8, 2] {
        mine.put_cursor(to, start + through).unwrap();
        assert_eq!(successor.cursor(to).unwrap(), Some(start + through));
    }
    successor.put_cursor(to, start + 1).unwrap();
    assert_eq!(mine.cursor(to).unwrap(), Some(start + 1));
}

#[test]
fn another_lane_s_notices_are_seen_up_to_where_all_of_them_are_written() {
    let (theirs, start) = views(shared(), 206);
    let (to, mine) = (EndpointId(80), Arc::new(CqlViews::new(shared(), Lane(206))));
    let seen = || {
        let found = mine.notices_after(to, 0, 10).unwrap();
        found.iter().map(|notice| notice.sequence - start).collect::<Vec<u64>>()
    };
    let write = |positions: &[u64], noticed: u64| {
        let notices = positions.iter().map(|at| (to, start + at, vec![7])).collect();
        let position = ViewPosition { written: start, noticed: start + noticed };
        theirs.write(Rows { notices, ..Rows::default() }, position).unwrap();
    };
    let noticed = || CqlViews::noticed(std::slice::from_ref(&mine)).remove(0).unwrap();
    write(&[1, 3], 4);
    assert_eq!((noticed(), seen()), (start + 4, vec![1, 3]));
    // Some rows of a batch are there, and its position is not.
    write(&[6, 7], 4);
    assert_eq!((noticed(), seen()), (start + 4, vec![1, 3]));
    write(&[5], 7);
    assert_eq!(seen(), [1, 3], "before anybody looks how far they are known");
    assert_eq!((noticed(), seen()), (start + 7, vec![1, 3, 5, 6, 7]));
    mine.put_notice(to, NoticeBytes { sequence: start + 5, row: vec![9] }).unwrap();
    mine.put_cursor(to, start + 3).unwrap();
    assert_eq!(theirs.notice(to, start + 5).unwrap().unwrap().row, [9]);
    assert_eq!(theirs.cursor(to).unwrap(), Some(start + 3), "one row for all nodes");
}
