//! Money came or went: camt.054.

use router::money::Money;
use router::time::Date;

use super::parts::{BankAccount, Group, Person};
use super::pen::{NAME_LEN_MAX, Pen, Written};

/// camt.054: entries of an account.
#[derive(Debug, Clone, Copy)]
pub struct Notification<'a> {
    /// Identifier and time of the message.
    pub group: Group<'a>,
    /// The notification's own identifier.
    pub id: &'a str,
    /// The account.
    pub account: BankAccount<'a>,
    /// Its owner's name.
    pub owner: Option<&'a str>,
    /// What is booked.
    pub entries: &'a [Booking<'a>],
}

/// One entry, of one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Booking<'a> {
    /// The entry's identifier.
    pub reference: Option<&'a str>,
    /// How much.
    pub amount: Money,
    /// Which way.
    pub direction: Direction,
    /// Which day it was booked.
    pub booked: Date,
    /// Which day it counts from.
    pub value_date: Date,
    /// The bank's own reference.
    pub bank_reference: Option<&'a str>,
    /// The instructing bank's identifier.
    pub instr_id: Option<&'a str>,
    /// The payer's identifier.
    pub end_to_end_id: Option<&'a str>,
    /// The transaction's identifier between banks.
    pub tx_id: Option<&'a str>,
    /// Unique end-to-end reference.
    pub uetr: Option<&'a str>,
    /// Who paid.
    pub debtor: Option<Person<'a>>,
    /// Who was paid.
    pub creditor: Option<Person<'a>>,
    /// What for; cut at 140 characters.
    pub remittance: Option<&'a str>,
}

/// Which way money went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the account.
    Credit,
    /// Out of it.
    Debit,
}

impl Direction {
    fn code(self) -> &'static str {
        match self {
            Self::Credit => "CRDT",
            Self::Debit => "DBIT",
        }
    }

    /// Received or issued credit transfers.
    ///
    /// Source: external bank transaction codes, domain `PMNT`.
    fn bank_family(self) -> &'static str {
        match self {
            Self::Credit => "RCDT",
            Self::Debit => "ICDT",
        }
    }
}

impl Pen<'_> {
    pub(super) fn notification(&mut self, notification: &Notification<'_>) -> Written {
        self.element("BkToCstmrDbtCdtNtfctn", |pen| {
            pen.element("GrpHdr", |pen| pen.group(&notification.group, None))?;
            pen.element("Ntfctn", |pen| {
                pen.id("Id", notification.id)?;
                pen.time("CreDtTm", notification.group.created)?;
                pen.notified_account(notification)?;
                notification.entries.iter().try_for_each(|entry| pen.entry(entry))
            })
        })
    }

    fn notified_account(&mut self, notification: &Notification<'_>) -> Written {
        self.element("Acct", |pen| {
            pen.account_within(notification.account)?;
            match notification.owner {
                None | Some("") => Ok(()),
                owner => pen.element("Ownr", |pen| {
                    pen.text("Nm", owner, NAME_LEN_MAX);
                    Ok(())
                }),
            }
        })
    }

    fn entry(&mut self, entry: &Booking<'_>) -> Written {
        self.element("Ntry", |pen| {
            pen.opt_id("NtryRef", entry.reference)?;
            pen.amount("Amt", entry.amount)?;
            pen.leaf("CdtDbtInd", entry.direction.code());
            pen.element("Sts", |pen| pen.id("Cd", "BOOK"))?;
            pen.element("BookgDt", |pen| pen.date("Dt", entry.booked))?;
            pen.element("ValDt", |pen| pen.date("Dt", entry.value_date))?;
            pen.opt_id("AcctSvcrRef", entry.bank_reference)?;
            pen.element("BkTxCd", |pen| {
                pen.element("Domn", |pen| {
                    pen.leaf("Cd", "PMNT");
                    pen.element("Fmly", |pen| {
                        pen.leaf("Cd", entry.direction.bank_family());
                        pen.leaf("SubFmlyCd", "OTHR");
                        Ok(())
                    })
                })
            })?;
            pen.element("NtryDtls", |pen| pen.element("TxDtls", |pen| pen.details(entry)))
        })
    }

    fn details(&mut self, entry: &Booking<'_>) -> Written {
        self.element("Refs", |pen| {
            pen.opt_id("InstrId", entry.instr_id)?;
            pen.opt_id("EndToEndId", entry.end_to_end_id)?;
            pen.opt_uetr("UETR", entry.uetr)?;
            pen.opt_id("TxId", entry.tx_id)
        })?;
        self.amount("Amt", entry.amount)?;
        self.leaf("CdtDbtInd", entry.direction.code());
        self.related_parties(entry)?;
        self.related_banks(entry)?;
        if entry.remittance.is_none_or(str::is_empty) {
            return Ok(());
        }
        self.element("RmtInf", |pen| {
            pen.text("Ustrd", entry.remittance, NAME_LEN_MAX);
            Ok(())
        })
    }

    fn related_parties(&mut self, entry: &Booking<'_>) -> Written {
        let sides = [("Dbtr", "DbtrAcct", entry.debtor), ("Cdtr", "CdtrAcct", entry.creditor)];
        if sides.iter().all(|(.., person)| person.is_none()) {
            return Ok(());
        }
        self.element("RltdPties", |pen| {
            sides.iter().try_for_each(|(party, account, person)| {
                let Some(person) = person else { return Ok(()) };
                pen.element(party, |pen| pen.person("Pty", person))?;
                pen.account(account, person.account)
            })
        })
    }

    fn related_banks(&mut self, entry: &Booking<'_>) -> Written {
        let of = |person: Option<Person<'_>>| person.and_then(|person| person.bank).is_some();
        if !of(entry.debtor) && !of(entry.creditor) {
            return Ok(());
        }
        self.element("RltdAgts", |pen| {
            pen.opt_bank("DbtrAgt", entry.debtor.and_then(|person| person.bank))?;
            pen.opt_bank("CdtrAgt", entry.creditor.and_then(|person| person.bank))
        })
    }
}
