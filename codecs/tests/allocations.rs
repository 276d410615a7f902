//! The road of a message touches no heap: finding its fields, and writing into a buffer that has
//! room. A binary of its own, because counting takes the place of the allocator.

use allocation_counter::measure;
use bytes::BytesMut;
use codecs::iso8583::{Index, Packer, Spec, cauce87};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A public test message; `testdata/README.md` says whose.
#[derive(Deserialize)]
struct Vector {
    id: String,
    spec: Option<String>,
    inline_spec: Option<Box<RawValue>>,
    framing: Option<String>,
    hex: String,
    expect_error: Option<serde::de::IgnoredAny>,
}

/// Every sound vector: its name, its format and its bytes without the frame.
fn vectors() -> Vec<(String, Spec, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/iso8583");
    let files = std::fs::read_dir(format!("{folder}/vectors")).expect("a folder");
    let read = |path| std::fs::read_to_string(path).expect("a file");
    let mut sound = Vec::new();
    for file in files {
        let text = read(file.expect("a file").path());
        let vector: Vector = serde_json::from_str(&text).expect("a vector");
        if vector.expect_error.is_some() {
            continue;
        }
        let format = match (vector.spec, vector.inline_spec) {
            (Some(name), _) => read(format!("{folder}/specs/{name}.json").into()),
            (None, inline) => inline.expect("a format").get().to_owned(),
        };
        let spec = Spec::from_any(&format).expect("a format");
        let bytes = hex::decode(&vector.hex).expect("hexadecimal");
        let head = if vector.framing.is_some() { 2 } else { 0 };
        sound.push((vector.id, spec, bytes[head..].to_vec()));
    }
    sound
}

/// Messages of the switch's own profile.
fn own_messages() -> [Vec<u8>; 4] {
    [
        include_str!("../testdata/cauce87/card-payment.hex"),
        include_str!("../testdata/cauce87/payment-request.hex"),
        include_str!("../testdata/cauce87/reversal-advice.hex"),
        include_str!("../testdata/cauce87/sign-on.hex"),
    ]
    .map(|text| hex::decode(text.trim()).expect("hexadecimal"))
}

fn allocations(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

#[test]
fn the_counter_counts() {
    let mut kept = Vec::new();
    assert_eq!(allocations(|| kept.push(1)), 1);
    assert_eq!(allocations(|| kept.push(2)), 0);
    assert_eq!(allocations(|| drop(kept.clone())), 1);
}

#[test]
fn finding_the_fields_of_a_message_allocates_nothing() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 40);
    let mut index = Index::default();
    for (id, spec, bytes) in &vectors {
        let mut indexed = Ok(());
        assert_eq!(allocations(|| indexed = spec.index(bytes, &mut index)), 0, "{id}");
        indexed.expect(id);
        let mut read = 0;
        let look = || read = index.fields().filter_map(|n| index.field(bytes, n)).count();
        assert_eq!(allocations(look), 0, "{id}");
        assert_eq!(read, index.fields().count(), "{id}");
    }
}

#[test]
fn reading_a_message_of_the_switch_s_own_allocates_nothing() {
    // The format is compiled when it is first asked for.
    let _ = Spec::cauce87();
    for bytes in own_messages() {
        let mut read = None;
        assert_eq!(allocations(|| read = Some(cauce87::read(&bytes))), 0);
        read.expect("read").expect("a message");
    }
}

#[test]
fn writing_into_a_buffer_with_room_allocates_nothing() {
    let spec = Spec::cauce87();
    for bytes in own_messages() {
        let mut index = Index::default();
        spec.index(&bytes, &mut index).expect("a message");
        let mut out = BytesMut::with_capacity(4096);
        let write = || {
            let mut packer = Packer::begin(spec, index.mti(), &mut out);
            for number in index.fields() {
                packer.put_opt(number, index.field(&bytes, number)).expect("as it came");
            }
            packer.finish();
        };
        assert_eq!(allocations(write), 0);
        assert_eq!(out, bytes);
    }
}
