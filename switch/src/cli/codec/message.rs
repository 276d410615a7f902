//! ISO 8583 messages by a format: to JSON, from JSON, in words.

use std::io;

use bytes::BytesMut;
use codecs::error::DecodeError;
use codecs::frame::{FrameError, Framer, Header, Received};
use codecs::iso8583::{AssembleError, Index, Tree, describe as described};

use tokio_util::codec::Decoder;

use super::lines::{Fault, answer_each, bytes_of};
use super::{Came, Job};
use crate::log;

pub(super) fn decode(job: Job, reveal: bool) -> io::Result<Came> {
    let Job { spec, framer, input } = job;
    answer_each(input, |line| {
        let Found { header, message } = message_of(framer.as_ref(), line)?;
        let mut tree = spec.unpack(&message).map_err(of_decode)?;
        tree.header = tree.header.or(header);
        Ok(json(&if reveal { spec.revealed(tree) } else { spec.masked(tree) }))
    })
}

pub(super) fn encode(job: Job) -> io::Result<Came> {
    let Job { spec, framer, input } = job;
    answer_each(input, |line| {
        let mut tree: Tree = serde_json::from_str(line).map_err(|error| of_json(&error))?;
        let header =
            framer.as_ref().map(|framer| header_of(framer, &mut tree)).transpose()?.flatten();
        if let Some(field) = spec.masked_field_of(&tree).map(shown) {
            let message =
                format!("field {field} is masked; decode with --reveal to write it again");
            return Err(Fault {
                field: field.into(),
                offset: None,
                ..Fault::of_line("masked", 0, &message)
            });
        }
        let mut message = BytesMut::new();
        spec.assemble(&tree, &mut message).map_err(of_assemble)?;
        let Some(framer) = &framer else { return Ok(hex::encode_upper(message)) };
        let mut frame = BytesMut::new();
        let framed = framer.encode(header.as_ref(), &message, &mut frame);
        framed.map_err(|error| of_frame(&error))?;
        Ok(hex::encode_upper(frame))
    })
}

pub(super) fn describe(job: Job) -> io::Result<Came> {
    let Job { spec, framer, input } = job;
    let in_colour = log::takes_colour(&io::stdout());
    answer_each(input, |line| {
        let message = message_of(framer.as_ref(), line)?.message;
        let mut index = Index::default();
        let indexed = spec.index(&message, &mut index);
        let plain = described(&spec, &index, &message).to_string();
        let text = if in_colour { coloured(&plain) } else { plain };
        // What could be read is shown before what could not.
        match indexed {
            Ok(()) => Ok(text + "\n"),
            Err(error) => Err(Fault { shown: Some(text.into()), ..of_decode(error) }),
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

/// What a line holds.
struct Found {
    /// The frame's header in hexadecimal, where frames have one.
    header: Option<String>,
    message: Vec<u8>,
}

fn message_of(framer: Option<&Framer>, line: &str) -> Result<Found, Fault> {
    let bytes = bytes_of(line)?;
    let Some(framer) = framer else { return Ok(Found { header: None, message: bytes }) };
    let mut stream = BytesMut::from(&bytes[..]);
    let received = framer.clone().decode(&mut stream).map_err(|error| of_frame(&error))?;
    let fault = |kind: &'static str, message: &str| Fault {
        field: "frame".into(),
        ..Fault::of_line(kind, bytes.len() - stream.len(), message)
    };
    match received {
        None => Err(fault("short_data", "the frame is cut short")),
        Some(Received::KeepAlive) => Err(fault("short_data", "the frame is a keep-alive")),
        Some(Received::Message(_)) if !stream.is_empty() => {
            Err(fault("trailing", "bytes are left behind the frame"))
        }
        Some(Received::Message(frame)) => Ok(Found {
            header: frame.header.map(|header| hex::encode_upper(header.raw())),
            message: frame.body.to_vec(),
        }),
    }
}

/// The header of a frame, taken out of the message where the framing has one; else its own.
fn header_of(framer: &Framer, tree: &mut Tree) -> Result<Option<Header>, Fault> {
    let Some(own) = framer.own_header() else { return Ok(None) };
    let Some(text) = tree.header.take() else { return Ok(Some(own.clone())) };
    let raw = hex::decode(text).ok();
    let header = raw.and_then(|raw| Header::new(own.kind(), raw.into()).ok());
    let message = "not a header of the framing, in hexadecimal";
    let fault = || Fault { field: "h".into(), ..Fault::of_line("bad_value", 0, message) };
    Ok(Some(header.ok_or_else(fault)?))
}

fn json(tree: &Tree) -> String {
    serde_json::to_string(tree).expect("invariant: texts and lists are always JSON")
}

fn of_decode(error: DecodeError) -> Fault {
    let said = |number: usize| Some(number).filter(|_| error.need > 0);
    Fault {
        kind: error.kind.name(),
        field: error.path().to_string().into(),
        offset: Some(error.offset),
        message: error.to_string().into(),
        need: said(error.need),
        have: said(error.have),
        shown: None,
    }
}

fn of_assemble(error: AssembleError) -> Fault {
    Fault {
        kind: error.problem.name(),
        message: format!("field {} {}", shown(&error.path), error.problem).into(),
        field: shown(&error.path).into(),
        offset: None,
        need: None,
        have: None,
        shown: None,
    }
}

/// A path as it may be shown: the name of a field, part or tag is short; anything else is somebody's
/// mistake and might hold anything.
fn shown(path: &str) -> String {
    let step = |step: &str| if step.len() <= 8 { step.to_owned() } else { "?".to_owned() };
    path.split('.').map(step).collect::<Vec<_>>().join(".")
}

fn of_frame(error: &FrameError) -> Fault {
    Fault {
        field: "frame".into(),
        ..Fault::of_line(error.name(), error.offset(), &error.to_string())
    }
}

fn of_json(error: &serde_json::Error) -> Fault {
    // What serde says may repeat what it met, a card number perhaps.
    let what = match error.classify() {
        serde_json::error::Category::Data => "not the JSON of a message",
        _ => "not JSON",
    };
    Fault::of_line("bad_json", error.column(), &format!("{what} from column {} on", error.column()))
}
