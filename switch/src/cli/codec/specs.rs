//! Formats of messages: found, checked, turned into our own form.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use codecs::frame::Framer;
use codecs::iso8583::{Lint, SPEC_LEN_MAX, Spec, SpecError, form_of, import};

use super::{Came, From};

/// Longest file of a format, in bytes.
const FILE_LEN_MAX: u64 = SPEC_LEN_MAX as u64;

/// The compiled-in format of a name, else the one in a file.
pub(super) fn find(name_or_file: &str) -> anyhow::Result<Arc<Spec>> {
    if let Some(spec) = Spec::builtin(name_or_file) {
        return Ok(spec);
    }
    let path = Path::new(name_or_file);
    if !path.exists() {
        bail!("{}, and no file either", not_compiled_in(name_or_file));
    }
    let text = read(path)?;
    Spec::from_any(&text)
        .map(Arc::new)
        .map_err(|mistakes| anyhow::anyhow!("{}", told(path, &mistakes).trim_end().to_owned()))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let place = || format!("{}", path.display());
    let mut text = String::new();
    let file = fs::File::open(path).with_context(place)?;
    file.take(FILE_LEN_MAX + 1).read_to_string(&mut text).with_context(place)?;
    if text.len() as u64 > FILE_LEN_MAX {
        bail!("{}: longer than {FILE_LEN_MAX} bytes", path.display());
    }
    Ok(text)
}

/// One mistake a line, each with its file and key.
fn told(path: &Path, mistakes: &[SpecError]) -> String {
    let line = |mistake: &SpecError| format!("{}: {mistake}\n", path.display());
    mistakes.iter().map(line).collect()
}

/// The framing a format states, else two bytes of length.
pub(super) fn framer(spec: &Spec) -> anyhow::Result<Framer> {
    let name = spec.framing().unwrap_or("binary2");
    Framer::from_value(&toml::Value::String(name.to_owned())).map_err(|mistakes| {
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("framing of `{}`: {}", spec.name(), told.join("; "))
    })
}

/// Prints every mistake of every file, and what is worth knowing besides.
pub(super) fn lint(files: &[PathBuf]) -> anyhow::Result<Came> {
    let mut out = io::stdout().lock();
    let mut came = Came::Well;
    for path in files {
        let file = path.display();
        let text = match read(path) {
            Ok(text) => text,
            Err(problem) => {
                writeln!(out, "{problem:#}")?;
                came = Came::Short;
                continue;
            }
        };
        let Lint { mistakes, warnings } = Spec::lint(&text);
        warnings.iter().try_for_each(|warning| writeln!(out, "{file}: warning: {warning}"))?;
        write!(out, "{}", told(path, &mistakes))?;
        if mistakes.is_empty() {
            writeln!(out, "{file}: ok")?;
        } else {
            came = Came::Short;
        }
    }
    Ok(came)
}

/// Prints a format in our own form.
pub(super) fn convert(from: Option<From>, path: &Path) -> anyhow::Result<Came> {
    let text = read(path)?;
    let form = from.map_or_else(|| form_of(&text), From::form);
    match import(form, &text) {
        Ok(raw) => {
            write!(io::stdout().lock(), "{}", raw.to_toml())?;
            Ok(Came::Well)
        }
        Err(mistakes) => {
            write!(io::stderr().lock(), "{}", told(path, &mistakes))?;
            Ok(Came::Short)
        }
    }
}

/// Prints the names of the compiled-in formats, or the text of one.
pub(super) fn list(name: Option<&str>) -> anyhow::Result<Came> {
    let mut out = io::stdout().lock();
    match name {
        None => Spec::builtin_names().try_for_each(|name| writeln!(out, "{name}"))?,
        Some(name) => match Spec::builtin_text(name) {
            Some(text) => write!(out, "{text}")?,
            None => bail!("{}", not_compiled_in(name)),
        },
    }
    Ok(Came::Well)
}

fn not_compiled_in(name: &str) -> String {
    let names = Spec::builtin_names().collect::<Vec<_>>().join(", ");
    format!("`{name}` is none of the compiled-in formats: {names}")
}
