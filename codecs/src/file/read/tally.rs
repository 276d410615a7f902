//! Counting and summing rows, and holding the sums against those the file states.

use router::money::Money;

use super::row::{Row, RowReader};
use super::{FileError, TotalsRecord};
use crate::file::layout::Layout;
use crate::file::value::{self, Cell};

/// What a file held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Good rows.
    pub good: u64,
    /// Bad rows.
    pub bad: u64,
    /// The sum of the good rows, in minor units of the layout's currency; none when rows are in
    /// several.
    pub sum_minor: Option<i128>,
}

/// Running count and sum.
pub(super) struct Tally<'a> {
    layout: &'a Layout,
    good: u64,
    bad: u64,
    good_minor: Option<i128>,
    /// The sum of all rows, bad ones too; none once an amount could not be read.
    all_minor: Option<i128>,
    stated: Option<Stated>,
}

#[derive(Clone, Copy)]
struct Stated {
    count: Option<u64>,
    sum: Option<i128>,
}

impl<'a> Tally<'a> {
    pub fn new(layout: &'a Layout) -> Self {
        let zero = Some(0);
        Self { layout, good: 0, bad: 0, good_minor: zero, all_minor: zero, stated: None }
    }

    fn plus(&self, sum: Option<i128>, amount: Money) -> Option<i128> {
        // Fewer than 2^64 amounts below 2^63 stay within i128.
        let is_of_file = amount.currency == self.layout.currency;
        sum.filter(|_| is_of_file).map(|sum| sum + i128::from(amount.minor))
    }

    pub fn add_good(&mut self, amount: Money) {
        self.good += 1;
        self.good_minor = self.plus(self.good_minor, amount);
        self.all_minor = self.plus(self.all_minor, amount);
    }

    pub fn add_bad(&mut self, amount: Option<Money>) {
        self.bad += 1;
        self.all_minor = amount.and_then(|amount| self.plus(self.all_minor, amount));
    }

    /// Takes the totals out of a header or trailer.
    pub fn state(
        &mut self,
        record: TotalsRecord,
        row: &Row,
        rows: &RowReader<'_>,
    ) -> Result<(), FileError> {
        let layout = rows.layout();
        let Some(totals) = layout.totals.as_ref().filter(|totals| totals.record == record) else {
            return Ok(());
        };
        let unreadable = || FileError::NoTotals { record: record.name() };
        if self.stated.is_some() {
            return Err(unreadable());
        }
        let count = totals.count.as_ref().map(|place| count(&rows.cell(row, place)));
        let sum = totals.sum.as_ref().map(|place| {
            let cell = rows.cell(row, place);
            value::minor_units(&cell, &layout.style, layout.currency).map(i128::from)
        });
        self.stated = Some(Stated {
            count: count.map(|count| count.ok_or_else(unreadable)).transpose()?,
            sum: sum.map(|sum| sum.ok_or_else(unreadable)).transpose()?,
        });
        Ok(())
    }

    pub fn finish(self) -> Result<Summary, FileError> {
        if let Some(totals) = &self.layout.totals {
            let stated = self.stated.ok_or(FileError::NoTotals { record: totals.record.name() })?;
            let found = self.good + self.bad;
            if let Some(stated) = stated.count.filter(|stated| *stated != found) {
                return Err(FileError::Count { stated, found });
            }
            if let (Some(stated), Some(found)) = (stated.sum, self.all_minor)
                && stated != found
            {
                return Err(FileError::Sum { stated, found });
            }
        }
        Ok(Summary { good: self.good, bad: self.bad, sum_minor: self.good_minor })
    }
}

fn count(cell: &Cell<'_>) -> Option<u64> {
    let digits = match cell {
        Cell::Text(text) => text.as_ref(),
        Cell::Number(digits) => digits,
        Cell::Instant(_) | Cell::Flag(_) => return None,
    };
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}
