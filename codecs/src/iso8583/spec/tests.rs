use super::*;

#[test]
fn the_compiled_in_format_defines_every_field() {
    let spec = Spec::builtin("cauce-87").expect("compiled in");
    assert_eq!(spec.name(), "cauce-87");
    assert!((2..=128).all(|number| spec.field(number).is_some()));
    assert!((2..=128).all(|number| !spec.field_name(number).is_empty()));
    assert!([0, 1, 129, 255].iter().all(|number| spec.field(*number).is_none()));
    assert!(Spec::builtin_names().all(|name| Spec::builtin(name).is_some()));
    let secret: Vec<u8> =
        (2..=128).filter(|number| spec.field(*number).is_some_and(|f| f.secret)).collect();
    assert_eq!(secret, [2, 14, 34, 35, 36, 45, 52, 53, 55, 96]);
    assert!(Spec::builtin("cauce-99").is_none());
}

#[test]
fn every_mistake_is_reported_at_once() {
    let toml = r#"
name = "bad"
mti = "ebcdic"
bitmap = "octal"
[fields]
1 = { name = "", content = "n", length = 6 }
129 = { name = "", content = "n", length = 6 }
193 = { name = "", content = "n", length = 6 }
x = { name = "", content = "n", length = 6 }
2 = { name = "", content = "n" }
3 = { name = "", content = "q", length = 6 }
4 = { name = "", content = "n", length = 12, colour = "red" }
5 = { name = "", content = "n", length_max = 100, length_digits = 2 }
6 = { name = "", content = "n", length = 12, encoding = "packed" }
7 = { name = "", content = "n", length = 10, encoding = "hex" }
8 = { name = "", content = "n", length_max = 9, length_digits = 1, length_encoding = "octal" }
9 = { name = "", content = "n", length_max = 9, length_digits = 7 }
10 = { name = "", content = "n", length = 0 }
11 = { name = "", content = "n", length_max = 9, length_digits = 1, encoding = "bcd" }
12 = { name = "", content = "n", length = 6, encoding = "ebcdic" }
13 = { name = "", content = "ans", length = 6, encoding = "bcd" }
14 = { name = "", content = "n", length = 3, encoding = "bcd", odd = "middle" }
15 = { name = "", content = "b", length = 8, mac = true }
16 = { name = "", content = "any", length = 4, parts = { kind = "positional", fields = { 1 = { length = 3 } } } }
17 = { name = "", content = "any", length = 4, parts = { kind = "bitmapped", bitmap_bytes = 1, fields = { 9 = { length = 3 } } } }
18 = { name = "", content = "any", length = 4, parts = { kind = "tagged", tag_length = 5, length_digits = 2 } }
35 = { name = "", content = "z", length = 37 }
52 = { name = "", content = "b", length = 8, encoding = "ascii", secret = true }
64 = { name = "", content = "n", length = 8, mac = true }
"#;
    let mut keys: Vec<String> =
        Spec::from_toml(toml).expect_err("refused").into_iter().map(|error| error.key).collect();
    keys.sort();
    let expect = [
        "bitmap",
        "fields.1",
        "fields.10.length",
        "fields.11.length_counts",
        "fields.12.encoding",
        "fields.13.encoding",
        "fields.14.odd",
        "fields.15.mac",
        "fields.16.length",
        "fields.17.parts.fields",
        "fields.18.parts",
        "fields.193",
        "fields.2.length",
        "fields.2.secret",
        "fields.3",
        "fields.35.secret",
        "fields.4",
        "fields.5.length",
        "fields.52.encoding",
        "fields.6.encoding",
        "fields.64.mac",
        "fields.7.encoding",
        "fields.8.length_encoding",
        "fields.9.length",
        "fields.x",
        "mti",
        "third_bitmap",
    ];
    assert_eq!(keys, expect);
}

#[test]
fn an_unknown_key_of_the_file_is_refused() {
    let errors =
        Spec::from_toml("name = 'x'\nmti = 'ascii'\nbitmap = 'hex'\ntertiary = true\n[fields]")
            .expect_err("refused");
    assert!(errors[0].problem.contains("tertiary"), "{}", errors[0]);
}

#[test]
fn a_name_that_is_not_known_is_answered_with_those_that_are() {
    let problem = |mti: &str| {
        let toml = format!("name = 'x'\nmti = '{mti}'\nbitmap = 'hex'\n[fields]");
        Spec::from_toml(&toml).expect_err("refused").remove(0).to_string()
    };
    assert_eq!(problem("asci"), "mti: `asci` is not known; known: ascii, bcd, ebcdic");
    assert_eq!(problem("ebcdic"), "mti: `ebcdic` needs a `code_page`: cp037, cp500 or cp1047");
}

/// Key and problem of everything said, in order.
fn said(errors: &[SpecError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn rules_hold_in_the_parts_of_fields_too() {
    let toml = r#"
name = "x"
mti = "ascii"
bitmap = "hex"
[fields]
48 = { name = "a", content = "b", length_max = 99, length_digits = 2, parts = { kind = "positional", fields = { 1 = { name = "b", content = "z", length = 9 }, 2 = { name = "c", content = "b", length = 8, mac = true } } } }
60 = { name = "d", content = "b", length_max = 99, length_digits = 2, secret = true, parts = { kind = "positional", fields = { 1 = { name = "e", content = "z", length = 9 } } } }
"#;
    assert_eq!(
        said(&Spec::lint(toml).mistakes),
        [
            "fields.48.parts.fields.1.secret: this part must be `secret = true`",
            "fields.48.parts.fields.2.mac: a message authentication code is a field, not a part of \
             one",
        ]
    );
    assert_eq!(Spec::from_toml(toml).expect_err("refused"), Spec::lint(toml).mistakes);
}

#[test]
fn what_is_probably_not_meant_is_a_warning_and_loads() {
    let toml = r#"
name = "x"
mti = "ascii"
bitmap = "hex"
bitmaps = "single"
[defaults.a]
pad = "right_space"
[fields]
3 = { content = "n", length = 6 }
4 = { name = "amount" , length = 12 }
20 = { name = "card number, country code", content = "n", length = 3 }
44 = { name = "Card number of the payee", content = "n", length_max = 19, length_digits = 3 }
47 = { name = "long", content = "ans", length_max = 99999, length_digits = 5 }
48 = { name = "short", content = "b", length_max = 255, length_digits = 2, length_encoding = "binary", parts = { kind = "positional", fields = { 1 = { name = "PIN block", content = "b", length = 8 } } } }
65 = { name = "bit map, extended", content = "b", length = 8 }
"#;
    assert!(Spec::from_toml(toml).is_ok());
    let lint = Spec::lint(toml);
    assert_eq!(lint.mistakes, []);
    assert_eq!(
        said(&lint.warnings),
        [
            "fields: contents of class `any` are not checked: 4",
            "fields: these fields have no name: 3",
            "bitmaps: a single bitmap never announces these fields: 65",
            "defaults.a: no field is of this class",
            "fields.65: if this is a third bitmap, state `third_bitmap`; as a field it is only read",
            "fields.44.secret: its name speaks of card data; is it secret?",
            "fields.44.length_max: fewer digits than 3 would do for at most 19",
            "fields.47.length_max: a whole message has at most 65535 bytes",
            "fields.48.length_max: fewer digits than 2 would do for at most 255",
            "fields.48.parts.fields.1.secret: its name speaks of card data; is it secret?",
        ]
    );
}

#[test]
fn a_text_that_cannot_be_read_has_mistakes_and_no_warnings() {
    for text in ["name = ", "<isopackager", "{\"fields\": {\"0\": {}}}", "{"] {
        let lint = Spec::lint(text);
        assert!(!lint.mistakes.is_empty() && lint.warnings.is_empty(), "{text}");
    }
}

#[test]
fn a_text_above_the_ceiling_is_not_read() {
    let text = format!("<isopackager>{}</isopackager>", " ".repeat(SPEC_LEN_MAX));
    assert_eq!(said(&Spec::lint(&text).mistakes), ["at most 1048576 bytes are read"]);
}
