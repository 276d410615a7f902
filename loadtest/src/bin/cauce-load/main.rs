//! `cauce-load`: the load harness and the simulators, from the command line.

mod audit;
mod capacity;
mod colour;
mod compare;
mod hint;
mod load;
mod output;
mod run;
mod simulate;
mod stop;
mod usage;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use stop::StopSignals;
use tokio_util::sync::CancellationToken;
use usage::Usage;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Loads a payment switch on this machine, from planned instants, and proves afterwards that
/// client, journal, issuer and merchant tell the same story.
#[derive(Debug, Parser)]
#[command(name = "cauce-load", version, after_help = EXAMPLES, max_term_width = 80)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  # 2,000 payments a second for a minute, audited against the journal of the
  # switch and the log of its bank; the reports for programs and for people
  cauce-load run --rate 2000 --duration 60 \\
      --data ./data --issuer-log ./data/issuer.jsonl --settle 30 \\
      --report out.json --html out.html
  # the same over the JSON API, with this program as the bank
  cauce-load run --http http://127.0.0.1:8080 --api-key-file key.txt \\
      --issuer-listen 127.0.0.1:9583
  # the curve over three rates
  cauce-load run --rate 500,1000,2000 --duration 20 --html curve.html
  # one payment in twenty declined, one in a thousand never answered
  cauce-load run --shares declines=5,silents=0.1
  # the greatest rate with p99 under 20 ms, then a run at 70 % of it
  cauce-load capacity --from 500 --p99-ms 20 --hold 30 --html capacity.html
  # a bank for a switch under development
  cauce-load simulate issuer --listen 127.0.0.1:9583 --truth issuer.jsonl
  # is the new build slower?
  cauce-load compare before.json after.json

Requests leave at planned instants, whether or not earlier ones were answered,
and latency counts from those instants. Achieved are approved payments alone.
Figures of which the harness itself was the bottleneck, or of which the payments
ended otherwise than planned, are marked as not to be used, in the reports too.

Exit codes:
  0    all is well
  1    the run could not be made; capacity: not even the first rate is served;
       compare: the later result is worse
  2    the audit found a mismatch; compare: nothing can be said
  3    more than 1 % of the payments ended otherwise than planned
  64   a wrong command line
  130  stopped by SIGINT or SIGTERM; what was measured so far is reported";

#[derive(Debug, Subcommand)]
enum Command {
    /// Holds a rate, or several one after the other.
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
    // What the simulators write down is its owner's alone, as the switch's own files are.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return say_usage(&told),
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_ansi(colour::is_coloured(std::io::stderr().is_terminal(), std::env::var_os))
        .with_writer(std::io::stderr)
        .init();
    match start(cli.command) {
        Ok(code) => code,
        Err(error) => {
            say_error(&error);
            let is_usage = error.downcast_ref::<Usage>().is_some();
            ExitCode::from(if is_usage { WRONG_USAGE } else { 1 })
        }
    }
}

/// What the program ends with after a wrong command line (`EX_USAGE` of sysexits.h).
const WRONG_USAGE: u8 = 64;

/// Help and version go to the standard output and are no error; a wrong command line is one.
fn say_usage(told: &clap::Error) -> ExitCode {
    if !told.use_stderr() {
        // Nothing is left to tell it by when the terminal is gone.
        told.print().ok();
        return ExitCode::SUCCESS;
    }
    for line in told.render().to_string().lines() {
        match line.chars().count() > COLUMNS {
            true => say_wrapped("", line),
            false => say(line),
        }
    }
    ExitCode::from(WRONG_USAGE)
}

fn start(command: Command) -> anyhow::Result<ExitCode> {
    if let Command::Compare(args) = &command {
        return Ok(compare::compare(args));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads(&command))
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        match command {
            Command::Run(args) => unless_stopped(run::run(&args, &stop), &stop).await,
            Command::Capacity(args) => {
                unless_stopped(capacity::capacity(&args, &stop), &stop).await
            }
            Command::Audit(args) => audit::audit(&args).await,
            Command::Simulate(kind) => simulate::simulate(kind).await,
            Command::Compare(args) => Ok(compare::compare(&args)),
        }
    })
}

/// A load, until a second signal ends it at once.
async fn unless_stopped(
    load: impl Future<Output = anyhow::Result<ExitCode>>,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::listen().context("signals cannot be heard")?;
    tokio::select! {
        ended = load => ended,
        () = signals.received_twice(stop.clone()) => Ok(stop::exit_code()),
    }
}

/// One thread loads best: lines then share it without waking each other. A hosted bank gets one
/// more.
fn threads(command: &Command) -> usize {
    match command {
        Command::Run(args) => 1 + usize::from(args.load.hosts_issuer()),
        Command::Capacity(args) => 1 + usize::from(args.load.hosts_issuer()),
        Command::Audit(_) | Command::Simulate(_) | Command::Compare(_) => 2,
    }
}

/// A line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "the one place where this program talks to people")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// A sentence for the person at the terminal, in lines of at most 80 columns.
fn say_wrapped(begin: &str, text: &str) {
    let mut line = begin.to_owned();
    let mut is_begun = false;
    for word in text.split_whitespace() {
        if is_begun && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            say(&line);
            line = "   ".to_owned();
            is_begun = true;
        }
        if is_begun {
            line.push(' ');
        }
        line.push_str(word);
        is_begun = true;
    }
    say(&line);
}

const COLUMNS: usize = 80;

/// An error with its causes, and then what to look at.
fn say_error(error: &anyhow::Error) {
    say_wrapped("cauce-load: ", &format!("{error:#}"));
    if let Some(hint) = hint::of(error) {
        say_wrapped("  ", &hint);
    }
}

/// A line of the result.
#[expect(clippy::print_stdout, reason = "the one place where this program prints results")]
fn print(line: &str) {
    println!("{line}");
}
