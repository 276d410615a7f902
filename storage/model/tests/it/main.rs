//! x
use stateright::{Checker, Model, HasDiscoveries};
use storage_model::{scenario, Cluster, Plant};
fn run(name: &str, cluster: Cluster) {
    let start = std::time::Instant::now();
    let checker = cluster.clone().checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{name} {:?}: {} states, {} unique, depth {}, {:?}", cluster.plant, checker.state_count(), checker.unique_state_count(), checker.max_depth(), start.elapsed());
    for (name, path) in checker.discoveries() {
        println!("   {name}: {} steps", path.clone().into_actions().len());
        for p in cluster.properties() { if p.name == name && p.expectation.discovery_is_failure() {
            for a in path.clone().into_actions() { println!("        {a:?}"); }
        } }
    }
}
#[test]
fn a() {
    let which = std::env::var("S").unwrap_or_default();
    for (name, c) in [("forgetting", scenario::forgetting()), ("takeover", scenario::takeover()), ("new_lane", scenario::new_lane())] {
        if which.is_empty() || which.contains(name) { run(name, c.clone()); 
        if std::env::var("P").is_ok() {
        for p in [Plant::NoFence, Plant::FenceAfterRebuild, Plant::HeadBeforeFrameAcknowledged, Plant::HoldReleasedByTime, Plant::NewLaneNotRechecked, Plant::TakenLaneNotRechecked, Plant::HoldsReleasedByLaneAlone, Plant::PinNotCompared, Plant::SettledWithoutGate] { run(name, Cluster { plant: Some(p), ..c.clone() }); } } }
    }
}
