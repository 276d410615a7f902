//! `cauce-load` as a process of its own, as a planner meets it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use loadtest::simulator::issuer::{Issuer, IssuerHandle, IssuerSettings};
use serde_json::Value;

use crate::scripted;

pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cauce-load"));
    command.args(args).env_remove("LOAD_API_KEY").env_remove("RUST_LOG");
    command
}

/// What a run said, and with what it ended.
pub(crate) struct Ended {
    code: i32,
    out: String,
    told: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let (out, told) = (text(output.stdout), text(output.stderr));
        Self { code: output.status.code().expect("an exit code"), out, told }
    }

    /// Both outputs, with line breaks as spaces.
    fn said(&self) -> String {
        let said = format!("{} {}", self.out, self.told);
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn must_say(&self, code: i32, parts: &[&str]) {
        let said = self.said();
        assert_eq!(self.code, code, "{said}");
        for part in parts {
            assert!(said.contains(part), "`{part}` is not in: {said}");
        }
        let long = self.out.lines().chain(self.told.lines()).find(|l| l.chars().count() > 80);
        assert_eq!(long, None, "no line is longer than 80 columns");
    }
}

pub(crate) fn run(args: &[&str]) -> Ended {
    Ended::of(program(args).output().expect("the program"))
}

/// A load of this switch for a second.
fn load(target: SocketAddr, more: &[&str]) -> Ended {
    let target = target.to_string();
    run(&[&["run", "--target", &target, "--duration", "1", "--rate", "50"], more].concat())
}

/// A bank, which stands in for a switch that approves everything.
pub(crate) async fn approving() -> IssuerHandle {
    Issuer::start(IssuerSettings::new("bank-a")).await.expect("a bank")
}

pub(crate) fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a report")).expect("JSON")
}

#[test]
fn help_fits_eighty_columns_and_lists_the_exit_codes() {
    for command in ["", "run", "capacity", "audit", "compare", "simulate", "simulate issuer"] {
        let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        run(&args).must_say(0, &["Usage: cauce-load"]);
    }
    let codes = ["0 all is well", "2 the audit", "3 more than 1 %", "64 a wrong", "130 stopped"];
    run(&["--help"]).must_say(0, &codes);
}

#[test]
fn a_wrong_command_line_ends_with_64_and_names_what_is_wrong() {
    let check = |args: &[&str], parts: &[&str]| run(args).must_say(64, parts);
    check(&[], &["Usage: cauce-load"]);
    check(&["run", "--speed", "5"], &["--speed"]);
    check(&["run", "--rate", "0"], &["--rate", "1 to 1000000"]);
    check(&["run", "--rate", "-5"], &["-5"]);
    check(&["run", "--rate", "99999999999999999999"], &["--rate", "1 to 1000000"]);
    check(&["run", "--rate", "1000000", "--duration", "86400"], &["at most 100000000"]);
    check(&["run", "--rate", "max", "--poisson"], &["--poisson"]);
    check(&["run", "--duration", "0"], &["--duration"]);
    check(&["run", "--connections", "0"], &["--connections"]);
    check(&["run", "--in-flight", "0"], &["--in-flight"]);
    check(&["run", "--target", "192.0.2.1:8583"], &["not a loopback address"]);
    check(&["run", "--target", "8583"], &["127.0.0.1:8583"]);
    check(&["run", "--target", "127.0.0.1:0"], &["port 0"]);
    check(&["run", "--shares", "declines=60,silents=50"], &["more than 100 %"]);
    check(&["run", "--shares", "declined=5"], &["declined=5"]);
    check(&["run", "--acquirer-id", "bank"], &["--acquirer-id", "digits"]);
    check(&["run", "--currency", "XYZ"], &["XYZ"]);
    check(&["run", "--amount-min", "9", "--amount-max", "8"], &["--amount-min"]);
    check(&["run", "--bin", "40"], &["--bin"]);
    check(&["run", "--http"], &["API key", "LOAD_API_KEY"]);
    check(&["run", "--http", "https://127.0.0.1:8080"], &["TLS"]);
    check(&["run", "--http", "--target", "127.0.0.1:8583"], &["--target"]);
    check(&["run", "--http", "--api-key-file", "/nowhere/key"], &["/nowhere/key"]);
    check(&["run", "--report", "/nowhere/report.json"], &["/nowhere/report.json"]);
    check(&["run", "--data", "/nowhere/data"], &["/nowhere/data"]);
    check(&["run", "--data", "/", "--cauce", "/nowhere/cauce"], &["/nowhere/cauce", "--cauce"]);
    check(&["run", "--settle", "5"], &["--data or --journal"]);
    check(&["run", "--pid", "4194305"], &["--pid 4194305"]);
    let both = ["run", "--target", "127.0.0.1:9583", "--issuer-listen", "127.0.0.1:9583"];
    check(&both, &["the address of the switch itself"]);
    check(&["capacity", "--from", "9", "--to", "8"], &["--from is greater than --to"]);
    check(&["audit", "--answers", "/nowhere/a", "--journal", "/nowhere/b"], &["/nowhere/a"]);
    check(&["simulate", "issuer", "--listen", "192.0.2.1:9583"], &["not a loopback address"]);
    check(&["simulate", "merchant", "--biller", "isp-ve"], &["a path, `=` and a secret"]);
}

#[test]
fn a_switch_that_is_not_there_is_named() {
    let target = free_port();
    let parts = ["waiting for the switch", &target.to_string(), "Connection refused"];
    load(target, &["--wait", "0"]).must_say(1, &parts[1..]);
    load(target, &["--wait", "1"]).must_say(1, &parts);
    let ended = run(&["run", "--http", &target.to_string(), "--api-key", "k", "--wait", "0"]);
    ended.must_say(1, &[&target.to_string(), "Connection refused", "http.listen"]);
}

#[test]
fn a_refused_sign_on_is_told_at_once_with_its_reason() {
    let target = scripted::switch(|_| Some((b"63", Some(b"5001"))));
    let parts = ["acquirer 42 (DE32)", "DE39 63, 5001 operator_unauthorised: User not authorised"];
    load(target, &["--acquirer-id", "42", "--wait", "600"]).must_say(1, &parts);
    load(target, &["--acquirer-id", "42"]).must_say(1, &["--acquirer-id signs on as another"]);
    let args = ["simulate", "acquirer", "--acquirer-id", "42", "--target", &target.to_string()];
    run(&args).must_say(1, &["DE39 63, 5001 operator_unauthorised"]);
}

#[test]
fn a_peer_that_does_not_speak_the_format_is_told() {
    let http = scripted::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    load(http, &[]).must_say(1, &["HTTP/1.1 400 Bad Request", "That is an HTTP address"]);
    let other = scripted::saying(b"\x00\x050810\x00");
    load(other, &[]).must_say(1, &["no answer to a sign-on", "cauce-87", "binary2"]);
    let mute = scripted::switch(|_| None);
    load(mute, &["--wait", "1"]).must_say(1, &["closed before the sign-on was answered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_the_switch_never_calls_is_told() {
    let switch = approving().await;
    let bank = free_port().to_string();
    let ended = load(switch.addr(), &["--issuer-listen", &bank, "--wait", "1"]);
    ended.must_say(1, &["no line to the bank hosted at", &bank, "nothing has connected there"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_told_with_the_option_that_helps() {
    let switch = approving().await;
    let holder = Issuer::start(IssuerSettings::new("bank-b")).await.expect("a bank");
    let held = holder.addr().to_string();
    let ended = load(switch.addr(), &["--issuer-listen", &held]);
    ended.must_say(1, &[&held, "Address already in use", "--issuer-listen"]);
    let ended = run(&["simulate", "issuer", "--listen", &held]);
    ended.must_say(1, &[&held, "Address already in use", "--listen"]);
}

#[test]
fn declines_are_named_by_their_codes_and_are_no_achievement() {
    let target = scripted::switch(|mti| match &mti {
        b"0800" => Some((b"00", None)),
        _ => Some((b"91", Some(b"6001"))),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.json");
    let ended = load(target, &["--report", report.to_str().expect("a path")]);
    let parts = ["achieved 0/s", "DE39 91, 6001 issuer_unavailable: Bank offline", "not one"];
    ended.must_say(3, &parts);
    let report = json(&report);
    assert_eq!(report["achieved_per_second"], 0);
    assert_eq!(report["counts"]["declined"], report["counts"]["declined_unplanned"]);
    assert_eq!(report["answers"][0]["reason"], "issuer_unavailable");
    let target = target.to_string();
    let hold = ["--from", "50", "--to", "100", "--hold", "1"];
    let ended = run(&[&["capacity", "--target", &target], &hold[..]].concat());
    ended.must_say(1, &["Not even the first rate", "declined, mostly DE39 91, 6001"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_writes_its_result_for_programs_and_for_people() {
    let switch = approving().await;
    let folder = tempfile::tempdir().expect("a folder");
    let html = folder.path().join("report.html");
    let shares = ["--shares", "declines=20", "--report", "-"];
    let more = [&shares[..], &["--html", html.to_str().expect("a path")]].concat();
    let ended = load(switch.addr(), &more);
    assert_eq!(ended.code, 0, "{}", ended.told);
    let report: Value = serde_json::from_str(&ended.out).expect("JSON alone");
    let count = |name: &str| report["counts"][name].as_u64().expect("a count");
    assert_eq!(count("approved") + count("declined"), count("sent"));
    assert_eq!((count("declined_unplanned"), report["schema_version"].as_u64()), (0, Some(2)));
    assert!(ended.told.contains("as the shares of the run have it"), "{}", ended.told);
    let page = std::fs::read_to_string(html).expect("a page");
    assert!(page.contains(">requests a second</text>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_rates_are_held_one_after_the_other_and_drawn_as_a_curve() {
    let switch = approving().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (html, report) = (folder.path().join("r.html"), folder.path().join("r.json"));
    let (target, path) = (switch.addr().to_string(), |path: &Path| path.display().to_string());
    let rates = ["run", "--target", &target, "--duration", "1", "--rate", "20,40"];
    let ended = run(&[&rates[..], &["--html", &path(&html), "--report", &path(&report)]].concat());
    ended.must_say(0, &["rate/s approved/s p50 p99", "as planned"]);
    let points = &json(&report)["rates"];
    let rate = |at: usize| points[at]["rate"].as_u64();
    assert_eq!((rate(0), rate(1), rate(2)), (Some(20), Some(40), None));
    let page = std::fs::read_to_string(html).expect("a page");
    assert!(page.contains(">payments offered a second</text>"));
    run(&["run", "--rate", "20,max"]).must_say(64, &["--rate max stands alone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_says_that_it_ended_at_its_own_ceiling_and_draws_the_rates() {
    let switch = approving().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (html, report) = (folder.path().join("c.html"), folder.path().join("c.json"));
    let (target, path) = (switch.addr().to_string(), |path: &Path| path.display().to_string());
    let ended = run(&[
        "capacity",
        "--target",
        &target,
        "--from",
        "20",
        "--to",
        "25",
        "--hold",
        "1",
        "--p99-ms",
        "60000",
        "--html",
        &path(&html),
        "--report",
        &path(&report),
    ]);
    ended.must_say(0, &["ended at its own ceiling: 25 requests a second", "raise --to"]);
    let search = &json(&report)["search"];
    assert_eq!((&search["end"], &search["knee_per_second"]), (&"ceiling".into(), &25.into()));
    assert_eq!(search["tried"].as_array().map(Vec::len), Some(2));
    let page = std::fs::read_to_string(html).expect("a page");
    assert!(page.contains("ended at its own ceiling"));
    assert!(page.contains(">payments offered a second</text>"));
}

#[test]
fn results_that_cannot_be_read_cannot_be_compared() {
    let ended = run(&["compare", "/nowhere/before.json", "/nowhere/after.json"]);
    ended.must_say(2, &["/nowhere/before.json"]);
}
