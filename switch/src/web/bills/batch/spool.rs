//! Files on the disk, from when they come until all of their rows were taken.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use axum::extract::Request;
use http::StatusCode;
use http_body_util::BodyExt;
use router::id::BatchId;
use router::reason::Reason;

use super::super::super::answer::ApiRefusal;

/// What the name of a file ends with until it is whole.
const UNFINISHED: &str = ".unfinished";

/// Where a file is.
pub(super) fn path(folder: &Path, id: BatchId) -> PathBuf {
    folder.join(id.to_string())
}

/// Writes a request's body to a file of its own, which is whole and on the disk when this returns.
///
/// Errors: 413 for more bytes, 400 when it breaks off, 503 where the disk takes nothing. Dropping the
/// call leaves a part, which the next start removes.
pub(super) async fn write(
    folder: &Path,
    id: BatchId,
    request: Request,
    bytes_max: usize,
) -> Result<(), ApiRefusal> {
    let unfinished = folder.join(format!("{id}{UNFINISHED}"));
    let written = take(folder, &unfinished, request, bytes_max).await;
    let kept = written.and_then(|()| {
        std::fs::rename(&unfinished, path(folder, id)).map_err(disk_failed)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk_failed)
    });
    if kept.is_err() {
        std::fs::remove_file(&unfinished).ok();
    }
    kept
}

async fn take(
    folder: &Path,
    file: &Path,
    request: Request,
    bytes_max: usize,
) -> Result<(), ApiRefusal> {
    let mut file = opened(folder, file).map_err(disk_failed)?;
    let mut body = request.into_body();
    let mut taken = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let detail = "the body did not come in time, or broke off";
            ApiRefusal::http(StatusCode::BAD_REQUEST, "body", detail)
        })?;
        let Some(bytes) = frame.data_ref() else { continue };
        taken += bytes.len();
        if bytes_max < taken {
            let detail = format!("at most {bytes_max} bytes are taken");
            return Err(ApiRefusal::http(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
        }
        file.write_all(bytes).map_err(disk_failed)?;
    }
    let synced = tokio::task::spawn_blocking(move || file.sync_all()).await;
    synced.map_err(|_| ApiRefusal::new(Reason::SystemError, "panic"))?.map_err(disk_failed)
}

fn opened(folder: &Path, file: &Path) -> std::io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(file)
}

fn disk_failed(error: std::io::Error) -> ApiRefusal {
    tracing::error!(%error, "a file of bills cannot be written");
    ApiRefusal::new(Reason::GateUnavailable, "disk")
}

/// Removes a file whose rows were all taken.
pub(super) fn remove(folder: &Path, id: BatchId) {
    let file = path(folder, id);
    if let Err(error) = std::fs::remove_file(&file) {
        tracing::warn!(%error, file = %file.display(), "a file of bills was not removed");
    }
}

/// The files that an earlier process has left; parts of files are removed.
pub(super) fn left(folder: &Path) -> Vec<BatchId> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut left = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        match name.parse() {
            Ok(id) => left.push(id),
            Err(_) if name.ends_with(UNFINISHED) => {
                std::fs::remove_file(entry.path()).ok();
            }
            Err(_) => {}
        }
    }
    left.sort_unstable();
    left
}
