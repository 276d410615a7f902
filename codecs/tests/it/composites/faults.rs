//! Fields of parts that are not as their format says, and formats that say what cannot be.

use super::{fails, message, mistake, of, unwritable};
use crate::reports::{bytes, reads_and_writes, spec};

const TAGS: &str = "kind = 'tagged'\ntag_length = 2\nlength_digits = 2\n";

#[test]
fn keys_of_another_kind_of_parts_are_refused() {
    let tags = "tags = { 01 = { length = 1 } }";
    let fields = "fields = { 2 = { length = 1 } }";
    for (parts, key) in [
        ("kind = 'ber_tlv'\ntag_length = 2".to_owned(), "tag_length"),
        (format!("kind = 'ber_tlv'\n{tags}"), "tags"),
        (format!("kind = 'ber_tlv'\n{fields}"), "fields"),
        (format!("kind = 'positional'\nbitmap_grows = true\n{fields}"), "bitmap_grows"),
        (format!("kind = 'positional'\nsecret_tags = ['02']\n{fields}"), "secret_tags"),
        (format!("kind = 'bitmapped'\nbitmap_bytes = 1\n{tags}\n{fields}"), "tags"),
        (
            format!("kind = 'bitmapped'\nbitmap_bytes = 1\noptional_tail = true\n{fields}"),
            "optional_tail",
        ),
        ("kind = 'data_sets'\nsecret_tags = ['DF01']".to_owned(), "secret_tags"),
        ("kind = 'data_sets'\nlength_digits = 2".to_owned(), "length_digits"),
        (format!("{TAGS}header_length = 2"), "header_length"),
        (format!("{TAGS}sets = {{ 71 = {{ {fields} }} }}"), "sets"),
    ] {
        let problem = mistake(&parts);
        assert!(problem.starts_with(&format!("fields.48.parts.{key}: ")), "{problem}");
        assert!(problem.ends_with("have no such key"), "{problem}");
    }
    for key in
        ["length_includes_itself = true", "length_includes_tag = true", "value_encoding = 'raw'"]
    {
        let problem = mistake(&format!("kind = 'tagged'\ntag_length = 2\n{key}\n{tags}"));
        assert!(problem.contains("without `length_digits`"), "{problem}");
    }
}

#[test]
fn bytes_00_and_ff_are_no_data_sets() {
    let spec = of("kind = 'data_sets'");
    let sets = "01 0004 9A020001 02 0003 9C0101";
    let json = r#"{"mti":"0200","fields":{"48":{"01":{"9A":"0001"},"02":{"9C":"01"}}}}"#;
    for filled in [
        "01 0004 9A020001 00 02 0003 9C0101",
        "01 0004 9A020001 000000 02 0003 9C0101 00FF",
        "FF 01 0004 9A020001 FFFF 02 0003 9C0101 00",
    ] {
        reads_and_writes(&spec, &message(filled), json, &message(sets));
    }
    for name in ["00", "FF", "1", "001", "+1", "0a"] {
        let tree = format!(r#"{{"{name}":{{"9A":"0001"}}}}"#);
        assert_eq!(unwritable(&spec, &tree), (format!("48.{name}"), "undefined_field"));
    }
}

#[test]
fn a_value_that_would_not_be_written_is_refused() {
    let positional = of("kind = 'positional'\nfields = { 1 = { length = 1 }, 2 = { length = 1 } }");
    let bitmapped = of("kind = 'bitmapped'\nbitmap_bytes = 1\n\
                        fields = { 1 = { length = 1 }, 2 = { length = 1 } }");
    let again = r#"{"1":["A","B"],"2":"C","order":["1","2","1"]}"#;
    let twice = ("48.1".to_owned(), "bad_value");
    assert_eq!(unwritable(&positional, again), twice);
    assert_eq!(unwritable(&bitmapped, again), twice);
    let tagged = of(&format!("{TAGS}fields = {{ 1 = {{ length = 1 }} }}"));
    let again = r#"{"1":["A","B"],"14":"C","order":["1","14","1"]}"#;
    assert_eq!(unwritable(&tagged, again), twice);
    let sets = of(
        "kind = 'data_sets'\nsets = { 71 = { fields = { 1 = { length = 1 }, 2 = { length = 1 } } } }",
    );
    let again = r#"{"71":{"1":["A","B"],"2":"C","order":["1","2","1"]}}"#;
    assert_eq!(unwritable(&sets, again), ("48.71.1".to_owned(), "bad_value"));
    for spec in [&tagged, &of("kind = 'ber_tlv'"), &of("kind = 'data_sets'")] {
        assert_eq!(unwritable(spec, r#"{"14":[]}"#), ("48.14".to_owned(), "bad_value"));
    }
}

#[test]
fn a_length_of_a_tag_that_is_no_number_is_told_with_the_tag() {
    fails(&of(TAGS), &hex::encode("99xx17"), "bad_length", "48.99", 2);
    fails(&of(TAGS), &hex::encode("1401A420"), "short_tlv", "48", 5);
    let behind = of(&format!("{TAGS}order = 'length_first'"));
    fails(&behind, &hex::encode("xx9917"), "bad_length", "48.99", 0);
}

#[test]
fn a_length_less_than_its_own_bytes_is_told_from_one_that_is_no_number() {
    let text = |encoding: &str, digits: u8| {
        spec(&format!(
            "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\n[fields]\n48 = {{ content = 'ans', \
             length_max = 900, length_digits = {digits}, length_encoding = '{encoding}', \
             length_includes_itself = true }}"
        ))
    };
    let head = hex::encode("02000000000000010000");
    let told = |spec: &codecs::iso8583::Spec, length: &str| {
        let error = spec.unpack(&bytes(&format!("{head}{length}"))).expect_err("refused");
        error.to_string()
    };
    assert_eq!(
        told(&text("binary", 2), "0001"),
        "length of field 48 is less than 2, which it counts of itself at offset 20"
    );
    let ascii = text("ascii", 3);
    assert!(
        told(&ascii, &hex::encode("002")).contains("is less than 3, which it counts of itself")
    );
    assert!(told(&ascii, &hex::encode("0x2")).contains("is not a number"));
    let tables = of("kind = 'tagged'\norder = 'length_first'\ntag_length = 2\nlength_digits = 4\n\
                     length_encoding = 'bcd'\nlength_includes_tag = true");
    let error = tables.unpack(&bytes(&message("0001 3232"))).expect_err("refused");
    assert!(error.to_string().starts_with("length of field 48.22 is less than 2"), "{error}");
}

// As config/iso8583/README.md says under "A message as JSON".
#[test]
fn what_has_one_form_when_written_is_read_in_any() {
    let json = |content: &str| format!(r#"{{"mti":"0200","fields":{{"48":{content}}}}}"#);
    // Lengths of more bytes than are needed: ISO/IEC 8825-1, 8.1.3.5, note 2.
    let tlv = of("kind = 'ber_tlv'");
    let chip = json(r#"{"82":"1C00"}"#);
    for long in ["82 8102 1C00", "82 820002 1C00", "82 83000002 1C00"] {
        reads_and_writes(&tlv, &message(long), &chip, &message("82 02 1C00"));
    }
    let hex_bitmap = of("kind = 'bitmapped'\nbitmap = 'hex'\nbitmap_bytes = 1\n\
                         fields = { 1 = { length = 1 }, 3 = { length = 1 } }");
    let parts = json(r#"{"1":"A","3":"B"}"#);
    let (lower, upper) = (hex::encode("a0AB"), hex::encode("A0AB"));
    reads_and_writes(&hex_bitmap, &message(&lower), &parts, &message(&upper));
    let sets = of("kind = 'data_sets'\nsets = { 71 = { fields = { 1 = { length = 1 } } } }");
    let set = json(r#"{"71":{"1":"A"}}"#);
    reads_and_writes(&sets, &message("71 0004 C00000 41"), &set, &message("71 0003 4000 41"));
    // What fills up an odd number of digits where contents are not checked: hosts write what they like.
    let odd = of("kind = 'positional'\nfields = { 1 = { encoding = 'bcd', length = 3 } }");
    reads_and_writes(&odd, &message("9123"), &json(r#"{"1":"123"}"#), &message("0123"));
    let checked =
        of("kind = 'positional'\nfields = { 1 = { content = 'n', encoding = 'bcd', length = 3 } }");
    fails(&checked, "9123", "bad_content", "48.1", 0);
}
