//! Metrics as Prometheus reads them, the alert rules and the dashboard over them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::admin::answer;
use crate::api::card_payment;
use crate::harness::{card_order, issuer};
use crate::program::Site;
use crate::tidy::files;

/// How long Prometheus may take to start, to scrape a few times and to work out its rules.
const LONG: Duration = Duration::from_secs(120);
const NEEDED: &str = "this test needs promtool and prometheus: apt-get install prometheus";

fn config(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(name)
}

/// Runs promtool with this input; what it said, where it found fault.
fn promtool(arguments: &[&str], input: &str) -> Result<(), String> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect(NEEDED);
    child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_has_help_and_type_and_stands_at_0_before_the_first_payment() {
    let issuer = issuer().await;
    let site = Site::new(issuer.addr(), "");
    let running = site.start();
    site.bank().await;
    site.wait_for_lines("bank-b").await;
    let answered = site.metrics().await;
    let text = answered.split_once("\r\n\r\n").expect("a body").1;
    let text: String = text
        .lines()
        .filter(|line| !is_chunk(line))
        .fold(String::new(), |all, line| all + line.trim_end() + "\n");
    assert_eq!(promtool(&["check", "metrics"], &text), Ok(()));
    let described = |word: &str| -> BTreeSet<&str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(word));
        lines.filter_map(|line| line.split(' ').next()).collect()
    };
    let (helped, typed) = (described("# HELP "), described("# TYPE "));
    assert_eq!(helped, typed);
    assert!(typed.len() > 60, "{}", typed.len());
    for series in [
        "cauce_payments_total{reason=\"approved\"} 0",
        "cauce_payments_total{reason=\"reversals_pending\"} 0",
        "cauce_participant_payments_total{participant=\"bank-b\",outcome=\"unknown\"} 0",
        "cauce_participant_payments_total{participant=\"bank-a\",outcome=\"approved\"} 0",
        "cauce_participant_answer_seconds_count{participant=\"bank-b\"} 0",
        "cauce_participant_answer_seconds_bucket{participant=\"bank-b\",le=\"0.1\"} 0",
        "cauce_participant_lines{participant=\"bank-c\"} 0",
        "cauce_messages_refused_total{participant=\"bank-c\",why=\"undefined_field\"} 0",
        "cauce_notices_dead_total 0",
        "cauce_journal_failures_total 0",
        "cauce_clock_trusted 1",
    ] {
        assert!(text.lines().any(|line| line == series), "{series}");
    }
    let series = |name: &str| -> Vec<&str> {
        let is_of =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        text.lines().filter(is_of).collect()
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        series("cauce_build_info"),
        [format!("cauce_build_info{{version=\"{version}\"}} 1")]
    );
    let [processor] = series("process_cpu_seconds_total")[..] else { panic!("one series") };
    assert!(processor.contains('.'), "hundredths of a second count: {processor}");
    assert!(text.contains("# TYPE process_cpu_seconds_total counter\n"));
    for begins in
        ["cauce_build_info{version=\"", "process_resident_memory_bytes ", "process_open_fds "]
    {
        assert!(text.lines().any(|line| line.starts_with(begins)), "{begins}");
    }
    running.stop().await;
}

/// Whether a line is the length of a chunk of HTTP.
fn is_chunk(line: &str) -> bool {
    let digits = line.trim_end();
    digits.is_empty() || (digits.len() < 9 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

#[test]
fn the_alert_rules_pass_their_own_tests_and_each_is_told_of_in_the_readme() {
    let path = |name: &str| config(name).display().to_string();
    let (rules, tests) = (path("prometheus/alerts.yml"), path("prometheus/alerts.test.yml"));
    assert_eq!(promtool(&["check", "rules", &rules], ""), Ok(()));
    assert_eq!(promtool(&["test", "rules", &tests], ""), Ok(()));
    assert_eq!(promtool(&["check", "config", &path("prometheus/prometheus.yml")], ""), Ok(()));
    let rules = std::fs::read_to_string(rules).expect("a file");
    let readme = std::fs::read_to_string(config("../README.md")).expect("a file");
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let names: Vec<&str> = names.collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("| `{name}` |")), "README.md says nothing of {name}");
    }
}

#[test]
fn every_metric_that_the_code_counts_is_described_and_no_other() {
    let catalogue = "switch/src/metrics/catalogue.rs";
    let (mut counted, mut described) = (BTreeSet::new(), BTreeSet::new());
    for (path, text) in files() {
        let is_code = path.ends_with(".rs") && path.contains("/src/");
        if !is_code || path.starts_with("loadtest/") || path.starts_with("rig/") {
            continue;
        }
        let named = text.split("\"cauce_").skip(1).filter_map(|rest| rest.split_once('"'));
        let named = named.map(|(rest, _)| format!("cauce_{rest}"));
        let is_name = |name: &String| {
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
        };
        match path == catalogue {
            true => described.extend(named.filter(is_name)),
            false => counted.extend(counts(&text)),
        }
    }
    assert!(counted.len() > 50, "{counted:?}");
    assert_eq!(counted, described);
}

/// The names in calls that count, set or record.
fn counts(text: &str) -> Vec<String> {
    let macros = ["counter!(", "gauge!(", "histogram!("];
    let calls = macros.iter().flat_map(|name| text.split(name).skip(1));
    let named = calls.filter_map(|call| call.trim_start().strip_prefix("\"cauce_"));
    named.filter_map(|rest| Some(format!("cauce_{}", rest.split_once('"')?.0))).collect()
}

/// A Prometheus that scrapes a switch, ended with the test.
struct Prometheus {
    process: Child,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Prometheus {
    fn start(target: SocketAddr) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let text = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}\n\
             rule_files: ['{}']\nscrape_configs:\n  - job_name: cauce\n    static_configs:\n\
             \x20     - targets: ['{target}']\n",
            config("prometheus/alerts.yml").canonicalize().expect("a file").display()
        );
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, text).expect("a file");
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = port.local_addr().expect("an address");
        drop(port);
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect(NEEDED);
        Self { process, address, _dir: dir }
    }

    /// What its API answers; none while it does not.
    async fn get(&self, path: &str) -> Option<Value> {
        tokio::net::TcpStream::connect(self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        let answered = answer(self.address, &request).await;
        serde_json::from_str(answered.split_once("\r\n\r\n")?.1).ok()
    }

    /// The series that an expression gives.
    async fn query(&self, expression: &str) -> Option<Vec<Value>> {
        let mut encoded = String::new();
        for byte in expression.bytes() {
            write!(encoded, "%{byte:02X}").expect("written");
        }
        let told = self.get(&format!("/api/v1/query?query={encoded}")).await?;
        assert_eq!(told["status"], "success", "{expression}: {told}");
        told["data"]["result"].as_array().cloned()
    }

    /// Waits until an expression gives something.
    async fn wait_for(&self, expression: &str) {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        let found = async {
            while self.query(expression).await.is_none_or(|found| found.is_empty()) {
                tick.tick().await;
            }
        };
        let found = tokio::time::timeout(LONG, found).await;
        assert!(found.is_ok(), "no data in {LONG:?}: {expression}");
    }
}

/// Expressions that give nothing on one machine: they are of nodes of a cluster.
fn is_of_cluster(expression: &str) -> bool {
    expression.contains("cauce_gate_")
}

/// The metrics an expression names.
fn named_in(expression: &str) -> BTreeSet<String> {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let words = expression.split(|letter: char| !is_letter(letter));
    let is_metric = |word: &&str| word.starts_with("cauce_") || word.starts_with("process_");
    words.filter(is_metric).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_of_alerts_and_dashboard_finds_its_data_in_a_running_switch() {
    let issuer = issuer().await;
    let site = Site::new(issuer.addr(), "");
    let running = site.start();
    let bank = site.bank().await;
    site.wait_for_lines("bank-b").await;
    let prometheus = Prometheus::start(site.admin);
    let api = site.api("isp-ve");
    prometheus.wait_for("up{job=\"cauce\"} == 1").await;
    for number in 0..3 {
        let (_, answer) = bank.pay(&card_order(15_000 + number)).await.expect("an answer");
        assert_eq!(answer.response_code(), "00");
        api.pay(&format!("order-{number}"), &card_payment(15_000, &format!("B-{number}"))).await;
    }
    let approved = "cauce_participant_payments_total{participant=\"bank-b\",outcome=\"approved\"}";
    prometheus.wait_for(&format!("{approved} > 3 and rate({approved}[1m]) >= 0")).await;

    for expression in dashboard() {
        match is_of_cluster(&expression) {
            true => assert_eq!(prometheus.query(&expression).await, Some(vec![]), "{expression}"),
            false => prometheus.wait_for(&expression).await,
        }
    }
    prometheus.wait_for("up").await;
    let rules = prometheus.get("/api/v1/rules").await.expect("rules");
    let rules = rules["data"]["groups"][0]["rules"].as_array().cloned().expect("a list");
    assert!(rules.len() >= 15);
    for rule in rules {
        let (name, expression) = (&rule["name"], rule["query"].as_str().expect("a text"));
        assert_eq!(rule["lastError"].as_str().unwrap_or_default(), "", "{name}");
        assert_ne!(rule["state"], "firing", "{name}: all is well here");
        prometheus.query(expression).await.expect("an answer");
        for metric in named_in(expression) {
            match is_of_cluster(&metric) {
                true => assert_eq!(prometheus.query(&metric).await, Some(vec![]), "{metric}"),
                false => prometheus.wait_for(&metric).await,
            }
        }
    }
    running.stop().await;
}

/// The expressions of the dashboard, which is fit to be imported.
fn dashboard() -> Vec<String> {
    let text = std::fs::read_to_string(config("grafana/cauce.json")).expect("a file");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    // Grafana gives an id itself, and knows a dashboard again by its uid.
    assert_eq!((&dashboard["id"], &dashboard["uid"]), (&Value::Null, &"cauce".into()));
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 30));
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut expressions = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = &panel["title"];
        let place = &panel["gridPos"];
        let right = place["x"].as_u64().zip(place["w"].as_u64());
        assert!(right.is_some_and(|(x, w)| x + w <= 24), "{title} is outside the grid");
        for text in ["/title", "/description", "/fieldConfig/defaults/unit"] {
            let text = panel.pointer(text).and_then(Value::as_str).unwrap_or_default();
            assert!(!text.is_empty(), "{title} lacks a text");
        }
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title}");
        let texts = targets.iter().map(|target| target["expr"].as_str().expect("a text"));
        expressions.extend(texts.map(str::to_owned));
    }
    assert!(expressions.len() > 25, "{expressions:?}");
    expressions
}
