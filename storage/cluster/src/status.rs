//! The cluster as its tables show it: for `cauce cluster status` and for dashboards.

use std::time::{Duration, Instant};

use storage::journal::Head;
use storage::view::Views;
use storage_cql::control::GateRow;
use storage_cql::nodes::NodeRow;
use storage_cql::{Control, Cql, CqlError, CqlSettings, CqlViews, LaneRow, Lanes, Nodes};

use crate::watch::Watch;

/// How often the nodes are looked at while they are watched.
const LOOKS: u32 = 8;

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// The gate; none before the first node has started.
    pub gate: Option<GateRow>,
    /// All nodes that ever were.
    pub nodes: Vec<NodeStatus>,
    /// All lanes.
    pub lanes: Vec<LaneStatus>,
}

/// One node.
#[derive(Debug, Clone)]
pub struct NodeStatus {
    /// What it says of itself.
    pub row: NodeRow,
    /// Whether it gave a sign of life while it was watched.
    pub lives: bool,
    /// Where another process is that uses its name, or was refused it lately.
    pub twin: Option<Box<str>>,
}

/// One lane.
#[derive(Debug, Clone)]
pub struct LaneStatus {
    /// What is agreed on.
    pub row: LaneRow,
    /// Records in it.
    pub records: u64,
    /// Records that the read models do not show yet.
    pub lag: u64,
}

/// Watches the nodes for a while, then tells what there is. Blocks.
///
/// Shape:  `watched` is longer than the pause between two signs of life.
/// Errors: the servers cannot be asked.
pub fn look(
    settings: &CqlSettings,
    watched: Duration,
    wait: impl Fn(Duration),
) -> Result<Status, CqlError> {
    let cql = Cql::connect(settings)?;
    let (nodes, began) = (Nodes::new(&cql), Instant::now());
    let mut watch = Watch::new(watched / 2);
    watch.see(nodes.all()?, began);
    // Often enough that silence is theirs: who looks seldom has not seen it.
    for nth in 1..=LOOKS {
        wait(watched / LOOKS);
        watch.see(nodes.all()?, began + watched / LOOKS * nth);
    }
    let rows = nodes.all()?;
    let now = began + watched;
    let living = |row: NodeRow| {
        let lives = watch.lives(&format!("{}#{}", row.name, row.incarnation), now);
        let refused = Some(row.refused.clone()).filter(|address| !address.is_empty());
        let twin = watch.twin(&row.name).map(Box::from).or(refused);
        NodeStatus { row, lives, twin }
    };
    let lanes = Lanes::new(&cql).all()?;
    Ok(Status {
        gate: Control::new(&cql).gate()?,
        nodes: rows.into_iter().map(living).collect(),
        lanes: lanes.into_iter().map(|row| lane(&cql, row)).collect::<Result<_, _>>()?,
    })
}

fn lane(cql: &Cql, row: LaneRow) -> Result<LaneStatus, CqlError> {
    let base = Head::of_lane(row.lane).sequence;
    // Where the position cannot be read, everything is behind.
    let position = CqlViews::new(cql, row.lane).position();
    let written = position.map_or(base, |at| at.written.max(base));
    let (records, lag) = (row.head.sequence - base, row.head.sequence.saturating_sub(written));
    Ok(LaneStatus { row, records, lag })
}
