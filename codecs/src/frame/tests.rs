use super::*;

fn framer(length: LengthKind, header: HeaderKind) -> Framer {
    Framer::new(FrameSpec { length, header, body_len_max: 20 })
}

fn decode(framer: &Framer, bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
    framer.clone().decode(&mut BytesMut::from(bytes))
}

#[test]
fn every_length_kind_writes_what_its_channel_prescribes() {
    // Widths and notations as in the channels of jPOS: Post, Raw, ASCII, NCC, HEX.
    for (kind, prefix) in [
        (LengthKind::Binary2, &b"\x00\x12"[..]),
        (LengthKind::Binary4, b"\x00\x00\x00\x12"),
        (LengthKind::Ascii4, b"0018"),
        (LengthKind::Bcd2, b"\x00\x18"),
        (LengthKind::Hex4, b"0012"),
    ] {
        let framer = framer(kind, HeaderKind::None);
        let mut out = BytesMut::new();
        framer.encode(None, b"123456789012345678", &mut out).expect("fits");
        assert_eq!(&out[..], &[prefix, b"123456789012345678"].concat());
        let frame = decode(&framer, &out).expect("framed").expect("whole");
        assert_eq!(frame, Frame { header: None, body: Bytes::from_static(b"123456789012345678") });
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
        if let Some(frame) = framer.decode(&mut stream).expect("framed") {
            assert_eq!(frame.header.map(Tpdu::reply), Some(Tpdu([0x60, 0, 2, 0, 1])));
            bodies.push(frame.body);
        }
    }
    assert_eq!(bodies, [&b"abc"[..], b"d"]);
    assert!(stream.is_empty());
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
    let framer = framer(LengthKind::Ascii4, HeaderKind::None);
    let mut out = BytesMut::from(&b"before"[..]);
    let result = framer.encode(None, &[b'1'; 21], &mut out);
    assert!(matches!(result, Err(FrameError::TooLong { stated: 21, max: 20 })), "{result:?}");
    assert_eq!(&out[..], b"before");
}

#[test]
fn a_length_that_is_no_number_names_the_byte() {
    let ascii = decode(&framer(LengthKind::Ascii4, HeaderKind::None), b"00x8");
    assert!(matches!(ascii, Err(FrameError::NotDigit { offset: 2 })), "{ascii:?}");
    let bcd = decode(&framer(LengthKind::Bcd2, HeaderKind::None), b"\x00\x1A");
    assert!(matches!(bcd, Err(FrameError::NotDigit { offset: 1 })), "{bcd:?}");
}

#[test]
fn a_frame_shorter_than_its_header_is_refused() {
    let result = decode(&framer(LengthKind::Binary2, HeaderKind::Tpdu), b"\x00\x03abc");
    assert!(matches!(result, Err(FrameError::ShortHeader { stated: 3, need: 5 })), "{result:?}");
}

#[test]
fn a_header_must_fit_the_line() {
    let mut out = BytesMut::new();
    let with = framer(LengthKind::Binary2, HeaderKind::Tpdu);
    assert!(matches!(with.encode(None, b"a", &mut out), Err(FrameError::HeaderMismatch)));
    let without = framer(LengthKind::Binary2, HeaderKind::None);
    let header = Some(Tpdu([0x60, 0, 1, 0, 2]));
    assert!(matches!(without.encode(header, b"a", &mut out), Err(FrameError::HeaderMismatch)));
    assert!(out.is_empty());
}

#[test]
fn a_keep_alive_is_a_length_of_zero() {
    let mut out = BytesMut::new();
    framer(LengthKind::Ascii4, HeaderKind::None).keep_alive(&mut out);
    assert_eq!(&out[..], b"0000");
}
