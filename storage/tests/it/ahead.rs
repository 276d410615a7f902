//! Room written ahead in a segment: no part of the journal, whatever a crash leaves in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use storage::conformance::sample::Sample;
use storage::journal::Damage;
use storage::verify::{records, verify};
use storage::{Settings, Store};
use tempfile::TempDir;

use crate::support::{fresh, open, settings};

const FIRST: &str = "journal/00000000000000000001.log";

/// What a power cut would leave of a store that took `payments` approved payments, a frame a record.
async fn left_running(payments: u64) -> TempDir {
    let (dir, left) = (fresh(), fresh());
    let (store, _) = open(&settings(&dir));
    for n in 1..=payments {
        store.admit(Sample::new(n).intent()).await.unwrap();
        store.append(Sample::new(n).approved()).await.unwrap();
    }
    fs::create_dir(left.path().join("journal")).unwrap();
    fs::copy(dir.path().join(FIRST), left.path().join(FIRST)).unwrap();
    store.close().await;
    left
}

/// Offsets at which the frames of a segment begin, and where the last one ends.
fn borders(segment: &[u8]) -> Vec<usize> {
    let mut offsets = vec![64];
    while let Some(at) = offsets.last().copied().filter(|at| segment[*at..].starts_with(b"CFRM")) {
        let len = u32::from_le_bytes(segment[at + 4..at + 8].try_into().unwrap());
        offsets.push(at + 56 + usize::try_from(len).unwrap());
    }
    offsets
}

/// Opens the folder as it stands, adds a payment, closes it; gives the last position before.
async fn goes_on(dir: &TempDir) -> u64 {
    let (store, recovered) = open(&settings(dir));
    store.admit(Sample::new(99).intent()).await.unwrap();
    store.append(Sample::new(99).approved()).await.unwrap();
    store.close().await;
    let report = verify(dir.path()).unwrap();
    assert_eq!((report.head.sequence, report.torn), (recovered.sequence + 2, None));
    recovered.sequence
}

fn derived_is_removed(dir: &Path) {
    let _ = fs::remove_dir_all(dir.join("views"));
    let _ = fs::remove_file(dir.join("head"));
}

#[tokio::test]
async fn room_written_ahead_is_no_part_of_the_journal() {
    let left = left_running(3).await;
    let segment = fs::read(left.path().join(FIRST)).unwrap();
    let end = *borders(&segment).last().unwrap();
    assert!(segment.len() > end && segment[end..].iter().all(|byte| *byte == 0), "room is left");
    let report = verify(left.path()).unwrap();
    assert_eq!((report.head.sequence, report.torn), (6, None));
    assert_eq!(records(left.path()).map(Result::unwrap).count(), 6);
    assert_eq!(goes_on(&left).await, 6);
    let closed = fs::read(left.path().join(FIRST)).unwrap();
    assert_eq!(*borders(&closed[..]).last().unwrap(), closed.len(), "a clean stop leaves no room");
}

#[tokio::test]
async fn a_frame_of_which_a_power_cut_kept_some_bytes_is_cut_wherever_they_lie() {
    let left = left_running(3).await;
    let path = left.path().join(FIRST);
    let whole = fs::read(&path).unwrap();
    let borders = borders(&whole);
    let [begin, end] = borders[borders.len() - 2..] else { panic!("two borders") };
    // The bytes before the middle were kept, those behind it, or the header's alone.
    let middle = begin.midpoint(end);
    for lost in [middle..end, begin..middle, begin + 56..end, begin + 1..end] {
        let mut torn = whole.clone();
        torn[lost.clone()].fill(0);
        fs::write(&path, &torn).unwrap();
        derived_is_removed(left.path());
        let found = verify(left.path()).unwrap();
        assert_eq!(found.head.sequence, 5, "{lost:?}");
        let kept = torn[begin..].iter().rposition(|byte| *byte != 0).unwrap() + 1;
        assert_eq!(found.torn.map(|torn| torn.len), Some(kept as u64), "{lost:?}");
        assert_eq!(records(left.path()).map(Result::unwrap).count(), 5, "{lost:?}");
        assert_eq!(goes_on(&left).await, 5, "{lost:?}");
    }
}

#[tokio::test]
async fn a_frame_that_was_zeroed_before_others_is_damage() {
    let left = left_running(3).await;
    let path = left.path().join(FIRST);
    let mut segment = fs::read(&path).unwrap();
    let borders = borders(&segment);
    segment[borders[2]..borders[3]].fill(0);
    fs::write(&path, &segment).unwrap();
    let found = verify(left.path());
    let Err(Damage::Frame { segment: 1, offset, .. }) = found else { panic!("{found:?}") };
    assert_eq!(offset, borders[2] as u64);
    assert!(records(left.path()).any(|record| record.is_err()));
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("journal")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

async fn take(store: &Store, payments: std::ops::Range<u64>) {
    let admitted = payments.map(|n| store.admit(Sample::new(n).intent()));
    for admitted in futures_util::future::join_all(admitted).await {
        admitted.unwrap();
    }
}

#[tokio::test]
async fn the_next_segment_is_the_file_that_was_written_ahead() {
    let dir = fresh();
    let small = Settings { segment_len_max: 200_000, ..settings(&dir) };
    let (store, _) = open(&small);
    take(&store, 801..802).await;
    let ahead = dir.path().join("segment.tmp");
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::metadata(&ahead).map_or(0, |file| file.len()) < 200_000 {
        assert!(Instant::now() < deadline, "no file is written ahead");
        tokio::task::yield_now().await;
    }
    for hundred in 0..8 {
        take(&store, hundred * 100 + 1..hundred * 100 + 101).await;
    }
    let lens: Vec<_> =
        segments(dir.path()).iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    assert!(lens.len() > 1 && lens.iter().all(|len| *len == 200_000), "{lens:?}");
    store.close().await;
    assert!(!ahead.exists(), "the file that nobody took is removed");
    let report = verify(dir.path()).unwrap();
    assert_eq!((report.head.sequence, report.torn), (801, None));
    assert_eq!(open(&small).1.sequence, 801);
}
