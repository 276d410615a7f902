//! ISO 8583 messages by a format: to JSON, from JSON, in words.

use std::io::{self, IsTerminal};

use bytes::BytesMut;
use codecs::error::DecodeError;
use codecs::iso8583::{AssembleError, Index, Spec, Tree, describe as described};

use super::Came;
use super::lines::{Fault, answer_each, bytes_of};

pub(super) fn decode(spec: &Spec, framed: bool, reveal: bool) -> io::Result<Came> {
    answer_each(|line| {
        let message = message_of(spec, framed, line)?;
        let tree = spec.unpack(&message).map_err(of_decode)?;
        let tree = if reveal { tree } else { spec.masked(tree) };
        Ok(json(&tree))
    })
}

pub(super) fn encode(spec: &Spec, framed: bool) -> io::Result<Came> {
    answer_each(|line| {
        let tree: Tree = serde_json::from_str(line).map_err(|error| of_json(&error))?;
        let mut message = BytesMut::new();
        spec.assemble(&tree, &mut message).map_err(of_assemble)?;
        let bytes = if framed { frame(spec, &message)? } else { message };
        Ok(hex::encode_upper(bytes))
    })
}

pub(super) fn describe(spec: &Spec, framed: bool) -> io::Result<Came> {
    let is_terminal = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    answer_each(|line| {
        let message = message_of(spec, framed, line)?;
        let mut index = Index::default();
        let indexed = spec.index(&message, &mut index);
        let mut text = described(spec, &index, &message).to_string();
        if is_terminal {
            text = coloured(&text);
        }
        // What could be read is shown before what could not.
        match indexed {
            Ok(()) => Ok(text + "\n"),
            Err(error) => Err(Fault { message: format!("{text}\n{error}"), ..of_decode(error) }),
        }
    })
}

/// The labels in bold.
fn coloured(text: &str) -> String {
    let line = |line: &str| match line.split_once(':') {
        Some((label, value)) => format!("\u{1b}[1m{label}\u{1b}[0m:{value}"),
        None => format!("\u{1b}[1m{line}\u{1b}[0m"),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn message_of(spec: &Spec, framed: bool, line: &str) -> Result<Vec<u8>, Fault> {
    let bytes = bytes_of(line)?;
    if framed { unframe(spec, &bytes) } else { Ok(bytes) }
}

fn json(tree: &Tree) -> String {
    serde_json::to_string(tree).expect("invariant: texts and lists are always JSON")
}

fn of_decode(error: DecodeError) -> Fault {
    let said = |number: usize| Some(number).filter(|_| error.need > 0);
    Fault {
        kind: error.kind.name().to_owned(),
        field: error.path().to_string(),
        offset: Some(error.offset),
        message: error.to_string(),
        need: said(error.need),
        have: said(error.have),
    }
}

fn of_assemble(error: AssembleError) -> Fault {
    Fault {
        kind: error.problem.name().to_owned(),
        message: error.to_string(),
        field: error.path,
        offset: None,
        need: None,
        have: None,
    }
}

fn of_json(error: &serde_json::Error) -> Fault {
    Fault::of_line("bad_json", error.column(), &error.to_string())
}
