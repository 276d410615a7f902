use std::time::{Duration, Instant};

use rig::Proxy;
use router::id::Lane;
use storage::guard::GateEpoch;
use storage::journal::{BackendError, Damage, Head, Tail, TailFrame};
use storage_cql::frames::{ImportError, import, records, verify};
use storage_cql::{Cql, CqlSettings, LaneBackend, LaneTail, LaneTakeover, Lanes};

use crate::support::{append, append_all, frame, marks, new_lane, owner, shared};

/// The frames of a lane after a record, up to its head.
fn read(cql: &Cql, lane: Lane, after: u64) -> Vec<TailFrame> {
    let mut tail = LaneTail::open(cql, lane, after).unwrap();
    let end = tail.head().sequence;
    let mut frames = Vec::new();
    while tail.next_sequence() <= end {
        frames.push(tail.next_frame().unwrap());
    }
    frames
}

#[test]
fn what_is_appended_is_read_from_anywhere_and_verified() {
    let cql = shared();
    let mut backend = LaneBackend::new(cql, new_lane(cql, 101, "a"));
    let start = backend.row().head.sequence;
    // Some of several parts, and together over the border of a segment.
    let appended = append_all(&mut backend, &[1, 2_000, 400, 1, 2_000]);
    assert!(appended[1].body.len() > 8 * 64 * 1024);
    assert_eq!(read(cql, Lane(101), 0), appended);
    assert_eq!(read(cql, Lane(101), start + 1), appended[1..]);
    assert_eq!(read(cql, Lane(101), start + 1_500), appended[1..], "it begins within a frame");
    assert_eq!(read(cql, Lane(101), start + 2_401), appended[3..]);
    let report = verify(cql, Lane(101)).unwrap();
    let counts = (report.segments, report.frames, report.records);
    assert_eq!((counts, report.head), ((1, 5, 4_402), backend.row().head));
    let sequences: Vec<u64> =
        records(cql, Lane(101)).unwrap().map(|found| found.unwrap().0).collect();
    assert_eq!(sequences, (start + 1..=start + 4_402).collect::<Vec<_>>());
}

#[test]
fn frames_are_read_over_the_borders_of_segments() {
    let cql = shared();
    let mut backend = LaneBackend::new(cql, new_lane(cql, 102, "a"));
    let start = backend.row().head.sequence;
    // Bodies of one byte: what a tail reads it does not decode.
    let mut frames = Vec::new();
    for count in [32_760, 100, 32_700, 32_768, 40_000, 7] {
        let frame = TailFrame::after(&backend.row().head, count, vec![1]);
        append(&mut backend, &frame, None).unwrap();
        frames.push(frame);
    }
    assert_eq!(read(cql, Lane(102), 0), frames);
    assert_eq!(read(cql, Lane(102), start + 32_800), frames[1..], "begun in the segment before");
    assert_eq!(read(cql, Lane(102), start + 138_000), frames[4..], "begun two segments before");
    let damage = verify(cql, Lane(102)).unwrap_err();
    assert!(matches!(damage, Damage::Record { sequence, .. } if sequence == start + 1), "{damage}");
}

#[test]
fn a_lane_whose_first_frames_have_expired_is_verified_from_the_first_that_is_kept() {
    let cql = shared();
    let mut backend = LaneBackend::new(cql, new_lane(cql, 120, "a"));
    let start = backend.row().head.sequence;
    for _ in 0..20 {
        let frame = TailFrame::after(&backend.row().head, 2_000, marks(2_000));
        append(&mut backend, &frame, None).unwrap();
    }
    let settings = CqlSettings { retention: Duration::from_secs(3_600), ..cql.settings().clone() };
    let expiring = &Cql::connect(&settings).unwrap();
    let verified = |cql| {
        verify(cql, Lane(120)).map(|report| (report.first - start, report.segments, report.records))
    };
    let delete = |condition: &str| {
        let keyspace = &cql.settings().keyspace;
        let delete = format!("DELETE FROM {keyspace}.lane_frame WHERE lane = 120 AND {condition}");
        rig::shared_cassandra().execute(0, &delete).unwrap();
    };
    assert_eq!(verified(expiring).unwrap(), (1, 2, 40_000));
    delete("segment = 0");
    assert_eq!(verified(expiring).unwrap(), (34_001, 1, 6_000));
    assert!(matches!(verified(cql), Err(Damage::LaneGap { .. })), "nothing expires there");
    delete(&format!("segment = 1 AND first = {}", start + 34_001));
    assert_eq!(verified(expiring).unwrap(), (36_001, 1, 4_000));
    let first = records(expiring, Lane(120)).unwrap().next().unwrap().unwrap();
    assert_eq!(first.0, start + 36_001);
    delete(&format!("segment = 1 AND first = {}", start + 38_001));
    assert!(matches!(verified(expiring), Err(Damage::LaneGap { .. })), "only the oldest expire");
    delete("segment = 1");
    assert_eq!(verified(expiring).unwrap(), (40_001, 0, 0));
}

#[test]
fn the_reader_behind_the_writer_asks_the_servers_for_nothing() {
    let cql = &Cql::connect(shared().settings()).unwrap();
    let mut backend = LaneBackend::new(cql, new_lane(cql, 103, "a"));
    let start = backend.row().head.sequence;
    let mut tail = backend.tail(0);
    let appended = append_all(&mut backend, &[3, 300, 1]);
    let before = cql.figures();
    let read: Vec<_> = appended.iter().map(|_| tail.next_frame().unwrap()).collect();
    assert_eq!((read, cql.figures()), (appended, before));
    let damage = tail.next_frame().unwrap_err();
    let Damage::LaneGap { expected, head, .. } = damage else { panic!("{damage}") };
    assert_eq!((expected - start, head - start), (305, 304));
}

#[test]
fn a_follower_elsewhere_sees_what_is_appended_when_it_looks_again() {
    let cql = shared();
    let mut backend = LaneBackend::new(cql, new_lane(cql, 104, "a"));
    let mut tail = LaneTail::open(cql, Lane(104), 0).unwrap();
    let start = tail.head().sequence;
    let appended = append_all(&mut backend, &[2, 2]);
    assert_eq!(tail.refresh().unwrap().sequence, start + 4);
    assert_eq!([tail.next_frame().unwrap(), tail.next_frame().unwrap()][..], appended);
}

#[test]
fn a_writer_whose_lane_was_taken_appends_nothing_and_what_it_wrote_counts_for_nothing() {
    let cql = shared();
    let lanes = Lanes::new(cql);
    let mut old = LaneBackend::new(cql, new_lane(cql, 105, "a"));
    let start = old.row().head.sequence;
    let judged = lanes.lane(Lane(105)).unwrap().unwrap();
    append_all(&mut old, &[2]);
    let row = lanes.lane(Lane(105)).unwrap().unwrap();
    let lives = lanes.take(Lane(105), &owner("b"), &judged).unwrap();
    assert_eq!(lives, LaneTakeover::Lost(row.clone()), "whoever appends is not dead");
    let LaneTakeover::Taken(taken) = lanes.take(Lane(105), &owner("b"), &row).unwrap() else {
        panic!("taken")
    };
    // Longer than the new owner's, and of the same first record.
    let stray = frame(&old.row().head, 300);
    let lost = append(&mut old, &stray, None).unwrap_err();
    assert!(matches!(&lost, BackendError::LaneLost { owner, .. } if &**owner == "b#7"), "{lost}");
    let mut new = LaneBackend::new(cql, taken);
    append_all(&mut new, &[1, 400]);
    let counts: Vec<u32> = read(cql, Lane(105), 0).iter().map(|frame| frame.count).collect();
    assert_eq!(counts, [2, 1, 400]);
    assert_eq!(verify(cql, Lane(105)).unwrap().records, 403);
    assert_eq!(
        read(cql, Lane(105), start + 150)[0].first_sequence,
        start + 4,
        "not the stray one at 3"
    );
}

#[test]
fn a_fence_keeps_out_what_was_admitted_before_and_lets_outcomes_in() {
    let cql = shared();
    let lanes = Lanes::new(cql);
    let mut backend = LaneBackend::new(cql, new_lane(cql, 106, "a"));
    let mut tail = backend.tail(0);
    let (old, new) = (GateEpoch(1), GateEpoch(2));
    let first = frame(&backend.row().head, 2);
    append(&mut backend, &first, Some(old)).unwrap();
    lanes.fence(Lane(106), new).unwrap();
    let late = frame(&backend.row().head, 9);
    let fenced = append(&mut backend, &late, Some(old)).unwrap_err();
    assert!(matches!(fenced, BackendError::Fenced { decided_under } if decided_under == old));
    assert_eq!(backend.row().epoch, 2, "what was written of it counts for nothing");
    let outcome = frame(&backend.row().head, 1);
    append(&mut backend, &outcome, None).unwrap();
    lanes.fence(Lane(106), GateEpoch(3)).unwrap();
    let unfenced = frame(&backend.row().head, 3);
    append(&mut backend, &unfenced, None).unwrap();
    let admitted = frame(&backend.row().head, 1);
    append(&mut backend, &admitted, Some(GateEpoch(3))).unwrap();
    let appended = [first, outcome, unfenced, admitted];
    assert_eq!(read(cql, Lane(106), 0), appended);
    assert_eq!([(); 4].map(|()| tail.next_frame().unwrap()), appended);
    assert_eq!(verify(cql, Lane(106)).unwrap().records, 7);
}

#[test]
fn a_lane_that_nobody_has_told_of_an_epoch_learns_it_from_its_writer() {
    let cql = shared();
    let mut backend = LaneBackend::new(cql, new_lane(cql, 107, "a"));
    let admitted = frame(&backend.row().head, 1);
    append(&mut backend, &admitted, Some(GateEpoch(4))).unwrap();
    let row = Lanes::new(cql).lane(Lane(107)).unwrap().unwrap();
    assert_eq!((row.guard_epoch, row.epoch, row.head), (GateEpoch(4), 1, admitted.head()));
}

#[test]
fn an_append_whose_answers_were_lost_counts_once() {
    let cql = shared();
    let row = new_lane(cql, 108, "a");
    let proxy = Proxy::start(&rig::shared_cassandra().addresses()[0]).unwrap();
    let nodes = vec![proxy.address()];
    let through = Cql::connect(&CqlSettings { nodes, ..cql.settings().clone() }).unwrap();
    let mut backend = LaneBackend::new(&through, row);
    let start = backend.row().head.sequence;
    append_all(&mut backend, &[1]);
    let (next, before) = (frame(&backend.row().head, 5), through.figures());
    // An answer is on its way for as long as it takes to see what it would tell.
    proxy.delay(Duration::from_millis(300));
    let appended = std::thread::scope(|scope| {
        let append = scope.spawn(|| append(&mut backend, &next, None));
        let lanes = Lanes::new(cql);
        let is_moved = || match lanes.lane(Lane(108)).unwrap().unwrap().head.sequence {
            at if at == start + 6 => Ok(()),
            at => Err(std::io::Error::other(at.to_string()).into()),
        };
        // What is read is agreed on too: no faster than the update can bear.
        rig::eventually("the head to move", Duration::from_secs(20), is_moved).unwrap();
        proxy.cut_towards_client();
        proxy.heal();
        append.join().unwrap()
    });
    assert_eq!(appended.unwrap().sequence, start + 6);
    let conditional = through.figures().conditional_updates - before.conditional_updates;
    assert_eq!(conditional, 1, "the row told that it had been applied");
    append_all(&mut backend, &[1]);
    assert_eq!(verify(cql, Lane(108)).unwrap().records, 7);
}

#[test]
fn a_journal_is_imported_once_and_taken_like_a_dead_nodes_lane() {
    let cql = shared();
    let mut journal = Vec::new();
    let mut head = Head::ZERO;
    for count in [1, 300, 20] {
        journal.push(frame(&head, count));
        head = journal.last().unwrap().head();
    }
    let frames = |count: usize| journal[..count].iter().cloned().map(Ok);
    assert_eq!(import(cql, Lane(0), frames(2)).unwrap().records, 301);
    let rest = import(cql, Lane(0), frames(3)).unwrap();
    assert_eq!((rest.frames, rest.records, rest.head), (1, 20, head));
    assert_eq!(import(cql, Lane(0), frames(3)).unwrap().records, 0);
    let shorter = import(cql, Lane(0), frames(2));
    assert!(matches!(shorter, Err(ImportError::OtherJournal { head: 321, .. })), "{shorter:?}");
    let other = vec![Ok(frame(&Head::ZERO, 321))];
    let other = import(cql, Lane(0), other.into_iter());
    assert!(matches!(other, Err(ImportError::OtherJournal { .. })), "{other:?}");
    let row = Lanes::new(cql).lane(Lane(0)).unwrap().unwrap();
    let taken = Lanes::new(cql).take(Lane(0), &owner("a"), &row).unwrap();
    assert!(matches!(taken, LaneTakeover::Taken(_)));
    assert_eq!(read(cql, Lane(0), 0), journal);
    let late = import(cql, Lane(0), frames(3));
    assert!(matches!(late, Err(ImportError::Owned { .. })), "{late:?}");
}

/// Prints what an append costs; a measurement wants a server that compiles all the way and a quiet
/// machine, so nothing is expected of the times.
#[test]
fn an_append_costs_one_conditional_update_and_one_write_a_part() {
    let cql = &Cql::connect(shared().settings()).unwrap();
    let mut backend = LaneBackend::new(cql, new_lane(cql, 110, "a"));
    for (records, frames) in [(32_u32, 30_u64), (128, 30), (512, 30)] {
        let parts = (u64::from(records) * 450).div_ceil(64 * 1024);
        append_all(&mut backend, &[records]);
        let (before, began) = (cql.figures(), Instant::now());
        let counts = vec![records; usize::try_from(frames).unwrap()];
        append_all(&mut backend, &counts);
        let (after, took) = (cql.figures(), began.elapsed());
        assert_eq!(after.conditional_updates - before.conditional_updates, frames);
        let statements = after.statements - before.statements;
        assert!((2 * frames..=(parts + 1) * frames).contains(&statements), "{statements}");
        println!(
            "{records} records a frame: {} statements for {frames} frames, {took:?}",
            statements
        );
    }
}
