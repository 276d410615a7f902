//! The modules of these crates are drawn without circles: what a module uses never uses that module.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The crates without circles.
const CRATES: [&str; 9] = [
    "router/src/",
    "codecs/src/",
    "storage/src/",
    "storage/redis/src/",
    "storage/cql/src/",
    "storage/cluster/src/",
    "storage/backoffice/src/",
    "switch/src/",
    "loadtest/src/",
];

/// What each module uses of the others. Each adapter is a module of its own.
type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_module_uses_one_that_uses_it() {
    let circle = [
        ("switch/src/a.rs", "use crate::{b::Thing, c};\n"),
        ("switch/src/b/part.rs", "fn f() { crate::adapter::json::g() }\n"),
        ("switch/src/adapter/json/g.rs", "use crate::a;\n"),
    ];
    assert_eq!(circle_in(&uses(&sources(circle))), ["a", "adapter::json", "b"], "it can fail");
    let straight = [
        ("switch/src/a.rs", "use crate::adapter::iso8583::Line;\n"),
        ("switch/src/adapter/iso8583.rs", "#[cfg(test)]\nmod tests { use crate::a; }\n"),
        ("switch/src/adapter/json.rs", "use crate::a;\n"),
    ];
    assert_eq!(circle_in(&uses(&sources(straight))), [""; 0], "two adapters are two modules");
    for home in CRATES {
        let own = files().into_iter().filter(|(path, _)| path.starts_with(home));
        let own: Vec<Source> = own.map(|(path, text)| Source::new(&path, &text)).collect();
        assert!(own.len() > 5, "the files of {home} are found");
        assert_eq!(circle_in(&uses(&own)), [""; 0], "{home}: these use each other in a circle");
    }
}

fn sources<const LEN: usize>(files: [(&str, &str); LEN]) -> [Source; LEN] {
    files.map(|(path, text)| Source::new(path, text))
}

fn uses(sources: &[Source]) -> Uses {
    let mut uses = Uses::new();
    for source in sources {
        let Some(module) = module_of(&source.path) else { continue };
        let used = paths(&source.live).into_iter().filter_map(|(_, path)| module_named(&path));
        uses.entry(module.clone()).or_default().extend(used.filter(|used| *used != module));
    }
    uses
}

/// The module that a file is of; none of the crate's root and of its tests.
fn module_of(path: &str) -> Option<String> {
    let (_, path) = path.split_once("/src/")?;
    let module = path_to_module(path.trim_end_matches(".rs").split('/'));
    // The suites of tests that a library offers stand above all of it.
    let is_root = ["lib", "main", "conformance", "testing"].contains(&module.as_str());
    (!is_root).then_some(module)
}

/// The module that a path of the crate names.
fn module_named(path: &str) -> Option<String> {
    Some(path_to_module(path.strip_prefix("crate::")?.split("::")))
}

fn path_to_module<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let first = names.next().unwrap_or_default();
    match names.next() {
        Some(second) if first == "adapter" && second.starts_with(char::is_lowercase) => {
            format!("{first}::{second}")
        }
        Some(_) | None => first.to_owned(),
    }
}

/// The modules of the first circle, in the order of their names; empty where there is none.
fn circle_in(uses: &Uses) -> Vec<String> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        uses.keys().map(|module| (module, reached_from(uses, module))).collect();
    let Some(first) = uses.keys().find(|module| reached[module].contains(module)) else {
        return Vec::new();
    };
    let is_of_circle = |module: &&String| {
        reached[first].contains(module)
            && reached.get(module).is_some_and(|all| all.contains(first))
    };
    uses.keys().filter(is_of_circle).cloned().collect()
}

/// All modules that one uses, by way of others too.
fn reached_from<'a>(uses: &'a Uses, module: &'a String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![module];
    while let Some(module) = open.pop() {
        let used = uses.get(module).into_iter().flatten();
        open.extend(used.filter(|used| reached.insert(*used)));
    }
    reached
}
