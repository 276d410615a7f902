//! From TOML to a [`Layout`], with every mistake reported at once.

use router::money::Currency;
use serde::Deserialize;

use super::{
    Decimals, Field, Format, Layout, Place, RecordTypes, Span, Style, Totals, TotalsRecord,
};
use crate::charset::Charset;
use crate::file::bill::BillRow;
use crate::file::clearing::ClearingEntry;
use crate::file::pattern::Pattern;
use crate::file::read::{COLUMN_COUNT_MAX, ROW_LEN_MAX};
use crate::file::record::FieldSpec;
use crate::file::{FieldKind, LayoutError, Record};

const DATE_PATTERN: &str = "YYYY-MM-DD";
const INSTANT_PATTERN: &str = "YYYY-MM-DDThh:mm:ssZ";
/// The most implied decimals; no currency has more than four.
const DECIMALS_MAX: u16 = 6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLayout {
    name: String,
    content: String,
    format: String,
    currency: String,
    encoding: Option<String>,
    date_pattern: Option<String>,
    instant_pattern: Option<String>,
    decimal_mark: Option<char>,
    implied_decimals: Option<u16>,
    yes: Option<String>,
    no: Option<String>,
    csv: Option<RawCsv>,
    xlsx: Option<RawXlsx>,
    fixed: Option<RawFixed>,
    records: Option<RawRecords>,
    fields: toml::Table,
    totals: Option<RawTotals>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCsv {
    delimiter: Option<char>,
    quote: Option<char>,
    header: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawXlsx {
    header: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFixed {
    length: usize,
    line_end: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecords {
    at: RawPlace,
    header: Option<String>,
    detail: Option<String>,
    trailer: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTotals {
    record: String,
    count: Option<RawPlace>,
    sum: Option<RawPlace>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlace {
    column: Option<RawColumn>,
    start: Option<usize>,
    length: Option<usize>,
    pad: Option<char>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawColumn {
    Position(usize),
    Name(String),
}

#[derive(Default)]
struct Mistakes(Vec<LayoutError>);

impl Mistakes {
    fn add(&mut self, key: &str, problem: impl ToString) {
        self.0.push(LayoutError { key: key.to_owned(), problem: problem.to_string() });
    }

    /// A value that was found, or a mistake and something to go on with.
    fn or<T>(&mut self, value: Option<T>, key: &str, problem: &str, otherwise: T) -> T {
        value.unwrap_or_else(|| {
            self.add(key, problem);
            otherwise
        })
    }
}

pub(super) fn from_toml(toml: &str) -> Result<Layout, Vec<LayoutError>> {
    let mut mistakes = Mistakes::default();
    let raw: RawLayout = match toml::from_str(toml) {
        Ok(raw) => raw,
        Err(error) => {
            mistakes.add("", error.to_string().trim_end());
            return Err(mistakes.0);
        }
    };
    let known =
        [(BillRow::CONTENT, BillRow::FIELDS), (ClearingEntry::CONTENT, ClearingEntry::FIELDS)];
    let content = known.into_iter().find(|(name, _)| *name == raw.content);
    let (content, specs) = mistakes.or(content, "content", "is bills or clearing", known[0]);
    let format = format(&raw, &mut mistakes);
    let euro = Currency::from_code("EUR").expect("invariant: EUR is a currency of ISO 4217");
    let currency = Currency::from_code(&raw.currency);
    let currency = mistakes.or(currency, "currency", "is a currency of ISO 4217", euro);
    let style = style(&raw, format, currency, &mut mistakes);
    let places = Places { format, has_header: has_header(format) };
    let layout = Layout {
        content,
        currency,
        charset: charset(raw.encoding.as_deref(), &mut mistakes),
        style,
        format,
        records: raw.records.map(|records| places.records(records, &mut mistakes)),
        fields: places.fields(raw.fields, specs, &mut mistakes),
        totals: raw.totals.map(|totals| places.totals(totals, &mut mistakes)),
        name: raw.name,
    };
    check_totals(&layout, &mut mistakes);
    check_overlaps(&layout, &mut mistakes);
    if mistakes.0.is_empty() { Ok(layout) } else { Err(mistakes.0) }
}

fn format(raw: &RawLayout, mistakes: &mut Mistakes) -> Format {
    for (name, is_there) in
        [("csv", raw.csv.is_some()), ("xlsx", raw.xlsx.is_some()), ("fixed", raw.fixed.is_some())]
    {
        if is_there != (raw.format == name) {
            let problem = if is_there { "does not go with the format" } else { "must be there" };
            mistakes.add(name, problem);
        }
    }
    match (raw.format.as_str(), &raw.csv, &raw.xlsx, &raw.fixed) {
        ("csv", Some(csv), ..) => csv_format(csv, mistakes),
        ("xlsx", _, Some(xlsx), _) => Format::Xlsx { has_header: xlsx.header },
        ("fixed", .., Some(fixed)) => {
            if !(1..=ROW_LEN_MAX).contains(&fixed.length) {
                mistakes.add("fixed.length", format!("is 1 to {ROW_LEN_MAX}"));
            }
            let crlf = match fixed.line_end.as_deref() {
                None | Some("lf") => Some(false),
                Some("crlf") => Some(true),
                Some(_) => None,
            };
            let crlf = mistakes.or(crlf, "fixed.line_end", "is lf or crlf", false);
            Format::Fixed { length: fixed.length, crlf }
        }
        (known, ..) => {
            if !matches!(known, "csv" | "xlsx" | "fixed") {
                mistakes.add("format", "is csv, xlsx or fixed");
            }
            Format::Xlsx { has_header: true }
        }
    }
}

fn csv_format(csv: &RawCsv, mistakes: &mut Mistakes) -> Format {
    let byte = |character: char| {
        u8::try_from(character).ok().filter(|byte| byte.is_ascii_punctuation() || (*byte == b'\t'))
    };
    let (delimiter, quote) = (csv.delimiter.unwrap_or(','), csv.quote.unwrap_or('"'));
    if delimiter == quote {
        mistakes.add("csv.quote", "is not the delimiter");
    }
    let rule = "is a punctuation mark of ASCII, or a tab";
    Format::Csv {
        delimiter: mistakes.or(byte(delimiter), "csv.delimiter", rule, b','),
        quote: mistakes.or(byte(quote), "csv.quote", rule, b'"'),
        has_header: csv.header,
    }
}

fn has_header(format: Format) -> bool {
    match format {
        Format::Csv { has_header, .. } | Format::Xlsx { has_header } => has_header,
        Format::Fixed { .. } => false,
    }
}

fn charset(encoding: Option<&str>, mistakes: &mut Mistakes) -> Charset {
    let charset = match encoding {
        None | Some("utf-8") => Some(Charset::Utf8),
        Some("latin-1") => Some(Charset::Latin1),
        Some(_) => None,
    };
    mistakes.or(charset, "encoding", "is utf-8 or latin-1", Charset::Utf8)
}

fn style(raw: &RawLayout, format: Format, currency: Currency, mistakes: &mut Mistakes) -> Style {
    let mut pattern = |key: &str, given: &Option<String>, otherwise: &str, has_time: bool| {
        let given = given.as_deref().unwrap_or(otherwise);
        let pattern = Pattern::parse(given).filter(|pattern| pattern.has_time() == has_time);
        let rule = "names year, month and day once, and an instant its hour, minute and second";
        let plain = Pattern::parse(otherwise).expect("invariant: the default is a pattern");
        mistakes.or(pattern, key, rule, plain)
    };
    let dates = pattern("date_pattern", &raw.date_pattern, DATE_PATTERN, false);
    let instants = pattern("instant_pattern", &raw.instant_pattern, INSTANT_PATTERN, true);
    let decimals = match (raw.decimal_mark, raw.implied_decimals) {
        (Some(_), Some(_)) => None,
        (None, Some(places)) => {
            let is_sound = (currency.exponent()..=DECIMALS_MAX).contains(&places);
            is_sound.then_some(Decimals::Implied(places))
        }
        (mark, None) => {
            let mark = mark.unwrap_or('.');
            let is_free = !matches!(format, Format::Csv { quote, .. } if char::from(quote) == mark);
            (matches!(mark, '.' | ',') && is_free).then_some(Decimals::Mark(mark))
        }
    };
    let rule = "is a point or comma; or implied_decimals, at least those of the currency";
    let decimals = mistakes.or(decimals, "decimal_mark", rule, Decimals::Mark('.'));
    let word = |given: &Option<String>, otherwise: &str| {
        given.clone().unwrap_or_else(|| otherwise.to_owned())
    };
    let (yes, no) = (word(&raw.yes, "1"), word(&raw.no, "0"));
    if yes == no || yes.is_empty() || no.is_empty() {
        mistakes.add("yes", "is another word than no, and neither is empty");
    }
    Style { dates, instants, decimals, yes, no }
}

/// What a place may be in this format.
struct Places {
    format: Format,
    has_header: bool,
}

impl Places {
    fn place(&self, raw: RawPlace, key: &str, pad: char, mistakes: &mut Mistakes) -> Place {
        let nowhere = Place::Column(0);
        match (self.format, raw) {
            (
                Format::Fixed { length: row, .. },
                RawPlace { column: None, start: Some(start), length: Some(length), pad: given },
            ) => {
                let end = start.checked_add(length);
                if start == 0 || length == 0 || end.is_none_or(|end| end - 1 > row) {
                    mistakes.add(key, "lies within the row; start counts from 1");
                    return nowhere;
                }
                Place::Span(Span { start: start - 1, length, pad: given.unwrap_or(pad) })
            }
            (
                Format::Csv { .. } | Format::Xlsx { .. },
                RawPlace { column: Some(column), start: None, length: None, pad: None },
            ) => match column {
                RawColumn::Name(name) if self.has_header && !name.is_empty() => Place::Named(name),
                RawColumn::Position(at) if (1..=COLUMN_COUNT_MAX).contains(&at) => {
                    Place::Column(at - 1)
                }
                RawColumn::Name(_) | RawColumn::Position(_) => {
                    let rule = "is a column from 1 to 256, or its name where there is a header";
                    mistakes.add(key, rule);
                    nowhere
                }
            },
            _ => {
                mistakes
                    .add(key, "is { column } in csv and xlsx, { start, length, pad? } in fixed");
                nowhere
            }
        }
    }

    fn fields(
        &self,
        raw: toml::Table,
        specs: &'static [FieldSpec],
        mistakes: &mut Mistakes,
    ) -> Vec<Field> {
        let mut fields = Vec::new();
        for name in raw.keys().filter(|name| specs.iter().all(|spec| spec.name != **name)) {
            mistakes.add(&format!("fields.{name}"), "is no field of this content");
        }
        for spec in specs {
            let key = format!("fields.{}", spec.name);
            let Some(value) = raw.get(spec.name) else {
                if spec.required {
                    mistakes.add(&key, "must be there");
                }
                continue;
            };
            let is_amount = matches!(spec.kind, FieldKind::Amount | FieldKind::SignedAmount);
            let pad = if is_amount { '0' } else { ' ' };
            match value.clone().try_into::<RawPlace>() {
                Ok(place) => {
                    let place = self.place(place, &key, pad, mistakes);
                    fields.push(Field { spec, place });
                }
                Err(error) => mistakes.add(&key, error.to_string().trim_end()),
            }
        }
        fields
    }

    fn records(&self, raw: RawRecords, mistakes: &mut Mistakes) -> RecordTypes {
        let at = self.place(raw.at, "records.at", ' ', mistakes);
        let marks = [&raw.header, &raw.detail, &raw.trailer];
        let given: Vec<&String> = marks.into_iter().flatten().collect();
        let repeats = (1..given.len()).any(|at| given[..at].contains(&given[at]));
        if repeats || given.iter().any(|mark| mark.trim().is_empty()) {
            mistakes.add("records", "has marks that are not empty and differ");
        }
        RecordTypes { at, header: raw.header, detail: raw.detail, trailer: raw.trailer }
    }

    fn totals(&self, raw: RawTotals, mistakes: &mut Mistakes) -> Totals {
        let record = match raw.record.as_str() {
            "header" => Some(TotalsRecord::Header),
            "trailer" => Some(TotalsRecord::Trailer),
            _ => None,
        };
        let rule = "is header or trailer";
        let record = mistakes.or(record, "totals.record", rule, TotalsRecord::Trailer);
        if raw.count.is_none() && raw.sum.is_none() {
            mistakes.add("totals", "has count, sum or both");
        }
        let count = raw.count.map(|place| self.place(place, "totals.count", '0', mistakes));
        let sum = raw.sum.map(|place| self.place(place, "totals.sum", '0', mistakes));
        Totals { record, count, sum }
    }
}

fn check_totals(layout: &Layout, mistakes: &mut Mistakes) {
    let Some(totals) = &layout.totals else { return };
    let mark = layout.records.as_ref().and_then(|records| match totals.record {
        TotalsRecord::Header => records.header.as_ref(),
        TotalsRecord::Trailer => records.trailer.as_ref(),
    });
    if mark.is_none() {
        mistakes.add("totals.record", "has its mark in records");
    }
}

fn check_overlaps(layout: &Layout, mistakes: &mut Mistakes) {
    let fields = &layout.fields;
    for (at, field) in fields.iter().enumerate() {
        let clashes = |other: &Field| match (&field.place, &other.place) {
            (Place::Span(one), Place::Span(two)) => {
                one.start < two.start + two.length && two.start < one.start + one.length
            }
            (one, two) => one == two,
        };
        if fields[..at].iter().any(clashes) {
            mistakes.add(&format!("fields.{}", field.spec.name), "stands where another field does");
        }
    }
}
