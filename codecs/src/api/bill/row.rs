//! Bills of files, as the API's own.

use router::money::Money;
use router::reason::Reason;
use router::time::{Date, Timestamp};

use super::draft::BillDraft;
use super::{BillBody, DueBody, LineBody};
use crate::api::{AmountBody, FieldError};
use crate::file::bill::{BillLine, BillRow};

impl BillDraft {
    /// The bill of a row, by the rules of a bill that is posted.
    ///
    /// Shape:  `end_of` gives the instant behind the last of a biller's day; a line without an amount has
    ///         what the others leave.
    /// Errors: the first field that makes no sense, by its name in the API.
    pub fn of_row(row: BillRow, end_of: impl Fn(Date) -> Timestamp) -> Result<Self, FieldError> {
        let expires_at = row.expires_on.map(end_of);
        let mut draft = body_of(row)?.checked(|_| None)?;
        draft.terms.expires_at = expires_at;
        Ok(draft)
    }
}

fn body_of(row: BillRow) -> Result<BillBody, FieldError> {
    let currency = row.amount.currency;
    let amount = |money: Money| {
        let currency = money.currency.code().to_owned();
        AmountBody { currency, minor: money.minor }
    };
    let due = row.dues.iter().map(|due| {
        let (date, amount) = (due.date.to_string(), amount(due.amount));
        DueBody { date, amount }
    });
    let due: Vec<DueBody> = due.collect();
    let lines = lines_of(&row.lines, row.amount)?;
    let lines = lines
        .into_iter()
        .map(|(text, minor)| LineBody { text, amount: amount(Money::new(minor, currency)) });
    let lines: Vec<LineBody> = lines.collect();
    Ok(BillBody {
        bill_no: row.bill_no,
        client_id: row.client_id,
        contract_no: row.contract_no,
        client: None,
        lines: Some(lines),
        amount: amount(row.amount),
        due: Some(due).filter(|due| !due.is_empty()),
        allow_partial: row.allow_partial,
        min: row.min.map(amount),
        max: row.max.map(amount),
        must_leave: row.must_leave.map(amount),
        product: row.product,
        expires_at: None,
        origin: None,
        elements: None,
        metadata: None,
    })
}

/// The lines, each with its share; the first one that states none has what the others leave.
fn lines_of(lines: &[BillLine], amount: Money) -> Result<Vec<(String, i64)>, FieldError> {
    let stated = lines.iter().filter_map(|line| line.amount);
    let stated = stated.fold(0_i64, |sum, line| sum.saturating_add(line.minor));
    let mut left = Some(amount.minor.saturating_sub(stated));
    let share = |line: &BillLine| {
        let own = line.amount.map(|amount| amount.minor);
        let minor = own.or_else(|| left.take()).ok_or_else(|| {
            let detail = "only one line may be without an amount";
            FieldError::new("lines", Reason::AmountInvalid, detail)
        })?;
        Ok((line.text.clone(), minor))
    };
    lines.iter().map(share).collect()
}
