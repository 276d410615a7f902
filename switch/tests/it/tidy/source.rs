//! A file of Rust as the house rules read it: comments, literals and braces told apart.

use super::*;

/// One file of Rust; `code`, `live` and `tests` are `text` with the rest blanked, byte for byte.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    /// Without comments and literals.
    pub(super) code: String,
    /// The code that ships: under `src`, outside tests.
    pub(super) live: String,
    /// All other code.
    pub(super) tests: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = code_of(text);
        let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
        let ships = path.contains("/src/")
            && !path.contains("/tests/")
            && stem != "tests"
            && !stem.ends_with("_tests");
        let spans =
            if ships { test_items(&code) } else { std::iter::once(0..code.len()).collect() };
        let mut live = code.clone().into_bytes();
        let mut tests = vec![b' '; code.len()];
        for span in spans {
            tests[span.clone()].copy_from_slice(&code.as_bytes()[span.clone()]);
            live[span].fill(b' ');
        }
        let ascii = |bytes| String::from_utf8(bytes).expect("blanked code is ASCII");
        let (live, tests) = (ascii(live), ascii(tests));
        Self { path: path.to_owned(), text: text.to_owned(), code, live, tests }
    }

    pub(super) fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    pub(super) fn is_in(&self, homes: &[&str]) -> bool {
        homes.iter().any(|home| self.path.starts_with(home))
    }

    /// Shipped code that names one of `banned` or something under it, `use` groups included.
    pub(super) fn naming(&self, banned: &str, except: &str) -> Findings {
        let under = |path: &str, roots: &str| {
            roots.split(' ').any(|root| path == root || path.starts_with(&format!("{root}::")))
        };
        let mut found = paths(&self.live);
        found.retain(|(_, path)| under(path, banned) && !under(path, except));
        found.into_iter().map(|(at, path)| (at, format!("names `{path}`"))).collect()
    }

    /// Calls of a function or method `name` in `code`, which is one of this file's views.
    pub(super) fn calling(&self, code: &str, name: &str) -> Findings {
        words(code, name)
            .filter(|at| code[at + name.len()..].trim_start().starts_with('('))
            .filter(|at| !code[..*at].trim_end().ends_with("fn"))
            .map(|at| (at, format!("calls `{name}`")))
            .collect()
    }
}

/// Blanks comments and literals; every other byte keeps its place.
pub(super) fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code: Vec<u8> = bytes.iter().map(|b| if b.is_ascii() { *b } else { b' ' }).collect();
    let mut at = 0;
    while at < bytes.len() {
        let hidden = hidden_len(bytes, at).min(bytes.len() - at);
        code[at..at + hidden].iter_mut().filter(|byte| **byte != b'\n').for_each(|b| *b = b' ');
        at += hidden.max(1);
    }
    String::from_utf8(code).expect("blanked code is ASCII")
}

/// Bytes of the comment or literal that starts at `at`; 0 where code does.
pub(super) fn hidden_len(text: &[u8], at: usize) -> usize {
    match &text[at..] {
        rest @ [b'/', b'/', ..] => rest.iter().take_while(|byte| **byte != b'\n').count(),
        rest @ [b'/', b'*', ..] => after(&rest[2..], b"*/") + 2,
        rest @ [b'"', ..] => match raw_string_end(&text[..at]) {
            Some(end) => after(&rest[1..], &end) + 1,
            None => quoted_len(rest, b'"'),
        },
        rest @ [b'\'', b'\\', ..] => quoted_len(rest, b'\''),
        [b'\'', first, rest @ ..] => {
            // `'a'` and `'é'` are characters, `'a` a lifetime.
            let more = usize::try_from(first.leading_ones()).expect("few").saturating_sub(1);
            if rest.get(more) == Some(&b'\'') { 3 + more } else { 1 }
        }
        _ => 0,
    }
}

/// Bytes up to the end of the first `end`; all of them where there is none.
pub(super) fn after(text: &[u8], end: &[u8]) -> usize {
    text.windows(end.len()).position(|seen| seen == end).map_or(text.len(), |at| at + end.len())
}

pub(super) fn quoted_len(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// What ends the raw string whose opening quote follows `before`, if it is one.
pub(super) fn raw_string_end(before: &[u8]) -> Option<Vec<u8>> {
    let hashes = before.iter().rev().take_while(|byte| **byte == b'#').count();
    let before = &before[..before.len() - hashes];
    let prefix = before.iter().rev().take_while(|byte| is_word(**byte)).count();
    let raw = matches!(&before[before.len() - prefix..], b"r" | b"br" | b"cr");
    raw.then(|| [b"\"".as_slice(), &vec![b'#'; hashes]].concat())
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `word` stands in `text` and is not a part of a longer word.
pub(super) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = text.as_bytes();
    let (first, last) = (word.as_bytes()[0], word.as_bytes()[word.len() - 1]);
    let cut = |at: usize, edge: u8| !is_word(edge) || !bytes.get(at).is_some_and(|b| is_word(*b));
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| cut(at.wrapping_sub(1), first) && cut(at + word.len(), last))
}

/// Where the item that starts at `from` ends: after its closing brace or semicolon.
pub(super) fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        depth += match byte {
            b'(' | b'[' | b'{' => 1,
            b')' | b']' | b'}' => -1,
            _ => 0,
        };
        if depth < 0 || (depth == 0 && matches!(byte, b'}' | b';')) {
            return at + 1;
        }
    }
    code.len()
}

pub(super) fn test_items(code: &str) -> Vec<Range<usize>> {
    ["#[cfg(test)]", "#[cfg(all(test", "#[test]", "#[tokio::test"]
        .iter()
        .flat_map(|attribute| code.match_indices(attribute))
        .map(|(at, _)| at..item_end(code, at))
        .collect()
}

/// Every path in `code`, groups written out: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
pub(super) fn paths(code: &str) -> Vec<(usize, String)> {
    let bytes = code.as_bytes();
    let (mut found, mut prefixes, mut at) = (Vec::new(), vec![String::new()], 0);
    while at < bytes.len() {
        let len = bytes[at..].iter().take_while(|b| is_word(**b) || **b == b':').count();
        let prefix = prefixes.last().cloned().unwrap_or_default();
        let path = format!("{prefix}{}", code[at..at + len].trim_start_matches("::"));
        let next = bytes.get(at + len);
        let opens_group = path.ends_with("::") && next == Some(&b'{');
        if len > 0 && !opens_group {
            found.push((at, path.clone()));
        }
        match next {
            Some(b'{') => prefixes.push(if opens_group { path } else { String::new() }),
            Some(b'}') => drop(prefixes.pop()),
            _ => {}
        }
        at += len + 1;
    }
    found
}

/// What ships with the crate: every table of dependencies but those of the tests; sorted.
pub(super) fn dependencies(manifest: &str) -> Vec<String> {
    let (mut names, mut listed) = (Vec::new(), false);
    for line in manifest.lines().map(str::trim) {
        let name = |text: &str| text.split(['.', ' ', '=', ']']).next().unwrap_or("").to_owned();
        if line.starts_with('[') {
            let ships = !line.contains("dev-dependencies");
            listed = ships && line.ends_with("dependencies]");
            names.extend(line.split_once("dependencies.").filter(|_| ships).map(|at| name(at.1)));
        } else if listed && !line.is_empty() && !line.starts_with('#') {
            names.push(name(line));
        }
    }
    names.sort();
    names
}

pub(super) fn own_edges(manifest: &str) -> Vec<String> {
    let mut names = dependencies(manifest);
    names.retain(|name| EDGES.iter().any(|(own, _)| own.replace('/', "-") == *name));
    names
}

/// The text of one file, by its path from the root of the repository.
pub(super) fn read(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let bytes = fs::read(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every file of the repository: path from its root, and text.
pub fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry of the repository").path();
            let inside = path.strip_prefix(&root).expect("below the root").to_string_lossy();
            let hidden = inside.starts_with('.') && ![".ci", ".deny.toml"].contains(&&*inside);
            if hidden || inside == "data" || path.ends_with("target") || path.is_symlink() {
                continue;
            }
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((inside.to_string(), read(&inside))),
            }
        }
    }
    found.sort();
    assert!(found.iter().any(|(path, _)| path == "router/src/lib.rs"), "no repository here");
    found
}
