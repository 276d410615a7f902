//! Opening the store of one machine: lock, snapshot, replay, read models.

use std::sync::Arc;
use std::time::Instant;

use router::id::Lane;

use super::{OpenError, Parts, Recovered, Store};
use crate::guard::MemoryGuard;
use crate::housekeeping;
use crate::journal::{FileTail, Files, cut};
use crate::opening::{failed, lock, unreplayed, views};
use crate::prune::Pruner;
use crate::replay::replay;
use crate::seal::Sealer;
use crate::settings::Settings;
use crate::view::Views;

impl Store {
    /// Opens or makes the store of a folder, replays it, and starts its threads.
    ///
    /// Blocks for the time of the replay, and until the read models have caught up; call it before
    /// the runtime serves anything.
    pub fn open(settings: Settings, sealer: Sealer) -> Result<(Self, Recovered), OpenError> {
        let began = Instant::now();
        let lock = lock(&settings.dir)?;
        let (mut state, walked) = replay(&settings).map_err(unreplayed)?;
        if let Some(torn) = &walked.torn {
            tracing::warn!(
                segment = torn.segment,
                offset = torn.offset,
                len = torn.len,
                "an unfinished frame at the end of the journal is cut"
            );
            cut(&settings.dir, torn).map_err(failed("mended"))?;
        }
        let torn_bytes = walked.torn.map_or(0, |torn| torn.len);
        let views = Arc::new(views(&settings, walked.head.sequence, &sealer)?);
        let pruner = Pruner::of(&settings, Arc::clone(&views));
        let written = views.position()?.written;
        let files = Files::open(
            settings.dir.clone(),
            walked.last_segment(),
            settings.segment_len_max,
            settings.fsync_delay,
        );
        let limits = settings.limits.clone();
        let parts = Parts {
            lane: Lane::default(),
            head: walked.head,
            guard: std::mem::replace(&mut state.guard, MemoryGuard::new(settings.key_retention)),
            fold: state.fold,
            backend: files.map_err(failed("opened"))?,
            tail: Box::new(FileTail::after(&settings.dir, written)),
            views,
            endpoints_every: None,
            other_lanes: None,
            snapshots: Box::new(move |stop| housekeeping::run(&settings, pruner, &stop)),
            kept: Box::new(lock),
        };
        let (store, recovered) = Self::start(parts, limits, sealer)?;
        let (records_replayed, took) = (walked.records, began.elapsed());
        Ok((store, Recovered { records_replayed, torn_bytes, took, ..recovered }))
    }
}
