//! The back office of this process: opened and followed beside the data plane, which never waits for
//! it. A payment that names no bill does not know that it is there.

mod source;
mod terms;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::{Mutex, RwLock};
use router::bill::BillStanding;
use router::id::{BillId, BillerId, PaymentId};
use router::time::Timestamp;
use storage::{Backoff, Store};
use storage_backoffice::bill::BillEntry;
use storage_backoffice::projector::{ProjectorProgress, ProjectorThread, RecordSource};
use storage_backoffice::timeline::PaidAfterStep;
use storage_backoffice::{Backoffice, BackofficeError, BackofficeLocation, BackofficeSettings};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{BackofficeConfig, BatchConfig};
pub use source::JournalSource;
pub use terms::{NoTerms, RegisteredTerms, moment_of, standing_of};

/// The pause before the back office is tried again, which doubles up to the longest.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// The back office as this process has it.
pub struct BackofficeService {
    config: BackofficeConfig,
    office: ArcSwapOption<Backoffice>,
    progress: Arc<ProjectorProgress>,
    /// Why it is not open; none before the first try.
    failure: Mutex<Option<String>>,
    /// The billers that have registered a bill, where no other process registers any.
    with_bills: RwLock<HashSet<BillerId>>,
}

/// There is no back office, or it does not answer.
#[derive(Debug, thiserror::Error)]
pub enum NoBackoffice {
    /// None is configured.
    #[error("no back office is configured: many nodes need `backoffice.url`")]
    NotConfigured,
    /// It is not open yet, or cannot be opened.
    #[error("the back office is not open: {0}")]
    NotOpen(String),
    /// It does not answer.
    #[error(transparent)]
    Failed(#[from] BackofficeError),
}

/// How the back office stands, for readiness and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackofficeHealth {
    /// Why it is not used; none while it is.
    pub failure: Option<String>,
    /// Durable records that have no rows yet.
    pub lag_records: u64,
    /// The age of the last record that has rows, where there are others behind it.
    pub lag: Duration,
}

impl BackofficeService {
    /// A back office that is not open yet.
    pub fn new(config: BackofficeConfig) -> Self {
        Self {
            config,
            office: ArcSwapOption::empty(),
            progress: Arc::default(),
            failure: Mutex::default(),
            with_bills: RwLock::default(),
        }
    }

    /// The back office, while it is open.
    pub fn office(&self) -> Result<Arc<Backoffice>, NoBackoffice> {
        if self.config.settings.is_none() {
            return Err(NoBackoffice::NotConfigured);
        }
        self.office.load_full().ok_or_else(|| {
            let why = self.failure.lock().clone();
            NoBackoffice::NotOpen(why.unwrap_or_else(|| "it is being opened".to_owned()))
        })
    }

    /// Where files of bills are until their rows were taken.
    pub fn batches(&self) -> &BatchConfig {
        &self.config.batches
    }

    /// Whether there is, or should be, a back office.
    pub fn is_configured(&self) -> bool {
        self.config.settings.is_some()
    }

    /// Opens the back office, again and again until it can be, and has the journal followed until
    /// the switch ends. Run as a task.
    pub async fn run(self: Arc<Self>, source: Box<dyn RecordSource>, ending: CancellationToken) {
        let Some(settings) = self.config.settings.clone() else { return };
        let opened = tokio::select! {
            () = ending.cancelled() => return,
            opened = self.opened(&settings) => opened,
        };
        let started = ProjectorThread::start(&settings, source, Arc::clone(&self.progress));
        let projector = match started {
            Ok(projector) => projector,
            Err(error) => {
                let why = storage::with_causes(&error).to_string();
                tracing::error!(error = %why, "the journal is not followed by the back office");
                return self.fails(why);
            }
        };
        self.office.store(Some(Arc::new(opened)));
        tracing::info!(location = ?settings.location, "back office open");
        ending.cancelled().await;
        // It ends after the batch under way.
        tokio::task::spawn_blocking(move || drop(projector)).await.ok();
        if let Some(office) = self.office.swap(None) {
            office.close().await;
        }
    }

    async fn opened(&self, settings: &BackofficeSettings) -> Backoffice {
        let mut backoff = Backoff::between(RETRY_MIN, RETRY_MAX);
        loop {
            match self.try_open(settings).await {
                Ok(office) => return office,
                Err(error) => {
                    let why = storage::with_causes(&error).to_string();
                    tracing::error!(error = %why, "the back office cannot be opened; bills are not served");
                    self.fails(why);
                }
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    async fn try_open(&self, settings: &BackofficeSettings) -> Result<Backoffice, BackofficeError> {
        let office = Backoffice::open(settings).await?;
        if self.is_sole_registrar() {
            let billers = office.billers_with_bills().await?;
            self.with_bills.write().extend(billers);
        }
        Ok(office)
    }

    fn fails(&self, why: String) {
        *self.failure.lock() = Some(why);
    }

    /// Whether no other process registers bills: the files are this one's alone.
    fn is_sole_registrar(&self) -> bool {
        let settings = self.config.settings.as_ref();
        settings.is_some_and(|settings| matches!(settings.location, BackofficeLocation::Files(_)))
    }

    /// Notes that a biller is about to have a bill. Before the bill is registered: a payment may
    /// follow at once.
    pub fn expect_bills_of(&self, biller: BillerId) {
        if !self.with_bills.read().contains(&biller) {
            self.with_bills.write().insert(biller);
        }
    }

    /// Whether a biller may have registered a bill.
    fn may_have_bills(&self, biller: BillerId) -> bool {
        !self.is_sole_registrar()
            // Nothing is known before it is open.
            || self.office.load().is_none()
            || self.with_bills.read().contains(&biller)
    }

    /// Waits until the rows tell of everything that is durable now, but not for long; gives whether
    /// they do. Cancel-safe.
    pub async fn rows_are_current(&self, store: &Store) -> bool {
        self.progress.reaches(store.position(), self.config.row_wait).await
    }

    /// What was paid of the bill of a payment, behind a step of the payment; of a step that there can
    /// be many of, the one of that time. None while there are no rows of it, which are waited for, but
    /// not for long. Cancel-safe.
    pub async fn paid_after(
        &self,
        store: &Store,
        payment: PaymentId,
        (step, at): (&str, Option<Timestamp>),
    ) -> Option<i64> {
        let office = self.office().ok()?;
        for is_first in [true, false] {
            let steps = office.paid_after_steps(payment).await.ok()?;
            let is_it =
                |told: &PaidAfterStep| told.step == step && at.is_none_or(|at| at.0 == told.at);
            if let Some(told) = steps.into_iter().find(is_it) {
                return Some(told.bill_paid_minor);
            }
            if is_first && !self.rows_are_current(store).await {
                return None;
            }
        }
        None
    }

    /// A bill, and what was paid of it. Cancel-safe.
    ///
    /// Errors: the back office does not answer.
    pub async fn bill_and_standing(
        &self,
        store: &Store,
        bill: BillId,
    ) -> Result<Option<(BillEntry, BillStanding)>, NoBackoffice> {
        let office = self.office()?;
        let Some(bill) = office.bill(bill).await? else { return Ok(None) };
        self.rows_are_current(store).await;
        let standing = standing_of(&office, &bill).await?;
        Ok(Some((bill, standing)))
    }

    /// The time of which the rows tell everything.
    pub fn as_of(&self, store: &Store) -> Timestamp {
        self.progress.as_of(store.position(), clock::now())
    }

    /// How it stands; none where none is configured.
    pub fn health(&self, store: &Store) -> Option<BackofficeHealth> {
        let failure = match self.office() {
            Ok(_) => self.progress.failure(),
            Err(NoBackoffice::NotConfigured) => return None,
            Err(error) => Some(error.to_string()),
        };
        let (at, durable) = (self.progress.at(), store.position());
        let begun_after = storage::journal::Head::of_lane(store.lane()).sequence;
        let lag_records = durable.saturating_sub(at.position.max(begun_after));
        let age_micros = match lag_records {
            0 => 0,
            _ => clock::now().0.saturating_sub(at.record_at.0),
        };
        let lag = Duration::from_micros(u64::try_from(age_micros).unwrap_or(0));
        Some(BackofficeHealth { failure, lag_records, lag })
    }
}
