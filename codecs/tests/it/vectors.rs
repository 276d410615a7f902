//! Public test messages with values that other projects assert. Each file names its source.

use bytes::BytesMut;
use codecs::iso8583::{Spec, Tree, Value};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::testdata;

#[derive(Deserialize)]
pub struct Vector {
    pub id: String,
    spec: Option<String>,
    inline_spec: Option<Box<RawValue>>,
    framing: Option<String>,
    hex: String,
    expected: Option<Value>,
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
    /// The message, without the frame around it.
    pub fn bytes(&self) -> Vec<u8> {
        let bytes = hex::decode(&self.hex).expect("hexadecimal");
        match self.framing.as_deref() {
            None => bytes,
            Some("len2be") => {
                let (length, message) = bytes.split_first_chunk::<2>().expect("a length");
                assert_eq!(usize::from(u16::from_be_bytes(*length)), message.len());
                message.to_vec()
            }
            Some(other) => panic!("{}: framing {other}", self.id),
        }
    }

    pub fn is_sound(&self) -> bool {
        self.expect_error.is_none()
    }

    pub fn spec(&self) -> Spec {
        let json = match (&self.spec, &self.inline_spec) {
            (Some(name), None) => {
                let path = testdata("specs").join(name).with_extension("json");
                std::fs::read_to_string(path).expect("a spec file")
            }
            (None, Some(inline)) => inline.get().to_owned(),
            _ => panic!("{}: one spec", self.id),
        };
        Spec::from_any(&json).unwrap_or_else(|errors| panic!("{}: {errors:?}", self.id))
    }

    /// The expected values in the shape of a message: `0` is the MTI, `h` the header.
    fn expected(&self) -> Tree {
        let Some(Value::Parts(fields)) = self.expected.clone() else { panic!("{}", self.id) };
        let mut tree = Tree { mti: String::new(), ..Tree::default() };
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("0", Value::Text(mti)) => tree.mti = mti,
                ("h", Value::Text(header)) => tree.header = Some(header),
                (_, value) => tree.fields.push((name, value)),
            }
        }
        tree
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
        let unpacked = vector.spec().unpack(&vector.bytes());
        if let Some(expect) = &vector.expect_error {
            let error = unpacked.expect_err(&vector.id);
            let (kind, field) = (error.kind.name().to_owned(), error.path().to_string());
            let found = ExpectError { kind, field, offset: error.offset };
            assert_eq!(&found, expect, "{}", vector.id);
            errors += 1;
            continue;
        }
        let tree = unpacked.unwrap_or_else(|error| panic!("{}: {error}", vector.id));
        assert_eq!(tree, vector.expected(), "{}", vector.id);
        messages += 1;
    }
    assert_eq!((messages, errors), (40, 6));
}

#[test]
fn messages_of_other_projects_are_written_as_they_were() {
    let mut written = 0;
    for vector in all().iter().filter(|vector| vector.roundtrip) {
        let mut out = BytesMut::new();
        vector
            .spec()
            .assemble(&vector.expected(), &mut out)
            .unwrap_or_else(|error| panic!("{}: {error}", vector.id));
        assert_eq!(hex::encode(&out), hex::encode(vector.bytes()), "{}", vector.id);
        written += 1;
    }
    assert_eq!(written, 40);
}
