//! A switch that removes old segments of its journal while it takes payments, and is killed while it
//! does: `storage.keep_for_days` on a machine whose clock is set on between two lives.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings};
use loadtest::simulator::issuer::IssuerHandle;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rig::FakeClock;
use router::id::PaymentId;
use router::ledger::Ledger;
use rustix::process::{Pid, Signal, kill_process};
use storage::verify;
use switch::keys::{self, Role};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::api::Api;
use crate::cluster::node::within;
use crate::harness::{ACQUIRER, PATIENCE, card_order, issuer};
use crate::kill::{Ports, free_ports, write_config};

/// From one life to the next.
const STEP_S: i64 = 77_760;
/// Lives before the first segment is due: after four of them it is older than three days.
const STEPS_BEFORE: i64 = 4;
/// Lives in which the switch is killed while it removes segments.
const KILLS: i64 = 4;
const PAYMENTS_OF_A_LIFE: usize = 400;
const IN_FLIGHT: usize = 8;
/// How long a process may take where the machine is busy.
const PROCESS_MAX: Duration = Duration::from_secs(120);

const SHORT_AGES: &str = "[storage]\nkeep_for_days = 3\nkey_retention_hours = 12\n\
    segment_bytes_max = 65536\nsnapshot_segments = 3\n[clock]\noff_max_days = 1\n";

/// A switch on a machine whose wall clock can be set.
struct Machine {
    clock: FakeClock,
    dir: TempDir,
    ports: Ports,
    config: PathBuf,
    _issuer: IssuerHandle,
    running: Option<Child>,
    next: AtomicUsize,
}

impl Machine {
    async fn new() -> Self {
        let (clock, dir) =
            (FakeClock::new().expect("libfaketime"), TempDir::new().expect("a folder"));
        let (issuer, ports) = (issuer().await, free_ports());
        let config = write_config(dir.path(), &issuer, ports);
        let rules = std::fs::read_to_string(&config).expect("a file");
        let rules = rules.replacen("[notices]\n", "[notices]\nage_max_s = 3600\n", 1);
        std::fs::write(&config, format!("{rules}\n{SHORT_AGES}")).expect("a file");
        let next = AtomicUsize::new(1);
        Self { clock, dir, ports, config, _issuer: issuer, running: None, next }
    }

    /// Starts the switch so many steps after the first life; it takes payments then.
    async fn start(&mut self, step: i64) {
        self.clock.set_ahead(step * STEP_S).expect("a clock");
        let mut command = self.cauce();
        command.arg("serve").arg("--config").arg(&self.config);
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        self.running = Some(command.spawn().expect("the program"));
        let admin = Api::at(self.ports.admin, "");
        within("the issuer to be signed on", PROCESS_MAX, async || {
            let (_, text) = admin.try_text("/metrics").await?;
            text.contains("cauce_participant_lines{participant=\"bank-b\"} 2").then_some(())
        })
        .await;
        within("the switch to be ready", PROCESS_MAX, async || {
            let (status, text) = admin.try_text("/readyz").await?;
            if text.contains("the wall clock says") {
                // It is right: so much time has passed, as an operator may say.
                let accepted =
                    self.cauce().args(["clock", "accept", "--data"]).arg(self.dir.path()).output();
                assert!(accepted.expect("the program").status.success());
            }
            (status == 200).then_some(())
        })
        .await;
    }

    fn cauce(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cauce"));
        let variables = self.clock.environment();
        command.envs(variables.iter().filter_map(|variable| variable.split_once('=')));
        command
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut running) = self.running.take() else { return };
        kill_process(Pid::from_child(&running), signal).expect("a process");
        running.wait().expect("an end");
    }

    async fn line(&self) -> Acquirer {
        within("a line", PROCESS_MAX, async || {
            let settings =
                AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(ACQUIRER) };
            Acquirer::connect(self.ports.iso8583, settings).await.ok()
        })
        .await
    }

    /// Pays until so many are paid, or the line falls; several at once.
    async fn pay(&self, count: usize) {
        let line = self.line().await;
        let paid = AtomicUsize::new(0);
        let worker = async || {
            while paid.fetch_add(1, Ordering::Relaxed) < count {
                let unique = self.next.fetch_add(1, Ordering::Relaxed);
                let request = line.payment(&card_order(10_000)).with(37, format!("{unique:012}"));
                let request = request.with(11, format!("{:06}", unique % 1_000_000));
                let Ok(answer) = line.request("0200", &request).await else { return };
                assert_eq!(answer.response_code(), "00", "payment {unique}");
            }
        };
        join_all((0..IN_FLIGHT).map(|_| worker())).await;
    }

    /// The first record that the folder has a segment of.
    fn first(&self) -> u64 {
        let names = std::fs::read_dir(self.dir.path().join("journal")).expect("a journal");
        let first = names.filter_map(|entry| {
            let name = entry.expect("an entry").file_name().into_string().ok()?;
            name.strip_suffix(".log")?.parse().ok()
        });
        first.min().expect("a segment")
    }

    /// Pays without end until the first segment is another one, and for so long after.
    async fn pay_until_removed(&self, and_then: Duration) {
        let before = self.first();
        let removed = within("segments to be removed", PROCESS_MAX, async || {
            (self.first() > before).then_some(())
        });
        tokio::select! {
            () = removed => {}
            () = self.pay(usize::MAX) => panic!("the line fell"),
        }
        // The load runs until the switch is killed under it.
        timeout(and_then, self.pay(usize::MAX)).await.ok();
    }

    /// The payments that the journal's records name, from where it begins.
    fn kept(&self) -> BTreeSet<PaymentId> {
        let records = verify::records(self.dir.path());
        records.filter_map(|record| record.expect("a whole journal").1.payment()).collect()
    }

    fn ledger_at(&self, position: Option<u64>) -> (u64, Ledger) {
        verify::balances(self.dir.path(), position).expect("a whole journal")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end(Signal::KILL);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_killed_while_it_removes_old_segments_under_load_keeps_all_it_should() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut machine = Machine::new().await;
    let api_key = keys::create(machine.dir.path(), Role::Biller, "isp-ve").expect("a key");
    for step in 0..STEPS_BEFORE {
        machine.start(step).await;
        machine.pay(PAYMENTS_OF_A_LIFE).await;
        machine.end(Signal::TERM);
    }
    assert_eq!(machine.first(), 1, "nothing is due");
    let first_payment = *machine.kept().first().expect("a payment");
    for step in STEPS_BEFORE..STEPS_BEFORE + KILLS {
        let (position, ledger) = machine.ledger_at(None);
        machine.start(step).await;
        let and_then = Duration::from_millis(random.random_range(0..300));
        machine.pay_until_removed(and_then).await;
        machine.end(Signal::KILL);
        let report = verify::verify(machine.dir.path()).expect("a whole journal");
        assert!(report.removed_through > 0);
        assert_eq!(machine.ledger_at(Some(position)).1.accounts(), ledger.accounts());
        let kept = machine.kept();

        machine.start(step).await;
        let api = Api::at(machine.ports.http, &api_key);
        // What is due by now may be removed meanwhile.
        for id in kept.iter().rev().take(kept.len() / 2).step_by(kept.len() / 50) {
            let reply = api.get(&format!("/v1/payments/{id}")).await;
            assert_eq!(reply.status, 200, "{id}: {}", reply.body);
        }
        machine.pay(PAYMENTS_OF_A_LIFE).await;
        let removed = api.get(&format!("/v1/payments/{first_payment}")).await;
        let told = (removed.status, removed.text("/code"));
        assert_eq!(told, (404, "payment_no_longer_kept"), "{}", removed.body);
        machine.end(Signal::TERM);
        let report = verify::verify(machine.dir.path()).expect("a whole journal");
        println!("{} records removed, {} left", report.removed_through, report.records);
    }
}
