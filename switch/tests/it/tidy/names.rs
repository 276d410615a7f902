//! One meaning a name: no two types of the decisions and the stores are called the same, and the
//! switch calls none of its types as the decisions call one of theirs.

use std::collections::BTreeMap;

use super::*;

/// The crates in which a type's name is looked for. `storage/model` is none of them: it is a model of
/// the others and calls its parts as they do.
const FAMILY: [&str; 6] = [
    "router/src/",
    "storage/src/",
    "storage/redis/src/",
    "storage/cql/src/",
    "storage/cluster/src/",
    "storage/backoffice/src/",
];

#[test]
fn no_two_types_of_the_decisions_and_the_stores_have_one_name() {
    let of = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let twice = [of("router/src/a.rs", "pub struct Step;"), of("storage/src/b.rs", "enum Step {}")];
    assert_eq!(shared_names(&twice), ["Step: router/src/a.rs:1, storage/src/b.rs:1"]);
    let once = [
        of("router/src/a.rs", "pub struct Step; impl Step {} // enum Step"),
        of("storage/src/b.rs", "use router::Step;\n#[cfg(test)]\nmod tests { struct Step; }"),
        of("storage/src/tests.rs", "struct Step;"),
        of("storage/model/src/a.rs", "struct Step;"),
        of("storage/src/c.rs", "impl A for B { type Step = u8; }"),
    ];
    assert_eq!(shared_names(&once), [""; 0]);
    let shared = shared_names(&files());
    assert!(shared.is_empty(), "{} names with two meanings\n{}", shared.len(), shared.join("\n"));
}

#[test]
fn no_type_of_the_switch_has_the_name_of_a_type_of_the_decisions() {
    let of = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let twice = [
        of("router/src/a.rs", "pub struct Step;"),
        of("switch/src/b.rs", "struct Step; struct Line;"),
        of("switch/src/c.rs", "struct Line;"),
    ];
    assert_eq!(
        names_of_decisions_in_switch(&twice),
        ["Step: router/src/a.rs:1, switch/src/b.rs:1"]
    );
    let shared = names_of_decisions_in_switch(&files());
    assert!(shared.is_empty(), "{} names with two meanings\n{}", shared.len(), shared.join("\n"));
}

/// Names of types of `switch` that `router` gives to a type too. Two private types of `switch` may
/// share a name: nobody reads both in one place.
fn names_of_decisions_in_switch(files: &[(String, String)]) -> Vec<String> {
    let shared = places_by_name(files, &["router/src/", "switch/src/"]).into_iter();
    shared
        .filter(|(_, places)| {
            let is_of = |family: &str| places.iter().any(|place| place.starts_with(family));
            is_of("router/") && is_of("switch/")
        })
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect()
}

/// Names of more than one type, each with all its places.
fn shared_names(files: &[(String, String)]) -> Vec<String> {
    places_by_name(files, &FAMILY)
        .into_iter()
        .filter(|(_, places)| 1 < places.len())
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect()
}

/// All types of some folders: where those of each name are declared.
fn places_by_name(files: &[(String, String)], family: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let source = Source::new(path, text);
        if !source.is_in(family) {
            continue;
        }
        for (at, name) in types(&source.live) {
            places.entry(name.to_owned()).or_default().push(format!("{path}:{}", source.line(at)));
        }
    }
    places
}

/// The types that are declared in some code.
fn types(code: &str) -> Vec<(usize, &str)> {
    let declared = ["struct", "enum", "trait", "union"].into_iter().flat_map(|keyword| {
        words(code, keyword).filter_map(move |at| {
            let rest = &code[at + keyword.len()..];
            let name = rest.trim_start();
            let len = name.bytes().take_while(|byte| is_word(*byte)).count();
            (rest.len() != name.len() && 0 < len).then(|| (at, &name[..len]))
        })
    });
    declared.collect()
}
