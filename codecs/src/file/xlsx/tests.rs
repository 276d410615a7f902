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
    let Content::Cells(cells) = &rows[1].content else { panic!("cells") };
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

/// An archive of `entries` directory entries, of which entry `n` has the data of part `part(n)` and
/// a name of its own.
fn archive(parts: &[&[u8]], entries: u16, part: impl Fn(u16) -> usize) -> Vec<u8> {
    let le = |number: usize| u32::try_from(number).expect("a short file").to_le_bytes();
    let (mut file, mut starts) = (Vec::new(), Vec::new());
    for data in parts {
        starts.push(file.len());
        let mut local = [b"PK\x03\x04".as_slice(), &[0; 26]].concat();
        local[8] = 8;
        file.extend([local.as_slice(), data].concat());
    }
    let directory_at = file.len();
    for number in 0..entries {
        let part = part(number);
        let mut entry = [b"PK\x01\x02".as_slice(), &[0; 42]].concat();
        entry[10] = 8;
        entry[20..24].copy_from_slice(&le(parts[part].len()));
        entry[28] = 2;
        entry[42..46].copy_from_slice(&le(starts[part]));
        entry.extend(number.to_le_bytes());
        file.extend(entry);
    }
    let directory_len = file.len() - directory_at;
    let count = entries.to_le_bytes();
    file.extend([b"PK\x05\x06".as_slice(), &[0; 4], &count, &count].concat());
    file.extend([&le(directory_len)[..], &le(directory_at), &[0; 2]].concat());
    file
}

/// The last block of deflated data, stored and empty: RFC 1951, 3.2.4.
const LAST: [u8; 5] = [1, 0, 0, 0xFF, 0xFF];
const ZEROS_CRC: u32 = 0xD411957D;

#[test]
fn entries_that_share_their_data_are_refused_before_it_is_followed() {
    let run = [&[0, 0, 0, 0xFF, 0xFF].repeat(50_000)[..], &LAST].concat();
    let check = |file: Vec<u8>| archive::check(&file, 0);
    assert_eq!(check(archive(&[&run, &LAST], 2, usize::from)), Ok(()));
    assert_eq!(check(archive(&[&LAST, &run], 2, |entry| 1 - usize::from(entry))), Ok(()));
    assert_eq!(check(archive(&[&run], 2, |_| 0)), Err(Unfit::Malformed));
    assert_eq!(check(archive(&[&run], 4096, |_| 0)), Err(Unfit::Malformed));
    // The second entry begins within the data of the first.
    let nested = archive(&[&LAST], 1, |_| 0);
    let outer = [1, 35, 0, 220, 0xFF].iter().chain(&nested[..35]).copied().collect::<Vec<u8>>();
    let mut file = archive(&[&outer], 2, |_| 0);
    let (first, second) = (30 + outer.len(), 30 + outer.len() + 48);
    file[first + 24..first + 28].copy_from_slice(&35_u32.to_le_bytes());
    file[second + 20..second + 24].copy_from_slice(&5_u32.to_le_bytes());
    file[second + 42..second + 46].copy_from_slice(&35_u32.to_le_bytes());
    assert_eq!(archive::check(&file, 100), Err(Unfit::Malformed));
}

#[test]
fn a_workbook_of_more_parts_than_any_program_makes_is_refused() {
    let parts = |count: u16| {
        let data = vec![LAST.as_slice(); usize::from(count)];
        archive(&data, count, usize::from)
    };
    assert_eq!(archive::check(&parts(4096), 0), Ok(()));
    assert_eq!(archive::check(&parts(4097), 0), Err(Unfit::TooManyParts));
    let refused = rows(&parts(4097));
    assert!(matches!(refused, Err(FileError::TooLarge { what: "parts", max: 4096 })));
}

#[test]
fn a_part_is_followed_no_further_than_to_the_length_it_states() {
    // 100,000 zeros, by Python: `zlib.compressobj(9, zlib.DEFLATED, -15)`.
    let zeros = "edc13101000000c2a0f54f6d0d0fa00000000000000000000000000000000000000000000000\
                 0000000000000000000000000000000000000000000000000000000000000000000000000000\
                 0000000000000000000000000000000000000000000000000000000000000000000000805703";
    let zeros = hex::decode(zeros).expect("hexadecimal");
    let stating = |length: u32| {
        let mut file = archive(&[&zeros], 1, |_| 0);
        let entry = 30 + zeros.len();
        // The checksum, by Python: `zlib.crc32(bytes(100_000))`.
        file[entry + 16..entry + 20].copy_from_slice(&ZEROS_CRC.to_le_bytes());
        file[entry + 24..entry + 28].copy_from_slice(&length.to_le_bytes());
        archive::check(&file, 1 << 20)
    };
    assert_eq!(stating(100_000), Ok(()));
    for wrong in [0, 1, 99_999, 100_001, 1 << 20] {
        assert_eq!(stating(wrong), Err(Unfit::Malformed), "{wrong}");
    }
    assert_eq!(stating((1 << 20) + 1), Err(Unfit::TooLarge));
}

#[test]
fn an_archive_that_is_not_a_plain_one_is_refused() {
    let plain = archive(&[&LAST], 1, |_| 0);
    assert_eq!(archive::check(&plain, 0), Ok(()));
    let entry = 30 + LAST.len();
    let with = |at: usize, byte: u8| {
        let mut file = plain.clone();
        file[at] = byte;
        archive::check(&file, 0)
    };
    assert_eq!(with(entry + 10, 12), Err(Unfit::Malformed), "another method");
    assert_eq!(with(entry + 8, 1), Err(Unfit::Malformed), "encrypted");
    assert_eq!(with(entry + 16, 1), Err(Unfit::Malformed), "another checksum");
    let in_front = [b"MZ".as_slice(), &plain].concat();
    assert_eq!(archive::check(&in_front, 0), Err(Unfit::Malformed));
    let mut behind = [plain.as_slice(), b"x"].concat();
    let comment_len = plain.len() - 2;
    behind[comment_len] = 1;
    assert_eq!(archive::check(&behind, 0), Err(Unfit::Malformed));
    let twice = archive(&[&LAST, &LAST], 2, usize::from);
    let mut same = twice.clone();
    let last_name = twice.len() - 22 - 2;
    same[last_name] = 0;
    assert_eq!(archive::check(&twice, 0), Ok(()));
    assert_eq!(archive::check(&same, 0), Err(Unfit::Malformed), "two parts of one name");
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
