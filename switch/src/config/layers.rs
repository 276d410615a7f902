//! Layers of configuration: the compiled-in file, `--config` files, the environment, `--set`.
//! They are merged into one table that remembers where each value came from.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use toml::{Table, Value};

use super::document;

const DEFAULTS: &str = include_str!("../../../config/default.toml");
const ENVIRONMENT_PREFIX: &str = "CAUCE_";

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// File name, `environment` or `--set`.
    pub source: String,
    /// The key, dotted; empty when the file as a whole is wrong.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.key.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}: {}", self.source, self.key, self.problem)
    }
}

/// All layers merged, and where each value came from.
#[derive(Debug, Clone)]
pub struct Layers {
    table: Table,
    origins: Origins,
}

/// Where values came from, by their dotted keys.
#[derive(Debug, Clone, Default)]
struct Origins {
    keys: HashMap<String, Arc<str>>,
    /// For each list, from which of its elements on they came from where.
    lists: HashMap<String, Vec<(usize, Arc<str>)>>,
}

impl Origins {
    fn add(&mut self, key: String, source: &Arc<str>) {
        self.keys.insert(key, Arc::clone(source));
    }

    /// Notes a list's elements from one on; none were noted behind it.
    fn add_elements(&mut self, key: &str, from: usize, source: &Arc<str>) {
        let starts = self.lists.entry(key.to_owned()).or_default();
        starts.retain(|(start, _)| *start < from);
        starts.push((from, Arc::clone(source)));
    }

    /// Where this very key came from, or this element of a list: `routes[7]`.
    fn of(&self, key: &str) -> Option<&Arc<str>> {
        let Some((list, at)) = key.strip_suffix(']').and_then(|key| key.rsplit_once('[')) else {
            return self.keys.get(key);
        };
        let (starts, at) = (self.lists.get(list)?, at.parse().ok()?);
        let behind = starts.partition_point(|(start, _)| *start <= at);
        starts.get(behind.checked_sub(1)?).map(|(_, source)| source)
    }
}

impl Layers {
    /// The defaults alone.
    pub fn compiled_in() -> Self {
        let empty = Self { table: Table::new(), origins: Origins::default() };
        empty.with_text("default.toml", DEFAULTS).expect("invariant: the compiled-in file parses")
    }

    /// Adds a file's text; it wins over what is there.
    pub fn with_text(mut self, source: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let table = document::parse(text).map_err(|error| vec![not_toml(source, text, &error)])?;
        merge(&mut self.table, table, "", &source.into(), &mut self.origins);
        Ok(self)
    }

    /// Adds a file.
    pub fn with_file(self, path: &Path) -> Result<Self, Vec<Mistake>> {
        let source = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![Mistake {
                source: source.clone(),
                key: String::new(),
                problem: format!("cannot be read: {error}"),
            }]
        })?;
        self.with_text(&source, &text)
    }

    /// Adds the `CAUCE_…` variables: `CAUCE_HTTP_LISTEN` is `http.listen`.
    pub fn with_environment<'a>(
        mut self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        for (name, value) in variables {
            let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            let lower = key.to_lowercase();
            match self.table.keys().find(|section| {
                lower.strip_prefix(section.as_str()).is_some_and(|rest| rest.starts_with('_'))
            }) {
                Some(section) => {
                    let key = format!("{section}.{}", &lower[section.len() + 1..]);
                    self.set(&key, value, &format!("environment {name}"));
                }
                None => mistakes.push(Mistake {
                    source: "environment".to_owned(),
                    key: name.to_owned(),
                    problem: "names no section of the configuration".to_owned(),
                }),
            }
        }
        if mistakes.is_empty() { Ok(self) } else { Err(mistakes) }
    }

    /// Adds one `a.b=value`.
    pub fn with_set(mut self, assignment: &str) -> Result<Self, Vec<Mistake>> {
        let Some((key, value)) = assignment.split_once('=') else {
            return Err(vec![Mistake {
                source: "--set".to_owned(),
                key: assignment.to_owned(),
                problem: "must look like section.key=value".to_owned(),
            }]);
        };
        self.set(key.trim(), value.trim(), "--set");
        Ok(self)
    }

    /// The merged table.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Where a key's value came from; its nearest parent's origin for a missing key.
    pub(super) fn origin(&self, key: &str) -> String {
        let mut key = key;
        loop {
            if let Some(source) = self.origins.of(key) {
                return source.to_string();
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => return "default.toml".to_owned(),
            }
        }
    }

    fn set(&mut self, key: &str, value: &str, source: &str) {
        let value = literal(value);
        let layer = key.rsplit('.').fold(value, |inner, part| {
            let mut table = Table::new();
            table.insert(part.to_owned(), inner);
            Value::Table(table)
        });
        if let Value::Table(table) = layer {
            merge(&mut self.table, table, "", &source.into(), &mut self.origins);
        }
    }
}

/// A value given on the command line: TOML where it reads as TOML, else text.
fn literal(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>();
    let parsed = parsed.ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn merge(into: &mut Table, from: Table, prefix: &str, source: &Arc<str>, origins: &mut Origins) {
    for (name, value) in from {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match (into.get_mut(&name), value) {
            (Some(Value::Table(into)), Value::Table(from)) => {
                merge(into, from, &key, source, origins);
            }
            (Some(Value::Array(into)), Value::Array(from)) if from.iter().any(Value::is_table) => {
                origins.add_elements(&key, into.len(), source);
                into.extend(from);
            }
            (_, Value::Array(from)) => {
                origins.add_elements(&key, 0, source);
                origins.add(key, source);
                into.insert(name, Value::Array(from));
            }
            (_, Value::Table(from)) => {
                let mut inner = Table::new();
                merge(&mut inner, from, &key, source, origins);
                origins.add(key, source);
                into.insert(name, Value::Table(inner));
            }
            (_, value) => {
                origins.add(key, source);
                into.insert(name, value);
            }
        }
    }
}

fn not_toml(source: &str, text: &str, error: &toml::de::Error) -> Mistake {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    let problem = format!("line {line}: {}", error.message());
    Mistake { source: source.to_owned(), key: String::new(), problem }
}
