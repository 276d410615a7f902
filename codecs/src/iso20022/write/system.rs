//! Messages about messages and the system: admi.002, admi.004, and the header head.001.

use std::borrow::Cow;

use router::message::NetworkKind;
use router::time::Timestamp;

use super::super::error::XmlError;
use super::super::message_id::{MessageId, NAMESPACE};
use super::parts::Bank;
use super::pen::{CODE_LEN_MAX, Pen, Written};

/// admi.002: a message could not be understood.
#[derive(Debug, Clone)]
pub struct MessageReject<'a> {
    /// Identifier of the message, `NOTAVAILABLE` where it could not be read.
    pub reference: &'a str,
    /// What is wrong, a code.
    pub code: &'a str,
    /// When it was refused.
    pub rejected: Timestamp,
    /// Where the error is; cut at 350 characters.
    pub location: Option<Cow<'a, str>>,
    /// What is wrong, for people; cut at 350 characters.
    pub description: Option<Cow<'a, str>>,
    /// The message itself, or a part; cut at 20,000 characters.
    pub data: Option<&'a str>,
}

impl<'a> MessageReject<'a> {
    /// The answer to a message that was refused: `FF01`, with path and offset of the error.
    pub fn of(error: &XmlError, reference: Option<&'a str>, rejected: Timestamp) -> Self {
        Self {
            reference: reference.unwrap_or("NOTAVAILABLE"),
            code: "FF01",
            rejected,
            location: Some(format!("{} at offset {}", error.path, error.offset).into()),
            description: Some(error.to_string().into()),
            data: None,
        }
    }
}

/// admi.004: something happened to the system.
#[derive(Debug, Clone, Copy)]
pub struct SystemNotice<'a> {
    /// What happened: one to four letters and digits.
    pub code: &'a str,
    /// More about it, up to 35 characters each.
    pub parameters: &'a [&'a str],
    /// In words; cut at 1,000 characters.
    pub description: Option<&'a str>,
    /// When.
    pub time: Option<Timestamp>,
}

impl<'a> SystemNotice<'a> {
    /// Network management: the code is that of DE70, which the reader takes back.
    pub fn network(kind: NetworkKind, parameters: &'a [&'a str], time: Timestamp) -> Self {
        Self { code: kind.code(), parameters, description: None, time: Some(time) }
    }
}

/// head.001: who sends a message to whom.
#[derive(Debug, Clone, Copy)]
pub struct BusinessHeader<'a> {
    /// Who sends.
    pub from: Bank<'a>,
    /// Who is to receive.
    pub to: Bank<'a>,
    /// The business message's identifier.
    pub id: &'a str,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it may have been sent before.
    pub is_possible_duplicate: bool,
}

/// The header's version that is written.
const HEADER: &str = "head.001.001.02";

/// Longest place and description of an error (`Max350Text`).
const PLACE_LEN_MAX: usize = 350;
/// Longest quoted message (`Max20000Text`).
const DATA_LEN_MAX: usize = 20_000;
/// Longest description of an event (`Max1000Text`).
const EVENT_LEN_MAX: usize = 1000;

impl Pen<'_> {
    pub(super) fn message_reject(&mut self, reject: &MessageReject<'_>) -> Written {
        self.element("admi.002.001.01", |pen| {
            pen.element("RltdRef", |pen| pen.id("Ref", reject.reference))?;
            pen.element("Rsn", |pen| {
                pen.id("RjctgPtyRsn", reject.code)?;
                pen.time("RjctnDtTm", reject.rejected)?;
                pen.text("ErrLctn", reject.location.as_deref(), PLACE_LEN_MAX);
                pen.text("RsnDesc", reject.description.as_deref(), PLACE_LEN_MAX);
                pen.text("AddtlData", reject.data, DATA_LEN_MAX);
                Ok(())
            })
        })
    }

    pub(super) fn system_notice(&mut self, notice: &SystemNotice<'_>) -> Written {
        self.element("SysEvtNtfctn", |pen| {
            pen.element("EvtInf", |pen| {
                pen.formed("EvtCd", notice.code, is_event_code)?;
                notice.parameters.iter().try_for_each(|value| pen.id("EvtParam", value))?;
                pen.text("EvtDesc", notice.description, EVENT_LEN_MAX);
                notice.time.map_or(Ok(()), |time| pen.time("EvtTm", time))
            })
        })
    }

    pub(super) fn header(&mut self, header: &BusinessHeader<'_>, message: MessageId) -> Written {
        self.element_in("AppHdr", &format!("{NAMESPACE}{HEADER}"), |pen| {
            let bank = |pen: &mut Self, bank| pen.element("FIId", |pen| pen.institution(bank));
            pen.element("Fr", |pen| bank(pen, header.from))?;
            pen.element("To", |pen| bank(pen, header.to))?;
            pen.id("BizMsgIdr", header.id)?;
            pen.leaf("MsgDefIdr", message.as_str());
            pen.time("CreDt", header.created)?;
            if header.is_possible_duplicate {
                pen.leaf("PssblDplct", "true");
            }
            Ok(())
        })
    }
}

/// Source: `Max4AlphaNumericText`.
fn is_event_code(code: &str) -> bool {
    (1..=CODE_LEN_MAX).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric())
}
