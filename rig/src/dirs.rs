//! Folders for the servers' data.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use tempfile::TempDir;

use crate::Result;

/// The build's folder: on a disk, where the system's temporary folder may be memory and a sync to
/// it means nothing.
pub(crate) fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match std::env::var_os("CARGO_TARGET_DIR") {
        // A relative one is relative to where cargo was called, most likely the workspace.
        Some(target) => workspace.join(target),
        None => workspace.join("target"),
    }
}

/// The folder of this crate in there.
pub(crate) fn home() -> Result<PathBuf> {
    let home = target().join("rig");
    std::fs::create_dir_all(&home)?;
    Ok(home.canonicalize()?)
}

/// A new folder that goes when dropped; or, where its process was killed, with the next that asks.
pub(crate) fn fresh(name: &str) -> Result<TempDir> {
    static SWEPT: Once = Once::new();
    fresh_in(&home()?, &SWEPT, name)
}

/// The same where every user of the system can reach it: the build's folder may be one user's own.
pub(crate) fn fresh_for_all(name: &str) -> Result<TempDir> {
    static SWEPT: Once = Once::new();
    let home = std::env::temp_dir().join("cauce-rig");
    std::fs::create_dir_all(&home)?;
    std::fs::set_permissions(&home, Permissions::from_mode(0o755))?;
    fresh_in(&home, &SWEPT, name)
}

fn fresh_in(home: &Path, swept: &Once, name: &str) -> Result<TempDir> {
    swept.call_once(|| sweep(home));
    let prefix = format!("{}-{name}-", std::process::id());
    Ok(tempfile::Builder::new().prefix(&prefix).tempdir_in(home)?)
}

/// Removes what dead processes left; whatever cannot be removed is somebody else's next try.
fn sweep(home: &Path) {
    let Ok(entries) = home.read_dir() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
