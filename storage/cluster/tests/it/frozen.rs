//! A cluster whose nodes are of two builds.

use std::path::Path;

use router::id::Lane;
use storage::conformance::frozen;
use storage::verify;
use storage_cql::{Cql, frames};

use crate::support::{PATIENCE, World, stop};

/// A lane that a node of a later build wrote, whose records have fields that this build does not
/// know, is taken over and read as far as this build knows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_reads_what_a_node_of_a_later_build_wrote() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/journals/v2");
    let known = std::fs::read_to_string(kept.join("known.txt")).unwrap();
    let expected: Vec<&str> = known.lines().filter(|line| line.contains(" received ")).collect();
    let (node, _) = tokio::task::spawn_blocking(move || {
        let world = World::fresh();
        let later = tempfile::tempdir().unwrap();
        frozen::write_as_a_later_build(&kept, later.path());
        let cql = Cql::connect(&world.cql()).unwrap();
        let written = verify::frames(later.path()).unwrap();
        frames::import(&cql, Lane::default(), written).unwrap();
        world.node("node-1")
    })
    .await
    .unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    let found = loop {
        let found = frozen::describe_payments(node.store()).await;
        if found == expected || std::time::Instant::now() > deadline {
            break found;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).for_each(|(found, expected)| assert_eq!(found, expected));
    stop(node).await;
}
