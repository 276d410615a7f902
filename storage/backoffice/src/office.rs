//! The handle that everything outside the crate uses.

use crate::database::{Database, Part};
use crate::error::BackofficeError;
use crate::migrations;
use crate::settings::{BackofficeLocation, BackofficeSettings};

/// The back office: both databases. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Backoffice {
    pub(crate) registered: Database,
    pub(crate) projections: Database,
    pub(crate) settings: BackofficeSettings,
}

impl Backoffice {
    /// Opens the back office. SQLite files are made and migrated; a server must have been migrated
    /// before ([`Backoffice::migrate`]).
    ///
    /// A damaged file of projections is made anew, empty.
    /// Errors: the server cannot be reached, or the schema is not the one of this program; a damaged
    ///         file of registered data.
    pub async fn open(settings: &BackofficeSettings) -> Result<Self, BackofficeError> {
        match &settings.location {
            BackofficeLocation::Files(folder) => {
                let had_registered = Part::Registered.file(folder).exists();
                let had_projections = Part::Projections.file(folder).exists();
                let office = Self::migrate(settings).await?;
                if had_projections && !had_registered {
                    tracing::error!(
                        file = %Part::Registered.file(folder).display(),
                        "the registered data were not there and begin empty: what was registered \
                         before is in a backup alone"
                    );
                }
                Ok(office)
            }
            BackofficeLocation::Server(_) => {
                let office = Self::of(settings)?;
                migrations::check(&office.registered).await?;
                migrations::check(&office.projections).await?;
                Ok(office)
            }
        }
    }

    /// Opens the back office and applies the migrations that it lacks.
    ///
    /// Errors: as [`Backoffice::open`].
    pub async fn migrate(settings: &BackofficeSettings) -> Result<Self, BackofficeError> {
        let office = Self::of(settings)?;
        if let Err(error) = migrations::apply(&office.registered).await {
            return Err(office.damaged(error));
        }
        match migrations::apply(&office.projections).await {
            Err(BackofficeError::Database(error)) if BackofficeError::is_damage(&error) => {
                office.projections_anew(&error).await
            }
            applied => applied.map(|()| office),
        }
    }

    /// The pools; nothing is asked of the databases.
    pub(crate) fn of(settings: &BackofficeSettings) -> Result<Self, BackofficeError> {
        Ok(Self {
            registered: Database::of(Part::Registered, settings)?,
            projections: Database::of(Part::Projections, settings)?,
            settings: settings.clone(),
        })
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.registered.close().await;
        self.projections.close().await;
    }

    /// Names the file where it is what is wrong.
    fn damaged(&self, error: BackofficeError) -> BackofficeError {
        match (error, &self.settings.location) {
            (BackofficeError::Database(source), BackofficeLocation::Files(folder))
                if BackofficeError::is_damage(&source) =>
            {
                BackofficeError::Damaged { file: Part::Registered.file(folder), source }
            }
            (error, _) => error,
        }
    }

    /// Replaces the file of projections, which is damaged, by an empty one.
    async fn projections_anew(self, error: &sqlx::Error) -> Result<Self, BackofficeError> {
        let BackofficeLocation::Files(folder) = &self.settings.location else { return Ok(self) };
        tracing::warn!(%error, "the file of projections is damaged and is made anew");
        self.close().await;
        let file = Part::Projections.file(folder);
        for end in ["", "-wal", "-shm"] {
            let mut name = file.clone().into_os_string();
            name.push(end);
            match std::fs::remove_file(&name) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(BackofficeError::Write { file: name.into(), source });
                }
                Ok(()) | Err(_) => {}
            }
        }
        let anew = Self::of(&self.settings)?;
        migrations::apply(&anew.registered).await?;
        migrations::apply(&anew.projections).await?;
        Ok(anew)
    }
}
