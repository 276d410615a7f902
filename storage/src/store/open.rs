//! Opening the store of one machine: lock, snapshot, replay, read models.

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use router::id::Lane;

use super::{OpenError, Parts, Recovered, Store};
use crate::beginning;
use crate::folder::{self, FolderLock};
use crate::guard::MemoryGuard;
use crate::journal::{Damage, FileTail, Files, cut, dir_of, sync_dir};
use crate::prune::Pruner;
use crate::replay::replay;
use crate::seal::Sealer;
use crate::settings::Settings;
use crate::snapshot;
use crate::view::local::LocalViews;
use crate::view::{ViewError, ViewPosition, Views};

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
            snapshots: Box::new(move |stop| snapshot::run(&settings, pruner, &stop)),
            kept: Box::new(lock),
        };
        let (store, recovered) = Self::start(parts, limits, sealer)?;
        let (records_replayed, took) = (walked.records, began.elapsed());
        Ok((store, Recovered { records_replayed, torn_bytes, took, ..recovered }))
    }
}

/// The read models of a data folder whose store is not open, and the lock of the folder.
pub(crate) fn open_views(
    settings: &Settings,
    sealer: &Sealer,
) -> Result<(FolderLock, LocalViews), OpenError> {
    let lock = lock(&settings.dir)?;
    let (_, walked) = replay(settings).map_err(unreplayed)?;
    Ok((lock, views(settings, walked.head.sequence, sealer)?))
}

fn lock(dir: &Path) -> Result<FolderLock, OpenError> {
    folder::prepare(dir)?;
    let lock = FolderLock::take(dir)?;
    fs::create_dir_all(dir_of(dir)).map_err(failed("made"))?;
    sync_dir(dir).map_err(failed("made"))?;
    Ok(lock)
}

/// The read models; ones that cannot be opened, are laid out otherwise, know more than the journal,
/// or end before it begins, are made anew.
fn views(settings: &Settings, head: u64, sealer: &Sealer) -> Result<LocalViews, OpenError> {
    let dir = LocalViews::dir_of(&settings.dir);
    let (begun, begun_after) = beginning::load_books(&settings.dir).map_err(unreplayed)?;
    let known = begun_after.sequence..=head;
    match usable(settings, &known) {
        Ok(Some(views)) => {
            views.carry(&begun.fold, begun_after.sequence);
            return Ok(views);
        }
        Ok(None) => tracing::warn!("the read models are of another journal or layout: rebuilt"),
        Err(error) => tracing::warn!(%error, "the read models cannot be opened and are rebuilt"),
    }
    fs::remove_dir_all(&dir).map_err(failed("cleared of its read models"))?;
    let views = LocalViews::open(&settings.dir, settings.view_cache_bytes)?;
    views.is_current()?;
    views.carry(&begun.fold, begun_after.sequence);
    if begun_after.sequence > 0 {
        views.begin_after(&begun.fold, begun_after.sequence, sealer)?;
    }
    Ok(views)
}

fn usable(
    settings: &Settings,
    known: &RangeInclusive<u64>,
) -> Result<Option<LocalViews>, ViewError> {
    let views = LocalViews::open(&settings.dir, settings.view_cache_bytes)?;
    let ViewPosition { written, noticed } = views.position()?;
    let is_usable = views.is_current()? && noticed <= *known.end() && written >= *known.start();
    Ok(is_usable.then_some(views))
}

fn unreplayed(damage: Damage) -> OpenError {
    match damage {
        Damage::Io(source) => OpenError::Io { doing: "read", source },
        damage => OpenError::from(damage),
    }
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { doing, source }
}
