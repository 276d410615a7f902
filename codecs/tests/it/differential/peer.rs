//! pyiso8583 in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use codecs::iso8583::{Tree, Value};
use serde::Deserialize;
use serde_json::json;

use super::format::Format;

const VERSION: &str = "4.0.1";
const HOW_TO_GET_IT: &str = "this test needs Python 3 with pyiso8583 4.0.1: `make test` installs it into target/ci/python, \
     or name a Python that has it in CODECS_TEST_PYTHON";

pub struct Peer {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What became of a message to be read.
#[derive(Debug)]
pub enum Decoded {
    Values(Tree),
    Refused(Refusal),
}

/// Why a message was refused.
#[derive(Debug, Deserialize)]
pub struct Refusal {
    pub error: String,
    pub field: String,
    /// Not told of a field that is not defined, nor in writing.
    pub at: Option<usize>,
}

impl Decoded {
    pub fn values(&self) -> Option<&Tree> {
        match self {
            Self::Values(tree) => Some(tree),
            Self::Refused(_) => None,
        }
    }
}

impl Peer {
    pub fn start() -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python(&folder))
            .arg(folder.join("tests/it/differential/driver.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{HOW_TO_GET_IT} ({error})"));
        let requests = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut peer = Self { child, requests, answers };
        let mut hello = String::new();
        peer.answers.read_line(&mut hello).expect("a pipe");
        let hello: serde_json::Value = serde_json::from_str(&hello).expect(HOW_TO_GET_IT);
        assert_eq!(hello["version"], VERSION, "{HOW_TO_GET_IT}");
        peer
    }

    fn send(&mut self, request: &serde_json::Value) {
        let mut line = request.to_string();
        line.push('\n');
        self.requests.write_all(line.as_bytes()).expect("the peer listens");
    }

    fn ask<T: for<'de> Deserialize<'de>>(&mut self, request: &serde_json::Value) -> T {
        self.send(request);
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the peer answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}\n{request}"))
    }

    /// From now on messages are of this format.
    pub fn takes(&mut self, format: &Format) {
        self.send(&json!(["spec", format.python()]));
    }

    /// Its bytes.
    ///
    /// Errors: why not, and which field.
    pub fn encode(&mut self, message: &Tree) -> Result<Vec<u8>, Refusal> {
        let mut values = serde_json::Map::new();
        values.insert("t".to_owned(), message.mti.clone().into());
        if let Some(header) = &message.header {
            values.insert("h".to_owned(), header.clone().into());
        }
        for (name, value) in &message.fields {
            values.insert(name.clone(), serde_json::to_value(value).expect("a text"));
        }
        let answer: serde_json::Value = self.ask(&json!(["encode", values]));
        match answer["bytes"].as_str() {
            Some(bytes) => Ok(hex::decode(bytes).expect("hexadecimal")),
            None => Err(serde_json::from_value(answer).expect("a refusal")),
        }
    }

    pub fn decode(&mut self, bytes: &[u8]) -> Decoded {
        let mut answer: serde_json::Value = self.ask(&json!(["decode", hex::encode(bytes)]));
        let Some(values) = answer.get_mut("values").and_then(|values| values.as_object_mut())
        else {
            return Decoded::Refused(serde_json::from_value(answer).expect("a refusal"));
        };
        let mut text = |name: &str| match values.remove(name) {
            Some(serde_json::Value::String(text)) => Some(text),
            _ => None,
        };
        let (mti, header) = (text("t").expect("a message type"), text("h"));
        let numbers = 2_u8..=192;
        let named = numbers.map(|number| number.to_string());
        let fields = named.filter_map(|name| {
            let value = Value::Text(text(&name)?);
            Some((name, value))
        });
        Decoded::Values(Tree { mti, header, fields: fields.collect(), ..Tree::default() })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python that is named, that `make test` made, or the machine's.
fn python(folder: &std::path::Path) -> PathBuf {
    let made = folder.join("../target/ci/python/bin/python");
    match std::env::var_os("CODECS_TEST_PYTHON") {
        Some(named) => named.into(),
        None if made.exists() => made,
        None => "python3".into(),
    }
}
