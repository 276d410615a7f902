//! Card data in parts and tags: what a message shows when it is masked.

use codecs::iso8583::Spec;

use super::{message, mistake, of, text_of};
use crate::reports::bytes;

/// What is shown of field 48.
#[track_caller]
fn shows(spec: &Spec, content: &str, json: &str) {
    let tree = spec.unpack(&bytes(&message(content))).expect("read");
    let masked = serde_json::to_value(spec.masked(tree)).expect("JSON");
    assert_eq!(
        masked["fields"]["48"],
        serde_json::from_str::<serde_json::Value>(json).expect("JSON")
    );
}

#[test]
fn card_data_in_tags_that_are_fields_is_hidden() {
    let spec = of("kind = 'tagged'\ntag_length = 2\nlength_digits = 2\nsecret_tags = ['03']\n\
                   [fields.48.parts.fields]\n0 = { content = 'ans', length = 1, secret = true }\n\
                   [fields.48.parts.tags]\n\
                   01 = { content = 'n', length_max = 19, length_digits = 2, secret = true }\n\
                   02 = { encoding = 'raw', length_max = 99, length_digits = 2, \
                   parts = { kind = 'ber_tlv' } }");
    shows(
        &spec,
        "52 3031 3032 3132 3031 3033 333435 3032 3038 5A021234 82023900 3033 3031 78",
        r#"{"0":"[1 hidden]","01":["[2 hidden]","[3 hidden]"],"02":{"5A":"[2 hidden]","82":"3900"},"03":"[1 hidden]"}"#,
    );
    // A track that is not secret is found in tags too.
    let open = text_of(
        "kind = 'tagged'\ntag_length = 2\nlength_digits = 2\n\
         tags = { 35 = { content = 'z', length_max = 37, length_digits = 2 } }",
    );
    let mistakes = Spec::from_toml(&open).expect_err("refused");
    assert_eq!(mistakes[0].key, "fields.48.parts.tags.35.secret");
}

#[test]
fn card_data_of_a_message_inside_a_field_must_be_secret() {
    let inner = |secret: &str| {
        text_of(&format!(
            "kind = 'bitmapped'\nbitmap_bytes = 8\n[fields.48.parts.fields]\n\
             0 = {{ content = 'n', length = 4 }}\n\
             2 = {{ content = 'n', length_max = 19, length_digits = 2{secret} }}\n\
             3 = {{ content = 'n', length = 6 }}\n\
             52 = {{ content = 'b', length = 8{secret} }}"
        ))
    };
    let mistakes = Spec::from_toml(&inner("")).expect_err("refused");
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["fields.48.parts.fields.2.secret", "fields.48.parts.fields.52.secret"]);
    Spec::from_toml(&inner(", secret = true")).expect("a format");
    // Without a type in front it is no message, and 2 is a number like others.
    of("kind = 'bitmapped'\nbitmap_bytes = 1\nfields = { 2 = { content = 'n', length = 4 } }");
}

#[test]
fn a_tag_is_not_taken_for_the_part_in_front_that_has_its_number() {
    let spec = of("kind = 'tagged'\ntag_length = 2\nlength_digits = 2\n\
                   fields = { 2 = { content = 'n', length = 1 } }");
    let content = hex::encode("102164111111111111111");
    shows(&spec, &content, r#"{"2":"1","02":"411111******1111"}"#);
}

#[test]
fn secret_tags_are_tags_of_the_field() {
    let raw = "kind = 'tagged'\ntag_encoding = 'raw'\ntag_length = 1\nlength_digits = 1\n\
               length_encoding = 'binary'\nvalue_encoding = 'raw'\n";
    shows(&of(&format!("{raw}secret_tags = ['DF']")), "DF 02 A1B2", r#"{"DF":"[2 hidden]"}"#);
    let tlv = of("kind = 'ber_tlv'\nsecret_tags = ['df01']");
    shows(&tlv, "DF0102A1B2 DF0201CC", r#"{"DF01":"[2 hidden]","DF02":"CC"}"#);
    for tags in ["['df']", "['D']", "['DF', '0DF']"] {
        assert!(
            mistake(&format!("{raw}secret_tags = {tags}")).contains("is no tag here"),
            "{tags}"
        );
    }
    for tags in ["['9']", "['092']", "['zz']", "['9F']", "['9F0E00']", "['+5']", "['00']"] {
        let problem = mistake(&format!("kind = 'ber_tlv'\nsecret_tags = {tags}"));
        assert!(problem.ends_with("is no tag"), "{problem}");
    }
}

#[test]
fn a_card_number_behind_filling_is_hidden() {
    let content = "82021C00 FF 5A08 5006123456789015";
    shows(&of("kind = 'ber_tlv'"), content, r#"{"82":"1C00","5A":"[8 hidden]"}"#);
    // Within a template, too.
    shows(&of("kind = 'ber_tlv'"), "700B FF 5A08 5006123456789015", r#"{"70":"[11 hidden]"}"#);
}
