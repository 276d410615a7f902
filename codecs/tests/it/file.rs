//! Files that other programs made – Python's csv module and openpyxl – read by the layouts that are
//! shipped. `testdata/file/make.py` says how they were made.

use std::path::PathBuf;

use codecs::file::bill::{BillRow, Due};
use codecs::file::layout::Layout;
use codecs::file::read::{Imported, Policy, Reader, Refused, read_all};
use codecs::file::{FileError, RowErrorKind};
use router::money::{Currency, Money};
use router::time::Date;

fn manifest(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn layout(name: &str) -> Layout {
    let path = manifest("../config/files").join(name).with_extension("toml");
    Layout::from_toml(&std::fs::read_to_string(path).expect("a layout")).expect("no mistakes")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(manifest("testdata/file").join(name)).expect("a file")
}

fn bills(layout_name: &str, file_name: &str) -> Imported<BillRow> {
    read_all(&layout(layout_name), &file(file_name), Policy::KeepGood).expect("a file")
}

fn money(code: &str, minor: i64) -> Money {
    Money::new(minor, Currency::from_code(code).expect("a currency"))
}

fn day(year: i32, month: u32, day: u32) -> Date {
    Date::from_year_month_day(year, month, day)
}

#[test]
fn a_spreadsheet_export_in_latin_1_is_read() {
    let imported = bills("bills-mx-csv", "bills-mx.csv");
    assert_eq!(imported.mistakes, []);
    let [first, second, third] = &imported.records[..] else { panic!("three bills") };
    assert_eq!((first.bill_no.as_str(), first.client_id.as_str()), ("R-1001", "000123"));
    assert_eq!(first.amount, money("MXN", 125_050));
    assert_eq!((first.allow_partial, first.min), (true, Some(money("MXN", 10_000))));
    let due = Due { date: day(2026, 12, 15), amount: money("MXN", 125_050) };
    assert_eq!(first.dues, [due]);
    assert_eq!(first.lines[0].text, "Servicio; diciembre");
    assert_eq!(second.amount, money("MXN", 9_990));
    assert_eq!(second.lines[0].text, "Dice \"urgente\"");
    assert_eq!((third.amount, third.dues.len()), (money("MXN", 1), 0));
    assert_eq!(third.lines[0].text, "Peña Ñandú");
}

#[test]
fn good_rows_are_kept_and_bad_ones_tell_why() {
    let imported = bills("bills-mx-csv", "bills-mx-bad-rows.csv");
    let numbers: Vec<&str> = imported.records.iter().map(|bill| bill.bill_no.as_str()).collect();
    assert_eq!(numbers, ["R-1001", "R-1006"]);
    let found: Vec<_> = imported
        .mistakes
        .iter()
        .map(|mistake| (mistake.row, mistake.field.as_str(), mistake.column, mistake.kind))
        .collect();
    let expect = [
        (3, "bill_no", 1, RowErrorKind::Missing),
        (3, "amount", 4, RowErrorKind::BadAmount),
        (3, "due1_date", 5, RowErrorKind::BadDate),
        (3, "allow_partial", 6, RowErrorKind::BadFlag),
        (4, "min", 7, RowErrorKind::Conflict),
    ];
    assert_eq!(found, expect);
    assert_eq!((imported.summary.good, imported.summary.bad), (2, 2));
    let all = read_all::<BillRow>(
        &layout("bills-mx-csv"),
        &file("bills-mx-bad-rows.csv"),
        Policy::AllOrNothing,
    );
    assert!(matches!(all, Err(Refused::Rows(mistakes)) if mistakes.len() == 5));
}

#[test]
fn three_due_dates_in_fixed_width_are_read_and_the_trailer_is_right() {
    let imported = bills("bills-ar-fixed", "bills-ar.txt");
    assert_eq!(imported.mistakes, []);
    assert_eq!(imported.summary.sum_minor, Some(1_750_076));
    let [first, second, third] = &imported.records[..] else { panic!("three bills") };
    let due = |day_of_month, minor| Due {
        date: day(2026, 12, day_of_month),
        amount: money("ARS", minor),
    };
    assert_eq!(first.dues, [due(5, 1_500_000), due(15, 1_545_000), due(28, 1_600_050)]);
    assert_eq!((second.allow_partial, second.lines[0].text.as_str()), (true, "Señal y abono"));
    assert_eq!((third.amount, third.dues.len(), third.lines.len()), (money("ARS", 1), 0, 0));
}

#[test]
fn a_trailer_that_lies_refuses_the_file() {
    let text = file("bills-ar.txt");
    let change = |from: &[u8], to: &[u8]| {
        let at = text.windows(from.len()).position(|bytes| bytes == from).expect("there");
        let mut changed = text.clone();
        changed[at..at + to.len()].copy_from_slice(to);
        match read_all::<BillRow>(&layout("bills-ar-fixed"), &changed, Policy::KeepGood) {
            Err(Refused::File(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let count = change(b"900000003", b"900000004");
    assert!(matches!(count, FileError::Count { stated: 4, found: 3 }));
    let sum = change(b"000000001750076", b"000000001750077");
    assert!(matches!(sum, FileError::Sum { stated: 1_750_077, found: 1_750_076 }));
}

#[test]
fn a_workbook_of_another_program_is_read() {
    let imported = bills("bills-xlsx", "bills-ve.xlsx");
    let [first, second, third] = &imported.records[..] else { panic!("three bills") };
    assert_eq!((first.bill_no.as_str(), first.client_id.as_str()), ("V-1", "J-12345678-9"));
    assert_eq!((first.amount, first.allow_partial), (money("VES", 123_456), true));
    assert_eq!(first.dues[0].date, day(2026, 12, 15));
    assert_eq!(first.lines[0].text, "Teléfono");
    assert_eq!((second.client_id.as_str(), second.amount), ("4001", money("VES", 30)));
    assert_eq!(second.lines[0].text, "=apóstrofo", "an apostrophe that guards is taken away");
    assert_eq!((third.amount, third.allow_partial), (money("VES", 1_000), true));
    let found: Vec<_> = imported
        .mistakes
        .iter()
        .map(|mistake| (mistake.row, mistake.field.as_str(), mistake.column, mistake.kind))
        .collect();
    let expect = [
        (6, "amount", 3, RowErrorKind::BadAmount),
        (6, "due1_date", 4, RowErrorKind::BadDate),
        (6, "allow_partial", 5, RowErrorKind::BadFlag),
    ];
    assert_eq!(found, expect);
}

#[test]
fn files_cut_short_or_changed_are_read_or_refused() {
    for (layout_name, file_name) in
        [("bills-mx-csv", "bills-mx.csv"), ("bills-ar-fixed", "bills-ar.txt")]
    {
        let (layout, bytes) = (layout(layout_name), file(file_name));
        for end in 0..bytes.len() {
            let cut = read_all::<BillRow>(&layout, &bytes[..end], Policy::AllOrNothing);
            // The trailer of the fixed-width file is 25 characters of content and then spaces.
            assert!(layout_name == "bills-mx-csv" || end >= bytes.len() - 2 || cut.is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let _ = read_all::<BillRow>(&layout, &changed, Policy::KeepGood);
        }
    }
}

#[test]
fn many_rows_pass_one_at_a_time() {
    let layout = layout("bills-mx-csv");
    let header: &[u8] = b"Recibo;Cliente;Contrato;Importe;Vence;Parcial;Minimo;Producto;Concepto\n";
    let rows = std::iter::repeat_n(&b"R-1;C-1;;10,00;;;;;\n"[..], 100_000);
    let file = header.iter().copied().chain(rows.flatten().copied()).collect::<Vec<u8>>();
    let mut reader = Reader::<_, BillRow>::new(&layout, file.as_slice()).expect("a reader");
    assert!(reader.by_ref().all(|bill| bill.is_ok()));
    assert_eq!(reader.finish().expect("an end").sum_minor, Some(100_000_000));
}
