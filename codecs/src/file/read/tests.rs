use std::io::{self, BufReader, Read};

use proptest::prelude::*;

use super::*;
use crate::file::bill::BillRow;
use crate::file::clearing::ClearingEntry;

const BILLS: &str = r#"
name = "demo"
content = "bills"
format = "csv"
currency = "MXN"
[csv]
header = true
[fields]
bill_no = { column = "bill" }
client_id = { column = "client" }
currency = { column = "currency" }
amount = { column = "amount" }
due1_date = { column = "due1" }
due1_amount = { column = "due1_amount" }
due2_date = { column = "due2" }
"#;

const TOTALS: &str = r#"
name = "demo"
content = "bills"
format = "csv"
currency = "MXN"
[csv]
header = false
[records]
at = { column = 1 }
header = "H"
detail = "D"
[fields]
bill_no = { column = 2 }
client_id = { column = 3 }
amount = { column = 4 }
[totals]
record = "header"
count = { column = 2 }
sum = { column = 3 }
"#;

fn layout(toml: &str) -> Layout {
    Layout::from_toml(toml).expect("a layout")
}

fn read(toml: &str, file: &str) -> Result<Imported<BillRow>, Refused> {
    read_all(&layout(toml), file.as_bytes(), Policy::KeepGood)
}

/// The mistakes in a row under the header of `BILLS`.
fn mistakes(row: &str) -> Vec<(String, usize, RowErrorKind)> {
    let file = format!("bill,client,currency,amount,due1,due1_amount,due2\n{row}\n");
    let imported = read(BILLS, &file).expect("a file");
    let found = imported.mistakes.into_iter();
    found.map(|mistake| (mistake.field, mistake.column, mistake.kind)).collect()
}

#[test]
fn a_bad_row_tells_all_its_mistakes_and_where_they_stand() {
    use RowErrorKind::*;
    let one = |field: &str, column, kind| vec![(field.to_owned(), column, kind)];
    assert_eq!(mistakes("B1,C1,,10.00,2026-12-01,,"), []);
    assert_eq!(mistakes(",C1,,10.00"), one("bill_no", 1, Missing));
    assert_eq!(
        mistakes("B1,,EURO,x,2026-02-30,,"),
        [
            ("currency".to_owned(), 3, BadCurrency),
            ("client_id".to_owned(), 2, Missing),
            ("amount".to_owned(), 4, BadAmount),
            ("due1_date".to_owned(), 5, BadDate),
        ]
    );
    assert_eq!(mistakes("B1,C1,,0.00"), one("amount", 4, BadAmount));
    assert_eq!(mistakes("B1,C1,,-1.00"), one("amount", 4, BadAmount));
    assert_eq!(mistakes("B1,C1,JPY,1.50"), one("amount", 4, BadAmount));
    assert_eq!(mistakes("B1,C1,,10000000000.00"), one("amount", 4, BadAmount));
    assert_eq!(mistakes(&format!("{},C1,,1", "x".repeat(41))), one("bill_no", 1, TooLong));
    assert_eq!(mistakes("B\u{7}1,C1,,1"), one("bill_no", 1, BadText));
    assert_eq!(mistakes("B\"1,C1,,1"), one("", 1, BadQuoting));
    assert_eq!(mistakes("B1,C1,,1,,5.00"), one("due1_date", 5, Missing));
    assert_eq!(mistakes("B1,C1,,1,,,2026-12-01"), one("due2_date", 7, Conflict));
    assert_eq!(mistakes("B1,C1,,1,2026-12-02,,2026-12-01"), one("due2_date", 7, Conflict));
}

#[test]
fn rows_are_counted_and_offsets_are_bytes() {
    let file = "bill,client,currency,amount,due1,due1_amount,due2\r\n\r\nB1,C1,,1\r\nB2,,,1\r\n";
    let imported = read(BILLS, file).expect("a file");
    let mistake = &imported.mistakes[0];
    assert_eq!((mistake.row, mistake.offset), (4, 63));
    assert_eq!(mistake.to_string(), "row 4 field client_id at column 2 must not be empty");
    assert_eq!(imported.summary, Summary { good: 1, bad: 1, sum_minor: Some(100) });
}

#[test]
fn a_good_row_is_known_by_its_number_too() {
    let file: &[u8] = b"bill,client,currency,amount,due1,due1_amount,due2\nB1,,,1\n\nB2,C2,,1\n";
    let layout = layout(BILLS);
    let mut reader = Reader::<_, BillRow>::new(&layout, file).expect("a reader");
    let mut numbers = Vec::new();
    while let Some(row) = reader.next() {
        numbers.push((reader.row_number(), row.is_ok()));
    }
    assert_eq!(numbers, [(2, false), (4, true)]);
}

#[test]
fn all_or_nothing_gives_nothing_but_the_mistakes() {
    let file = "bill,client,currency,amount,due1,due1_amount,due2\nB1,C1,,1\nB2,,,x\n";
    let refused = read_all::<BillRow>(&layout(BILLS), file.as_bytes(), Policy::AllOrNothing);
    assert!(matches!(refused, Err(Refused::Rows(mistakes)) if mistakes.len() == 2));
}

#[test]
fn a_header_row_has_each_column_once() {
    for header in [
        "",
        "bill,client,currency,amount,due1,due1_amount",
        "bill,bill,client,currency,amount,due1,due1_amount,due2",
    ] {
        let refused = read(BILLS, &format!("{header}\nB1,C1,,1\n")).map(|_| ());
        assert!(matches!(refused, Err(Refused::File(FileError::Column { .. }))), "{header}");
    }
    let shouted = "BILL,Client,currency,AMOUNT,due1,due1_amount,due2,more\nB1,C1,,1,,,,z\n";
    assert_eq!(read(BILLS, shouted).expect("a file").records.len(), 1);
}

#[test]
fn totals_are_held_against_all_rows() {
    let file = |header: &str| format!("{header}\nD,B1,C1,1.50\nD,B2,C2,2.00\nD,,C3,4.00\n");
    let check = |header: &str| read(TOTALS, &file(header)).map(|imported| imported.summary);
    let summary = check("H,3,7.50").expect("right totals");
    assert_eq!(summary, Summary { good: 2, bad: 1, sum_minor: Some(350) });
    let refusal = |header: &str| match check(header) {
        Err(Refused::File(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal("H,2,7.50"), "2 rows stated, 3 found");
    assert_eq!(refusal("H,3,7.51"), "the sum stated is not that of the rows");
    for missing in ["", "H,x,7.50", "H,3,", "H,3,7.50\nH,3,7.50"] {
        let expect = "header with the control totals is not there exactly once and readable";
        assert_eq!(refusal(missing), expect, "{missing}");
    }
    let unread = file("H,3,99.00").replace("4.00", "x");
    assert!(read(TOTALS, &unread).is_ok(), "a sum that cannot be known is not held against it");
    let stranger = read(TOTALS, "H,1,0\nX,B1,C1,1\n").expect("a file");
    assert_eq!(stranger.mistakes[0].kind, RowErrorKind::UnknownRecord);
}

#[test]
fn rows_behind_a_trailer_are_mistakes() {
    let counted = TOTALS.replace("record = \"header\"", "record = \"trailer\"");
    let counted = counted.replace("header = \"H\"", "header = \"H\"\ntrailer = \"T\"");
    let sound = "H\nD,B1,C1,1.50\nD,B2,C2,2.00\nT,2,3.50\n";
    let summary = Summary { good: 2, bad: 0, sum_minor: Some(350) };
    assert_eq!(read(&counted, sound).expect("a file").summary, summary);
    let more = read(&counted, &format!("{sound}D,B3,C3,4.00\n")).map(|_| ());
    assert!(matches!(more, Err(Refused::File(FileError::Count { stated: 2, found: 3 }))));
    // Totals that would fit with the row behind them do not make it a good one.
    let fitting = "D,B1,C1,1.50\nT,2,5.50\nD,B3,C3,4.00\n";
    let imported = read(&counted, fitting).expect("a file");
    assert_eq!((imported.records.len(), imported.mistakes.len()), (1, 1));
    let mistake = &imported.mistakes[0];
    assert_eq!((mistake.row, mistake.kind), (3, RowErrorKind::UnknownRecord));
    assert_eq!(mistake.to_string(), "row 3 stands behind the trailer");
    // Without totals too, and for a second trailer and a header.
    let at = counted.find("[totals]").expect("totals");
    for (file, rows) in [("D,B1,C1,1\nT\nD,B2,C2,1\n", 1), ("D,B1,C1,1\nT\nT\nH\n", 2)] {
        let imported = read(&counted[..at], file).expect("a file");
        assert_eq!((imported.records.len(), imported.mistakes.len()), (1, rows), "{file}");
    }
}

#[test]
fn a_layout_is_for_one_kind_of_record() {
    let file: &[u8] = b"";
    let refused = Reader::<_, ClearingEntry>::new(&layout(BILLS), file).map(|_| ());
    assert!(matches!(refused, Err(FileError::WrongLayout { .. })));
}

/// A file that has no end, and counts what was taken of it.
struct Endless<'a> {
    line: &'a [u8],
    at: usize,
    left: u64,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let take = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        for slot in &mut buffer[..take] {
            *slot = self.line[self.at % self.line.len()];
            self.at += 1;
        }
        self.left -= u64::try_from(take).expect("a length");
        Ok(take)
    }
}

#[test]
fn rows_beyond_the_ceiling_end_the_file() {
    let toml = BILLS.replace("header = true", "header = false").replace("\"bill\"", "1");
    let toml =
        toml.replace("\"client\"", "2").replace("\"currency\"", "3").replace("\"amount\"", "4");
    let toml =
        toml.replace("\"due1\"", "5").replace("\"due1_amount\"", "6").replace("\"due2\"", "7");
    let layout = layout(&toml);
    let input = BufReader::new(Endless { line: b"\n", at: 0, left: ROW_COUNT_MAX + 1 });
    assert!(Reader::<_, BillRow>::new(&layout, input).expect("a reader").finish().is_ok());
    let mut unclosed = b"\"".to_vec();
    unclosed.resize(4096, b'x');
    let input = BufReader::new(Endless { line: &unclosed, at: 0, left: 1 << 22 });
    let mut reader = Reader::<_, BillRow>::new(&layout, input).expect("a reader");
    let mistakes = reader.next().expect("a row").expect_err("too long");
    assert_eq!(mistakes[0].kind, RowErrorKind::RowTooLong);
    assert!(reader.next().is_none());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        for toml in [BILLS, TOTALS] {
            let _ = read_all::<BillRow>(&layout(toml), &bytes, Policy::KeepGood);
        }
    }

    #[test]
    fn any_text_under_a_header_is_read_or_refused(rows in "([BC1,.\"\\-0-9é\n]{0,40}\n){0,5}") {
        let file = format!("bill,client,currency,amount,due1,due1_amount,due2\n{rows}");
        let imported = read(BILLS, &file).expect("a header");
        for bill in imported.records {
            prop_assert!(bill.amount.minor > 0 && !bill.bill_no.is_empty());
        }
    }
}
