//! A wall clock that jumps, in a process of its own: nothing is paid or forgotten by a wrong time,
//! and the right time heals everything, also across a restart.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use loadtest::simulator::issuer::IssuerHandle;
use rig::FakeClock;
use serde_json::{Value, json};
use switch::keys::{self, Role};
use tempfile::TempDir;

use crate::api::Api;
use crate::cluster::node::within;
use crate::harness::{issuer, net_debits};
use crate::kill::{Ports, free_ports, write_config};

const DAY: i64 = 86_400;
/// How long a process may take where the machine is busy.
const PROCESS_MAX: Duration = Duration::from_secs(60);

/// Rules of a biller whose clients may pay once a day.
const ONCE_A_DAY: &str = "[[billers]]\nid = \"shop-limit\"\ncurrencies = [\"MXN\"]\n\
    time_zone = \"America/Mexico_City\"\n\
    [[limits]]\nname = \"each client once a day\"\nbillers = [\"shop-limit\"]\n\
    measure = \"count\"\nscope = \"client\"\nwindow = \"day\"\nmax = 1\n";

/// A switch on a machine whose wall clock can be set.
struct Machine {
    clock: FakeClock,
    dir: TempDir,
    issuer: IssuerHandle,
    ports: Ports,
    config: PathBuf,
    key: String,
    running: Option<Child>,
}

impl Machine {
    async fn start() -> Self {
        let clock = FakeClock::new().expect("libfaketime");
        let dir = TempDir::new().expect("a folder");
        let (issuer, ports) = (issuer().await, free_ports());
        let config = write_config(dir.path(), &issuer, ports);
        let rules = std::fs::read_to_string(&config).expect("a file");
        std::fs::write(&config, format!("{rules}\n{ONCE_A_DAY}")).expect("a file");
        let key = keys::create(dir.path(), Role::Biller, "shop-limit").expect("a key");
        let mut machine = Self { clock, dir, issuer, ports, config, key, running: None };
        machine.launch();
        machine.wait_ready().await;
        machine
    }

    fn cauce(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cauce"));
        let variables = self.clock.environment();
        command.envs(variables.iter().filter_map(|variable| variable.split_once('=')));
        command
    }

    fn launch(&mut self) {
        let mut command = self.cauce();
        command.arg("serve").arg("--config").arg(&self.config);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(command.spawn().expect("the program"));
    }

    fn kill(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        running.kill().expect("a kill");
        running.wait().expect("an end");
    }

    fn run(&self, words: &[&str]) -> Output {
        let data = self.dir.path().display().to_string();
        self.cauce().args(words).args(["--data", &data]).output().expect("the program")
    }

    fn set_ahead(&self, seconds: i64) {
        self.clock.set_ahead(seconds).expect("a clock");
    }

    /// What `/readyz` says, once it says something that is looked for.
    async fn wait_for_readiness(&self, status: u16, words: &str) -> String {
        let admin = Api::at(self.ports.admin, "");
        within(&format!("{status} {words}"), PROCESS_MAX, async || {
            let (told, text) = admin.try_text("/readyz").await?;
            (told == status && text.contains(words)).then_some(text)
        })
        .await
    }

    async fn wait_ready(&self) {
        self.wait_for_readiness(200, "ready").await;
        let admin = Api::at(self.ports.admin, "");
        within("the issuer to be signed on", PROCESS_MAX, async || {
            let (_, text) = admin.try_text("/metrics").await?;
            let line = "cauce_participant_lines{participant=\"bank-b\"} 2";
            text.contains(line).then_some(())
        })
        .await;
    }

    /// A payment of a client under a key: status, and code or state.
    async fn pay(&self, key: &str, client: &str) -> (u16, String, Value) {
        let body = json!({
            "rail": "account", "amount": {"currency": "MXN", "minor": 10_000}, "client": client,
            "payer": {"account": "002010077777777771"},
        });
        let reply = Api::at(self.ports.http, &self.key).pay(key, &body).await;
        let code = match reply.text("/code") {
            "" => reply.text("/state"),
            code => code,
        };
        (reply.status, code.to_owned(), reply.body["id"].clone())
    }

    async fn metric(&self, name: &str) -> f64 {
        let (_, text) = Api::at(self.ports.admin, "").try_text("/metrics").await.expect("metrics");
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let found = lines.find(|(found, _)| *found == name);
        found.and_then(|(_, value)| value.parse().ok()).unwrap_or(f64::NAN)
    }

    fn debits(&self) -> i64 {
        self.issuer.truth().iter().map(net_debits).sum()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jump_of_the_clock_declines_new_payments_and_its_return_heals_everything() {
    let mut machine = Machine::start().await;
    let (status, state, first) = machine.pay("first", "client-1").await;
    assert_eq!((status, state.as_str()), (201, "approved"));
    for ahead in [3 * DAY, 6 * DAY, 400 * DAY, -3 * DAY, 7_200] {
        machine.set_ahead(ahead);
        let key = format!("jump {ahead}");
        let (status, code, _) = machine.pay(&key, "client-2").await;
        assert_eq!((status, code.as_str()), (503, "gate_unavailable"), "{ahead} s ahead");
        let (status, state, id) = machine.pay("first", "client-1").await;
        assert_eq!((status, state.as_str(), &id), (201, "approved", &first), "a repeat");
        let told = machine.wait_for_readiness(503, "the wall clock says").await;
        assert!(told.contains("expected is") && told.contains("cauce clock accept"), "{told}");
        within("the metric to tell of it", PROCESS_MAX, async || {
            (machine.metric("cauce_clock_trusted").await == 0.0).then_some(())
        })
        .await;
        machine.set_ahead(0);
        machine.wait_for_readiness(200, "ready").await;
    }
    let refused = machine.pay("again", "client-1").await;
    assert_eq!((refused.0, refused.1.as_str()), (422, "daily_count_exceeded"));
    let (status, state, id) = machine.pay("first", "client-1").await;
    assert_eq!((status, state.as_str(), &id), (201, "approved", &first));
    let (status, ..) = machine.pay("jump 7200", "client-2").await;
    assert_eq!(status, 201, "the key of a declined payment is free");
    machine.kill();
    machine.launch();
    machine.wait_ready().await;
    assert_eq!(machine.pay("new", "client-3").await.0, 201, "after a restart");
    assert_eq!(machine.debits(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_a_wrong_clock_waits_for_its_return_or_for_an_operator_s_word() {
    let mut machine = Machine::start().await;
    assert_eq!(machine.pay("first", "client-1").await.0, 201);
    machine.kill();
    machine.set_ahead(3 * DAY);
    machine.launch();
    machine.wait_for_readiness(503, "the wall clock says").await;
    assert_eq!(machine.pay("second", "client-2").await.0, 503);
    machine.set_ahead(0);
    machine.wait_ready().await;
    assert_eq!(machine.pay("second", "client-2").await.0, 201);

    machine.set_ahead(2 * DAY);
    machine.wait_for_readiness(503, "the wall clock says").await;
    let shown = machine.run(&["clock", "show"]);
    assert!(!shown.status.success(), "{}", String::from_utf8_lossy(&shown.stdout));
    let accepted = machine.run(&["clock", "accept"]);
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    machine.wait_for_readiness(200, "ready").await;
    assert_eq!(machine.pay("third", "client-1").await.0, 201, "it is two days later");

    // The operator was wrong: the clock goes back, and everything is as it was.
    machine.set_ahead(0);
    machine.wait_for_readiness(503, "the wall clock says").await;
    assert_eq!(machine.pay("fourth", "client-3").await.0, 503);
    assert!(machine.run(&["clock", "accept"]).status.success());
    machine.wait_for_readiness(200, "ready").await;
    assert_eq!(machine.pay("fourth", "client-3").await.0, 201);
    assert_eq!(machine.pay("first", "client-1").await.0, 201, "the stored answer");
    let refused = machine.pay("fifth", "client-1").await;
    assert_eq!(refused.1, "daily_count_exceeded");
    machine.kill();
    machine.launch();
    machine.wait_ready().await;
    assert_eq!(machine.pay("sixth", "client-4").await.0, 201);
    assert_eq!(machine.debits(), 5);
}
