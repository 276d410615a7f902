//! What a lane takes: frames and records a second, on a Cassandra of its own, for frames of several
//! sizes and for both kinds of Paxos, with one lane and with four.
//!
//! ```text
//! cargo run --release -p storage-cql --example lane
//! ```
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use rig::{Cassandra, CassandraOptions, Jit, Paxos};
use router::id::Lane;
use storage::guard::GateEpoch;
use storage::journal::{Backend, Frame, TailFrame};
use storage_cql::lane::LaneCreation;
use storage_cql::session::Replication;
use storage_cql::{Cql, CqlSettings, LaneBackend, Lanes, Owner, schema};

const RECORD_BYTES: usize = 400;
const WARM_UP: Duration = Duration::from_secs(20);
const MEASURED: Duration = Duration::from_secs(8);

fn main() {
    for paxos in [Paxos::V1, Paxos::V2] {
        let options = CassandraOptions { paxos, jit: Jit::Full, ..CassandraOptions::default() };
        let cassandra = Cassandra::start_with(1, &options).unwrap();
        let settings = CqlSettings::new(cassandra.addresses(), "lanes");
        let settings = CqlSettings { replication: Replication::Everywhere(1), ..settings };
        schema::apply(&settings, "example").unwrap();
        let cql = Cql::connect(&settings).unwrap();
        let mut lane = 0;
        run(&cql, &mut lane, (1, 128), WARM_UP);
        for lanes in [1, 4] {
            for records in [32, 128, 512] {
                let before = cql.figures();
                let frames = run(&cql, &mut lane, (lanes, records), MEASURED);
                let after = cql.figures();
                let a_second = frames / MEASURED.as_secs();
                println!(
                    "{paxos:?}, {lanes} lanes, {records} records a frame: {a_second} frames/s, \
                     {} records/s; {frames} frames took {} statements, {} of them conditional",
                    a_second * u64::from(records),
                    after.statements - before.statements,
                    after.conditional_updates - before.conditional_updates,
                );
            }
        }
    }
}

/// Appends to so many new lanes at once; gives the number of frames.
fn run(cql: &Cql, next: &mut u16, (lanes, records): (u16, u32), within: Duration) -> u64 {
    let numbers = *next..*next + lanes;
    *next += lanes;
    std::thread::scope(|scope| {
        let append = |lane| move || append(cql, Lane(lane), records, within);
        let threads: Vec<_> = numbers.map(|lane| scope.spawn(append(lane))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn append(cql: &Cql, lane: Lane, records: u32, within: Duration) -> u64 {
    let owner = Owner { node: "example".into(), incarnation: 1 };
    let created = Lanes::new(cql).create(lane, "example", &owner, GateEpoch(1)).unwrap();
    let LaneCreation::Created(row) = created else { panic!("the lane is new") };
    let mut backend = LaneBackend::new(cql, row);
    let body = vec![0; usize::try_from(records).unwrap() * RECORD_BYTES];
    let (began, mut frames) = (Instant::now(), 0);
    while began.elapsed() < within {
        let previous = backend.row().head;
        let frame = TailFrame::after(&previous, records, body.clone());
        let (bytes, head) = (frame.to_bytes(), frame.head());
        let frame = Frame { bytes: &bytes, previous: &previous, head: &head, decided_under: None };
        backend.append(&frame).unwrap();
        frames += 1;
    }
    frames
}
