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
