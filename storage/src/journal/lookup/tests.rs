//! Single records of a journal of several segments.

use std::fs;
use std::time::Duration;

use super::*;
use crate::journal::{FileTail, Files, Head, Journal, Tail};

/// A journal of frames with three records each, five or so in a segment.
fn journal(data: &Path, frames: u8) -> Journal<Files> {
    fs::create_dir_all(dir_of(data)).unwrap();
    let files = Files::open(data.to_owned(), None, 600, Duration::ZERO).unwrap();
    let mut journal = Journal::new(files, Head::ZERO);
    (0..frames).for_each(|frame| append(&mut journal, frame));
    journal
}

fn append(journal: &mut Journal<Files>, frame: u8) {
    journal.begin();
    for record in 0..3 {
        journal.frame_mut().extend_from_slice(&10_u32.to_le_bytes());
        journal.frame_mut().extend_from_slice(&[frame, record, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    journal.commit(3, None).unwrap();
}

fn read(reader: &RecordReader, sequence: u64, place: Option<FramePlace>) -> Option<Vec<u8>> {
    reader.body(sequence, || Ok::<_, Damage>(place)).unwrap()
}

fn places(data: &Path, frames: usize) -> Vec<FramePlace> {
    let mut tail = FileTail::after(data, 0);
    let next = |_| {
        let frame = tail.next_frame().unwrap();
        FramePlace { first_sequence: frame.first_sequence, offset: frame.offset.unwrap() }
    };
    (0..frames).map(next).collect()
}

#[test]
fn each_record_is_read_by_its_position_with_a_place_and_without() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 20);
    assert!(list(&dir_of(dir.path())).unwrap().len() > 2);
    let places = places(dir.path(), 20);
    for cache in [0, 1 << 20] {
        let reader = RecordReader::new(dir.path(), cache);
        for sequence in 1..=60_u64 {
            let (frame, record) = ((sequence - 1) / 3, (sequence - 1) % 3);
            let every = places[usize::try_from(frame).unwrap()];
            // One of the frame itself, one of an earlier segment, and none.
            for place in [Some(every), Some(places[0]), None] {
                let body = read(&reader, sequence, place).unwrap();
                assert_eq!((u64::from(body[0]), u64::from(body[1])), (frame, record));
            }
        }
    }
}

#[test]
fn a_record_of_a_segment_that_was_begun_since_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = journal(dir.path(), 1);
    let reader = RecordReader::new(dir.path(), 0);
    assert!(read(&reader, 1, None).is_some());
    (1..20).for_each(|frame| append(&mut journal, frame));
    assert_eq!(read(&reader, 60, None).unwrap()[..2], [19, 2]);
}

#[test]
fn a_record_whose_segment_was_removed_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 20);
    let first = list(&dir_of(dir.path())).unwrap()[0];
    fs::remove_file(path_of(&dir_of(dir.path()), first)).unwrap();
    let reader = RecordReader::new(dir.path(), 0);
    assert_eq!(read(&reader, 1, None), None);
    assert!(read(&reader, 60, None).is_some());
}

#[test]
fn a_frame_that_was_changed_is_damage_and_is_not_told_as_a_record() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 2);
    let path = path_of(&dir_of(dir.path()), 1);
    let mut bytes = fs::read(&path).unwrap();
    // Behind the last frame there may be room that was written ahead.
    let second = usize::try_from(places(dir.path(), 2)[1].offset).unwrap();
    bytes[second + HEADER_LEN] ^= 1;
    fs::write(&path, bytes).unwrap();
    let reader = RecordReader::new(dir.path(), 0);
    assert!(read(&reader, 3, None).is_some());
    let told = reader.body(4, || Ok::<_, Damage>(None));
    assert!(matches!(told, Err(Damage::Frame { fault: FrameFault::Checksum, .. })), "{told:?}");
    let beyond = reader.body(7, || Ok::<_, Damage>(None));
    assert!(matches!(beyond, Err(Damage::Frame { fault: FrameFault::NoMagic, .. })), "{beyond:?}");
}

#[test]
fn frames_in_memory_stay_below_their_ceiling() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 20);
    let reader = RecordReader::new(dir.path(), 100);
    (1..=60).for_each(|sequence| assert!(read(&reader, sequence, None).is_some()));
    let frames = reader.frames.lock();
    assert_eq!((frames.len, frames.frames.len(), frames.order.len()), (84, 2, 2));
}
