//! Framings against bytes written by hand after the descriptions of the channels they are like.

use bytes::{Bytes, BytesMut};
use codecs::frame::{
    Counts, Frame, FrameError, FrameSpec, Framer, Header, HeaderKind, KeepAlive, LengthKind,
    Received, Trailer,
};
use proptest::prelude::*;
use tokio_util::codec::Decoder;

/// Header of a message: 22 bytes, format 1, text 2, total 0x1A, for station 123456, from 654321.
const BASE1: &str = "16 01 02 001A 123456 654321 00 0000 000000 00 000000 00";
/// Header of its reply: stations swapped.
const BASE1_REPLY: &str = "16 01 02 001A 654321 123456 00 0000 000000 00 000000 00";
/// Header of a reject: 26 bytes, another header follows (format 81), reject code 0514.
const REJECT: &str = "1A 81 02 0034 654321 123456 00 0000 000000 00 000000 00 8000 0514";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).expect("hexadecimal")
}

/// All that a stream brings when it comes in these chunks.
fn received(framer: &Framer, chunks: &[&[u8]]) -> Result<Vec<Received>, FrameError> {
    let (mut framer, mut stream, mut all) = (framer.clone(), BytesMut::new(), Vec::new());
    for chunk in chunks {
        stream.extend_from_slice(chunk);
        while let Some(one) = framer.decode(&mut stream)? {
            all.push(one);
        }
    }
    assert!(stream.is_empty(), "bytes are left");
    Ok(all)
}

fn message(kind: HeaderKind, header: &[u8], body: &'static [u8]) -> Received {
    let raw = Bytes::copy_from_slice(header);
    let header = (kind != HeaderKind::None).then(|| Header::new(kind, raw).expect("a header"));
    Received::Message(Frame { header, body: Bytes::from_static(body) })
}

/// Three frames with a keep-alive before the last, whole and cut at every byte.
fn check(preset: &str, header: &str, frame: &str, keep_alive: &str) {
    let framer = Framer::from_value(&preset.into()).expect("a preset");
    let (frame, keep_alive, header) = (bytes(frame), bytes(keep_alive), bytes(header));
    let stream = [&frame[..], &frame, &keep_alive, &frame].concat();
    let spec = framer.spec();
    let one = message(spec.header, &header, b"0800");
    let mut expected = vec![one; 3];
    if spec.keep_alive == KeepAlive::Echo {
        expected.insert(2, Received::KeepAlive);
    }
    for at in 0..=stream.len() {
        let (first, last) = stream.split_at(at);
        let all = received(&framer, &[first, last]).expect("framed");
        assert_eq!(all, expected, "{preset} cut at {at}");
    }
    let chunks: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(received(&framer, &chunks).expect("framed"), expected, "{preset} byte by byte");

    let mut out = BytesMut::new();
    let header = Header::new(spec.header, Bytes::from(header)).ok();
    framer.encode(header.as_ref(), b"0800", &mut out).expect("fits");
    assert_eq!(&out[..], frame, "{preset} written");
    out.clear();
    framer.keep_alive(&mut out);
    assert_eq!(&out[..], keep_alive, "{preset} keep-alive");
}

#[test]
fn each_preset_frames_as_its_channel_does() {
    const BODY: &str = "30383030";
    check("binary2", "", &format!("0004 {BODY}"), "0000");
    check("binary3", "", &format!("000004 {BODY}"), "000000");
    check("binary4", "", &format!("00000004 {BODY}"), "00000000");
    check("ascii4", "", &format!("30303034 {BODY}"), "30303030");
    check("hex4", "", &format!("30303034 {BODY}"), "30303030");
    check("bcd2", "", &format!("0004 {BODY}"), "0000");
    check("nac", "6000010002", &format!("0009 6000010002 {BODY}"), "0000");
    check("cs", "", &format!("0004 0000 {BODY}"), "0000 0000");
    check("vap", BASE1, &format!("001A 0000 {BASE1} {BODY}"), "0000 0000");
    check("gicc", "", &format!("0000 0004 {BODY}"), "0000 0000");
    check("amex", "", &format!("0006 {BODY}"), "0000");
    check("base24", "", &format!("0005 {BODY} 03"), "0000");
    check("etx", "", &format!("{BODY} 03"), "03");
}

#[test]
fn every_preset_has_a_test_of_its_own_bytes() {
    let names: Vec<&str> = FrameSpec::PRESETS.iter().map(|(name, _)| *name).collect();
    let tested = "binary2 binary3 binary4 ascii4 hex4 bcd2 nac cs vap gicc amex base24 etx";
    assert_eq!(names.join(" "), tested);
}

#[test]
fn a_reply_goes_back_to_the_station_it_came_from() {
    let reply = |kind, raw: &str| Header::new(kind, bytes(raw).into()).expect("a header").reply();
    assert_eq!(reply(HeaderKind::Tpdu, "6001020304").raw()[..], bytes("6003040102"));
    assert_eq!(reply(HeaderKind::Base1, BASE1).raw()[..], bytes(BASE1_REPLY));
    assert_eq!(reply(HeaderKind::Fixed(3), "414243").raw()[..], *b"ABC");
}

#[test]
fn a_rejected_message_says_so_and_keeps_both_headers() {
    let framer = Framer::new(FrameSpec::VAP).expect("a framing");
    let wire = bytes(&format!("0034 0000 {REJECT} {BASE1} 30383030"));
    for at in 0..=wire.len() {
        let all = received(&framer, &[&wire[..at], &wire[at..]]).expect("framed");
        let [Received::Message(frame)] = &all[..] else { panic!("one message") };
        assert_eq!(frame.body[..], *b"0800");
        let header = frame.header.as_ref().expect("a header");
        assert!(header.is_rejected());
        assert_eq!(header.reject_code(), Some(514));
        assert_eq!(header.raw()[..], bytes(&format!("{REJECT} {BASE1}")));
        assert_eq!(header.reply().raw()[..], bytes(BASE1_REPLY));
        assert!(!header.reply().is_rejected());
    }
}

#[test]
fn a_header_with_an_impossible_length_names_its_place() {
    let framer = Framer::new(FrameSpec::VAP).expect("a framing");
    let short = bytes("001A 0000 15").into_iter().chain([0; 25]).collect::<Vec<u8>>();
    let error = received(&framer, &[&short]).expect_err("out of step");
    assert!(matches!(error, FrameError::BadHeader { offset: 4 }), "{error}");
    // The second header of a reject is cut short by the frame's end.
    let cut = bytes(&format!("001C 0000 {REJECT} 1601"));
    let error = received(&framer, &[&cut]).expect_err("out of step");
    assert!(matches!(error, FrameError::ShortHeader { stated: 28, .. }), "{error}");
    let second = bytes(&format!("001E 0000 {REJECT} 01010101"));
    let error = received(&framer, &[&second]).expect_err("out of step");
    assert!(matches!(error, FrameError::BadHeader { offset: 30 }), "{error}");
}

#[test]
fn a_length_may_leave_out_the_header_or_count_all() {
    let line = |counts| Framer::new(FrameSpec { counts, ..FrameSpec::NAC }).expect("a framing");
    let body = "6000010002 30383030";
    for (counts, length) in [
        (Counts::Message, "0004"),
        (Counts::HeaderAndMessage, "0009"),
        (Counts::LengthAndMessage, "0006"),
        (Counts::All, "000B"),
    ] {
        let wire = bytes(&format!("{length}{body}"));
        let all = received(&line(counts), &[&wire]).expect("framed");
        assert_eq!(all, [message(HeaderKind::Tpdu, &bytes("6000010002"), b"0800")]);
    }
}

#[test]
fn a_frame_without_its_trailer_is_out_of_step() {
    let framer = Framer::new(FrameSpec::BASE24).expect("a framing");
    let error = received(&framer, &[b"\x00\x050800\x04"]).expect_err("out of step");
    assert!(matches!(error, FrameError::NoTrailer { offset: 6 }), "{error}");
    // With a length, the message may hold the trailer's byte; without, it may not.
    let mut out = BytesMut::new();
    framer.encode(None, b"08\x0300", &mut out).expect("fits");
    let etx = Framer::new(FrameSpec::ETX).expect("a framing");
    let error = etx.encode(None, b"08\x0300", &mut out).expect_err("ends early");
    assert!(matches!(error, FrameError::TrailerWithin { offset: 2 }), "{error}");
}

#[test]
fn a_stream_that_never_ends_a_message_is_refused_at_the_maximum() {
    let framer = Framer::new(FrameSpec { body_len_max: 8, ..FrameSpec::ETX }).expect("a framing");
    assert!(received(&framer, &[b"12345678", b"\x03"]).is_ok());
    let error = received(&framer, &[b"12345678", b"9"]).expect_err("too long");
    assert!(matches!(error, FrameError::TooLong { stated: 10, max: 9 }), "{error}");
}

#[test]
fn a_framing_is_described_by_its_parts() {
    let value =
        |text: &str| -> toml::Value { toml::from_str::<toml::Table>(text).expect("toml").into() };
    let described = value(
        "length = 'ascii'\ndigits = 6\ncounts = 'message'\nheader = 'fixed'\nheader_len = 3\n\
         own_header = '414243'\ntrailer = 'etx'\nkeep_alive = 'echo'\nbody_len_max = 100",
    );
    let framer = Framer::from_value(&described).expect("a framing");
    let spec = FrameSpec {
        length: LengthKind::Ascii(6),
        counts: Counts::Message,
        header: HeaderKind::Fixed(3),
        trailer: Trailer::Etx,
        keep_alive: KeepAlive::Echo,
        body_len_max: 100,
    };
    assert_eq!(*framer.spec(), spec);
    let mut out = BytesMut::new();
    framer.encode(framer.own_header(), b"0800", &mut out).expect("fits");
    assert_eq!(&out[..], b"000005ABC0800\x03");
    let shorter =
        Framer::from_value(&value("preset = 'nac'\nbody_len_max = 64")).expect("a framing");
    assert_eq!(*shorter.spec(), FrameSpec { body_len_max: 64, ..FrameSpec::NAC });
}

#[test]
fn every_mistake_of_a_description_is_reported_with_its_key() {
    let check = |text: &str, keys: &[&str]| {
        let value = toml::from_str::<toml::Table>(text).expect("toml").into();
        let mistakes = Framer::from_value(&value).expect_err("no framing");
        let found: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
        assert_eq!(found, keys, "{text}");
    };
    check("", &["length"]);
    check("lenght = 'hex4'\nheaders = 'none'", &["headers", "lenght", "length"]);
    check(
        "length = 'ascii'\ntrailer = 'stx'\nbody_len_max = 0",
        &["trailer", "digits", "body_len_max"],
    );
    check("length = 'ascii'\ndigits = 7", &["digits"]);
    check("length = 'hex4'\ndigits = 4\nheader = 'fixed'", &["digits", "header_len"]);
    check("length = 'none'\nheader = 'tpdu'", &["trailer", "header"]);
    check("preset = 'nac'\nown_header = '6001'", &["own_header"]);
    check("preset = 'nap'", &["preset"]);
    check("length = 4", &[""]);
}

/// Every length, header, trailer and way to count that goes together.
fn framings() -> impl Strategy<Value = FrameSpec> {
    let length = prop::sample::select(vec![
        LengthKind::Ascii(3),
        LengthKind::Ascii(6),
        LengthKind::Hex4,
        LengthKind::Bcd2,
        LengthKind::Binary2,
        LengthKind::Binary3,
        LengthKind::Binary4,
        LengthKind::Binary2Little,
        LengthKind::Binary2Zero2,
        LengthKind::Zero2Binary2,
        LengthKind::None,
    ]);
    let counts = prop::sample::select(vec![
        Counts::Message,
        Counts::HeaderAndMessage,
        Counts::LengthAndMessage,
        Counts::All,
    ]);
    let header = prop::sample::select(vec![
        HeaderKind::None,
        HeaderKind::Fixed(7),
        HeaderKind::Tpdu,
        HeaderKind::Base1,
    ]);
    let trailer = prop::sample::select(vec![Trailer::None, Trailer::Etx]);
    let keep_alive = prop::sample::select(vec![KeepAlive::Skip, KeepAlive::Echo]);
    (length, counts, header, trailer, keep_alive).prop_map(
        |(length, counts, header, trailer, keep_alive)| FrameSpec {
            length,
            counts,
            header,
            trailer,
            keep_alive,
            body_len_max: 300,
        },
    )
}

proptest! {
    #[test]
    fn what_is_framed_comes_out_as_it_went_in(
        spec in framings(),
        bodies in prop::collection::vec(prop::collection::vec(4_u8.., 1..=300), 1..5),
        chunk in 1_usize..400,
    ) {
        let Ok(framer) = Framer::new(spec) else { return Ok(()) };
        let (mut out, mut expected) = (BytesMut::new(), Vec::new());
        for body in &bodies {
            framer.encode(framer.own_header(), body, &mut out).expect("fits");
            framer.keep_alive(&mut out);
            expected.push(Some(body.clone()));
            expected.extend((spec.keep_alive == KeepAlive::Echo).then_some(None));
        }
        let chunks: Vec<&[u8]> = out.chunks(chunk).collect();
        let all = received(&framer, &chunks).expect("framed");
        let all: Vec<Option<Vec<u8>>> = all
            .into_iter()
            .map(|one| match one {
                Received::Message(frame) => Some(frame.body.to_vec()),
                Received::KeepAlive => None,
            })
            .collect();
        prop_assert_eq!(all, expected);
    }

    #[test]
    fn a_random_stream_is_framed_within_the_maximum_or_refused(
        spec in framings(),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        chunk in 1_usize..100,
    ) {
        let spec = FrameSpec { body_len_max: 100, ..spec };
        let Ok(mut framer) = Framer::new(spec) else { return Ok(()) };
        let mut stream = BytesMut::new();
        'stream: for part in bytes.chunks(chunk) {
            stream.extend_from_slice(part);
            loop {
                match framer.decode(&mut stream) {
                    Ok(Some(Received::Message(frame))) => prop_assert!(frame.body.len() <= 100),
                    Ok(Some(Received::KeepAlive)) => {}
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
        }
    }
}
