//! `kill -9` of a process that removes old segments, at random instants: whatever it had done by then,
//! the journal is whole, every payment that is kept is found, and every account stands as before.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use router::outcome::Cause;
use router::payment::PaymentState;
use storage::conformance::sample::{self, Sample};
use storage::verify::{balances, records, verify};
use storage::{Admission, Settings, Store, prune_now};
use tokio::time::{interval, timeout};

use crate::support::{fresh, open, sealer};

/// Set where this program is the process that removes segments: of this data folder.
const FOLDER: &str = "CAUCE_TEST_PRUNED_FOLDER";
const TEST: &str = "pruning_killed::a_removal_killed_at_any_instant_loses_nothing_that_is_kept";
const ROUNDS: u64 = 9;
const KILLS_OF_A_ROUND: usize = 6;
/// Payments of a round, one a second. Of a hundred, one stays unknown until the next round undoes it;
/// of the later half, which is kept until then, one is approved and reversed by the next round.
const ROUND: u64 = 600;
const SECOND: i64 = 1_000_000;
const PUT_IN: i64 = 1_000_000;
const AMOUNT: i64 = 10;
/// How long a removal may take that nobody kills.
const PATIENCE: Duration = Duration::from_secs(120);

fn settings(dir: &Path) -> Settings {
    Settings {
        segment_len_max: 20_000,
        snapshot_segments: 3,
        key_retention: Duration::from_secs(60),
        keep_for: Some(Duration::from_secs(400)),
        ..Settings::new(dir)
    }
}

fn payment(n: u64, second: u64) -> Sample {
    let at = i64::try_from(second).unwrap() * SECOND;
    Sample { at, hold: Some(("float:1", AMOUNT)), ..Sample::new(n) }
}

fn last_of(round: u64) -> u64 {
    (round + 1) * ROUND
}

fn is_unknown_at_first(n: u64) -> bool {
    n % 100 == 7
}

fn is_reversed_later(n: u64) -> bool {
    n % 100 == 8 && (n - 1) % ROUND >= ROUND / 2
}

/// How a payment stands once a round is over.
fn state_after(round: u64, n: u64) -> PaymentState {
    match n <= round * ROUND {
        true if is_unknown_at_first(n) || is_reversed_later(n) => PaymentState::Reversed,
        false if is_unknown_at_first(n) => PaymentState::Unknown,
        true | false => PaymentState::Approved,
    }
}

/// What the float has once a round is over.
fn balance_after(round: u64) -> i64 {
    let stands = |n: &u64| state_after(round, *n) == PaymentState::Approved;
    let standing = (1..=last_of(round)).filter(stands).count();
    PUT_IN - AMOUNT * i64::try_from(standing).unwrap()
}

async fn pay(store: &Store, round: u64) {
    let last = last_of(round);
    let numbers: Vec<u64> = (last - ROUND + 1..=last).collect();
    for some in numbers.chunks(50) {
        let one = async |n: u64| {
            let sample = payment(n, n);
            let admitted = store.admit(sample.intent()).await.unwrap();
            assert!(matches!(admitted, Admission::Granted { .. }), "payment {n}");
            let is_unknown = is_unknown_at_first(n);
            let outcome = if is_unknown { sample.unknown() } else { sample.approved() };
            store.append(outcome).await.unwrap();
        };
        join_all(some.iter().map(|n| one(*n))).await;
    }
    for n in last.saturating_sub(2 * ROUND) + 1..=last - ROUND {
        let sample = payment(n, last);
        let unknown = [sample.reversal_owed_for(Cause::Timeout), sample.reversal_confirmed()];
        let reversed = [sample.reversal_asked(), sample.approval_reversed(0)];
        let steps = [(is_unknown_at_first(n), unknown), (is_reversed_later(n), reversed)];
        for step in steps.into_iter().filter(|(is_due, _)| *is_due).flat_map(|(_, steps)| steps) {
            store.append(step).await.unwrap();
        }
    }
}

/// The numbers of the last rounds' payments that a record which is kept names, or that are open.
fn kept(settings: &Settings, round: u64) -> BTreeSet<u64> {
    let mut named = BTreeSet::new();
    for record in records(&settings.dir) {
        named.extend(record.unwrap().1.payment());
    }
    let is_open = |n: u64| state_after(round, n) == PaymentState::Unknown;
    looked_at(round).filter(|n| named.contains(&payment(*n, *n).id()) || is_open(*n)).collect()
}

/// Payments of the last two rounds: nothing of earlier ones is kept.
fn looked_at(round: u64) -> impl Iterator<Item = u64> {
    last_of(round).saturating_sub(2 * ROUND) + 1..=last_of(round)
}

/// All that must be true whatever was cut short; gives the payments that are found.
async fn assert_whole(settings: &Settings, round: u64) -> BTreeSet<u64> {
    verify(&settings.dir).unwrap();
    let (account, currency) = (sample::account("float:1"), sample::currency());
    let expected = balance_after(round);
    let ledger = balances(&settings.dir, None).unwrap().1;
    assert_eq!(ledger.balance(account, currency), i128::from(expected));
    let kept = kept(settings, round);
    let (store, _) = open(settings);
    assert_eq!(store.account_balance(account, currency).await.unwrap().balance, expected);
    let mut found = BTreeSet::new();
    for n in looked_at(round) {
        let intent = payment(n, n).intent();
        let by_id = store.payment(intent.payment).await.unwrap().map(|found| found.state);
        let by_folio = store.payment_by_folio(intent.folio).await.unwrap();
        if let Some(state) = by_id {
            assert_eq!(state, state_after(round, n), "payment {n}");
            found.insert(n);
        }
        if kept.contains(&n) {
            assert!(by_id.is_some() && by_folio.is_some(), "payment {n} is kept: {by_id:?}");
        }
    }
    store.close().await;
    found
}

/// A process that removes what is due, and then ends.
fn removal(dir: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", TEST]).env(FOLDER, dir);
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    command.spawn().unwrap()
}

/// Waits until a process has ended by itself, for so long; kills it then. Says whether it was killed.
async fn killed_after(child: &mut Child, life: Duration) -> bool {
    let ended = async {
        let mut look = interval(Duration::from_millis(1));
        while child.try_wait().unwrap().is_none() {
            look.tick().await;
        }
    };
    let is_ended = timeout(life, ended).await.is_ok();
    if !is_ended {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert!(!is_ended || status.success(), "{status}");
    !is_ended
}

/// Whether files stand before the journal's beginning: the removal had not come to its end.
fn is_cut_between_steps(settings: &Settings) -> bool {
    let removed_through = verify(&settings.dir).unwrap().removed_through;
    let names = fs::read_dir(settings.dir.join("journal")).unwrap();
    let first = names.filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".log").and_then(|first| first.parse::<u64>().ok())
    });
    first.min().unwrap() <= removed_through
}

#[tokio::test]
async fn a_removal_killed_at_any_instant_loses_nothing_that_is_kept() {
    if let Some(dir) = std::env::var_os(FOLDER) {
        prune_now(&settings(Path::new(&dir)), &sealer()).unwrap();
        return;
    }
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = fresh();
    let settings = settings(dir.path());
    let (store, _) = open(&settings);
    store.append(sample::top_up("float:1", PUT_IN)).await.unwrap();
    store.close().await;
    let (mut whole, mut killed, mut between) = (Duration::ZERO, 0, 0);
    for round in 0..ROUNDS {
        let (store, _) = open(&settings);
        pay(&store, round).await;
        store.close().await;
        if round > 0 {
            for _ in 0..KILLS_OF_A_ROUND {
                let life = whole.mul_f64(random.random_range(0.0..1.0));
                killed += usize::from(killed_after(&mut removal(dir.path()), life).await);
                between += usize::from(is_cut_between_steps(&settings));
                assert_whole(&settings, round).await;
            }
        }
        let began = Instant::now();
        assert!(!killed_after(&mut removal(dir.path()), PATIENCE).await, "it takes too long");
        whole = if round == 0 { began.elapsed() } else { whole };
        assert!(!is_cut_between_steps(&settings));
        let (found, kept) = (assert_whole(&settings, round).await, kept(&settings, round));
        assert_eq!(found, kept, "nothing else is left");
    }
    println!("{killed} killed, {between} of them between two steps of a removal");
    assert!(killed > KILLS_OF_A_ROUND, "the removals were killed");
    assert!(verify(dir.path()).unwrap().removed_through > ROUNDS * ROUND, "segments were removed");
}
