//! The rows of a file of bills, one after another, whatever its format.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use codecs::api::{BillDraft, FieldError, parse_bill};
use codecs::file::bill::BillRow;
use codecs::file::layout::Layout;
use codecs::file::named::{NamedFormat, delimiter_of, layout_of};
use codecs::file::read::{ROW_LEN_MAX, Reader};
use codecs::file::{FileError, RowError, xlsx};
use router::money::Currency;
use router::time::Zone;
use storage_backoffice::bill::RowFault;

use crate::misplaced;

/// The layouts of bills that files may name, with what they are of.
const LAYOUTS: [(&str, FileFormat, &str); 3] = [
    (
        "bills-ar-fixed",
        FileFormat::Fixed,
        include_str!("../../../../../config/files/bills-ar-fixed.toml"),
    ),
    (
        "bills-mx-csv",
        FileFormat::Csv,
        include_str!("../../../../../config/files/bills-mx-csv.toml"),
    ),
    ("bills-xlsx", FileFormat::Xlsx, include_str!("../../../../../config/files/bills-xlsx.toml")),
];

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFormat {
    /// A bill as JSON a line.
    JsonLines,
    /// Columns between delimiters.
    Csv,
    /// A workbook.
    Xlsx,
    /// Lines with fields at fixed places.
    Fixed,
}

impl FileFormat {
    const ALL: [Self; 4] = [Self::JsonLines, Self::Csv, Self::Xlsx, Self::Fixed];

    /// The format of a media type.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        const SHEET: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
        if is("application/jsonl") || is("application/x-ndjson") {
            Some(Self::JsonLines)
        } else if is("text/csv") {
            Some(Self::Csv)
        } else if is("text/plain") {
            Some(Self::Fixed)
        } else {
            is(SHEET).then_some(Self::Xlsx)
        }
    }

    /// The name in the table of files.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Fixed => "fixed",
        }
    }

    /// The format of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// A layout that files may name.
#[derive(Debug)]
pub(super) struct KnownLayout {
    /// What it is of.
    pub format: FileFormat,
    layout: Layout,
}

/// The layout of bills with a name.
pub(super) fn known_layout(name: &str) -> Option<KnownLayout> {
    let (_, format, toml) = LAYOUTS.into_iter().find(|(known, ..)| *known == name)?;
    let layout = Layout::from_toml(toml).expect("invariant: the project's layouts have no mistake");
    Some(KnownLayout { format, layout })
}

/// How a file is read.
#[derive(Debug, Clone)]
pub(super) struct FileForm {
    /// What it is.
    pub format: FileFormat,
    /// The layout it names.
    pub layout: Option<String>,
    /// The currency of rows that name none.
    pub currency: Currency,
    /// Whose days it counts.
    pub zone: Zone,
}

/// Why a file as a whole is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileFault {
    /// The code.
    pub code: &'static str,
    /// What is wrong.
    pub detail: String,
}

/// A row: its number, and the bill or what is wrong.
pub(super) type FileRow = (u64, Result<BillDraft, RowFault>);

/// Reads a file to its end; `each` is given one row after another, and ends the reading with `false`.
///
/// Errors: the file cannot be read, its header row is none, or its control totals differ: told at the
///         end, behind all rows.
pub(super) fn read(
    file: &Path,
    form: &FileForm,
    mut each: impl FnMut(FileRow) -> bool,
) -> Result<(), FileFault> {
    let known = form.layout.as_deref().and_then(known_layout).map(|known| known.layout);
    match form.format {
        FileFormat::JsonLines => json_lines(file, each),
        FileFormat::Xlsx => {
            let bytes = std::fs::read(file).map_err(unreadable)?;
            let layout = match known {
                Some(layout) => layout,
                None => {
                    let header = xlsx::header(&bytes).map_err(file_fault)?;
                    let names: Vec<&str> = header.iter().map(String::as_str).collect();
                    named(NamedFormat::Xlsx, &names, form.currency)?
                }
            };
            let reader = Reader::<_, BillRow>::of_xlsx(&layout, &bytes).map_err(file_fault)?;
            records(reader, form, &mut each)
        }
        FileFormat::Csv | FileFormat::Fixed => {
            let layout = match known {
                Some(layout) => layout,
                None => named_csv(file, form.currency)?,
            };
            let input = BufReader::new(File::open(file).map_err(unreadable)?);
            let reader = Reader::<_, BillRow>::new(&layout, input).map_err(file_fault)?;
            records(reader, form, &mut each)
        }
    }
}

/// The layout of a CSV file by its header row.
fn named_csv(file: &Path, currency: Currency) -> Result<Layout, FileFault> {
    let mut line = Vec::new();
    let longest = u64::try_from(ROW_LEN_MAX).unwrap_or(u64::MAX);
    let input = File::open(file).map_err(unreadable)?.take(longest);
    BufReader::new(input).read_until(b'\n', &mut line).map_err(unreadable)?;
    let line = String::from_utf8_lossy(&line);
    let header = line.trim_start_matches('\u{feff}').trim_end();
    let delimiter = delimiter_of(header);
    let names = header.split(delimiter).map(|name| name.trim().trim_matches('"'));
    let names: Vec<&str> = names.collect();
    named(NamedFormat::Csv(delimiter), &names, currency)
}

fn named(format: NamedFormat, names: &[&str], currency: Currency) -> Result<Layout, FileFault> {
    layout_of::<BillRow>(format, names, currency)
        .map_err(|error| FileFault { code: "header_invalid", detail: error.to_string() })
}

fn records<R: BufRead>(
    mut reader: Reader<'_, R, BillRow>,
    form: &FileForm,
    each: &mut impl FnMut(FileRow) -> bool,
) -> Result<(), FileFault> {
    while let Some(row) = reader.next() {
        let number = reader.row_number();
        let draft = match row {
            Ok(row) => BillDraft::of_row(row, |day| form.zone.end_of(day))
                .and_then(without_card)
                .map_err(fault_of_field),
            Err(mistakes) => Err(fault_of_mistakes(&mistakes)),
        };
        if !each((number, draft)) {
            return Ok(());
        }
    }
    reader.finish().map(|_| ()).map_err(file_fault)
}

fn json_lines(file: &Path, mut each: impl FnMut(FileRow) -> bool) -> Result<(), FileFault> {
    let mut input = BufReader::new(File::open(file).map_err(unreadable)?);
    let mut line = Vec::new();
    for number in 1.. {
        match next_line(&mut input, &mut line).map_err(unreadable)? {
            Line::End => break,
            Line::TooLong => {
                let detail = format!("has at most {ROW_LEN_MAX} bytes");
                if !each((number, Err(fault("row_too_long", None, Some(detail))))) {
                    break;
                }
            }
            Line::Whole if line.trim_ascii().is_empty() => {}
            Line::Whole => {
                let bill = parse_bill(&line).and_then(|body| body.checked(super::super::time));
                let draft = bill.and_then(without_card).map_err(fault_of_field);
                if !each((number, draft)) {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// What was read of the next line.
enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads the next line, at most so much of it as a row may have.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<Line> {
    line.clear();
    let longest = u64::try_from(ROW_LEN_MAX).unwrap_or(u64::MAX);
    if input.by_ref().take(longest).read_until(b'\n', line)? == 0 {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') || line.len() < ROW_LEN_MAX {
        return Ok(Line::Whole);
    }
    let mut is_too_long = false;
    loop {
        let rest = input.fill_buf()?;
        let end = rest.iter().position(|byte| *byte == b'\n');
        is_too_long |= !rest.is_empty() && end != Some(0);
        let (used, is_over) = (end.map_or(rest.len(), |end| end + 1), rest.is_empty());
        input.consume(used);
        if end.is_some() || is_over {
            return Ok(if is_too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

fn without_card(draft: BillDraft) -> Result<BillDraft, FieldError> {
    misplaced::bill_without(&draft).map(|()| draft)
}

fn fault(code: &str, field: Option<&str>, detail: Option<String>) -> RowFault {
    let (field, detail) = (field.map(Into::into), detail.map(Into::into));
    RowFault { code: code.into(), field, column: None, detail, bill: None }
}

fn fault_of_field(error: FieldError) -> RowFault {
    let FieldError { field, reason, detail } = error;
    let column = detail.rsplit_once("column ").and_then(|(_, column)| column.parse().ok());
    // Each line is a body of its own, so its own lines are all the first.
    let detail = detail.replace("line 1 column", "column");
    let field = Some(field.as_str()).filter(|field| !field.is_empty());
    RowFault { column, ..fault(reason.info().code, field, Some(detail)) }
}

/// The first mistake of a row, and how many there are beside it.
fn fault_of_mistakes(mistakes: &[RowError]) -> RowFault {
    let Some(first) = mistakes.first() else { return fault("conflict", None, None) };
    let RowError { field, column, kind, rule, .. } = first;
    let detail = match mistakes.len() {
        0 | 1 => (*rule).to_owned(),
        more => format!("{rule}; {} more", more - 1),
    };
    let column = i64::try_from(*column).ok().filter(|column| *column > 0);
    let field = Some(field.as_str()).filter(|field| !field.is_empty());
    RowFault { column, ..fault(kind.name(), field, Some(detail)) }
}

fn unreadable(error: std::io::Error) -> FileFault {
    FileFault { code: "file_unreadable", detail: error.to_string() }
}

fn file_fault(error: FileError) -> FileFault {
    let code = match &error {
        FileError::Io(_) | FileError::NotXlsx | FileError::WrongLayout { .. } => "file_unreadable",
        FileError::Column { .. } | FileError::Header(_) => "header_invalid",
        FileError::TooManyRows { .. } | FileError::TooLarge { .. } => "too_large",
        FileError::NoTotals { .. } | FileError::Count { .. } | FileError::Sum { .. } => {
            "control_totals_differ"
        }
    };
    FileFault { code, detail: error.to_string() }
}
