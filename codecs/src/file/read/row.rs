//! From the bytes of a row to the values of its fields.

use std::borrow::Cow;

use router::money::Currency;

use super::{COLUMN_COUNT_MAX, TotalsRecord, of_row};
use crate::file::layout::{Field, Format, Layout, Place};
use crate::file::record::{Fault, FieldKind, FieldSpec, Values};
use crate::file::source::{self, RowPlace};
use crate::file::value::{self, Cell, Value};
use crate::file::{FileError, RowError, RowErrorKind, formula};

/// A row cut into cells, or a line whose cells are cut out when they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::file) struct Row {
    pub place: RowPlace,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::file) enum Content {
    Cells(Vec<Cell<'static>>),
    Line(Vec<char>),
}

/// What a row is.
pub(super) enum Kind {
    Detail,
    Totals(TotalsRecord),
}

/// Reads rows of one layout.
pub(super) struct RowReader<'a> {
    layout: &'a Layout,
    /// The header row's names, where places are named.
    header: Vec<String>,
}

impl<'a> RowReader<'a> {
    pub fn new(layout: &'a Layout) -> Self {
        Self { layout, header: Vec::new() }
    }

    /// Finds the columns that the layout names in the header row.
    pub fn resolve(&mut self, header: Option<&Row>) -> Result<(), FileError> {
        if let Some(Row { content: Content::Cells(cells), .. }) = header {
            self.header = cells.iter().map(|cell| trimmed(cell).to_lowercase()).collect();
        }
        let totals = self.layout.totals.iter().flat_map(|totals| [&totals.count, &totals.sum]);
        let records = self.layout.records.iter().map(|records| &records.at);
        let fields = self.layout.fields.iter().map(|field| &field.place);
        for place in fields.chain(records).chain(totals.flatten()) {
            if let Place::Named(name) = place {
                let wanted = name.to_lowercase();
                if self.header.iter().filter(|found| **found == wanted).count() != 1 {
                    return Err(FileError::Column { name: name.clone() });
                }
            }
        }
        Ok(())
    }

    /// Cuts the bytes of a row.
    pub fn split(&self, place: RowPlace, bytes: &[u8]) -> Result<Row, RowError> {
        if place.is_too_long {
            return Err(of_row(place, 0, RowErrorKind::RowTooLong, "has at most 65536 bytes"));
        }
        let decode = |bytes: &[u8], column| {
            self.layout.charset.decode(bytes).map_err(|_| {
                let rule = "is text of the layout's encoding";
                of_row(place, column, RowErrorKind::BadEncoding, rule)
            })
        };
        let content = match self.layout.format {
            Format::Csv { delimiter, quote, .. } => {
                let fields =
                    source::fields(bytes, delimiter, quote).map_err(|(kind, column)| {
                        let rule = if kind == RowErrorKind::TooManyColumns {
                            "has at most 256 columns"
                        } else {
                            "has quotes around whole fields, doubled within"
                        };
                        of_row(place, column, kind, rule)
                    })?;
                debug_assert!(fields.len() <= COLUMN_COUNT_MAX);
                let texts = fields.iter().enumerate();
                let cells = texts.map(|(at, field)| {
                    let text = decode(field, at + 1)?;
                    Ok(Cell::Text(Cow::Owned(formula::restore(&text).to_owned())))
                });
                Content::Cells(cells.collect::<Result<_, _>>()?)
            }
            Format::Fixed { length, .. } => {
                let line: Vec<char> = decode(bytes, 0)?.chars().collect();
                if line.len() != length {
                    let rule = "has the length of the layout's rows";
                    return Err(of_row(place, 0, RowErrorKind::BadLength, rule));
                }
                Content::Line(line)
            }
            Format::Xlsx { .. } => Content::Cells(Vec::new()),
        };
        Ok(Row { place, content })
    }

    /// What a row is, by its mark.
    pub fn kind(&self, row: &Row) -> Result<Kind, RowError> {
        let Some(records) = &self.layout.records else { return Ok(Kind::Detail) };
        let cell = self.cell(row, &records.at);
        let mark = trimmed(&cell);
        let is = |wanted: &Option<String>| wanted.as_deref().is_some_and(|text| text == mark);
        if is(&records.header) {
            Ok(Kind::Totals(TotalsRecord::Header))
        } else if is(&records.trailer) {
            Ok(Kind::Totals(TotalsRecord::Trailer))
        } else if records.detail.is_none() || is(&records.detail) {
            Ok(Kind::Detail)
        } else {
            let rule = "is of no type that the layout knows";
            Err(of_row(row.place, self.column(&records.at), RowErrorKind::UnknownRecord, rule))
        }
    }

    /// The values of a row's fields, and all that is wrong with them.
    pub fn values(&self, row: &Row, specs: &[FieldSpec]) -> (Values, Vec<RowError>) {
        debug_assert!(self.layout.fields.iter().all(|field| specs.contains(field.spec)));
        let mut mistakes = Vec::new();
        let mut values = Values { currency: self.layout.currency, list: Vec::new() };
        // The currency first: it decides how amounts are read.
        let is_currency = |field: &&Field| field.spec.kind == FieldKind::Currency;
        let fields = self.layout.fields.iter();
        let ordered = fields.clone().filter(is_currency).chain(fields.filter(|f| !is_currency(f)));
        for field in ordered {
            let cell = self.cell(row, &field.place);
            match self.value(&cell, field, values.currency) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    if let (FieldKind::Currency, Value::Text(code)) = (field.spec.kind, &value) {
                        let currency = Currency::from_code(code);
                        values.currency = currency.unwrap_or(values.currency);
                    }
                    values.list.push((field.spec.name, value));
                }
                Err((kind, rule)) => mistakes.push(self.mistake(row, field, kind, rule)),
            }
        }
        (values, mistakes)
    }

    fn value(
        &self,
        cell: &Cell<'_>,
        field: &Field,
        currency: Currency,
    ) -> Result<Option<Value>, (RowErrorKind, &'static str)> {
        let kind = field.spec.kind;
        if cell.is_empty() || is_unset(cell, kind) {
            let missing = (RowErrorKind::Missing, "must not be empty");
            return if field.spec.required { Err(missing) } else { Ok(None) };
        }
        let value = value::read(cell, kind, &self.layout.style, currency)?;
        let is_summed = self.layout.totals.as_ref().is_some_and(|totals| totals.sum.is_some());
        if kind == FieldKind::Currency
            && is_summed
            && value != Value::Text(self.layout.currency.code().to_owned())
        {
            let rule = "is that of the file, whose amounts are summed";
            return Err((RowErrorKind::BadCurrency, rule));
        }
        Ok(Some(value))
    }

    /// What stands at a place, without the spaces and padding around it.
    pub fn cell<'r>(&self, row: &'r Row, place: &Place) -> Cell<'r> {
        match (&row.content, place) {
            (Content::Line(line), Place::Span(span)) => {
                let end = (span.start + span.length).min(line.len());
                let text: String = line[span.start.min(end)..end].iter().collect();
                let text = match span.pad {
                    // Zeros in front are part of a number, whatever they are behind a text.
                    '0' => text.trim(),
                    pad => text.trim_end_matches(pad).trim(),
                };
                Cell::Text(Cow::Owned(text.to_owned()))
            }
            (Content::Cells(cells), place) => match cells.get(self.position(place)) {
                Some(Cell::Text(text)) => Cell::Text(Cow::Borrowed(text.trim())),
                Some(other) => other.clone(),
                None => Cell::Text(Cow::Borrowed("")),
            },
            (Content::Line(_), _) => Cell::Text(Cow::Borrowed("")),
        }
    }

    fn position(&self, place: &Place) -> usize {
        match place {
            Place::Column(at) => *at,
            Place::Span(span) => span.start,
            Place::Named(name) => {
                let wanted = name.to_lowercase();
                let found = self.header.iter().position(|found| *found == wanted);
                found.unwrap_or(usize::MAX)
            }
        }
    }

    fn column(&self, place: &Place) -> usize {
        self.position(place).saturating_add(1)
    }

    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    fn mistake(
        &self,
        row: &Row,
        field: &Field,
        kind: RowErrorKind,
        rule: &'static str,
    ) -> RowError {
        let column = self.column(&field.place);
        RowError { field: field.spec.name.to_owned(), ..of_row(row.place, column, kind, rule) }
    }

    /// What two or more fields get wrong together.
    pub fn fault(&self, row: &Row, fault: Fault) -> RowError {
        let Fault { field, kind, rule } = fault;
        let place = self.layout.fields.iter().find(|placed| placed.spec.name == field);
        let column = place.map_or(0, |placed| self.column(&placed.place));
        RowError { field: field.to_owned(), ..of_row(row.place, column, kind, rule) }
    }
}

/// Fixed-width files write "no date" as zeros.
fn is_unset(cell: &Cell<'_>, kind: FieldKind) -> bool {
    let is_date = matches!(kind, FieldKind::Date | FieldKind::Instant);
    is_date && matches!(cell, Cell::Text(text) if text.bytes().all(|byte| byte == b'0'))
}

fn trimmed<'c>(cell: &'c Cell<'_>) -> &'c str {
    match cell {
        Cell::Text(text) => text.trim(),
        Cell::Number(digits) => digits,
        Cell::Instant(_) | Cell::Flag(_) => "",
    }
}
