//! One node: a process, started, killed, paused and started again under the same name.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use parking_lot::Mutex;
use rig::Proxy;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::Api;

/// Longest start and longest end of a node: two cores carry Cassandra and everything else too.
pub const NODE_MAX: Duration = Duration::from_secs(60);

/// Where a running node listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub http: SocketAddr,
    pub iso8583: SocketAddr,
    pub admin: SocketAddr,
}

/// One node of a town.
pub struct Node {
    pub name: String,
    /// The cable between this node and Cassandra.
    pub cql: Proxy,
    pub files: Vec<PathBuf>,
    /// Variables of its process, `NAME=VALUE` each.
    pub environment: Vec<String>,
    log: PathBuf,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    /// Where this run's part of the log begins.
    log_from: usize,
    addresses: Option<Addresses>,
}

impl Node {
    /// A node that does not run yet.
    pub fn new(name: &str, cql: Proxy, files: Vec<PathBuf>, dir: &Path) -> Self {
        let log = dir.join(format!("{name}.log"));
        let (name, environment) = (name.to_owned(), Vec::new());
        Self { name, cql, files, environment, log, running: Mutex::default() }
    }

    /// Starts the process and does not wait for it.
    pub fn launch(&self) {
        let log = File::options().create(true).append(true).open(&self.log).expect("a log");
        let log_from = self.log().len();
        let mut command = cauce();
        command.arg("serve").args(self.configured());
        command.envs(self.environment.iter().filter_map(|variable| variable.split_once('=')));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("the program");
        *self.running.lock() = Some(Running { child, log_from, addresses: None });
    }

    /// Starts the process; returns once it listens.
    pub async fn start(&self) -> Addresses {
        self.launch();
        self.wait_listening().await
    }

    /// Waits until the process listens.
    pub async fn wait_listening(&self) -> Addresses {
        within(&format!("{} to listen", self.name), NODE_MAX, async || {
            let ended = self.ended();
            assert!(ended.is_none(), "{} ended with {ended:?}:\n{}", self.name, self.log_tail());
            self.addresses()
        })
        .await
    }

    /// Waits until the node says that it is ready: the gate serves it.
    pub async fn wait_ready(&self) {
        within(&format!("{} to be ready", self.name), NODE_MAX, async || {
            self.is_ready().await.then_some(())
        })
        .await;
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let Some(addresses) = self.addresses() else { return false };
        let admin = Api::at(addresses.admin, "");
        let told = tokio::time::timeout(Duration::from_secs(2), admin.try_text("/readyz")).await;
        told.is_ok_and(|told| told.is_some_and(|(status, _)| status == 200))
    }

    /// Where it listens; none before it does, and after its end.
    pub fn addresses(&self) -> Option<Addresses> {
        let mut running = self.running.lock();
        let running = running.as_mut()?;
        if running.addresses.is_none() {
            running.addresses = listening(&self.log()[running.log_from..]);
        }
        running.addresses
    }

    /// How the process ended, if it did so by itself; told once. None while it runs or is paused.
    pub fn ended(&self) -> Option<ExitStatus> {
        let mut running = self.running.lock();
        let status = running.as_mut()?.child.try_wait().expect("a process")?;
        *running = None;
        Some(status)
    }

    /// Whether no process runs.
    pub fn is_gone(&self) -> bool {
        self.running.lock().is_none()
    }

    /// The last error it wrote, with what caused it.
    pub fn last_error(&self) -> String {
        let log = self.log();
        let mut lines = log.lines().rev();
        let last = lines.find(|line| line.contains(r#""level":"ERROR""#)).unwrap_or_default();
        let line: Value = serde_json::from_str(last).unwrap_or_default();
        let text = |name: &str| line["fields"][name].as_str().unwrap_or_default().to_owned();
        format!("{}, {}", text("message"), text("error"))
    }

    /// SIGKILL; returns when it has ended.
    pub fn kill(&self) {
        if let Some(mut running) = self.running.lock().take() {
            running.child.kill().expect("a kill");
            running.child.wait().expect("an end");
        }
    }

    /// SIGTERM; gives how it ended.
    pub async fn terminate(&self) -> ExitStatus {
        self.signal("TERM");
        self.wait_ended().await
    }

    /// Waits until the process ends by itself.
    pub async fn wait_ended(&self) -> ExitStatus {
        within(&format!("{} to end", self.name), NODE_MAX, async || self.ended()).await
    }

    /// SIGSTOP: its connections stay open and it does nothing.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.running.lock().as_ref().map(|running| running.child.id());
        let Some(pid) = pid else { return };
        // The shell has `kill` built in, and sending a signal ourselves would be unsafe code.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).output();
        sent.expect("a shell");
    }

    /// Its configuration, as arguments.
    pub fn configured(&self) -> Vec<String> {
        let files = self.files.iter();
        files.flat_map(|file| ["--config".to_owned(), file.display().to_string()]).collect()
    }

    /// Everything it ever wrote.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The end of what it wrote.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            println!("--- {} wrote last:\n{}", self.name, self.log_tail());
        }
    }
}

/// The program.
fn cauce() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cauce"))
}

/// Runs the program to its end.
pub async fn run(arguments: Vec<String>) -> Output {
    let ran = tokio::task::spawn_blocking(move || cauce().args(arguments).output());
    ran.await.expect("a run").expect("the program")
}

/// The addresses that a log of JSON lines tells of.
fn listening(log: &str) -> Option<Addresses> {
    let line = log.lines().find(|line| line.contains(r#""message":"ready""#))?;
    let line: Value = serde_json::from_str(line).ok()?;
    let address = |name: &str| line["fields"][name].as_str()?.parse().ok();
    Some(Addresses {
        http: address("addresses.http")?,
        iso8583: address("addresses.iso8583")?,
        admin: address("addresses.admin")?,
    })
}

/// Looks again and again until there is something, and fails after `patience`.
pub async fn within<T>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < patience, "waited {patience:?} in vain for {what}");
        pause(Duration::from_millis(20)).await;
    }
}

/// Lets time pass where nothing tells of what is waited for: a fault lasts, load has a pace.
pub async fn pause(duration: Duration) {
    let never = std::future::pending::<()>();
    tokio::time::timeout(duration, never).await.expect_err("nothing comes");
}
