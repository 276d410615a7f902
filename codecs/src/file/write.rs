//! Writing CSV and fixed-width files by a layout, with their totals.

use super::layout::{Format, Layout, Place, RecordTypes, Span, TotalsRecord};
use super::record::Record;
use super::value::{self, Value};
use super::{WriteError, formula};

/// Writes a whole file.
///
/// Shape:  CSV as in RFC 4180, with CR LF, fields in the order of their columns; text that a
///         spreadsheet program might run is neutralised, see [`formula`].
/// Errors: `Field` for a value that does not fit, is of another currency than the file's, or has
///         characters its encoding lacks.
pub fn write<T: Record>(layout: &Layout, records: &[T]) -> Result<Vec<u8>, WriteError> {
    if !layout.is_for::<T>() {
        let wanted = T::CONTENT.to_owned();
        return Err(WriteError::WrongLayout { layout: layout.content.to_owned(), wanted });
    }
    let mut out = match layout.format {
        Format::Csv { .. } => Out { layout, columns: columns(layout), bytes: Vec::new() },
        Format::Fixed { .. } => Out { layout, columns: Vec::new(), bytes: Vec::new() },
        Format::Xlsx { .. } => {
            let wanted = "csv or fixed-width files".to_owned();
            return Err(WriteError::WrongLayout { layout: layout.content.to_owned(), wanted });
        }
    };
    if let Format::Csv { has_header: true, .. } = layout.format {
        let names = out.columns.iter().map(|column| Text::plain(column.title())).collect();
        out.csv(0, names)?;
    }
    out.totals_if(TotalsRecord::Header, records)?;
    for (at, record) in records.iter().enumerate() {
        out.detail(at + 1, record)?;
    }
    out.totals_if(TotalsRecord::Trailer, records)?;
    Ok(out.bytes)
}

/// The columns of a sheet, in their order: the layout's fields, and gaps.
pub(super) enum Column<'a> {
    Field(&'a super::layout::Field),
    Mark,
    Gap,
}

impl Column<'_> {
    /// What stands in the header row.
    pub fn title(&self) -> String {
        match self {
            Self::Field(field) => match &field.place {
                Place::Named(name) => name.clone(),
                Place::Column(_) | Place::Span(_) => field.spec.name.to_owned(),
            },
            Self::Mark => "record".to_owned(),
            Self::Gap => String::new(),
        }
    }
}

/// Columns with a position stand there; named ones fill the gaps in the order of the fields.
pub(super) fn columns(layout: &Layout) -> Vec<Column<'_>> {
    let mut columns: Vec<Option<Column<'_>>> = Vec::new();
    let mut put = |at: usize, column| {
        if columns.len() <= at {
            columns.resize_with(at + 1, || None);
        }
        columns[at] = Some(column);
    };
    if let Some(RecordTypes { at: Place::Column(at), .. }) = &layout.records {
        put(*at, Column::Mark);
    }
    for field in &layout.fields {
        if let Place::Column(at) = field.place {
            put(at, Column::Field(field));
        }
    }
    let is_named = |place: &Place| matches!(place, Place::Named(_));
    let fields = layout.fields.iter().filter(|field| is_named(&field.place)).map(Column::Field);
    let mark = layout.records.iter().filter(|records| is_named(&records.at)).map(|_| Column::Mark);
    for column in mark.chain(fields) {
        match columns.iter_mut().find(|column| column.is_none()) {
            Some(gap) => *gap = Some(column),
            None => columns.push(Some(column)),
        }
    }
    columns.into_iter().map(|column| column.unwrap_or(Column::Gap)).collect()
}

/// A cell's text, and whether it may be text that a spreadsheet program would run.
struct Text {
    text: String,
    is_free: bool,
}

impl Text {
    fn plain(text: String) -> Self {
        Self { text, is_free: true }
    }

    fn of(value: &Value, layout: &Layout) -> Self {
        let is_free = matches!(value, Value::Text(_));
        Self { text: value::write(value, &layout.style), is_free }
    }
}

struct Out<'a> {
    layout: &'a Layout,
    columns: Vec<Column<'a>>,
    bytes: Vec<u8>,
}

/// Sums a file's records.
///
/// Errors: `Field` for an amount in another currency.
fn sum<T: Record>(layout: &Layout, records: &[T]) -> Result<i64, WriteError> {
    let mut sum = 0_i128;
    for (at, record) in records.iter().enumerate() {
        let amount = record.amount();
        if amount.currency != layout.currency {
            return Err(field(at + 1, "amount", "is in the currency of the file"));
        }
        sum += i128::from(amount.minor);
    }
    i64::try_from(sum).map_err(|_| field(0, "sum", "does not fit the file"))
}

fn field(record: usize, name: &str, rule: &'static str) -> WriteError {
    WriteError::Field { record, field: name.to_owned(), rule }
}

impl Out<'_> {
    fn detail<T: Record>(&mut self, number: usize, record: &T) -> Result<(), WriteError> {
        let values = record.to_values();
        let places_currency = self.layout.fields.iter().any(|field| field.spec.name == "currency");
        if record.amount().currency != self.layout.currency && !places_currency {
            return Err(field(number, "amount", "is in the currency of the file"));
        }
        let layout = self.layout;
        let value =
            |name: &str| values.iter().find(|(other, _)| *other == name).map(|(_, value)| value);
        let mark = layout.records.as_ref().and_then(|records| records.detail.clone());
        if let Format::Csv { .. } = layout.format {
            let cells = self.columns.iter().map(|column| match column {
                Column::Field(field) => {
                    let text = value(field.spec.name).map(|value| Text::of(value, layout));
                    text.unwrap_or(Text::plain(String::new()))
                }
                Column::Mark => Text::plain(mark.clone().unwrap_or_default()),
                Column::Gap => Text::plain(String::new()),
            });
            return self.csv(number, cells.collect());
        }
        let mut cells = Vec::new();
        for field in &layout.fields {
            if let (Place::Span(span), Some(value)) = (&field.place, value(field.spec.name)) {
                cells.push((field.spec.name, *span, value::write(value, &layout.style)));
            }
        }
        self.fixed(number, mark, &cells)
    }

    fn totals_if<T: Record>(
        &mut self,
        record: TotalsRecord,
        records: &[T],
    ) -> Result<(), WriteError> {
        let layout = self.layout;
        let Some(types) = &layout.records else { return Ok(()) };
        let mark = match record {
            TotalsRecord::Header => types.header.clone(),
            TotalsRecord::Trailer => types.trailer.clone(),
        };
        let Some(mark) = mark else { return Ok(()) };
        let mut cells = Vec::new();
        if let Some(totals) = layout.totals.as_ref().filter(|totals| totals.record == record) {
            if let Some(place) = &totals.count {
                cells.push(("count", place, records.len().to_string()));
            }
            if let Some(place) = &totals.sum {
                let sum = sum(layout, records)?;
                cells.push(("sum", place, value::amount(sum, layout.currency, &layout.style)));
            }
        }
        if let Format::Csv { .. } = layout.format {
            return self.csv(0, self.totals_row(types, mark, &cells));
        }
        let spans = cells.into_iter().filter_map(|(name, place, text)| match place {
            Place::Span(span) => Some((name, *span, text)),
            Place::Named(_) | Place::Column(_) => None,
        });
        self.fixed(0, Some(mark), &spans.collect::<Vec<_>>())
    }

    fn totals_row(
        &self,
        types: &RecordTypes,
        mark: String,
        cells: &[(&str, &Place, String)],
    ) -> Vec<Text> {
        let position = |place: &Place| match place {
            Place::Column(at) => *at,
            Place::Span(span) => span.start,
            Place::Named(name) => {
                self.columns.iter().position(|column| column.title() == *name).unwrap_or(0)
            }
        };
        let mut row: Vec<Text> = Vec::new();
        row.resize_with(self.columns.len(), || Text::plain(String::new()));
        let marks = std::iter::once((&types.at, mark));
        for (place, text) in
            marks.chain(cells.iter().map(|(_, place, text)| (*place, text.clone())))
        {
            let at = position(place);
            if row.len() <= at {
                row.resize_with(at + 1, || Text::plain(String::new()));
            }
            row[at] = Text { text, is_free: false };
        }
        row
    }

    fn csv(&mut self, number: usize, row: Vec<Text>) -> Result<(), WriteError> {
        let Format::Csv { delimiter, quote, .. } = self.layout.format else { return Ok(()) };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .quote(quote)
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        for (at, Text { text, is_free }) in row.iter().enumerate() {
            let text = if *is_free { formula::neutralise(text) } else { text.into() };
            let bytes = self.layout.charset.encode(&text).map_err(|_| {
                let name = self.columns.get(at).map(Column::title).unwrap_or_default();
                field(number, &name, "has a character that is not in the encoding")
            })?;
            writer.write_field(bytes).expect("invariant: writing to memory does not fail");
        }
        writer.write_record(None::<&[u8]>).expect("invariant: writing to memory does not fail");
        let line = writer.into_inner().expect("invariant: writing to memory does not fail");
        self.bytes.extend(line);
        Ok(())
    }

    fn fixed(
        &mut self,
        number: usize,
        mark: Option<String>,
        cells: &[(&str, Span, String)],
    ) -> Result<(), WriteError> {
        let Format::Fixed { length, crlf } = self.layout.format else { return Ok(()) };
        let mut line = vec![' '; length];
        let mut put = |name: &str, span: &Span, text: &str| {
            if text.chars().any(char::is_control) {
                return Err(field(number, name, "has no control characters"));
            }
            let padded = padded(text, span)
                .ok_or_else(|| field(number, name, "is longer than its place in the row"))?;
            for (slot, character) in line.iter_mut().skip(span.start).zip(padded.chars()) {
                *slot = character;
            }
            Ok(())
        };
        for field in &self.layout.fields {
            // An empty number is zeros, an empty text is spaces, in detail records.
            if let (Place::Span(span), true) = (&field.place, number > 0) {
                put(field.spec.name, span, "")?;
            }
        }
        for (name, span, text) in cells {
            put(name, span, text)?;
        }
        if let (Some(RecordTypes { at: Place::Span(span), .. }), Some(mark)) =
            (&self.layout.records, mark)
        {
            put("record", span, &mark)?;
        }
        let text: String = line.iter().collect();
        let bytes = self.layout.charset.encode(&text).map_err(|at| {
            let span_of = |cell: &&(&str, Span, String)| {
                (cell.1.start..cell.1.start + cell.1.length).contains(&at)
            };
            let name = cells.iter().find(span_of).map_or("", |(name, ..)| name);
            field(number, name, "has a character that is not in the encoding")
        })?;
        self.bytes.extend(bytes);
        self.bytes.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        Ok(())
    }
}

/// A text filled up to its place; none when it is too long, or would not be read as it was.
fn padded(text: &str, span: &Span) -> Option<String> {
    let length = text.chars().count();
    let fill = span.length.checked_sub(length)?;
    let fill: String = std::iter::repeat_n(span.pad, fill).collect();
    Some(match (span.pad, text.strip_prefix('-')) {
        ('0', Some(digits)) => format!("-{fill}{digits}"),
        ('0', None) => format!("{fill}{text}"),
        _ => format!("{text}{fill}"),
    })
}

#[cfg(test)]
mod tests;
