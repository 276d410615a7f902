//! The gate: what is reserved, decided by one Redis for many nodes.
//!
//! Redis decides and may forget at any time; the journal makes a decision true by its fence. What
//! this crate owes the rest is that forgetting is *noticed*: every call carries the epoch it is
//! made under, every connection is checked against the pinned instance before its first call, and
//! every round trip ends with a look at the instance's replication id, without which none of its
//! answers count.
//!
//! In reading order:
//!
//! 1. [`settings`]: where Redis is, and in which of three forms;
//! 2. [`pin`] and [`discovery`](Gate::discover): which instances exactly are in use;
//! 3. `library` and `lua/`: the functions that run inside Redis;
//! 4. `layout` and `pack`: which group a resource belongs to, and how a call is written;
//! 5. `link`: connections, checked; rounds of calls;
//! 6. [`gate`]: what all guards of a process share, open or closed;
//! 7. [`guard`]: [`storage::guard::Guard`] for one lane;
//! 8. [`rebuild`]: from what Redis still reflects, or from nothing, to an open gate.
//!
//! What never happens here: a decision under an epoch or on an instance other than the pinned one;
//! a connection made again without being checked; a hold that ends by time; a call of
//! a node whose clock differs from that of Redis; something forgotten because a clock jumped.

mod discovery;
mod early;
mod failure;
mod figures;
pub mod gate;
pub mod guard;
mod layout;
mod library;
mod link;
mod pack;
pub mod pin;
pub mod rebuild;
pub mod settings;

pub use failure::Why;
pub use gate::{Gate, GateError, GateState, Health, Trouble};
pub use guard::RedisGuard;
pub use pin::{Pin, ShardPin};
pub use rebuild::{Claimed, LaneTaker, Rebuild, RebuildProgress, Replay, Row};
pub use settings::{Form, RedisSettings};
