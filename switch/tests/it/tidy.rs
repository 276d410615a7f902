//! House rules that no compiler checks. Each is a test, and each first proves that it can fail.
//!
//! The reader is a small lexer, not a parser: it knows comments, literals and braces. A module of
//! tests in a file of its own is recognised by its name (`tests.rs`, `…_tests.rs`, `tests/`).

mod circles;
mod names;
mod source;

use std::fs;
use std::ops::Range;
use std::path::Path;

pub use source::files;
use source::*;

/// The members of the workspace by their folders, and what each needs of them; a new edge is a
/// design change. A crate within a folder of another is called by both: `storage/redis` is
/// `storage-redis`.
const EDGES: [(&str, &[&str]); 12] = [
    ("router", &[]),
    ("codecs", &["router"]),
    ("storage", &["router"]),
    ("storage/redis", &["router", "storage"]),
    ("storage/cql", &["router", "storage"]),
    ("storage/cluster", &["router", "storage", "storage-cql", "storage-redis"]),
    ("storage/backoffice", &["router", "storage"]),
    ("storage/model", &[]),
    (
        "switch",
        &[
            "codecs",
            "loadtest",
            "router",
            "storage",
            "storage-backoffice",
            "storage-cluster",
            "storage-cql",
            "storage-redis",
        ],
    ),
    ("loadtest", &["codecs", "router"]),
    ("benches", &["codecs", "router", "storage"]),
    ("rig", &[]),
];

/// Everything the pure crates may depend on. No serde in `router`: wire shapes live in `codecs`.
const PURE: [(&str, &str); 2] = [
    ("router", "foldhash iso_currency sha2 smallvec thiserror zeroize"),
    (
        "codecs",
        "router aes aws-lc-rs base64 bytes calamine cmac csv des fast_qr hex hmac http memchr png \
         quick-xml rust_xlsxwriter serde serde_json serde_path_to_error sfv sha2 smallvec subtle \
         thiserror tokio-util toml utoipa zeroize zip",
    ),
];

/// What reaches the world, a clock or chance; a pure crate names none of it …
const IMPURE: &str = "std::env std::fs std::io::stderr std::io::stdin std::io::stdout std::net \
                      std::os std::process std::thread std::time tokio tokio_util rand";
/// … but for these harmless corners.
const PURE_ENOUGH: &str = "std::time::Duration tokio_util::codec";

/// Where a crate may start asynchronous tasks, the name of the value that does so elsewhere in it,
/// and why.
const TASK_STARTS: [(&str, &str, &str); 4] = [
    ("switch/src/supervise", "supervisor", "each has a name, a phase and a bounded drain"),
    ("loadtest/src/tasks", "tasks", "all of a run are stopped together when it ends"),
    ("storage/cql/src/session", "runtime", "the driver's own runtime, which ends with the session"),
    ("storage/src/conformance", "tasks", "a test suite, whose callers race on purpose"),
];
/// Where plain threads may start besides, and why.
const THREAD_STARTS: [(&str, &str); 10] = [
    ("storage/src/", "the writer and its helpers block on the disk"),
    (
        "storage/backoffice/src/projector",
        "it blocks on the journal, and has a lower priority than payments",
    ),
    ("storage/cluster/src/", "a node watches the others and the gate, which block on the network"),
    ("rig/src/", "servers are processes, and a proxy's connections block"),
    ("loadtest/src/json_log", "the log blocks on the disk"),
    ("loadtest/src/drive/pacer", "the runtime's timers tick too coarsely to pace load"),
    ("loadtest/src/bin/", "starts the switch's own program, to have its journal exported"),
    ("switch/src/stop_deadline", "a stop ends though the runtime hangs"),
    ("switch/src/line_trace", "the trace blocks on the disk, and no payment waits for it"),
    ("switch/src/admin", "health and metrics answer when the runtime is saturated"),
];

/// Where the switch opens connections, and why their addresses may be trusted.
const CONNECTS: [(&str, &str); 3] = [
    (
        "switch/src/outbound",
        "looks at every socket address: all that comes from outside goes there",
    ),
    ("switch/src/cluster/peers", "nodes tell each other their addresses, and prove themselves"),
    ("switch/src/demo", "speaks to this machine alone"),
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
fn connections_are_opened_in_their_places_alone() {
    guard(connects, ("switch/src/a.rs", "fn a() { tokio::net::TcpStream::connect(b); }\n"));
    guard(
        connects,
        ("switch/src/a.rs", "use hyper_util::client::legacy::connect::HttpConnector;\n"),
    );
    guard(connects, ("switch/src/a.rs", "use tokio::net::TcpSocket;\n"));
    allows(connects, ("switch/src/outbound/a.rs", "fn a() { TcpStream::connect(b); }\n"));
    allows(connects, ("switch/src/a.rs", "use tokio::net::TcpStream;\n"));
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

fn connects(source: &Source) -> Findings {
    let is_home = CONNECTS.iter().any(|(home, _)| source.is_in(&[home]));
    if is_home || !source.is_in(&["switch/src/"]) {
        return vec![];
    }
    let ways = "hyper_util::client::legacy::connect::HttpConnector tokio::net::TcpSocket";
    let mut found = source.naming(ways, "");
    let connect = |at: &usize| source.live[..*at].ends_with("TcpStream::");
    let calls = source.calling(&source.live, "connect");
    found.extend(calls.into_iter().filter(|(at, _)| connect(at)));
    found.extend(source.calling(&source.live, "build_http"));
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
