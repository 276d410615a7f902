use super::*;

fn prefix(encoding: PrefixEncoding, digits: u8) -> Prefix {
    Prefix { max: 999, digits, encoding, counts: Counts::Units, own: 0 }
}

#[test]
fn lengths_are_written_as_each_network_writes_them() {
    let check = |encoding, digits, value, bytes: &[u8]| {
        let prefix = prefix(encoding, digits);
        assert_eq!(prefix.read(bytes), Some(value), "{encoding:?}");
        let mut out = vec![0; prefix.width()];
        prefix.write(value, &mut out);
        assert_eq!(out, bytes, "{encoding:?}");
    };
    check(PrefixEncoding::Ascii, 3, 37, b"037");
    check(PrefixEncoding::Ascii, 6, 123_456, b"123456");
    check(PrefixEncoding::Ebcdic, 2, 16, &[0xF1, 0xF6]);
    check(PrefixEncoding::Bcd, 2, 16, &[0x16]);
    check(PrefixEncoding::Bcd, 3, 137, &[0x01, 0x37]);
    check(PrefixEncoding::Binary, 1, 200, &[200]);
    check(PrefixEncoding::Binary, 2, 515, &[2, 3]);
    check(PrefixEncoding::Hex, 2, 31, b"1F");
}

#[test]
fn a_length_may_count_itself() {
    let own = Prefix { own: 1, ..prefix(PrefixEncoding::Binary, 1) };
    assert_eq!(own.read(&[5]), Some(4));
    assert_eq!(own.read(&[1]), Some(0));
    assert_eq!(own.read(&[0]), None, "less than itself");
    let mut out = [0];
    own.write(4, &mut out);
    assert_eq!(out, [5]);
    let own = Prefix { own: 3, ..prefix(PrefixEncoding::Ascii, 3) };
    assert_eq!(own.read(b"010"), Some(7));
}

#[test]
fn a_length_with_a_byte_that_is_no_digit_is_none() {
    assert_eq!(prefix(PrefixEncoding::Ascii, 2).read(b"1x"), None);
    assert_eq!(prefix(PrefixEncoding::Ebcdic, 2).read(&[0xF1, 0x36]), None);
    assert_eq!(prefix(PrefixEncoding::Ebcdic, 2).read(&[0xF1, 0xFA]), None);
    assert_eq!(prefix(PrefixEncoding::Bcd, 2).read(&[0x1A]), None);
    assert_eq!(prefix(PrefixEncoding::Hex, 2).read(b"1G"), None);
    assert_eq!(prefix(PrefixEncoding::Binary, 5).read(&[9; 5]), None, "too great");
}

#[test]
fn digits_of_bcd_are_found_beside_what_fills_them_up() {
    let check = |odd, bytes: &[u8], digits, expect: &str| {
        let bcd = Bcd { odd, letters: *b"ABC=EF" };
        let text: Vec<u8> = bcd.characters(bytes, digits).collect();
        assert_eq!(String::from_utf8_lossy(&text), expect);
    };
    check(Odd::Left(0), &[0x01, 0x23], 3, "123");
    check(Odd::Right(0xF), &[0x12, 0x3F], 3, "123");
    check(Odd::Right(0), &[0x12, 0xD4], 4, "12=4");
    check(Odd::Left(0), &[], 0, "");
}

#[test]
fn bcd_that_breaks_its_class_is_found_by_its_byte() {
    let bcd = Bcd { odd: Odd::Right(0xF), letters: *b"ABC=EF" };
    let check = |content, bytes: &[u8], digits| bcd.first_violation(content, bytes, digits);
    assert_eq!(check(Content::Numeric, &[0x12, 0x3F], 3), None);
    assert_eq!(check(Content::Numeric, &[0x12, 0x30], 3), Some(1), "filled up otherwise");
    assert_eq!(check(Content::Numeric, &[0x12, 0x3A], 4), Some(1));
    assert_eq!(check(Content::Track, &[0x12, 0xD4], 4), None);
    assert_eq!(check(Content::Track, &[0x1E, 0xD4], 4), Some(0));
    assert_eq!(check(Content::Any, &[0x1E, 0xD4], 3), None);
}

#[test]
fn a_prefix_counts_what_the_spec_states() {
    let bcd = Field::new(Length::Fixed(0), Encoding::Bcd(Bcd::default()));
    let text = Field::new(Length::Fixed(0), Encoding::Ascii);
    let signed = Field::new(Length::Fixed(0), Encoding::SignedBcd(Bcd::default()));
    let check = |field: &Field, counts, value: u32, units: Option<usize>| {
        let prefix = Prefix { counts, ..prefix(PrefixEncoding::Ascii, 2) };
        assert_eq!(field.units(prefix, value), units, "{counts:?}");
        if let Some(units) = units {
            assert_eq!(field.counted(prefix, units), value);
        }
    };
    check(&bcd, Counts::Units, 3, Some(3));
    check(&bcd, Counts::Bytes, 2, Some(4));
    check(&bcd, Counts::Nibbles, 3, Some(3));
    check(&text, Counts::Units, 3, Some(3));
    check(&text, Counts::Bytes, 3, Some(3));
    check(&text, Counts::Nibbles, 6, Some(3));
    check(&text, Counts::Nibbles, 5, None);
    check(&signed, Counts::Bytes, 5, Some(9));
}
