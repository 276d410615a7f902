//! `/v1/bills:batch` and `/v1/batches/{id}`: files of bills. A file is on the disk before it is answered
//! for, and is taken a few rows at a time: however long it is, little of it is in memory.

mod rows;
mod run;
mod spool;

use axum::extract::{Request, State};
use codecs::api::{BatchAcceptedView, BatchResultView, BatchView, Shown};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use router::id::BatchId;
use router::reason::Reason;
use storage_backoffice::bill::{BatchEntry, BatchRowResult, NewBatch};

use super::super::Api;
use super::super::answer::{Answer, Answered, ApiRefusal};
use super::super::document::responses::{NotFound, Usual};
use super::super::extract::{Found, Named};
use super::super::principal::{ManageBills, Permitted, Principal, Read};
use super::super::query::{FromQuery, Params, QueryOf};
use crate::clock;
use rows::{FileFormat, known_layout};

pub(in super::super) use run::resume;

/// The query of `POST /v1/bills:batch`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct BatchQuery {
    /// How the file is laid out: `bills-ar-fixed`, `bills-mx-csv` or `bills-xlsx`. Needed with
    /// text/plain; the others may have a header row with the fields' own names instead.
    #[param(value_type = Option<String>, pattern = "^bills-(ar-fixed|mx-csv|xlsx)$")]
    layout: Option<String>,
}

impl FromQuery for BatchQuery {
    const KNOWN: &'static [&'static str] = &["layout"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        let layout: Option<String> = params.parsed("layout", "must be the name of a layout")?;
        let known = layout.as_deref().is_none_or(|name| known_layout(name).is_some());
        match known {
            true => Ok(Self { layout }),
            false => Err(malformed("layout", "is no layout of bills")),
        }
    }
}

/// Register the bills of a file
#[utoipa::path(
    post,
    path = "/v1/bills:batch",
    operation_id = "createBatch",
    tag = "bills",
    description = "One bill a row. As application/jsonl each line is a body of `POST /v1/bills`. As \
        text/csv or application/vnd.openxmlformats-officedocument.spreadsheetml.sheet the header row \
        has the columns bill_no, client_id, amount and any of contract_no, currency, due1_date, \
        due1_amount (to 3), allow_partial, min, max, must_leave, product, expires_on, line1, \
        line1_amount (to 3); amounts have a decimal point, dates are 2026-12-10. Or `layout` names a \
        layout, as text/plain needs. A row whose number is taken replaces that bill, unless it was paid or \
        cancelled. Control totals that differ refuse the whole file.",
    params(BatchQuery),
    request_body(content(
        (String = "application/jsonl"),
        (String = "text/csv"),
        (String = "text/plain"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    )),
    responses(
        (status = 202, description = "The file is on the disk, and its rows are being taken.",
            body = BatchAcceptedView),
        Usual,
    ),
)]
pub(in super::super) async fn create(
    State(api): State<Api>,
    Permitted(manager): Permitted<ManageBills>,
    request: Request,
) -> Answered<BatchAcceptedView> {
    let params = Params::of(request.uri(), BatchQuery::KNOWN)?;
    let BatchQuery { layout } = BatchQuery::read(&params)?;
    let format = format_of(&request, layout.as_deref())?;
    let backoffice = &api.engine.backoffice;
    let office = backoffice.office()?;
    backoffice.expect_bills_of(manager.biller);
    let at = clock::now();
    let id = BatchId::from_parts(at.millis(), rand::random());
    let settings = backoffice.batches();
    spool::write(&settings.folder, id, request, settings.bytes_max).await?;
    let batch = NewBatch {
        id,
        biller: manager.biller,
        format: format.name().into(),
        layout: layout.map(Into::into),
        actor: manager.actor.to_string().into(),
        at,
    };
    if let Err(error) = office.begin_batch(&batch).await {
        spool::remove(&settings.folder, id);
        return Err(error.into());
    }
    run::start(&api, id);
    Ok(Answer::new(StatusCode::ACCEPTED, &BatchAcceptedView { id: Shown(id) }))
}

/// What a request's `Content-Type` and layout say of its body.
fn format_of(request: &Request, layout: Option<&str>) -> Result<FileFormat, ApiRefusal> {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let format = FileFormat::of_media_type(media_type).ok_or_else(|| {
        let detail = "the body must be application/jsonl, text/csv, text/plain or a workbook";
        ApiRefusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", detail)
            .about("Content-Type")
    })?;
    match (layout.and_then(known_layout), format) {
        (None, FileFormat::Fixed) => Err(malformed("layout", "must name a layout of text/plain")),
        (None, _) => Ok(format),
        (Some(layout), format) if layout.format == format => Ok(format),
        (Some(_), _) => Err(malformed("layout", "is of another kind of file")),
    }
}

fn malformed(field: &'static str, detail: &'static str) -> ApiRefusal {
    ApiRefusal::new(Reason::FormatError, "query").saying(detail).about(field)
}

/// The query of `GET /v1/batches/{id}`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct ResultsQuery {
    /// next_cursor of the page before.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,10}$")]
    cursor: Option<u32>,
    /// Rows of a page.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: usize,
}

impl FromQuery for ResultsQuery {
    const KNOWN: &'static [&'static str] = &["cursor", "limit"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        let cursor = params.parsed("cursor", "must be a next_cursor")?;
        Ok(Self { cursor, limit: params.limit()? })
    }
}

/// What became of a file of bills
#[utoipa::path(
    get,
    path = "/v1/batches/{id}",
    operation_id = "showBatch",
    tag = "bills",
    params(("id" = String, Path, pattern = "^bat_[0-7][0-9a-hjkmnp-tv-z]{25}$"), ResultsQuery),
    responses(
        (status = 200, description = "How far it was taken, and one page of its rows.",
            body = BatchView),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(in super::super) async fn show(
    State(api): State<Api>,
    Permitted(_): Permitted<Read>,
    Found(batch): Found<BatchEntry>,
    QueryOf(ResultsQuery { cursor, limit }): QueryOf<ResultsQuery>,
) -> Answered<BatchView> {
    let office = api.engine.backoffice.office()?;
    let id: BatchId = batch.id.parse().map_err(|_| not_found())?;
    // One more than is shown tells whether there is another page.
    let most = u32::try_from(limit + 1).unwrap_or(u32::MAX);
    let after = u64::from(cursor.unwrap_or(0));
    let mut results = office.batch_results(id, after, most).await?;
    let is_more = limit < results.len();
    results.truncate(limit);
    let next_cursor = results.last().filter(|_| is_more).map(|row| row.row_number.to_string());
    Ok(Answer::new(StatusCode::OK, &view(id, batch, results, next_cursor)))
}

fn view(
    id: BatchId,
    batch: BatchEntry,
    results: Vec<BatchRowResult>,
    next_cursor: Option<String>,
) -> BatchView {
    let BatchEntry { state, accepted, rejected, code, detail, .. } = batch;
    let result = |row: BatchRowResult| BatchResultView {
        row: row.row_number.unsigned_abs(),
        bill: row.bill_id.and_then(|id| id.parse().ok()).map(Shown),
        code: row.code,
        field: row.field,
        column: row.column_number.map(i64::unsigned_abs),
        detail: row.detail,
    };
    BatchView {
        id: Shown(id),
        state,
        rows: accepted.saturating_add(rejected).unsigned_abs(),
        accepted: accepted.unsigned_abs(),
        rejected: rejected.unsigned_abs(),
        code,
        detail,
        results: results.into_iter().map(result).collect(),
        next_cursor,
    }
}

impl Named for BatchEntry {
    async fn find(api: &Api, principal: Principal, id: &str) -> Result<Self, ApiRefusal> {
        let office = api.engine.backoffice.office()?;
        let found = match id.parse::<BatchId>() {
            Ok(id) => office.batch(id).await?,
            Err(_) => None,
        };
        let biller = |batch: &Self| batch.biller.parse().ok();
        let seen = found.filter(|batch| biller(batch).is_some_and(|biller| principal.sees(biller)));
        seen.ok_or_else(not_found)
    }
}

fn not_found() -> ApiRefusal {
    ApiRefusal::not_found("there is no such file of bills")
}
