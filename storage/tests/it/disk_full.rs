//! A disk that is full at each write in turn: a small file system, filled up to one page more of
//! room each time.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use router::payment::PaymentState;
use storage::conformance::sample::{self, Sample};
use storage::verify::verify;
use storage::{Admission, Settings, Store, StoreError};

use crate::support::sealer;

/// The test, which runs itself again in a small file system.
const THIS: &str = "disk_full::nothing_is_answered_that_a_full_disk_did_not_take";
/// Names the folder of the small file system for the process that runs in it.
const SMALL: &str = "CAUCE_TEST_SMALL_FILE_SYSTEM";
/// The size of the file system.
const SIZE: &str = "96m";
/// What the file system counts in.
const PAGE: u64 = 4_096;
/// Rounds, each with one page more of room.
const ROUNDS: u64 = 40;
/// Payments of a round; they need more room than the last round has.
const PAYMENTS: u64 = 400;

/// What was answered is durable, whatever write the disk refuses; what is not durable was not
/// answered. The store takes nothing more, and goes on once it is started again with room.
#[test]
fn nothing_is_answered_that_a_full_disk_did_not_take() {
    if let Some(dir) = std::env::var_os(SMALL) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(fill_at_each_write(Path::new(&dir)));
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={SIZE} tmpfs \"${SMALL}\" && exec \"$0\" \"$@\"");
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &mount])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", THIS, "--nocapture"])
        .env(SMALL, dir.path())
        .output()
        .expect("util-linux has `unshare`");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("1 passed"), "{told}");
}

async fn fill_at_each_write(dir: &Path) {
    let mut refused = 0;
    for round in 0..ROUNDS {
        refused += u64::from(fill_and_go_on(&dir.join(round.to_string()), round * PAGE).await);
    }
    assert!(refused > ROUNDS / 2, "the disk was full in {refused} of {ROUNDS} rounds");
}

/// One round; says whether the disk refused a write.
async fn fill_and_go_on(data: &Path, room: u64) -> bool {
    fs::create_dir(data).unwrap();
    let settings = Settings { segment_len_max: 64 << 10, ..Settings::new(data) };
    let (store, _) = Store::open(settings.clone(), sealer()).unwrap();
    store.append(sample::top_up("float:1", 1_000_000)).await.unwrap();
    // What is written ahead by then is room that the journal has.
    written_ahead(&data.join("segment.tmp"), settings.segment_len_max);
    let ballast = data.with_extension("ballast");
    leave(room, &ballast);
    let (mut approved, mut refused) = (Vec::new(), false);
    for n in 1..=PAYMENTS {
        let payment = Sample { hold: Some(("float:1", 10)), ..Sample::new(n) };
        match pay(&store, &payment).await {
            Ok(()) => approved.push(payment),
            Err(StoreError::Failed) => {
                refused = true;
                break;
            }
            Err(error) => panic!("room {room}: {error}"),
        }
    }
    if refused {
        assert!(store.failure().is_some(), "room {room}");
        let later = store.admit(Sample::new(9_000).intent()).await;
        assert!(matches!(later, Err(StoreError::Failed)), "room {room}: nothing more is taken");
    }
    store.close().await;
    fs::remove_file(&ballast).unwrap();

    let (store, recovered) = Store::open(settings, sealer()).unwrap();
    for payment in &approved {
        let there = store.payment(payment.id()).await.unwrap().map(|payment| payment.state);
        assert_eq!(there, Some(PaymentState::Approved), "room {room}: it was answered");
    }
    assert!(recovered.open.len() <= 1, "room {room}: one was under way");
    pay(&store, &Sample::new(9_001)).await.unwrap();
    store.close().await;
    verify(data).unwrap();
    fs::remove_dir_all(data).unwrap();
    refused
}

async fn pay(store: &Store, payment: &Sample) -> Result<(), StoreError> {
    let admitted = store.admit(payment.intent()).await?;
    assert!(matches!(admitted, Admission::Granted { .. }), "{admitted:?}");
    store.append(payment.approved()).await.map(drop)
}

/// Waits until the file of the next segment has its length.
fn written_ahead(path: &Path, len: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::metadata(path).map_or(0, |file| file.len()) < len {
        assert!(Instant::now() < deadline, "no file is written ahead");
        std::thread::yield_now();
    }
}

/// Fills the file system but for so many bytes.
fn leave(room: u64, ballast: &Path) {
    let free = rustix::fs::statvfs(ballast.parent().unwrap()).unwrap();
    let free = free.f_bavail * free.f_frsize;
    let file = fs::File::create(ballast).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, free - room).unwrap();
}
