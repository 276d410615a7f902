//! What messages are made of: groups, banks, people, originals, reasons.

use std::borrow::Cow;

use router::money::Money;
use router::reason::{Language, Reason};
use router::time::{Date, Timestamp};

use crate::forms::{is_bic, is_iban};

use super::super::canonical::Iso20022;
use super::forms::{is_date_time, is_uetr};
use super::pen::{CODE_LEN_MAX, INFO_LEN_MAX, NAME_LEN_MAX, Pen, WriteErrorKind, Written, is_code};

/// Longest account number of another kind than IBAN (`Max34Text`).
const ACCOUNT_LEN_MAX: usize = 34;
/// Longest code of a clearing system whose members banks are.
const SYSTEM_LEN_MAX: usize = 5;

/// What every message begins with.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// The message's own identifier, up to 35 characters.
    pub msg_id: &'a str,
    /// When it was made.
    pub created: Timestamp,
    /// Who instructs or assigns.
    pub instructing: Option<Bank<'a>>,
    /// Who is to act.
    pub instructed: Option<Bank<'a>>,
}

/// A bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bank<'a> {
    /// By its BIC, 8 or 11 characters.
    Bic(&'a str),
    /// By its number in a clearing system.
    Member {
        /// The clearing system, e.g. `USABA`, where it is not understood.
        system: Option<&'a str>,
        /// The number.
        id: &'a str,
    },
}

/// A person or company.
#[derive(Debug, Clone, Copy, Default)]
pub struct Person<'a> {
    /// The name; cut at 140 characters.
    pub name: Option<&'a str>,
    /// An identification of whatever scheme.
    pub id: Option<&'a str>,
    /// The account.
    pub account: Option<BankAccount<'a>>,
    /// The bank.
    pub bank: Option<Bank<'a>>,
}

/// An account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BankAccount<'a> {
    /// By its IBAN, whose check digits must be right.
    Iban(&'a str),
    /// By a number of another kind, up to 34 characters.
    Other(&'a str),
    /// By a name that stands for it, up to 34 characters.
    Proxy {
        /// What kind of name, e.g. `TELE`.
        kind: &'a str,
        /// The name.
        id: &'a str,
    },
}

/// The message and transaction that a message is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// Identifier of the original message.
    pub msg_id: Option<&'a str>,
    /// Which message it was, e.g. `pacs.008.001.08`.
    pub msg_name: Option<&'a str>,
    /// When it was made, as it said.
    pub created: Option<&'a str>,
    /// Its payment information, of a request to pay.
    pub payment_info_id: Option<&'a str>,
    /// Its instruction identifier.
    pub instr_id: Option<&'a str>,
    /// The payer's identifier.
    pub end_to_end_id: Option<&'a str>,
    /// Its transaction identifier.
    pub tx_id: Option<&'a str>,
    /// Its unique end-to-end reference.
    pub uetr: Option<&'a str>,
    /// What it moved.
    pub amount: Option<Money>,
    /// When it settled.
    pub settlement_date: Option<Date>,
}

impl<'a> About<'a> {
    /// A request that came in, as the message that an answer is about.
    pub fn request(request: &'a Iso20022<'_>) -> Self {
        let transaction = &request.transaction;
        Self {
            msg_id: request.msg_id.as_deref().or(request.assignment_id.as_deref()),
            msg_name: Some(request.message.as_str()),
            created: request.created.as_deref(),
            payment_info_id: transaction.payment_info_id.as_deref(),
            instr_id: transaction.instr_id.as_deref(),
            end_to_end_id: transaction.end_to_end_id.as_deref(),
            tx_id: transaction.tx_id.as_deref(),
            uetr: transaction.uetr.as_deref(),
            amount: transaction.amount.as_ref().and_then(|amount| amount.money),
            settlement_date: None,
        }
    }

    /// The original that a request which came in is itself about: of an inquiry or a cancellation
    /// the payment it means.
    pub fn original_of(request: &'a Iso20022<'_>) -> Self {
        let original = &request.original;
        Self {
            msg_id: original.msg_id.as_deref(),
            msg_name: original.msg_name.as_deref(),
            created: original.created.as_deref(),
            payment_info_id: original.payment_info_id.as_deref(),
            instr_id: original.instr_id.as_deref(),
            end_to_end_id: original.end_to_end_id.as_deref(),
            tx_id: original.tx_id.as_deref(),
            uetr: original.uetr.as_deref(),
            amount: original.amount.as_ref().and_then(|amount| amount.money),
            settlement_date: None,
        }
    }
}

/// Why something is refused, sent back or cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why<'a> {
    /// A code of the external lists (one to four capitals and digits), or one of the sender's own.
    pub code: Cow<'a, str>,
    /// An explanation; cut at 105 characters.
    pub info: Option<Cow<'a, str>>,
}

impl Why<'static> {
    /// A reason of the catalogue: the nearest standard code, or the catalogue's number where there
    /// is none. The number also begins the explanation, because several reasons share a code.
    pub fn reason(reason: Reason, language: Language) -> Self {
        let info = reason.info();
        let code = match reason {
            // Their codes in the catalogue are states, which `TxSts` tells.
            Reason::Approved | Reason::Pending => info.no,
            _ if is_code(info.iso20022) => info.iso20022,
            _ => info.no,
        };
        let text = format!("{} {}", info.no, info.text(language));
        Self { code: code.into(), info: Some(text.into()) }
    }

    fn is_own(code: &str) -> bool {
        // A number of the catalogue has the form of a code and is none.
        !is_code(code) || Reason::from_no(code).is_some()
    }
}

impl Pen<'_> {
    pub(super) fn group(&mut self, group: &Group<'_>, count: Option<&str>) -> Written {
        self.id("MsgId", group.msg_id)?;
        self.time("CreDtTm", group.created)?;
        if let Some(count) = count {
            self.leaf("NbOfTxs", count);
        }
        Ok(())
    }

    /// The two banks, in whichever place of the group the schema wants them.
    pub(super) fn group_banks(&mut self, group: &Group<'_>) -> Written {
        self.opt_bank("InstgAgt", group.instructing)?;
        self.opt_bank("InstdAgt", group.instructed)
    }

    pub(super) fn opt_bank(&mut self, tag: &'static str, bank: Option<Bank<'_>>) -> Written {
        bank.map_or(Ok(()), |bank| self.element(tag, |pen| pen.institution(bank)))
    }

    pub(super) fn bank(&mut self, tag: &'static str, bank: Option<Bank<'_>>) -> Written {
        let bank = bank.ok_or_else(|| self.error(WriteErrorKind::Missing, tag))?;
        self.opt_bank(tag, Some(bank))
    }

    pub(super) fn institution(&mut self, bank: Bank<'_>) -> Written {
        self.element("FinInstnId", |pen| match bank {
            Bank::Bic(bic) => pen.formed("BICFI", bic, is_bic),
            Bank::Member { system, id } => pen.element("ClrSysMmbId", |pen| {
                if let Some(system) = system {
                    pen.element("ClrSysId", |pen| pen.exact("Cd", system, SYSTEM_LEN_MAX))?;
                }
                pen.id("MmbId", id)
            }),
        })
    }

    /// Name and identification.
    pub(super) fn person(&mut self, tag: &'static str, person: &Person<'_>) -> Written {
        self.element(tag, |pen| pen.person_within(person))
    }

    pub(super) fn person_within(&mut self, person: &Person<'_>) -> Written {
        self.text("Nm", person.name, NAME_LEN_MAX);
        let Some(id) = person.id else { return Ok(()) };
        self.element("Id", |pen| {
            pen.element("OrgId", |pen| pen.element("Othr", |pen| pen.id("Id", id)))
        })
    }

    pub(super) fn account(
        &mut self,
        tag: &'static str,
        account: Option<BankAccount<'_>>,
    ) -> Written {
        let Some(account) = account else { return Ok(()) };
        self.element(tag, |pen| pen.account_within(account))
    }

    pub(super) fn account_within(&mut self, account: BankAccount<'_>) -> Written {
        self.element("Id", |pen| match account {
            BankAccount::Iban(iban) => pen.formed("IBAN", iban, is_iban),
            BankAccount::Other(id) | BankAccount::Proxy { id, .. } => {
                pen.element("Othr", |pen| pen.exact("Id", id, ACCOUNT_LEN_MAX))
            }
        })?;
        let BankAccount::Proxy { kind, id } = account else { return Ok(()) };
        self.element("Prxy", |pen| {
            pen.coded("Tp", Some(kind))?;
            pen.exact("Id", id, ACCOUNT_LEN_MAX)
        })
    }

    /// `OrgnlGrpInf` and the like, where the original's message is known.
    pub(super) fn about_message(&mut self, tag: &'static str, about: &About<'_>) -> Written {
        if about.msg_id.is_none() {
            return Ok(());
        }
        self.element(tag, |pen| pen.about_message_within(about))
    }

    pub(super) fn about_message_within(&mut self, about: &About<'_>) -> Written {
        self.id("OrgnlMsgId", about.msg_id.unwrap_or_default())?;
        self.id("OrgnlMsgNmId", about.msg_name.unwrap_or_default())?;
        // It is the original's own text, and an answer must not fail because of it.
        if let Some(created) = about.created.filter(|created| is_date_time(created)) {
            self.leaf("OrgnlCreDtTm", created);
        }
        Ok(())
    }

    /// Reason and explanation.
    pub(super) fn why(&mut self, tag: &'static str, why: Option<&Why<'_>>) -> Written {
        let Some(why) = why else { return Ok(()) };
        self.element(tag, |pen| {
            pen.element("Rsn", |pen| match Why::is_own(&why.code) {
                true => pen.id("Prtry", &why.code),
                false => pen.exact("Cd", &why.code, CODE_LEN_MAX),
            })?;
            pen.text("AddtlInf", why.info.as_deref(), INFO_LEN_MAX);
            Ok(())
        })
    }

    pub(super) fn opt_uetr(&mut self, tag: &str, uetr: Option<&str>) -> Written {
        uetr.map_or(Ok(()), |uetr| self.formed(tag, uetr, is_uetr))
    }
}
