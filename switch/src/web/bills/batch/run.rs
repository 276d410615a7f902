//! Takes the rows of a file, some at a time, in a task of its own; a file that a stop interrupts is
//! taken on by the next start.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use codecs::api::BillDraft;
use router::bill::{BillMoment, BillState};
use router::id::{BatchId, BillId, BillNo, BillerId};
use router::money::Currency;
use router::reason::Reason;
use router::time::Zone;
use storage::Backoff;
use storage_backoffice::Backoffice;
use storage_backoffice::bill::{
    BatchEntry, BatchOutcome, BatchRow, BatchTaken, BillChange, BillEntry, RowFault,
};
use storage_backoffice::standing::Standings;
use tokio::sync::mpsc;

use super::super::super::Api;
use super::super::shown::entry_of;
use super::rows::{FileFault, FileForm, FileFormat, FileRow, read};
use super::spool;
use crate::backoffice::{NoBackoffice, moment_of};
use crate::clock;

/// Rows that are taken in one transaction: many, so that a sync is shared, and few enough that
/// registrations beside it do not wait.
const ROWS_AT_ONCE: usize = 500;
/// Such groups of rows that are read ahead.
const READ_AHEAD: usize = 2;
/// The pause behind a failure, which doubles up to the longest.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Starts to take the rows of a file.
pub(super) fn start(api: &Api, id: BatchId) {
    let (work_api, ending) = (api.clone(), api.engine.tasks.stages().ending.clone());
    api.engine.tasks.service("bill file", async move {
        tokio::select! {
            () = ending.cancelled() => {}
            () = until_taken(&work_api, id) => {}
        }
    });
}

/// Takes up the files that an earlier process has left.
pub(in super::super::super) fn resume(api: &Api) {
    for id in spool::left(&api.engine.backoffice.batches().folder) {
        start(api, id);
    }
}

/// Why a file is not taken for now.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Backoffice(#[from] NoBackoffice),
    #[error("the thread that reads the file has ended")]
    Reader,
}

impl From<storage_backoffice::BackofficeError> for RunError {
    fn from(error: storage_backoffice::BackofficeError) -> Self {
        Self::Backoffice(error.into())
    }
}

async fn until_taken(api: &Api, id: BatchId) {
    let mut backoff = Backoff::between(RETRY_MIN, RETRY_MAX);
    loop {
        match taken(api, id).await {
            Ok(()) => return spool::remove(&api.engine.backoffice.batches().folder, id),
            Err(error) => {
                let error = storage::with_causes(&error).to_string();
                tracing::warn!(%error, batch = %id, "a file of bills waits");
            }
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}

/// Takes what is left of a file.
async fn taken(api: &Api, id: BatchId) -> Result<(), RunError> {
    let office = api.engine.backoffice.office()?;
    let Some(batch) = office.batch(id).await? else { return Ok(()) };
    let Some(work) = Work::of(api, id, &batch) else { return Ok(()) };
    if batch.state != "running" {
        return Ok(());
    }
    let refused = match work.checked().await? {
        Ok(()) => work.take_rows(api, &office, batch.taken_rows.unsigned_abs()).await?.err(),
        Err(fault) => Some(fault),
    };
    let refused = refused.as_ref().map(|fault| (fault.code, fault.detail.as_str()));
    Ok(office.end_batch(id, refused, clock::now()).await?)
}

/// A file whose rows are to be taken.
struct Work {
    id: BatchId,
    biller: BillerId,
    file: PathBuf,
    form: FileForm,
    actor: Box<str>,
}

impl Work {
    fn of(api: &Api, id: BatchId, batch: &BatchEntry) -> Option<Self> {
        let biller: BillerId = batch.biller.parse().ok()?;
        let policy = api.engine.policy();
        let known = policy.billers.get(&biller);
        let zone = known.map_or(Zone { offsets: Vec::new() }, |biller| (*biller.zone).clone());
        let dollars = || Currency::from_code("USD");
        let currency = known.and_then(|biller| biller.currencies.first().copied());
        let form = FileForm {
            format: FileFormat::from_name(&batch.format)?,
            layout: batch.layout.clone(),
            currency: currency.or_else(dollars)?,
            zone,
        };
        let file = spool::path(&api.engine.backoffice.batches().folder, id);
        Some(Self { id, biller, file, form, actor: batch.actor.as_str().into() })
    }

    /// Reads the file once to its end: what refuses it as a whole is known before a row is taken.
    async fn checked(&self) -> Result<Result<(), FileFault>, RunError> {
        let (file, form) = (self.file.clone(), self.form.clone());
        let read = tokio::task::spawn_blocking(move || read(&file, &form, |_| true));
        read.await.map_err(|_| RunError::Reader)
    }

    /// Takes the rows behind `from`.
    async fn take_rows(
        &self,
        api: &Api,
        office: &Backoffice,
        mut from: u64,
    ) -> Result<Result<(), FileFault>, RunError> {
        let (sender, mut groups) = mpsc::channel(READ_AHEAD);
        let (file, form) = (self.file.clone(), self.form.clone());
        let reading = tokio::task::spawn_blocking(move || grouped(&file, &form, from, &sender));
        while let Some(rows) = groups.recv().await {
            let at = clock::now();
            let rows = self.planned(api, office, rows).await?;
            let (actor, channel, detail) =
                (self.actor.clone(), "file", Some(self.id.to_string().into()));
            let by = BillChange { at, actor, channel, detail };
            let to = rows.last().map_or(from, |row| row.number);
            let (taken, _) = office.take_batch_rows(self.id, from, &rows, &by).await?;
            if taken == BatchTaken::Elsewhere {
                break;
            }
            from = to;
        }
        drop(groups);
        reading.await.map_err(|_| RunError::Reader)
    }

    /// What is to become of rows, by the bills that there are.
    async fn planned(
        &self,
        api: &Api,
        office: &Backoffice,
        rows: Vec<FileRow>,
    ) -> Result<Vec<BatchRow>, RunError> {
        let drafts = rows.iter().filter_map(|(_, row)| row.as_ref().ok());
        let numbers: Vec<BillNo> = drafts.map(|draft| draft.bill_no).collect();
        let known = office.bills_by_no(self.biller, &numbers).await?;
        let standings = if known.is_empty() {
            Standings::default()
        } else {
            api.engine.backoffice.rows_are_current(&api.engine.store).await;
            let numbers: Vec<BillNo> = known.iter().map(|bill| bill.bill_no).collect();
            office.standings(self.biller, &numbers).await?
        };
        let known: HashMap<BillNo, BillEntry> =
            known.into_iter().map(|bill| (bill.bill_no, bill)).collect();
        let moment = moment_of(&api.engine.policy(), self.biller, clock::now());
        let outcome = |row: Result<BillDraft, RowFault>| match row {
            Err(fault) => BatchOutcome::Faulty(fault),
            Ok(draft) => match known.get(&draft.bill_no) {
                None => BatchOutcome::New(Box::new(self.new_bill(draft, moment))),
                Some(bill) => self.replacing(bill, draft, &standings, moment),
            },
        };
        let planned = rows.into_iter().map(|(number, row)| {
            let outcome = outcome(row);
            BatchRow { number, outcome }
        });
        Ok(planned.collect())
    }

    fn new_bill(&self, draft: BillDraft, moment: BillMoment) -> BillEntry {
        let id = BillId::from_parts(moment.now.millis(), rand::random());
        entry_of(draft, id, self.biller, moment.now)
    }

    /// A row whose number is taken: a later file replaces what is not paid yet.
    fn replacing(
        &self,
        bill: &BillEntry,
        draft: BillDraft,
        standings: &Standings,
        moment: BillMoment,
    ) -> BatchOutcome {
        let refused = |reason: Reason, field: Option<&str>| {
            BatchOutcome::Faulty(RowFault {
                code: reason.info().code.into(),
                field: field.map(Into::into),
                column: None,
                detail: None,
                bill: Some(bill.id),
            })
        };
        let currency = bill.terms.amount.currency;
        if draft.terms.amount.currency != currency {
            return refused(Reason::CurrencyNotAllowed, Some("amount.currency"));
        }
        match bill.terms.state(standings.of(bill.bill_no, currency), moment) {
            BillState::Paid | BillState::PaidExternal => refused(Reason::BillAlreadyPaid, None),
            BillState::Cancelled => refused(Reason::BillCancelled, None),
            BillState::Open
            | BillState::InPayment
            | BillState::PartiallyPaid
            | BillState::Overdue
            | BillState::Expired => {
                let next = entry_of(draft, bill.id, self.biller, moment.now);
                let (version, created_at) = (bill.version, bill.created_at);
                let changed_at = bill.changed_at;
                let next = BillEntry { version, created_at, changed_at, ..next };
                let next = BillEntry { origin: bill.origin, ..next };
                let is_same = next == *bill;
                match is_same {
                    true => BatchOutcome::Same(bill.id),
                    false => BatchOutcome::Replaced(Box::new(next)),
                }
            }
        }
    }
}

/// Reads a file in groups of rows behind `from`, in each of which a bill comes once.
fn grouped(
    file: &std::path::Path,
    form: &FileForm,
    from: u64,
    sender: &mpsc::Sender<Vec<FileRow>>,
) -> Result<(), FileFault> {
    let mut group: Vec<FileRow> = Vec::with_capacity(ROWS_AT_ONCE);
    let mut numbers = std::collections::HashSet::with_capacity(ROWS_AT_ONCE);
    let mut is_heard = true;
    read(file, form, |(number, row)| {
        if number <= from {
            return true;
        }
        let is_twice = row.as_ref().is_ok_and(|draft| !numbers.insert(draft.bill_no));
        if is_twice || group.len() == ROWS_AT_ONCE {
            is_heard = sender.blocking_send(std::mem::take(&mut group)).is_ok();
            numbers.clear();
            numbers.extend(row.as_ref().ok().map(|draft| draft.bill_no));
        }
        group.push((number, row));
        is_heard
    })?;
    if is_heard && !group.is_empty() {
        // Nobody listens any more: the file is taken on by another process.
        sender.blocking_send(group).ok();
    }
    Ok(())
}
