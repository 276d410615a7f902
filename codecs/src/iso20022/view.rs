//! A message laid open for people and scripts: what it says, and every leaf of it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::amount::Amount;
use super::canonical::{Iso20022, Transaction, Word};
use super::error::{self, XmlError, XmlErrorKind};
use super::guideline::Guideline;
use super::limits::Limits;
use super::message_id::MessageId;
use super::read::read;
use super::walk::{Step, Walker};
use crate::forms::is_bic;

/// The most that the paths of all leaves may have together, in bytes.
///
/// Each leaf repeats the names of all that is around it, so a message with long names nested deep
/// is shown a thousand times longer than it is. The longest reports have 50,000 elements, and paths
/// of some 200 bytes.
const PATHS_LEN_MAX: usize = 16 * 1024 * 1024;

/// A message laid open.
///
/// Shape: serialises to `{"message","header","canonical","leaves"}`; `header` is null where there
///        is none, `canonical` holds only what the message says.
#[derive(Debug, Serialize)]
pub struct Opened {
    message: String,
    header: Option<String>,
    canonical: CanonicalView,
    leaves: Vec<Leaf>,
}

/// An element without elements within: path, content, attributes.
#[derive(Debug, Serialize)]
struct Leaf(String, String, Attributes);

/// Attributes of a leaf by local name, in the order of the message.
#[derive(Debug)]
struct Attributes(Vec<(String, String)>);

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The identifiers, amount and status that every family has in one form or another.
///
/// Shape: what a message says of itself goes before what it says of the original.
#[derive(Debug, Serialize)]
struct CanonicalView {
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instr_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_to_end_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uetr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orig_msg_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orig_msg_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<AmountView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// An amount; `minor_units` are digits, absent where the amount makes no sense in its currency.
#[derive(Debug, Serialize)]
struct AmountView {
    element: &'static str,
    text: String,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    minor_units: Option<String>,
}

/// Lays a message open.
///
/// Shape:  the path of a leaf names each element from the root, without prefixes, with its place
///         among its like-named brothers in brackets where it has any: `/Document/X/EvtParam[2]`.
///         The rules are those of the guideline given, and of the one that the header names.
/// Errors: as of [`read`], a bank identifier code that is none, a rule of a guideline that is not
///         kept, and leaves whose paths are too long together.
pub fn leaves(bytes: &[u8], guideline: Option<Guideline>) -> Result<Opened, XmlError> {
    let message = read(bytes)?;
    let named = message.header.as_ref().and_then(Guideline::of_header);
    for guideline in guideline.into_iter().chain(named) {
        guideline.check(&message)?;
    }
    let header = message.header.as_ref().and_then(|header| header.version);
    Ok(Opened {
        message: message.message.to_string(),
        header: header.as_ref().map(MessageId::to_string),
        canonical: CanonicalView::of(&message),
        leaves: collect(bytes)?,
    })
}

impl CanonicalView {
    fn of(message: &Iso20022<'_>) -> Self {
        let original = &message.original;
        let detail = first_detail(message);
        let own = |word: &Word<'_>| word.as_deref().map(str::to_owned);
        let stated = |of: for<'t> fn(&'t Transaction<'_>) -> Option<&'t str>| {
            of(&message.transaction).or_else(|| detail.and_then(of)).map(str::to_owned)
        };
        Self {
            msg_id: own(&message.msg_id).or_else(|| stated(|of| of.msg_id.as_deref())),
            created: own(&message.created),
            instr_id: stated(|of| of.instr_id.as_deref()).or_else(|| own(&original.instr_id)),
            end_to_end_id: stated(|of| of.end_to_end_id.as_deref())
                .or_else(|| own(&original.end_to_end_id)),
            tx_id: stated(|of| of.tx_id.as_deref()).or_else(|| own(&original.tx_id)),
            uetr: stated(|of| of.uetr.as_deref()).or_else(|| own(&original.uetr)),
            status: stated(|of| of.status.as_deref()),
            orig_msg_id: own(&original.msg_id),
            orig_msg_name: own(&original.msg_name),
            settlement_date: stated(|of| of.settlement_date.as_deref())
                .or_else(|| own(&original.settlement_date)),
            amount: amount(message).map(AmountView::of),
            reason: stated(|of| of.reason.code.as_deref()),
        }
    }
}

/// The first transaction of the first entry: what is shown of a report is all of one transaction.
fn first_detail<'m, 'a>(message: &'m Iso20022<'a>) -> Option<&'m Transaction<'a>> {
    message.entries.first().and_then(|entry| entry.details.first())
}

fn amount<'m, 'a>(message: &'m Iso20022<'a>) -> Option<&'m Amount<'a>> {
    let of_entry = || message.entries.first().and_then(|entry| entry.amount.as_ref());
    let of_detail = || first_detail(message).and_then(|detail| detail.amount.as_ref());
    message.transaction.amount.as_ref().or_else(of_entry).or_else(of_detail)
}

impl AmountView {
    fn of(amount: &Amount<'_>) -> Self {
        Self {
            element: amount.element,
            text: amount.text.to_string(),
            currency: amount.currency.to_string(),
            minor_units: amount.money.map(|money| money.minor.to_string()),
        }
    }
}

/// An element met, by the place of its parent in the list; enough to name it once all its brothers
/// are known.
struct Met<'a> {
    parent: Option<usize>,
    local: &'a str,
    /// Its place among like-named brothers, from 1.
    nth: usize,
    /// What its path may have at most, in bytes: whether the first of a name has brothers, and so a
    /// number, is not known yet.
    path_len_max: usize,
}

/// All elements met. Bounded by the ceiling on elements.
#[derive(Default)]
struct Elements<'a> {
    met: Vec<Met<'a>>,
    brothers: HashMap<(Option<usize>, &'a str), usize>,
}

impl<'a> Elements<'a> {
    fn add(&mut self, parent: Option<usize>, local: &'a str) -> usize {
        let count = self.brothers.entry((parent, local)).or_default();
        *count += 1;
        let around = parent.map_or(0, |parent| self.met[parent].path_len_max);
        let path_len_max = around + local.len() + "/[]".len() + digits(*count);
        self.met.push(Met { parent, local, nth: *count, path_len_max });
        self.met.len() - 1
    }

    /// The elements from the root to this one.
    fn line(&self, element: usize) -> Vec<&Met<'a>> {
        let parents = std::iter::successors(Some(element), |at| self.met[*at].parent);
        let mut line: Vec<_> = parents.map(|at| &self.met[at]).collect();
        line.reverse();
        line
    }

    fn path(&self, element: usize) -> String {
        self.line(element).into_iter().map(|met| self.step(met)).collect()
    }

    /// The path as errors show it.
    fn shown(&self, element: usize) -> Box<str> {
        error::path(self.line(element).into_iter().map(|met| met.local))
    }

    fn step(&self, Met { parent, local, nth, .. }: &Met<'a>) -> String {
        match self.brothers[&(*parent, *local)] {
            1 => format!("/{local}"),
            _ => format!("/{local}[{nth}]"),
        }
    }
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| usize::try_from(log).unwrap_or(usize::MAX - 1) + 1)
}

fn collect(bytes: &[u8]) -> Result<Vec<Leaf>, XmlError> {
    let mut walker = Walker::new(bytes, Limits::DEFAULT)?;
    walker.allow_quotes();
    let (mut elements, mut open, mut found) = (Elements::default(), Vec::new(), Vec::new());
    let mut paths_len = 0;
    loop {
        match walker.next()? {
            Step::Open { local, .. } => open.push(elements.add(open.last().copied(), local)),
            Step::Close { text } => {
                let element = open.pop();
                if let (Some(element), Some(text)) = (element, text) {
                    let met = &elements.met[element];
                    paths_len += met.path_len_max;
                    if let Some(kind) = mistake(met.local, &text, paths_len) {
                        let (path, offset) = (elements.shown(element), walker.offset());
                        return Err(XmlError { kind, path, offset });
                    }
                    found.push((element, text, attributes(&walker)));
                }
            }
            Step::End => break,
        }
    }
    let leaf = |(at, text, attributes): (_, Cow<'_, str>, _)| {
        Leaf(elements.path(at), text.into_owned(), attributes)
    };
    Ok(found.into_iter().map(leaf).collect())
}

/// What is wrong with a leaf, the paths of this and all before it being of a length.
fn mistake(local: &str, text: &str, paths_len: usize) -> Option<XmlErrorKind> {
    let is_code = ["BICFI", "BIC", "AnyBIC"].contains(&local);
    // An empty element says nothing; real messages have them.
    if is_code && !text.is_empty() && !is_bic(text.trim()) {
        return Some(XmlErrorKind::BadIdentifier);
    }
    (paths_len > PATHS_LEN_MAX).then_some(XmlErrorKind::PathsTooLong)
}

fn attributes(walker: &Walker<'_>) -> Attributes {
    let pair = |a: &super::walk::Attribute<'_>| (a.local().to_owned(), a.value.to_string());
    Attributes(walker.attributes().iter().map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_identifier_code_that_is_none_is_refused_with_its_path() {
        let message = |bic: &str| {
            format!(
                "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\">\
                 <FIToFICstmrCdtTrf><GrpHdr><MsgId>M1</MsgId></GrpHdr><CdtTrfTxInf><DbtrAgt>\
                 <FinInstnId><BICFI>{bic}</BICFI></FinInstnId></DbtrAgt></CdtTrfTxInf>\
                 </FIToFICstmrCdtTrf></Document>"
            )
        };
        for good in ["BANKCHZHXXX", "BANKVECA", "1234RO22"] {
            assert!(leaves(message(good).as_bytes(), None).is_ok(), "{good}");
        }
        for bad in ["NOTABIC", "bankveca", "BANK1ECA", "BANKVECAXX", "BANKVECÁ"] {
            let error = leaves(message(bad).as_bytes(), None).expect_err(bad);
            assert_eq!(error.kind, XmlErrorKind::BadIdentifier);
            let path = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf/DbtrAgt/FinInstnId/BICFI";
            assert_eq!(&*error.path, path);
        }
    }

    #[test]
    fn a_name_of_the_sender_s_invention_is_not_shown_around_a_bad_code() {
        let message = "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\">\
                       <FIToFICstmrCdtTrf><CdtTrfTxInf><_4111111111111111><BIC>x</BIC>\
                       </_4111111111111111></CdtTrfTxInf></FIToFICstmrCdtTrf></Document>";
        let error = leaves(message.as_bytes(), None).expect_err("no code");
        assert_eq!(error.kind, XmlErrorKind::BadIdentifier);
        assert_eq!(&*error.path, "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf/?/BIC");
    }

    #[test]
    fn long_names_nested_deep_around_many_leaves_are_refused_before_paths_are_built() {
        let name = "n".repeat(127);
        let (open, close) = (format!("<{name}>").repeat(60), format!("</{name}>").repeat(60));
        let message = format!(
            "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\">\
             <FIToFICstmrCdtTrf>{open}{}{close}</FIToFICstmrCdtTrf></Document>",
            "<a/>".repeat(49_900)
        );
        let error = leaves(message.as_bytes(), None).expect_err("paths of 385 MB");
        assert_eq!((error.kind, error.kind.name()), (XmlErrorKind::PathsTooLong, "paths_too_long"));
        assert_eq!(error.path.matches("/?").count(), 60);
    }

    #[test]
    fn a_report_of_as_many_elements_as_there_may_be_is_laid_open() {
        let entry = "<Ntry><NtryRef>1</NtryRef><Sts><Cd>BOOK</Cd></Sts><NtryDtls><TxDtls><Refs>\
                     <InstrId>1</InstrId><EndToEndId>1</EndToEndId><TxId>1</TxId></Refs><RltdPties>\
                     <Dbtr><Pty><Nm>A</Nm></Pty></Dbtr></RltdPties></TxDtls></NtryDtls></Ntry>";
        let report = format!(
            "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.054.001.08\">\
             <BkToCstmrDbtCdtNtfctn><Ntfctn>{}</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>",
            entry.repeat(3_570)
        );
        let opened = leaves(report.as_bytes(), None).expect("a report of 49,983 elements");
        assert_eq!(opened.leaves.len(), 6 * 3_570);
        let Leaf(path, ..) = &opened.leaves[11];
        let of = "/Document/BkToCstmrDbtCdtNtfctn/Ntfctn/Ntry[2]/NtryDtls/TxDtls";
        assert_eq!(*path, format!("{of}/RltdPties/Dbtr/Pty/Nm"));
    }
}
