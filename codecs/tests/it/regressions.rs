//! Each bug that was found in the engine, by what must hold instead.

use bytes::BytesMut;
use codecs::error::{DecodeError, ErrorKind};
use codecs::iso8583::{AssembleError, Problem, Spec, SpecError, Tree};

fn spec(fields: &str) -> Result<Spec, Vec<SpecError>> {
    Spec::from_toml(&format!(
        "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\nthird_bitmap = 'contiguous'\n[fields]\n{fields}"
    ))
}

fn assemble(spec: &Spec, json: &str) -> Result<BytesMut, AssembleError> {
    let tree: Tree = serde_json::from_str(json).expect("a message");
    let mut out = BytesMut::new();
    spec.assemble(&tree, &mut out).map(|()| out)
}

/// What is assembled of a message comes apart as the same message.
#[track_caller]
fn comes_back(spec: &Spec, json: &str) {
    let bytes = assemble(spec, json).unwrap_or_else(|error| panic!("{error}"));
    let tree = spec.unpack(&bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(serde_json::to_string(&tree).expect("JSON"), json);
}

#[track_caller]
fn refused(spec: &Spec, json: &str, path: &str) -> Problem {
    let error = assemble(spec, json).expect_err("refused");
    assert_eq!(error.path, path, "{error}");
    error.problem
}

#[track_caller]
fn mistake(fields: &str) -> String {
    spec(fields).map(|_| ()).expect_err("refused").remove(0).key
}

fn fault(spec: &Spec, bytes: &[u8]) -> DecodeError {
    spec.unpack(bytes).expect_err("refused")
}

#[test]
fn a_signed_amount_counted_in_digits_does_not_swallow_the_next_field() {
    let spec = spec(
        "4 = { content = 'x+n', encoding = 'signed_bcd', length_max = 20, length_digits = 2, \
         length_counts = 'digits' }\n\
         13 = { content = 'ans', length_max = 20, length_digits = 2 }",
    )
    .expect("a spec");
    comes_back(&spec, r#"{"mti":"0200","fields":{"4":"C12345","13":"HELLO WORLD"}}"#);
}

#[test]
fn field_129_is_a_field_like_the_others() {
    let spec = spec(
        "2 = { content = 'n', length = 4, secret = true }\n\
                     129 = { content = 'ans', length = 2 }\n130 = { content = 'ans', length = 2 }",
    )
    .expect("a spec");
    comes_back(&spec, r#"{"mti":"0200","fields":{"2":"1234","129":"ab","130":"cd"}}"#);
}

#[test]
fn a_part_is_named_in_one_way_only() {
    let spec = spec(
        "13 = { content = 'n', length = 4 }\n\
         [fields.9]\ncontent = 'any'\nlength_max = 99\nlength_digits = 2\n\
         [fields.9.parts]\nkind = 'bitmapped'\nbitmap_bytes = 1\n\
         [fields.9.parts.fields]\n2 = { content = 'n', length = 2 }\n\
         3 = { content = 'n', length = 2 }",
    )
    .expect("a spec");
    comes_back(&spec, r#"{"mti":"0200","fields":{"9":{"2":"11","3":"22"}}}"#);
    let undefined = r#"{"mti":"0200","fields":{"9":{"02":"11","3":"22"}}}"#;
    assert_eq!(refused(&spec, undefined, "9.02"), Problem::Undefined);
    let undefined = r#"{"mti":"0200","fields":{"013":"1234"}}"#;
    assert_eq!(refused(&spec, undefined, "013"), Problem::Undefined);
    assert_eq!(
        mistake("3 = { content = 'n', length = 6 }\n03 = { content = 'n', length = 9 }"),
        "fields.03"
    );
}

#[test]
fn digits_counted_in_bytes_come_back_or_are_refused() {
    let of = |odd: &str| {
        let fields = format!(
            "33 = {{ content = 'n', encoding = 'bcd', length_max = 10, length_digits = 2, \
             length_counts = 'bytes', odd = '{odd}' }}\n13 = {{ content = 'n', length = 4 }}\n\
             37 = {{ content = 'an', length = 2 }}"
        );
        spec(&fields).expect("a spec")
    };
    for (odd, digits) in
        [("rightF", "12345"), ("leftF", "12345"), ("rightF", "1234"), ("left0", "1234")]
    {
        let json = format!(r#"{{"mti":"0200","fields":{{"33":"{digits}","37":"ab"}}}}"#);
        comes_back(&of(odd), &json);
    }
    // Nothing would tell five digits from six that begin with zero.
    let odd = r#"{"mti":"0200","fields":{"33":"12345"}}"#;
    assert_eq!(refused(&of("left0"), odd, "33"), Problem::Length { have: 5, allowed: 10 });
}

#[test]
fn formats_that_contradict_themselves_are_refused_at_load() {
    let parts =
        "parts = { kind = 'positional', fields = { 1 = { length = 3 }, 2 = { length = 3 } } }";
    let packed = format!("3 = {{ content = 'n', encoding = 'bcd', length = 6, {parts} }}");
    assert_eq!(mistake(&packed), "fields.3.encoding");
    let first = "9 = { content = 'any', length_max = 9, length_digits = 1, parts = { kind = \
                 'bitmapped', bitmap_bytes = 1, skip_first_bit = true, fields = { 1 = { length = 1 } } } }";
    assert_eq!(mistake(first), "fields.9.parts.fields.1");
}

#[test]
fn more_composites_than_a_format_may_have_are_a_mistake_and_no_panic() {
    // 250 parts with 5 parts each, in every second field.
    let inner = (1..=5).map(|n| format!("{n} = {{ length = 1, parts = {{ kind = 'ber_tlv' }} }}"));
    let inner: Vec<_> = inner.collect();
    let part = format!("parts = {{ kind = 'positional', fields = {{ {} }} }}", inner.join(", "));
    let middle: Vec<_> = (1..=250).map(|n| format!("{n} = {{ length = 5, {part} }}")).collect();
    let field = format!(
        "48 = {{ content = 'any', length = 1250, parts = {{ kind = 'positional', fields = {{ {} }} }} }}",
        middle.join(", ")
    );
    assert!(spec(&field).is_err());
}

#[test]
fn tags_that_come_again_keep_their_order() {
    let spec = spec(
        "48 = { content = 'any', length_max = 99, length_digits = 2, parts = { kind = 'tagged', \
         tag_length = 2, length_digits = 2 } }",
    )
    .expect("a spec");
    let message = b"0200000000000001000018A101xB201yA101z".to_vec();
    let message = [&message[..20], b"15A101xB201yA101z"].concat();
    let tree = spec.unpack(&message).expect("read");
    let mut again = BytesMut::new();
    spec.assemble(&tree, &mut again).expect("written");
    assert_eq!(again.escape_ascii().to_string(), message.escape_ascii().to_string());
    assert_eq!(
        serde_json::to_string(&tree).expect("JSON"),
        r#"{"mti":"0200","fields":{"48":{"A1":["x","z"],"B2":"y","order":["A1","B2","A1"]}}}"#
    );
}

#[test]
fn a_second_bitmap_where_there_is_but_one_is_a_bad_bitmap() {
    let single = Spec::from_toml(
        "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\nbitmaps = 'single'\n[fields]\n\
         3 = { content = 'n', length = 6 }",
    )
    .expect("a spec");
    assert!(single.unpack(b"02002000000000000000000000").is_ok());
    let error = fault(&single, b"0200A000000000000000000000");
    assert_eq!((error.kind, error.offset), (ErrorKind::BadBitmap, 4));
}

#[test]
fn a_message_longer_than_is_read_is_not_written() {
    let spec = spec(
        "60 = { content = 'ans', length_max = 99999, length_digits = 5 }\n\
                     61 = { content = 'ans', length_max = 99999, length_digits = 5 }",
    )
    .expect("a spec");
    let long = "x".repeat(40_000);
    let json = format!(r#"{{"mti":"0200","fields":{{"60":"{long}","61":"{long}"}}}}"#);
    let Problem::Length { allowed, .. } = refused(&spec, &json, "0") else { panic!("a length") };
    assert_eq!(allowed, 65_535);
}

#[test]
fn a_fault_within_hexadecimal_is_told_by_its_place_on_the_wire() {
    let spec = spec(
        "55 = { content = 'b', encoding = 'hex', length_max = 99, length_digits = 2, parts = { kind \
         = 'ber_tlv' } }",
    )
    .expect("a spec");
    // Bitmap for 55; ten bytes in twenty characters; the second tag is cut short.
    let error = fault(
        &spec,
        b"0200000000000000020005"
            .get(..20)
            .map(|head| [head, b"069C01009F2602"].concat())
            .expect("a head")
            .as_slice(),
    );
    assert_eq!(error.kind, ErrorKind::ShortTlv);
    assert_eq!(error.offset, 28, "{error}");
}

#[test]
fn a_short_tag_says_how_much_it_needs() {
    let spec = spec(
        "48 = { content = 'any', length_max = 99, length_digits = 2, parts = { kind = 'tagged', \
         tag_length = 2, length_digits = 2 } }",
    )
    .expect("a spec");
    let error = fault(&spec, b"0200000000000001000006A199ab");
    assert_eq!((error.kind, error.need, error.have), (ErrorKind::ShortTlv, 103, 6));
}

#[test]
fn many_tags_are_read_in_time_that_grows_with_them() {
    let spec = spec(
        "48 = { content = 'any', length_max = 65000, length_digits = 5, parts = { kind = 'tagged', \
         tag_length = 3, length_digits = 1 } }",
    )
    .expect("a spec");
    let tags: String = (0..16_000).map(|n: u32| format!("{:03X}0", n % 4096)).collect();
    let message = format!("02000000000000010000{:05}{tags}", tags.len());
    let tree = spec.unpack(message.as_bytes()).expect("read");
    let mut again = BytesMut::new();
    spec.assemble(&tree, &mut again).expect("written");
    assert_eq!(&again[..], message.as_bytes());
}

#[test]
fn bytes_behind_the_last_field_name_that_field_and_not_an_empty_third_bitmap() {
    let spec = spec("63 = { content = 'ans', length = 2 }").expect("a spec");
    let maps = |first: &str| format!("0200{first}80000000000000000000000000000000");
    let error = fault(&spec, format!("{}ab!", maps("8000000000000002")).as_bytes());
    assert_eq!((error.kind, error.field, error.offset), (ErrorKind::Trailing, 63, 54));
    let error = fault(&spec, format!("{}!", maps("8000000000000000")).as_bytes());
    assert_eq!((error.kind, error.field, error.offset), (ErrorKind::Trailing, 65, 52));
}
