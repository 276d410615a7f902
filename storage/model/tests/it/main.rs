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
    for (name, c) in [("split2", { let mut c = scenario::forgetting(); c.faults.flushes=0; c.faults.timeouts=1; c}),("both2", { let mut c = scenario::forgetting();  c}),("flush3", { let mut c = scenario::forgetting(); c.faults.flushes=2; c.faults.changes=3;c.faults.promotions=0; c}),
 ("tf", { let mut c = scenario::takeover(); c.faults.flushes=1; c.faults.changes=1; c.faults.takeovers=1; c.faults.timeouts=0; c}),
 ("tp", { let mut c = scenario::takeover(); c.faults.promotions=1; c.faults.changes=1; c.faults.takeovers=1; c.faults.timeouts=0;c.faults.crashes=0; c}),
 ("nt2", { let mut c = scenario::new_lane(); c.faults.takeovers=1; c.payments[0].node=0; c.payments[0].lane=2; c.payments[1].node=1; c.payments[1].lane=1; c.plant=if std::env::var("Q").is_ok() {Some(Plant::TakenLaneNotRechecked)} else {None};c}),
 ("nt", { let mut c = scenario::new_lane(); c.faults.takeovers=1; c}),
 ("flush", { let mut c = scenario::forgetting(); c.faults.promotions=0; c}), ("split", { let mut c = scenario::forgetting(); c.faults.flushes=0; c}), ("both1", { let mut c = scenario::forgetting(); c.faults.changes=1; c}), ("fflush3", { let mut c = scenario::forgetting(); c.faults.promotions=0; c.faults.changes=3; c.faults.flushes=2; c}), ("takeover", scenario::takeover()), ("new_lane", scenario::new_lane())] {
        if which.is_empty() || which == name { run(name, c.clone()); 
        if std::env::var("P").is_ok() {
        for p in [Plant::NoFence, Plant::FenceAfterRebuild, Plant::HeadBeforeFrameAcknowledged, Plant::HoldReleasedByTime, Plant::NewLaneNotRechecked, Plant::TakenLaneNotRechecked, Plant::HoldsReleasedByLaneAlone, Plant::PinNotCompared, Plant::SettledWithoutGate] { run(name, Cluster { plant: Some(p), ..c.clone() }); } } }
    }
}
