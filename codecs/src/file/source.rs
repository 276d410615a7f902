//! Cutting a file into rows, one at a time, and a CSV row into its fields.

use std::io::{self, BufRead};

use super::RowErrorKind;
use super::read::{COLUMN_COUNT_MAX, ROW_LEN_MAX};

/// Cuts rows out of a stream and never holds more than one.
pub(super) struct Rows<R> {
    input: R,
    /// Delimiter and quote; none where a line is a row whatever stands in it.
    marks: Option<(u8, u8)>,
    row: Vec<u8>,
    offset: u64,
    number: u64,
}

/// A row's place in the file, and whether it was too long to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowPlace {
    pub number: u64,
    pub offset: u64,
    pub is_too_long: bool,
}

/// Where in a CSV row a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Bare,
    Quoted,
    QuoteInQuoted,
}

impl State {
    fn after(self, byte: u8, delimiter: u8, quote: u8) -> Self {
        match self {
            Self::Quoted if byte == quote => Self::QuoteInQuoted,
            Self::Quoted => Self::Quoted,
            Self::QuoteInQuoted if byte == quote => Self::Quoted,
            Self::FieldStart if byte == quote => Self::Quoted,
            Self::FieldStart | Self::Bare | Self::QuoteInQuoted if byte == delimiter => {
                Self::FieldStart
            }
            Self::FieldStart | Self::Bare | Self::QuoteInQuoted => Self::Bare,
        }
    }
}

impl<R: BufRead> Rows<R> {
    pub fn new(input: R, marks: Option<(u8, u8)>) -> Self {
        Self { input, marks, row: Vec::new(), offset: 0, number: 0 }
    }

    /// The next row without its line end; empty lines are counted and passed over.
    pub fn next(&mut self) -> io::Result<Option<(RowPlace, &[u8])>> {
        loop {
            let Some(place) = self.fill()? else { return Ok(None) };
            if !self.row.is_empty() || place.is_too_long {
                return Ok(Some((place, &self.row)));
            }
        }
    }

    fn fill(&mut self) -> io::Result<Option<RowPlace>> {
        self.row.clear();
        let mut state = State::FieldStart;
        let start = self.offset;
        let mut is_too_long = false;
        loop {
            let chunk = self.input.fill_buf()?;
            let mut used = 0;
            let mut is_done = chunk.is_empty();
            for byte in chunk {
                used += 1;
                // A row too long has lost its quotes: it ends with the line, wherever that is.
                if *byte == b'\n' && (state != State::Quoted || is_too_long) {
                    is_done = true;
                    break;
                }
                if let Some((delimiter, quote)) = self.marks {
                    state = state.after(*byte, delimiter, quote);
                }
                if self.row.len() < ROW_LEN_MAX {
                    self.row.push(*byte);
                } else {
                    is_too_long = true;
                }
                if start == 0 && self.row == BYTE_ORDER_MARK {
                    state = State::FieldStart;
                }
            }
            self.input.consume(used);
            self.offset += u64::try_from(used).expect("invariant: a buffer is below 2^64 bytes");
            if is_done {
                break;
            }
        }
        if self.offset == start {
            return Ok(None);
        }
        self.number += 1;
        if self.row.last() == Some(&b'\r') {
            self.row.pop();
        }
        if start == 0 && self.row.starts_with(BYTE_ORDER_MARK) {
            self.row.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Some(RowPlace { number: self.number, offset: start, is_too_long }))
    }
}

/// What some programs put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The fields of a CSV row.
///
/// Source: RFC 4180: quotes open at the start of a field, double within it and close at its end.
/// Errors: `BadQuoting` with the column from 1, `TooManyColumns`.
pub(super) fn fields(
    row: &[u8],
    delimiter: u8,
    quote: u8,
) -> Result<Vec<Vec<u8>>, (RowErrorKind, usize)> {
    let mut fields = vec![Vec::new()];
    let mut state = State::FieldStart;
    for byte in row {
        let next = state.after(*byte, delimiter, quote);
        let column = fields.len();
        match (state, next) {
            (_, State::FieldStart) if column == COLUMN_COUNT_MAX => {
                return Err((RowErrorKind::TooManyColumns, column));
            }
            (_, State::FieldStart) => fields.push(Vec::new()),
            (State::QuoteInQuoted, State::Bare) => return Err((RowErrorKind::BadQuoting, column)),
            (State::Bare, State::Bare) if *byte == quote => {
                return Err((RowErrorKind::BadQuoting, column));
            }
            (State::FieldStart, State::Quoted) | (State::Quoted, State::QuoteInQuoted) => {}
            _ => fields.last_mut().expect("invariant: one field at least").push(*byte),
        }
        state = next;
    }
    match state {
        State::Quoted => Err((RowErrorKind::BadQuoting, fields.len())),
        State::FieldStart | State::Bare | State::QuoteInQuoted => Ok(fields),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &[u8], marks: Option<(u8, u8)>) -> Vec<(u64, u64, Vec<u8>)> {
        let mut rows = Rows::new(text, marks);
        let mut found = Vec::new();
        while let Some((place, row)) = rows.next().expect("memory is read") {
            found.push((place.number, place.offset, row.to_vec()));
        }
        found
    }

    #[test]
    fn rows_end_at_line_ends_outside_quotes() {
        let found = rows(b"\xEF\xBB\xBFa,b\r\n\n\"x\ny\",z\nlast", Some((b',', b'"')));
        let expect: [(u64, u64, &[u8]); 3] =
            [(1, 0, b"a,b"), (3, 9, b"\"x\ny\",z"), (4, 17, b"last")];
        assert_eq!(found, expect.map(|(number, offset, row)| (number, offset, row.to_vec())));
        assert_eq!(rows(b"\"x\ny\"", None).len(), 2);
        assert_eq!(rows(b"", None), []);
    }

    #[test]
    fn a_row_too_long_is_cut_and_the_next_line_is_a_row_again() {
        let mut text = b"\"".to_vec();
        text.resize(3 * ROW_LEN_MAX, b'x');
        text.extend(b"\nnext\n");
        let mut rows = Rows::new(text.as_slice(), Some((b',', b'"')));
        let (place, row) = rows.next().expect("memory").expect("a row");
        assert!(place.is_too_long && row.len() == ROW_LEN_MAX);
        assert_eq!(rows.next().expect("memory").expect("a row").1, b"next");
    }

    #[test]
    fn quotes_open_and_close_at_the_ends_of_a_field_alone() {
        let split = |row: &[u8]| fields(row, b';', b'"');
        let texts = |row: &[u8]| split(row).map(|found| found.join(&b'|'));
        assert_eq!(texts(b"a;\"b;\"\"c\";"), Ok(b"a|b;\"c|".to_vec()));
        assert_eq!(texts(b""), Ok(Vec::new()));
        assert_eq!(split(b"a;b\"c"), Err((RowErrorKind::BadQuoting, 2)));
        assert_eq!(split(b"\"a\"b"), Err((RowErrorKind::BadQuoting, 1)));
        assert_eq!(split(b"a;\"b"), Err((RowErrorKind::BadQuoting, 2)));
        assert_eq!(split(&[b';'; 256]), Err((RowErrorKind::TooManyColumns, 256)));
    }

    proptest! {
        /// Against the `csv` crate, on what it writes itself.
        #[test]
        fn the_csv_crate_and_we_agree(row in prop::collection::vec("[a;\"\r\n ]{0,6}", 1..6)) {
            let mut writer = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
            writer.write_record(&row).expect("memory");
            let written = writer.into_inner().expect("memory");
            let mut rows = Rows::new(written.as_slice(), Some((b';', b'"')));
            let (_, found) = rows.next().expect("memory").expect("a row");
            let found = fields(found, b';', b'"').expect("a sound row");
            let texts: Vec<_> = row.iter().map(|field| field.as_bytes().to_vec()).collect();
            prop_assert_eq!(found, texts);
        }
    }
}
