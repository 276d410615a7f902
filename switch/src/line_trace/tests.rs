use std::fs;

use super::*;

/// A trace that is on, whose thread the test is itself.
fn held_trace(dir: &Path) -> (LineTrace, Receiver<Work>, SyncSender<()>) {
    let (queue, works) = sync_channel(QUEUE_LEN_MAX);
    let (done, written) = sync_channel(1);
    let (is_on, waiting) = (AtomicBool::new(true), Arc::default());
    let written = Mutex::new(written);
    let trace = LineTrace { is_on, dir: dir.to_owned(), queue, waiting, written };
    (trace, works, done)
}

fn note(trace: &LineTrace) {
    trace.note(&TracedLine::default(), || LineEventKind::NotUnderstood {
        kind: "bad_content",
        field: "0".to_owned(),
        offset: 0,
        is_answered: false,
    });
}

#[test]
fn a_stop_waits_until_all_that_was_noted_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let (trace, works, done) = held_trace(dir.path());
    for _ in 0..QUEUE_LEN_MAX {
        note(&trace);
    }
    let files = Files::new(dir.path().to_owned(), u64::MAX);
    let waiting = Arc::clone(&trace.waiting);
    let thread = std::thread::spawn(move || {
        write(&works, &files, &waiting);
        done.send(())
    });
    assert_eq!(trace.finish(Duration::from_secs(60)), 0);
    let text = fs::read_to_string(dir.path().join("before-sign-on.unsigned.jsonl"));
    assert_eq!(text.expect("a file").lines().count(), QUEUE_LEN_MAX);
    assert!(thread.join().expect("a thread").is_ok());
    note(&trace);
    assert_eq!(trace.waiting.load(Ordering::Relaxed), 0, "nothing is noted after the end");
}

#[test]
fn a_stop_does_not_wait_for_a_disk_that_hangs_and_counts_what_is_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let (trace, works, _done) = held_trace(dir.path());
    for _ in 0..3 {
        note(&trace);
    }
    assert_eq!(trace.finish(Duration::from_millis(20)), 3);
    drop(works);
}

#[test]
fn a_stop_with_a_full_queue_and_a_disk_that_hangs_ends_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let (trace, _works, _done) = held_trace(dir.path());
    for _ in 0..=QUEUE_LEN_MAX {
        note(&trace);
    }
    let queued = u64::try_from(QUEUE_LEN_MAX).expect("a number");
    assert_eq!(trace.finish(Duration::from_millis(20)), queued);
}

#[tokio::test]
async fn a_trace_whose_folder_cannot_be_made_stays_off() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("a file");
    for (folder, is_made) in [(file.join("trace"), false), (dir.path().join("trace"), true)] {
        let (trace, _works, _done) = held_trace(&folder);
        trace.switch_off();
        let switched = trace.switch_on_within(Duration::from_secs(60)).await;
        assert_eq!((switched.is_ok(), trace.is_on()), (is_made, is_made));
    }
}
