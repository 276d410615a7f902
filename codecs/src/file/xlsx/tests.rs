use proptest::prelude::*;
use router::money::{Currency, Money};

use super::*;
use crate::file::clearing::ClearingEntry;
use crate::file::layout::Layout;
use crate::file::read::{Policy, Refused, read_all};

const CLEARING: &str = include_str!("../../../../config/files/clearing-xlsx.toml");

fn layout() -> Layout {
    Layout::from_toml(CLEARING).expect("a layout")
}

fn entry(reference: &str, minor: i64, seconds: i64) -> ClearingEntry {
    let pesos = |minor| Money::new(minor, Currency::from_code("MXN").expect("pesos"));
    ClearingEntry {
        folio: "F-1".to_owned(),
        bill_no: Some("-5".to_owned()),
        client_id: Some("000123".to_owned()),
        amount: pesos(minor),
        fee: pesos(50),
        net: pesos(minor - 50),
        paid_at: Timestamp(seconds * 1_000_000),
        rail: None,
        reference: Some(reference.to_owned()),
        authorisation: None,
    }
}

fn file(entries: &[ClearingEntry]) -> Vec<u8> {
    write(&layout(), entries, Timestamp(0)).expect("a workbook")
}

#[test]
fn numbers_are_numbers_dates_are_dates_and_formulas_are_text() {
    // 2026-11-26T18:47:50Z, from `date -u -d @1795718870`.
    let rows = rows(&file(&[entry("=1+1", -12_345, 1_795_718_870)])).expect("rows");
    let super::super::read::Content::Cells(cells) = &rows[1].content else { panic!("cells") };
    assert_eq!(cells[3], Cell::Number("-123.45".to_owned()));
    assert_eq!(cells[6], Cell::Instant(Timestamp(1_795_718_870_000_000)));
    let mut workbook = Xlsx::new(Cursor::new(file(&[entry("=1+1", 1, 0)]))).expect("a workbook");
    let range = workbook.worksheet_range("clearing-xlsx").expect("a sheet");
    assert_eq!(range.get((1, 8)), Some(&calamine::Data::String("'=1+1".to_owned())));
    assert_eq!(range.get((1, 1)), Some(&calamine::Data::String("'-5".to_owned())));
    let formulas = workbook.worksheet_formula("clearing-xlsx").expect("a sheet");
    assert!(formulas.is_empty());
}

#[test]
fn a_workbook_is_the_same_whenever_it_is_made() {
    let entries = [entry("a", 1, 0)];
    assert_eq!(file(&entries), file(&entries));
}

#[test]
fn a_file_cut_short_or_changed_is_read_or_refused() {
    let sound = file(&[entry("a", 1, 0), entry("b", 2, 0)]);
    for end in 0..sound.len() {
        assert!(rows(&sound[..end]).is_err(), "cut at {end}");
    }
    for at in (0..sound.len()).step_by(11) {
        let mut changed = sound.clone();
        changed[at] ^= 1 << (at % 8);
        let _ = rows(&changed);
    }
}

#[test]
fn a_file_that_says_it_unpacks_to_too_much_is_refused_unopened() {
    let mut bomb = file(&[entry("a", 1, 0)]);
    let at = bomb.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a directory");
    bomb[at + 24..at + 28].copy_from_slice(&0x1000_0000_u32.to_le_bytes());
    let refused = rows(&bomb);
    assert!(matches!(refused, Err(FileError::TooLarge { what: "bytes unpacked", .. })));
    bomb[at + 24..at + 28].copy_from_slice(&100_u32.to_le_bytes());
    assert!(matches!(rows(&bomb), Err(FileError::NotXlsx)), "its parts are longer than it says");
    let large = vec![0; FILE_LEN_MAX + 1];
    assert!(matches!(rows(&large), Err(FileError::TooLarge { what: "bytes", .. })));
}

#[test]
fn cells_are_counted_with_the_empty_ones_before_them() {
    let mut sheet = Sheet { rows: Vec::new(), cell_count: CELL_COUNT_MAX - 3, text_len: 0 };
    assert!(sheet.put((0, 2), &DataRef::Int(1)).is_ok());
    let refused = sheet.put((1, 0), &DataRef::Int(1));
    assert!(matches!(refused, Err(FileError::TooLarge { what: "cells", .. })));
    let refused = sheet.put((2, 256), &DataRef::Int(1));
    assert!(matches!(refused, Err(FileError::TooLarge { what: "columns", .. })));
    let refused = sheet.put((0, 0), &DataRef::Int(1));
    assert!(matches!(refused, Err(FileError::NotXlsx)), "rows go down");
    let mut sheet = Sheet { rows: Vec::new(), cell_count: 0, text_len: TEXT_LEN_MAX };
    let refused = sheet.put((0, 0), &DataRef::SharedString("x"));
    assert!(matches!(refused, Err(FileError::TooLarge { what: "bytes of text", .. })));
}

#[test]
fn numbers_have_fifteen_digits() {
    for (number, text) in [
        ("0.30000000000000004", "0.3"),
        ("1234.56", "1234.56"),
        ("-5", "-5"),
        ("1e21", "1000000000000000000000"),
        ("999999999999.99", "999999999999.99"),
    ] {
        assert_eq!(decimal_text(number.parse().expect("a number")), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_written_is_read(
        reference in "['=+@a-z]{1,10}",
        minor in -999_999_999_999_i64..=999_999_999_999,
        seconds in 0..4_000_000_000_i64,
    ) {
        let entries = [entry(&reference, minor, seconds)];
        let read = read_all::<ClearingEntry>(&layout(), &file(&entries), Policy::AllOrNothing);
        prop_assert_eq!(&read.expect("a sound file").records, &entries);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let read = read_all::<ClearingEntry>(&layout(), &bytes, Policy::KeepGood);
        prop_assert!(matches!(read, Err(Refused::File(FileError::NotXlsx))));
    }
}
