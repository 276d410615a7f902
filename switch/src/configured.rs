//! The configuration as a command line names it: files, environment and single values.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{self, Config, Layers, Mistake};

/// Exit code of a configuration or command line that is wrong (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Where the configuration comes from.
#[derive(Debug, Clone, Args)]
pub struct Configured {
    /// Configuration file; later ones win, lists of tables add up
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// One value, e.g. `--set http.listen=127.0.0.1:0`; wins over files and environment
    #[arg(long, value_name = "A.B=VALUE")]
    pub set: Vec<String>,
}

/// All layers of a configuration.
///
/// Errors: mistakes in the layers themselves, of every layer.
pub fn layers(configured: &Configured) -> Result<Layers, Vec<Mistake>> {
    layered(Layers::compiled_in(), configured)
}

/// Files, environment and `--set` laid over what is there.
///
/// Errors: mistakes in the layers themselves, of every layer.
pub fn layered(base: Layers, configured: &Configured) -> Result<Layers, Vec<Mistake>> {
    let mut layers = base;
    let mut mistakes = Vec::new();
    let mut add = |layers: Layers, added: Result<Layers, Vec<Mistake>>| match added {
        Ok(added) => added,
        Err(more) => {
            mistakes.extend(more);
            layers
        }
    };
    for path in &configured.config {
        layers = add(layers.clone(), layers.with_file(path));
    }
    let variables: Vec<(String, String)> = std::env::vars().collect();
    let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    layers = add(layers.clone(), layers.with_environment(variables));
    for assignment in &configured.set {
        layers = add(layers.clone(), layers.with_set(assignment));
    }
    if mistakes.is_empty() { Ok(layers) } else { Err(mistakes) }
}

/// The checked configuration.
///
/// Errors: every mistake.
pub fn configuration(configured: &Configured) -> Result<Config, Vec<Mistake>> {
    layers(configured).and_then(|layers| config::load(&layers))
}

/// Prints mistakes and gives the exit code that goes with them.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub fn told_mistakes(mistakes: &[Mistake]) -> ExitCode {
    for mistake in mistakes {
        eprintln!("{mistake}");
    }
    let plural = if mistakes.len() == 1 { "" } else { "s" };
    eprintln!("{} mistake{plural} in the configuration", mistakes.len());
    ExitCode::from(EXIT_USAGE)
}
