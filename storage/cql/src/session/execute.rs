//! Executing statements: one attempt, attempts until a deadline, conditional updates settled.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::ExecutionError;
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row};
use storage::Backoff;
use tokio::sync::watch;

use super::statement::Way;
use super::{Cql, CqlError, Statement};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Rows of one page; a row is at most a part of a frame.
const PAGE_ROWS: i32 = 128;

/// Until when something is tried again, and how long to pause before that.
pub(crate) struct Deadline {
    began: Instant,
    within: Duration,
    backoff: Backoff,
    /// Changes when a server is connected again: a pause ends then.
    renewals: Option<watch::Receiver<u64>>,
}

impl Deadline {
    pub(crate) fn within(within: Duration) -> Self {
        let backoff = Backoff::between(FIRST_PAUSE, PAUSE_MAX);
        Self { began: Instant::now(), within, backoff, renewals: None }
    }

    /// The same, whose pauses end when a server is connected after none was.
    pub(crate) fn renewed_by(self, renewals: watch::Receiver<u64>) -> Self {
        Self { renewals: Some(renewals), ..self }
    }

    pub(crate) fn waited(&self) -> Duration {
        self.began.elapsed()
    }

    /// Pauses, longer each time; false once there is no time left.
    pub(crate) async fn pause(&mut self) -> bool {
        if self.waited() >= self.within {
            return false;
        }
        let renewed = async {
            if let Some(renewals) = &mut self.renewals
                && renewals.changed().await.is_ok()
            {
                return;
            }
            std::future::pending().await
        };
        if tokio::time::timeout(self.backoff.pause(), renewed).await.is_ok() {
            self.backoff.reset();
        }
        true
    }
}

/// What the row says of a conditional update whose answer says too little.
pub(crate) enum Judged<T> {
    /// It is settled.
    Done(T),
    /// It has not been applied and may still be.
    Again,
}

impl Cql {
    pub(crate) fn deadline(&self) -> Deadline {
        self.trying_for(self.inner.settings.patience)
    }

    /// One attempt.
    pub(crate) async fn execute(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
    ) -> Result<QueryResult, CqlError> {
        let prepared = self.prepared(statement).await?;
        let began = Instant::now();
        let result = self.session().execute_unpaged(&prepared, values).await;
        self.counted(statement, began, result)
    }

    /// Attempts until the deadline; for what may be done twice.
    pub(crate) async fn persist(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
    ) -> Result<QueryResult, CqlError> {
        let mut deadline = self.deadline();
        loop {
            match self.execute(statement, &values).await {
                Err(error) if error.is_passing() => {
                    if !deadline.pause().await {
                        return Err(error);
                    }
                }
                settled => return settled,
            }
        }
    }

    /// The same for rows of one statement, in one message that is no transaction.
    pub(crate) async fn persist_together(
        &self,
        statement: &Statement,
        rows: &[impl SerializeRow],
    ) -> Result<(), CqlError> {
        let mut deadline = self.deadline();
        loop {
            match self.execute_together(statement, rows).await {
                Err(error) if error.is_passing() => {
                    if !deadline.pause().await {
                        return Err(error);
                    }
                }
                settled => return settled,
            }
        }
    }

    async fn execute_together(
        &self,
        statement: &Statement,
        rows: &[impl SerializeRow],
    ) -> Result<(), CqlError> {
        let prepared = self.prepared(statement).await?;
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_is_idempotent(true);
        rows.iter().for_each(|_| batch.append_statement(PreparedStatement::clone(&prepared)));
        let began = Instant::now();
        let result = self.session().batch(&batch, rows).await;
        self.counted(statement, began, result).map(drop)
    }

    /// The rows of a read that fit into memory.
    pub(crate) async fn rows<R>(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
    ) -> Result<Vec<R>, CqlError>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        let mut rows = Vec::new();
        let mut from = Some(PagingState::start());
        while let Some(page) = from {
            from = self.page(statement, &values, &page, &mut rows).await?;
        }
        Ok(rows)
    }

    /// What the first row gives for which that is something; reads no pages beyond it.
    pub(crate) async fn first<R, T>(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
        give: impl Fn(R) -> Option<T>,
    ) -> Result<Option<T>, CqlError>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        let mut from = Some(PagingState::start());
        while let Some(page) = from {
            let mut rows = Vec::new();
            from = self.page(statement, &values, &page, &mut rows).await?;
            let found = rows.into_iter().find_map(&give);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The one row of a read, if it is there.
    pub(crate) async fn row<R>(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
    ) -> Result<Option<R>, CqlError>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        Ok(self.rows(statement, values).await?.pop())
    }

    /// Reads one page, and says where the next begins.
    async fn page<R>(
        &self,
        statement: &Statement,
        values: &impl SerializeRow,
        from: &PagingState,
        rows: &mut Vec<R>,
    ) -> Result<Option<PagingState>, CqlError>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        let mut deadline = self.deadline();
        let (result, next) = loop {
            match self.one_page(statement, values, from.clone()).await {
                Err(error) if error.is_passing() => {
                    if !deadline.pause().await {
                        return Err(error);
                    }
                }
                settled => break settled?,
            }
        };
        let result = result.into_rows_result().map_err(|error| CqlError::row(statement, error))?;
        for row in result.rows::<R>().map_err(|error| CqlError::row(statement, error))? {
            rows.push(row.map_err(|error| CqlError::row(statement, error))?);
        }
        Ok(match next {
            PagingStateResponse::HasMorePages { state } => Some(state),
            PagingStateResponse::NoMorePages => None,
        })
    }

    async fn one_page(
        &self,
        statement: &Statement,
        values: &impl SerializeRow,
        from: PagingState,
    ) -> Result<(QueryResult, PagingStateResponse), CqlError> {
        let prepared = self.prepared(statement).await?;
        let began = Instant::now();
        let page = self.session().execute_single_page(&prepared, values, from).await;
        self.counted(statement, began, page)
    }

    /// One attempt of a conditional update: whether its condition held.
    pub(crate) async fn attempt(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
    ) -> Result<bool, CqlError> {
        self.inner.conditional_updates.fetch_add(1, Ordering::Relaxed);
        counter!("cauce_cql_conditional_updates_total").increment(1);
        let result = self.execute(statement, values).await?.into_rows_result();
        let result = result.map_err(|error| CqlError::row(statement, error))?;
        let row = result.first_row::<Row>().map_err(|error| CqlError::row(statement, error))?;
        match row.columns.first() {
            Some(Some(CqlValue::Boolean(applied))) => Ok(*applied),
            Some(_) | None => Err(CqlError::row(statement, "no column `[applied]`")),
        }
    }

    /// A conditional update, tried until it is known what became of it.
    ///
    /// `judge` reads what has been agreed on and says what that means. An attempt without answer
    /// may still be under way when it does; so the condition must be one that cannot hold a second
    /// time, and an attempt that comes late finds it broken by the one that came before.
    pub(crate) async fn settle<T>(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
        judge: impl AsyncFn(bool) -> Result<Judged<T>, CqlError>,
    ) -> Result<T, CqlError> {
        let mut deadline = self.deadline();
        loop {
            let attempt = self.attempt(statement, &values).await;
            let (applied, failed) = match attempt {
                Ok(applied) => (applied, None),
                Err(error) if error.is_passing() => (false, Some(error)),
                Err(error) => return Err(error),
            };
            if let Judged::Done(settled) = judge(applied).await? {
                return Ok(settled);
            }
            if !deadline.pause().await {
                let (waited, source) = (deadline.waited(), failed.map(Box::new));
                return Err(CqlError::Unsettled { kind: statement.kind, waited, source });
            }
        }
    }

    fn counted<T>(
        &self,
        statement: &Statement,
        began: Instant,
        result: Result<T, ExecutionError>,
    ) -> Result<T, CqlError> {
        let kind = statement.kind;
        self.inner.statements.fetch_add(1, Ordering::Relaxed);
        counter!("cauce_cql_statements_total", "kind" => kind).increment(1);
        histogram!("cauce_cql_seconds", "kind" => kind).record(began.elapsed());
        result.map_err(|error| {
            counter!("cauce_cql_errors_total", "kind" => kind).increment(1);
            tracing::debug!(kind, %error, "a CQL statement failed");
            CqlError::of(statement, error)
        })
    }

    async fn prepared(&self, statement: &Statement) -> Result<Arc<PreparedStatement>, CqlError> {
        let known = |of: &[(&'static str, Arc<PreparedStatement>)]| {
            let found = of.iter().find(|(text, _)| *text == statement.text);
            found.map(|(_, prepared)| Arc::clone(prepared))
        };
        if let Some(prepared) = known(&self.inner.prepared.read()) {
            return Ok(prepared);
        }
        let prepared = self.session().prepare(statement.text).await;
        let mut prepared = prepared.map_err(|error| CqlError::of(statement, error.into()))?;
        prepared.set_page_size(PAGE_ROWS);
        prepared.set_is_idempotent(!statement.is_conditional());
        match statement.way {
            Way::Write | Way::Conditional => {}
            Way::Read => prepared.set_execution_profile_handle(Some(self.inner.reads.clone())),
            Way::ReadAgreed => {
                prepared.set_execution_profile_handle(Some(self.inner.reads.clone()));
                prepared.set_consistency(self.inner.settings.serial.of_reads());
            }
        }
        let prepared = Arc::new(prepared);
        self.inner.prepared.write().push((statement.text, Arc::clone(&prepared)));
        Ok(prepared)
    }
}
