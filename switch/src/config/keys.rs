//! The keys that messages are authenticated with, by name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use codecs::security::{
    CheckValue, KeyAlgorithm, KeyErrorKind, KeyName, KeyUsage, Parity, SoftwareKeyStore,
};
use zeroize::Zeroizing;

use super::read::Section;

const USAGES: [(&str, KeyUsage); 3] =
    [("mac", KeyUsage::Mac), ("pin", KeyUsage::Pin), ("key-encryption", KeyUsage::KeyEncryption)];

const ALGORITHMS: [(&str, KeyAlgorithm); 6] = [
    ("tdes2", KeyAlgorithm::Tdes2),
    ("tdes3", KeyAlgorithm::Tdes3),
    ("aes128", KeyAlgorithm::Aes128),
    ("aes192", KeyAlgorithm::Aes192),
    ("aes256", KeyAlgorithm::Aes256),
    ("des", KeyAlgorithm::Des),
];

/// All configured keys.
#[derive(Debug, Clone, Default)]
pub struct KeysConfig {
    /// Holds them.
    pub store: Arc<SoftwareKeyStore>,
    /// What may be shown of each.
    pub shown: Vec<KeyShown>,
    /// Where each stands in that list.
    by_name: HashMap<KeyName, usize>,
}

/// What may be shown of a key.
#[derive(Debug, Clone)]
pub struct KeyShown {
    /// Its name.
    pub name: KeyName,
    /// What it is for.
    pub usage: KeyUsage,
    /// Its algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// What its holders compare.
    pub check_value: CheckValue,
}

impl fmt::Display for KeyShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, usage, algorithm, check_value } = self;
        let (usage, algorithm) = (word(&USAGES, *usage), word(&ALGORITHMS, *algorithm));
        write!(f, "key {name}: {algorithm} for {usage}, check value {check_value}")
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

impl KeysConfig {
    /// What may be shown of a key of this name and use.
    pub(super) fn find(&self, name: &KeyName, usage: KeyUsage) -> Option<&KeyShown> {
        let shown = self.by_name.get(name).and_then(|at| self.shown.get(*at));
        shown.filter(|key| key.usage == usage)
    }
}

/// Reads `[keys]`.
pub(super) fn read(root: &mut Section<'_>) -> KeysConfig {
    let mut keys = KeysConfig::default();
    root.section("keys", |section| {
        for text in section.keys() {
            let name: Option<KeyName> = match text.parse() {
                Ok(name) => Some(name),
                Err(error) => {
                    section.mistake(&text, format!("{error}"));
                    None
                }
            };
            section.section(&text, |section| {
                if let Some(shown) = name.and_then(|name| one(section, &keys.store, name)) {
                    keys.by_name.insert(shown.name, keys.shown.len());
                    keys.shown.push(shown);
                }
            });
        }
    });
    keys
}

fn one(section: &mut Section<'_>, store: &SoftwareKeyStore, name: KeyName) -> Option<KeyShown> {
    let usage = section.choice("usage", &USAGES);
    let algorithm = section.choice("algorithm", &ALGORITHMS);
    let parity = section.choice("parity", &[("odd", Parity::Odd), ("ignored", Parity::Ignored)]);
    let expected = section.text("check_value");
    let bytes = bytes(section)?;
    let check_value = match store.insert(&name, usage, algorithm, &bytes, parity) {
        Ok(check_value) => check_value,
        Err(error) => {
            let need = match error.kind {
                KeyErrorKind::BadLength => format!(": {} are needed", algorithm.key_len()),
                _ => String::new(),
            };
            section.mistake("value", format!("{}{need}", error.kind));
            return None;
        }
    };
    if let Some(expected) = expected
        && expected.to_uppercase() != check_value.to_string()
    {
        section.mistake("check_value", format!("the key's own is {check_value}"));
    }
    Some(KeyShown { name, usage, algorithm, check_value })
}

/// The bytes of a key; never in the configuration itself, which is printed, mailed and committed.
fn bytes(section: &mut Section<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let text = Zeroizing::new(section.required::<String>("value")?);
    let read = match text.split_once(':') {
        Some(("file", path)) => std::fs::read_to_string(section.beside("value", path))
            .map_err(|error| format!("`{path}` cannot be read: {error}")),
        Some(("env", name)) => {
            std::env::var(name).map_err(|_| format!("there is no variable `{name}`"))
        }
        _ => Err("file:PATH or env:NAME is expected".to_owned()),
    };
    let digits = match read {
        Ok(digits) => Zeroizing::new(digits),
        Err(problem) => {
            section.mistake("value", problem);
            return None;
        }
    };
    match hex::decode(digits.trim()) {
        Ok(bytes) => Some(Zeroizing::new(bytes)),
        Err(_) => {
            section.mistake("value", "what it names is not hexadecimal digits");
            None
        }
    }
}
