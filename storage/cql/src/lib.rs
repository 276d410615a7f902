//! The truth: journal lanes and look-up tables in ScyllaDB or Cassandra.
//!
//! Many nodes share it. Who may write what is decided by small conditional updates; what is
//! written in bulk is plain. The two never touch one table: rows that are moved by conditions
//! (`control`, `lane`, `schema_*`) are moved by nothing else, all others by none.
//!
//! In reading order:
//!
//! 1. [`session`]: the connection, how a statement is executed, what an error leaves open;
//! 2. [`schema`]: the tables, as numbered files;
//! 3. [`control`]: the gate's epoch, and blocks of folios;
//! 4. [`lane`]: who writes a lane, how far it reaches, which guard it trusts;
//! 5. [`frames`]: the frames of a lane – appended, read behind the writer, verified, imported;
//! 6. [`views`]: what payments and notices are found by;
//! 7. [`snapshots`] and [`nodes`].
//!
//! All public calls block and must not be made from an asynchronous context: call them from plain
//! threads, or from tasks that may block.
//!
//! What never happens here: a lane's head moves over a frame that a quorum has not acknowledged; a
//! conditional update that was not answered is taken for done, or for not done.

pub mod api_keys;
pub mod control;
pub mod frames;
pub mod lane;
pub mod nodes;
pub mod once;
pub mod schema;
pub mod session;
pub mod snapshots;
pub mod views;

pub use control::Control;
pub use frames::{LaneBackend, LaneTail};
pub use lane::{LaneRow, LaneTakeover, Lanes, Owner};
pub use nodes::Nodes;
pub use session::{Cql, CqlError, CqlSettings};
pub use snapshots::Snapshots;
pub use views::CqlViews;
