//! The program as a process of its own, on the rules of `harness.toml`.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings};
use rustix::process::Signal;

use crate::admin::{answer, status};
use crate::api::Api;
use crate::harness::{ACQUIRER, PATIENCE, eventually};

/// A configuration in a folder of its own, with the data folder and the log in it.
pub struct Site {
    pub root: tempfile::TempDir,
    pub http: SocketAddr,
    pub iso8583: SocketAddr,
    pub admin: SocketAddr,
    config: PathBuf,
}

impl Site {
    /// The rules of `harness.toml` with this issuer, and `extra` configuration over them.
    pub fn new(issuer: SocketAddr, extra: &str) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let listeners =
            [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
        let [http, iso8583, admin] = listeners.map(|port| port.local_addr().expect("an address"));
        let mut text = include_str!("harness.toml").replace("@issuer@", &issuer.to_string());
        for address in [http, iso8583, admin] {
            text = text.replacen("127.0.0.1:0", &address.to_string(), 1);
        }
        let text = text.replace("level = \"error\"", "level = \"trace\"");
        let data = root.path().join("data");
        let text = format!("{text}\n[data]\ndir = \"{}\"\n{extra}\n", data.display());
        let config = root.path().join("site.toml");
        fs::write(&config, text).expect("a file");
        Self { root, http, iso8583, admin, config }
    }

    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// Uses the data folder of another.
    pub fn move_data_to(&mut self, other: &Self) {
        let text = fs::read_to_string(&self.config).expect("a file");
        let (own, theirs) = (self.data(), other.data());
        let text = text.replace(&own.display().to_string(), &theirs.display().to_string());
        fs::write(&self.config, text).expect("a file");
    }

    pub fn log(&self) -> PathBuf {
        self.root.path().join("log")
    }

    /// Waits until a participant has signed on.
    pub async fn wait_for_lines(&self, participant: &str) {
        let none = format!("cauce_participant_lines{{participant=\"{participant}\"}} 0");
        let series = none.trim_end_matches('0');
        eventually(&format!("a line of {participant}"), async || {
            let metrics = self.metrics().await;
            (metrics.contains(series) && !metrics.contains(&none)).then_some(())
        })
        .await;
    }

    /// What the admin port shows at `/metrics`.
    pub async fn metrics(&self) -> String {
        let request = "GET /metrics HTTP/1.1\r\nConnection: close\r\n";
        answer(self.admin, &format!("{request}Host: {}\r\n\r\n", self.admin)).await
    }

    /// The status of a command to the admin port.
    pub async fn command_admin(&self, line: &str, token: &str) -> u16 {
        let headers = format!("Host: {}\r\nAuthorization: Bearer {token}\r\n", self.admin);
        status(self.admin, line, &headers).await
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cauce"));
        command.arg("serve").arg("--config").arg(&self.config);
        command
    }

    /// Starts it; its log is added to what is there.
    pub fn start(&self) -> Running {
        self.start_with(&[])
    }

    /// The same with more on its command line.
    pub fn start_with(&self, more: &[&str]) -> Running {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        let error = log.try_clone().expect("a log");
        let mut command = self.command();
        let child = command.args(more).stdout(Stdio::from(log)).stderr(Stdio::from(error)).spawn();
        Running(child.expect("the program"))
    }

    /// Starts it where it should end by itself, and gives what it said.
    pub fn start_in_vain(&self) -> String {
        let Output { status, stdout, stderr } = self.command().output().expect("the program");
        let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        assert!(!status.success(), "{text}");
        text
    }

    /// A line of bank-a that has signed on, once the program is up.
    pub async fn bank(&self) -> Acquirer {
        eventually("the switch to be up", async || {
            let settings =
                AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(ACQUIRER) };
            Acquirer::connect(self.iso8583, settings).await.ok()
        })
        .await
    }

    /// The API as a biller of `harness.toml` sees it.
    pub fn api(&self, biller: &str) -> Api {
        let key = switch::keys::create(&self.data(), switch::keys::Role::Biller, biller);
        Api::at(self.http, &key.expect("a key"))
    }
}

/// A process that is killed when it is dropped.
pub struct Running(Child);

impl Running {
    /// Starts a command.
    pub fn of(command: &mut Command) -> Self {
        Self(command.spawn().expect("the program"))
    }

    /// Stops it as an operator would, and waits until it has ended.
    pub async fn stop(mut self) {
        self.listening().await;
        let status = self.terminated();
        assert!(status.success(), "{status}");
    }

    /// Waits until it listens for signals: one that comes before ends it at once.
    pub async fn listening(&self) {
        eventually("SIGTERM to be listened for", async || self.listens_for_sigterm()).await;
    }

    /// Ends it by a SIGTERM, listened for or not.
    pub fn terminated(&mut self) -> ExitStatus {
        self.ended_by(Signal::TERM)
    }

    /// Sends it a signal and waits for its end.
    pub fn ended_by(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.ended()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).expect("a process");
    }

    /// Stops it as it stands, until [`Self::thawed`]: none of its threads runs then.
    pub async fn frozen(&self) {
        self.signal(Signal::STOP);
        let is_stopped = |task: std::io::Result<fs::DirEntry>| {
            let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            // Source: proc_pid_stat(5): the state stands behind the name in brackets.
            let (_, state) = stat.rsplit_once(") ")?;
            Some(state.starts_with('T'))
        };
        let tasks = format!("/proc/{}/task", self.0.id());
        eventually("all threads to stand", async || {
            let mut tasks = fs::read_dir(&tasks).ok()?;
            tasks.all(|task| is_stopped(task) == Some(true)).then_some(())
        })
        .await;
    }

    /// Lets it go on.
    pub fn thawed(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        self.0.wait().expect("an end")
    }

    /// Source: proc_pid_status(5), `SigCgt`: signal 15 is bit 14.
    fn listens_for_sigterm(&self) -> Option<()> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
        (caught & 1 << 14 != 0).then_some(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Every file and folder within a folder, itself included, with its mode.
pub fn modes(dir: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            left.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
        found.push((path, metadata.mode() & 0o7777));
    }
    found
}
