//! `cauce-load compare`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use loadtest::report::{Comparison, Report};

use crate::print;

/// Options of a comparison.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The earlier result.
    earlier: PathBuf,
    /// The later result.
    later: PathBuf,
    /// Differences below this many per cent are noise.
    #[arg(long, default_value_t = 10)]
    noise: u64,
}

/// Exits 0 when the later result is not worse, 1 when it is, 2 when nothing can be said.
pub fn compare(args: &Args) -> ExitCode {
    let read = read(&args.earlier).and_then(|earlier| Ok((earlier, read(&args.later)?)));
    let (code, lines) = match read {
        Err(error) => (2, vec![format!("{error:#}")]),
        Ok((earlier, later)) => match loadtest::report::compare(&earlier, &later, args.noise) {
            Comparison::NotWorse => (0, vec!["not worse".to_owned()]),
            Comparison::Worse(lines) => (1, lines),
            Comparison::Invalid(lines) => (2, lines),
        },
    };
    lines.iter().for_each(|line| print(line));
    ExitCode::from(code)
}

fn read(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
