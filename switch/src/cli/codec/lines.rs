//! Lines of standard input, of bounded length, each answered by a line of standard output.

use std::io::{self, BufRead, BufWriter, Read, Write};

use serde::Serialize;

use super::Came;

/// Longest line read, in bytes: a message of 65,535 bytes in hexadecimal, or as JSON, with room.
const LINE_LEN_MAX: u64 = 1 << 20;

/// What could not be done with a line, as it is told.
#[derive(Debug, Serialize)]
pub(super) struct Fault {
    /// Its kind.
    pub kind: &'static str,
    /// Where: field, part or path.
    pub field: Box<str>,
    /// Where: byte; null where there are none yet.
    pub offset: Option<usize>,
    /// In words.
    pub message: Box<str>,
    /// What would have been right, where that is a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub need: Option<usize>,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub have: Option<usize>,
    /// What could be read all the same, for people.
    #[serde(skip)]
    pub shown: Option<Box<str>>,
}

/// A fault in the shape that tells it from a message.
#[derive(Serialize)]
struct FaultLine<'a> {
    error: &'a Fault,
}

impl Fault {
    /// A fault of the line itself, at a position of it.
    pub fn of_line(kind: &'static str, offset: usize, message: &str) -> Self {
        Self {
            kind,
            field: "line".into(),
            offset: Some(offset),
            message: message.into(),
            need: None,
            have: None,
            shown: None,
        }
    }

    /// The line that tells it, behind what could be read.
    pub fn line(&self) -> String {
        let told = FaultLine { error: self };
        let line = serde_json::to_string(&told).expect("invariant: texts and numbers are JSON");
        self.shown.as_deref().map_or_else(|| line.clone(), |shown| format!("{shown}\n{line}\n"))
    }
}

/// Answers each line that is not blank.
pub(super) fn answer_each(
    mut input: impl BufRead,
    answer: impl Fn(&str) -> Result<String, Fault>,
) -> io::Result<Came> {
    let mut output = BufWriter::new(io::stdout().lock());
    let mut came = Came::Well;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_LEN_MAX + 1).read_until(b'\n', &mut line)? == 0 {
            output.flush()?;
            return Ok(came);
        }
        let answered = match std::str::from_utf8(&line) {
            _ if line.len() as u64 > LINE_LEN_MAX => {
                skip_line(&mut input)?;
                let message = format!("a line is longer than {LINE_LEN_MAX} bytes");
                Err(Fault::of_line("too_long", line.len(), &message))
            }
            Err(error) => Err(Fault::of_line("bad_text", error.valid_up_to(), "not UTF-8")),
            Ok(text) if text.trim().is_empty() => continue,
            Ok(text) => answer(text.trim_start_matches('\u{FEFF}').trim()),
        };
        let told = answered.unwrap_or_else(|fault| {
            came = Came::Short;
            fault.line()
        });
        writeln!(output, "{told}")?;
    }
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (used, done) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}

/// The bytes of a line of hexadecimal; spaces between them are passed over.
pub(super) fn bytes_of(line: &str) -> Result<Vec<u8>, Fault> {
    let line = line.strip_prefix("0x").unwrap_or(line);
    let digits: String = line.chars().filter(|character| !character.is_whitespace()).collect();
    hex::decode(&digits).map_err(|error| match error {
        hex::FromHexError::InvalidHexCharacter { index, .. } => {
            let message = format!("position {index} is no hexadecimal digit");
            Fault::of_line("bad_hex", index, &message)
        }
        hex::FromHexError::OddLength | hex::FromHexError::InvalidStringLength => {
            Fault::of_line("bad_hex", digits.len(), "an odd number of hexadecimal digits")
        }
    })
}
