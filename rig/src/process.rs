//! One server process, which outlives neither its value nor the process of the test.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use crate::wait::holds;
use crate::{Error, Result, eventually};

const SIGNAL_MAX: Duration = Duration::from_secs(5);
const LOG_TAIL_BYTES: u64 = 3_000;

/// A running or killed server.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` in `dir`; whatever it prints is added to `dir/log`.
    pub(crate) fn start(program: &str, arguments: &[String], dir: &Path) -> Result<Self> {
        let log = dir.join("log");
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = dying_with_us(program);
        command.args(arguments).current_dir(dir).stdin(Stdio::null());
        command.stdout(output.try_clone()?).stderr(output);
        let child = keeper_spawns(command)
            .map_err(|error| Error::from(error).within(format!("{program} cannot be started")))?;
        Ok(Self { child, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, and waits for the end. Killing the dead does nothing.
    pub(crate) fn kill(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits for an end in order.
    pub(crate) fn terminate(&mut self, within: Duration) -> Result<()> {
        self.signal("TERM")?;
        eventually("a process to end", within, || {
            holds(!self.is_alive(), || format!("it goes on; its log:\n{}", self.log_tail()))
        })
    }

    /// SIGSTOP, and waits until it has stopped.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal("STOP")?;
        self.wait_for_state("to stop", |state| state == "T")
    }

    /// SIGCONT, and waits until it runs.
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal("CONT")?;
        self.wait_for_state("to go on", |state| state != "T")
    }

    /// The end of its log, for a report.
    pub(crate) fn log_tail(&self) -> String {
        let tail = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let len = file.metadata()?.len();
            file.seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        tail().unwrap_or_else(|error| format!("(no log: {error})"))
    }

    /// Asks `probe` until the server answers; gives up at once where the process has ended.
    pub(crate) fn wait_ready(
        &mut self,
        what: &str,
        within: Duration,
        mut probe: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let mut ended = false;
        let ready = eventually(what, within, || {
            ended = !self.is_alive();
            if ended { Ok(()) } else { probe() }
        });
        let told = |error: Error| Error::new(format!("{error}\nits log:\n{}", self.log_tail()));
        match ready {
            Ok(()) if ended => Err(told(Error::new(format!("{what} has ended")))),
            other => other.map_err(told),
        }
    }

    fn signal(&self, name: &str) -> Result<()> {
        // The shell has `kill` built in, and sending a signal ourselves would be unsafe code.
        let line = format!("kill -{name} {}", self.pid());
        let output = Command::new("sh").args(["-c", &line]).output()?;
        holds(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn wait_for_state(&self, what: &str, is_it: fn(&str) -> bool) -> Result<()> {
        eventually(what, SIGNAL_MAX, || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
            // After the name, which is in parentheses and may hold anything.
            let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
            holds(state.is_some_and(is_it), || stat.clone())
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that the kernel kills when we end, even by SIGKILL; where there is no `setpriv`
/// (util-linux), one that only our destructors kill.
fn dying_with_us(program: &str) -> Command {
    static HAS_SETPRIV: LazyLock<bool> = LazyLock::new(|| {
        let tried = Command::new("setpriv").args(["--pdeathsig", "KILL", "true"]).output();
        tried.is_ok_and(|output| output.status.success())
    });
    if !*HAS_SETPRIV {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

type Order = (Command, SyncSender<std::io::Result<Child>>);

/// Starts a command from a thread that lives as long as the process: the kernel takes the death of
/// the *thread* that started a child for that of the parent, and a test's thread ends with it.
fn keeper_spawns(command: Command) -> std::io::Result<Child> {
    static KEEPER: LazyLock<Mutex<SyncSender<Order>>> = LazyLock::new(|| {
        let (orders, inbox) = sync_channel::<Order>(16);
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, child) = sync_channel(1);
    let orders = KEEPER.lock().unwrap_or_else(PoisonError::into_inner).clone();
    orders.send((command, answer)).expect("invariant: the keeper waits for orders for ever");
    child.recv().expect("invariant: the keeper answers every order")
}
