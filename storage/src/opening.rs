//! Opening the read models of a data folder: those that do not fit the journal are made anew.

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::beginning;
use crate::error::OpenError;
use crate::folder::{self, FolderLock};
use crate::journal::{Damage, dir_of, sync_dir};
use crate::replay::replay;
use crate::seal::Sealer;
use crate::settings::Settings;
use crate::view::local::LocalViews;
use crate::view::{ViewError, ViewPosition, Views};

/// The read models of a data folder whose store is not open, and the lock of the folder.
pub(crate) fn open_views(
    settings: &Settings,
    sealer: &Sealer,
) -> Result<(FolderLock, LocalViews), OpenError> {
    let lock = lock(&settings.dir)?;
    let (_, walked) = replay(settings).map_err(unreplayed)?;
    Ok((lock, views(settings, walked.head.sequence, sealer)?))
}

pub(crate) fn lock(dir: &Path) -> Result<FolderLock, OpenError> {
    folder::prepare(dir)?;
    let lock = FolderLock::take(dir)?;
    fs::create_dir_all(dir_of(dir)).map_err(failed("made"))?;
    sync_dir(dir).map_err(failed("made"))?;
    Ok(lock)
}

/// The read models; ones that cannot be opened, are laid out otherwise, know more than the journal,
/// or end before it begins, are made anew.
pub(crate) fn views(
    settings: &Settings,
    head: u64,
    sealer: &Sealer,
) -> Result<LocalViews, OpenError> {
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

pub(crate) fn unreplayed(damage: Damage) -> OpenError {
    match damage {
        Damage::Io(source) => OpenError::Io { doing: "read", source },
        damage => OpenError::from(damage),
    }
}

pub(crate) fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { doing, source }
}
