//! Damaged, cut and unfinished journals: told apart, mended where nothing is lost, refused where
//! something is.

use std::fs;
use std::path::{Path, PathBuf};

use storage::conformance::sample::{CARD, Sample};
use storage::journal::Damage;
use storage::verify::{records, verify};
use storage::{OpenError, Settings, Store};
use tempfile::TempDir;

use crate::support::{fresh, open, sealer, settings};

/// Frames of three records each would hide their borders; one payment at a time gives one frame
/// a record.
async fn filled(settings: &Settings, payments: u64) {
    let (store, _) = open(settings);
    for n in 1..=payments {
        store.admit(Sample::new(n).intent()).await.unwrap();
        store.append(Sample::new(n).approved()).await.unwrap();
    }
    store.close().await;
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("journal")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Offsets at which the frames of a segment begin, and its length.
fn borders(segment: &[u8]) -> Vec<usize> {
    let mut offsets = vec![64];
    while let Some(at) = offsets.last().copied().filter(|at| *at < segment.len()) {
        let len = u32::from_le_bytes(segment[at + 4..at + 8].try_into().unwrap());
        offsets.push(at + 56 + usize::try_from(len).unwrap());
    }
    offsets
}

/// A copy of a data folder's journal, without views, snapshots and anchor.
fn image(data: &Path) -> TempDir {
    let copy = fresh();
    fs::create_dir(copy.path().join("journal")).unwrap();
    for segment in segments(data) {
        let name = segment.file_name().unwrap();
        fs::copy(&segment, copy.path().join("journal").join(name)).unwrap();
    }
    copy
}

#[tokio::test]
async fn a_journal_torn_at_any_byte_of_its_last_frame_opens_without_that_frame() {
    let dir = fresh();
    filled(&settings(&dir), 3).await;
    let segment = segments(dir.path()).remove(0);
    let whole = fs::read(&segment).unwrap();
    let borders = borders(&whole);
    let last = borders[borders.len() - 2];
    let copy = image(dir.path());
    let torn = segments(copy.path()).remove(0);
    for end in last..whole.len() {
        fs::write(&torn, &whole[..end]).unwrap();
        // Only the journal: what the last start derived from it must not know more.
        let _ = fs::remove_dir_all(copy.path().join("views"));
        let _ = fs::remove_file(copy.path().join("head"));
        let report = verify(copy.path()).unwrap();
        assert_eq!(report.head.sequence, 5);
        assert_eq!(report.torn.map(|torn| torn.len), (end > last).then_some((end - last) as u64));
        // Opening is slow beside this; every seventh byte and the borders are enough for it.
        if !(end - last).is_multiple_of(7) && end + 1 < whole.len() {
            continue;
        }
        let (store, recovered) = open(&settings(&copy));
        assert_eq!((recovered.sequence, recovered.torn_bytes), (5, (end - last) as u64));
        assert_eq!(recovered.open.len(), 1, "the payment without outcome is open again");
        drop(store);
        assert_eq!(fs::read(&torn).unwrap(), &whole[..last]);
    }
}

#[tokio::test]
async fn a_flipped_bit_is_named_with_its_place_and_nothing_is_cut() {
    let dir = fresh();
    filled(&settings(&dir), 3).await;
    let segment = segments(dir.path()).remove(0);
    let whole = fs::read(&segment).unwrap();
    let borders = borders(&whole);
    for at in 64..borders[borders.len() - 2] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&segment, &damaged).unwrap();
        let frame = *borders.iter().rfind(|border| **border <= at).unwrap() as u64;
        let found = verify(dir.path());
        let Err(Damage::Frame { segment: 1, offset, .. }) = found else {
            panic!("byte {at}: {found:?}")
        };
        assert_eq!(offset, frame, "byte {at}");
    }
    let refused = Store::open(settings(&dir), sealer()).map(drop);
    assert!(matches!(refused, Err(OpenError::Journal(Damage::Frame { .. }))), "{refused:?}");
    assert_eq!(fs::read(&segment).unwrap().len(), whole.len());
}

#[tokio::test]
async fn a_frame_forged_with_a_good_checksum_breaks_the_chain() {
    let dir = fresh();
    filled(&settings(&dir), 3).await;
    let segment = segments(dir.path()).remove(0);
    let mut forged = fs::read(&segment).unwrap();
    let [from, to] = borders(&forged)[1..3] else { panic!("two borders") };
    forged[to - 1] ^= 1;
    let crc = crc32c::crc32c(&forged[from + 4..from + 8]);
    let crc = crc32c::crc32c_append(crc, &forged[from + 12..to]);
    forged[from + 8..from + 12].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, &forged).unwrap();
    let found = verify(dir.path());
    assert!(
        matches!(found, Err(Damage::Chain { segment: 1, offset }) if offset == from as u64),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_missing_frame_is_a_gap() {
    let dir = fresh();
    filled(&settings(&dir), 3).await;
    let segment = segments(dir.path()).remove(0);
    let whole = fs::read(&segment).unwrap();
    let borders = borders(&whole);
    let without = [&whole[..borders[1]], &whole[borders[2]..]].concat();
    fs::write(&segment, without).unwrap();
    let offset = borders[1] as u64;
    let found = verify(dir.path());
    let Err(Damage::Gap { segment: 1, offset: at, expected: 2, found: 3 }) = found else {
        panic!("{found:?}")
    };
    assert_eq!(at, offset);
    assert!(records(dir.path()).any(|record| record.is_err()));
}

#[tokio::test]
async fn a_missing_segment_is_named() {
    let dir = fresh();
    let small = Settings { segment_len_max: 1_000, ..settings(&dir) };
    filled(&small, 5).await;
    let report = verify(dir.path()).unwrap();
    assert!(report.segments > 2, "{report:?}");
    assert_eq!((report.records, report.head.sequence), (10, 10));
    assert_eq!(report.anchor, Some(report.head), "a clean stop anchors the end");
    fs::remove_file(&segments(dir.path())[1]).unwrap();
    assert!(matches!(verify(dir.path()), Err(Damage::MissingSegment { .. })));
    assert!(matches!(
        Store::open(small, sealer()).map(drop),
        Err(OpenError::Journal(Damage::MissingSegment { .. }))
    ));
}

#[tokio::test]
async fn an_end_cut_off_cleanly_is_told_by_the_anchor() {
    let dir = fresh();
    filled(&settings(&dir), 3).await;
    let segment = segments(dir.path()).remove(0);
    let whole = fs::read(&segment).unwrap();
    let borders = borders(&whole);
    fs::write(&segment, &whole[..borders[borders.len() - 2]]).unwrap();
    let found = verify(dir.path());
    assert!(matches!(found, Err(Damage::CutTail { end: 5, anchored: 6 })), "{found:?}");
    let refused = Store::open(settings(&dir), sealer()).map(drop);
    assert!(matches!(refused, Err(OpenError::Journal(Damage::CutTail { .. }))), "{refused:?}");
}

#[tokio::test]
async fn a_segment_whose_header_was_never_whole_is_removed() {
    let dir = fresh();
    filled(&settings(&dir), 2).await;
    let copy = image(dir.path());
    fs::write(copy.path().join("journal/00000000000000000005.log"), b"CAUCEJ").unwrap();
    let (store, recovered) = open(&settings(&copy));
    assert_eq!((recovered.sequence, recovered.torn_bytes), (4, 6));
    store.admit(Sample::new(9).intent()).await.unwrap();
    store.close().await;
    assert_eq!(verify(copy.path()).unwrap().head.sequence, 5);
}

#[tokio::test]
async fn no_file_ever_holds_a_card_number() {
    let dir = fresh();
    let small = Settings { segment_len_max: 1_000, snapshot_segments: 1, ..settings(&dir) };
    filled(&small, 20).await;
    let (store, _) = open(&small);
    store.admit(Sample::new(99).intent()).await.unwrap();
    store.close().await;
    let mut looked = 0;
    let mut folders = vec![dir.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(CARD.len()).any(|window| window == CARD.as_bytes());
            assert!(!found, "{}", path.display());
            looked += 1;
        }
    }
    assert!(looked > 5);
}
