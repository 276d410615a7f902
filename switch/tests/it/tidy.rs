//! House rules that no compiler checks. Each is a test, and each first proves that it can fail.
//!
//! The reader is a small lexer, not a parser: it knows comments, literals and braces. A module of
//! tests in a file of its own is recognised by its name (`tests.rs`, `…_tests.rs`, `tests/`).

use std::fs;
use std::ops::Range;
use std::path::Path;

/// The members of the workspace and what each needs of them; a new edge is a design change.
const EDGES: [(&str, &[&str]); 6] = [
    ("router", &[]),
    ("codecs", &["router"]),
    ("storage", &["router"]),
    ("switch", &["codecs", "loadtest", "router", "storage"]),
    ("loadtest", &["codecs", "router"]),
    ("benches", &["codecs", "router", "storage"]),
];

/// Everything the pure crates may depend on. No serde in `router`: wire shapes live in `codecs`.
const PURE: [(&str, &str); 2] = [
    ("router", "iso_currency sha2 smallvec thiserror zeroize"),
    ("codecs", "router bytes hex memchr serde serde_json smallvec thiserror tokio-util toml"),
];

/// What reaches the world, a clock or chance; a pure crate names none of it …
const IMPURE: &str = "std::env std::fs std::io::stderr std::io::stdin std::io::stdout std::net \
                      std::os std::process std::thread std::time tokio tokio_util rand";
/// … but for these harmless corners.
const PURE_ENOUGH: &str = "std::time::Duration tokio_util::codec";

/// Where a crate may start asynchronous tasks, the name of the value that does so elsewhere in it,
/// and why.
const TASK_STARTS: [(&str, &str, &str); 3] = [
    ("switch/src/supervise", "supervisor", "each has a name, a phase and a bounded drain"),
    ("loadtest/src/tasks", "tasks", "all of a run are stopped together when it ends"),
    ("storage/src/conformance", "tasks", "a test suite, whose callers race on purpose"),
];
/// Where plain threads may start besides, and why.
const THREAD_STARTS: [(&str, &str); 5] = [
    ("storage/src/", "the writer and its helpers block on the disk, off the runtime"),
    ("loadtest/src/json_log", "the log blocks on the disk, off the runtime"),
    ("loadtest/src/drive/pacer", "the runtime's timers tick too coarsely to pace load"),
    ("loadtest/src/bin/", "starts the switch's own program, to have its journal exported"),
    ("switch/src/admin", "health and metrics answer when the runtime is saturated"),
];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn crates_depend_on_each_other_as_drawn() {
    assert_eq!(own_edges("[dependencies]\nstorage.workspace = true\nbytes = \"1\"\n"), ["storage"]);
    assert_eq!(own_edges("[dependencies.storage]\npath = \"../storage\"\n"), ["storage"]);
    assert_eq!(own_edges("[dev-dependencies]\nstorage.workspace = true\n"), [""; 0]);
    for (name, edges) in EDGES {
        assert_eq!(own_edges(&read(&format!("{name}/Cargo.toml"))), edges, "`{name}`: see EDGES");
    }
    let root = read("Cargo.toml");
    let members = root.lines().find(|line| line.starts_with("members = ["));
    let members = members.expect("the root manifest lists its members on one line");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert_eq!(members, EDGES.map(|(name, _)| name), "draw every crate in EDGES");
}

#[test]
fn the_load_harness_is_used_by_the_demo_alone() {
    let rule: Rule = |source| match source.is_in(&["switch/src/"]) {
        true if !source.is_in(&["switch/src/demo"]) => source.naming("loadtest", ""),
        _ => vec![],
    };
    guard(rule, ("switch/src/app.rs", "use loadtest::simulator;\n"));
    allows(rule, ("switch/src/demo/tour.rs", "use loadtest::simulator;\n"));
}

#[test]
fn pure_crates_depend_on_nothing_impure() {
    assert_eq!(dependencies("[dependencies]\nserde.workspace = true\n"), ["serde"]);
    for (name, allowed) in PURE {
        let mut strangers = dependencies(&read(&format!("{name}/Cargo.toml")));
        strangers.retain(|dependency| !allowed.split(' ').any(|name| name == dependency));
        assert!(strangers.is_empty(), "`{name}` is pure; argue for {strangers:?} in PURE");
    }
}

#[test]
fn pure_crates_touch_no_world_no_clock_and_no_chance() {
    let rule: Rule = |source| {
        let pure = PURE.iter().any(|(name, _)| source.is_in(&[&format!("{name}/src/")]));
        if pure { source.naming(IMPURE, PURE_ENOUGH) } else { vec![] }
    };
    guard(rule, ("router/src/a.rs", "use std::{fmt, time::{Duration, Instant}};\n"));
    guard(rule, ("codecs/src/a.rs", "fn now() { std::time::SystemTime::now(); }\n"));
    guard(rule, ("codecs/src/a.rs", "fn draw() -> u8 { rand::random() }\n"));
    allows(rule, ("codecs/src/a.rs", "use std::time::Duration; use tokio_util::codec::Decoder;\n"));
    allows(rule, ("router/src/a.rs", "#[cfg(test)]\nmod tests { use std::fs; }\n"));
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let long = "\n".repeat(FILE_LINES_MAX + 1);
    let rule: Rule = |source| match source.text.lines().count() {
        lines if lines > FILE_LINES_MAX => vec![(0, format!("{lines} lines in one file"))],
        _ => vec![],
    };
    guard(rule, ("router/src/a.rs", &long));
}

#[test]
fn no_function_is_longer_than_70_lines() {
    let body = |lines| format!("fn a(b: [u8; 2]) {{\n{}}}\n", "    \"}\"; // }\n".repeat(lines));
    guard(long_functions, ("router/src/a.rs", &body(FUNCTION_LINES_MAX - 1)));
    allows(long_functions, ("router/src/a.rs", &body(FUNCTION_LINES_MAX - 2)));
    let nested = format!("fn a() {{\n{}}}\n", body(40).repeat(2));
    allows(long_functions, ("router/src/a.rs", &nested));
}

#[test]
fn card_numbers_are_exposed_to_codecs_and_sealed_by_storage_alone() {
    let rule: Rule = |source| {
        let called = |name, homes: &[&str]| match source.is_in(homes) {
            true => vec![],
            false => source.calling(&source.live, name),
        };
        let mut found = called("expose_for_wire", &["codecs/src/", "router/src/secret.rs"]);
        found.extend(called("expose_for_sealing", &["storage/src/", "router/src/secret.rs"]));
        found
    };
    guard(rule, ("switch/src/a.rs", "fn a(pan: &Pan) { log(pan.expose_for_wire()) }\n"));
    guard(rule, ("codecs/src/a.rs", "fn a(pan: &Pan) { pan.expose_for_sealing(); }\n"));
    allows(rule, ("codecs/src/a.rs", "fn a(pan: &Pan) { pan.expose_for_wire(); }\n"));
}

#[test]
fn tasks_and_threads_start_in_their_places_alone() {
    guard(starts, ("switch/src/a.rs", "fn a() { tokio::spawn(async {}); }\n"));
    guard(starts, ("switch/src/a.rs", "use tokio::task::{self, spawn};\n"));
    guard(starts, ("switch/src/a.rs", "fn a(set: &Handle) { set.spawn(async {}); }\n"));
    guard(starts, ("switch/src/a.rs", "fn a(tasks: &Tasks) { tasks.spawn(async {}); }\n"));
    guard(starts, ("storage/src/a.rs", "fn a() { tokio::spawn(async {}); }\n"));
    allows(starts, ("storage/src/a.rs", "fn a() { std::thread::Builder::new().spawn(run); }\n"));
    allows(starts, ("loadtest/src/a.rs", "fn a(b: B) { b.tasks\n    .spawn(async {}); }\n"));
    allows(starts, ("switch/src/supervise.rs", "fn a() { tokio::spawn(async {}); }\n"));
}

#[test]
fn every_expect_names_its_invariant() {
    let rule: Rule = |source| {
        let mut found = source.calling(&source.live, "expect");
        found.retain(|(at, _)| {
            let argument = source.text[*at..].split_once('(').map_or("", |(_, rest)| rest);
            let message = argument.trim_start().strip_prefix('"');
            message.is_some_and(|message| !message.starts_with("invariant:"))
        });
        found
    };
    guard(rule, ("router/src/a.rs", "fn a() { b().expect(\"cannot happen\"); }\n"));
    guard(rule, ("router/src/a.rs", "fn a() { b().expect(\n    \"cannot happen\"); }\n"));
    allows(rule, ("router/src/a.rs", "fn a() { b().expect(\"invariant: b is set\"); }\n"));
    allows(rule, ("router/src/a.rs", "#[test]\nfn a() { b().expect(\"any words\"); }\n"));
}

#[test]
fn nothing_is_left_unfinished_or_switched_off() {
    let rule: Rule = |source| {
        let code = ["todo!", "unimplemented!", "dbg!", "#[ignore"];
        let text = [concat!("TO", "DO"), concat!("FIX", "ME")];
        let in_code = code.iter().flat_map(|word| words(&source.code, word));
        let in_text = text.iter().flat_map(|word| words(&source.text, word));
        in_code.chain(in_text).map(|at| (at, "unfinished or switched off".to_owned())).collect()
    };
    guard(rule, ("router/src/a.rs", "fn a() { todo!() }\n"));
    guard(rule, ("router/tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n"));
    guard(rule, ("router/src/a.rs", concat!("// TO", "DO: later\n")));
    allows(rule, ("router/src/a.rs", "fn a() -> &'static str { \"todo!\" }\n"));
}

#[test]
fn no_test_sleeps() {
    let rule: Rule = |source| source.calling(&source.tests, "sleep");
    guard(rule, ("switch/tests/it/a.rs", "fn a() { std::thread::sleep(SECOND); }\n"));
    guard(rule, ("switch/src/a.rs", "#[cfg(test)]\nmod tests { fn a() { sleep(SECOND) } }\n"));
    allows(rule, ("loadtest/src/a.rs", "async fn a() { tokio::time::sleep(DELAY).await }\n"));
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let forbidden = [concat!("/wor", "k/"), concat!("../sha", "red")];
    let found = |text: &str| forbidden.iter().any(|folder| text.contains(folder));
    assert!(found(concat!("path = \"/wor", "k/main\"")));
    let offenders: Vec<_> =
        files().into_iter().filter(|file| found(&file.1)).map(|f| f.0).collect();
    assert!(offenders.is_empty(), "these name a folder that exists on one machine: {offenders:?}");
}

#[test]
fn comments_literals_and_tests_are_told_from_code() {
    let check = |text: &str, code: &str| {
        assert_eq!(code_of(text).split_whitespace().collect::<Vec<_>>().join(" "), code, "{text}");
        assert_eq!(code_of(text).len(), text.len(), "every byte keeps its place");
    };
    check("a // b\nc /* d\n * e */ g", "a c g");
    check(r#"a("b\"c", 'd', '\'', '"') e"#, "a( , , , ) e");
    check("a(r#\"b\"c\"#, br\"\\\") d", "a(r# , br ) d");
    check("fn a<'b>(c: &'b str) {} // 'é'", "fn a< b>(c: & b str) {}");
    check("'é' 'ñ'x", "x");
    let text = "fn a() {}\n#[cfg(test)]\nmod b { fn c() {} }\nfn d() {}";
    let source = Source::new("a/src/a.rs", text);
    assert_eq!(source.live.split_whitespace().collect::<String>(), "fna(){}fnd(){}");
    assert!(source.tests.contains("fn c()") && !source.tests.contains("fn d()"));
}

/// Offences of one file: byte offset and what is wrong there.
type Findings = Vec<(usize, String)>;
type Rule = fn(&Source) -> Findings;

/// Proves that `rule` finds fault with `bad`, then that it finds none in the repository.
fn guard(rule: Rule, bad: (&str, &str)) {
    assert!(!rule(&Source::new(bad.0, bad.1)).is_empty(), "the rule lets this pass: {}", bad.1);
    let mut offences = Vec::new();
    for (path, text) in files().iter().filter(|(path, _)| path.ends_with(".rs")) {
        let source = Source::new(path, text);
        let found = rule(&source).into_iter();
        offences.extend(found.map(|(at, what)| format!("{path}:{}: {what}", source.line(at))));
    }
    assert!(offences.is_empty(), "{} offences\n{}", offences.len(), offences.join("\n"));
}

/// Proves that `rule` finds no fault with `good`.
fn allows(rule: Rule, good: (&str, &str)) {
    assert_eq!(rule(&Source::new(good.0, good.1)), [], "the rule refuses this: {}", good.1);
}

fn long_functions(source: &Source) -> Findings {
    if !source.path.contains("/src/") {
        return vec![];
    }
    // From the last to the first, so that a function inside another counts for itself alone.
    let code = source.code.as_str();
    let named = |at: &usize| code[at + 2..].starts_with(char::is_whitespace);
    let functions: Vec<usize> = words(code, "fn").filter(named).collect();
    let mut counted = vec![false; code.lines().count()];
    let mut found = Vec::new();
    for start in functions.into_iter().rev() {
        let lines = source.line(start) - 1..source.line(item_end(code, start) - 1);
        let lines = &mut counted[lines];
        let own_lines = lines.iter().filter(|counted| !**counted).count();
        lines.fill(true);
        if own_lines > FUNCTION_LINES_MAX {
            found.push((start, format!("{own_lines} lines in one function")));
        }
    }
    found
}

fn starts(source: &Source) -> Findings {
    if TASK_STARTS.iter().any(|(home, ..)| source.is_in(&[home])) {
        return vec![];
    }
    let ways = "tokio::spawn tokio::task::spawn tokio::task::JoinSet tokio_util::task::TaskTracker";
    let mut found = source.naming(ways, "");
    let through = |at: usize| {
        let value = source.live[..at].trim_end_matches(['.', ' ', '\n']);
        TASK_STARTS.iter().any(|(home, name, _)| {
            value.ends_with(name) && source.path.split('/').next() == home.split('/').next()
        })
    };
    if !THREAD_STARTS.iter().any(|(home, _)| source.is_in(&[home])) {
        let calls = source.calling(&source.live, "spawn");
        found.extend(calls.into_iter().filter(|(at, _)| !through(*at)));
    }
    found
}

/// One file of Rust; `code`, `live` and `tests` are `text` with the rest blanked, byte for byte.
struct Source {
    path: String,
    text: String,
    /// Without comments and literals.
    code: String,
    /// The code that ships: under `src`, outside tests.
    live: String,
    /// All other code.
    tests: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
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

    fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    fn is_in(&self, homes: &[&str]) -> bool {
        homes.iter().any(|home| self.path.starts_with(home))
    }

    /// Shipped code that names one of `banned` or something under it, `use` groups included.
    fn naming(&self, banned: &str, except: &str) -> Findings {
        let under = |path: &str, roots: &str| {
            roots.split(' ').any(|root| path == root || path.starts_with(&format!("{root}::")))
        };
        let mut found = paths(&self.live);
        found.retain(|(_, path)| under(path, banned) && !under(path, except));
        found.into_iter().map(|(at, path)| (at, format!("names `{path}`"))).collect()
    }

    /// Calls of a function or method `name` in `code`, which is one of this file's views.
    fn calling(&self, code: &str, name: &str) -> Findings {
        words(code, name)
            .filter(|at| code[at + name.len()..].trim_start().starts_with('('))
            .filter(|at| !code[..*at].trim_end().ends_with("fn"))
            .map(|at| (at, format!("calls `{name}`")))
            .collect()
    }
}

/// Blanks comments and literals; every other byte keeps its place.
fn code_of(text: &str) -> String {
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
fn hidden_len(text: &[u8], at: usize) -> usize {
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
fn after(text: &[u8], end: &[u8]) -> usize {
    text.windows(end.len()).position(|seen| seen == end).map_or(text.len(), |at| at + end.len())
}

fn quoted_len(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// What ends the raw string whose opening quote follows `before`, if it is one.
fn raw_string_end(before: &[u8]) -> Option<Vec<u8>> {
    let hashes = before.iter().rev().take_while(|byte| **byte == b'#').count();
    let before = &before[..before.len() - hashes];
    let prefix = before.iter().rev().take_while(|byte| is_word(**byte)).count();
    let raw = matches!(&before[before.len() - prefix..], b"r" | b"br" | b"cr");
    raw.then(|| [b"\"".as_slice(), &vec![b'#'; hashes]].concat())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `word` stands in `text` and is not a part of a longer word.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = text.as_bytes();
    let (first, last) = (word.as_bytes()[0], word.as_bytes()[word.len() - 1]);
    let cut = |at: usize, edge: u8| !is_word(edge) || !bytes.get(at).is_some_and(|b| is_word(*b));
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| cut(at.wrapping_sub(1), first) && cut(at + word.len(), last))
}

/// Where the item that starts at `from` ends: after its closing brace or semicolon.
fn item_end(code: &str, from: usize) -> usize {
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

fn test_items(code: &str) -> Vec<Range<usize>> {
    ["#[cfg(test)]", "#[cfg(all(test", "#[test]", "#[tokio::test"]
        .iter()
        .flat_map(|attribute| code.match_indices(attribute))
        .map(|(at, _)| at..item_end(code, at))
        .collect()
}

/// Every path in `code`, groups written out: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<(usize, String)> {
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
fn dependencies(manifest: &str) -> Vec<String> {
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

fn own_edges(manifest: &str) -> Vec<String> {
    let mut names = dependencies(manifest);
    names.retain(|name| EDGES.iter().any(|(own, _)| own == name));
    names
}

/// The text of one file, by its path from the root of the repository.
fn read(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let bytes = fs::read(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every file of the repository: path from its root, and text.
fn files() -> Vec<(String, String)> {
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
