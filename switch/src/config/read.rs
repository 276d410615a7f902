//! Reading a merged table key by key, so that every mistake is found in one pass.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;

use toml::{Table, Value};

use super::layers::{Layers, Mistake};
use super::rules_version;
use crate::outbound::Destination;
use router::message::digest128;

/// One table being read. What is never asked for is reported as an unknown key when it is dropped.
pub struct Section<'a> {
    layers: &'a Layers,
    table: &'a Table,
    /// Its dotted key, or that of the list that it is an element of.
    path: Rc<str>,
    /// Which element.
    element: Option<usize>,
    /// Keys of the table that were asked for.
    asked: HashSet<&'a str, foldhash::fast::RandomState>,
    mistakes: Rc<RefCell<Vec<Mistake>>>,
    /// Files that were read because the configuration names them.
    files: Rc<RefCell<Vec<NamedFile>>>,
}

/// A file that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Digest of what stood in it, where that was read.
    digest: u128,
}

impl<'a> Section<'a> {
    /// The whole configuration.
    pub fn root(layers: &'a Layers) -> Self {
        let (table, path, mistakes) = (layers.table(), Rc::from(""), Rc::default());
        let (asked, files) = (HashSet::default(), Rc::default());
        Self { layers, table, path, element: None, asked, mistakes, files }
    }

    /// Ends the reading: every mistake, in the order it was found.
    pub fn finish(self) -> Vec<Mistake> {
        let mistakes = Rc::clone(&self.mistakes);
        drop(self);
        mistakes.take()
    }

    /// Reads a table; a missing one reads as empty.
    pub fn section<T>(&mut self, name: &str, read: impl FnOnce(&mut Section<'a>) -> T) -> T {
        static EMPTY: std::sync::LazyLock<Table> = std::sync::LazyLock::new(Table::new);
        let table = match self.take(name) {
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.expected(name, "a table", other);
                &EMPTY
            }
            None => &EMPTY,
        };
        let path = self.key(name).into();
        read(&mut self.child(table, path, None))
    }

    /// Reads each table of a list of tables.
    pub fn tables<T>(&mut self, name: &str, mut read: impl FnMut(&mut Section<'a>) -> T) -> Vec<T> {
        let elements: &[Value] = match self.take(name) {
            Some(Value::Array(elements)) => elements,
            Some(other) => {
                self.expected(name, "a list of tables", other);
                &[]
            }
            None => &[],
        };
        let mut out = Vec::with_capacity(elements.len());
        let list: Rc<str> = self.key(name).into();
        for (at, element) in elements.iter().enumerate() {
            match element {
                Value::Table(table) => {
                    out.push(read(&mut self.child(table, Rc::clone(&list), Some(at))));
                }
                other => self.expected(name, "a list of tables", other),
            }
        }
        out
    }

    /// A text; none when it is missing or empty.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.str(name).map(str::to_owned)
    }

    fn str(&mut self, name: &str) -> Option<&'a str> {
        match self.take(name)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text),
            other => {
                self.expected(name, "a text", other);
                None
            }
        }
    }

    /// A text that must be there and read as a `T`.
    pub fn required<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        match self.table.get(name) {
            None => self.mistake(name, "is missing"),
            Some(value) if value.as_str() == Some("") => self.mistake(name, "is empty"),
            Some(_) => {}
        }
        self.parsed(name)
    }

    /// The id of something, which must be there: it stands in labels of metrics, names of files and
    /// addresses of the API, so it has few kinds of characters.
    pub fn id<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let text = self.table.get(name).and_then(Value::as_str).unwrap_or_default();
        let begins_well = text.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        if !(text.is_empty() || begins_well && text.bytes().all(is_allowed)) {
            self.mistake(
                name,
                format!(
                    "`{text}`: an id has letters, digits, `-`, `_` and `.`, a letter or digit first"
                ),
            );
            self.take(name);
            return None;
        }
        self.required(name)
    }

    /// An address of a socket, where it is there; `example` is such a one.
    ///
    /// `localhost` is 127.0.0.1: what is listened at is one address, whatever a resolver says.
    pub fn socket_address(&mut self, name: &str, example: &str) -> Option<SocketAddr> {
        let text = self.text(name)?;
        let on_loopback = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let address = on_loopback.as_ref().unwrap_or(&text).parse().ok();
        if address.is_none() {
            let problem = format!("`{text}` is not an IP address with a port, such as {example}");
            self.mistake(name, problem);
        }
        address
    }

    /// A host, by name or address, with its port.
    pub fn destination(&mut self, name: &str, example: &str) -> Option<Destination> {
        let text = self.text(name)?;
        let destination = text.parse().ok();
        if destination.is_none() {
            let what = "is no host name or IP address with a port of 1 to 65535, such as";
            self.mistake(name, format!("`{text}` {what} {example}"));
        }
        destination
    }

    /// A text that, where it is there, must read as a `T`.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let text = self.str(name)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.mistake(name, format!("`{text}`: {error}"));
                None
            }
        }
    }

    /// A whole number within bounds; `default` when it is missing.
    pub fn number(&mut self, name: &str, bounds: RangeInclusive<u64>, default: u64) -> u64 {
        match self.take(name) {
            None => default,
            Some(Value::Integer(number)) => match u64::try_from(*number) {
                Ok(number) if bounds.contains(&number) => number,
                _ => {
                    let (least, most) = (bounds.start(), bounds.end());
                    self.mistake(name, format!("{number} is outside {least}..={most}"));
                    default
                }
            },
            Some(other) => {
                self.expected(name, "a whole number", other);
                default
            }
        }
    }

    /// [`Section::number`] as a size.
    pub fn size(&mut self, name: &str, bounds: RangeInclusive<u64>, default: u64) -> usize {
        usize::try_from(self.number(name, bounds, default)).unwrap_or(usize::MAX)
    }

    /// A signed whole number, where it is there.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        match self.take(name)? {
            Value::Integer(number) => Some(*number),
            other => {
                self.expected(name, "a whole number", other);
                None
            }
        }
    }

    /// A value whose reader is elsewhere and reports its own mistakes.
    pub fn value(&mut self, name: &str) -> Option<&'a Value> {
        self.take(name)
    }

    /// Yes or no; `false` when it is missing.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.take(name) {
            Some(Value::Boolean(flag)) => *flag,
            Some(other) => {
                self.expected(name, "true or false", other);
                false
            }
            None => false,
        }
    }

    /// A list whose elements are texts; empty when it is missing.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        self.strs(name).into_iter().map(str::to_owned).collect()
    }

    /// [`Section::texts`] where they stand.
    pub fn strs(&mut self, name: &str) -> Vec<&'a str> {
        self.list(name, "a list of texts", Value::as_str)
    }

    /// A list of whole numbers that are not negative; empty when it is missing.
    pub fn numbers(&mut self, name: &str) -> Vec<u64> {
        self.list(name, "a list of whole numbers", |value| {
            value.as_integer().and_then(|number| u64::try_from(number).ok())
        })
    }

    /// A list of texts that each read as a `T`.
    pub fn parsed_list<T: FromStr<Err: Display>>(&mut self, name: &str) -> Vec<T> {
        let mut out = Vec::new();
        for text in self.strs(name) {
            match text.parse() {
                Ok(value) => out.push(value),
                Err(error) => self.mistake(name, format!("`{text}`: {error}")),
            }
        }
        out
    }

    /// One of a closed list of words; the first when it is missing.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> T {
        let Some(text) = self.str(name) else { return choices[0].1 };
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.mistake(name, format!("`{text}` is not one of {}", words.join(", ")));
        choices[0].1
    }

    /// The keys of this table; asking for them marks none of them as known.
    pub fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    /// Whether the key is there.
    pub fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// A path that stands at a key, seen from the folder of the file it stands in.
    pub fn beside(&self, name: &str, path: &str) -> PathBuf {
        let source = self.layers.origin(&self.key(name));
        Path::new(&source).parent().unwrap_or(Path::new("")).join(path)
    }

    /// Notes a file that the configuration names, and what was read of it.
    pub fn note_file(&self, path: &Path, content: &[u8]) {
        let file = NamedFile { path: path.to_owned(), digest: digest128(&[content]) };
        self.files.borrow_mut().push(file);
    }

    /// How many files are noted by now, in all tables.
    pub fn files_noted(&self) -> usize {
        self.files.borrow().len()
    }

    /// The files that are noted by now, in all tables.
    pub fn files(&self) -> Vec<NamedFile> {
        self.files.borrow().clone()
    }

    /// Digest of this table without some of its keys, and of the files that were noted since there
    /// were so many.
    pub fn digest_without(&self, left_out: &[&str], files_before: usize) -> u128 {
        let mut bytes = Vec::new();
        for (key, value) in self.table.iter().filter(|(key, _)| !left_out.contains(&key.as_str())) {
            rules_version::encode(&Value::String(key.clone()), &mut bytes);
            rules_version::encode(value, &mut bytes);
        }
        let files = self.files.borrow();
        let files = files.iter().skip(files_before).flat_map(|file| file.digest.to_be_bytes());
        bytes.extend(files);
        digest128(&[&bytes])
    }

    /// Notes a mistake at a key of this table.
    pub fn mistake(&self, name: &str, problem: impl Into<String>) {
        let key = self.key(name);
        let source = self.layers.origin(&key);
        self.mistakes.borrow_mut().push(Mistake { source, key, problem: problem.into() });
    }

    fn list<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Vec<T> {
        let elements = match self.take(name) {
            Some(Value::Array(elements)) => elements,
            Some(other) => {
                self.expected(name, expected, other);
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let read_all: Vec<T> = elements.iter().filter_map(read).collect();
        if read_all.len() != elements.len() {
            self.mistake(name, format!("{expected} is expected"));
        }
        read_all
    }

    fn take(&mut self, name: &str) -> Option<&'a Value> {
        let (key, value) = self.table.get_key_value(name)?;
        self.asked.insert(key);
        Some(value)
    }

    fn key(&self, name: &str) -> String {
        let path = &self.path;
        match self.element {
            Some(at) => format!("{path}[{at}].{name}"),
            None if path.is_empty() => name.to_owned(),
            None => format!("{path}.{name}"),
        }
    }

    fn child(&self, table: &'a Table, path: Rc<str>, element: Option<usize>) -> Section<'a> {
        let (layers, mistakes) = (self.layers, Rc::clone(&self.mistakes));
        let files = Rc::clone(&self.files);
        let asked = HashSet::with_capacity_and_hasher(table.len(), Default::default());
        Section { layers, table, path, element, asked, mistakes, files }
    }

    fn expected(&self, name: &str, expected: &str, found: &Value) {
        let found = match found.type_str() {
            "integer" => "a whole number",
            "array" => "a list",
            "boolean" => "true or false",
            "table" => "a table",
            "string" => "a string",
            other => other,
        };
        self.mistake(name, format!("{expected} is expected, not {found}"));
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        for key in self.table.keys().filter(|key| !self.asked.contains(key.as_str())) {
            self.mistake(key, "unknown key");
        }
    }
}
