//! Documents of moov-io/iso8583 with composites whose parts have tags. Messages are laid out by hand
//! after docs/composite-fields.md of that project.

use codecs::iso8583::{Form, Spec, import};
use serde_json::{Value, json};

use crate::reports::{comes_back, fault, spec};

fn document(composite: Value) -> String {
    let text = |enc: &str, prefix: &str, length: u32| json!({"type": "String", "length": length, "enc": enc, "prefix": prefix});
    json!({"name": "trial", "fields": {
        "0": text("ASCII", "ASCII.Fixed", 4),
        "1": {"type": "Bitmap", "length": 8, "enc": "Binary", "prefix": "Binary.Fixed"},
        "55": composite}})
    .to_string()
}

/// A message with field 55.
fn message(content: &str) -> String {
    format!("30313030 0000000000000200 {content}")
}

#[track_caller]
fn check(document: &str, content: &str, json: &str) {
    let json = format!(r#"{{"mti":"0100","fields":{{"55":{json}}}}}"#);
    comes_back(&spec(document), &message(content), &json);
    let toml = import(Form::Moov, document).expect("imported").to_toml();
    comes_back(&spec(&toml), &message(content), &json);
}

#[track_caller]
fn refused(document: &str) -> String {
    let mistakes = Spec::from_any(document).expect_err("refused");
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn data_sets(tag: Value) -> String {
    let element =
        |enc: &str| json!({"type": "String", "length": 11, "enc": enc, "prefix": "BerTLV"});
    let set = json!({"type": "Composite", "length": 1535, "prefix": "Binary.LL",
        "tag": {"enc": "BerTLVTag", "sort": "StringsByHex"},
        "subfields": {"9F02": element("Binary"), "81": element("EBCDIC")}});
    document(json!({"type": "Composite", "length": 255, "prefix": "Binary.L", "tag": tag,
        "subfields": {"01": set, "7A": set}}))
}

// Public report: moov-io/iso8583 issue 315, and its docs/composite-fields.md.
#[test]
fn data_sets_have_identifiers_of_one_byte() {
    let tag = json!({"length": 1, "enc": "ASCIIToHex", "sort": "StringsByHex"});
    let sets = data_sets(tag);
    check(&sets, "0C 01 0009 9F0206000000012550", r#"{"01":{"9F02":"000000012550"}}"#);
    // An identifier above 70 is a set like the others there.
    check(
        &sets,
        "0E 7A 0004 8102C1C2 01 0004 9A020001",
        r#"{"7A":{"81":"C1C2"},"01":{"9A":"0001"}}"#,
    );
    // A set that is not defined keeps its bytes.
    check(&sets, "05 33 0002 CAFE", r#"{"33":"CAFE"}"#);
    let spec = spec(&sets);
    assert_eq!(
        fault(&spec, &message("08 01 0005 9F02060000")),
        ("short_tlv", "55.01".to_owned(), 16)
    );
    assert_eq!(fault(&spec, &message("04 01 0009 9F")), ("short_data", "55.01".to_owned(), 16));
    let skipping = json!({"length": 1, "enc": "ASCIIToHex", "sort": "StringsByHex",
        "skipUnknownTLVTags": true, "prefUnknownTLV": "Binary.LL"});
    check(&data_sets(skipping), "05 33 0002 CAFE", r#"{"33":"CAFE"}"#);
}

#[test]
fn tags_may_have_values_that_are_written_each_in_its_own_way() {
    let subfield = |kind: &str, length: u32, enc: &str, prefix: &str| json!({"type": kind, "length": length, "enc": enc, "prefix": prefix});
    let composite = |tag: Value| {
        document(json!({"type": "Composite", "length": 999, "prefix": "ASCII.LLL", "tag": tag,
            "subfields": {
                "1": subfield("String", 10, "ASCII", "ASCII.LL"),
                "2": subfield("Numeric", 4, "BCD", "ASCII.Fixed"),
                "3": subfield("Binary", 9, "Binary", "Binary.L"),
                "4": {"type": "Composite", "length": 4, "prefix": "ASCII.LL",
                      "tag": {"sort": "StringsByInt"},
                      "subfields": {"1": subfield("String", 2, "ASCII", "ASCII.Fixed")}}}}))
    };
    let padded = json!({"length": 2, "enc": "ASCII", "sort": "StringsByInt",
        "padding": {"type": "Left", "pad": "0"}});
    let hex = |text: &str| hex::encode(text);
    check(
        &composite(padded.clone()),
        &format!("{}{} 1234 {} 02CAFE {}", hex("021"), hex("0102ab02"), hex("03"), hex("0402xy")),
        r#"{"01":"ab","02":"1234","03":"CAFE","04":{"1":"xy"}}"#,
    );
    let spec = spec(&composite(padded));
    assert_eq!(fault(&spec, &message(&hex("0069901x"))), ("short_data", "55".to_owned(), 15));
    assert_eq!(
        fault(&spec, &message(&hex("0059901x"))),
        ("undefined_field", "55.99".to_owned(), 15)
    );
    let stated = json!({"length": 2, "enc": "ASCII", "sort": "StringsByInt",
        "padding": {"type": "Left", "pad": "0"}, "skipUnknownTLVTags": true,
        "prefUnknownTLV": "ASCII.LL"});
    check(&composite(stated), &hex("0059901x"), r#"{"99":"x"}"#);
    // Without what fills it up, a tag is too short.
    let bare = json!({"length": 2, "enc": "ASCII", "sort": "StringsByInt"});
    assert!(
        refused(&composite(bare)).contains("fields.55.subfields.1: a tag here has 2 characters")
    );
    let hex_text = json!({"length": 2, "enc": "HexToASCII", "sort": "StringsByInt"});
    assert_eq!(
        refused(&composite(hex_text)),
        "fields.55.tag.enc: tags in `HexToASCII` cannot be said here"
    );
}

#[test]
fn tags_in_bcd_are_shown_by_their_digits() {
    let value = json!({"type": "Binary", "length": 9, "enc": "Binary", "prefix": "BCD.LLLL"});
    let composite = document(json!({"type": "Composite", "length": 999, "prefix": "BCD.LLL",
        "tag": {"length": 4, "enc": "BCD", "sort": "StringsByInt"}, "subfields": {"0022": value}}));
    check(&composite, "0006 0022 0002 CAFE", r#"{"0022":"CAFE"}"#);
    assert_eq!(
        fault(&spec(&composite), &message("0006 0022 000A CAFE")),
        ("bad_length", "55.0022".to_owned(), 16)
    );
}

// As examples/specs/spec87ascii.json of that project had its bitmap in 2022.
#[test]
fn the_length_of_a_bitmap_in_hex_says_nothing() {
    let document = |enc: &str| {
        let text = |length: u32| json!({"type": "String", "length": length, "enc": "ASCII", "prefix": "ASCII.Fixed"});
        json!({"name": "trial", "fields": {
            "0": text(4), "11": text(6),
            "1": {"type": "Bitmap", "length": 16, "enc": enc, "prefix": "Hex.Fixed"}}})
        .to_string()
    };
    let json = r#"{"mti":"0800","fields":{"11":"000001"}}"#;
    comes_back(&spec(&document("Hex")), &hex::encode("08000020000000000000000001"), json);
    comes_back(
        &spec(&document("HexToASCII")),
        &hex::encode("080000200000000000000000000000000000000001"),
        json,
    );
}

#[test]
fn subfields_and_tags_that_are_not_understood_are_refused_wherever_they_stand() {
    let subfield = |kind: &str, prefix: &str| json!({"type": kind, "length": 9, "enc": "ASCII", "prefix": prefix});
    let of = |tag: Value, name: &str, subfield: Value| {
        refused(&document(json!({"type": "Composite", "length": 999, "prefix": "ASCII.LLL",
            "tag": tag, "subfields": {name: subfield}})))
    };
    let plain = json!({"length": 2, "enc": "ASCII", "sort": "StringsByInt"});
    let ber = json!({"enc": "BerTLVTag", "sort": "StringsByHex"});
    let of_type = "type `Foo` is not known here";
    assert!(of(plain, "01", subfield("Foo", "ASCII.LL")).contains(of_type));
    assert!(of(ber.clone(), "9F02", subfield("Foo", "BerTLV")).contains(of_type));
    assert!(of(ber.clone(), "9F02", subfield("String", "ASCII.LL")).contains("is `BerTLV`"));
    assert!(of(ber, "9", subfield("String", "BerTLV")).contains("no tag of BER-TLV"));
    let odd = json!({"length": 2, "enc": "ASCII", "padding": {"type": "Odd", "pad": "0"}});
    assert!(of(odd, "01", subfield("String", "ASCII.LL")).contains("`Odd` is not known"));
    let without = json!({"length": 2, "sort": "StringsByInt"});
    assert!(of(without, "1", subfield("String", "ASCII.LL")).contains("needs an `enc`"));
}
