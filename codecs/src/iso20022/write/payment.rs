//! Payments and requests for them: pacs.008, pain.013.

use router::money::Money;
use router::time::{Date, Timestamp};

use super::parts::{Group, Person};
use super::pen::{NAME_LEN_MAX, Pen, Written};

/// Who is to pay whom how much, and what for.
#[derive(Debug, Clone, Copy)]
pub struct Payment<'a> {
    /// The instructing bank's identifier.
    pub instr_id: Option<&'a str>,
    /// The payer's identifier, `NOTPROVIDED` where there is none.
    pub end_to_end_id: &'a str,
    /// The transaction's identifier between banks.
    pub tx_id: Option<&'a str>,
    /// Unique end-to-end reference, a UUID of version 4 in lower case.
    pub uetr: Option<&'a str>,
    /// How much.
    pub amount: Money,
    /// Who pays.
    pub debtor: Person<'a>,
    /// Who is paid.
    pub creditor: Person<'a>,
    /// Which scheme's kind of payment.
    pub local_instrument: Option<&'a str>,
    /// What kind of payment, a code of the external list or one's own.
    pub category_purpose: Option<&'a str>,
    /// What for, a code of the external list or one's own.
    pub purpose: Option<&'a str>,
    /// What for, in words; cut at 140 characters.
    pub remittance: Option<&'a str>,
    /// Number of the bill.
    pub document_number: Option<&'a str>,
    /// The creditor's reference.
    pub creditor_reference: Option<&'a str>,
}

/// pacs.008: a bank is to credit somebody.
#[derive(Debug, Clone, Copy)]
pub struct CreditTransfer<'a> {
    /// Identifier, time and banks of the message.
    pub group: Group<'a>,
    /// The clearing system that settles, where it is not understood.
    pub clearing_system: Option<&'a str>,
    /// The payment.
    pub payment: Payment<'a>,
    /// When it settles.
    pub settlement_date: Date,
}

/// pain.013: somebody asks to be paid.
#[derive(Debug, Clone, Copy)]
pub struct RequestToPay<'a> {
    /// Identifier and time of the message.
    pub group: Group<'a>,
    /// Who asks.
    pub initiator: Person<'a>,
    /// The request's identifier, which its status repeats.
    pub payment_info_id: &'a str,
    /// What is asked for.
    pub payment: Payment<'a>,
    /// When it is to be paid.
    pub requested: Date,
    /// When it is too late.
    pub expires: Option<Timestamp>,
}

impl Pen<'_> {
    pub(super) fn credit_transfer(&mut self, transfer: &CreditTransfer<'_>) -> Written {
        let payment = &transfer.payment;
        self.element("FIToFICstmrCdtTrf", |pen| {
            pen.element("GrpHdr", |pen| {
                pen.group(&transfer.group, Some("1"))?;
                pen.settlement(transfer.clearing_system)?;
                pen.group_banks(&transfer.group)
            })?;
            pen.element("CdtTrfTxInf", |pen| {
                pen.payment_ids(payment, payment.tx_id)?;
                pen.payment_type(payment)?;
                pen.amount("IntrBkSttlmAmt", payment.amount)?;
                pen.date("IntrBkSttlmDt", transfer.settlement_date)?;
                pen.leaf("ChrgBr", "SLEV");
                pen.person("Dbtr", &payment.debtor)?;
                pen.account("DbtrAcct", payment.debtor.account)?;
                pen.bank("DbtrAgt", payment.debtor.bank)?;
                pen.creditor(payment)?;
                pen.what_for(payment)
            })
        })
    }

    pub(super) fn request_to_pay(&mut self, request: &RequestToPay<'_>) -> Written {
        let payment = &request.payment;
        self.element("CdtrPmtActvtnReq", |pen| {
            pen.element("GrpHdr", |pen| {
                pen.group(&request.group, Some("1"))?;
                pen.person("InitgPty", &request.initiator)
            })?;
            pen.element("PmtInf", |pen| {
                pen.id("PmtInfId", request.payment_info_id)?;
                pen.leaf("PmtMtd", "TRF");
                pen.element("ReqdExctnDt", |pen| pen.date("Dt", request.requested))?;
                if let Some(expires) = request.expires {
                    pen.element("XpryDt", |pen| pen.time("DtTm", expires))?;
                }
                pen.person("Dbtr", &payment.debtor)?;
                pen.account("DbtrAcct", payment.debtor.account)?;
                pen.bank("DbtrAgt", payment.debtor.bank)?;
                pen.element("CdtTrfTx", |pen| {
                    pen.payment_ids(payment, None)?;
                    pen.payment_type(payment)?;
                    pen.element("Amt", |pen| pen.amount("InstdAmt", payment.amount))?;
                    pen.leaf("ChrgBr", "SLEV");
                    pen.creditor(payment)?;
                    pen.what_for(payment)
                })
            })
        })
    }

    /// Settlement through a clearing.
    pub(super) fn settlement(&mut self, clearing_system: Option<&str>) -> Written {
        self.element("SttlmInf", |pen| {
            pen.leaf("SttlmMtd", "CLRG");
            let Some(system) = clearing_system else { return Ok(()) };
            // Codes of cash clearing systems have three characters, other names are one's own.
            let tag = if system.len() == 3 { "Cd" } else { "Prtry" };
            pen.element("ClrSys", |pen| pen.id(tag, system))
        })
    }

    fn payment_ids(&mut self, payment: &Payment<'_>, tx_id: Option<&str>) -> Written {
        self.element("PmtId", |pen| {
            pen.opt_id("InstrId", payment.instr_id)?;
            pen.id("EndToEndId", payment.end_to_end_id)?;
            pen.opt_id("TxId", tx_id)?;
            pen.opt_uetr("UETR", payment.uetr)
        })
    }

    fn payment_type(&mut self, payment: &Payment<'_>) -> Written {
        if payment.local_instrument.is_none() && payment.category_purpose.is_none() {
            return Ok(());
        }
        self.element("PmtTpInf", |pen| {
            pen.coded("LclInstrm", payment.local_instrument)?;
            pen.coded("CtgyPurp", payment.category_purpose)
        })
    }

    fn creditor(&mut self, payment: &Payment<'_>) -> Written {
        self.bank("CdtrAgt", payment.creditor.bank)?;
        self.person("Cdtr", &payment.creditor)?;
        self.account("CdtrAcct", payment.creditor.account)
    }

    fn what_for(&mut self, payment: &Payment<'_>) -> Written {
        self.coded("Purp", payment.purpose)?;
        let is_structured =
            payment.document_number.is_some() || payment.creditor_reference.is_some();
        if payment.remittance.is_none_or(str::is_empty) && !is_structured {
            return Ok(());
        }
        self.element("RmtInf", |pen| {
            pen.text("Ustrd", payment.remittance, NAME_LEN_MAX);
            if !is_structured {
                return Ok(());
            }
            pen.element("Strd", |pen| {
                if let Some(number) = payment.document_number {
                    pen.element("RfrdDocInf", |pen| pen.id("Nb", number))?;
                }
                if let Some(reference) = payment.creditor_reference {
                    pen.element("CdtrRefInf", |pen| pen.id("Ref", reference))?;
                }
                Ok(())
            })
        })
    }
}
