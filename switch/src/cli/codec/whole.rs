//! Formats that are one whole message.

use std::io::{self, Read, Write};

use codecs::{iso20022, qr};
use serde::Serialize;

use super::lines::Fault;
use super::{Came, Guideline, WholeFormat};

/// Longest message read, in bytes.
const MESSAGE_LEN_MAX: u64 = 10 << 20;

/// Which rules a message is held to beyond those of its format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Of an ISO 20022 message.
    pub guideline: Option<Guideline>,
    /// Of a QR code.
    pub reading: qr::Reading,
}

impl Guideline {
    fn of_codecs(self) -> iso20022::Guideline {
        match self {
            Self::CbprPlus => iso20022::Guideline::CbprPlus,
            Self::Sepa => iso20022::Guideline::Sepa,
            Self::Fednow => iso20022::Guideline::FedNow,
        }
    }
}

/// Reads one message and prints it as JSON, or what is wrong with it.
pub(super) fn decode(format: WholeFormat, rules: Rules, source: impl Read) -> anyhow::Result<Came> {
    let mut message = Vec::new();
    source.take(MESSAGE_LEN_MAX + 1).read_to_end(&mut message)?;
    let decoded = if message.len() as u64 > MESSAGE_LEN_MAX {
        let text = format!("a message is longer than {MESSAGE_LEN_MAX} bytes");
        Err(Fault { field: "".into(), ..Fault::of_line("too_long", message.len(), &text) })
    } else {
        match format {
            WholeFormat::Iso20022 => of_iso20022(rules.guideline, &message),
            WholeFormat::Emvco => of_qr(qr::Format::Emvco, rules.reading, &message),
            WholeFormat::Pix => of_qr(qr::Format::Pix, rules.reading, &message),
            WholeFormat::Epc => of_qr(qr::Format::Epc, rules.reading, &message),
        }
    };
    let (line, came) = match decoded {
        Ok(line) => (line, Came::Well),
        Err(fault) => (fault.line(), Came::Short),
    };
    writeln!(io::stdout().lock(), "{line}")?;
    Ok(came)
}

fn of_qr(format: qr::Format, reading: qr::Reading, payload: &[u8]) -> Result<String, Fault> {
    qr::decode(format, reading, payload).map(|code| json(&code)).map_err(|error| Fault {
        field: error.field.to_string().into(),
        ..Fault::of_line(error.kind.name(), error.offset, &error.to_string())
    })
}

fn of_iso20022(guideline: Option<Guideline>, message: &[u8]) -> Result<String, Fault> {
    let guideline = guideline.map(Guideline::of_codecs);
    iso20022::leaves(message, guideline).map(|opened| json(&opened)).map_err(|error| Fault {
        field: error.path.clone(),
        ..Fault::of_line(error.kind.name(), error.offset, &error.to_string())
    })
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("invariant: texts and lists are always JSON")
}
