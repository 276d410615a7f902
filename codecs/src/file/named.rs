//! Layouts of files whose header row has the fields' own names: nothing has to be agreed on first.
//!
//! Dates are written 2026-12-10, amounts with a decimal point, flags `true` and `false`. Each column
//! must be a field of the content; those that are optional may be left out.

use router::money::Currency;

use super::layout::Layout;
use super::{FieldSpec, Record};

/// The most columns, which is more than there are fields.
const COLUMN_COUNT_MAX: usize = 64;

/// What kind of file has the header row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedFormat {
    /// CSV, with this character between columns.
    Csv(char),
    /// The first sheet of a workbook.
    Xlsx,
}

/// What is wrong with a header row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamedError {
    /// A column that is no field.
    #[error("column {at} of the header row is no field")]
    Unknown {
        /// Which, from 1.
        at: usize,
    },
    /// A field without which no record can be made.
    #[error("the header row lacks the column {field}")]
    Lacks {
        /// The field.
        field: &'static str,
    },
    /// More columns than there are fields, or one of them twice.
    #[error("the header row has a column twice")]
    Twice,
}

/// The character between the columns of a header row.
pub fn delimiter_of(header: &str) -> char {
    let is_semicolon = header.contains(';') && !header.contains(',');
    if is_semicolon { ';' } else { ',' }
}

/// The layout of a file whose header row has these columns; rows that name no currency are in
/// `currency`.
///
/// Errors: [`NamedError`], which names no content.
pub fn layout_of<T: Record>(
    format: NamedFormat,
    columns: &[&str],
    currency: Currency,
) -> Result<Layout, NamedError> {
    let mut named: Vec<&FieldSpec> = Vec::new();
    for (at, column) in (1..).zip(columns).take(COLUMN_COUNT_MAX) {
        let field = T::FIELDS.iter().find(|field| field.name == *column);
        let field = field.ok_or(NamedError::Unknown { at })?;
        if named.iter().any(|other| other.name == field.name) {
            return Err(NamedError::Twice);
        }
        named.push(field);
    }
    let is_there = |field: &FieldSpec| named.iter().any(|other| other.name == field.name);
    if let Some(field) = T::FIELDS.iter().find(|field| field.required && !is_there(field)) {
        return Err(NamedError::Lacks { field: field.name });
    }
    let table = match format {
        NamedFormat::Csv(delimiter) => {
            format!("format = \"csv\"\n[csv]\ndelimiter = \"{delimiter}\"\nheader = true\n")
        }
        NamedFormat::Xlsx => "format = \"xlsx\"\n[xlsx]\nheader = true\n".to_owned(),
    };
    let place = |field: &&FieldSpec| format!("{0} = {{ column = \"{0}\" }}\n", field.name);
    let fields: String = named.iter().map(place).collect();
    let toml = format!(
        "name = \"named\"\ncontent = \"{}\"\ncurrency = \"{}\"\nencoding = \"utf-8\"\nyes = \"true\"\nno = \"false\"\n\
         {table}[fields]\n{fields}",
        T::CONTENT,
        currency.code(),
    );
    Ok(Layout::from_toml(&toml).expect("invariant: a layout of known fields has no mistake"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::bill::BillRow;
    use crate::file::read::Reader;

    fn layout(header: &str) -> Result<Layout, NamedError> {
        let delimiter = delimiter_of(header);
        let columns: Vec<&str> = header.split(delimiter).collect();
        let pesos = Currency::from_code("MXN").expect("a currency");
        layout_of::<BillRow>(NamedFormat::Csv(delimiter), &columns, pesos)
    }

    #[test]
    fn a_file_is_read_by_the_names_of_its_header_row_in_any_order() {
        for (header, row) in [
            ("bill_no,client_id,amount,due1_date", "F-1,C-1,150.00,2026-12-10"),
            ("amount;bill_no;due1_date;client_id", "150.00;F-1;2026-12-10;C-1"),
        ] {
            let layout = layout(header).expect("a layout");
            let file = format!("{header}\n{row}\n");
            let mut reader = Reader::<_, BillRow>::new(&layout, file.as_bytes()).expect("a header");
            let bill = reader.next().expect("a row").expect("a bill");
            assert_eq!((bill.bill_no.as_str(), bill.amount.minor), ("F-1", 15_000));
            assert_eq!(bill.dues.len(), 1);
            assert_eq!(reader.finish().expect("the end").good, 1);
        }
    }

    #[test]
    fn a_header_row_that_is_none_says_which_column_to_mend() {
        let check = |header, expect| assert_eq!(layout(header), Err(expect), "{header}");
        check("bill_no,client_id,amount,colour", NamedError::Unknown { at: 4 });
        check("bill_no,amount", NamedError::Lacks { field: "client_id" });
        check("bill_no,client_id,amount,amount", NamedError::Twice);
        check("", NamedError::Unknown { at: 1 });
    }
}
