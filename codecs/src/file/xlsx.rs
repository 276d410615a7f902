//! Sheets: the first one of a workbook, read; one of our own, written.
//!
//! A workbook is a ZIP archive of XML, so a small file can unpack to a large one. Before anything
//! is kept the sizes its directory states are summed up, and each part is unpacked into nothing to
//! see that it is as long as was stated ([`UNPACKED_LEN_MAX`]). While cells are read their number and text
//! are counted ([`CELL_COUNT_MAX`], [`TEXT_LEN_MAX`]).
//!
//! A cell that holds a formula gives the value the spreadsheet program computed last.

use std::borrow::Cow;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx};
use router::time::Timestamp;

use super::pattern::calendar_day;
use super::read::{COLUMN_COUNT_MAX, Content, Row};
use super::source::RowPlace;
use super::value::Cell;
use super::{FileError, formula};

mod archive;
mod write;

use archive::{PART_COUNT_MAX, Unfit};
pub use write::write;

/// The largest file, in bytes.
pub const FILE_LEN_MAX: usize = 8 * 1024 * 1024;
/// The most that its parts may unpack to, in bytes.
pub const UNPACKED_LEN_MAX: u64 = 128 * 1024 * 1024;
/// The most cells, counting empty ones to the left of others.
pub const CELL_COUNT_MAX: u64 = 2_000_000;
/// The most text in cells, in bytes; a text used twice counts twice.
pub const TEXT_LEN_MAX: u64 = 64 * 1024 * 1024;

/// What a cell becomes that holds an error or a duration: no field takes it.
const NO_VALUE: &str = "\0";
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The rows of the first sheet that have cells.
///
/// Errors: `TooLarge`, `NotXlsx`.
pub(super) fn rows(file: &[u8]) -> Result<Vec<Row>, FileError> {
    if file.len() > FILE_LEN_MAX {
        let max = u64::try_from(FILE_LEN_MAX).unwrap_or(u64::MAX);
        return Err(FileError::TooLarge { what: "bytes", max });
    }
    archive::check(file, UNPACKED_LEN_MAX).map_err(|unfit| match unfit {
        Unfit::Malformed => FileError::NotXlsx,
        Unfit::TooLarge => FileError::TooLarge { what: "bytes unpacked", max: UNPACKED_LEN_MAX },
        Unfit::TooManyParts => {
            let max = u64::try_from(PART_COUNT_MAX).unwrap_or(u64::MAX);
            FileError::TooLarge { what: "parts", max }
        }
    })?;
    // The library asserts what a well-made archive has; a hostile one is refused, not a crash.
    catch_unwind(AssertUnwindSafe(|| sheet(file))).unwrap_or(Err(FileError::NotXlsx))
}

/// The texts of the first row that has cells: the header row.
///
/// Errors: as for all rows.
pub fn header(file: &[u8]) -> Result<Vec<String>, FileError> {
    let first = rows(file)?.into_iter().next().map(|row| row.content);
    let Some(Content::Cells(cells)) = first else { return Ok(Vec::new()) };
    let text = |cell: Cell<'static>| match cell {
        Cell::Text(text) => text.trim().to_owned(),
        _ => String::new(),
    };
    Ok(cells.into_iter().map(text).collect())
}

fn sheet(file: &[u8]) -> Result<Vec<Row>, FileError> {
    let broken = |_| FileError::NotXlsx;
    let mut workbook = Xlsx::new(Cursor::new(file)).map_err(broken)?;
    let name = workbook.sheet_names().first().cloned().ok_or(FileError::NotXlsx)?;
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(broken)?;
    let mut sheet = Sheet { rows: Vec::new(), cell_count: 0, text_len: 0 };
    while let Some(cell) = cells.next_cell().map_err(broken)? {
        sheet.put(cell.get_position(), cell.get_value())?;
    }
    Ok(sheet.rows)
}

struct Sheet {
    rows: Vec<Row>,
    cell_count: u64,
    text_len: u64,
}

impl Sheet {
    fn put(&mut self, (row, column): (u32, u32), value: &DataRef<'_>) -> Result<(), FileError> {
        let Some(cell) = cell(value) else { return Ok(()) };
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if column >= COLUMN_COUNT_MAX {
            return Err(FileError::TooLarge { what: "columns", max: 256 });
        }
        let number = u64::from(row) + 1;
        let last = self.rows.last().map(|row| row.place.number);
        if last.is_some_and(|last| last > number) {
            return Err(FileError::NotXlsx);
        }
        if last != Some(number) {
            let place = RowPlace { number, offset: 0, is_too_long: false };
            self.rows.push(Row { place, content: Content::Cells(Vec::new()) });
        }
        if let Cell::Text(text) = &cell {
            self.text_len += u64::try_from(text.len()).unwrap_or(u64::MAX);
        }
        if self.text_len > TEXT_LEN_MAX {
            return Err(FileError::TooLarge { what: "bytes of text", max: TEXT_LEN_MAX });
        }
        let Some(Row { content: Content::Cells(cells), .. }) = self.rows.last_mut() else {
            return Ok(());
        };
        if column >= cells.len() {
            let more = column + 1 - cells.len();
            self.cell_count += u64::try_from(more).unwrap_or(u64::MAX);
            if self.cell_count > CELL_COUNT_MAX {
                return Err(FileError::TooLarge { what: "cells", max: CELL_COUNT_MAX });
            }
            cells.resize(column + 1, Cell::Text(Cow::Borrowed("")));
        }
        cells[column] = cell;
        Ok(())
    }
}

fn cell(value: &DataRef<'_>) -> Option<Cell<'static>> {
    let text = |text: &str| Cell::Text(Cow::Owned(formula::restore(text).to_owned()));
    match value {
        DataRef::Empty => None,
        DataRef::Int(number) => Some(Cell::Number(number.to_string())),
        DataRef::Float(number) => Some(Cell::Number(decimal_text(*number))),
        DataRef::String(found) => Some(text(found)),
        DataRef::SharedString(found) => Some(text(found)),
        DataRef::Bool(flag) => Some(Cell::Flag(*flag)),
        DataRef::DateTime(moment) => {
            Some(instant(moment).map_or_else(|| text(NO_VALUE), Cell::Instant))
        }
        DataRef::DateTimeIso(found) => Some(text(found)),
        DataRef::DurationIso(_) | DataRef::Error(_) => Some(text(NO_VALUE)),
    }
}

/// A number in the fifteen digits that spreadsheet programs show: 0.1 + 0.2 is 0.3 there.
fn decimal_text(number: f64) -> String {
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    rounded.to_string()
}

fn instant(moment: &ExcelDateTime) -> Option<Timestamp> {
    if !moment.is_datetime() {
        return None;
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let date = calendar_day(year.into(), month.into(), day.into())?;
    let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    Some(Timestamp(i64::from(date.0) * MICROS_PER_DAY + seconds * 1_000_000))
}

#[cfg(test)]
mod tests;
