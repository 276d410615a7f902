//! One Redis server.

pub(crate) mod cluster;
pub(crate) mod resp;
pub(crate) mod sentinel;

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::Process;
use crate::redis::resp::RespValue;
use crate::wait::holds;
use crate::{Error, FakeClock, Result, dirs, eventually};

const READY_MAX: Duration = Duration::from_secs(10);
const SYNC_MAX: Duration = Duration::from_secs(20);
const ATTEMPTS: usize = 5;

/// How a Redis is started. By default it keeps nothing on disk and refuses to forget:
/// `maxmemory-policy noeviction`.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    lines: Vec<(String, String)>,
    /// `NAME=VALUE` each.
    environment: Vec<String>,
}

impl RedisOptions {
    /// Keeps a log of what is written, so that it is there after `restart`.
    #[must_use]
    pub fn append_only(self) -> Self {
        self.set("appendonly", "yes")
    }

    /// Follows another server.
    #[must_use]
    pub fn replica_of(self, primary: &Redis) -> Self {
        self.set("replicaof", &format!("127.0.0.1 {}", primary.port))
    }

    /// Adds one line of redis.conf.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.lines.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Gives it a wall clock of its own.
    #[must_use]
    pub fn clock(self, clock: &FakeClock) -> Self {
        Self { environment: clock.environment(), ..self }
    }

    fn is_replica(&self) -> bool {
        self.lines.iter().any(|(key, _)| key == "replicaof")
    }

    /// The text of redis.conf; a later line overrides an earlier one.
    fn config(&self, port: u16) -> String {
        // Without a delay for more replicas to come, and with a short time to notice that one went.
        let mut text = format!(
            "port {port}\nbind 127.0.0.1\nprotected-mode no\nsave \"\"\nappendonly no\n\
             maxmemory-policy noeviction\nrepl-diskless-sync-delay 0\nrepl-timeout 5\n\
             repl-ping-replica-period 1\n"
        );
        for (key, value) in &self.lines {
            writeln!(text, "{key} {value}").expect("invariant: a string takes all text");
        }
        text
    }
}

/// A running (or killed) Redis server on 127.0.0.1; dropped, it is killed and its data removed.
pub struct Redis {
    port: u16,
    // Before the folder, which it writes to until it is dropped.
    process: Mutex<Process>,
    dir: TempDir,
    environment: Vec<String>,
}

impl Redis {
    /// Starts a server and waits until it answers; a replica, until it is in sync.
    ///
    /// Errors: it did not within ten seconds (in sync: twenty); its log is quoted.
    pub fn start(options: RedisOptions) -> Result<Self> {
        let redis =
            Self::launch("redis-server", &options.environment, |port| options.config(port))?;
        if options.is_replica() {
            redis.wait_link_up()?;
        }
        Ok(redis)
    }

    /// Starts a server on a free port with the redis.conf that `config` gives for it.
    fn launch(
        program: &str,
        environment: &[String],
        config: impl Fn(u16) -> String,
    ) -> Result<Self> {
        let mut last = Error::new("never tried");
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let dir = dirs::fresh(program)?;
            std::fs::write(dir.path().join("redis.conf"), config(port))?;
            match run(program, environment, &dir, port) {
                Ok(process) => {
                    let environment = environment.to_vec();
                    return Ok(Self { port, dir, process: Mutex::new(process), environment });
                }
                Err(error) if error.to_string().contains("already in use") => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Sends one command over a connection of its own.
    ///
    /// Errors: the server's own error, as it words it; or it did not answer within five seconds.
    pub fn command(&self, words: &[&str]) -> Result<RespValue> {
        resp::call(self.port, words)
    }

    /// One value of `INFO section`, such as `("replication", "role")`.
    pub fn info(&self, section: &str, key: &str) -> Result<String> {
        let text = self.command(&["INFO", section])?.text();
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        value.map(str::to_owned).ok_or_else(|| Error::new(format!("INFO {section}: no {key}")))
    }

    /// The process, which `restart` replaces.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// Whether the process runs or is paused.
    pub fn is_alive(&self) -> bool {
        self.process().is_alive()
    }

    /// SIGKILL; returns when it has ended. Its port and folder stay reserved for `restart`.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// SIGSTOP: connections stay open and nothing is answered.
    pub fn pause(&self) -> Result<()> {
        self.process().pause()
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<()> {
        self.process().resume()
    }

    /// Kills it if it runs and starts it on the same port and folder. Data are there again only
    /// with `append_only`, or when a primary sends them. Its role is the one it had last.
    pub fn restart(&self) -> Result<()> {
        let mut process = self.process();
        process.kill();
        *process = run("redis-server", &self.environment, &self.dir, self.port)?;
        Ok(())
    }

    /// FLUSHALL: forgets all keys, keeps its run id and its functions.
    pub fn flush_all(&self) -> Result<()> {
        self.command(&["FLUSHALL"]).map(drop)
    }

    /// REPLICAOF NO ONE: from now on a primary with what it has.
    pub fn promote(&self) -> Result<()> {
        self.command(&["REPLICAOF", "NO", "ONE"])?;
        self.command(&["CONFIG", "REWRITE"]).map(drop)
    }

    /// REPLICAOF: follows `primary` from now on; what it had goes. Returns when the link is up.
    pub fn follow(&self, primary: &Redis) -> Result<()> {
        self.command(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()])?;
        self.command(&["CONFIG", "REWRITE"])?;
        self.wait_link_up()
    }

    /// Waits until `replica`, which follows this server, has all that was written until now.
    pub fn wait_replica_in_sync(&self, replica: &Redis) -> Result<()> {
        let number =
            |text: String| text.parse::<u64>().map_err(|error| Error::new(error.to_string()));
        let written = number(self.info("replication", "master_repl_offset")?)?;
        replica.wait_link_up()?;
        eventually("a replica to catch up", SYNC_MAX, || {
            let seen = number(replica.info("replication", "slave_repl_offset")?)?;
            holds(seen >= written, || format!("it is at {seen} of {written}"))
        })
    }

    fn wait_link_up(&self) -> Result<()> {
        eventually("a replica's link", SYNC_MAX, || {
            let link = self.info("replication", "master_link_status")?;
            holds(link == "up", || format!("the link is {link}"))
        })
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(program: &str, environment: &[String], dir: &TempDir, port: u16) -> Result<Process> {
    // `env` becomes the program, under the same process id.
    let mut arguments = environment.to_vec();
    arguments.push(program.to_owned());
    arguments.push(dir.path().join("redis.conf").display().to_string());
    let mut process = Process::start("env", &arguments, dir.path())?;
    process.wait_ready(&format!("{program} on port {port}"), READY_MAX, || {
        // While it reads its log it answers LOADING, an error.
        resp::call(port, &["PING"]).map(drop)
    })?;
    Ok(process)
}
