//! Fields made of parts in every way a format can say.

use bytes::BytesMut;
use codecs::iso8583::{Spec, Tree};
use proptest::prelude::*;

use crate::reports::{bytes, comes_back, fault, spec, written};

mod faults;
mod secrets;

/// A format with one field, 48, of up to 999 bytes behind three digits.
fn of(parts: &str) -> Spec {
    spec(&text_of(parts))
}

fn text_of(parts: &str) -> String {
    format!(
        "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\ncode_page = 'cp1047'\n[fields.48]\n\
         content = 'any'\nencoding = 'raw'\nlength_max = 999\nlength_digits = 3\n\
         [fields.48.parts]\n{parts}"
    )
}

/// A message with that field.
fn message(content: &str) -> String {
    let content = bytes(content);
    let head = format!("02000000000000010000{:03}", content.len());
    hex::encode_upper([head.as_bytes(), &content].concat())
}

/// The content begins at this byte of it.
const CONTENT_AT: usize = 23;

#[track_caller]
fn check(spec: &Spec, content: &str, json: &str) {
    comes_back(spec, &message(content), &format!(r#"{{"mti":"0200","fields":{{"48":{json}}}}}"#));
}

#[track_caller]
fn fails(spec: &Spec, content: &str, kind: &str, path: &str, at: usize) {
    assert_eq!(fault(spec, &message(content)), (kind, path.to_owned(), CONTENT_AT + at));
}

/// The path and kind of what is wrong with the parts when they are written.
#[track_caller]
fn unwritable(spec: &Spec, json: &str) -> (String, &'static str) {
    let json = format!(r#"{{"mti":"0200","fields":{{"48":{json}}}}}"#);
    let tree: Tree = serde_json::from_str(&json).expect("a message");
    let error = spec.assemble(&tree, &mut BytesMut::new()).expect_err("refused");
    (error.path, error.problem.name())
}

#[track_caller]
fn mistake(parts: &str) -> String {
    Spec::from_toml(&text_of(parts)).expect_err("refused").remove(0).to_string()
}

// Public reports: moov-io/iso8583 issue 322; jpos-users, DE48 with a category code.
#[test]
fn a_category_code_may_stand_in_front_of_tags() {
    let spec = of("kind = 'tagged'\ntag_length = 2\nlength_digits = 2\n\
                   fields = { 0 = { content = 'a', length = 1 } }");
    let hex = |text: &str| hex::encode(text);
    check(&spec, &hex("R140174203210"), r#"{"0":"R","14":"7","42":"210"}"#);
    check(&spec, &hex("R"), r#"{"0":"R"}"#);
    check(&spec, "", "{}");
    fails(&spec, &hex("7140174203210"), "bad_content", "48.0", 0);
    fails(&spec, &hex("R14017421"), "short_tlv", "48", 6);
    assert_eq!(unwritable(&spec, r#"{"14":"7"}"#), ("48.0".to_owned(), "bad_value"));
    assert_eq!(unwritable(&spec, r#"{"0":"RR"}"#), ("48.0".to_owned(), "bad_length"));
    assert!(
        mistake(
            "kind = 'tagged'\ntag_length = 1\nlength_digits = 2\nfields = { 0 = { length = 1 } }"
        )
        .contains("could not be told from one")
    );
}

// Public report: j8583 (SourceForge), DE63 of terminals.
#[test]
fn tables_may_have_a_bcd_length_that_counts_their_number_too() {
    let layout = "kind = 'tagged'\norder = 'length_first'\ntag_length = 2\nlength_digits = 4\n\
                  length_encoding = 'bcd'\nlength_includes_tag = true";
    check(&of(layout), "0005 3232 414243 0004 3237 5859", r#"{"22":"ABC","27":"XY"}"#);
    check(&of(layout), "0002 3232", r#"{"22":""}"#);
    // The bytes of a table may be anything.
    let raw = of(&format!("{layout}\nvalue_encoding = 'raw'"));
    check(&raw, "0005 3232 00FF80", r#"{"22":"00FF80"}"#);
    fails(&raw, "0001 3232", "bad_length", "48.22", 0);
    fails(&raw, "0005 3232 00FF80 0004 3237 00", "short_tlv", "48", 7);
    fails(&raw, "00A5 3232 00FF80", "bad_length", "48.22", 0);
    // Numbers in BCD, and a length that counts everything.
    let all = "kind = 'tagged'\norder = 'length_first'\ntag_encoding = 'raw'\ntag_length = 1\n\
               length_encoding = 'binary'\nlength_digits = 2\nlength_includes_tag = true\n\
               length_includes_itself = true\nvalue_encoding = 'ebcdic'";
    check(&of(all), "0005 22 C1C2 0003 27", r#"{"22":"AB","27":""}"#);
    // Tables that are fields of their own: all that stands behind length and number.
    let parts = of(&format!(
        "{layout}\n[fields.48.parts.tags]\n\
         22 = {{ encoding = 'raw', parts = {{ kind = 'positional', fields = {{ \
         1 = {{ content = 'n', length = 2 }}, 2 = {{ content = 'n', encoding = 'bcd', length = 4 }} }} }} }}\n\
         23 = {{ content = 'n', encoding = 'bcd', odd = 'rightF' }}"
    ));
    check(&parts, "0006 3232 3432 1234", r#"{"22":{"1":"42","2":"1234"}}"#);
    check(&parts, "0004 3233 123F 0003 3234 41", r#"{"23":"123","24":"A"}"#);
    check(&parts, "0002 3233", r#"{"23":""}"#);
    fails(&parts, "0005 3232 3432 12", "short_data", "48.22.2", 6);
    fails(&parts, "0007 3232 3432 123499", "trailing", "48.22", 8);
    fails(&parts, "0003 3233 1A", "bad_content", "48.23", 4);
    assert_eq!(unwritable(&parts, r#"{"23":"1x"}"#), ("48.23".to_owned(), "bad_content"));
    assert!(
        mistake(&format!("{layout}\ntags = {{ 22 = {{ length = 4 }} }}"))
            .contains("this field has none of its own")
    );
    let long = "A".repeat(9_998);
    assert_eq!(
        unwritable(&of(layout), &format!(r#"{{"22":"{long}"}}"#)),
        ("48.22".to_owned(), "bad_length")
    );
    assert_eq!(unwritable(&of(layout), r#"{"2":"A"}"#), ("48.2".to_owned(), "undefined_field"));
}

/// A format whose field 48 is bytes, with more keys.
fn of_bytes(name: &str, keys: &str) -> Spec {
    spec(&format!(
        "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\n[fields.48]\nname = '{name}'\ncontent = 'b'\n\
         length_max = 999\nlength_digits = 3\n{keys}"
    ))
}

// Public report: j8583 (SourceForge), DE63 of terminals: the field is given as bytes named "tables".
#[test]
fn a_field_of_bytes_that_is_named_tables_is_read_as_tables_where_it_holds_them() {
    let tables = of_bytes("tables", "");
    check(&tables, "0005 3232 414243 0004 3237 5859", r#"{"22":"ABC","27":"XY"}"#);
    check(&tables, "0002 3031", r#"{"01":""}"#);
    // The same number twice, and once more behind another.
    check(&tables, "0003 3232 41 0003 3232 42", r#"{"22":["A","B"]}"#);
    // What is no tables from the first byte to the last stays as it came.
    for other in [
        "",
        "0005",
        "0005 3232 4142",
        "0003 3232 41 00",
        "0001 3232",
        "0004 0102 4142",
        "00A2 3232",
        // A card number in half bytes, and one in EBCDIC: as text nobody would know them.
        "0010 3232 4111111111111111",
        "0018 3232 F4F1F1F1F1F1F1F1F1F1F1F1F1F1F1F1",
    ] {
        let shown = other.replace(' ', "");
        check(&tables, other, &format!("\"{shown}\""));
    }
    // Another name says nothing of tables.
    check(&of_bytes("private data", ""), "0003 3232 41", r#""0003323241""#);
}

#[test]
fn tags_of_a_field_of_bytes_may_give_way_to_bytes() {
    let parts =
        "[fields.48.parts]\nkind = 'tagged'\ntag_length = 2\nlength_digits = 2\nor_bytes = true";
    let open = of_bytes("more", parts);
    check(&open, "3031 3032 4142", r#"{"01":"AB"}"#);
    check(&open, "3031 3033 4142", r#""303130334142""#);
    assert_eq!(unwritable(&open, r#""3""#), ("48".to_owned(), "bad_value"));
    // Which bytes are secret cannot be told, so all of them are hidden.
    let secret = of_bytes("more", &format!("{parts}\nsecret_tags = ['01']"));
    let shown = |content: &str| {
        let tree = secret.unpack(&bytes(&message(content))).expect("a message");
        serde_json::to_string(&secret.masked(tree)).expect("JSON")
    };
    assert!(shown("3031 3033 4142").contains(r#""48":"[6 hidden]""#));
    assert!(shown("3031 3032 4142").contains(r#""48":{"01":"[2 hidden]"}"#));
    let secret = of_bytes(
        "more",
        &format!(
            "{parts}\n[fields.48.parts.tags]\n01 = {{ length_max = 9, length_digits = 2, secret = true }}"
        ),
    );
    let tree = secret.unpack(&bytes(&message("3031 3033 4142"))).expect("a message");
    let shown = serde_json::to_string(&secret.masked(tree)).expect("JSON");
    assert!(shown.contains(r#""48":"[6 hidden]""#), "{shown}");
    let text = text_of("kind = 'tagged'\ntag_length = 2\nlength_digits = 2\nor_bytes = true");
    let problem = Spec::from_toml(&text).expect_err("refused").remove(0).to_string();
    assert!(
        problem.contains("only a field of content `b` in encoding `raw` can be bytes"),
        "{problem}"
    );
}

// Public reports: moov-io/iso8583 issue 315, and its docs/composite-fields.md.
#[test]
fn tags_may_be_bytes_and_each_a_field_of_its_own() {
    let known = "kind = 'tagged'\ntag_encoding = 'raw'\ntag_length = 1\n";
    let values = "value_encoding = 'raw'\n";
    let tags = "[fields.48.parts.tags]\n\
         56 = { length_max = 999, length_digits = 2, length_encoding = 'binary', encoding = 'raw', \
         parts = { kind = 'ber_tlv' } }\n\
         7A = { length = 3, encoding = 'bcd' }";
    let open = of(&format!("{known}{values}length_encoding = 'binary'\nlength_digits = 2\n{tags}"));
    let set = "56 0008 9F0206000000012550";
    check(&open, "56 0009 9F0206000000012550", r#"{"56":{"9F02":"000000012550"}}"#);
    check(
        &open,
        "7A 0123 99 0002 CAFE 56 0003 9C0100",
        r#"{"7A":"123","99":"CAFE","56":{"9C":"00"}}"#,
    );
    fails(&open, set, "short_tlv", "48.56", 3);
    fails(&open, "7A 01", "short_data", "48.7A", 1);
    let closed = of(&format!("{known}{tags}"));
    check(&closed, "7A 0123", r#"{"7A":"123"}"#);
    fails(&closed, "7A 0123 99 0002 CAFE", "undefined_field", "48.99", 3);
    assert_eq!(unwritable(&closed, r#"{"99":"CAFE"}"#), ("48.99".to_owned(), "undefined_field"));
    assert!(
        mistake(&format!("{known}length_digits = 2\ntags = {{ 5 = {{ length = 1 }} }}"))
            .contains("a tag has `tag_length` characters")
    );
    assert!(mistake(known).contains("`length_digits` of 1 to 6 is needed"));
}

#[test]
fn a_tag_of_characters_that_is_a_field_of_its_own_is_named_in_errors() {
    let spec = of("kind = 'tagged'\nencoding = 'ebcdic'\ntag_length = 2\nlength_digits = 2\n\
                   tags = { A1 = { content = 'n', encoding = 'ebcdic', length = 2 } }");
    check(&spec, "C1F1F4F2 C2F2F0F1C1", r#"{"A1":"42","B2":"A"}"#);
    fails(&spec, "C1F1F4C1", "bad_content", "48.A1", 3);
}

// Public report: jpos/jPOS issue 739, pull requests 740 and 741.
#[test]
fn a_length_may_count_its_own_bytes() {
    let of = |field: &str| {
        spec(&format!(
            "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\n[fields]\n48 = {{ {field}, \
             length_includes_itself = true }}"
        ))
    };
    let head = hex::encode("02000000000000010000");
    let check = |field: &str, content: &str, value: &str| {
        let json = format!(r#"{{"mti":"0200","fields":{{"48":"{value}"}}}}"#);
        comes_back(&of(field), &format!("{head}{content}"), &json);
    };
    let binary = "content = 'b', length_max = 254, length_digits = 1, length_encoding = 'binary'";
    check(binary, "05A1B2C3D4", "A1B2C3D4");
    check(binary, "01", "");
    assert_eq!(
        fault(&of(binary), &format!("{head}00")),
        ("bad_length", "48".to_owned(), 20),
        "less than itself"
    );
    assert_eq!(fault(&of(binary), &format!("{head}05A1B2C3")), ("short_data", "48".to_owned(), 21));
    check("content = 'ans', length_max = 996, length_digits = 3", &hex::encode("006abc"), "abc");
    let bcd = "content = 'n', encoding = 'bcd', length_max = 90, length_digits = 2, \
               length_encoding = 'bcd'";
    check(&format!("{bcd}, length_counts = 'bytes'"), "031234", "1234");
    check(&format!("{bcd}, length_counts = 'digits'"), "040123", "123");
    check(&format!("{bcd}, length_counts = 'nibbles'"), "050123", "123");
    check(
        "content = 'ans', length_max = 9000, length_digits = 2, length_encoding = 'binary'",
        "0005616263",
        "abc",
    );
    let too_long = "48 = { content = 'b', length_max = 255, length_digits = 1, \
                    length_encoding = 'binary', length_includes_itself = true }";
    let text = format!("name = 't'\nmti = 'ascii'\nbitmap = 'hex'\n[fields]\n{too_long}");
    assert_eq!(Spec::from_toml(&text).expect_err("refused")[0].key, "fields.48.length");
    let fixed = text.replace(too_long, "48 = { length = 8, length_includes_itself = true }");
    assert_eq!(
        Spec::from_toml(&fixed).expect_err("refused")[0].key,
        "fields.48.length_includes_itself"
    );
}

// Public report: tilln/jmeter-iso8583 issue 52.
#[test]
fn a_message_may_stand_in_a_field() {
    let spec = of("kind = 'bitmapped'\nbitmap = 'hex'\nbitmap_bytes = 8\nbitmap_grows = true\n\
                   [fields.48.parts.fields]\n0 = { content = 'n', length = 4 }\n\
                   2 = { content = 'n', length = 6, secret = true }\n\
                   3 = { content = 'ans', length_max = 99, length_digits = 2 }\n\
                   70 = { content = 'n', length = 3 }");
    let hex = |text: &str| hex::encode(text);
    check(
        &spec,
        &hex("0001600000000000000000077705HELLO"),
        r#"{"0":"0001","2":"000777","3":"HELLO"}"#,
    );
    check(
        &spec,
        &hex("0001C0000000000000000400000000000000000777301"),
        r#"{"0":"0001","2":"000777","70":"301"}"#,
    );
    // A second bitmap without a part.
    check(
        &spec,
        &hex("0001C0000000000000000000000000000000000777"),
        r#"{"0":"0001","1":"","2":"000777"}"#,
    );
    fails(&spec, &hex("000A4000000000000000000777"), "bad_content", "48.0", 3);
    fails(&spec, &hex("0001C000000000000000000077"), "short_data", "48", 20);
    fails(&spec, &hex("00011000000000000000"), "undefined_field", "48.4", 20);
    assert_eq!(unwritable(&spec, r#"{"2":"000777"}"#), ("48.0".to_owned(), "bad_value"));
    assert_eq!(unwritable(&spec, r#"{"0":"0001","1":"x"}"#), ("48.1".to_owned(), "bad_value"));
}

#[test]
fn bit_1_that_announces_nothing_is_kept() {
    let spec = of("kind = 'bitmapped'\nbitmap_bytes = 1\nskip_first_bit = true\n\
                   fields = { 2 = { content = 'n', length = 2 } }");
    check(&spec, "40 3432", r#"{"2":"42"}"#);
    check(&spec, "C0 3432", r#"{"1":"","2":"42"}"#);
    let both = "kind = 'bitmapped'\nbitmap_bytes = 1\nskip_first_bit = true\nbitmap_grows = true\n\
                fields = { 2 = { length = 2 } }";
    assert!(mistake(both).contains("not both"));
    let many = "kind = 'bitmapped'\nbitmap_bytes = 16\nbitmap_grows = true\n\
                fields = { 2 = { length = 2 } }";
    assert!(mistake(many).contains("at most 8 bytes at first"));
    let beyond = "kind = 'bitmapped'\nbitmap_bytes = 1\nbitmap_grows = true\n\
                  fields = { 17 = { length = 2 } }";
    assert!(mistake(beyond).contains("a bitmap of 2 bytes announces fewer parts"));
}

/// Fields of every kind, some within others.
const EVERY_KIND: [&str; 10] = [
    "kind = 'ber_tlv'",
    "kind = 'data_sets'\nsets = { 71 = { fields = { 1 = { content = 'n', length = 1 } } } }",
    "kind = 'tagged'\ntag_length = 1\nlength_digits = 1\nfields = { 20 = { length = 1 } }",
    "kind = 'tagged'\norder = 'length_first'\ntag_length = 1\nlength_digits = 3\n\
     length_encoding = 'bcd'\nlength_includes_tag = true\nlength_includes_itself = true",
    "kind = 'tagged'\ntag_encoding = 'raw'\ntag_length = 1\nlength_encoding = 'binary'\n\
     length_digits = 1\nvalue_encoding = 'raw'\n\
     tags = { 01 = { encoding = 'raw', length_max = 9, length_digits = 1, \
     length_encoding = 'binary', length_includes_itself = true, parts = { kind = 'ber_tlv' } }, \
     02 = { encoding = 'bcd', length = 3 } }",
    "kind = 'bitmapped'\nbitmap_bytes = 1\nbitmap_grows = true\n\
     fields = { 0 = { content = 'n', length = 1 }, 3 = { length = 1 }, 8 = { encoding = 'raw', \
     length = 4, parts = { kind = 'ber_tlv' } }, 16 = { length = 1 } }",
    "kind = 'bitmapped'\nbitmap_bytes = 1\nskip_first_bit = true\nheader_length = 1\n\
     fields = { 2 = { length = 1 }, 3 = { length_max = 5, length_digits = 1, \
     length_includes_itself = true } }",
    "kind = 'positional'\noptional_tail = true\nfields = { 0 = { length = 1 }, 1 = { encoding = 'bcd', \
     length_max = 7, length_digits = 1, length_counts = 'nibbles', length_includes_itself = true }, \
     2 = { length = 2 } }",
    "kind = 'tagged'\nencoding = 'ebcdic'\ntag_length = 1\nlength_digits = 1",
    "kind = 'tagged'\norder = 'length_first'\ntag_encoding = 'raw'\ntag_length = 1\n\
     length_encoding = 'binary'\nlength_digits = 1\nlength_includes_tag = true\n\
     tags = { 01 = { encoding = 'raw', parts = { kind = 'ber_tlv' } }, 02 = { encoding = 'bcd', \
     odd = 'rightF' }, 40 = { content = 'x+n', encoding = 'signed_bcd' } }",
];

proptest! {
    #[test]
    fn what_is_read_of_any_bytes_is_written_and_read_the_same(
        kind in 0..EVERY_KIND.len(),
        content in prop::collection::vec(
            prop::sample::select(b"\x00\x01\x02\x03\x04\x05\x40\x71\x80\x81\xC0\xC1\xF0\xF1\xF2\xFF0123A".to_vec()),
            0..24,
        ),
    ) {
        let spec = of(EVERY_KIND[kind]);
        let message = bytes(&message(&hex::encode(&content)));
        match spec.unpack(&message) {
            Err(error) => prop_assert!(error.offset <= message.len(), "{}", error),
            Ok(tree) => {
                let json = serde_json::to_string(&tree).expect("JSON");
                let again = bytes(&written(&spec, &json));
                prop_assert!(again.len() <= message.len(), "{}", json);
                prop_assert_eq!(spec.unpack(&again), Ok(tree));
            }
        }
    }
}
