//! The command line of `cauce`.

mod backoffice;
mod check;
mod clock;
mod cluster;
mod codec;
mod data_folder;
mod journal;
mod key;
mod schema;
mod serve;
mod watch;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::configured::{Configured, EXIT_USAGE};
use crate::process::ServiceProcess;

/// The Cauce payment switch.
///
#[derive(Debug, Parser)]
#[cfg_attr(
    feature = "demo",
    doc = "Without a command it runs the demonstration: everything on this machine, one payment of each rail, then it keeps serving; `cauce demo --once` ends after it."
)]
#[cfg_attr(
    not(feature = "demo"),
    command(subcommand_required = true, arg_required_else_help = true)
)]
#[command(name = "cauce", version, after_help = EXAMPLES, max_term_width = 80)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "Examples:
  cauce check --config my.toml            every mistake in a configuration
  cauce serve --config my.toml --config participants/bank-a.toml
  cauce key create --role biller --owner isp-ve --data ./data
  cauce key list --data ./data            and revoke ID, rotate ID
  cauce codec decode --spec cauce-87 < messages.hex
  cauce journal verify --data ./data      prove that nothing was altered or lost
  cauce journal balances --data ./data    every account and what it has
  cauce clock accept --data ./data        after a jump: the clock is right
  cauce backoffice status --config my.toml how far its rows follow the journal
  cauce schema apply --config node.toml   make the tables of a cluster
  cauce cluster status --config node.toml nodes, lanes and gate at a glance";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine with simulated banks and merchants
    #[cfg(feature = "demo")]
    Demo(crate::demo::DemoArgs),
    /// Run the switch; SIGTERM drains and exits 0, SIGHUP reads the rules again
    Serve(serve::ServeArgs),
    /// Check a configuration and print every mistake; exit 64 if there is any
    Check(Configured),
    /// Read, write and explain messages; check and convert their formats
    #[command(subcommand)]
    Codec(codec::CodecCommand),
    /// Prove, print or export the journal of a data folder, and the balances in it
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Print the OpenAPI document of the HTTP API
    Openapi,
    /// API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// The machine's clock, as the switch judges it
    #[command(subcommand)]
    Clock(clock::ClockCommand),
    /// What billers register, and the rows that the journal is searched by
    #[command(subcommand)]
    Backoffice(backoffice::BackofficeCommand),
    /// The tables of the cluster form in ScyllaDB or Cassandra
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// The nodes, lanes and gate of the cluster form
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // Before anything that takes time: a signal that comes earlier ends the process, and as a
    // container's first process it would not hear it at all.
    let first_argument = std::env::args_os().nth(1);
    let listening =
        ServiceProcess::is_wanted(first_argument.as_deref()).then(ServiceProcess::start);
    // One TLS provider for everything; a second call (tests) finds it there.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    // Whatever is written is its owner's alone: 0600, and 0700 for folders.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a wrong command line is a usage error.
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    #[cfg(feature = "demo")]
    let command = cli.command.or_else(|| Some(Command::Demo(crate::demo::DemoArgs::default())));
    #[cfg(not(feature = "demo"))]
    let command = cli.command;
    // Clap refuses a command line without a command where there is no demonstration.
    let Some(command) = command else { return ExitCode::from(EXIT_USAGE) };
    match command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => served(listening, |process| crate::demo::main(&args, process)),
        Command::Serve(args) => served(listening, |process| serve::main(args, process)),
        Command::Check(configured) => check::main(&configured),
        Command::Codec(command) => codec::main(&command),
        Command::Journal(command) => journal::main(&command),
        Command::Openapi => openapi(),
        Command::Key(command) => key::main(command),
        Command::Clock(command) => clock::main(&command),
        Command::Backoffice(command) => backoffice::main(&command),
        Command::Schema(command) => schema::main(&command),
        Command::Cluster(command) => cluster::main(&command),
    }
}

/// Runs a command that serves, in the process that has listened for signals since it began.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
fn served(
    listening: Option<io::Result<ServiceProcess>>,
    run: impl FnOnce(ServiceProcess) -> ExitCode,
) -> ExitCode {
    match listening.unwrap_or_else(ServiceProcess::start) {
        Ok(process) => run(process),
        Err(error) => {
            eprintln!("the system gives no thread, or takes no signal handler: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the OpenAPI document.
fn openapi() -> ExitCode {
    match io::stdout().lock().write_all(crate::web::openapi().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has gone, as `head` does.
        Err(_) => ExitCode::FAILURE,
    }
}
