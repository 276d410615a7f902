use super::*;

/// A network that packs digits: BCD, a binary bitmap, five bytes in front.
fn dialect() -> Dialect {
    let toml = r#"
name = "packed"
mti = "bcd"
bitmap = "binary"
[defaults.n]
encoding = "bcd"
length_encoding = "bcd"
length_counts = "digits"
[fields]
2 = { content = "n", length_max = 19, length_digits = 2, odd = "rightF", secret = true }
3 = { content = "n", length = 6 }
4 = { content = "n", length = 12 }
11 = { content = "n", length = 6 }
41 = { content = "ans", length = 16 }
49 = { content = "n", length = 3 }
60 = { content = "ans", length_max = 99, length_digits = 2 }
63 = { content = "ans", length_max = 99, length_digits = 2 }
"#;
    let spec = Spec::from_toml(toml).unwrap_or_else(|errors| panic!("{errors:?}"));
    Dialect::new(Arc::new(spec), Edition::Of1993, vec![63])
}

#[test]
fn a_message_of_another_network_is_written_as_our_own_and_back() {
    // Laid out by hand: MTI 1200; bits 2 3 4 11 41 49 60 63.
    let text = "1200702000000080801215371449635398431F0000000000000500001234565445524D3030303120202020202020200928303241423031 58";
    let bytes = hex::decode(text.replace(' ', "")).expect("hexadecimal");
    let mut home = BytesMut::new();
    dialect().to_home(&bytes, &mut home).expect("read");
    let expect = b"0200\x70\x20\x00\x00\x00\x80\x80\x1015371449635398431000000000000050000123456TERM0001928002AB";
    assert_eq!(home.escape_ascii().to_string(), expect.escape_ascii().to_string());
    let mut again = BytesMut::new();
    dialect().from_home(&home, &mut again).expect("written");
    let without_63 = text.replace("8080121537", "8080101537").replace("3031 58", "");
    assert_eq!(hex::encode_upper(&again), without_63);
}

#[test]
fn what_our_format_cannot_hold_is_told_in_the_network_s_own_places() {
    let text = "1200702000000080801015371449635398431F0000000000000500001234565445524D3030303120202020202020410928303241 42";
    let bytes = hex::decode(text.replace(' ', "")).expect("hexadecimal");
    let mut home = BytesMut::new();
    let error = dialect().to_home(&bytes, &mut home).expect_err("sixteen characters");
    assert_eq!((error.kind, error.field, error.offset), (ErrorKind::TooLong, 41, 31));
    let mut index = Index::default();
    Spec::cauce87().index(&home, &mut index).expect("what could be read is a message");
    assert_eq!(index.fields().collect::<Vec<_>>(), [2, 3, 4, 11, 49, 60]);
}

/// The message of the first test.
fn message() -> Vec<u8> {
    let text = "1200702000000080801215371449635398431F0000000000000500001234565445524D3030303120202020202020200928303241423031 58";
    hex::decode(text.replace(' ', "")).expect("hexadecimal")
}

/// Reads bytes, and tells whether all was well; what was read is a message of ours in any case.
fn read(bytes: &[u8]) -> bool {
    let (mut home, mut again) = (BytesMut::new(), BytesMut::new());
    let read = dialect().to_home(bytes, &mut home);
    let mut index = Index::default();
    Spec::cauce87().index(&home, &mut index).expect("a message of ours");
    dialect().from_home(&home, &mut again).ok();
    read.is_ok()
}

#[test]
fn whatever_is_cut_or_flipped_what_was_read_is_a_message_of_ours() {
    let whole = message();
    assert!(read(&whole));
    for len in 0..whole.len() {
        assert!(!read(&whole[..len]), "{len} bytes");
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        read(&flipped);
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        read(&bytes);
    }

    #[test]
    fn no_fields_make_it_panic(fields in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        // A type and a bitmap that make it further than bytes at random do.
        read(&[&message()[..10], &fields].concat());
    }
}

/// A bank that knows nothing of our texts and private data, and seals its messages in field 64.
fn terse() -> Dialect {
    let toml = r#"
name = "terse"
mti = "bcd"
bitmap = "binary"
[defaults.n]
encoding = "bcd"
[fields]
4 = { content = "n", length = 12 }
7 = { content = "n", length = 10 }
11 = { content = "n", length = 6 }
39 = { content = "an", length = 2 }
44 = { content = "ans", length_max = 4, length_digits = 2 }
64 = { content = "b", length = 8 }
70 = { content = "n", length = 3 }
128 = { content = "b", length = 8 }
"#;
    let spec = Spec::from_toml(toml).unwrap_or_else(|errors| panic!("{errors:?}"));
    let dialect = Dialect::new(Arc::new(spec), Edition::Of1987, Vec::new());
    dialect.authenticated(64).expect("both fields hold a code")
}

/// One of our own messages, by fields.
fn ours(mti: [u8; 4], fields: &[(u8, &str)]) -> BytesMut {
    let mut out = BytesMut::new();
    let mut packer = Packer::begin(Spec::cauce87(), mti, &mut out);
    for (number, text) in fields {
        packer.put(*number, text.as_bytes()).expect("a field of ours");
    }
    packer.finish();
    out
}

#[test]
fn what_a_network_does_not_know_is_dropped_and_room_is_made_for_its_code() {
    let answer = ours(
        *b"0210",
        &[(7, "1126193000"), (11, "000007"), (39, "30"), (44, "6006 DE4 @37"), (48, "11046006")],
    );
    let mut out = BytesMut::new();
    terse().from_home(&answer, &mut out).expect("written");
    // By hand: MTI, bits 7 11 39 64, DE7, DE11, DE39 in ASCII, eight bytes of room.
    let expect = "0210 0220000002000001 1126193000 000007 3330 0000000000000000";
    assert_eq!(hex::encode_upper(&out), expect.replace(' ', ""));
    assert_eq!(terse().mac_field(&out), Some(MacField { number: 64, at: 20..28 }));

    let echo = ours(*b"0800", &[(7, "1126193000"), (11, "000007"), (70, "301")]);
    out.clear();
    terse().from_home(&echo, &mut out).expect("written");
    // By hand: bits 1 7 11 and 70 128, DE70 with a zero in front.
    let expect = "0800 8220000000000000 0400000000000001 1126193000 000007 0301 0000000000000000";
    assert_eq!(hex::encode_upper(&out), expect.replace(' ', ""));
    let mut home = BytesMut::new();
    terse().to_home(&out, &mut home).expect("read");
    assert_eq!(home, echo, "the code is none of our fields");
}

#[test]
fn what_moves_money_is_never_dropped() {
    let debit = ours(*b"0200", &[(4, "000000015000"), (11, "000007"), (28, "D00000100")]);
    let mut out = BytesMut::from(&b"kept"[..]);
    let error = terse().from_home(&debit, &mut out);
    assert_eq!(error, Err(PackError::UndefinedField { field: 28 }));
    assert_eq!(out, b"kept"[..]);
    let dropping = terse().dropping(vec![28]);
    dropping.from_home(&debit, &mut out).expect("its configuration says so");
}

#[test]
fn a_request_for_money_never_loses_the_one_who_pays() {
    let card = ours(*b"0200", &[(2, "4000001234567899"), (4, "000000015000"), (11, "000007")]);
    let account = ours(*b"0201", &[(4, "000000015000"), (11, "000007"), (102, "77001")]);
    let reversal = ours(*b"0420", &[(2, "4000001234567899"), (11, "000007")]);
    let written = |dialect: &Dialect, ours: &[u8]| dialect.from_home(ours, &mut BytesMut::new());
    let lost = |field| Err(PackError::UndefinedField { field });
    let ignoring = Dialect { ignored: vec![2, 102], ..dialect() };
    assert_eq!(written(&ignoring, &card), lost(2));
    assert_eq!(written(&ignoring, &account), lost(102));
    assert_eq!(written(&ignoring, &reversal), Ok(()), "the original is named otherwise");
    let dropping = dialect().dropping(vec![2, 102]);
    assert_eq!(written(&dropping, &account), lost(102));
    assert_eq!(written(&dropping, &card), Ok(()));
}

#[test]
fn a_format_without_room_for_a_code_cannot_be_authenticated() {
    assert_eq!(dialect().authenticated(64).err(), Some(64));
    assert_eq!(dialect().authenticated(128).err(), Some(128));
    assert!(terse().carries(70) && !terse().carries(49) && !terse().carries(64));
}

#[test]
fn our_messages_go_into_the_formats_of_other_projects_and_come_back() {
    macro_rules! specs {
        ($($name:literal),+) => {
            [$(include_str!(concat!("../../../testdata/iso8583/specs/", $name, ".json"))),+]
        };
    }
    macro_rules! messages {
        ($($name:literal),+) => {
            [$(include_str!(concat!("../../../testdata/cauce87/", $name, ".hex"))),+]
        };
    }
    for spec in specs!("iso87-bcd", "iso87-ascii", "erl87-bcd", "erl87-ebcdic") {
        let spec = Spec::from_any(spec).unwrap_or_else(|errors| panic!("{errors:?}"));
        let dialect = Dialect::new(Arc::new(spec), Edition::Of1987, Vec::new());
        let name = dialect.spec().name();
        for text in messages!("card-payment", "payment-request", "reversal-advice", "sign-on") {
            let ours = hex::decode(text.trim()).expect("hexadecimal");
            let (mut theirs, mut again) = (BytesMut::new(), BytesMut::new());
            let written = dialect.from_home(&ours, &mut theirs);
            written.unwrap_or_else(|error| panic!("{name}: {error}"));
            let read = dialect.to_home(&theirs, &mut again);
            read.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(again.escape_ascii().to_string(), ours.escape_ascii().to_string(), "{name}");
        }
    }
}

#[test]
fn a_number_keeps_zeros_in_front_where_the_network_states_no_class() {
    let json = r#"{"name": "n", "mti": "ascii", "bitmap": "hex",
                   "fields": {"11": {"len": 6}, "25": {"len": 4}}}"#;
    let spec = Spec::from_any(json).unwrap_or_else(|errors| panic!("{errors:?}"));
    let dialect = Dialect::new(Arc::new(spec), Edition::Of1993, Vec::new());
    let network = b"110000200080000000001234560041";
    let (mut home, mut again) = (BytesMut::new(), BytesMut::new());
    dialect.to_home(network, &mut home).expect("read");
    assert!(home.ends_with(b"12345641"));
    dialect.from_home(&home, &mut again).expect("written");
    assert_eq!(again.escape_ascii().to_string(), network.escape_ascii().to_string());
}

#[test]
fn a_half_byte_that_is_no_digit_is_told_by_the_byte_it_is_in() {
    let json = r#"{"name": "n", "mti": "bcd", "bitmap": "binary",
                   "fields": {"3": {"len": 6, "enc": "bcd"}, "49": {"len": 3, "enc": "bcd"}}}"#;
    let spec = Spec::from_any(json).unwrap_or_else(|errors| panic!("{errors:?}"));
    let dialect = Dialect::new(Arc::new(spec), Edition::Of1987, Vec::new());
    let check = |text: &str, field, offset| {
        let bytes = hex::decode(text).expect("hexadecimal");
        let error = dialect.to_home(&bytes, &mut BytesMut::new()).expect_err("no digit");
        let found = (error.kind, error.field, error.offset);
        assert_eq!(found, (ErrorKind::BadContent, field, offset), "{text}");
    };
    check("020020000000000080001234A60484", 3, 12);
    check("0200200000000000800012345A0484", 3, 12);
    check("020020000000000080001234560A84", 49, 13);
    check("0200200000000000800012345604A4", 49, 14);
    check("02002000000000008000123456048C", 49, 14);
}

#[test]
fn a_number_in_a_field_of_text_comes_back_without_the_spaces_behind_it() {
    let spec = Spec::builtin("iso93-ascii").expect("compiled in");
    let dialect = Dialect::new(spec, Edition::Of1993, Vec::new());
    let mut home = BytesMut::new();
    let mut packer = Packer::begin(Spec::cauce87(), *b"0200", &mut home);
    packer.put(22, b"051").expect("put");
    packer.finish();
    let (mut network, mut again) = (BytesMut::new(), BytesMut::new());
    dialect.from_home(&home, &mut network).expect("written");
    assert!(network.ends_with(b"051         "), "{}", network.escape_ascii());
    dialect.to_home(&network, &mut again).expect("read");
    assert_eq!(again, home);
}
