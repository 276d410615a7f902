use proptest::prelude::*;

use super::*;

/// The sample of the EMVCo specification.
const SAMPLE: &str = "00020101021229300012D156000000000510A93FO3230Q31280012D156000000010308123456\
                      78520441115802CN5914BEST TRANSPORT6007BEIJING64200002ZH0104最佳运输0202北京\
                      540523.7253031565502016233030412340603***0708A60086670902ME91320016A01122334\
                      49988770708123456786304A13A";

/// A payload with a right checksum.
fn sealed(objects: &str) -> String {
    let body = format!("{objects}6304");
    format!("{body}{:04X}", crc16(body.as_bytes()))
}

/// The objects of the smallest code.
const SMALLEST: [&str; 7] =
    ["000201", "02164000123456789012", "52044111", "5303840", "5802US", "5904Shop", "6004City"];

/// The smallest code, with more objects.
fn with(more: &str) -> String {
    sealed(&format!("{}{more}", SMALLEST.concat()))
}

/// The smallest code with one object replaced.
fn instead(tag: &str, object: &str) -> String {
    let objects = SMALLEST.map(|old| if old.starts_with(tag) { object } else { old });
    sealed(&objects.concat())
}

fn refused(payload: &str, kind: QrErrorKind, field: &str) {
    let error = EmvCode::parse(payload).expect_err(payload);
    assert_eq!((error.kind, error.field.as_str()), (kind, field), "{payload}");
}

fn taken(payload: &str) -> EmvCode {
    let code = EmvCode::parse(payload).unwrap_or_else(|error| panic!("{payload}: {error}"));
    assert_eq!(code.to_payload(), payload);
    code
}

#[test]
fn the_sample_of_the_specification_means_what_it_says() {
    let code = taken(SAMPLE);
    let merchant = code.merchant();
    let yuan = Currency::from_code("CNY").expect("a currency");
    assert_eq!(merchant.amount, Some(Money::new(2372, yuan)));
    assert_eq!(merchant.initiation, Some(Initiation::Dynamic));
    assert_eq!(merchant.tip, Some(Tip::Asked));
    assert_eq!(merchant.language.as_ref().map(|l| l.name.as_str()), Some("最佳运输"));
    assert_eq!(code.text_in(29, 5), Some("A93FO3230Q"));
    assert_eq!(code.text(59), Some("BEST TRANSPORT"));
}

#[test]
fn what_must_be_there_is_missed() {
    taken(&with(""));
    for tag in ["52", "53", "58", "59", "60"] {
        refused(&instead(tag, ""), QrErrorKind::Missing, tag);
    }
    refused(&instead("00", ""), QrErrorKind::Missing, "00");
    refused(&instead("02", ""), QrErrorKind::Missing, "26");
    refused(&SMALLEST.concat(), QrErrorKind::Missing, "63");
    refused("", QrErrorKind::Missing, "00");
}

#[test]
fn the_checksum_comes_last_and_is_right() {
    let payload = with("");
    refused(&payload.replace("Shop", "Shap"), QrErrorKind::BadCrc, "63");
    refused(&format!("{payload}6102ab"), QrErrorKind::Misplaced, "63");
    refused(&format!("{payload}\n"), QrErrorKind::BadTag, "");
    let (body, crc) = payload.split_at(payload.len() - 4);
    let lower = format!("{body}{}", crc.to_ascii_lowercase());
    assert!(EmvCode::parse(&lower).is_ok(), "lower case is taken");
}

#[test]
fn each_field_keeps_its_rule() {
    use QrErrorKind::{BadContent, BadLength, Conflict, Duplicate, Missing, TooLong};
    refused(&instead("00", "000202"), BadContent, "00");
    refused(&with("010213"), BadContent, "01");
    refused(&with("01011"), BadLength, "01");
    refused(&with("5904Shop"), Duplicate, "59");
    refused(&instead("52", "5204411x"), BadContent, "52");
    refused(&instead("53", "5303000"), BadContent, "53");
    refused(&instead("58", "5802us"), BadContent, "58");
    refused(&instead("59", "5926abcdefghijklmnopqrstuvwxyz"), TooLong, "59");
    refused(&instead("60", "6016abcdefghijklmnop"), TooLong, "60");
    refused(&with("6111abcdefghijk"), TooLong, "61");
    refused(&with("5400"), BadLength, "54");
    refused(&with("26080104abcd"), Missing, "26.00");
    refused(&with("26370033abcdefghijklmnopqrstuvwxyzabcdefg"), TooLong, "26.00");
    refused(&with("62060902MX"), BadContent, "62.09");
    refused(&with("62060902MM"), BadContent, "62.09");
    refused(&with("62300126abcdefghijklmnopqrstuvwxyz"), TooLong, "62.01");
    refused(&with("64060002ES"), Missing, "64.01");
    refused(&with("6404abcd"), QrErrorKind::BadTag, "64");
    refused(&with("62040100"), BadLength, "62.01");
    refused(&with("6102a\u{8}"), BadContent, "61");
    refused(&with("550201560510.00"), Conflict, "56");
}

#[test]
fn amounts_are_digits_with_the_decimals_of_their_currency() {
    use QrErrorKind::{BadContent, TooLong};
    for (object, minor) in [("540510.00", 1000), ("54029.", 900), ("54041.50", 150)] {
        let amount = taken(&with(object)).merchant().amount.expect("an amount");
        assert_eq!(amount.minor, minor, "{object}");
    }
    for bad in ["54010", "54040.00", "540510,00", "5403-10", "54051.005", "54041e10", "5402.5"] {
        refused(&with(bad), BadContent, "54");
    }
    refused(&with("541412345678901.00"), TooLong, "54");
}

#[test]
fn tips_are_asked_fixed_or_a_share() {
    let tip = |objects: &str| taken(&with(objects)).merchant().tip;
    let dollar = Currency::from_code("USD").expect("a currency");
    assert_eq!(tip(""), None);
    assert_eq!(tip("550201"), Some(Tip::Asked));
    assert_eq!(tip("55020256041.25"), Some(Tip::Fixed(Money::new(125, dollar))));
    assert_eq!(tip("55020357043.75"), Some(Tip::Share { basis_points: 375 }));
    assert_eq!(tip("55020357015"), Some(Tip::Share { basis_points: 500 }));
    refused(&with("550202"), QrErrorKind::Missing, "56");
    refused(&with("55020256010"), QrErrorKind::Missing, "56");
    refused(&with("550203"), QrErrorKind::Missing, "57");
    refused(&with("55020357010"), QrErrorKind::BadContent, "57");
    refused(&with("5502035705100.0"), QrErrorKind::BadContent, "57");
    refused(&with("550204"), QrErrorKind::BadContent, "55");
    refused(&with("56041.25"), QrErrorKind::Conflict, "56");
    refused(&with("57011"), QrErrorKind::Conflict, "57");
}

#[test]
fn a_vietqr_may_leave_out_category_name_and_city_alone() {
    let account = "38560010A0000007270126000697041501121133666688880208QRIBFTTA";
    let code = |objects: &str| sealed(&format!("000201{account}{objects}"));
    assert_eq!(taken(&code("53037045802VN")).scheme(), Scheme::VietQr);
    refused(&code("5802VN"), QrErrorKind::Missing, "53");
    refused(&code("5303704"), QrErrorKind::Missing, "58");
    refused(&code("53038405802VN"), QrErrorKind::BadContent, "53");
    refused(&code("53037045802KH"), QrErrorKind::BadContent, "58");
    let of = |beneficiary: &str| {
        let inner = format!("0010A00000072701{:02}{beneficiary}", beneficiary.len());
        sealed(&format!("00020138{:02}{inner}53037045802VN", inner.len()))
    };
    taken(&of("00069704150103123"));
    for bad in ["0006970415", "0005970410103123", "00069704150120123456789012345678901", "x"] {
        refused(&of(bad), QrErrorKind::BadContent, "38.01");
    }
}

#[test]
fn a_builder_names_the_field_that_is_wrong() {
    let merchant = taken(&with("540510.00")).merchant().clone();
    let refused = |change: fn(&mut MerchantPresented), kind, field: &str| {
        let mut changed = merchant.clone();
        change(&mut changed);
        let error = changed.build().expect_err(field);
        assert_eq!((error.kind, error.field.as_str()), (kind, field));
    };
    use QrErrorKind::{BadContent, BadLength, Conflict, Misplaced, Missing, TooLong};
    refused(|m| m.name = None, Missing, "59");
    refused(|m| m.name = Some(String::new()), BadLength, "59");
    refused(|m| m.name = Some("x".repeat(100)), TooLong, "59");
    refused(|m| m.city = Some("x".repeat(16)), TooLong, "60");
    refused(|m| m.accounts.clear(), Missing, "26");
    refused(|m| m.accounts.push(DataObject::text(70, "x")), Misplaced, "70");
    refused(|m| m.others.push(DataObject::text(30, "x")), Misplaced, "30");
    refused(|m| m.others.push(DataObject::text(80, "x")), QrErrorKind::BadTag, "80");
    refused(|m| m.additional.push((1, "x".repeat(26))), TooLong, "62.01");
    refused(|m| m.amount = m.amount.and_then(|a| a.checked_neg().ok()), BadContent, "54");
    refused(|m| m.currency = Currency::from_code("MXN").expect("pesos"), Conflict, "54");
}

/// Reads leniently: the code, and the warnings as kind and field.
fn warned(payload: &str) -> (EmvCode, Vec<(QrErrorKind, String)>) {
    EmvCode::parse(payload).expect_err("strictly it is refused");
    let code = EmvCode::read(payload, Reading::Lenient);
    let code = code.unwrap_or_else(|error| panic!("{payload}: {error}"));
    assert_eq!(code.to_payload(), payload);
    let warnings = code.warnings().iter().map(|w| (w.kind, w.field.clone())).collect();
    (code, warnings)
}

#[test]
fn what_is_longer_than_its_rule_is_read_with_a_warning() {
    let long = |tag: &str, length: usize| format!("{tag}{length:02}{}", "a".repeat(length));
    for (payload, field, text) in [
        (instead("59", &long("59", 40)), "59", "a".repeat(40)),
        (instead("60", &long("60", 16)), "60", "a".repeat(16)),
        (with(&long("61", 99)), "61", "a".repeat(99)),
        (with("541412345678901.00"), "54", "12345678901.00".to_owned()),
    ] {
        let (code, warnings) = warned(&payload);
        assert_eq!(warnings, [(QrErrorKind::TooLong, field.to_owned())]);
        let tag: u8 = field.parse().expect("a tag");
        assert_eq!(code.text(tag), Some(text.as_str()));
    }
    let (code, warnings) = warned(&with("62340130abcdefghijklmnopqrstuvwxyzabcd"));
    assert_eq!(warnings, [(QrErrorKind::TooLong, "62.01".to_owned())]);
    assert_eq!(code.text_in(62, 1), Some("abcdefghijklmnopqrstuvwxyzabcd"));
    let (_, warnings) = warned(&with("64360002es0126abcdefghijklmnopqrstuvwxyz"));
    assert_eq!(warnings, [(QrErrorKind::TooLong, "64.01".to_owned())]);
    let both = instead("59", &long("59", 26)).replace("6004City", &long("60", 16));
    let resealed = sealed(&both[..both.len() - 8]);
    assert_eq!(warned(&resealed).1.len(), 2, "all of them are told");
}

#[test]
fn what_makes_a_code_another_one_is_refused_however_it_is_read() {
    let identifier = "26370033abcdefghijklmnopqrstuvwxyzabcdefg";
    for payload in [
        instead("52", "520500000"),
        instead("58", "5803USA"),
        with(identifier),
        with("5400"),
        with("6404abcd"),
        with("5904Shop"),
        with("").replace("Shop", "Shap"),
    ] {
        assert!(EmvCode::read(&payload, Reading::Lenient).is_err(), "{payload}");
    }
}

#[test]
fn a_scheme_that_is_not_known_keeps_its_data() {
    use QrErrorKind::{BadContent, BadTag, Missing, ShortData};
    // No template at all; a template cut short; one without an identifier.
    let (code, warnings) = warned(&with("2608BANKA-12"));
    assert_eq!(code.text(26), Some("BANKA-12"));
    assert_eq!(warnings, [(BadTag, "26".to_owned())]);
    assert_eq!(code.scheme(), Scheme::Emvco);
    let (code, warnings) = warned(&with("51080009abcd"));
    assert_eq!(code.text(51), Some("0009abcd"));
    assert_eq!(warnings, [(ShortData, "51.00".to_owned())]);
    let (code, warnings) = warned(&with("30080104abcd"));
    assert_eq!(code.text_in(30, 1), Some("abcd"));
    assert_eq!(warnings, [(Missing, "30.00".to_owned())]);
    let (code, _) = warned(&with("80080104abcd"));
    assert_eq!(code.merchant().others.len(), 1);
    let (code, warnings) = warned(&with("620850047777"));
    assert_eq!((code.text_in(62, 50), warnings.len()), (Some("7777"), 1));
    // A service of NAPAS that names its merchant in a way of its own.
    let account = "38320010A0000007270114VIRTUAL-000001";
    let (code, warnings) = warned(&sealed(&format!("000201{account}53037045802VN")));
    assert_eq!(code.text_in(38, 1), Some("VIRTUAL-000001"));
    assert_eq!(warnings, [(BadContent, "38.01".to_owned())]);
}

#[test]
fn warnings_are_told_behind_the_objects_and_only_where_there_are_any() {
    let told = |payload: &str| {
        let code = EmvCode::read(payload, Reading::Lenient).expect("a code");
        serde_json::to_value(&code).expect("a shape")
    };
    assert!(told(&with(""))["warnings"].is_null());
    let payload = instead("60", "6016abcdefghijklmnop");
    let offset = payload.find("abcdef").expect("the city");
    let expect = serde_json::json!([{
        "kind": "too_long", "field": "60", "offset": offset,
        "message": format!("field 60 has at most 15 characters at offset {offset}"),
    }]);
    assert_eq!(told(&payload)["warnings"], expect);
}

fn text(longest: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::char::range(' ', '~'), 1..=longest)
        .prop_map(|characters| characters.into_iter().collect())
}

fn merchants() -> impl Strategy<Value = MerchantPresented> {
    let currency = prop::sample::select(vec!["MXN", "JPY", "KWD", "CNY"])
        .prop_map(|code| Currency::from_code(code).expect("a currency"));
    let tip = prop_oneof![
        Just(None),
        Just(Some(None)),
        (1..=9999_u16).prop_map(|basis_points| Some(Some(basis_points)))
    ];
    let texts = (text(25), text(15), prop::option::of(text(10)), prop::option::of("[一-龠]{1,25}"));
    let numbers = (currency, prop::option::of(1..=9_999_999_999_i64), tip);
    (texts, numbers, text(32), text(16), prop::option::of(text(25))).prop_map(
        |((name, city, postal_code, foreign), (currency, minor, tip), identifier, id, bill)| {
            MerchantPresented {
                initiation: minor.map(|_| Initiation::Dynamic),
                accounts: vec![
                    DataObject::text(15, id.clone()),
                    DataObject::template(26, [(0, identifier.as_str()), (1, id.as_str())]),
                ],
                category_code: Some("4900".to_owned()),
                currency,
                amount: minor.map(|minor| Money::new(minor, currency)),
                tip: tip.map(|share| match share {
                    None => Tip::Asked,
                    Some(basis_points) => Tip::Share { basis_points },
                }),
                country: "MX".to_owned(),
                name: Some(name),
                city: Some(city),
                postal_code,
                additional: bill.into_iter().map(|bill| (1, bill)).collect(),
                language: foreign.map(|name| LanguageTemplate {
                    language: "zh".to_owned(),
                    name,
                    city: None,
                }),
                others: vec![DataObject::template(80, [(0, identifier.as_str())])],
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_built_is_read_as_it_was(merchant in merchants()) {
        let code = merchant.build().expect("a code");
        prop_assert_eq!(code.merchant(), &merchant);
        prop_assert_eq!(EmvCode::parse(&code.to_payload()), Ok(code));
    }

    #[test]
    fn any_text_is_read_or_refused(objects in "([0-9]{4}\\PC{0,12}){0,12}", any in "\\PC*") {
        let _ = EmvCode::parse(&sealed(&objects));
        let _ = EmvCode::parse(&any);
        let _ = EmvCode::parse(&with(&objects));
    }
}
