//! Public messages with the values that an independent reader finds in them. Each names its source.

use std::path::PathBuf;

use codecs::iso20022::{Guideline, XmlErrorKind, leaves};
use serde_json::{Value, json};

/// A message and what is expected of it.
pub struct Vector {
    pub id: String,
    pub bytes: Vec<u8>,
    expected: Value,
}

impl Vector {
    pub fn is_sound(&self) -> bool {
        self.expected.get("expect_reject").is_none()
    }

    /// The guideline whose rules the vector is about; its file names none.
    fn guideline(&self) -> Option<Guideline> {
        match self.id.as_str() {
            "mx-fednow-invalid-eur" => Some(Guideline::FedNow),
            "mx-sepa-invalid-usd" => Some(Guideline::Sepa),
            _ => None,
        }
    }

    /// What the command line is to print.
    fn opened(&self) -> Value {
        let of = |key: &str, otherwise| self.expected.get(key).cloned().unwrap_or(otherwise);
        json!({
            "message": of("message", Value::Null),
            "header": of("header", Value::Null),
            "canonical": of("canonical", json!({})),
            "leaves": of("expected_leaves", Value::Null),
        })
    }
}

pub fn all() -> Vec<Vector> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/iso20022/vectors");
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file"));
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a vector");
        let expected: Value = serde_json::from_str(&text).expect("a vector");
        let id = expected["id"].as_str().expect("an id").to_owned();
        let bytes = std::fs::read(path.with_extension("xml")).expect("a message");
        Vector { id, bytes, expected }
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn messages_of_other_projects_are_read_as_an_independent_reader_reads_them() {
    let sound: Vec<_> = all().into_iter().filter(Vector::is_sound).collect();
    assert_eq!(sound.len(), 18);
    for vector in sound {
        let opened = leaves(&vector.bytes, vector.guideline())
            .unwrap_or_else(|error| panic!("{}: {error}", vector.id));
        let found = serde_json::to_value(&opened).expect("JSON");
        assert_eq!(found, vector.opened(), "{}", vector.id);
    }
}

#[test]
fn messages_that_must_be_refused_are_refused_with_their_place() {
    let mut found: Vec<_> = all()
        .into_iter()
        .filter(|vector| !vector.is_sound())
        .map(|vector| {
            let error = leaves(&vector.bytes, vector.guideline()).expect_err(&vector.id);
            (vector.id, error.kind, error.path.into_string(), error.offset)
        })
        .collect();
    let deepest = found.remove(2);
    assert_eq!((deepest.0.as_str(), deepest.1), ("own-deep-nesting", XmlErrorKind::TooDeep));
    let amount = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf/IntrBkSttlmAmt";
    let currency = XmlErrorKind::CurrencyNotAllowed;
    let expected = [
        ("mx-fednow-invalid-eur", currency, amount, 563),
        ("mx-sepa-invalid-usd", currency, amount, 570),
        ("own-xxe", XmlErrorKind::Doctype, "/", 21),
    ];
    let expected = expected.map(|(id, kind, path, at)| (id.into(), kind, path.into(), at));
    assert_eq!(found, expected);
}
