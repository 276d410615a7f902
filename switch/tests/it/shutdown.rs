//! A drain takes nothing new and finishes what is under way.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use switch::app::Ended;

use crate::harness::{House, card_order};
use crate::program::Site;

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_the_payment_under_way() {
    let house = House::start().await;
    let bank = house.bank().await;
    let request = bank.payment(&card_order(15_069));
    let engine = house.engine().clone();
    // …69 takes the whole time limit; the drain begins while it is under way.
    let (answer, ended) = tokio::join!(bank.request("0200", &request), async {
        crate::harness::eventually("the payment to be under way", async || {
            (0 < engine.tasks.payments_under_way()).then_some(())
        })
        .await;
        house.app.run_until(std::future::ready(())).await
    });
    assert_eq!(answer.expect("an answer").response_code(), "68");
    assert_eq!(ended, Ended::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_takes_long_ends_at_a_sigterm_as_a_stop_does() {
    // Nobody listens there.
    let site = Site::new("127.0.0.1:9".parse().expect("an address"), "");
    DirBuilder::new().mode(0o700).create(site.data()).expect("a folder");
    // A start reads this file, and this one says nothing for ever.
    let never = site.data().join("clock.json");
    assert!(Command::new("mkfifo").arg(&never).status().expect("mkfifo").success());
    let mut running = site.start();
    // Opened once the start is reading it.
    let opening = tokio::task::spawn_blocking(move || File::options().write(true).open(never));
    let opened = tokio::time::timeout(Duration::from_secs(120), opening).await;
    let held = opened.expect("a start that reads").expect("an end").expect("a pipe");
    let status = tokio::task::block_in_place(|| running.terminated());
    assert_eq!(status.code(), Some(0), "{status}");
    let log = fs::read_to_string(site.log()).expect("a log");
    assert!(log.contains("told to stop before it was ready"), "{log}");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_hears_signals_from_its_first_moment() {
    let site = Site::new("127.0.0.1:9".parse().expect("an address"), "");
    for signal in [Signal::TERM, Signal::INT].repeat(5) {
        let mut running = site.start();
        running.listening().await;
        // It reads its rules again once it can, and does not end of this one.
        running.signal(Signal::HUP);
        let status = tokio::task::block_in_place(|| running.ended_by(signal));
        assert_eq!(status.code(), Some(0), "{status}");
    }
    let log = fs::read_to_string(site.log()).expect("a log");
    assert!(
        log.contains("told to stop") && !log.contains('\x1b'),
        "a file has no escape codes: {log}"
    );
}
