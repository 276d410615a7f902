use proptest::prelude::*;
use router::money::{Currency, Money};
use router::time::{Date, Timestamp};

use super::*;
use crate::file::bill::{BillLine, BillRow, Due};
use crate::file::clearing::ClearingEntry;
use crate::file::read::{Policy, read_all};

const CLEARING_CSV: &str = include_str!("../../../../config/files/clearing-csv.toml");
const CLEARING_FIXED: &str = include_str!("../../../../config/files/clearing-fixed.toml");
const BILLS_FIXED: &str = include_str!("../../../../config/files/bills-ar-fixed.toml");
const BILLS_CSV: &str = include_str!("../../../../config/files/bills-mx-csv.toml");

fn layout(toml: &str) -> Layout {
    Layout::from_toml(toml).expect("a layout")
}

fn pesos(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("MXN").expect("pesos"))
}

fn entry() -> ClearingEntry {
    ClearingEntry {
        folio: "F-000001".to_owned(),
        bill_no: Some("R-1001".to_owned()),
        client_id: Some("000123".to_owned()),
        amount: pesos(15_000),
        fee: pesos(450),
        net: pesos(14_550),
        // 2026-11-26T18:47:50Z, from `date -u -d @1795718870`.
        paid_at: Timestamp(1_795_718_870_000_000),
        rail: Some("p2c".to_owned()),
        reference: Some("=HYPERLINK(\"http://x\")".to_owned()),
        authorisation: None,
    }
}

fn reversal() -> ClearingEntry {
    let (amount, fee, net) = (pesos(-5_000), pesos(0), pesos(-5_000));
    ClearingEntry { folio: "F-2, \"b\"".to_owned(), reference: None, amount, fee, net, ..entry() }
}

#[test]
fn a_clearing_file_has_its_rows_its_trailer_and_no_formula() {
    let file = write(&layout(CLEARING_CSV), &[entry(), reversal()]).expect("a file");
    let expect = "D,F-000001,R-1001,000123,150.00,4.50,145.50,2026-11-26T18:47:50Z,p2c,\
                  \"'=HYPERLINK(\"\"http://x\"\")\",\r\n\
                  D,\"F-2, \"\"b\"\"\",R-1001,000123,-50.00,0.00,-50.00,2026-11-26T18:47:50Z,p2c,,\r\n\
                  T,2,,,100.00,,,,,,\r\n";
    assert_eq!(String::from_utf8(file).expect("text"), expect);
}

#[test]
fn a_fixed_width_clearing_file_has_its_totals_in_front() {
    let plain = ClearingEntry { reference: Some("REF9".to_owned()), ..entry() };
    let file = write(&layout(CLEARING_FIXED), &[plain, reversal()]).expect("a file");
    let text = String::from_utf8(file).expect("text");
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[..3].iter().all(|line| line.len() == 120));
    assert_eq!(lines[0].trim_end(), "H00000002000000000010000");
    let detail = "DF-000001                  R-1001              \
                  00000001500000000000045000000001455020261126184750REF9";
    assert_eq!(lines[1].trim_end(), detail);
    assert_eq!(&lines[2][47..83], "-00000005000000000000000-00000005000");
}

#[test]
fn what_does_not_fit_is_refused_with_its_field() {
    let refused = |toml: &str, entry: ClearingEntry| match write(&layout(toml), &[entry]) {
        Err(WriteError::Field { record, field, .. }) => (record, field),
        other => panic!("{other:?}"),
    };
    let long = ClearingEntry { folio: "x".repeat(27), ..entry() };
    assert_eq!(refused(CLEARING_FIXED, long), (1, "folio".to_owned()));
    let euro = Currency::from_code("EUR").expect("euro");
    let foreign = ClearingEntry { amount: Money::new(1, euro), ..entry() };
    assert_eq!(refused(CLEARING_CSV, foreign), (1, "amount".to_owned()));
    let greek = ClearingEntry { bill_no: Some("Ω".to_owned()), reference: None, ..entry() };
    assert_eq!(refused(CLEARING_FIXED, greek), (1, "bill_no".to_owned()));
    let broken = ClearingEntry { bill_no: Some("a\nb".to_owned()), ..entry() };
    assert_eq!(refused(CLEARING_FIXED, broken), (1, "bill_no".to_owned()));
    let wrong = write(&layout(BILLS_CSV), &[entry()]);
    assert!(matches!(wrong, Err(WriteError::WrongLayout { .. })));
}

/// Text as it may stand in a field: no spaces around it, within latin-1.
fn text(longest: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(TEXT.chars().collect::<Vec<_>>()), 1..=longest)
        .prop_map(|text| text.into_iter().collect::<String>().trim().to_owned())
        .prop_filter("not empty", |text| !text.is_empty())
}

const TEXT: &str = "=+-@'\";, .abcXYZ019ñÉ";

fn entries() -> impl Strategy<Value = ClearingEntry> {
    let amounts = (-99_999_999..=99_999_999_i64, 0..=99_999_i64);
    let texts = (text(26), prop::option::of(text(20)), prop::option::of(text(23)));
    (amounts, texts, 0..=4_000_000_000_i64).prop_map(
        |((amount, fee), (folio, bill_no, reference), seconds)| ClearingEntry {
            folio,
            bill_no,
            client_id: None,
            amount: pesos(amount),
            fee: pesos(fee),
            net: pesos(amount - fee),
            paid_at: Timestamp(seconds * 1_000_000),
            rail: None,
            reference,
            authorisation: None,
        },
    )
}

fn bills() -> impl Strategy<Value = BillRow> {
    let texts = (text(20), text(14), prop::option::of(text(32)));
    (texts, 1..=999_999_999_999_i64, 0..3_usize, any::<bool>()).prop_map(
        |((bill_no, client_id, line), minor, due_count, allow_partial)| {
            let amount = Money::new(minor, Currency::from_code("ARS").expect("pesos"));
            let due =
                |at: usize| Due { date: Date(20_000 + i32::try_from(at).expect("small")), amount };
            BillRow {
                bill_no,
                client_id,
                contract_no: None,
                amount,
                dues: (0..due_count).map(due).collect(),
                allow_partial,
                min: None,
                max: None,
                must_leave: None,
                product: None,
                expires_on: None,
                lines: line.into_iter().map(|text| BillLine { text, amount: None }).collect(),
            }
        },
    )
}

proptest! {
    #[test]
    fn clearing_files_are_read_as_they_were_written(
        entries in prop::collection::vec(entries(), 0..5),
    ) {
        for toml in [CLEARING_CSV, CLEARING_FIXED] {
            let layout = layout(toml);
            let file = write(&layout, &entries).expect("a file");
            let read = read_all::<ClearingEntry>(&layout, &file, Policy::AllOrNothing).expect("a sound file");
            prop_assert_eq!(&read.records, &entries);
        }
    }

    #[test]
    fn bill_bases_are_read_as_they_were_written(bills in prop::collection::vec(bills(), 0..5)) {
        let layout = layout(BILLS_FIXED);
        let file = write(&layout, &bills).expect("a file");
        let read = read_all::<BillRow>(&layout, &file, Policy::AllOrNothing).expect("a sound file");
        prop_assert_eq!(&read.records, &bills);
    }
}
