use super::*;

/// A spec of one field, made for the case at hand.
fn index(field: &str, message: &[u8]) -> Result<Index, DecodeError> {
    let toml = format!(
        "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\n[fields]\n2 = {{ name = '', secret = true, {field} }}"
    );
    let mut index = Index::default();
    Spec::from_toml(&toml).expect("a spec").index(message, &mut index).map(|()| index)
}

fn check(field: &str, message: &[u8], kind: ErrorKind, offset: usize) {
    let error = index(field, message).expect_err("refused");
    assert_eq!((error.kind, error.field, error.offset), (kind, 2, offset), "{error}");
}

const LLVAR: &str = "content = 'n', length_max = 19, length_digits = 2";

#[test]
fn each_fault_is_named_with_its_place() {
    let head = |rest: &str| format!("02004000000000000000{rest}").into_bytes();
    check(LLVAR, &head("1"), ErrorKind::ShortLength, 20);
    check(LLVAR, &head("1x"), ErrorKind::BadLength, 20);
    check(LLVAR, &head("20"), ErrorKind::TooLong, 20);
    check(LLVAR, &head("061234"), ErrorKind::ShortData, 22);
    check(LLVAR, &head("041234!"), ErrorKind::Trailing, 26);
    check(LLVAR, &head("0412E4"), ErrorKind::BadContent, 24);
    check("content = 'b', encoding = 'hex', length = 2", &head("00G0"), ErrorKind::BadContent, 22);
}

#[test]
fn a_field_that_the_spec_does_not_define_is_named() {
    let error = index(LLVAR, b"020020000000000000001").expect_err("refused");
    assert_eq!((error.kind, error.field, error.offset), (ErrorKind::UndefinedField, 3, 20));
}

#[test]
fn a_bad_mti_or_bitmap_is_named_by_its_pseudo_number() {
    let fault = |message: &[u8]| {
        let error = index(LLVAR, message).expect_err("refused");
        (error.kind, error.field, error.offset)
    };
    assert_eq!(fault(b""), (ErrorKind::ShortData, 0, 0));
    assert_eq!(fault(b"02x0"), (ErrorKind::BadContent, 0, 2));
    assert_eq!(fault(&[b'0'; MESSAGE_LEN_MAX + 1]), (ErrorKind::TooLong, 0, 0));
    assert_eq!(fault(b"0200"), (ErrorKind::ShortData, 1, 4));
    assert_eq!(fault(b"020040000000000000g0"), (ErrorKind::BadBitmap, 1, 4));
    assert_eq!(fault(b"0200C000000000000000"), (ErrorKind::ShortData, 1, 20));
}

#[test]
fn fields_are_found_where_they_are() {
    let message = b"02004000000000000000161234567890123456";
    let index = index(LLVAR, message).expect("indexed");
    assert_eq!(index.field(message, 2), Some(&b"1234567890123456"[..]));
    assert_eq!(index.offset_of(2), Some(22));
    assert_eq!(index.field(message, 3), None);
    assert_eq!((index.has(0), index.has(1), index.has(129)), (false, false, false));
    assert_eq!(index.fields().collect::<Vec<_>>(), [2]);
}

#[test]
fn an_index_that_failed_holds_what_came_before_the_fault() {
    let spec = Spec::cauce87();
    let mut index = Index::default();
    let echo =
        b"0800\x82\x20\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x001123211722000042301";
    spec.index(echo, &mut index).expect("indexed");
    assert_eq!(index.fields().collect::<Vec<_>>(), [7, 11, 70]);
    spec.index(&echo[..38], &mut index).expect_err("refused");
    assert_eq!(index.fields().collect::<Vec<_>>(), [7, 11]);
    spec.index(&echo[..32], &mut index).expect_err("refused");
    assert_eq!(index.fields().collect::<Vec<_>>(), [7]);
    spec.index(&[&echo[..], b"!"].concat(), &mut index).expect_err("refused");
    assert_eq!(index.fields().collect::<Vec<_>>(), [7, 11, 70]);
    spec.index(b"08", &mut index).expect_err("refused");
    assert_eq!(index.fields().count(), 0);
}
