use proptest::prelude::*;

use super::*;

/// The first example of EPC069-12.
const EXAMPLE: &str = "BCD\n002\n1\nSCT\nBHBLDEHHXXX\nFranz Mustermänn\nDE71110220330123456789\n\
                       EUR12.3\nGDDS\nRF18539007547034";

/// The first example with one line replaced; the first line is 1.
fn instead(line: usize, text: &str) -> String {
    let mut lines: Vec<&str> = EXAMPLE.split('\n').collect();
    lines.resize(12, "");
    lines[line - 1] = text;
    lines.join("\n")
}

fn refused(payload: impl AsRef<[u8]>, kind: QrErrorKind, field: &str) {
    let error = EpcCode::parse(payload.as_ref()).expect_err(field);
    assert_eq!((error.kind, error.field.as_str()), (kind, field));
}

fn taken(payload: impl AsRef<[u8]>) -> CreditTransfer {
    EpcCode::parse(payload.as_ref()).expect("a code").transfer().clone()
}

#[test]
fn the_first_example_of_the_guidelines_is_read_and_built() {
    let transfer = taken(EXAMPLE);
    assert_eq!(transfer.amount, Some(Money::new(1230, euro())));
    let reference = Remittance::Structured("RF18539007547034".to_owned());
    assert_eq!(transfer.remittance, Some(reference));
    assert_eq!(transfer.build(LineEnd::Lf).as_deref(), Ok(EXAMPLE.as_bytes()));
}

#[test]
fn the_second_example_of_the_guidelines_is_read_and_built_in_latin_1() {
    // Values and length (103 bytes) as segno's tests give them for example 2.
    let mut payload = b"BCD\n002\n2\nSCT\n\nFran\xE7ois D'Alsace S.A.\n".to_vec();
    payload.extend(b"FR1420041010050500013M02606\nEUR12.3\n\n\nClient:Marie Louise La Lune");
    assert_eq!(payload.len(), 103);
    let transfer = taken(&payload);
    assert_eq!(
        (transfer.name.as_str(), transfer.charset),
        ("François D'Alsace S.A.", Charset::Latin1)
    );
    assert_eq!(transfer.build(LineEnd::Lf), Ok(payload));
}

#[test]
fn lines_end_in_lf_or_cr_lf() {
    let crlf = EXAMPLE.replace('\n', "\r\n");
    assert_eq!(taken(&crlf), taken(EXAMPLE));
    assert_eq!(taken(&crlf).build(LineEnd::CrLf).as_deref(), Ok(crlf.as_bytes()));
    assert_eq!(taken(format!("{crlf}\r\n")), taken(EXAMPLE));
    assert_eq!(taken(instead(12, "")), taken(EXAMPLE));
    refused(format!("{}\n\n", instead(12, "")), QrErrorKind::Misplaced, "");
    refused(EXAMPLE.replace('\n', "\r"), QrErrorKind::BadContent, "service");
}

#[test]
fn each_element_keeps_its_rule() {
    use QrErrorKind::{BadCheckDigits, BadContent, BadEncoding, Conflict, Missing, TooLong};
    refused("", BadContent, "service");
    refused("BCD", Missing, "charset");
    refused(instead(1, "BCE"), BadContent, "service");
    refused(instead(2, "003"), BadContent, "version");
    refused(instead(3, "9"), BadContent, "charset");
    refused(instead(3, "0"), BadContent, "charset");
    refused(instead(4, "INS"), BadContent, "identification");
    for bic in ["BHBLDE", "BHBLDEHHXXXX", "BHBLDEHHXX", "BHBLDEH ", "bhbldehh", "BHBL11HH"] {
        refused(instead(5, bic), BadContent, "bic");
    }
    refused(instead(6, ""), Missing, "name");
    refused(instead(6, &"a".repeat(71)), TooLong, "name");
    refused(instead(6, "a\tb"), BadContent, "name");
    refused(instead(7, ""), Missing, "iban");
    refused(instead(7, "DE71110220330123456788"), BadCheckDigits, "iban");
    refused(instead(7, "DE7111022033012345678"), BadContent, "iban");
    for amount in [
        "12.3",
        "EUR0",
        "EUR0.00",
        "EUR0.001",
        "EUR1000000000",
        "EUR12,3",
        "EUR12.",
        "EUR.5",
        "EUR-1",
        "USD1",
        "EUR",
        "eur1",
        "EUR 1",
        "EUR1.234",
        "EUR1e3",
    ] {
        refused(instead(8, amount), BadContent, "amount");
    }
    refused(instead(9, "CDCBC"), TooLong, "purpose");
    refused(instead(9, "A-"), BadContent, "purpose");
    refused(instead(10, "RF19539007547034"), BadCheckDigits, "structured_ref");
    refused(instead(10, &"1".repeat(36)), TooLong, "structured_ref");
    refused(instead(11, "both"), Conflict, "text");
    refused(
        instead(10, "").replace("GDDS\n\n", &format!("GDDS\n\n{}", "a".repeat(141))),
        TooLong,
        "text",
    );
    refused(instead(12, &"a".repeat(71)), TooLong, "information");
    refused(b"BCD\n002\n1\nSCT\n\nFran\xE7ois", BadEncoding, "name");
    refused(b"BCD\n002\n6\nSCT\n\n\xD2", BadEncoding, "name");
    refused(EXAMPLE.replace("Franz", &"ä".repeat(140)), TooLong, "");
}

/// Reads leniently: the transfer, and the fields warned of.
fn warned(payload: impl AsRef<[u8]>) -> (CreditTransfer, Vec<String>) {
    EpcCode::parse(payload.as_ref()).expect_err("strictly it is refused");
    let code = EpcCode::read(payload.as_ref(), Reading::Lenient);
    let code = code.unwrap_or_else(|error| panic!("{error}"));
    let fields = code.warnings().iter().map(|warning| warning.field.clone()).collect();
    (code.transfer().clone(), fields)
}

#[test]
fn nul_and_the_blanks_at_the_end_of_a_field_are_cut() {
    // Public report: gini/gini-mobile-ios pull request 1169.
    let filled = b"BCD\n001\n2\nSCT\nGENODES1NUE\nAUTOHAUS EJEMPLO GMBH\0\0\0\0\0\0\0\0\0\n\
                   DE89370400440532013000\nEUR12.3\n\n\nRechnung\n";
    let (transfer, warnings) = warned(filled);
    assert_eq!(transfer.name, "AUTOHAUS EJEMPLO GMBH");
    assert_eq!(transfer.iban, "DE89370400440532013000");
    assert_eq!(transfer.amount, Some(Money::new(1230, euro())));
    assert_eq!(warnings, ["name"]);
    let whole = taken(EXAMPLE);
    // Every field may be filled up, with either line end, and so may the payload.
    for filler in ["\0", " ", "\0 \0", "\t "] {
        for end in ["\n", "\r\n"] {
            let lines: Vec<_> = EXAMPLE.split('\n').map(|line| format!("{line}{filler}")).collect();
            let (transfer, warnings) = warned(lines.join(end));
            assert_eq!((transfer, warnings.len()), (whole.clone(), 10), "{filler:?} {end:?}");
        }
    }
    let (transfer, warnings) = warned(format!("{EXAMPLE}\n\n\n\n{}", "\0".repeat(40)));
    assert_eq!((transfer, warnings), (whole.clone(), vec![String::new()]));
    let (transfer, _) = warned(EXAMPLE.replace("Franz M", "Fra\0nz\0 M"));
    assert_eq!(transfer, whole);
    // An optional field that is all filling is empty.
    assert_eq!(warned(instead(9, "    ")).0.purpose, None);
    for unreadable in [instead(6, "\0\0"), instead(6, "a\tb"), format!("{EXAMPLE}\n\n\n\nx")] {
        assert!(EpcCode::read(unreadable.as_bytes(), Reading::Lenient).is_err(), "{unreadable:?}");
    }
}

#[test]
fn what_is_longer_than_its_rule_is_read_with_a_warning() {
    let one = |line: usize, text: &str, field: &str| {
        let (transfer, warnings) = warned(instead(line, text));
        assert_eq!(warnings, [field]);
        transfer
    };
    assert_eq!(one(6, &"a".repeat(71), "name").name, "a".repeat(71));
    assert_eq!(one(12, &"i".repeat(71), "information").information, Some("i".repeat(71)));
    assert_eq!(one(9, "CDCBC", "purpose").purpose.as_deref(), Some("CDCBC"));
    let structured = Some(Remittance::Structured("1".repeat(36)));
    assert_eq!(one(10, &"1".repeat(36), "structured_ref").remittance, structured);
    let text = instead(10, "").replace("GDDS\n\n", &format!("GDDS\n\n{}", "a".repeat(300)));
    let (transfer, warnings) = warned(text);
    assert_eq!(transfer.remittance, Some(Remittance::Unstructured("a".repeat(300))));
    assert_eq!(warnings, ["", "text"], "the payload is longer than it may be, too");
    let endless = instead(12, &"i".repeat(3_000));
    let error = EpcCode::read(endless.as_bytes(), Reading::Lenient).expect_err("no QR code");
    assert_eq!(error.kind, QrErrorKind::TooLong);
}

#[test]
fn an_amount_has_no_more_than_twelve_characters_and_no_idle_zeros() {
    for amount in ["EUR00000000000000012.30", "EUR00.50", "EUR01", "EUR012.30", "EUR0000000012.30"]
    {
        refused(instead(8, amount), QrErrorKind::BadContent, "amount");
    }
    assert_eq!(taken(instead(8, "EUR0.5")).amount, Some(Money::new(50, euro())));
}

#[test]
fn amounts_and_optional_elements_have_their_bounds() {
    for (text, cents) in [("EUR0.01", 1), ("EUR999999999.99", 99_999_999_999), ("EUR1", 100)] {
        assert_eq!(taken(instead(8, text)).amount, Some(Money::new(cents, euro())));
    }
    assert_eq!(taken(instead(8, "")).amount, None);
    assert_eq!(taken(instead(10, "")).remittance, None);
    assert_eq!(
        taken(instead(10, "REFINVOICE")).remittance,
        Some(Remittance::Structured("REFINVOICE".to_owned()))
    );
}

#[test]
fn the_bic_may_be_left_out_in_version_2_within_the_eea_alone() {
    assert_eq!(taken(instead(5, "")).bic, None);
    refused(instead(5, "").replace("002", "001"), QrErrorKind::Missing, "bic");
    // Example of the IBAN registry for Switzerland.
    let swiss = instead(5, "").replace("DE71110220330123456789", "CH9300762011623852957");
    refused(swiss, QrErrorKind::Missing, "bic");
}

#[test]
fn a_builder_names_the_element_that_is_wrong() {
    let sound = taken(EXAMPLE);
    let refused = |change: fn(&mut CreditTransfer), field: &str| {
        let mut transfer = sound.clone();
        change(&mut transfer);
        assert_eq!(transfer.build(LineEnd::Lf).expect_err(field).field, field);
    };
    refused(|t| t.name = "a\nb".to_owned(), "name");
    refused(|t| t.amount = Some(Money::new(0, euro())), "amount");
    refused(|t| t.amount = Currency::from_code("MXN").map(|pesos| Money::new(1, pesos)), "amount");
    refused(|t| t.iban.push('x'), "iban");
    refused(
        |t| {
            t.charset = Charset::Greek;
            t.name = "ä".to_owned()
        },
        "name",
    );
    refused(
        |t| {
            t.version = Version::V1;
            t.bic = None
        },
        "bic",
    );
}

fn transfers() -> impl Strategy<Value = CreditTransfer> {
    let remittance = prop_oneof![
        Just(None),
        Just(Some(Remittance::Structured("RF18539007547034".to_owned()))),
        "[A-Za-z0-9 äöü]{1,60}".prop_map(|text| Some(Remittance::Unstructured(text))),
    ];
    let charset = prop::sample::select(vec![Charset::Utf8, Charset::Latin1, Charset::Latin9]);
    let information = prop::option::of("[A-Za-z äöü]{1,70}");
    (
        "[A-Za-zäöü][A-Za-z äöü]{0,69}",
        charset,
        prop::option::of(1..=AMOUNT_MAX),
        remittance,
        information,
    )
        .prop_map(|(name, charset, cents, remittance, information)| CreditTransfer {
            version: Version::V2,
            charset,
            bic: None,
            name,
            iban: "DE89370400440532013000".to_owned(),
            amount: cents.map(|cents| Money::new(cents, euro())),
            purpose: remittance.as_ref().map(|_| "GDDS".to_owned()),
            remittance,
            information,
        })
}

proptest! {
    #[test]
    fn what_is_built_is_read_as_it_was(transfer in transfers()) {
        let line_end = if transfer.purpose.is_some() { LineEnd::Lf } else { LineEnd::CrLf };
        match transfer.build(line_end) {
            Ok(payload) => prop_assert_eq!(taken(payload), transfer),
            Err(error) => prop_assert_eq!(error.kind, QrErrorKind::TooLong),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = EpcCode::parse(&bytes);
    }
}

#[test]
fn a_name_of_nothing_but_blanks_is_missing_however_it_is_read() {
    refused(instead(6, "        "), QrErrorKind::BadContent, "name");
    let read = EpcCode::read(instead(6, "        ").as_bytes(), Reading::Lenient);
    let error = read.expect_err("no name");
    assert_eq!((error.kind, error.field.as_str()), (QrErrorKind::Missing, "name"));
}
