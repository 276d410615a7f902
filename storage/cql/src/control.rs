//! The gate's epoch, and blocks of folios: one row each, changed by conditional updates alone.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use router::id::Folio;
use storage::guard::GateEpoch;

use crate::session::{Cql, CqlError, Judged, Statement};

/// Whether the gate lets anything in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgreedState {
    /// It is being filled from the journal.
    Rebuilding,
    /// It decides.
    Open,
}

/// The gate: which incarnation of the guard counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateRow {
    /// Its epoch; the first is 1.
    pub epoch: GateEpoch,
    /// Whether it lets anything in.
    pub state: AgreedState,
    /// What names the servers it is made of; empty until it is open.
    pub pin: Box<str>,
    /// Who began the epoch.
    pub changed_by: Box<str>,
    /// How far the rebuild has come, in words.
    pub progress: Box<str>,
}

/// What became of a change that others may make too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was made, and this is the row now.
    Made(GateRow),
    /// The row had changed before.
    Overtaken(Option<GateRow>),
}

/// The control table.
#[derive(Debug, Clone)]
pub struct Control {
    cql: Cql,
}

type Columns = (Option<i64>, Option<String>, Option<String>, Option<String>, Option<String>);

static READ_GATE: Statement = Statement::read_agreed(
    "gate_read",
    "SELECT epoch, state, pin, changed_by, progress FROM control WHERE name = 'gate'",
);
static CREATE_GATE: Statement = Statement::conditional(
    "gate_create",
    "INSERT INTO control (name, epoch, state, pin, changed_by, progress) \
     VALUES ('gate', ?, 'rebuilding', '', ?, '') IF NOT EXISTS",
);
static BEGIN_EPOCH: Statement = Statement::conditional(
    "gate_begin",
    "UPDATE control SET epoch = ?, state = 'rebuilding', pin = '', changed_by = ?, progress = '' \
     WHERE name = 'gate' IF epoch = ?",
);
static PUBLISH: Statement = Statement::conditional(
    "gate_publish",
    "UPDATE control SET state = 'open', pin = ?, progress = '' \
     WHERE name = 'gate' IF epoch = ? AND state = 'rebuilding'",
);
static PROGRESS: Statement = Statement::conditional(
    "gate_progress",
    "UPDATE control SET progress = ? WHERE name = 'gate' IF epoch = ? AND state = 'rebuilding'",
);
static READ_FOLIO: Statement = Statement::read_agreed(
    "folio_read",
    "SELECT folio_next, changed_by FROM control WHERE name = 'folio'",
);
static CREATE_FOLIO: Statement = Statement::conditional(
    "folio_create",
    "INSERT INTO control (name, folio_next, changed_by) VALUES ('folio', ?, ?) IF NOT EXISTS",
);
static TAKE_FOLIOS: Statement = Statement::conditional(
    "folio_take",
    "UPDATE control SET folio_next = ?, changed_by = ? WHERE name = 'folio' IF folio_next = ?",
);

impl Control {
    /// Over a connection.
    pub fn new(cql: &Cql) -> Self {
        Self { cql: cql.clone() }
    }

    /// The gate as it has been agreed on; none before the first epoch.
    pub fn gate(&self) -> Result<Option<GateRow>, CqlError> {
        self.cql.block_on(self.read_gate())
    }

    /// Begins the epoch after `from`, which closes the gate; none begins the first.
    ///
    /// Shape:  `by` is unique to the caller's incarnation: by it a change without answer is known.
    /// Errors: not settled within [`patience`](crate::CqlSettings::patience).
    pub fn begin_epoch(&self, from: Option<GateEpoch>, by: &str) -> Result<Change, CqlError> {
        let epoch = GateEpoch(from.map_or(1, |from| from.0 + 1));
        let is_ours = |row: &GateRow| row.epoch == epoch && &*row.changed_by == by;
        let is_before = |row: Option<&GateRow>| row.map(|row| row.epoch) == from;
        let number = epoch.0.cast_signed();
        self.cql.block_on(async {
            let judge = async |_| self.judge(is_ours, is_before).await;
            match from {
                None => self.cql.settle(&CREATE_GATE, (number, by), judge).await,
                Some(from) => {
                    let values = (number, by, from.0.cast_signed());
                    self.cql.settle(&BEGIN_EPOCH, values, judge).await
                }
            }
        })
    }

    /// Opens the gate of an epoch, once the guard reflects every lane.
    ///
    /// Errors: not settled within [`patience`](crate::CqlSettings::patience).
    pub fn publish(&self, epoch: GateEpoch, pin: &str) -> Result<Change, CqlError> {
        let is_ours = |row: &GateRow| {
            row.epoch == epoch && row.state == AgreedState::Open && &*row.pin == pin
        };
        let is_before = |row: Option<&GateRow>| {
            row.is_some_and(|row| row.epoch == epoch && row.state == AgreedState::Rebuilding)
        };
        let judge = async |_| self.judge(is_ours, is_before).await;
        self.cql.block_on(self.cql.settle(&PUBLISH, (pin, epoch.0.cast_signed()), judge))
    }

    /// Tells how far a rebuild has come; says whether it still is that epoch's. One attempt.
    pub fn progress(&self, epoch: GateEpoch, progress: &str) -> Result<bool, CqlError> {
        let values = (progress, epoch.0.cast_signed());
        self.cql.block_on(self.cql.attempt(&PROGRESS, values))
    }

    /// Takes the next `count` folios for the caller alone. What a caller that dies has not used is
    /// lost, and numbers are never given twice.
    ///
    /// Shape:  `count` > 0; `by` is unique to the caller's incarnation.
    /// Errors: not settled within [`patience`](crate::CqlSettings::patience); none left.
    pub fn next_folios(&self, count: u64, by: &str) -> Result<Range<u64>, CqlError> {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        // Two calls of one node may be under way at once, and must be told apart.
        let by = format!("{by}/{}", CALLS.fetch_add(1, Ordering::Relaxed));
        self.cql.block_on(async {
            loop {
                let row = self.read_folio().await?;
                let first = row.as_ref().map_or(1, |(next, _)| *next);
                let next = first.saturating_add(count);
                if next > Folio::MAX + 1 {
                    return Err(CqlError::row(&TAKE_FOLIOS, "no folios are left"));
                }
                if self.take_folios(row.map(|(next, _)| next), next, &by).await? {
                    return Ok(first..next);
                }
            }
        })
    }

    /// Moves the next folio from `first` to `next`; false where another has moved it.
    async fn take_folios(&self, first: Option<u64>, next: u64, by: &str) -> Result<bool, CqlError> {
        let number = next.cast_signed();
        let judge = async |applied| {
            if applied {
                return Ok(Judged::Done(true));
            }
            let row = self.read_folio().await?;
            Ok(match row {
                row if row.as_ref().map(|(next, _)| *next) == first => Judged::Again,
                Some((now, changed_by)) => Judged::Done(now == next && changed_by == by),
                None => Judged::Done(false),
            })
        };
        match first {
            None => self.cql.settle(&CREATE_FOLIO, (number, by), judge).await,
            Some(first) => {
                let values = (number, by, first.cast_signed());
                self.cql.settle(&TAKE_FOLIOS, values, judge).await
            }
        }
    }

    async fn judge(
        &self,
        is_ours: impl Fn(&GateRow) -> bool,
        is_before: impl Fn(Option<&GateRow>) -> bool,
    ) -> Result<Judged<Change>, CqlError> {
        let row = self.read_gate().await?;
        Ok(match row {
            row if is_before(row.as_ref()) => Judged::Again,
            Some(row) if is_ours(&row) => Judged::Done(Change::Made(row)),
            row => Judged::Done(Change::Overtaken(row)),
        })
    }

    async fn read_gate(&self) -> Result<Option<GateRow>, CqlError> {
        let found = self.cql.row::<Columns>(&READ_GATE, ()).await?;
        let Some((Some(epoch), state, pin, changed_by, progress)) = found else {
            return Ok(None);
        };
        let text = |text: Option<String>| Box::from(text.unwrap_or_default());
        let state = match state.as_deref() {
            Some("open") => AgreedState::Open,
            Some("rebuilding") => AgreedState::Rebuilding,
            Some(_) | None => return Err(CqlError::row(&READ_GATE, "no such state")),
        };
        let epoch = GateEpoch(epoch.cast_unsigned());
        let (pin, changed_by, progress) = (text(pin), text(changed_by), text(progress));
        Ok(Some(GateRow { epoch, state, pin, changed_by, progress }))
    }

    async fn read_folio(&self) -> Result<Option<(u64, String)>, CqlError> {
        let found = self.cql.row::<(Option<i64>, Option<String>)>(&READ_FOLIO, ()).await?;
        let Some((Some(next), by)) = found else { return Ok(None) };
        Ok(Some((next.cast_unsigned(), by.unwrap_or_default())))
    }
}
