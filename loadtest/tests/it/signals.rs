//! SIGINT and SIGTERM to `cauce-load`, whatever it waits for.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use loadtest::simulator::issuer::{Issuer, IssuerSettings};
use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Ended, approving, free_port, json, program};

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn send(child: &Child, signal: Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).expect("a process");
}

fn interrupt(child: &Child) {
    send(child, Signal::INT);
}

/// Looks again and again until there is something.
async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    let looking = async {
        loop {
            looks.tick().await;
            if let Some(found) = look() {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, looking).await.expect(what)
}

/// A process that is killed when the test ends before it.
struct Guarded(Child);

impl Guarded {
    async fn end(&mut self) -> ExitStatus {
        until("the process ends at the signal", || self.0.try_wait().expect("a process")).await
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn text(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).expect("UTF-8");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_simulated_acquirer_while_its_payment_waits() {
    for signal in [Signal::TERM, Signal::INT] {
        let switch = Issuer::start(IssuerSettings::new("bank-a")).await.expect("a bank");
        let target = switch.addr().to_string();
        // An amount that ends in 68 is not answered.
        let args = ["simulate", "acquirer", "--amount", "50068", "--target", &target];
        let child = program(&args).stderr(Stdio::piped()).spawn().expect("the program");
        let mut child = Guarded(child);
        until("a payment comes", || (switch.counts().payments == 1).then_some(())).await;
        send(&child.0, signal);
        assert_eq!(child.end().await.code(), Some(0));
        let told = text(child.0.stderr.take().expect("a pipe"));
        assert_eq!(told, "", "the payment waited still");
        assert_eq!(switch.counts().payments, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_simulated_bank_while_it_waits_for_further_sign_ons() {
    for signal in [Signal::TERM, Signal::INT] {
        let listen = free_port().to_string();
        let args = ["simulate", "issuer", "--listen", &listen];
        let child = program(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = Guarded(child.expect("the program"));
        let mut lines = BufReader::new(child.0.stderr.take().expect("a pipe"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        assert!(line.contains("listens at"), "{line}");
        let addr: SocketAddr = listen.parse().expect("an address");
        let signed_on = loadtest::drive::sign_on::open(addr, "700001").await;
        assert!(signed_on.is_ok(), "{signed_on:?}");
        send(&child.0, signal);
        assert_eq!(child.end().await.code(), Some(0));
        let out = text(child.0.stdout.take().expect("a pipe"));
        assert!(out.contains("sign-ons 1"), "{out}");
    }
}

/// A load that would take a minute, once its first second is over.
fn long_run(command: &str, target: SocketAddr, more: &[&str]) -> Child {
    let target = target.to_string();
    let args = [&[command, "--target", &target], more].concat();
    let mut child =
        program(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains(" s  sent ") {
        line.clear();
        assert!(lines.read_line(&mut line).expect("a line") > 0, "it ended early");
    }
    child.stderr = Some(lines.into_inner());
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_reports_what_it_has_and_ends_with_130() {
    let switch = approving().await;
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.json");
    let path = report.display().to_string();
    let more = ["--rate", "50", "--duration", "60", "--report", &path];
    let child = long_run("run", switch.addr(), &more);
    interrupt(&child);
    let ended = Ended::of(child.wait_with_output().expect("an end"));
    ended.must_say(130, &["the run was stopped after", "of 60 s", "approved"]);
    let report = json(&report);
    let count = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).expect("a number");
    assert!(count("/stopped_after_ms") < 60_000);
    assert!(count("/counts/approved") > 0 && count("/achieved_per_second") > 0);
    assert!(count("/planned") < 3_000, "what was planned after the stop does not count");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_search_tells_what_it_has_and_ends_with_130() {
    let switch = approving().await;
    let child = long_run("capacity", switch.addr(), &["--from", "50", "--hold", "60"]);
    interrupt(&child);
    let ended = Ended::of(child.wait_with_output().expect("an end"));
    ended.must_say(130, &["The search was stopped before a rate was served"]);
}

#[test]
fn a_wait_for_the_switch_can_be_interrupted() {
    let target = free_port().to_string();
    let mut child = program(&["run", "--target", &target, "--wait", "600"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    assert!(line.contains("waiting for the switch"), "{line}");
    interrupt(&child);
    assert_eq!(child.wait().expect("an end").code(), Some(130));
}
