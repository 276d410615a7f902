//! Three nodes, of which one may be lost.

use std::time::{Duration, Instant};

use rig::Cassandra;
use storage_cql::session::Replication;
use storage_cql::{Cql, CqlSettings, LaneBackend, frames, schema};

use crate::support::{append, frame, new_lane};

/// An attempt or two that are not answered; a busy machine has its part.
const LONGEST: Duration = Duration::from_secs(30);

#[test]
fn a_lane_goes_on_while_one_of_three_nodes_is_dead_or_paused() {
    let cassandra = Cassandra::start(3).unwrap();
    let settings = CqlSettings::new(cassandra.addresses(), "three");
    let settings = CqlSettings { replication: Replication::Everywhere(3), ..settings };
    schema::apply(&settings, "test").unwrap();
    let cql = Cql::connect(&settings).unwrap();
    let row = new_lane(&cql, 1, "a");
    let lane = row.lane;
    let mut backend = LaneBackend::new(&cql, row);
    let mut appended = 0;
    let mut go_on = |frames: u64| {
        for _ in 0..frames {
            let began = Instant::now();
            let next = frame(&backend.row().head, 40);
            append(&mut backend, &next, None).unwrap();
            assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
            appended += 40;
        }
    };
    go_on(10);
    cassandra.kill(2);
    go_on(30);
    cassandra.restart(2).unwrap();
    cassandra.wait_all_write().unwrap();
    go_on(10);
    cassandra.pause(1).unwrap();
    go_on(30);
    cassandra.resume(1).unwrap();
    go_on(10);
    assert_eq!(frames::verify(&cql, lane).unwrap().records, appended);
}
