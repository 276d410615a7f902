//! `cauce key`.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use router::id::BillerId;
use storage_cql::Cql;
use storage_cql::api_keys::ApiKeys;

use super::data_folder;
use crate::cluster::cql_settings;
use crate::config::{Config, Mistake};
use crate::configured::{Configured, configuration, told_mistakes};
use crate::keys::{self, KeyName, ListedKey, OldKeyEnd, OwnerError, Role, Rotated};

/// What to do with API keys. A key is named by its id, which `list` shows.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make an API key and print it, this once
    Create {
        /// What its holder may do
        #[arg(long)]
        role: Role,
        /// Whose it is: a biller's id, held against --config or what the folder's switch serves; or
        /// an operator's or admin's name, which is held against nothing
        #[arg(long)]
        owner: String,
        #[command(flatten)]
        at: Where,
    },
    /// Show every key: id, role, when it was made, when it ends, owner; never the key itself
    List(Where),
    /// End a key: dead at the next request, on every node a second later
    Revoke {
        /// Its id, key_…; or the key itself
        key: KeyName,
        #[command(flatten)]
        at: Where,
    },
    /// Make a key in the place of another and print it, this once; both count for a while
    Rotate {
        /// The old key's id, key_…; or the key itself
        key: KeyName,
        /// Hours for which the old key counts on
        #[arg(long, value_name = "HOURS", default_value_t = 24, conflicts_with = "now",
              value_parser = clap::value_parser!(u32).range(1..=8760))]
        grace_hours: u32,
        /// End the old key at once
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        at: Where,
    },
}

/// Where the keys are.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// Data folder; wins over the configuration's, and over a cluster's table
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    configured: Configured,
}

/// The keys of a data folder, or of all nodes of a cluster.
enum Keys {
    Folder(PathBuf),
    Cluster(ApiKeys),
}

/// Why a command did nothing.
enum Failure {
    Configuration(Vec<Mistake>),
    Keys(String),
}

/// Does it.
pub(super) fn main(command: KeyCommand) -> ExitCode {
    let done = match command {
        KeyCommand::Create { role, owner, at } => create(role, &owner, &at),
        KeyCommand::List(at) => list(&at),
        KeyCommand::Revoke { key, at } => revoke(&key, &at),
        KeyCommand::Rotate { key, grace_hours, now, at } => {
            let grace = Duration::from_secs(u64::from(grace_hours) * 3600);
            rotate(&key, if now { OldKeyEnd::Now } else { OldKeyEnd::After(grace) }, &at)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Configuration(mistakes)) => told_mistakes(&mistakes),
        Err(Failure::Keys(why)) => {
            note(why);
            ExitCode::FAILURE
        }
    }
}

fn create(role: Role, owner: &str, at: &Where) -> Result<(), Failure> {
    let config = at.config()?;
    let configured = (!at.configured.config.is_empty())
        .then(|| config.policy.billers.keys().map(|biller| biller.as_str().to_owned()).collect());
    let place = at.place(config)?;
    if let Keys::Folder(dir) = &place {
        // None to make a folder for, when the owner is refused anyway.
        owner_is_known(role, owner, configured, dir)?;
        data_folder::made(dir).map_err(refused)?;
    } else {
        owner_is_one_of(role, owner, configured)?;
    }
    let keys = place.with_faults_told();
    let key = match &keys {
        Keys::Folder(dir) => keys::create(dir, role, owner).map_err(|error| keys.failed(&error))?,
        Keys::Cluster(table) => {
            keys::create_common(table, role, owner).map_err(|error| keys.failed(&error))?
        }
    };
    tell(&key);
    Ok(())
}

/// Holds the owner of a key against the billers of the configuration, where one is named, and else
/// against those that the folder's switch has noted.
///
/// Errors: there is no such biller, or the owner is no name.
fn owner_is_known(
    role: Role,
    owner: &str,
    configured: Option<Vec<String>>,
    dir: &Path,
) -> Result<(), Failure> {
    let noted = || {
        let failed = |error| refused(format!("the billers of {}: {error}", dir.display()));
        keys::billers::noted(dir).map_err(failed)
    };
    let known = configured.map_or_else(noted, |known| Ok(Some(known)))?;
    if role == Role::Biller && known.is_none() {
        note(format!(
            "note: no --config is named and no switch has run in {}: nothing tells whether there is \
             a biller `{owner}`. The switch will warn at its start if there is none",
            dir.display()
        ));
    }
    owner_is_one_of(role, owner, known)
}

/// Errors: a biller's key is for none of those that are known, or the owner is no name.
fn owner_is_one_of(role: Role, owner: &str, known: Option<Vec<String>>) -> Result<(), Failure> {
    match keys::checked_owner(role, owner, |_| true) {
        Err(error @ OwnerError::NoName) => return Err(refused(error)),
        Err(OwnerError::NoBiller) | Ok(()) if role == Role::Biller => {}
        Err(OwnerError::NoBiller) | Ok(()) => return Ok(()),
    }
    BillerId::new(owner).map_err(|error| refused(format!("`{owner}` is no biller: {error}")))?;
    match known {
        Some(known) if !known.iter().any(|id| id == owner) => {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(refused(format!(
                "there is no biller `{owner}`; known are: {known}. A new one is known once the \
                 switch has read it, or with --config"
            )))
        }
        Some(_) | None => Ok(()),
    }
}

fn refused(why: impl Display) -> Failure {
    Failure::Keys(why.to_string())
}

fn list(at: &Where) -> Result<(), Failure> {
    let keys = at.keys()?;
    let shown = match &keys {
        Keys::Folder(dir) => keys::list(dir).map_err(|error| keys.failed(&error))?.keys,
        Keys::Cluster(table) => keys::list_common(table).map_err(|error| keys.failed(&error))?,
    };
    tell(format!("{:<20}  {:<8}  {:<27}  {:<27}  owner", "id", "role", "created", "ends"));
    for key in shown {
        tell(line(&key));
    }
    Ok(())
}

fn revoke(name: &KeyName, at: &Where) -> Result<(), Failure> {
    let keys = at.keys()?;
    let revoked = match &keys {
        Keys::Folder(dir) => keys::revoke(dir, name).map_err(|error| keys.failed(&error))?,
        Keys::Cluster(table) => {
            keys::revoke_common(table, name).map_err(|error| keys.failed(&error))?
        }
    };
    let revoked = revoked.ok_or_else(|| keys.has_none(name))?;
    note(format!("{} of {} `{}` is revoked", revoked.id(), revoked.role, revoked.owner));
    Ok(())
}

fn rotate(name: &KeyName, ends: OldKeyEnd, at: &Where) -> Result<(), Failure> {
    let keys = at.keys()?;
    let rotated = match &keys {
        Keys::Folder(dir) => keys::rotate(dir, name, ends).map_err(|error| keys.failed(&error))?,
        Keys::Cluster(table) => {
            keys::rotate_common(table, name, ends).map_err(|error| keys.failed(&error))?
        }
    };
    let Rotated { key, new, old } = rotated.ok_or_else(|| keys.has_none(name))?;
    tell(&key);
    let end = old.ends_at.map(|at| at.to_string()).unwrap_or_default();
    match ends {
        OldKeyEnd::Now => {
            note(format!("{} takes the place of {}, which has ended", new.id(), old.id()))
        }
        OldKeyEnd::After(_) => {
            note(format!("{} takes the place of {}, which ends at {end}", new.id(), old.id()))
        }
    }
    Ok(())
}

fn line(key: &ListedKey) -> String {
    let ends = key.ends_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let role = key.role.to_string();
    format!("{:<20}  {role:<8}  {:<27}  {ends:<27}  {}", key.id(), key.created_at, key.owner)
}

impl Where {
    fn config(&self) -> Result<Config, Failure> {
        configuration(&self.configured).map_err(Failure::Configuration)
    }

    /// Keys that are there.
    fn keys(&self) -> Result<Keys, Failure> {
        let keys = self.place(self.config()?)?;
        if let Keys::Folder(dir) = &keys {
            data_folder::is_there(dir).map_err(refused)?;
        }
        Ok(keys.with_faults_told())
    }

    fn place(&self, config: Config) -> Result<Keys, Failure> {
        match (&self.data, config.service.cluster) {
            (Some(dir), _) => Ok(Keys::Folder(dir.clone())),
            (None, None) => Ok(Keys::Folder(config.service.data.dir)),
            (None, Some(cluster)) => {
                let cql = Cql::connect(&cql_settings(&cluster.scylla));
                let cql =
                    cql.map_err(|error| Failure::Keys(storage::with_causes(&error).to_string()))?;
                Ok(Keys::Cluster(ApiKeys::new(&cql)))
            }
        }
    }
}

impl Keys {
    fn name(&self) -> String {
        match self {
            Self::Folder(dir) => dir.display().to_string(),
            Self::Cluster(_) => "the cluster's table".to_owned(),
        }
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> Failure {
        Failure::Keys(format!("the API keys of {}: {}", self.name(), storage::with_causes(error)))
    }

    fn has_none(&self, name: &KeyName) -> Failure {
        Failure::Keys(format!("there is no API key {name} in {}", self.name()))
    }

    /// Tells the lines of a data folder's file that could not be read, before anything is done: a
    /// change mends half a line.
    fn with_faults_told(self) -> Self {
        if let Self::Folder(dir) = &self {
            for fault in keys::list(dir).map(|listed| listed.faults).unwrap_or_default() {
                note(format!("warning: {fault}"));
            }
        }
        self
    }
}

#[expect(clippy::print_stdout, reason = "this is a program's own output")]
fn tell(line: impl Display) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "this is a program's own output")]
fn note(line: impl Display) {
    eprintln!("{line}");
}
