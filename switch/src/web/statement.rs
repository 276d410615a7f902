//! `/v1/clients/{id}/statement`: what a payer owes and has paid.

use std::collections::BTreeMap;

use axum::extract::State;
use codecs::api::{
    AmountView, Shown, StatementBillView, StatementPaymentView, StatementTotalView, StatementView,
};
use http::StatusCode;
use router::bill::{BillMoment, BillStanding};
use router::id::{BillId, BillerId, ClientRef};
use router::money::{Currency, Money};
use router::reason::Reason;
use router::time::Timestamp;
use storage_backoffice::bill::{BillEntry, BillSearch};
use storage_backoffice::standing::{PaidRow, Standings};
use storage_backoffice::{Backoffice, BackofficeError};

use super::Api;
use super::answer::{Answer, Answered, ApiRefusal};
use super::document::responses::{NotFound, Usual};
use super::extract::Id;
use super::principal::{Permitted, Read};
use super::query::{FromQuery, Params, QueryOf};
use crate::backoffice::moment_of;
use crate::clock;

/// Bills of one question while everything is summed up …
const SUMMED_AT_ONCE: u32 = 500;
/// … and most of them.
const SUMMED_MAX: usize = 100_000;

/// The query of `GET /v1/clients/{id}/statement`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatementQuery {
    /// Needed with an operator's key.
    #[param(value_type = Option<String>, min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    biller: Option<BillerId>,
    /// next_cursor of the page before.
    #[param(value_type = Option<String>, pattern = "^bil_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    cursor: Option<BillId>,
    /// Bills of a page.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: usize,
}

impl FromQuery for StatementQuery {
    const KNOWN: &'static [&'static str] = &["biller", "cursor", "limit"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        Ok(Self {
            biller: params.biller()?,
            cursor: params.parsed("cursor", "must be a next_cursor")?,
            limit: params.limit()?,
        })
    }
}

/// What a payer owes and has paid
#[utoipa::path(
    get,
    path = "/v1/clients/{id}/statement",
    operation_id = "showStatement",
    tag = "bills",
    description = "The payer's bills with what was charged, paid and is still owed, as of `as_of`. \
        A payer that has no bill is a 404.",
    params(("id" = String, Path, description = "Your number of the payer."), StatementQuery),
    responses(
        (status = 200, description = "One page of bills, and the totals over all.",
            body = StatementView),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn show(
    State(api): State<Api>,
    Permitted(principal): Permitted<Read>,
    Id(client): Id,
    QueryOf(query): QueryOf<StatementQuery>,
) -> Answered<StatementView> {
    let biller = principal.listed(query.biller)?;
    let missing = || ApiRefusal::new(Reason::NotFound, "client").saying("there is no such payer");
    let client: ClientRef = client.parse().map_err(|_| missing())?;
    let backoffice = &api.engine.backoffice;
    let office = backoffice.office()?;
    backoffice.rows_are_current(&api.engine.store).await;
    let as_of = backoffice.as_of(&api.engine.store);
    let moment = moment_of(&api.engine.policy(), biller, clock::now());
    let account = Account { office: &office, biller, client, moment };
    let totals = account.totals().await?;
    if totals.as_ref().is_some_and(Vec::is_empty) {
        return Err(missing());
    }
    let view = account.page(query.cursor, query.limit, totals, as_of).await?;
    Ok(Answer::new(StatusCode::OK, &view))
}

/// A payer's account with a biller.
struct Account<'a> {
    office: &'a Backoffice,
    biller: BillerId,
    client: ClientRef,
    moment: BillMoment,
}

/// What one bill, or many, come to in one currency.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    charged: i64,
    paid: i64,
}

impl Account<'_> {
    async fn bills(
        &self,
        after: Option<BillId>,
        limit: u32,
    ) -> Result<Vec<BillEntry>, BackofficeError> {
        let (biller, client) = (self.biller, Some(self.client));
        self.office.bills(&BillSearch { biller, client, after, limit }).await
    }

    async fn standings(&self, bills: &[BillEntry]) -> Result<Standings, BackofficeError> {
        let numbers: Vec<_> = bills.iter().map(|bill| bill.bill_no).collect();
        self.office.standings(self.biller, &numbers).await
    }

    fn sum(&self, bill: &BillEntry, standing: BillStanding) -> Sum {
        Sum { charged: bill.terms.charged(standing, self.moment).minor, paid: standing.paid_minor }
    }

    /// The sums over all bills by currency; none where there are too many.
    async fn totals(&self) -> Result<Option<Vec<StatementTotalView>>, BackofficeError> {
        let mut sums: BTreeMap<&'static str, (Currency, Sum)> = BTreeMap::new();
        let (mut after, mut count) = (None, 0);
        loop {
            let bills = self.bills(after, SUMMED_AT_ONCE).await?;
            let Some(last) = bills.last() else { break };
            after = Some(last.id);
            count += bills.len();
            if SUMMED_MAX < count {
                return Ok(None);
            }
            let standings = self.standings(&bills).await?;
            for bill in &bills {
                let currency = bill.terms.amount.currency;
                let sum = self.sum(bill, standings.of(bill.bill_no, currency));
                let (_, total) = sums.entry(currency.code()).or_insert((currency, Sum::default()));
                total.charged = total.charged.saturating_add(sum.charged);
                total.paid = total.paid.saturating_add(sum.paid);
            }
        }
        let view = |(currency, sum): (Currency, Sum)| {
            let (charged, paid, balance) = sum.amounts(currency);
            StatementTotalView { charged, paid, balance }
        };
        Ok(Some(sums.into_values().map(view).collect()))
    }

    async fn page(
        &self,
        cursor: Option<BillId>,
        limit: usize,
        totals: Option<Vec<StatementTotalView>>,
        as_of: Timestamp,
    ) -> Result<StatementView, BackofficeError> {
        // One more than is shown tells whether there is another page.
        let mut bills = self.bills(cursor, u32::try_from(limit + 1).unwrap_or(u32::MAX)).await?;
        let is_more = limit < bills.len();
        bills.truncate(limit);
        let standings = self.standings(&bills).await?;
        let numbers: Vec<_> = bills.iter().map(|bill| bill.bill_no).collect();
        let paid = self.office.paid_rows(self.biller, &numbers).await?;
        let next_cursor = bills.last().filter(|_| is_more).map(|bill| bill.id.to_string());
        let data = bills.iter().map(|bill| {
            let standing = standings.of(bill.bill_no, bill.terms.amount.currency);
            self.bill(bill, standing, &paid)
        });
        let (client_id, data) = (self.client.to_string(), data.collect());
        Ok(StatementView { client_id, data, totals, next_cursor, as_of: Shown(as_of) })
    }

    fn bill(
        &self,
        bill: &BillEntry,
        standing: BillStanding,
        paid: &[PaidRow],
    ) -> StatementBillView {
        let currency = bill.terms.amount.currency;
        let bill_no = bill.bill_no.to_string();
        let own = |row: &&PaidRow| row.bill_no == bill_no && row.currency == currency.code();
        let payments = paid.iter().filter(own).filter_map(|row| payment(row, currency)).collect();
        let (charged, paid, balance) = self.sum(bill, standing).amounts(currency);
        StatementBillView {
            bill: Shown(bill.id),
            bill_no,
            state: bill.terms.state(standing, self.moment),
            at: Shown(bill.created_at),
            charged,
            paid,
            balance,
            payments,
        }
    }
}

impl Sum {
    /// Charged, paid, and what is still owed.
    fn amounts(self, currency: Currency) -> (AmountView, AmountView, AmountView) {
        let Self { charged, paid } = self;
        let amount = |minor| AmountView::from(Money::new(minor, currency));
        (amount(charged), amount(paid), amount(charged.saturating_sub(paid)))
    }
}

fn payment(row: &PaidRow, currency: Currency) -> Option<StatementPaymentView> {
    let amount = |minor| AmountView::from(Money::new(minor, currency));
    Some(StatementPaymentView {
        payment: Shown(row.id.parse().ok()?),
        at: Shown(Timestamp(row.received_at)),
        rail: row.rail.clone(),
        state: row.state.clone(),
        amount: amount(row.amount_minor),
        stands: amount(row.stands_minor),
    })
}
