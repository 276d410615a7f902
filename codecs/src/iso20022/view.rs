//! A message laid open for people and scripts: what it says, and every leaf of it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::amount::Amount;
use super::canonical::{Iso20022, Transaction, Word, is_bic};
use super::clearing;
use super::error::{XmlError, XmlErrorKind};
use super::limits::Limits;
use super::message_id::MessageId;
use super::read::read;
use super::walk::{Step, Walker};

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
/// Errors: as of [`read`], a bank identifier code that is none, and a transfer in a currency that is
///         not cleared between its banks.
pub fn leaves(bytes: &[u8]) -> Result<Opened, XmlError> {
    let message = read(bytes)?;
    if !clearing::is_plausible(&message) {
        let offset = message.transaction.amount.as_ref().map_or(0, |amount| amount.offset);
        let kind = XmlErrorKind::CurrencyNotAllowed;
        return Err(XmlError { kind, path: clearing::AMOUNT_PATH.into(), offset });
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
        let first = |of: for<'t> fn(&'t Transaction<'_>) -> Option<&'t str>| {
            transactions(message).find_map(of).map(str::to_owned)
        };
        let own = |word: &Word<'_>| word.as_deref().map(str::to_owned);
        Self {
            msg_id: own(&message.msg_id).or_else(|| first(|of| of.msg_id.as_deref())),
            created: own(&message.created),
            instr_id: first(|of| of.instr_id.as_deref()).or_else(|| own(&original.instr_id)),
            end_to_end_id: first(|of| of.end_to_end_id.as_deref())
                .or_else(|| own(&original.end_to_end_id)),
            tx_id: first(|of| of.tx_id.as_deref()).or_else(|| own(&original.tx_id)),
            uetr: first(|of| of.uetr.as_deref()).or_else(|| own(&original.uetr)),
            status: first(|of| of.status.as_deref()),
            orig_msg_id: own(&original.msg_id),
            orig_msg_name: own(&original.msg_name),
            settlement_date: first(|of| of.settlement_date.as_deref())
                .or_else(|| own(&original.settlement_date)),
            amount: amount(message).map(AmountView::of),
            reason: first(|of| of.reason.code.as_deref()),
        }
    }
}

/// The message's transaction, and those of its entries.
fn transactions<'m, 'a>(message: &'m Iso20022<'a>) -> impl Iterator<Item = &'m Transaction<'a>> {
    let details = message.entries.iter().flat_map(|entry| &entry.details);
    std::iter::once(&message.transaction).chain(details)
}

fn amount<'m, 'a>(message: &'m Iso20022<'a>) -> Option<&'m Amount<'a>> {
    let of_entry = || message.entries.iter().find_map(|entry| entry.amount.as_ref());
    message.transaction.amount.as_ref().or_else(of_entry)
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
        self.met.push(Met { parent, local, nth: *count });
        self.met.len() - 1
    }

    fn path(&self, element: usize) -> String {
        let parents = std::iter::successors(Some(element), |at| self.met[*at].parent);
        let mut steps: Vec<String> = parents.map(|at| self.step(&self.met[at])).collect();
        steps.reverse();
        steps.concat()
    }

    fn step(&self, Met { parent, local, nth }: &Met<'a>) -> String {
        match self.brothers[&(*parent, *local)] {
            1 => format!("/{local}"),
            _ => format!("/{local}[{nth}]"),
        }
    }
}

fn collect(bytes: &[u8]) -> Result<Vec<Leaf>, XmlError> {
    let mut walker = Walker::new(bytes, Limits::DEFAULT)?;
    walker.allow_quotes();
    let (mut elements, mut open, mut found) = (Elements::default(), Vec::new(), Vec::new());
    loop {
        match walker.next()? {
            Step::Open { local, .. } => open.push(elements.add(open.last().copied(), local)),
            Step::Close { text } => {
                let element = open.pop();
                if let (Some(element), Some(text)) = (element, text) {
                    let is_code = ["BICFI", "BIC", "AnyBIC"].contains(&elements.met[element].local);
                    if is_code && !text.is_empty() && !is_bic(text.trim()) {
                        let (kind, offset) = (XmlErrorKind::BadIdentifier, walker.offset());
                        let path = elements.path(element).into();
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
            assert!(leaves(message(good).as_bytes()).is_ok(), "{good}");
        }
        for bad in ["NOTABIC", "bankveca", "BANK1ECA", "BANKVECAXX", "BANKVECÁ"] {
            let error = leaves(message(bad).as_bytes()).expect_err(bad);
            assert_eq!(error.kind, XmlErrorKind::BadIdentifier);
            let path = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf/DbtrAgt/FinInstnId/BICFI";
            assert_eq!(&*error.path, path);
        }
    }
}
