//! `cauce` as a newcomer runs it.

use std::fs::File;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::eventually;
use crate::program::Running;

fn cauce() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cauce"))
}

fn output(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("the program");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_demonstration_goes_well_and_its_journal_is_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let free = ["http", "iso8583", "admin"].map(|section| format!("{section}.listen=127.0.0.1:0"));
    let mut demo = cauce();
    demo.args(["demo", "--once", "--data"]).arg(dir.path());
    for set in &free {
        demo.args(["--set", set]);
    }
    let (code, text) = output(&mut demo);
    assert_eq!(code, 0, "{text}");
    for line in ["approved", "declined", "duplicate", "silent bank", "late answer", "not built yet"]
    {
        assert!(text.contains(line), "{line} is missing:\n{text}");
    }
    assert!(!text.contains('✗'), "{text}");
    let told = std::fs::read_to_string(dir.path().join("demo.json")).expect("demo.json");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["billers"].as_array().map(Vec::len), Some(5));
    let modes = crate::program::modes(dir.path());
    let open: Vec<_> = modes.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");

    let (code, text) = output(cauce().args(["journal", "verify", "--data"]).arg(dir.path()));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("accounts sum to zero in each currency"), "{text}");
    let balances = |more: &[&str]| {
        output(cauce().args(["journal", "balances", "--data"]).arg(dir.path()).args(more))
    };
    let (code, text) = balances(&["--format", "csv"]);
    assert_eq!(code, 0, "{text}");
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|row| row.split(',').collect()).collect();
    for kind in ["float:", "funding:", "clearing:", "payable:"] {
        assert!(rows.iter().any(|row| row[0].starts_with(kind)), "{kind} is missing:\n{text}");
    }
    let mut sums = std::collections::BTreeMap::new();
    for row in &rows {
        *sums.entry(row[1]).or_insert(0) += row[2].parse::<i64>().expect("minor units");
    }
    assert!(!sums.is_empty() && sums.values().all(|sum| *sum == 0), "{sums:?}");
    let (code, text) = balances(&["--at", "1", "--format", "json"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = balances(&["--at", "99999999"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("before record 99999999"), "{text}");
    let (code, text) = output(cauce().args(["journal", "export", "--data"]).arg(dir.path()));
    assert_eq!(code, 0, "{text}");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    assert!(lines.iter().any(|line| line["kind"] == "intent"));
    assert!(!text.contains(loadtest::simulator::acquirer::TEST_CARD));
    let card = text.contains("400000******0002");
    assert!(card, "card numbers are masked, not lost");

    // The same folder again: no second tour.
    let (code, text) = output(&mut demo);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("the tour was made before"), "{text}");
}

/// The three ports of a demonstration, each a free one.
const FREE_PORTS: [&str; 6] = [
    "--set",
    "http.listen=127.0.0.1:0",
    "--set",
    "iso8583.listen=127.0.0.1:0",
    "--set",
    "admin.listen=127.0.0.1:0",
];

/// A demonstration with its temporary files and what it prints in folders of their own.
struct Demo {
    root: tempfile::TempDir,
    running: Running,
}

impl Demo {
    fn start(more: &[&str]) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let file = |name| File::create(root.path().join(name)).expect("a file");
        let mut command = cauce();
        command.arg("demo").args(FREE_PORTS).args(more);
        std::fs::create_dir(root.path().join("tmp")).expect("a folder");
        command.env("TMPDIR", root.path().join("tmp"));
        let running = Running::of(command.stdout(file("out")).stderr(file("err")));
        Self { root, running }
    }

    /// What it has printed so far, and what it has logged.
    fn told(&self) -> (String, String) {
        let read = |name| std::fs::read_to_string(self.root.path().join(name)).expect("a file");
        (read("out"), read("err"))
    }

    async fn wait_for(&self, line: &str) {
        eventually(line, async || self.told().0.contains(line).then_some(())).await;
    }

    /// What it has left among the temporary files.
    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.path().join("tmp")).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path().display().to_string()).collect()
    }
}

fn shell(command: &str) -> (i32, String) {
    output(Command::new("sh").arg("-c").arg(command))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_demonstration_prints_is_80_columns_of_plain_text_behind_its_title() {
    let mut demo = Demo::start(&["--once"]);
    let status = tokio::task::block_in_place(|| demo.running.ended());
    let (out, err) = demo.told();
    assert!(status.success(), "{out}{err}");
    assert!(out.starts_with("Cauce: one payment of each kind"), "{out}");
    for line in out.lines() {
        let is_path = line.trim().starts_with('/') && !line.trim().contains(' ');
        assert!(is_path || line.chars().count() <= 80, "{line}");
    }
    assert!(!out.contains("http://") && !out.contains("127.0.0.1"), "none answers: {out}");
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "{out}{err}");
    assert_eq!(err, "");
    assert_eq!(demo.left(), [""; 0], "a folder that was not asked for has had its use");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_s_addresses_answer_its_commands_work_and_ctrl_c_says_that_it_drains() {
    let mut demo = Demo::start(&[]);
    demo.wait_for("Serving.").await;
    let (out, _) = demo.told();
    let urls = out.split_whitespace().filter(|word| word.starts_with("http://"));
    let urls: Vec<&str> = urls.filter(|url| !url.ends_with("/v1/payments")).collect();
    assert_eq!(urls.len(), 4, "{out}");
    for url in urls {
        let (code, text) = shell(&format!("curl -sSf {url}"));
        assert_eq!(code, 0, "{url}: {text}");
    }
    let (_, next) = out.split_once("Next,").expect("what to do next");
    let (merchant, bank) = next.split_once("  # a bank").expect("two commands");
    let (_, merchant) = merchant.split_once("hears of it\n").expect("a merchant's command");
    let (_, bank) = bank.split_once('\n').expect("a bank's command");
    // As a person pastes it: all lines at once, the notice of this payment behind its answer.
    let (code, text) = shell(merchant);
    let mut lines = text.lines();
    let answer = lines.next().expect("an answer");
    let answer: serde_json::Value = serde_json::from_str(answer).expect(&text);
    assert_eq!((code, answer["state"].as_str()), (0, Some("approved")), "{text}");
    let notice = lines.next().expect("a notice");
    let notice: serde_json::Value = serde_json::from_str(notice).expect(&text);
    assert_eq!(
        (notice["type"].as_str(), notice["payment"].as_str()),
        (Some("payment.approved"), answer["id"].as_str()),
        "{text}"
    );
    let (bank, _) = bank.split_once("\n\nServing").expect("a bank's command");
    let (code, text) = shell(bank);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("0210       DE39 00: approved"), "{text}");

    let status = tokio::task::block_in_place(|| demo.running.ended_by(Signal::INT));
    let (out, err) = demo.told();
    assert_eq!(status.code(), Some(0), "{out}{err}");
    assert!(out.contains("\nDraining: "), "{out}");
    let left = demo.left();
    assert!(left.len() == 1 && out.contains(&left[0]), "{left:?} is named: {out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_s_commands_work_in_another_folder_than_it_was_started_in() {
    let root = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cauce"), root.path().join("cauce"))
        .expect("a link");
    let file = |name| File::create(root.path().join(name)).expect("a file");
    let mut command = Command::new("./cauce");
    command.current_dir(root.path()).args(["demo", "--data", "data"]).args(FREE_PORTS);
    let mut running = Running::of(command.stdout(file("out")).stderr(file("err")));
    let out = eventually("Serving.", async || {
        let out = std::fs::read_to_string(root.path().join("out")).expect("a file");
        out.contains("Serving.").then_some(out)
    })
    .await;
    let (_, next) = out.split_once("Next,").expect("what to do next");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (_, merchant) = next.split_once("hears of it\n").expect("a merchant's command");
    let (merchant, bank) = merchant.split_once("\n\n").expect("a bank's command");
    let (bank, _) = bank.split_once("\n\nServing").expect("a bank's command");
    for command in [merchant, bank] {
        let mut shell = Command::new("sh");
        let (code, text) = output(shell.arg("-c").arg(command).current_dir(elsewhere.path()));
        assert_eq!(code, 0, "{command}: {text}");
    }
    for line in out.lines().filter(|line| !line.trim().starts_with('/')) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let status = tokio::task::block_in_place(|| running.ended_by(Signal::TERM));
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demonstration_hears_a_sigterm_from_its_first_moment_and_during_its_tour() {
    for _ in 0..5 {
        let mut demo = Demo::start(&[]);
        demo.running.listening().await;
        let status = tokio::task::block_in_place(|| demo.running.ended_by(Signal::TERM));
        let (out, err) = demo.told();
        assert_eq!(status.code(), Some(0), "{out}{err}");
        let (left, told) = (demo.left(), out.replace('\n', " "));
        assert!(left.iter().all(|folder| told.contains(folder)), "{left:?} is named: {out}");
    }
    let ends =
        [(Signal::TERM, vec![], 0), (Signal::HUP, vec![], 0), (Signal::TERM, vec!["--once"], 1)];
    for (signal, more, code) in ends {
        let mut demo = Demo::start(&more);
        demo.wait_for("✓ approved").await;
        let status = tokio::task::block_in_place(|| demo.running.ended_by(signal));
        let (out, err) = demo.told();
        assert_eq!(status.code(), Some(code), "{out}{err}");
        assert!(out.contains("\nDraining: ") && !out.contains("not built yet"), "{out}");
        assert_eq!(demo.left(), [""; 0], "half a tour is kept by nobody: {out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_names_the_option_that_helps_and_leaves_no_folder() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("an address");
    for key in ["http.listen", "iso8583.listen", "admin.listen"] {
        let mut demo = Demo::start(&["--set", &format!("{key}={address}")]);
        let status = tokio::task::block_in_place(|| demo.running.ended());
        let (out, err) = demo.told();
        assert_eq!(status.code(), Some(1), "{out}{err}");
        let option = format!("`cauce demo --set {key}=127.0.0.1:PORT`");
        assert!(err.contains(&address.to_string()) && err.contains(&option), "{err}");
        assert_eq!(demo.left(), [""; 0], "{out}");
    }
}

#[test]
fn a_wrong_configuration_or_command_line_exits_64_and_says_everything() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("wrong.toml");
    std::fs::write(&file, "[http]\nport = 1\n[routes]\n").expect("a file");
    let (code, text) = output(cauce().args(["check", "--config"]).arg(&file));
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("http.port: unknown key"), "{text}");
    assert!(text.contains("routes: a list of tables is expected"), "{text}");
    let (code, _) = output(cauce().arg("fly"));
    assert_eq!(code, 64);
    let (code, text) = output(cauce().arg("--help"));
    assert_eq!((code, text.contains("Examples:")), (0, true));
    for command in
        ["", "demo", "serve", "key create", "key rotate", "journal export", "codec decode"]
    {
        let (code, text) = output(cauce().args(command.split_whitespace()).arg("--help"));
        assert_eq!(code, 0, "{command}");
        let long: Vec<_> = text.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{command}: {long:?}");
    }
}

#[test]
fn what_check_and_lint_let_through_can_be_used() {
    let (code, text) = output(cauce().arg("check"));
    assert_eq!(code, 0, "{text}");
    let note = "nothing can be paid yet: there is no participant, no biller, no route";
    assert!(text.contains(note), "{text}");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("pays.toml");
    let pays = "[[participants]]\nid = \"bank-a\"\nconnect = \"127.0.0.1:1\"\n[[billers]]\n\
                id = \"shop-1\"\n[[routes]]\nto = [\"bank-a\"]\n";
    std::fs::write(&file, pays).expect("a file");
    let (code, text) = output(cauce().args(["check", "--config"]).arg(&file));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("ok: 1 participant, 1 biller, 1 route, 0 fees, 0 limits"), "{text}");
    assert!(!text.contains("nothing can be paid"), "{text}");
    let format = |framing: &str| {
        format!(
            "name = \"a\"\nframing = \"{framing}\"\nmti = \"ascii\"\nbitmap = \"binary\"\n[fields]\n"
        )
    };
    for (framing, expect) in [("binary2", 0), ("nac", 0), ("binary2x", 1), ("len2be", 1)] {
        std::fs::write(&file, format(framing)).expect("a file");
        let (code, text) = output(cauce().args(["codec", "lint"]).arg(&file));
        let is_told = text.contains(&format!("framing: `{framing}` is not one of binary2, "));
        assert_eq!((code, is_told), (expect, expect == 1), "{framing}: {text}");
    }
}
