//! One PostgreSQL server.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::Process;
use crate::{Error, Result, dirs};

const READY_MAX: Duration = Duration::from_secs(60);
/// The role that owns everything.
const ROLE: &str = "cauce";

/// A running (or killed) PostgreSQL server on 127.0.0.1; dropped, it is killed and its data removed.
///
/// It takes everybody on loopback for the role `cauce`, and syncs nothing to the disk: it survives
/// its own death, not the machine's.
pub struct Postgres {
    port: u16,
    // Before the folder, which it writes to until it is dropped.
    process: Mutex<Process>,
    dir: TempDir,
}

impl Postgres {
    /// Makes a cluster of databases in a new folder, starts its server on a free port, and waits
    /// until it answers.
    ///
    /// Errors: there is no PostgreSQL 15 or newer; it did not answer within a minute, and its log is
    ///         quoted.
    pub fn start() -> Result<Self> {
        let dir =
            if is_root()? { dirs::fresh_for_all("postgres") } else { dirs::fresh("postgres") };
        let dir = dir?;
        give_to_server(dir.path())?;
        let data = data_of(dir.path());
        let mut words = as_server("initdb")?;
        words.extend(
            ["--auth=trust", "--username", ROLE, "--encoding=UTF8", "--no-sync", "--pgdata"]
                .map(str::to_owned),
        );
        words.push(data.display().to_string());
        run(&words, dir.path())?;
        let port = free_port()?;
        let process = Mutex::new(serve(dir.path(), port)?);
        Ok(Self { port, process, dir })
    }

    /// The address of a database that is made now, empty.
    pub fn fresh_database(&self) -> Result<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let port = self.port.to_string();
        let words = [
            program("createdb")?.display().to_string(),
            "--host=127.0.0.1".to_owned(),
            format!("--port={port}"),
            format!("--username={ROLE}"),
            name.clone(),
        ];
        run(&words, self.dir.path())?;
        Ok(format!("postgres://{ROLE}@127.0.0.1:{port}/{name}"))
    }

    /// SIGKILL; returns when it has ended. Its port and folder stay reserved for `restart`.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// SIGSTOP: connections stay open and no new one is taken.
    pub fn pause(&self) -> Result<()> {
        self.process().pause()
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<()> {
        self.process().resume()
    }

    /// Kills it if it runs and starts it on the same port and folder.
    pub fn restart(&self) -> Result<()> {
        let mut process = self.process();
        process.kill();
        // What a killed server leaves names a process that is no more.
        let _ = std::fs::remove_file(data_of(self.dir.path()).join("postmaster.pid"));
        *process = serve(self.dir.path(), self.port)?;
        Ok(())
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One server for all tests of a process that need databases and break nothing. It ends with the
/// process.
///
/// Errors: as [`Postgres::start`]; every call gets the error.
pub fn shared_postgres() -> Result<&'static Postgres> {
    static SHARED: LazyLock<Result<Postgres>> = LazyLock::new(Postgres::start);
    SHARED.as_ref().map_err(|error| Error::new(error.to_string()))
}

fn data_of(dir: &Path) -> PathBuf {
    dir.join("data")
}

/// Starts the server and waits until it takes connections.
fn serve(dir: &Path, port: u16) -> Result<Process> {
    let mut words = as_server("postgres")?;
    let data = data_of(dir).display().to_string();
    words.extend(["-D", &data, "-p", &port.to_string(), "-h", "127.0.0.1"].map(str::to_owned));
    for setting in [
        "unix_socket_directories=",
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=32MB",
        "max_connections=200",
    ] {
        words.extend(["-c".to_owned(), setting.to_owned()]);
    }
    let (program, arguments) = words.split_first().expect("invariant: a command has a program");
    let mut process = Process::start(program, arguments, dir)?;
    let port = port.to_string();
    let ready = crate::postgres::program("pg_isready")?;
    process.wait_ready("PostgreSQL to answer", READY_MAX, || {
        TcpStream::connect(format!("127.0.0.1:{port}"))?;
        let told = Command::new(&ready).args(["-q", "-h", "127.0.0.1", "-p", &port]).status()?;
        crate::wait::holds(told.success(), || "it is starting".to_owned())
    })?;
    Ok(process)
}

/// The words that run a program of the server: not as root, which it refuses.
fn as_server(name: &str) -> Result<Vec<String>> {
    let program = program(name)?.display().to_string();
    if !is_root()? {
        return Ok(vec![program]);
    }
    let user = server_user()?;
    // A change of user ends what is inherited: the death of the parent must be heard of again.
    let words = ["setpriv", "--pdeathsig", "KILL", "--reuid", &user, "--regid", &user];
    let mut words = words.map(str::to_owned).to_vec();
    words.extend(["--clear-groups", "--"].map(str::to_owned));
    words.push(program);
    Ok(words)
}

/// Gives a folder, and the way to it, to the user that the server runs as.
fn give_to_server(dir: &Path) -> Result<()> {
    if !is_root()? {
        return Ok(());
    }
    let user = server_user()?;
    let owner = format!("{user}:{user}");
    run(&["chown".to_owned(), owner, dir.display().to_string()], dir)
}

fn is_root() -> Result<bool> {
    Ok(output(&["id".to_owned(), "-u".to_owned()])?.trim() == "0")
}

/// The number of the system's user `postgres`.
fn server_user() -> Result<String> {
    Ok(output(&["id".to_owned(), "-u".to_owned(), "postgres".to_owned()])?.trim().to_owned())
}

/// Where a program of PostgreSQL is: Debian has each version in a folder of its own.
fn program(name: &str) -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin").join(name)))
        })
        .filter(|(number, path)| *number >= 15 && path.exists())
        .collect();
    found.sort();
    match found.pop() {
        Some((_, path)) => Ok(path),
        None => Err(Error::new("PostgreSQL 15 or newer is missing (Debian package `postgresql`)")),
    }
}

fn run(words: &[String], dir: &Path) -> Result<()> {
    let (program, arguments) = words.split_first().expect("invariant: a command has a program");
    let done = Command::new(program).args(arguments).current_dir(dir).output()?;
    crate::wait::holds(done.status.success(), || {
        format!("{}: {}", words.join(" "), String::from_utf8_lossy(&done.stderr))
    })
}

fn output(words: &[String]) -> Result<String> {
    let (program, arguments) = words.split_first().expect("invariant: a command has a program");
    let done = Command::new(program).args(arguments).output()?;
    crate::wait::holds(done.status.success(), || {
        format!("{}: {}", words.join(" "), String::from_utf8_lossy(&done.stderr))
    })?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
