use super::*;

#[test]
fn the_compiled_in_format_defines_every_field() {
    let spec = Spec::builtin("cauce-87").expect("compiled in");
    assert_eq!(spec.name(), "cauce-87");
    assert!((2..=128).all(|number| spec.field(number).is_some()));
    assert!((2..=128).all(|number| !spec.field_name(number).is_empty()));
    assert!([0, 1, 129, 255].iter().all(|number| spec.field(*number).is_none()));
    let secret: Vec<u8> =
        (2..=128).filter(|number| spec.field(*number).is_some_and(|f| f.secret)).collect();
    assert_eq!(secret, [2, 14, 34, 35, 36, 45, 52, 53, 55, 96]);
    assert!(Spec::builtin("cauce-93").is_none());
}

#[test]
fn every_mistake_is_reported_at_once() {
    let toml = r#"
name = "bad"
mti = "bcd"
bitmap = "octal"
[fields]
1 = { name = "", content = "n", length = 6 }
129 = { name = "", content = "n", length = 6 }
x = { name = "", content = "n", length = 6 }
2 = { name = "", content = "n" }
3 = { name = "", content = "q", length = 6 }
4 = { name = "", content = "n", length = 12, colour = "red" }
5 = { name = "", content = "n", length_max = 100, length_digits = 2 }
6 = { name = "", content = "n", length = 12, encoding = "ebcdic" }
7 = { name = "", content = "n", length = 10, encoding = "hex" }
8 = { name = "", content = "n", length_max = 9, length_digits = 1, length_encoding = "bcd" }
9 = { name = "", content = "n", length_max = 9, length_digits = 7 }
10 = { name = "", content = "n", length = 0 }
52 = { name = "", content = "b", length = 8, encoding = "ascii" }
"#;
    let mut keys: Vec<String> =
        Spec::from_toml(toml).expect_err("refused").into_iter().map(|error| error.key).collect();
    keys.sort();
    let expect = [
        "bitmap",
        "fields.1",
        "fields.10.length",
        "fields.129",
        "fields.2.length",
        "fields.3",
        "fields.4",
        "fields.5.length",
        "fields.52.encoding",
        "fields.6.encoding",
        "fields.7.encoding",
        "fields.8.length_encoding",
        "fields.9.length",
        "fields.x",
        "mti",
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
fn an_encoding_that_is_not_read_is_told_from_a_typing_mistake() {
    let problem = |mti: &str| {
        let toml = format!("name = 'x'\nmti = '{mti}'\nbitmap = 'hex'\n[fields]");
        Spec::from_toml(&toml).expect_err("refused").remove(0).to_string()
    };
    assert_eq!(problem("ebcdic"), "mti: `ebcdic` is not supported; supported: ascii");
    assert_eq!(problem("asci"), "mti: `asci` is not known; known: ascii");
}
