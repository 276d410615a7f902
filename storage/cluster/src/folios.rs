//! Numbers for people: blocks of them, so that no two nodes give the same.

use std::ops::Range;

use parking_lot::Mutex;
use router::id::Folio;
use storage_cql::{Control, CqlError};

/// Folios taken at once. What a node that stops has not used is never given.
const BLOCK_LEN: u64 = 10_000;

/// Gives folios.
pub struct Folios {
    control: Control,
    by: String,
    blocks: Mutex<Blocks>,
}

struct Blocks {
    current: Range<u64>,
    next: Range<u64>,
}

impl Folios {
    /// With a first block.
    pub(crate) fn open(control: Control, by: String) -> Result<Self, CqlError> {
        let current = control.next_folios(BLOCK_LEN, &by)?;
        Ok(Self { control, by, blocks: Mutex::new(Blocks { current, next: 0..0 }) })
    }

    /// The next; none while the servers give no block and the ones here are used up.
    pub fn next(&self) -> Option<Folio> {
        let mut blocks = self.blocks.lock();
        if blocks.current.is_empty() {
            blocks.current = std::mem::take(&mut blocks.next);
        }
        blocks.current.next().and_then(Folio::new)
    }

    /// Takes a block ahead when there is none. Blocks; called by the node's own thread.
    pub(crate) fn refill(&self) -> Result<(), CqlError> {
        if !self.blocks.lock().next.is_empty() {
            return Ok(());
        }
        let block = self.control.next_folios(BLOCK_LEN, &self.by)?;
        self.blocks.lock().next = block;
        Ok(())
    }
}
