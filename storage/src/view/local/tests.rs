//! Rows on their way from memory into tables.

use std::fs;
use std::time::Duration;

use super::*;
use crate::conformance::sample::{self, Sample};
use crate::journal::{FileTail, Files, Head, Journal, Tail, dir_of};
use crate::seal::{Sealer, SealingKey};
use crate::view::Facts;
use crate::view::Positions;

/// A journal of payments that are one record each, and the rows that point to them.
fn rows(data: &Path, payments: u64) -> Vec<Rows> {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    let sealer = Sealer::new("k1", vec![key]).unwrap();
    fs::create_dir_all(dir_of(data)).unwrap();
    let files = Files::open(data.to_owned(), None, 4_000, Duration::ZERO).unwrap();
    let mut journal = Journal::new(files, Head::ZERO);
    let mut all = Vec::new();
    for n in 1..=payments {
        let intent = Sample::new(n).intent();
        journal.begin();
        crate::record::encode_intent(&intent, &sealer, journal.frame_mut());
        journal.commit(1, None).unwrap();
        let facts = Facts::of(intent.folio, intent.plan.business_date, &intent.request);
        let (positions, pointers) = (Positions::new(n), vec![(intent.payment, facts)]);
        all.push(Rows {
            positions: vec![(intent.payment, positions)],
            pointers,
            ..Rows::default()
        });
    }
    let mut tail = FileTail::after(data, 0);
    for rows in &mut all {
        let frame = tail.next_frame().unwrap();
        rows.places.push((frame.first_sequence, frame.offset.unwrap()));
    }
    all
}

fn open(data: &Path, gathered_max: usize) -> LocalViews {
    LocalViews { gathered_max, ..LocalViews::open(data, 1 << 20).unwrap() }
}

/// Everything that leads to a payment does.
fn assert_found(views: &LocalViews, n: u64) {
    let (intent, id) = (Sample::new(n).intent(), Sample::new(n).id());
    let history = views.history(id).unwrap().expect("its records");
    assert_eq!((history.last_sequence(), history.payment().unwrap().id), (n, id));
    assert_eq!(views.id_of_folio(intent.folio).unwrap(), Some(id));
    let trace = TraceName::of(&intent.request).unwrap();
    assert_eq!(views.id_of_trace(&trace).unwrap(), Some(id));
    let within = sample::at(-1_000_000)..=sample::at(3_600_000_000);
    let by = NamedBy::Trace(trace.originator, trace.stan, trace.transmitted_at);
    assert_eq!(views.ids_of_name(&by, within.clone(), 5).unwrap(), [id]);
    let by = NamedBy::Terminal(trace.originator, trace.terminal);
    let terminal = views.ids_of_name(&by, within, usize::MAX).unwrap();
    assert!(terminal.contains(&id), "of {}", terminal.len());
    let after = Some(PaymentId(id.0 - 1));
    let day = intent.plan.business_date;
    let of_biller = views.ids_of_biller(&sample::biller(), day, after, 1).unwrap();
    assert_eq!(of_biller, [id]);
}

#[test]
fn a_payment_is_found_in_memory_in_tables_and_after_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path(), 4);
    for (n, rows) in (1..).zip(rows(dir.path(), 30)) {
        views.write(rows, ViewPosition { written: n, noticed: n }).unwrap();
        (1..=n).for_each(|earlier| assert_found(&views, earlier));
    }
    let last = ViewPosition { written: 28, noticed: 28 };
    assert_eq!(views.position().unwrap(), last, "what is in tables counts");
    views.persist().unwrap();
    drop(views);
    let views = open(dir.path(), 4);
    assert_eq!(views.position().unwrap(), ViewPosition { written: 30, noticed: 30 });
    (1..=30).for_each(|n| assert_found(&views, n));
}

#[test]
fn a_start_and_a_stop_with_nothing_between_leave_the_position_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path(), 4);
    for (n, rows) in (1..).zip(rows(dir.path(), 3)) {
        views.write(rows, ViewPosition { written: n, noticed: n }).unwrap();
    }
    views.persist().unwrap();
    drop(views);
    for _ in 0..2 {
        let views = open(dir.path(), 4);
        assert_eq!(views.position().unwrap(), ViewPosition { written: 3, noticed: 3 });
        views.persist().unwrap();
    }
}

#[test]
fn rows_that_are_on_their_way_into_tables_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path(), usize::MAX);
    for (n, rows) in (1..).zip(rows(dir.path(), 3)) {
        views.write(rows, ViewPosition { written: n, noticed: n }).unwrap();
    }
    let sealing = views.recent.write().seal();
    (1..=3).for_each(|n| assert_found(&views, n));
    views.tables.put(&sealing).unwrap();
    (1..=3).for_each(|n| assert_found(&views, n));
}

#[test]
fn a_later_record_makes_the_row_of_its_payment_longer() {
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path(), 1);
    let id = Sample::new(1).id();
    for rows in rows(dir.path(), 3) {
        views.write(rows, ViewPosition::default()).unwrap();
    }
    drop(views);
    // What stands in a table is replaced, and so is what stands in memory.
    for gathered_max in [1, usize::MAX, usize::MAX] {
        let views = &LocalViews { gathered_max, ..open(dir.path(), 1) };
        let mut longer = views.positions(id).unwrap().unwrap();
        longer.push(longer.last() + 1);
        let rows = Rows { positions: vec![(id, longer.clone())], ..Rows::default() };
        views.write(rows, ViewPosition::default()).unwrap();
        assert_eq!(views.positions(id).unwrap(), Some(longer));
        views.persist().unwrap();
    }
    let longest = open(dir.path(), 1).positions(id).unwrap().unwrap();
    assert_eq!(longest.iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn rows_that_were_in_memory_alone_are_made_anew_from_the_position_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let all = rows(dir.path(), 6);
    let views = open(dir.path(), 4);
    for (n, rows) in (1..).zip(all.clone()) {
        views.write(rows, ViewPosition { written: n, noticed: n }).unwrap();
    }
    drop(views);
    let views = open(dir.path(), 4);
    let written = views.position().unwrap().written;
    assert_eq!(written, 4);
    assert_eq!(views.history(Sample::new(5).id()).unwrap(), None);
    for (n, rows) in (5..).zip(all.into_iter().skip(4)) {
        views.write(rows, ViewPosition { written: n, noticed: n }).unwrap();
    }
    (1..=6).for_each(|n| assert_found(&views, n));
}

#[test]
fn a_row_takes_few_bytes_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path(), usize::MAX);
    for (n, rows) in (1..).zip(rows(dir.path(), 2_000)) {
        views.write(rows, ViewPosition { written: n, noticed: n }).unwrap();
    }
    views.persist().unwrap();
    let tables = &views.tables;
    let all = [&tables.by_id, &tables.by_folio, &tables.by_trace, &tables.by_name];
    let bytes: u64 =
        all.into_iter().chain([&tables.by_biller, &tables.places]).map(Keyspace::disk_space).sum();
    assert!(bytes < 2_000 * 200, "{} bytes a payment", bytes / 2_000);
}

#[test]
fn tables_grow_no_further_once_old_rows_are_removed() {
    const ROUND: u64 = 2_000;
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path(), usize::MAX);
    let payments = |round: u64| {
        (1 + round * ROUND..=(round + 1) * ROUND).map(|n| {
            let intent = Sample::new(n).intent();
            let facts = Facts::of(intent.folio, intent.plan.business_date, &intent.request);
            (intent.payment, facts)
        })
    };
    let mut sizes = Vec::new();
    for round in 0..24 {
        let pointers: Vec<_> = payments(round).collect();
        let positions = pointers.iter().map(|(id, _)| (*id, Positions::new(1))).collect();
        let rows = Rows { pointers, positions, ..Rows::default() };
        views.write(rows, ViewPosition::default()).unwrap();
        views.seal().unwrap();
        if let Some(old) = u64::checked_sub(round, 3) {
            views.remove_payments(payments(old).collect(), u64::MAX).unwrap();
        }
        let Tables { by_id, by_folio, by_trace, by_name, by_biller, places } = &views.tables;
        let all = [by_id, by_folio, by_trace, by_name, by_biller, places];
        sizes.push(all.map(Keyspace::disk_space).iter().sum::<u64>());
    }
    let most = |sizes: &[u64]| sizes.iter().copied().max().unwrap();
    assert!(most(&sizes[14..]) < most(&sizes[4..14]) * 3 / 2, "{sizes:?}");
}
