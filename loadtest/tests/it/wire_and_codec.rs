//! The harness writes and reads the wire by its own table; the codec must see the same messages.

use codecs::iso8583::{Index, Packer, Spec};
use loadtest::simulator::acquirer::Fields;
use loadtest::wire;

fn sample() -> Fields {
    Fields::new()
        .with(2, "4000000000000002")
        .with(3, "000000")
        .with(4, "000000051200")
        .with(7, "1123211722")
        .with(11, "000007")
        .with(28, "D00001200")
        .with(32, "700001")
        .with(37, "000000000042")
        .with(41, "TERM0001")
        .with(42, "DESPACHO0000001")
        .with(43, format!("{:<40}", "AV. REFORMA 1"))
        .with(48, "0106isp-ve0212000000000042")
        .with(49, "484")
        .with(52, vec![0, 1, 2, 3, 252, 253, 254, 255])
        .with(55, vec![0x9F, 0x26, 0])
        .with(90, "0200000006112321172200000700001000000000".to_owned() + "00")
        .with(102, "12345")
}

#[test]
fn the_codec_finds_every_field_the_harness_wrote() {
    let mut frame = Vec::new();
    wire::encode(&mut frame, *b"0200", sample().iter()).unwrap();
    let (message, _) = wire::first_message(&frame).unwrap();
    let mut index = Index::default();
    Spec::cauce87().index(message, &mut index).unwrap();
    let found: Vec<_> = index.fields().map(|field| (field, index.field(message, field))).collect();
    let written: Vec<_> = sample().iter().map(|(field, _)| field).collect();
    assert_eq!(found.iter().map(|(field, _)| *field).collect::<Vec<_>>(), written);
    for (field, value) in found {
        assert_eq!(value, sample().get(field), "field {field}");
    }
}

#[test]
fn the_harness_finds_every_field_the_codec_packed() {
    let mut packed = bytes::BytesMut::new();
    let mut packer = Packer::begin(Spec::cauce87(), *b"0210", &mut packed);
    for (field, value) in sample().iter() {
        packer.put(field, value).unwrap();
    }
    packer.finish();
    let mut index = wire::Index::new();
    index.read(&packed).unwrap();
    assert_eq!(wire::mti(&packed), Some(*b"0210"));
    for (field, value) in sample().iter() {
        assert_eq!(index.value(&packed, field), Some(value), "field {field}");
    }
}
