//! An online copy of the registered data: nobody waits for it.

use std::fs::File;
use std::path::Path;

use crate::database::Engine;
use crate::error::BackofficeError;
use crate::office::Backoffice;

impl Backoffice {
    /// Writes a copy of the registered data to a new file, as of one moment; it is whole and on the
    /// disk when this returns. To restore it, stop the switch and put it in the place of
    /// `registered.db`.
    ///
    /// Errors: the file is there already, or cannot be written; the back office is a server, which
    ///         has tools of its own.
    pub async fn backup(&self, file: &Path) -> Result<(), BackofficeError> {
        let Engine::Sqlite { read, .. } = &self.registered.engine else {
            return Err(BackofficeError::BackupOfServer);
        };
        let failed = |source| BackofficeError::Write { file: file.to_owned(), source };
        if file.try_exists().map_err(failed)? {
            return Err(BackofficeError::FileExists { file: file.to_owned() });
        }
        let mut unfinished = file.to_owned().into_os_string();
        unfinished.push(".unfinished");
        let unfinished = Path::new(&unfinished);
        match std::fs::remove_file(unfinished) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(source));
            }
            Ok(()) | Err(_) => {}
        }
        let name = unfinished.to_string_lossy().into_owned();
        // No deadline: a copy takes as long as it takes.
        sqlx::query("VACUUM INTO $1").bind(name).execute(read).await?;
        File::open(unfinished).and_then(|copy| copy.sync_all()).map_err(failed)?;
        std::fs::rename(unfinished, file).map_err(failed)?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new(".")));
        folder.and_then(|folder| folder.sync_all()).map_err(failed)
    }
}
