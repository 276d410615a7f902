//! One lane, as its row says.

use std::collections::BTreeMap;
use std::fmt;

use router::id::Lane;
use scylla::DeserializeRow;
use storage::guard::GateEpoch;
use storage::journal::{Chain, Head};

use super::Starts;

/// Who may write a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The node's name.
    pub node: Box<str>,
    /// Which of its runs; unique among them, so that a node that was started again is another.
    pub incarnation: u64,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.node, self.incarnation)
    }
}

/// One lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRow {
    /// Which.
    pub lane: Lane,
    /// The node it goes back to when that is there.
    pub home: Box<str>,
    /// Who may write it.
    pub owner: Owner,
    /// Counts its owners, and each time one of them was fenced by a change of the guard.
    pub epoch: u64,
    /// Which records each of the last epochs wrote.
    pub starts: Starts,
    /// Nothing that was decided under an earlier epoch of the guard gets into it.
    pub guard_epoch: GateEpoch,
    /// How far it reaches.
    pub head: Head,
}

/// The row as the servers keep it.
#[derive(DeserializeRow)]
pub(super) struct Columns {
    lane: i32,
    home: Option<String>,
    owner: Option<String>,
    incarnation: Option<i64>,
    epoch: Option<i64>,
    starts: Option<BTreeMap<i64, i64>>,
    guard_epoch: Option<i64>,
    head: Option<i64>,
    chain: Option<Vec<u8>>,
}

impl Columns {
    pub(super) fn row(self) -> Result<LaneRow, String> {
        let missing = |column: &str| format!("lane {} has no {column}", self.lane);
        let number = |value: Option<i64>, column| {
            value.map(i64::cast_unsigned).ok_or_else(|| missing(column))
        };
        let chain: Option<[u8; 32]> = self.chain.as_deref().and_then(|bytes| bytes.try_into().ok());
        let head = Head {
            sequence: number(self.head, "head")?,
            chain: Chain(chain.ok_or_else(|| missing("chain"))?),
        };
        Ok(LaneRow {
            lane: Lane(u16::try_from(self.lane).map_err(|_| missing("valid number"))?),
            home: self.home.as_deref().unwrap_or_default().into(),
            owner: Owner {
                node: self.owner.as_deref().ok_or_else(|| missing("owner"))?.into(),
                incarnation: number(self.incarnation, "incarnation")?,
            },
            epoch: number(self.epoch, "epoch")?,
            starts: Starts::of_columns(self.starts.as_ref().ok_or_else(|| missing("starts"))?),
            guard_epoch: GateEpoch(number(self.guard_epoch, "guard epoch")?),
            head,
        })
    }
}

pub(crate) fn bytes(chain: &Chain) -> &[u8] {
    &chain.0
}
