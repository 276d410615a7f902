//! Where the projector of this process reads the journal.

use std::path::PathBuf;

use router::id::Lane;
use storage::Store;
use storage::journal::{Damage, Tail, tail_after};
use storage_backoffice::projector::RecordSource;
use storage_cql::{Cql, LaneTail};
use tokio::sync::watch;

/// The lane that this process writes.
pub struct JournalSource {
    store: Store,
    form: Form,
}

enum Form {
    /// Segment files in a data folder.
    Files(PathBuf),
    /// Rows in ScyllaDB or Cassandra.
    Lane(Cql),
}

impl JournalSource {
    /// The journal of a data folder that this process has open.
    pub fn of_folder(store: Store, data: PathBuf) -> Self {
        Self { store, form: Form::Files(data) }
    }

    /// The lane of a node of many.
    pub fn of_lane(store: Store, cql: Cql) -> Self {
        Self { store, form: Form::Lane(cql) }
    }
}

impl RecordSource for JournalSource {
    fn lane(&self) -> Lane {
        self.store.lane()
    }

    fn after(&mut self, position: u64) -> Result<Box<dyn Tail>, Damage> {
        match &self.form {
            Form::Files(data) => Ok(tail_after(data, position)),
            Form::Lane(cql) => {
                let tail = LaneTail::open(cql, self.store.lane(), position);
                Ok(Box::new(tail.map_err(|error| Damage::Remote(Box::new(error)))?))
            }
        }
    }

    fn durable(&mut self) -> Result<u64, Damage> {
        Ok(self.store.position())
    }

    fn moved(&self) -> Option<watch::Receiver<u64>> {
        Some(self.store.followed())
    }

    fn is_authoritative(&self) -> bool {
        matches!(self.form, Form::Files(_))
    }
}
