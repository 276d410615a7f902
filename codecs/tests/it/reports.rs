//! Messages that gave other projects trouble, read and written as they are right. Each names the
//! public report; the messages are our own.

use bytes::BytesMut;
use codecs::iso8583::{Spec, Tree};
use serde_json::Value;

pub fn spec(text: &str) -> Spec {
    Spec::from_any(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

pub fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace([' ', '\n'], "")).expect("hexadecimal")
}

pub fn written(spec: &Spec, json: &str) -> String {
    let tree: Tree = serde_json::from_str(json).expect("a message");
    let mut out = BytesMut::new();
    spec.assemble(&tree, &mut out).unwrap_or_else(|error| panic!("{error}"));
    hex::encode_upper(out)
}

/// A message is read as JSON, which is written as `again`.
#[track_caller]
pub fn reads_and_writes(spec: &Spec, hex: &str, json: &str, again: &str) {
    let tree = spec.unpack(&bytes(hex)).unwrap_or_else(|error| panic!("{error}"));
    let read = serde_json::to_string(&tree).expect("JSON");
    let (read_value, expect): (Value, Value) =
        (serde_json::from_str(&read).expect("JSON"), serde_json::from_str(json).expect("JSON"));
    assert_eq!(read_value, expect);
    assert_eq!(written(spec, &read), hex::encode_upper(bytes(again)));
}

/// A message is read as JSON, which is written as the same message.
#[track_caller]
pub fn comes_back(spec: &Spec, hex: &str, json: &str) {
    reads_and_writes(spec, hex, json, hex);
}

/// The kind, path and offset of what is wrong with a message.
#[track_caller]
pub fn fault(spec: &Spec, hex: &str) -> (&'static str, String, usize) {
    let error = spec.unpack(&bytes(hex)).expect_err("refused");
    (error.kind.name(), error.path().to_string(), error.offset)
}

fn builtin(name: &str) -> std::sync::Arc<Spec> {
    Spec::builtin(name).expect("compiled in")
}

// Public reports: evsinev/ber-tlv issue 11; kspearrin/BerTlv.NET pull request 3; bitgamma/tlv issue 1;
// jpos/jPOS pull request 77; EMV 4.3 Book 3, annex B.
#[test]
fn chip_data_filled_up_between_or_behind_its_objects_is_read_without_the_filling() {
    let head = "60001000000200202000000000020000000000012300";
    let objects = "9F26081122334455667788 82021C00 95050000008000 9A03261130";
    let plain = format!("{head}27 {objects}");
    let json = r#"{"mti":"0200","header":"6000100000","fields":{"3":"000000","11":"000123",
        "55":{"9F26":"1122334455667788","82":"1C00","95":"0000008000","9A":"261130"}}}"#;
    for (length, filled) in [
        ("28", "9F26081122334455667788 82021C00 00 95050000008000 9A03261130"),
        ("29", "9F26081122334455667788 82021C00 95050000008000 9A03261130 0000"),
        ("30", "9F26081122334455667788 000000 82021C00 95050000008000 9A03261130"),
        ("28", "9F26081122334455667788 82021C00 95050000008000 9A03261130 FF"),
        ("28", "9F26081122334455667788 FF 82021C00 95050000008000 9A03261130"),
        ("30", "FFFF 9F26081122334455667788 82021C00 95050000008000 FF 9A03261130"),
    ] {
        let spec = builtin("pos-tpdu");
        reads_and_writes(&spec, &format!("{head}{length} {filled}"), json, &plain);
    }
}

// Public report: Shopify/grizzly_ber issue 13.
#[test]
fn a_tag_that_begins_with_ff_is_not_taken_for_filling() {
    comes_back(
        &builtin("pos-tpdu"),
        "6000100000 0200 2020000000000200 000000 000123 0009 FF0E0101 9F1A020484",
        r#"{"mti":"0200","header":"6000100000","fields":{"3":"000000","11":"000123",
            "55":{"FF0E":"01","9F1A":"0484"}}}"#,
    );
}

#[test]
fn filling_is_passed_over_in_every_field_of_data_objects() {
    let spec = spec(
        r#"
name = "t"
mti = "ascii"
bitmap = "hex"
[fields]
11 = { content = "n", length = 6 }
49 = { content = "b", length_max = 999, length_digits = 3, parts = { kind = "data_sets", sets = { 71 = { fields = { 1 = { content = "n", length = 3 } } } } } }
55 = { content = "b", length_max = 510, length_digits = 3, encoding = "hex", length_counts = "bytes", parts = { kind = "ber_tlv" } }
56 = { content = "b", length = 8, parts = { kind = "ber_tlv" } }
62 = { content = "b", length_max = 99, length_digits = 2, parts = { kind = "positional", fields = { 1 = { content = "n", length = 2 }, 2 = { content = "b", length_max = 99, length_digits = 2, parts = { kind = "ber_tlv" } } } } }
"#,
    );
    let text = |text: &str| hex::encode_upper(text);
    // In data sets, within the BER-TLV behind their parts, and behind the last set.
    let sets = "01 0006 9A02AABB 0000 71 000A 4001 313233 00 82023900 000000";
    let message = |bitmap: &str, fields: &str| format!("{}{}{fields}", text("0200"), text(bitmap));
    let json = |fields: &str| format!(r#"{{"mti":"0200","fields":{{{fields}}}}}"#);
    reads_and_writes(
        &spec,
        &message("0000000000008000", &format!("{} {sets}", text("025"))),
        &json(r#""49":{"01":{"9A":"AABB"},"71":{"1":"123","tlv":{"82":"3900"}}}"#),
        &message(
            "0000000000008000",
            &format!("{} 010004 9A02AABB 71 0009 4001 313233 82023900", text("019")),
        ),
    );
    // In hexadecimal characters.
    reads_and_writes(
        &spec,
        &message("0000000000000200", &text("0128202390000FF")),
        &json(r#""55":{"82":"3900"}"#),
        &message("0000000000000200", &text("00882023900")),
    );
    // A field of fixed length is filled up again.
    comes_back(
        &spec,
        &message("0000000000000100", "82023900 00000000"),
        &json(r#""56":{"82":"3900"}"#),
    );
    // In a part.
    reads_and_writes(
        &spec,
        &message("0000000000000004", &format!("{}{}00 82023900 FF", text("10"), text("4206"))),
        &json(r#""62":{"1":"42","2":{"82":"3900"}}"#),
        &message("0000000000000004", &format!("{}{}82023900", text("08"), text("4204"))),
    );
    let cut = message("0000000000000100", "82023900 00 9A03 26");
    assert_eq!(fault(&spec, &cut), ("short_tlv", "56".to_owned(), 25));
}

// Public reports: moov-io/iso8583 issues 385 and 400.
#[test]
fn a_tag_that_comes_again_behind_another_is_written_where_it_stood() {
    comes_back(
        &builtin("pos-tpdu"),
        "6000100000 0200 2020000000000200 000000 000123 0013 DF0101AA 9F1A020484 DF0101BB",
        r#"{"mti":"0200","header":"6000100000","fields":{"3":"000000","11":"000123",
            "55":{"DF01":["AA","BB"],"9F1A":"0484","order":["DF01","9F1A","DF01"]}}}"#,
    );
}

// Public report: noebs/noebs pull request 236.
#[test]
fn a_receipt_with_a_card_number_that_the_host_masked_can_be_written() {
    let spec = spec(
        "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\n[fields]\n11 = { content = 'n', length = 6 }\n\
         63 = { content = 'ans', length_max = 999, length_digits = 3 }",
    );
    let hex = "30323130303032303030303030303030303030323030303030313033304341524420\
               3534313333332A2A2A2A2A2A3431313120415050524F564544";
    let json = r#"{"mti":"0210","fields":{"11":"000001","63":"CARD 541333******4111 APPROVED"}}"#;
    comes_back(&spec, hex, json);
    for shown in [Spec::revealed, Spec::masked] {
        let tree = shown(&spec, spec.unpack(&bytes(hex)).expect("read"));
        assert_eq!(spec.masked_field_of(&tree), None);
        assert_eq!(serde_json::to_string(&tree).expect("JSON"), json);
    }
}

/// Formats with one field of each bitmap.
fn bitmaps(keys: &str) -> Spec {
    spec(&format!(
        "name = 't'\nmti = 'ascii'\nbitmap = 'binary'\n{keys}\n[fields]\n\
         11 = {{ content = 'n', length = 6 }}\n70 = {{ content = 'n', length = 3 }}\n{}",
        if keys.contains("third") { "130 = { content = 'n', length = 2 }" } else { "" }
    ))
}

#[test]
fn a_bitmap_whose_first_bit_was_set_keeps_it() {
    let (mti, empty) = ("30323030", "0000000000000000");
    let json = |bits: &str| format!(r#"{{"mti":"0200",{bits}"fields":{{"11":"000001"}}}}"#);
    let check = |keys: &str, maps: &str, bits: &str| {
        comes_back(&bitmaps(keys), &format!("{mti}{maps}303030303031"), &json(bits));
    };
    check("", "0020000000000000", "");
    // A second bitmap without a field.
    check("", &format!("8020000000000000{empty}"), r#""bits":[1],"#);
    // Two bitmaps whatever bit 1 says.
    check("bitmaps = 'always_128'", &format!("0020000000000000{empty}"), "");
    check("bitmaps = 'always_128'", &format!("8020000000000000{empty}"), r#""bits":[1],"#);
    // A third without a field.
    let third = format!("8020000000000000 8000000000000000{empty}");
    check("third_bitmap = 'contiguous'", &third, r#""bits":[65],"#);
    check(
        "third_bitmap = 'contiguous'\nbitmaps = 'always_128'",
        &format!("0020000000000000 8000000000000000{empty}"),
        r#""bits":[65],"#,
    );
    check(
        "third_bitmap = 'contiguous'\nbitmaps = 'always_128'",
        &format!("8020000000000000 8000000000000000{empty}"),
        r#""bits":[1,65],"#,
    );
    // The third as field 65, with a field behind it.
    comes_back(
        &bitmaps("third_bitmap = 'in_field_65'"),
        &format!("{mti}8020000000000000 8400000000000000 303030303031{empty}333031"),
        r#"{"mti":"0200","bits":[65],"fields":{"11":"000001","70":"301"}}"#,
    );
    comes_back(
        &bitmaps("third_bitmap = 'in_field_65'"),
        &format!("{mti}8020000000000000 8000000000000000 303030303031 4000000000000000 3432"),
        r#"{"mti":"0200","fields":{"11":"000001","130":"42"}}"#,
    );
}

#[test]
fn a_bit_that_announces_no_bitmap_is_refused() {
    for (keys, bits) in [("bitmaps = 'single'", "[1]"), ("", "[65]"), ("", "[2]")] {
        let fields = "name = 't'\nmti = 'ascii'\nbitmap = 'binary'\n";
        let spec = spec(&format!("{fields}{keys}\n[fields]\n11 = {{ content = 'n', length = 6 }}"));
        let json = format!(r#"{{"mti":"0200","bits":{bits},"fields":{{"11":"000001"}}}}"#);
        let tree: Tree = serde_json::from_str(&json).expect("a message");
        let error = spec.assemble(&tree, &mut BytesMut::new()).expect_err("refused");
        assert_eq!((error.path.as_str(), error.problem.name()), ("bits", "undefined_field"));
    }
}
