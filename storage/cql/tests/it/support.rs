//! Keyspaces, connections, and frames of fictional records.

use std::sync::OnceLock;

use router::id::{EndpointId, Lane};
use router::record::{NoticeMark, Record};
use storage::Sealer;
use storage::conformance::sample::Sample;
use storage::guard::GateEpoch;
use storage::journal::{Backend, BackendError, Frame, Head, TailFrame};
use storage::record::encode;
use storage::seal::SealingKey;
use storage_cql::session::Replication;
use storage_cql::{Cql, CqlSettings, LaneBackend, LaneRow, Lanes, Owner, lane, schema};

/// Settings of a keyspace that is not there yet.
pub fn settings() -> CqlSettings {
    let nodes = rig::shared_cassandra().addresses();
    let replication = Replication::Everywhere(1);
    CqlSettings { replication, ..CqlSettings::new(nodes, &rig::fresh_keyspace()) }
}

/// A connection to a keyspace of its own.
pub fn connected() -> Cql {
    let settings = settings();
    schema::apply(&settings, "test").unwrap();
    Cql::connect(&settings).unwrap()
}

/// A connection that tests share: each has lanes of its own.
pub fn shared() -> &'static Cql {
    static SHARED: OnceLock<Cql> = OnceLock::new();
    SHARED.get_or_init(connected)
}

pub fn owner(node: &str) -> Owner {
    Owner { node: node.into(), incarnation: 7 }
}

/// A new lane of `node`'s.
pub fn new_lane(cql: &Cql, number: u16, node: &str) -> LaneRow {
    let created = Lanes::new(cql).create(Lane(number), node, &owner(node), GateEpoch(1)).unwrap();
    match created {
        lane::LaneCreation::Created(row) => row,
        lane::LaneCreation::Exists(row) => panic!("it is there: {row:?}"),
    }
}

pub fn sealer() -> &'static Sealer {
    static SEALER: OnceLock<Sealer> = OnceLock::new();
    SEALER.get_or_init(|| {
        Sealer::new("k1", vec![SealingKey { name: "k1".into(), bytes: [7; 32].into() }]).unwrap()
    })
}

/// Records one after another, as a frame has them: intents, of payments from `first` on.
pub fn intents(first: u64, count: u32) -> Vec<u8> {
    let mut body = Vec::new();
    for payment in first..first + u64::from(count) {
        let intent = Record::Intent(Box::new(Sample::new(payment).intent()));
        encode(&intent, sealer(), &mut body);
    }
    body
}

/// Records one after another, as small as they get.
pub fn marks(count: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for through in 0..count {
        let mark = NoticeMark { endpoint: EndpointId(1), through };
        encode(&Record::NoticeMark(mark), sealer(), &mut body);
    }
    body
}

/// The frame of `count` intents that comes after `previous`.
pub fn frame(previous: &Head, count: u32) -> TailFrame {
    TailFrame::after(previous, count, intents(1 + (previous.sequence & 0xffff_ffff), count))
}

/// Appends a frame; gives the head after it.
pub fn append(
    backend: &mut LaneBackend,
    frame: &TailFrame,
    decided_under: Option<GateEpoch>,
) -> Result<Head, BackendError> {
    let (previous, head, bytes) = (backend.row().head, frame.head(), frame.to_bytes());
    let frame = Frame { bytes: &bytes, previous: &previous, head: &head, decided_under };
    backend.append(&frame).map(|()| head)
}

/// Appends frames of so many records each; gives them.
pub fn append_all(backend: &mut LaneBackend, counts: &[u32]) -> Vec<TailFrame> {
    let append = |count: &u32| {
        let frame = frame(&backend.row().head, *count);
        append(backend, &frame, None).unwrap();
        frame
    };
    counts.iter().map(append).collect()
}
