//! Formats of messages: found, checked, turned into our own form.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use codecs::iso8583::{Spec, SpecError};

use super::{Came, From};

/// Longest file of a format, in bytes.
const SPEC_LEN_MAX: u64 = 4 << 20;

/// The compiled-in format of a name, else the one in a file.
pub(super) fn find(name_or_file: &str) -> anyhow::Result<Arc<Spec>> {
    if let Some(spec) = Spec::builtin(name_or_file) {
        return Ok(spec);
    }
    let path = Path::new(name_or_file);
    if !path.exists() {
        let names = Spec::builtin_names().collect::<Vec<_>>().join(", ");
        bail!("`{name_or_file}` is neither a file nor a compiled-in format: {names}");
    }
    let text = read(path)?;
    Spec::from_any(&text).map(Arc::new).map_err(|mistakes| {
        anyhow::anyhow!("{}", told(path, &mistakes).trim_end().to_owned())
    })
}
