//! `cauce-load`: the load harness and the simulators, from the command line.

mod audit;
mod capacity;
mod compare;
mod load;
mod run;
mod simulate;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Loads a payment switch on this machine, from planned instants, and proves afterwards that
/// client, journal, issuer and merchant tell the same story.
#[derive(Debug, Parser)]
#[command(name = "cauce-load", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  # 20,000 payments a second for a minute, audited against the journal and the issuer's log
  cauce-load run --rate 20000 --duration 60 --data ./data --issuer-log ./data/issuer.jsonl \\
      --settle 30 --report out.json --html out.html
  # one payment in twenty declined, one in a thousand never answered
  cauce-load run --rate 5000 --shares declines=5,silents=0.1
  # the greatest rate with p99 under 20 ms, then a run at 70 % of it
  cauce-load capacity --from 5000 --p99-ms 20 --hold 30
  # a bank for a switch under development
  cauce-load simulate issuer --listen 127.0.0.1:9583 --truth issuer.jsonl
  # is the new build slower?
  cauce-load compare before.json after.json

Exit codes: 0 all is well; 1 worse, or the run failed; 2 the audit found a mismatch, or two
results cannot be compared. Figures in which the harness itself was the bottleneck are marked as
not to be used, in the report too.";

#[derive(Debug, Subcommand)]
enum Command {
    /// One run at one rate.
    Run(Box<run::Args>),
    /// Finds the greatest rate that meets a latency objective.
    Capacity(Box<capacity::Args>),
    /// Repeats the end audit on files.
    Audit(Box<audit::Args>),
    /// Runs a simulator until interrupted.
    #[command(subcommand)]
    Simulate(simulate::Kind),
    /// Says whether the second result is worse than the first.
    Compare(compare::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr)
        .init();
    match start(cli.command) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("cauce-load: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn start(command: Command) -> anyhow::Result<ExitCode> {
    if let Command::Compare(args) = &command {
        return compare::compare(args);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads(&command))
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::Run(args) => run::run(&args).await,
            Command::Capacity(args) => capacity::capacity(&args).await,
            Command::Audit(args) => audit::audit(&args),
            Command::Simulate(kind) => simulate::simulate(kind).await,
            Command::Compare(args) => compare::compare(&args),
        }
    })
}

/// One thread loads best: lines then share it without waking each other. A hosted bank gets one
/// more.
fn threads(command: &Command) -> usize {
    match command {
        Command::Run(args) => 1 + usize::from(args.load.issuer.issuer_listen.is_some()),
        Command::Capacity(args) => 1 + usize::from(args.load.issuer.issuer_listen.is_some()),
        Command::Audit(_) | Command::Simulate(_) | Command::Compare(_) => 2,
    }
}

/// A line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "the one place where this program talks to people")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// A line of the result.
#[expect(clippy::print_stdout, reason = "the one place where this program prints results")]
fn print(line: &str) {
    println!("{line}");
}
