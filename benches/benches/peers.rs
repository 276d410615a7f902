//! Other codecs of the same messages, in the same run.
//!
//! Every codec first proves that it reads the values.

use std::hint::black_box;

use benches::messages::{self, HEX_BITMAP};
use codecs::iso8583::Index;
use criterion::{Criterion, criterion_group, criterion_main};

/// The eleven fields of [`HEX_BITMAP`] as `iso_8583_rs` wants them.
const YAML: &str = "\
0: {ContentType: n, Label: mti, LenType: fixed, MaxLen: 4}
1: {ContentType: b, Label: bitmap, LenType: fixed, MaxLen: 8}
2: {ContentType: n, Label: pan, LenType: llvar, MaxLen: 19, MinLen: 12}
3: {ContentType: n, Label: processing code, LenType: fixed, MaxLen: 6}
4: {ContentType: n, Label: amount, LenType: fixed, MaxLen: 12}
7: {ContentType: n, Label: transmitted, LenType: fixed, MaxLen: 10}
11: {ContentType: n, Label: stan, LenType: fixed, MaxLen: 6}
12: {ContentType: n, Label: time, LenType: fixed, MaxLen: 6}
13: {ContentType: n, Label: date, LenType: fixed, MaxLen: 4}
37: {ContentType: an, Label: rrn, LenType: fixed, MaxLen: 12}
41: {ContentType: ans, Label: terminal, LenType: fixed, MaxLen: 8}
42: {ContentType: ans, Label: merchant, LenType: fixed, MaxLen: 15}
49: {ContentType: an, Label: currency, LenType: fixed, MaxLen: 3}
";

/// The same as `iso8583-codec-rs` wants them.
fn codec_rs_spec() -> String {
    let field = |number: u8, length: u8, prefix: &str| {
        format!(
            r#"{{"de":{number},"name":"f{number}","type":"string","length":{length},"prefix":"{prefix}"}}"#
        )
    };
    let fixed =
        [(3, 6), (4, 12), (7, 10), (11, 6), (12, 6), (13, 4), (37, 12), (41, 8), (42, 15), (49, 3)];
    let mut fields = vec![field(2, 19, "LLVAR")];
    fields.extend(fixed.map(|(number, length)| field(number, length, "fixed")));
    format!(
        r#"{{"version":"1987","defaults":{{"encoding":"ascii","prefix_encoding":"ascii","bitmap_encoding":"hex","mti_encoding":"ascii","max_bitmaps":2}},"fields":[{}]}}"#,
        fields.join(",")
    )
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("peers/120 bytes, 11 fields, hex bitmap");
    let spec = messages::hex_bitmap_spec();
    group.bench_function("cauce, lengths and content checked", |b| {
        let mut index = Index::default();
        spec.index(HEX_BITMAP, &mut index).expect("well formed");
        assert_eq!(index.field(HEX_BITMAP, 41), Some(&b"TERM0001"[..]));
        b.iter(|| {
            spec.index(black_box(HEX_BITMAP), &mut index).expect("well formed");
            black_box(&index);
        });
    });

    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("spec.yml");
    std::fs::write(&path, YAML).expect("written");
    let path = path.to_str().expect("a name");
    let spec = iso_8583_rs::CompiledSpec::from_file(path).expect("a spec");
    let message = iso_8583_rs::Message::parse(&spec, HEX_BITMAP).expect("well formed");
    assert_eq!(message.get(41), Some(&b"TERM0001"[..]));
    group.bench_function("iso_8583_rs 0.2.2, strict", |b| {
        b.iter(|| iso_8583_rs::Message::parse(&spec, black_box(HEX_BITMAP)).expect("well formed"));
    });
    group.bench_function("iso_8583_rs 0.2.2, lazy", |b| {
        b.iter(|| {
            iso_8583_rs::Message::parse_lazy(&spec, black_box(HEX_BITMAP)).expect("well formed")
        });
    });

    let mut unpacker = i8583::Unpacker::new(HEX_BITMAP);
    let fields = unpacker.unpack(&i8583::v1987::SPEC).expect("well formed");
    assert_eq!(fields[41], Some(&b"TERM0001"[..]));
    group.bench_function("i8583 0.1.0", |b| {
        b.iter(|| {
            let mut unpacker = i8583::Unpacker::new(black_box(HEX_BITMAP));
            black_box(unpacker.unpack(&i8583::v1987::SPEC).expect("well formed"));
        });
    });

    let spec = iso8583_codec_rs::load_spec(&codec_rs_spec()).expect("a spec");
    let text = hex_of(HEX_BITMAP);
    let value = iso8583_codec_rs::parse(&text, &spec).expect("well formed");
    assert!(value.to_string().contains("TERM0001"), "{value}");
    group.bench_function("iso8583-codec-rs 0.1.0, to JSON", |b| {
        b.iter(|| iso8583_codec_rs::parse(black_box(&text), &spec).expect("well formed"));
    });
    group.finish();
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

criterion_group!(peers, parse);
criterion_main!(peers);
