//! Public test messages with values that other projects assert. Each file names its source.

use std::collections::BTreeMap;

use bytes::BytesMut;
use codecs::iso8583::{Encoding, Index, Packer};
use serde::Deserialize;

use crate::{spec, testdata};

#[derive(Deserialize)]
pub struct Vector {
    pub id: String,
    pub spec: String,
    hex: String,
    #[serde(default)]
    expected: BTreeMap<String, String>,
    expect_error: Option<ExpectError>,
    #[serde(default)]
    roundtrip: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
struct ExpectError {
    kind: String,
    field: String,
    offset: usize,
}

impl Vector {
    pub fn bytes(&self) -> Vec<u8> {
        hex::decode(&self.hex).expect("hexadecimal")
    }

    pub fn is_sound(&self) -> bool {
        self.expect_error.is_none()
    }
}

pub fn all() -> Vec<Vector> {
    let files = std::fs::read_dir(testdata("vectors")).expect("a folder");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let read = |path| std::fs::read_to_string(path).expect("a vector");
    paths.iter().map(|path| serde_json::from_str(&read(path)).expect("a vector")).collect()
}

#[test]
fn messages_of_other_projects_are_read_as_they_assert() {
    let (mut messages, mut errors) = (0, 0);
    for vector in all() {
        let (spec, bytes) = (spec(&vector.spec), vector.bytes());
        let mut index = Index::default();
        let result = spec.index(&bytes, &mut index);
        if let Some(expect) = &vector.expect_error {
            let error = result.expect_err(&vector.id);
            let (kind, field) = (error.kind.name().to_owned(), error.field.to_string());
            let found = ExpectError { kind, field, offset: error.offset };
            assert_eq!(&found, expect, "{}", vector.id);
            errors += 1;
            continue;
        }
        result.unwrap_or_else(|error| panic!("{}: {error}", vector.id));
        let mut found = BTreeMap::from([("0".to_owned(), text(Index::mti(&bytes)))]);
        for number in index.fields() {
            let content = index.field(&bytes, number);
            let raw = spec.field(number).is_some_and(|field| field.encoding == Encoding::Raw);
            let value = if raw { content.map(hex::encode_upper) } else { Some(text(content)) };
            found.insert(number.to_string(), value.expect("a field"));
        }
        assert_eq!(found, vector.expected, "{}", vector.id);
        messages += 1;
    }
    assert_eq!((messages, errors), (16, 4));
}

fn text(bytes: Option<impl AsRef<[u8]>>) -> String {
    bytes.expect("content").as_ref().escape_ascii().to_string()
}

#[test]
fn messages_of_other_projects_are_packed_as_they_were() {
    let mut packed = 0;
    for vector in all().iter().filter(|vector| vector.roundtrip) {
        let (spec, bytes) = (spec(&vector.spec), vector.bytes());
        let mti = vector.expected["0"].as_bytes().try_into().expect("four digits");
        let mut out = BytesMut::new();
        let mut packer = Packer::begin(&spec, mti, &mut out);
        for number in 2..=128_u8 {
            let Some(value) = vector.expected.get(&number.to_string()) else { continue };
            let raw = spec.field(number).is_some_and(|field| field.encoding == Encoding::Raw);
            let content =
                if raw { hex::decode(value).expect("hex") } else { value.as_bytes().to_vec() };
            packer.put(number, &content).unwrap_or_else(|error| panic!("{}: {error}", vector.id));
        }
        packer.finish();
        assert_eq!(hex::encode(&out), hex::encode(&bytes), "{}", vector.id);
        packed += 1;
    }
    assert_eq!(packed, 16);
}
