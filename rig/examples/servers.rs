//! The servers of a cluster on this machine, for measuring and for trying things by hand: one
//! Redis that keeps nothing on disk, and one Cassandra whose code the JVM compiles all the way.
//!
//! ```text
//! cargo run --release -p rig --example servers -- [--append-only] [--paxos v1|v2] [--heap MIB]
//! ```
//!
//! Prints one line of JSON with their addresses and process ids once both answer, and stops both
//! when the standard input ends. Each line that comes in there is executed as a CQL statement that
//! returns no rows, and answered with a line `{"done":true}`: so a script drops a keyspace that it
//! has measured.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{BufRead, Write, stdin, stdout};
use std::process::ExitCode;

use rig::{Cassandra, CassandraOptions, Error, Jit, Paxos, Redis, RedisOptions, Result};

const USAGE: &str = "servers [--append-only] [--paxos v1|v2] [--heap MIB]";

#[derive(Default)]
struct Options {
    redis: RedisOptions,
    cassandra: CassandraOptions,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| serve(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options::default();
    options.cassandra.jit = Jit::Full;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--append-only" => options.redis = options.redis.append_only(),
            "--paxos" => options.cassandra.paxos = paxos(words.next().as_deref())?,
            "--heap" => options.cassandra.heap_mb = Some(heap(words.next().as_deref())?),
            _ => return Err(Error::new(USAGE)),
        }
    }
    Ok(options)
}

fn paxos(word: Option<&str>) -> Result<Paxos> {
    match word {
        Some("v1") => Ok(Paxos::V1),
        Some("v2") => Ok(Paxos::V2),
        _ => Err(Error::new(USAGE)),
    }
}

fn heap(word: Option<&str>) -> Result<u32> {
    word.and_then(|word| word.parse().ok()).ok_or_else(|| Error::new(USAGE))
}

/// Runs both until the standard input ends.
fn serve(options: &Options) -> Result<()> {
    let redis = Redis::start(options.redis.clone())?;
    let cassandra = Cassandra::start_with(1, &options.cassandra)?;
    let cql = cassandra.addresses().join(",");
    let (address, redis_pid, cassandra_pid) = (redis.address(), redis.pid(), cassandra.pid(0));
    told(&format!(
        "{{\"redis\":\"{address}\",\"redis_pid\":{redis_pid},\
         \"cql\":\"{cql}\",\"cassandra_pid\":{cassandra_pid}}}"
    ))?;
    for statement in stdin().lock().lines() {
        cassandra.execute(0, &statement?)?;
        told("{\"done\":true}")?;
    }
    Ok(())
}

/// Whoever reads waits for the line.
fn told(line: &str) -> Result<()> {
    println!("{line}");
    Ok(stdout().flush()?)
}
