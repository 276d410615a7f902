//! Lanes: who writes each, how far it reaches, which epoch of the guard it trusts.

mod reach;
mod row;

use router::id::Lane;
use storage::guard::GateEpoch;
use storage::journal::{Chain, Head};

pub(crate) use reach::{LaneExtent, LaneSignals, Starts};
use row::{Columns, bytes};
pub use row::{LaneRow, Owner};

use crate::session::{Cql, CqlError, Judged, Statement};

/// The lanes.
#[derive(Debug, Clone)]
pub struct Lanes {
    cql: Cql,
}

/// What became of taking a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneTakeover {
    /// It is the new owner's, with this row.
    Taken(LaneRow),
    /// Another has taken it before.
    Lost(LaneRow),
}

/// What became of making a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneCreation {
    /// It is new, and the owner's. Read the gate again before its first append: a change of epoch
    /// that did not see the lane has not fenced it.
    Created(LaneRow),
    /// There is one already.
    Exists(LaneRow),
}

static IDS: Statement = Statement::read("lane_ids", "SELECT lane FROM lane");
static READ: Statement = Statement::read_agreed(
    "lane_read",
    "SELECT lane, home, owner, incarnation, epoch, starts, guard_epoch, head, chain \
     FROM lane WHERE lane = ?",
);
static CREATE: Statement = Statement::conditional(
    "lane_create",
    "INSERT INTO lane \
     (lane, home, owner, incarnation, epoch, starts, guard_epoch, head, chain) \
     VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?) IF NOT EXISTS",
);
static TAKE: Statement = Statement::conditional(
    "lane_take",
    "UPDATE lane SET owner = ?, incarnation = ?, epoch = ?, starts = ? \
     WHERE lane = ? IF epoch = ? AND head = ?",
);
static FENCE: Statement = Statement::conditional(
    "lane_fence",
    "UPDATE lane SET guard_epoch = ? WHERE lane = ? IF guard_epoch = ?",
);

impl Lanes {
    /// Over a connection.
    pub fn new(cql: &Cql) -> Self {
        Self { cql: cql.clone() }
    }

    /// All of them, in order, each as it has been agreed on.
    pub fn all(&self) -> Result<Vec<LaneRow>, CqlError> {
        self.cql.block_on(async {
            let ids = self.cql.rows::<(i32,)>(&IDS, ()).await?;
            let mut lanes = Vec::with_capacity(ids.len());
            for (id,) in ids {
                // A lane that was being made when it was listed may not have been.
                lanes.extend(read_number(&self.cql, id).await?);
            }
            lanes.sort_by_key(|row| row.lane);
            Ok(lanes)
        })
    }

    /// One, as it has been agreed on.
    pub fn lane(&self, lane: Lane) -> Result<Option<LaneRow>, CqlError> {
        self.cql.block_on(read(&self.cql, lane))
    }

    /// Makes a lane, empty.
    ///
    /// Shape:  `home` names the node it goes back to when that is there.
    /// Errors: not settled within [`patience`](crate::CqlSettings::patience).
    pub fn create(
        &self,
        lane: Lane,
        home: &str,
        owner: &Owner,
        guard_epoch: GateEpoch,
    ) -> Result<LaneCreation, CqlError> {
        self.cql.block_on(create(&self.cql, lane, home, owner, guard_epoch))
    }

    /// Takes a lane over, or back: from then on its old owner can append nothing.
    ///
    /// Shape:  `owner` is unique to the incarnation; `expected` is the row the caller judged. Lost
    /// where that has changed, be it only that its owner has appended, and so lives.
    /// Errors: not settled within [`patience`](crate::CqlSettings::patience).
    pub fn take(
        &self,
        lane: Lane,
        owner: &Owner,
        expected: &LaneRow,
    ) -> Result<LaneTakeover, CqlError> {
        self.cql.block_on(take(&self.cql, lane, owner, expected))
    }

    /// Raises the epoch of the guard that a lane trusts; one that is as high already stays.
    ///
    /// From then on nothing that was decided under an earlier epoch gets into the lane. Gives the
    /// row as it is then.
    /// Errors: not settled within [`patience`](crate::CqlSettings::patience); no such lane.
    pub fn fence(&self, lane: Lane, guard_epoch: GateEpoch) -> Result<LaneRow, CqlError> {
        self.cql.block_on(fence(&self.cql, lane, guard_epoch))
    }
}

/// The row as it has been agreed on.
pub(crate) async fn read(cql: &Cql, lane: Lane) -> Result<Option<LaneRow>, CqlError> {
    read_number(cql, i32::from(lane.0)).await
}

/// The row of a lane that must be there.
pub(crate) async fn known(cql: &Cql, lane: Lane) -> Result<LaneRow, CqlError> {
    let row = read(cql, lane).await?;
    row.ok_or_else(|| CqlError::row(&READ, format!("lane {lane} is missing")))
}

async fn read_number(cql: &Cql, number: i32) -> Result<Option<LaneRow>, CqlError> {
    let found = cql.row::<Columns>(&READ, (number,)).await?;
    found.map(|columns| columns.row().map_err(|detail| CqlError::row(&READ, detail))).transpose()
}

pub(crate) async fn create(
    cql: &Cql,
    lane: Lane,
    home: &str,
    owner: &Owner,
    guard_epoch: GateEpoch,
) -> Result<LaneCreation, CqlError> {
    let head = Head::of_lane(lane);
    let row = LaneRow {
        lane,
        home: home.into(),
        owner: owner.clone(),
        epoch: 1,
        starts: Starts::first(head.sequence + 1),
        guard_epoch,
        head,
    };
    let values = (
        i32::from(lane.0),
        home,
        &*owner.node,
        owner.incarnation.cast_signed(),
        row.starts.columns(),
        guard_epoch.0.cast_signed(),
        head.sequence.cast_signed(),
        bytes(&Chain::ZERO),
    );
    let judge = async |_| {
        Ok(match read(cql, lane).await? {
            None => Judged::Again,
            Some(found) if found.owner == *owner && found.epoch == 1 => {
                Judged::Done(LaneCreation::Created(found))
            }
            Some(found) => Judged::Done(LaneCreation::Exists(found)),
        })
    };
    cql.settle(&CREATE, values, judge).await
}

/// One change of owner; lost where the row is not as expected any more.
async fn take(
    cql: &Cql,
    lane: Lane,
    owner: &Owner,
    expected: &LaneRow,
) -> Result<LaneTakeover, CqlError> {
    let epoch = expected.epoch + 1;
    let starts = expected.starts.then(epoch, expected.head.sequence + 1);
    let values = (
        &*owner.node,
        owner.incarnation.cast_signed(),
        epoch.cast_signed(),
        starts.columns(),
        i32::from(lane.0),
        expected.epoch.cast_signed(),
        expected.head.sequence.cast_signed(),
    );
    let judge = async |_| {
        let row = known(cql, lane).await?;
        let is_as_expected = row.epoch == expected.epoch && row.head == expected.head;
        Ok(match row {
            _ if is_as_expected => Judged::Again,
            row if row.epoch == epoch && row.owner == *owner => {
                Judged::Done(LaneTakeover::Taken(row))
            }
            row => Judged::Done(LaneTakeover::Lost(row)),
        })
    };
    cql.settle(&TAKE, values, judge).await
}

/// The next lane epoch under the same owner: frames that were written under the one before and are
/// beyond the head do not count.
pub(crate) async fn regain(cql: &Cql, row: &LaneRow) -> Result<LaneTakeover, CqlError> {
    take(cql, row.lane, &row.owner, row).await
}

pub(crate) async fn fence(
    cql: &Cql,
    lane: Lane,
    guard_epoch: GateEpoch,
) -> Result<LaneRow, CqlError> {
    loop {
        let found = known(cql, lane).await?;
        if found.guard_epoch >= guard_epoch {
            return Ok(found);
        }
        let values =
            (guard_epoch.0.cast_signed(), i32::from(lane.0), found.guard_epoch.0.cast_signed());
        let judge = async |_| {
            let row = known(cql, lane).await?;
            let is_before = row.guard_epoch == found.guard_epoch;
            Ok(if is_before { Judged::Again } else { Judged::Done(()) })
        };
        cql.settle(&FENCE, values, judge).await?;
    }
}
