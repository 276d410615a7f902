use super::*;

fn framer(length: LengthKind, header: HeaderKind) -> Framer {
    let spec = FrameSpec { length, header, body_len_max: 20, ..FrameSpec::BINARY2 };
    Framer::new(spec).expect("a framing")
}

fn decode(framer: &Framer, bytes: &[u8]) -> Result<Option<Received>, FrameError> {
    framer.clone().decode(&mut BytesMut::from(bytes))
}

fn tpdu(bytes: [u8; 5]) -> Header {
    Header::new(HeaderKind::Tpdu, Bytes::copy_from_slice(&bytes)).expect("a header")
}

#[test]
fn every_length_kind_writes_what_its_channel_prescribes() {
    // Widths and notations as in the channels of jPOS: Post, CMF, Raw, ASCII, NCC, HEX, CS, GICC.
    for (kind, prefix) in [
        (LengthKind::Binary2, &b"\x00\x12"[..]),
        (LengthKind::Binary3, b"\x00\x00\x12"),
        (LengthKind::Binary4, b"\x00\x00\x00\x12"),
        (LengthKind::Binary2Little, b"\x12\x00"),
        (LengthKind::Ascii(2), b"18"),
        (LengthKind::Ascii(4), b"0018"),
        (LengthKind::Ascii(6), b"000018"),
        (LengthKind::Bcd2, b"\x00\x18"),
        (LengthKind::Hex4, b"0012"),
        (LengthKind::Binary2Zero2, b"\x00\x12\x00\x00"),
        (LengthKind::Zero2Binary2, b"\x00\x00\x00\x12"),
    ] {
        let framer = framer(kind, HeaderKind::None);
        let mut out = BytesMut::new();
        framer.encode(None, b"123456789012345678", &mut out).expect("fits");
        assert_eq!(&out[..], &[prefix, b"123456789012345678"].concat());
        let frame = decode(&framer, &out).expect("framed").expect("whole");
        let body = Bytes::from_static(b"123456789012345678");
        assert_eq!(frame, Received::Message(Frame { header: None, body }));
    }
}

#[test]
fn the_largest_length_of_each_kind_is_written_and_one_more_refused() {
    for (kind, most, prefix) in [
        (LengthKind::Ascii(1), 9, &b"9"[..]),
        (LengthKind::Ascii(3), 999, b"999"),
        (LengthKind::Bcd2, 9999, b"\x99\x99"),
        (LengthKind::Hex4, 0xFFFF, b"FFFF"),
        (LengthKind::Binary2, 0xFFFF, b"\xFF\xFF"),
        (LengthKind::Binary2Little, 0xFFFF, b"\xFF\xFF"),
        (LengthKind::Binary3, BODY_LEN_CEILING, b"\x10\x00\x00"),
    ] {
        let spec = FrameSpec { length: kind, body_len_max: BODY_LEN_CEILING, ..FrameSpec::BINARY2 };
        let framer = Framer::new(spec).expect("a framing");
        assert_eq!(framer.message_len_max(), most);
        let mut out = BytesMut::new();
        framer.encode(None, &vec![b'1'; most], &mut out).expect("fits");
        assert_eq!(&out[..prefix.len()], prefix);
        let error = framer.encode(None, &vec![b'1'; most + 1], &mut out).expect_err("too long");
        assert!(matches!(error, FrameError::TooLong { max, .. } if max == most), "{error}");
    }
}

#[test]
fn a_half_frame_waits_at_every_byte_and_frames_come_out_one_by_one() {
    let mut framer = framer(LengthKind::Binary2, HeaderKind::Tpdu);
    let wire = b"\x00\x00\x00\x08\x60\x00\x01\x00\x02abc\x00\x00\x00\x06\x60\x00\x01\x00\x02d";
    let mut stream = BytesMut::new();
    let mut bodies = Vec::new();
    for byte in wire {
        stream.put_u8(*byte);
        if let Some(Received::Message(frame)) = framer.decode(&mut stream).expect("framed") {
            let header = frame.header.expect("a header");
            assert_eq!(header.reply(), tpdu([0x60, 0, 2, 0, 1]));
            bodies.push(frame.body);
        }
    }
    assert_eq!(bodies, [&b"abc"[..], b"d"]);
    assert!(stream.is_empty());
}

#[test]
fn a_message_is_cut_without_a_copy() {
    let mut stream = BytesMut::from(&b"\x00\x03abc"[..]);
    let start = stream.as_ptr().wrapping_add(2);
    let received = framer(LengthKind::Binary2, HeaderKind::None).decode(&mut stream);
    let Ok(Some(Received::Message(frame))) = received else { panic!("a message") };
    assert_eq!(frame.body.as_ptr(), start);
}

#[test]
fn a_stream_that_ends_within_a_frame_is_an_error() {
    let mut framer = framer(LengthKind::Binary2, HeaderKind::None);
    let mut stream = BytesMut::from(&b"\x00\x05ab"[..]);
    assert!(matches!(framer.decode(&mut stream), Ok(None)));
    assert!(matches!(framer.decode_eof(&mut stream), Err(FrameError::Io(_))));
}

#[test]
fn a_length_over_the_maximum_names_both() {
    let result = decode(&framer(LengthKind::Binary2, HeaderKind::None), b"\x00\x15");
    assert!(matches!(result, Err(FrameError::TooLong { stated: 21, max: 20 })), "{result:?}");
    let framer = framer(LengthKind::Ascii(4), HeaderKind::None);
    let mut out = BytesMut::from(&b"before"[..]);
    let result = framer.encode(None, &[b'1'; 21], &mut out);
    assert!(matches!(result, Err(FrameError::TooLong { stated: 21, max: 20 })), "{result:?}");
    assert_eq!(&out[..], b"before");
}

#[test]
fn nothing_is_reserved_for_a_length_that_is_refused() {
    let mut stream = BytesMut::from(&b"\xFF\xFF\xFF\xFF"[..]);
    let before = stream.capacity();
    assert!(framer(LengthKind::Binary4, HeaderKind::None).decode(&mut stream).is_err());
    assert_eq!(stream.capacity(), before);
}

#[test]
fn a_length_that_is_no_number_names_the_byte() {
    for (kind, bytes, at) in [
        (LengthKind::Ascii(4), &b"00x8"[..], 2),
        (LengthKind::Ascii(4), b"+008", 0),
        (LengthKind::Bcd2, b"\x00\x1A", 1),
        (LengthKind::Hex4, b"00G0", 2),
    ] {
        let result = decode(&framer(kind, HeaderKind::None), bytes);
        assert!(matches!(result, Err(FrameError::NotDigit { offset }) if offset == at));
    }
    for (kind, bytes, at) in [
        (LengthKind::Binary2Zero2, &b"\x00\x02\x00\x01"[..], 3),
        (LengthKind::Zero2Binary2, b"\x01\x00\x00\x02", 0),
    ] {
        let result = decode(&framer(kind, HeaderKind::None), bytes);
        assert!(matches!(result, Err(FrameError::NotZero { offset }) if offset == at));
    }
}

#[test]
fn a_frame_shorter_than_its_header_is_refused() {
    let result = decode(&framer(LengthKind::Binary2, HeaderKind::Tpdu), b"\x00\x03");
    assert!(matches!(result, Err(FrameError::ShortHeader { stated: 3, need: 5 })), "{result:?}");
}

#[test]
fn a_length_that_counts_itself_cannot_be_less() {
    let amex = Framer::new(FrameSpec::AMEX).expect("a framing");
    let result = decode(&amex, b"\x00\x01");
    assert!(matches!(result, Err(FrameError::ShortLength { stated: 1, need: 2 })), "{result:?}");
}

#[test]
fn a_length_that_counts_nothing_but_itself_is_a_keep_alive() {
    let amex = Framer::new(FrameSpec::AMEX).expect("a framing");
    assert_eq!(decode(&amex, b"\x00\x02").expect("framed"), Some(Received::KeepAlive));
    assert_eq!(decode(&amex, b"\x00\x00").expect("framed"), Some(Received::KeepAlive));
}

#[test]
fn a_header_must_fit_the_line() {
    let mut out = BytesMut::new();
    let with = framer(LengthKind::Binary2, HeaderKind::Tpdu);
    assert!(matches!(with.encode(None, b"a", &mut out), Err(FrameError::HeaderMismatch)));
    let fixed = HeaderKind::Fixed(5).blank();
    assert!(matches!(with.encode(fixed.as_ref(), b"a", &mut out), Err(FrameError::HeaderMismatch)));
    let without = framer(LengthKind::Binary2, HeaderKind::None);
    let header = tpdu([0x60, 0, 1, 0, 2]);
    assert!(matches!(
        without.encode(Some(&header), b"a", &mut out),
        Err(FrameError::HeaderMismatch)
    ));
    assert!(out.is_empty());
    assert!(Header::new(HeaderKind::Tpdu, Bytes::from_static(b"1234")).is_err());
    assert!(Header::new(HeaderKind::None, Bytes::new()).is_err());
}

#[test]
fn a_keep_alive_is_a_length_of_zero_and_a_message_of_none_is_refused() {
    let mut out = BytesMut::new();
    let framer = framer(LengthKind::Ascii(4), HeaderKind::None);
    framer.keep_alive(&mut out);
    assert_eq!(&out[..], b"0000");
    assert!(matches!(framer.encode(None, b"", &mut out), Err(FrameError::Empty)));
    assert_eq!(&out[..], b"0000");
}

#[test]
fn parts_that_do_not_go_together_are_all_named() {
    let spec = FrameSpec {
        header: HeaderKind::Tpdu,
        trailer: Trailer::None,
        body_len_max: 0,
        ..FrameSpec::ETX
    };
    let mistakes = Framer::new(spec).expect_err("no framing");
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["body_len_max", "trailer", "header"]);
}
