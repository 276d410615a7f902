//! One sheet with a header row: numbers as numbers, dates as dates, text neutralised.

use router::money::Money;
use router::time::{Civil, Timestamp};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::decimal;
use crate::file::layout::{self, Layout};
use crate::file::write::{Column, columns};
use crate::file::{Record, Value, WriteError, formula};

/// The most records: the rows of a sheet, less the header.
pub const RECORD_COUNT_MAX: usize = 1_048_575;
/// The most digits that a number of a sheet keeps; longer amounts are written as text.
const EXACT_MINOR_MAX: u64 = 999_999_999_999_999;
const SHEET_NAME_LEN_MAX: usize = 31;

/// Writes a workbook of one sheet.
///
/// Shape:  a header row, then a record a row; amounts with the decimals of their currency.
/// Units:  `written_at` is what the workbook gives as its making.
/// Errors: `WrongLayout` for a layout of another format or with totals, `TooManyRows`.
pub fn write<T: Record>(
    layout: &Layout,
    records: &[T],
    written_at: Timestamp,
) -> Result<Vec<u8>, WriteError> {
    let is_sheet = matches!(layout.format, layout::Format::Xlsx { .. });
    if !layout.is_for::<T>() || !is_sheet || layout.totals.is_some() {
        let wanted = format!("{} in xlsx without totals", T::CONTENT);
        return Err(WriteError::WrongLayout { layout: layout.content.to_owned(), wanted });
    }
    if records.len() > RECORD_COUNT_MAX {
        return Err(WriteError::TooManyRows { max: RECORD_COUNT_MAX });
    }
    let mut workbook = Workbook::new();
    if let Some(moment) = excel_moment(written_at) {
        workbook.set_properties(&DocProperties::new().set_creation_datetime(&moment));
    }
    fill(workbook.add_worksheet(), layout, records)
        .and_then(|()| workbook.save_to_buffer())
        .map_err(|_| WriteError::Field {
            record: 0,
            field: String::new(),
            rule: "does not fit a sheet",
        })
}

fn fill<T: Record>(sheet: &mut Worksheet, layout: &Layout, records: &[T]) -> Result<(), XlsxError> {
    let is_plain = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.');
    let name: String = layout.name.chars().filter(is_plain).take(SHEET_NAME_LEN_MAX).collect();
    sheet.set_name(if name.is_empty() { T::CONTENT } else { &name })?;
    let columns = columns(layout);
    let has_header = matches!(layout.format, layout::Format::Xlsx { has_header: true });
    if has_header {
        let bold = Format::new().set_bold();
        for (at, column) in (0_u16..).zip(&columns) {
            sheet.write_string_with_format(0, at, column.title(), &bold)?;
        }
        sheet.set_freeze_panes(1, 0)?;
    }
    let detail = layout.records.as_ref().and_then(|records| records.detail.clone());
    for (row, record) in (u32::from(has_header)..).zip(records) {
        let values = record.to_values();
        for (at, column) in (0_u16..).zip(&columns) {
            match column {
                Column::Field(field) => {
                    let value = values.iter().find(|(name, _)| *name == field.spec.name);
                    if let Some((_, value)) = value {
                        put(sheet, row, at, value)?;
                    }
                }
                Column::Mark => {
                    sheet.write_string(row, at, detail.clone().unwrap_or_default())?;
                }
                Column::Gap => {}
            }
        }
    }
    sheet.autofit();
    Ok(())
}

fn put(sheet: &mut Worksheet, row: u32, column: u16, value: &Value) -> Result<(), XlsxError> {
    match value {
        Value::Text(text) => sheet.write_string(row, column, formula::neutralise(text))?,
        Value::Money(money) => put_money(sheet, row, column, *money)?,
        Value::Date(date) => {
            let style = Format::new().set_num_format("yyyy-mm-dd");
            let midnight = Timestamp(i64::from(date.0) * 86_400_000_000);
            match excel_moment(midnight) {
                Some(moment) => sheet.write_datetime_with_format(row, column, &moment, &style)?,
                None => sheet.write_string(row, column, date.to_string())?,
            }
        }
        Value::Instant(instant) => {
            let style = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
            match excel_moment(*instant) {
                Some(moment) => sheet.write_datetime_with_format(row, column, &moment, &style)?,
                None => sheet.write_string(row, column, instant.to_string())?,
            }
        }
        Value::Flag(flag) => sheet.write_boolean(row, column, *flag)?,
    };
    Ok(())
}

fn put_money(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    money: Money,
) -> Result<&mut Worksheet, XlsxError> {
    let places = money.currency.exponent();
    let text = decimal::write(money.minor, '.', places);
    // A sheet knows doubles alone; parsing gives the nearest, which shows the same digits.
    match text.parse::<f64>() {
        Ok(number) if money.minor.unsigned_abs() <= EXACT_MINOR_MAX => {
            let style = Format::new().set_num_format(decimal::write(0, '.', places));
            sheet.write_number_with_format(row, column, number, &style)
        }
        _ => sheet.write_string(row, column, text),
    }
}

fn excel_moment(instant: Timestamp) -> Option<ExcelDateTime> {
    let Civil { year, month, day, hour, minute, second, .. } = instant.utc();
    let small = |part: u32| u8::try_from(part).ok();
    let date = ExcelDateTime::from_ymd(u16::try_from(year).ok()?, small(month)?, small(day)?);
    let (hour, minute) = (u16::try_from(hour).ok()?, small(minute)?);
    date.and_then(|date| date.and_hms(hour, minute, f64::from(second))).ok()
}
