use std::collections::BTreeSet;

use storage::guard::GateEpoch;
use storage_cql::control::{AgreedState, Change};
use storage_cql::nodes::NodeRow;
use storage_cql::{Control, Nodes};

use crate::support::connected;

#[test]
fn an_epoch_of_the_gate_is_begun_by_one_and_opened_once() {
    let control = Control::new(&connected());
    assert_eq!(control.gate().unwrap(), None);
    let Change::Made(first) = control.begin_epoch(None, "a#1").unwrap() else { panic!("made") };
    assert_eq!((first.epoch, first.state), (GateEpoch(1), AgreedState::Rebuilding));
    let Change::Overtaken(Some(found)) = control.begin_epoch(None, "b#1").unwrap() else {
        panic!("only one begins the first")
    };
    assert_eq!(found, first);
    assert!(control.progress(GateEpoch(1), "3 of 4 lanes").unwrap());
    assert_eq!(&*control.gate().unwrap().unwrap().progress, "3 of 4 lanes");
    let Change::Made(open) = control.publish(GateEpoch(1), "pin 1").unwrap() else {
        panic!("opened")
    };
    assert_eq!((open.state, &*open.pin, &*open.changed_by), (AgreedState::Open, "pin 1", "a#1"));
    assert!(matches!(control.publish(GateEpoch(1), "pin 2").unwrap(), Change::Overtaken(_)));
    let made = control.begin_epoch(Some(GateEpoch(1)), "b#1").unwrap();
    assert!(matches!(made, Change::Made(row) if row.epoch == GateEpoch(2) && row.pin.is_empty()));
    assert!(matches!(control.publish(GateEpoch(1), "pin 1").unwrap(), Change::Overtaken(_)));
    assert!(!control.progress(GateEpoch(1), "late").unwrap());
}

#[test]
fn blocks_of_folios_never_overlap() {
    let control = Control::new(&connected());
    let taken = std::thread::scope(|scope| {
        let take = |by: &'static str| {
            let control = &control;
            let blocks = move || (1..=8).map(|size| control.next_folios(size, by).unwrap());
            scope.spawn(move || blocks().flatten().collect::<Vec<u64>>())
        };
        [take("a#1"), take("a#1"), take("b#1")].map(|thread| thread.join().unwrap())
    });
    let all: Vec<u64> = taken.into_iter().flatten().collect();
    let distinct: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (3 * 36, 3 * 36));
    assert_eq!(distinct.first(), Some(&1));
}

#[test]
fn a_node_is_seen_by_its_last_beat() {
    let cql = connected();
    let nodes = Nodes::new(&cql);
    assert_eq!(nodes.all().unwrap(), []);
    let node = |name: &str, beat, gate_epoch| NodeRow {
        name: name.into(),
        incarnation: u64::MAX,
        address: "10.0.0.1:7000".into(),
        version: "0.1.0".into(),
        beat,
        gate_epoch,
        started_at_ms: 1_700_000_000_000,
        config_version: 3,
        redis_clock_ahead_ms: Some(-4),
        status: "serving".into(),
        has_ended: false,
        refused: "".into(),
    };
    nodes.beat(&node("b", 1, Some(GateEpoch(4)))).unwrap();
    nodes.beat(&node("a", 1, None)).unwrap();
    let last = node("b", 2, None);
    nodes.beat(&last).unwrap();
    assert_eq!(nodes.all().unwrap(), [node("a", 1, None), last]);
    let restarted = NodeRow { incarnation: 1, ..node("b", 1, None) };
    Nodes::new(&cql).beat(&restarted).unwrap();
    assert_eq!(nodes.all().unwrap()[1], restarted, "by another run of the node");
    let ended = NodeRow { beat: 2, has_ended: true, ..restarted };
    nodes.beat(&ended).unwrap();
    assert_eq!(nodes.node("b").unwrap(), Some(ended.clone()));
    assert_eq!(nodes.node("c").unwrap(), None);
    // Noted by another process, and kept by the node's own beats.
    Nodes::new(&cql).note_refused("b", "10.0.0.2:7000").unwrap();
    let beaten = NodeRow { beat: 3, ..ended };
    nodes.beat(&beaten).unwrap();
    let refused = "10.0.0.2:7000".into();
    assert_eq!(nodes.node("b").unwrap(), Some(NodeRow { refused, ..beaten }));
}
