//! Rules of usage guidelines: what a network adds to the schemas of the messages it carries.
//!
//! A rule is applied where the header names its guideline, or where the caller does, and only there:
//! the schemas themselves know no scheme, and what one network forbids another carries every day.
//!
//! | guideline | messages | rules |
//! |---|---|---|
//! | CBPR+ | pacs.002, .004, .008, .009, camt.056 | one transaction; a UETR; no settlement through a clearing |
//! | SEPA | pacs.004, pacs.008 | euros, at most 999,999,999.99; charges `SLEV`; accounts by IBAN |
//! | FedNow | pacs.002, .004, .008, .009, pain.013 | one transaction; dollars; settlement through the clearing |
//!
//! Source: Swift, CBPR+ usage guidelines (`swift.cbprplus.02`); European Payments Council, EPC115-06
//! and EPC122-16; Federal Reserve Financial Services, FedNow Service ISO 20022 guide
//! (`frb.fednow.01`).

use super::canonical::{Account, Header, Iso20022, Word};
use super::error::{XmlError, XmlErrorKind};

/// A usage guideline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guideline {
    /// Cross-border payments and reporting between correspondent banks.
    CbprPlus,
    /// Credit transfers in the single euro payments area, instant ones among them.
    Sepa,
    /// Instant payments of the Federal Reserve Banks.
    FedNow,
}

/// Where a message breaks its guideline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breach {
    pub kind: XmlErrorKind,
    /// The element, from the message's group or transaction on.
    pub element: &'static str,
    /// Its path.
    pub path: String,
    /// Where that element begins, in bytes; 0 where it is missing or its place is not kept.
    pub offset: usize,
}

/// Largest amount of a SEPA transfer, in cents.
const SEPA_MINOR_MAX: i64 = 99_999_999_999;
/// How a settlement through a clearing is called.
const CLEARING: &str = "CLRG";

/// A message that guidelines have rules for: its number, its root, and its transaction there.
type Schema = (&'static str, &'static str, &'static str);

const SCHEMAS: [Schema; 6] = [
    ("pacs.002", "FIToFIPmtStsRpt", "TxInfAndSts"),
    ("pacs.004", "PmtRtr", "TxInf"),
    ("pacs.008", "FIToFICstmrCdtTrf", "CdtTrfTxInf"),
    ("pacs.009", "FICdtTrf", "CdtTrfTxInf"),
    ("camt.056", "FIToFIPmtCxlReq", "Undrlyg/TxInf"),
    ("pain.013", "CdtrPmtActvtnReq", "PmtInf/CdtTrfTx"),
];

impl Guideline {
    /// The guideline that a header names, in `BizSvc`, `MktPrctc/Id` or `MsgDefIdr`.
    pub fn of_header(header: &Header<'_>) -> Option<Self> {
        let words = [&header.service, &header.practice, &header.message];
        words.into_iter().flatten().find_map(|word| Self::named_in(word))
    }

    /// From an identifier such as `swift.cbprplus.02`, by one of its words.
    fn named_in(identifier: &str) -> Option<Self> {
        let mut words = identifier.split(|c: char| !c.is_ascii_alphanumeric());
        words.find_map(|word| match word.to_ascii_lowercase().as_str() {
            "cbprplus" | "cbpr" => Some(Self::CbprPlus),
            "sepa" | "sct" | "sctinst" => Some(Self::Sepa),
            "fednow" => Some(Self::FedNow),
            _ => None,
        })
    }

    /// Checks a message against the rules.
    ///
    /// Errors: `currency_not_allowed`, `guideline_broken`, with the element's path.
    pub fn check(self, message: &Iso20022<'_>) -> Result<(), XmlError> {
        self.breach(message).map_or(Ok(()), |Breach { kind, path, offset, .. }| {
            Err(XmlError { kind, path: path.into(), offset })
        })
    }

    /// The first rule that a message breaks.
    pub(super) fn breach(self, message: &Iso20022<'_>) -> Option<Breach> {
        let code = message.message.as_str().get(..8)?;
        let schema = SCHEMAS.into_iter().find(|(known, ..)| *known == code)?;
        let checked = Checked { message, schema };
        match self {
            Self::CbprPlus => checked
                .count()
                .or_else(|| checked.reference())
                .or_else(|| checked.settlement(|method| method != CLEARING)),
            Self::Sepa => checked.sepa(),
            Self::FedNow => checked
                .count()
                .or_else(|| checked.currency("USD"))
                .or_else(|| checked.settlement(|method| method == CLEARING)),
        }
    }
}

/// A message under its guideline's eyes.
struct Checked<'m, 'a> {
    message: &'m Iso20022<'a>,
    schema: Schema,
}

impl Checked<'_, '_> {
    fn of_group(&self, element: &'static str) -> Option<Breach> {
        let path = format!("/Document/{}/{element}", self.schema.1);
        Some(Breach { kind: XmlErrorKind::GuidelineBroken, element, path, offset: 0 })
    }

    fn of_transaction(&self, element: &'static str, offset: usize) -> Option<Breach> {
        let (_, root, transaction) = self.schema;
        let path = format!("/Document/{root}/{transaction}/{element}");
        Some(Breach { kind: XmlErrorKind::GuidelineBroken, element, path, offset })
    }

    fn is_transfer(&self) -> bool {
        matches!(self.schema.0, "pacs.008" | "pacs.009")
    }

    fn count(&self) -> Option<Breach> {
        if self.message.transaction_count < 2 { None } else { self.of_group("GrpHdr/NbOfTxs") }
    }

    fn reference(&self) -> Option<Breach> {
        let (element, uetr) = match self.schema.0 {
            "pain.013" => return None,
            _ if self.is_transfer() => ("PmtId/UETR", &self.message.transaction.uetr),
            _ => ("OrgnlUETR", &self.message.original.uetr),
        };
        if uetr.is_some() { None } else { self.of_transaction(element, 0) }
    }

    fn settlement(&self, is_allowed: impl Fn(&str) -> bool) -> Option<Breach> {
        let method = self.message.settlement_method.as_deref().filter(|_| self.is_transfer())?;
        if is_allowed(method) { None } else { self.of_group("GrpHdr/SttlmInf/SttlmMtd") }
    }

    fn currency(&self, allowed: &str) -> Option<Breach> {
        let amount = self.message.transaction.amount.as_ref()?;
        if amount.currency == allowed {
            return None;
        }
        let breach = self.of_transaction(amount.element, amount.offset)?;
        Some(Breach { kind: XmlErrorKind::CurrencyNotAllowed, ..breach })
    }

    fn sepa(&self) -> Option<Breach> {
        if !matches!(self.schema.0, "pacs.004" | "pacs.008") {
            return None;
        }
        self.currency("EUR")
            .or_else(|| self.sepa_amount())
            .or_else(|| if self.is_transfer() { self.sepa_transfer() } else { None })
    }

    fn sepa_amount(&self) -> Option<Breach> {
        let amount = self.message.transaction.amount.as_ref()?;
        let is_too_much = amount.money.is_some_and(|money| money.minor > SEPA_MINOR_MAX);
        if is_too_much { self.of_transaction(amount.element, amount.offset) } else { None }
    }

    fn sepa_transfer(&self) -> Option<Breach> {
        let transaction = &self.message.transaction;
        if !is(&transaction.charge_bearer, "SLEV") {
            return self.of_transaction("ChrgBr", 0);
        }
        let is_other = |account: &Account<'_>| account.iban.is_none() && account.other.is_some();
        let accounts = [
            ("DbtrAcct/Id/Othr/Id", &transaction.debtor.account),
            ("CdtrAcct/Id/Othr/Id", &transaction.creditor.account),
        ];
        let other = accounts.into_iter().find(|(_, account)| is_other(account));
        other.and_then(|(element, _)| self.of_transaction(element, 0))
    }
}

fn is(word: &Word<'_>, text: &str) -> bool {
    word.as_deref() == Some(text)
}

#[cfg(test)]
mod tests;
