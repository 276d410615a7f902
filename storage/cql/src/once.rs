//! What is done once in the life of a cluster, by whichever node comes first.

use crate::session::{Cql, CqlError, Judged, Statement};

/// What is done once: opening an account, for one.
#[derive(Debug, Clone)]
pub struct Once {
    cql: Cql,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The caller's: do it, then say [`Once::done`].
    Mine,
    /// Nobody's: it is done.
    Done,
    /// Another's, who has not said so yet.
    HeldBy(Box<str>),
}

static READ: Statement =
    Statement::read_agreed("once_read", "SELECT state, changed_by FROM control WHERE name = ?");
static CLAIM: Statement = Statement::conditional(
    "once_claim",
    "INSERT INTO control (name, state, changed_by) VALUES (?, 'claimed', ?) IF NOT EXISTS",
);
static RECLAIM: Statement = Statement::conditional(
    "once_reclaim",
    "UPDATE control SET changed_by = ? WHERE name = ? IF state = 'claimed' AND changed_by = ?",
);
static DONE: Statement = Statement::conditional(
    "once_done",
    "UPDATE control SET state = 'done' WHERE name = ? IF state = 'claimed' AND changed_by = ?",
);

type Columns = (Option<String>, Option<String>);

impl Once {
    /// Over a connection.
    pub fn new(cql: &Cql) -> Self {
        Self { cql: cql.clone() }
    }

    /// Asks for the turn.
    ///
    /// Shape:  `by` is unique to the caller's incarnation.
    /// Errors: not settled within [`patience`](crate::CqlSettings::patience).
    pub fn begin(&self, what: &str, by: &str) -> Result<Turn, CqlError> {
        let name = name(what);
        self.cql.block_on(async {
            let judge = async |_| self.judge(&name, by).await;
            self.cql.settle(&CLAIM, (&*name, by), judge).await
        })
    }

    /// Takes the turn of one that is gone, and whose doings can no longer come to light.
    ///
    /// Errors: as [`Once::begin`].
    pub fn begin_after(&self, what: &str, by: &str, gone: &str) -> Result<Turn, CqlError> {
        let name = name(what);
        self.cql.block_on(async {
            let judge = async |_| {
                Ok(match self.judge(&name, by).await? {
                    Judged::Done(Turn::HeldBy(other)) if *other == *gone => Judged::Again,
                    settled => settled,
                })
            };
            self.cql.settle(&RECLAIM, (by, &*name, gone), judge).await
        })
    }

    /// Says that it is done.
    ///
    /// Errors: as [`Once::begin`]; it is another's turn.
    pub fn done(&self, what: &str, by: &str) -> Result<(), CqlError> {
        let name = name(what);
        self.cql.block_on(async {
            let judge = async |_| match self.judge(&name, by).await? {
                Judged::Done(Turn::Done) => Ok(Judged::Done(())),
                Judged::Done(Turn::Mine) | Judged::Again => Ok(Judged::Again),
                Judged::Done(Turn::HeldBy(other)) => {
                    Err(CqlError::row(&DONE, format!("it is the turn of {other}")))
                }
            };
            self.cql.settle(&DONE, (&*name, by), judge).await
        })
    }

    async fn judge(&self, name: &str, by: &str) -> Result<Judged<Turn>, CqlError> {
        let Some((state, holder)) = self.cql.row::<Columns>(&READ, (name,)).await? else {
            return Ok(Judged::Again);
        };
        Ok(Judged::Done(match (state.as_deref(), holder.as_deref()) {
            (Some("done"), _) => Turn::Done,
            (_, Some(holder)) if holder == by => Turn::Mine,
            (_, holder) => Turn::HeldBy(holder.unwrap_or_default().into()),
        }))
    }
}

fn name(what: &str) -> String {
    format!("once:{what}")
}
