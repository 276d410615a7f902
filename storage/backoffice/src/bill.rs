//! Bills: what billers register that is owed to them.

mod batch;
mod change;
mod row;

use router::bill::RegisteredBill;
use router::id::{BillId, BillNo, BillerId, ClientRef, Product};
use router::time::Timestamp;

use crate::database::read;
use crate::error::BackofficeError;
use crate::office::Backoffice;
pub use batch::{
    BatchCounts, BatchEntry, BatchOutcome, BatchRow, BatchRowResult, BatchTaken, NewBatch, RowFault,
};
pub use change::{Amended, BillChange, Cancelled, RegisteredAs};
pub(crate) use row::date_of;
use row::{BillRow, LineRow, columns};

/// A registered bill, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillEntry {
    /// The bill.
    pub id: BillId,
    /// Whose it is.
    pub biller: BillerId,
    /// The biller's own number of it; no other bill of the biller has it.
    pub bill_no: BillNo,
    /// The biller's own number of the payer.
    pub client_id: ClientRef,
    /// The biller's own number of the contract.
    pub contract_no: Option<Box<str>>,
    /// How the payer is reached.
    pub contact: Contact,
    /// What it is for, line by line; they sum to the amount.
    pub lines: Vec<BillLine>,
    /// What may be paid of it, and until when.
    pub terms: RegisteredBill,
    /// Kind of credit or service.
    pub product: Option<Product>,
    /// Where it came from.
    pub origin: BillOrigin,
    /// The biller's own data: JSON.
    pub metadata: Option<Box<str>>,
    /// Counts its changes, from 1.
    pub version: u32,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

/// How a payer is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// The payer's name.
    pub name: Option<Box<str>>,
    /// Telephone.
    pub phone: Option<Box<str>>,
    /// Mail address.
    pub email: Option<Box<str>>,
    /// Identity document.
    pub doc: Option<Box<str>>,
    /// Language, as `es`.
    pub language: Option<Box<str>>,
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillLine {
    /// What people read.
    pub text: Box<str>,
    /// How much, in minor units of the bill's currency; may be below zero, for a rebate.
    pub minor: i64,
}

/// Where a bill came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BillOrigin {
    /// The biller's system, by the API.
    #[default]
    Api,
    /// The biller's site, while the payer waits.
    Online,
}

impl BillOrigin {
    /// Every origin.
    pub const ALL: [Self; 2] = [Self::Api, Self::Online];

    /// The name used in JSON and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Online => "online",
        }
    }

    /// The origin with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.name() == name)
    }
}

/// Which bills of a biller a list is of.
#[derive(Debug, Clone, Copy)]
pub struct BillSearch {
    /// Whose bills.
    pub biller: BillerId,
    /// The payer's bills alone, where one is named.
    pub client: Option<ClientRef>,
    /// The last bill of the page before.
    pub after: Option<BillId>,
    /// Most bills.
    pub limit: u32,
}

impl Backoffice {
    /// A bill by its id. Cancel-safe.
    pub async fn bill(&self, id: BillId) -> Result<Option<BillEntry>, BackofficeError> {
        const SQL: &str = concat!("SELECT ", columns!(), " FROM bills WHERE id = $1");
        let row = read!(&self.registered, |on| {
            sqlx::query_as::<_, BillRow>(SQL).bind(id.to_string()).fetch_optional(on).await
        })?;
        self.whole_of(row).await
    }

    /// A bill by the biller's own number of it. Cancel-safe.
    pub async fn bill_by_no(
        &self,
        biller: BillerId,
        bill_no: BillNo,
    ) -> Result<Option<BillEntry>, BackofficeError> {
        let row = self.bill_row(biller, bill_no).await?;
        self.whole_of(row).await
    }

    /// What may be paid of a bill, without its lines: one question to the database. Cancel-safe.
    pub async fn bill_terms(
        &self,
        biller: BillerId,
        bill_no: BillNo,
    ) -> Result<Option<BillEntry>, BackofficeError> {
        let row = self.bill_row(biller, bill_no).await?;
        row.map(|row| row.entry(Vec::new())).transpose()
    }

    /// Bills of a biller, oldest first. Cancel-safe.
    pub async fn bills(&self, search: &BillSearch) -> Result<Vec<BillEntry>, BackofficeError> {
        const ALL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM bills WHERE biller = $1 AND id > $2 ORDER BY id LIMIT $3"
        );
        const OF_CLIENT: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM bills WHERE biller = $1 AND client_id = $4 AND id > $2 ORDER BY id LIMIT $3"
        );
        let BillSearch { biller, client, after, limit } = search;
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let rows = read!(&self.registered, |on| {
            let sql = if client.is_some() { OF_CLIENT } else { ALL };
            let query = sqlx::query_as::<_, BillRow>(sql).bind(biller.as_str());
            let query = query.bind(after.as_str()).bind(i64::from(*limit));
            match client {
                Some(client) => query.bind(client.as_str()).fetch_all(on).await,
                None => query.fetch_all(on).await,
            }
        })?;
        self.whole(rows).await
    }

    /// Whether a biller has registered any bill. Cancel-safe.
    pub async fn billers_with_bills(&self) -> Result<Vec<BillerId>, BackofficeError> {
        const SQL: &str = "SELECT DISTINCT biller FROM bills ORDER BY biller";
        let names = read!(&self.registered, |on| {
            sqlx::query_scalar::<_, String>(SQL).fetch_all(on).await
        })?;
        Ok(names.iter().filter_map(|name| BillerId::new(name).ok()).collect())
    }

    async fn bill_row(
        &self,
        biller: BillerId,
        bill_no: BillNo,
    ) -> Result<Option<BillRow>, BackofficeError> {
        const SQL: &str =
            concat!("SELECT ", columns!(), " FROM bills WHERE biller = $1 AND bill_no = $2");
        read!(&self.registered, |on| {
            let query = sqlx::query_as::<_, BillRow>(SQL).bind(biller.as_str());
            query.bind(bill_no.as_str()).fetch_optional(on).await
        })
    }

    async fn whole_of(&self, row: Option<BillRow>) -> Result<Option<BillEntry>, BackofficeError> {
        Ok(self.whole(row.into_iter().collect()).await?.pop())
    }

    /// Bills with their lines, in the order of their rows.
    async fn whole(&self, rows: Vec<BillRow>) -> Result<Vec<BillEntry>, BackofficeError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let lines = read!(&self.registered, |on| {
            let mut query = sqlx::QueryBuilder::<Db>::new(
                "SELECT bill_id, line_text, amount_minor FROM bill_lines WHERE bill_id IN (",
            );
            let mut ids = query.separated(", ");
            for row in &rows {
                ids.push_bind(row.id.clone());
            }
            query.push(") ORDER BY bill_id, number");
            query.build_query_as::<LineRow>().fetch_all(on).await
        })?;
        let lines_of = |row: &BillRow| {
            let lines = lines.iter().filter(|line| line.bill_id == row.id);
            lines.map(LineRow::line).collect()
        };
        let whole = |row: BillRow| {
            let lines = lines_of(&row);
            row.entry(lines)
        };
        rows.into_iter().map(whole).collect()
    }
}
