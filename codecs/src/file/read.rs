//! Reading a file by its layout: good rows, the mistakes of bad ones, and the totals at its end.

use std::io::BufRead;

use super::layout::{Format, Layout, TotalsRecord};
use super::record::Record;
use super::source::{RowPlace, Rows};
use super::{FileError, RowError, RowErrorKind};

mod row;
mod tally;

use row::RowReader;
pub(super) use row::{Content, Row};
pub use tally::Summary;
use tally::Tally;

/// The longest row, in bytes.
pub const ROW_LEN_MAX: usize = 65_536;
/// The most columns.
pub const COLUMN_COUNT_MAX: usize = 256;
/// The most rows.
pub const ROW_COUNT_MAX: u64 = 5_000_000;

/// What a caller wants of a file in which some rows are bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// One bad row refuses the file.
    AllOrNothing,
    /// Good rows are kept.
    KeepGood,
}

/// An iterator over the records of a file.
///
/// It yields each good record, and all the mistakes of each bad row; each row behind a trailer is
/// bad, for what is behind it may have been added to the file. Call [`Reader::finish`] at
/// the end: it checks the control totals, and says whether the file could be read to its end.
pub struct Reader<'a, R, T> {
    source: Source<R>,
    rows: RowReader<'a>,
    tally: Tally<'a>,
    row_number: u64,
    /// Whether the trailer was passed, behind which nothing may stand.
    is_past_trailer: bool,
    fatal: Option<FileError>,
    is_done: bool,
    record: std::marker::PhantomData<T>,
}

enum Source<R> {
    Bytes(Rows<R>),
    Sheet(std::vec::IntoIter<Row>),
}

/// What a file gave.
#[derive(Debug)]
pub struct Imported<T> {
    /// The good records, in their order.
    pub records: Vec<T>,
    /// The mistakes in the others.
    pub mistakes: Vec<RowError>,
    /// Counts and sum.
    pub summary: Summary,
}

/// Why a file was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It cannot be read, or its totals are wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// Some rows are bad, and the caller wants all or nothing.
    #[error("{} mistakes in rows", .0.len())]
    Rows(Vec<RowError>),
}

impl<'a, R: BufRead, T: Record> Reader<'a, R, T> {
    /// Opens a CSV or fixed-width file, and reads its header row where the layout has one.
    ///
    /// Errors: `WrongLayout`, `Io`, `Header`, `Column`.
    pub fn new(layout: &'a Layout, input: R) -> Result<Self, FileError> {
        let marks = match layout.format {
            Format::Csv { delimiter, quote, .. } => Some((delimiter, quote)),
            Format::Fixed { .. } => None,
            Format::Xlsx { .. } => return Err(wrong(layout, "csv or fixed-width files")),
        };
        Self::open(layout, Source::Bytes(Rows::new(input, marks)))
    }

    fn open(layout: &'a Layout, source: Source<R>) -> Result<Self, FileError> {
        if !layout.is_for::<T>() {
            return Err(wrong(layout, T::CONTENT));
        }
        let mut reader = Self {
            source,
            rows: RowReader::new(layout),
            tally: Tally::new(layout),
            row_number: 0,
            is_past_trailer: false,
            fatal: None,
            is_done: false,
            record: std::marker::PhantomData,
        };
        let has_header = match layout.format {
            Format::Csv { has_header, .. } | Format::Xlsx { has_header } => has_header,
            Format::Fixed { .. } => false,
        };
        if has_header {
            let header = reader.next_row()?.transpose().map_err(FileError::Header)?;
            reader.rows.resolve(header.as_ref())?;
        }
        Ok(reader)
    }

    /// The next row, or what is wrong with it as a whole.
    fn next_row(&mut self) -> Result<Option<Result<Row, RowError>>, FileError> {
        match &mut self.source {
            Source::Sheet(rows) => Ok(rows.next().map(Ok)),
            Source::Bytes(rows) => {
                let Some((place, bytes)) = rows.next()? else { return Ok(None) };
                if place.number > ROW_COUNT_MAX {
                    return Err(FileError::TooManyRows { max: ROW_COUNT_MAX });
                }
                Ok(Some(self.rows.split(place, bytes)))
            }
        }
    }

    /// The number of the row that was yielded last, counted as in its mistakes.
    pub fn row_number(&self) -> u64 {
        self.row_number
    }

    fn step(&mut self) -> Result<Option<Result<T, Vec<RowError>>>, FileError> {
        loop {
            let Some(row) = self.next_row()? else { return Ok(None) };
            self.row_number = match &row {
                Ok(row) => row.place.number,
                Err(mistake) => mistake.row,
            };
            let row = match row {
                Ok(row) => row,
                Err(mistake) => {
                    self.tally.add_bad(None);
                    return Ok(Some(Err(vec![mistake])));
                }
            };
            match self.rows.kind(&row) {
                Ok(row::Kind::Detail) => return Ok(Some(self.detail(&row))),
                Ok(row::Kind::Totals(record)) => {
                    self.tally.state(record, &row, &self.rows)?;
                    if self.is_past_trailer {
                        self.tally.add_bad(None);
                        return Ok(Some(Err(vec![past_trailer(&row)])));
                    }
                    self.is_past_trailer = record == TotalsRecord::Trailer;
                }
                Err(mistake) => {
                    self.tally.add_bad(None);
                    return Ok(Some(Err(vec![mistake])));
                }
            }
        }
    }

    fn detail(&mut self, row: &Row) -> Result<T, Vec<RowError>> {
        let (values, mut mistakes) = self.rows.values(row, T::FIELDS);
        let amount = values.money("amount");
        if self.is_past_trailer {
            mistakes.push(past_trailer(row));
        }
        if mistakes.is_empty() {
            match T::from_values(&values) {
                Ok(record) => {
                    self.tally.add_good(record.amount());
                    return Ok(record);
                }
                Err(fault) => mistakes.push(self.rows.fault(row, fault)),
            }
        }
        self.tally.add_bad(amount);
        Err(mistakes)
    }

    /// Checks the totals of a file read to its end.
    ///
    /// Errors: what ended the reading early, `NoTotals`, `Count`, `Sum`. The sum is not checked
    ///         when the amount of a bad row could not be read.
    pub fn finish(mut self) -> Result<Summary, FileError> {
        for _ in self.by_ref() {}
        match self.fatal {
            Some(fatal) => Err(fatal),
            None => self.tally.finish(),
        }
    }
}

impl<'a, T: Record> Reader<'a, &'static [u8], T> {
    /// Opens a sheet.
    ///
    /// Errors: those of [`super::xlsx`], `WrongLayout`, `Column`.
    pub fn of_xlsx(layout: &'a Layout, file: &[u8]) -> Result<Self, FileError> {
        match layout.format {
            Format::Xlsx { .. } => {
                let rows = super::xlsx::rows(file)?;
                Self::open(layout, Source::Sheet(rows.into_iter()))
            }
            Format::Csv { .. } | Format::Fixed { .. } => Err(wrong(layout, "xlsx files")),
        }
    }
}

impl<R: BufRead, T: Record> Iterator for Reader<'_, R, T> {
    type Item = Result<T, Vec<RowError>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let step = self.step().unwrap_or_else(|fatal| {
            self.fatal = Some(fatal);
            None
        });
        self.is_done = step.is_none();
        step
    }
}

/// Reads a whole file.
///
/// Errors: `File` when it cannot be read or its totals are wrong; `Rows` with every mistake when
///         all or nothing is wanted.
pub fn read_all<T: Record>(
    layout: &Layout,
    file: &[u8],
    policy: Policy,
) -> Result<Imported<T>, Refused> {
    match layout.format {
        Format::Xlsx { .. } => collect(Reader::of_xlsx(layout, file)?, policy),
        Format::Csv { .. } | Format::Fixed { .. } => collect(Reader::new(layout, file)?, policy),
    }
}

fn collect<R: BufRead, T: Record>(
    mut reader: Reader<'_, R, T>,
    policy: Policy,
) -> Result<Imported<T>, Refused> {
    let (mut records, mut mistakes) = (Vec::new(), Vec::new());
    for row in reader.by_ref() {
        match row {
            Ok(record) => records.push(record),
            Err(more) => mistakes.extend(more),
        }
    }
    let summary = reader.finish();
    if policy == Policy::AllOrNothing && !mistakes.is_empty() {
        return Err(Refused::Rows(mistakes));
    }
    Ok(Imported { records, mistakes, summary: summary? })
}

fn wrong(layout: &Layout, wanted: &'static str) -> FileError {
    FileError::WrongLayout { layout: layout.content.to_owned(), wanted }
}

fn past_trailer(row: &Row) -> RowError {
    of_row(row.place, 0, RowErrorKind::UnknownRecord, "stands behind the trailer")
}

/// A mistake of a row as a whole.
fn of_row(place: RowPlace, column: usize, kind: RowErrorKind, rule: &'static str) -> RowError {
    let RowPlace { number: row, offset, .. } = place;
    RowError { row, offset, field: String::new(), column, kind, rule }
}

#[cfg(test)]
mod tests;
