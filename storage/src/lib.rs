//! Guard and journal: decide once, make durable, read back.
//!
//! One payment passes through here twice. [`Store::admit`] asks the guard (idempotency, limits,
//! balances) and makes the intent durable before any byte may leave for a participant;
//! [`Store::append`] makes what came of it durable, and only then gives its reservation back.
//!
//! In reading order:
//!
//! 1. [`guard`]: the check-and-apply of reservations – a trait, and its form in memory;
//! 2. [`record`], [`seal`] and `withheld`: how a record becomes bytes, with card numbers encrypted;
//! 3. [`journal`]: frames in segment files, chained and checksummed; `replay`, [`verify`];
//!    `beginning` and `prune`: what stood before the oldest segment, and the removal of old ones;
//! 4. `writer`: the one thread that decides and appends, a group at a time;
//! 5. `live`, `follower`, `view`, [`outbox`], `events`: what is read back, with `written` between the writer and the follower;
//! 6. `proof`: the ledger, proven record by record;
//! 7. [`store`]: the handle that everything outside uses;
//! 8. [`waking`]: how tasks are woken for many answers that are given at once;
//! 9. [`private_file`]: small secret files beside the journal, written whole or not at all.
//!
//! What never happens here: a record is answered before it is durable; a hold is released before
//! the record that ends it is durable; a failed write or sync is tried again.

mod appended;
mod backoff;
mod beginning;
mod causes;
pub mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod decode_error;
mod error;
mod events;
mod facts;
mod failure;
pub mod folder;
mod follower;
pub mod guard;
mod history;
mod housekeeping;
pub mod journal;
mod live;
mod opening;
pub mod outbox;
mod packing;
mod positions;
pub mod private_file;
mod proof;
mod prune;
pub mod record;
mod replay;
pub mod seal;
pub mod settings;
mod shared;
mod snapshot;
mod state;
mod state_image;
pub mod store;
pub mod verify;
pub mod view;
pub mod waking;
mod withheld;
mod writer;
mod written;

pub use backoff::Backoff;
pub use causes::with_causes;
pub use clock::{Clock, WallClock};
pub use proof::LedgerProof;
pub use prune::{PruneError, prune_now};
pub use replay::{Replayed, replay_now};
pub use seal::Sealer;
pub use settings::Settings;
pub use snapshot::{SnapshotError, snapshot_now};
pub use state::{Fold, Reflect, State, Unreflected};
pub use store::{
    Admission, Appended, Balance, OpenError, OtherLane, OtherLaneStores, OtherLanes, Parts,
    Recovered, Store, StoreError, StoreFailure,
};
pub use withheld::reveal;
