//! One node of many: the same store over Redis and a CQL journal.
//!
//! [`Node::start`] gives a [`storage::Store`] like the embedded one. Behind it stand a lane of the
//! journal that only this node writes, and a guard in a Redis that all nodes ask. What keeps them
//! true is here:
//!
//! 1. `lanes`: how a lane is folded, taken over and written;
//! 2. `gatekeeper`: which Redis counts, under which epoch; what happens when that changes –
//!    fence every lane, reflect the journal in Redis again, open;
//! 3. `watch`: signs of life, and the takeover of dead nodes' lanes;
//! 4. `noticed`: what all lanes owe merchants, for the endpoints that are served here;
//! 5. [`folios`]: numbers for people, in blocks, so that no two nodes give the same;
//! 6. [`status`]: what an operator sees.
//!
//! What never happens here: something is decided on a Redis that is not the pinned one; an epoch
//! is opened before every lane is fenced by it; a silence is measured by a wall clock; a process
//! takes the lane of another that lives under its name.

pub mod folios;
mod gatekeeper;
mod lanes;
mod node;
mod noticed;
mod rows;
mod settings;
pub mod status;
mod stop;
mod trouble_log;
mod watch;

pub use lanes::LaneError;
pub use node::{Node, Peers, StartError, TakenLane};
pub use settings::{ClusterSettings, FRAME_LEN_MAX};
pub use storage_cql::once::Turn;
