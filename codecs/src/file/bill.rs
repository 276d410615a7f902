//! A bill of a collection company's base, as `POST /v1/bills` takes it.

use router::money::Money;
use router::time::Date;

use super::record::{Fault, FieldKind, FieldSpec, Record, Values, optional, present, required};
use super::{RowErrorKind, Value};

/// The most due dates a bill has, as on Argentine bills.
pub const DUE_COUNT_MAX: usize = 3;
/// The most concept lines a row carries.
pub const LINE_COUNT_MAX: usize = 3;
/// The largest amount, in minor units: twelve digits (DE4).
const MINOR_MAX: i64 = 999_999_999_999;

/// One bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillRow {
    /// The biller's number, unique within the biller.
    pub bill_no: String,
    /// The client it is for.
    pub client_id: String,
    /// The contract, where a client has several.
    pub contract_no: Option<String>,
    /// What is owed, more than zero.
    pub amount: Money,
    /// Up to three dates, ascending, each with the amount owed until then.
    pub dues: Vec<Due>,
    /// Whether a part may be paid.
    pub allow_partial: bool,
    /// The least that may be paid at once.
    pub min: Option<Money>,
    /// The most that may be paid at once.
    pub max: Option<Money>,
    /// The least that may be left over.
    pub must_leave: Option<Money>,
    /// The biller's kind of product.
    pub product: Option<String>,
    /// The last day it can be paid.
    pub expires_on: Option<Date>,
    /// What it is for, in the payer's words.
    pub lines: Vec<BillLine>,
}

/// A due date, and what is owed until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The day.
    pub date: Date,
    /// The amount; that of the bill where the row states none.
    pub amount: Money,
}

/// A line of what a bill is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillLine {
    /// The text.
    pub text: String,
    /// Its share of the amount, where it is stated.
    pub amount: Option<Money>,
}

const ID: FieldKind = FieldKind::Text { longest: 40 };
const LINE: FieldKind = FieldKind::Text { longest: 140 };

const DUES: [(&str, &str); DUE_COUNT_MAX] =
    [("due1_date", "due1_amount"), ("due2_date", "due2_amount"), ("due3_date", "due3_amount")];
const LINES: [(&str, &str); LINE_COUNT_MAX] =
    [("line1", "line1_amount"), ("line2", "line2_amount"), ("line3", "line3_amount")];

impl Record for BillRow {
    const CONTENT: &'static str = "bills";
    const FIELDS: &'static [FieldSpec] = &[
        required("bill_no", ID),
        required("client_id", ID),
        optional("contract_no", ID),
        optional("currency", FieldKind::Currency),
        required("amount", FieldKind::Amount),
        optional("due1_date", FieldKind::Date),
        optional("due1_amount", FieldKind::Amount),
        optional("due2_date", FieldKind::Date),
        optional("due2_amount", FieldKind::Amount),
        optional("due3_date", FieldKind::Date),
        optional("due3_amount", FieldKind::Amount),
        optional("allow_partial", FieldKind::Flag),
        optional("min", FieldKind::Amount),
        optional("max", FieldKind::Amount),
        optional("must_leave", FieldKind::Amount),
        optional("product", ID),
        optional("expires_on", FieldKind::Date),
        optional("line1", LINE),
        optional("line1_amount", FieldKind::Amount),
        optional("line2", LINE),
        optional("line2_amount", FieldKind::Amount),
        optional("line3", LINE),
        optional("line3_amount", FieldKind::Amount),
    ];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        let amount = values.money("amount").unwrap_or(Money::zero(values.currency));
        let bill = Self {
            bill_no: values.required_text("bill_no"),
            client_id: values.required_text("client_id"),
            contract_no: values.text("contract_no"),
            amount,
            dues: dues(values, amount)?,
            allow_partial: values.flag("allow_partial").unwrap_or(false),
            min: values.money("min"),
            max: values.money("max"),
            must_leave: values.money("must_leave"),
            product: values.text("product"),
            expires_on: values.date("expires_on"),
            lines: lines(values)?,
        };
        bill.check()?;
        Ok(bill)
    }

    fn to_values(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &Option<String>| text.clone().map(Value::Text);
        let money = |money: Option<Money>| money.map(Value::Money);
        let mut values = vec![
            ("bill_no", Some(Value::Text(self.bill_no.clone()))),
            ("client_id", Some(Value::Text(self.client_id.clone()))),
            ("contract_no", text(&self.contract_no)),
            ("currency", Some(Value::Text(self.amount.currency.code().to_owned()))),
            ("amount", Some(Value::Money(self.amount))),
            ("allow_partial", Some(Value::Flag(self.allow_partial))),
            ("min", money(self.min)),
            ("max", money(self.max)),
            ("must_leave", money(self.must_leave)),
            ("product", text(&self.product)),
            ("expires_on", self.expires_on.map(Value::Date)),
        ];
        for (due, (date, amount)) in self.dues.iter().zip(DUES) {
            values.push((date, Some(Value::Date(due.date))));
            values.push((amount, Some(Value::Money(due.amount))));
        }
        for (line, (name, amount)) in self.lines.iter().zip(LINES) {
            values.push((name, Some(Value::Text(line.text.clone()))));
            values.push((amount, money(line.amount)));
        }
        present(values)
    }

    fn amount(&self) -> Money {
        self.amount
    }
}

impl BillRow {
    fn check(&self) -> Result<(), Fault> {
        if !(1..=MINOR_MAX).contains(&self.amount.minor) {
            let rule = "is more than zero and has at most twelve digits";
            return Err(Fault { field: "amount", kind: RowErrorKind::BadAmount, rule });
        }
        let conflict = |field, rule| Err(Fault { field, kind: RowErrorKind::Conflict, rule });
        if self.dues.windows(2).any(|pair| pair[1].date <= pair[0].date) {
            return conflict("due2_date", "comes after the due date before it");
        }
        let minor = |money: Option<Money>| money.map(|money| money.minor);
        if let (Some(min), Some(max)) = (minor(self.min), minor(self.max))
            && min > max
        {
            return conflict("min", "is no more than max");
        }
        if minor(self.min).is_some_and(|min| min > self.amount.minor) {
            return conflict("min", "is no more than the amount");
        }
        Ok(())
    }
}

/// Due dates in their order; none may follow an empty one.
fn dues(values: &Values, amount: Money) -> Result<Vec<Due>, Fault> {
    let mut dues = Vec::new();
    for (at, (date, due_amount)) in DUES.into_iter().enumerate() {
        let stated = values.money(due_amount);
        match values.date(date) {
            Some(day) if dues.len() == at => {
                dues.push(Due { date: day, amount: stated.unwrap_or(amount) });
            }
            Some(_) => {
                let rule = "stands behind a due date that is empty";
                return Err(Fault { field: date, kind: RowErrorKind::Conflict, rule });
            }
            // Files without a second due date often repeat a zero there.
            None if stated.is_some_and(|stated| stated.minor > 0) => {
                let rule = "must be there for its amount";
                return Err(Fault { field: date, kind: RowErrorKind::Missing, rule });
            }
            None => {}
        }
    }
    Ok(dues)
}

fn lines(values: &Values) -> Result<Vec<BillLine>, Fault> {
    let mut lines = Vec::new();
    for (name, amount) in LINES {
        match (values.text(name), values.money(amount)) {
            (Some(text), amount) => lines.push(BillLine { text, amount }),
            (None, Some(money)) if money.minor > 0 => {
                let rule = "must be there for its amount";
                return Err(Fault { field: name, kind: RowErrorKind::Missing, rule });
            }
            (None, _) => {}
        }
    }
    Ok(lines)
}
