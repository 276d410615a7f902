//! `[backoffice]`: where what companies register is kept.

use std::path::PathBuf;
use std::time::Duration;

use storage_backoffice::{BackofficeLocation, BackofficeSettings};

use super::cluster::Use;
use super::read::Section;
use super::service::{DataConfig, millis};

/// Where the back office is; none where many nodes run and no server is named.
#[derive(Debug, Clone)]
pub struct BackofficeConfig {
    /// How it is reached.
    pub settings: Option<BackofficeSettings>,
    /// How long an answer waits for the row that it tells of.
    pub row_wait: Duration,
    /// Files of bills.
    pub batches: BatchConfig,
}

/// Files of bills, from when they come until all of their rows were taken.
#[derive(Debug, Clone)]
pub struct BatchConfig {
    /// The folder that they are in.
    pub folder: PathBuf,
    /// The largest, in bytes.
    pub bytes_max: usize,
}

/// Reads the section.
pub(super) fn read(section: &mut Section<'_>, data: &DataConfig, use_of: Use) -> BackofficeConfig {
    let connections_max = section.number("connections_max", 1..=1_000, 4);
    let statement_timeout = millis(section, "statement_timeout_ms", 5_000);
    let row_wait = millis(section, "row_wait_ms", 1_000);
    let bytes_max = section.number("batch_bytes_max", 1_024..=1_073_741_824, 67_108_864);
    let batches = BatchConfig {
        folder: data.dir.join("batches"),
        bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
    };
    let location = match section.text("url") {
        Some(url) if is_server(&url) => Some(BackofficeLocation::Server(url.into())),
        Some(_) => {
            let problem = "is no address of the form postgres://user:password@host:port/database";
            section.mistake("url", problem);
            None
        }
        None if use_of == Use::Needed => None,
        None => Some(BackofficeLocation::Files(data.dir.join("backoffice"))),
    };
    let settings = location.map(|location| BackofficeSettings {
        location,
        connections_max: u32::try_from(connections_max).unwrap_or(u32::MAX),
        statement_timeout,
    });
    BackofficeConfig { settings, row_wait, batches }
}

fn is_server(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}
