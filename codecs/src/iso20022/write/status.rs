//! What became of a payment or a request to pay, and asking for it: pacs.002, pain.014, pacs.028.

use router::reason::{Language, Reason};
use router::time::Timestamp;

use super::parts::{About, Group, Person, Why};
use super::pen::{Pen, WriteErrorKind, Written};

/// The state of a transaction.
///
/// Source: `ExternalPaymentTransactionStatus1Code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// `ACSC`: booked.
    Settled,
    /// `ACTC`: checked and found good.
    Checked,
    /// `ACSP`: on its way.
    InProcess,
    /// `PDNG`: not known yet.
    Pending,
    /// `RCVD`: received.
    Received,
    /// `RJCT`: refused.
    Rejected,
    /// `CANC`: cancelled.
    Cancelled,
}

impl TransactionStatus {
    const ALL: [Self; 7] = [
        Self::Settled,
        Self::Checked,
        Self::InProcess,
        Self::Pending,
        Self::Received,
        Self::Rejected,
        Self::Cancelled,
    ];

    /// The state of a code; `ACCC`, credited, is settled and more, `ACCP` and `ACWC` are checked.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "ACCC" => Some(Self::Settled),
            "ACCP" | "ACWC" => Some(Self::Checked),
            _ => Self::ALL.into_iter().find(|status| status.code() == code),
        }
    }

    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Settled => "ACSC",
            Self::Checked => "ACTC",
            Self::InProcess => "ACSP",
            Self::Pending => "PDNG",
            Self::Received => "RCVD",
            Self::Rejected => "RJCT",
            Self::Cancelled => "CANC",
        }
    }

    /// The state that a reason of the catalogue tells. What is not known is pending, never
    /// refused.
    pub fn of(reason: Reason) -> Self {
        match reason {
            Reason::Approved => Self::Settled,
            Reason::Pending | Reason::OutcomeUnknown | Reason::BillInProgress => Self::Pending,
            _ => Self::Rejected,
        }
    }
}

/// pacs.002: what became of a payment, a return, a reversal.
#[derive(Debug, Clone)]
pub struct PaymentStatus<'a> {
    /// Identifier, time and banks of the message.
    pub group: Group<'a>,
    /// The status's own identifier.
    pub id: Option<&'a str>,
    /// The payment.
    pub about: About<'a>,
    /// Its state.
    pub status: TransactionStatus,
    /// Why, where it is not good.
    pub why: Option<Why<'a>>,
    /// When it was accepted.
    pub accepted: Option<Timestamp>,
}

impl<'a> PaymentStatus<'a> {
    /// The state and reason that a reason of the catalogue tells.
    pub fn of(group: Group<'a>, about: About<'a>, reason: Reason, language: Language) -> Self {
        let status = TransactionStatus::of(reason);
        let why = (reason != Reason::Approved).then(|| Why::reason(reason, language));
        Self { group, id: None, about, status, why, accepted: None }
    }
}

/// pain.014: what became of a request to pay.
#[derive(Debug, Clone)]
pub struct RequestToPayStatus<'a> {
    /// What became of it; `about.payment_info_id` must be there.
    pub status: PaymentStatus<'a>,
    /// Who says so.
    pub initiator: Person<'a>,
}

/// pacs.028: what became of a payment?
#[derive(Debug, Clone, Copy)]
pub struct StatusRequest<'a> {
    /// Identifier, time and banks of the message.
    pub group: Group<'a>,
    /// The question's own identifier.
    pub id: Option<&'a str>,
    /// The payment.
    pub about: About<'a>,
}

impl Pen<'_> {
    pub(super) fn payment_status(&mut self, report: &PaymentStatus<'_>) -> Written {
        self.element("FIToFIPmtStsRpt", |pen| {
            pen.element("GrpHdr", |pen| {
                pen.group(&report.group, None)?;
                pen.group_banks(&report.group)
            })?;
            pen.element("TxInfAndSts", |pen| {
                pen.opt_id("StsId", report.id)?;
                pen.about_message("OrgnlGrpInf", &report.about)?;
                pen.about_transaction(&report.about)?;
                pen.status(report)
            })
        })
    }

    pub(super) fn request_to_pay_status(&mut self, report: &RequestToPayStatus<'_>) -> Written {
        let RequestToPayStatus { status, initiator } = report;
        let about = &status.about;
        self.element("CdtrPmtActvtnReqStsRpt", |pen| {
            pen.element("GrpHdr", |pen| {
                pen.group(&status.group, None)?;
                pen.person("InitgPty", initiator)
            })?;
            pen.element("OrgnlGrpInfAndSts", |pen| pen.about_message_within(about))?;
            pen.element("OrgnlPmtInfAndSts", |pen| {
                let id = about.payment_info_id;
                let id = id.ok_or_else(|| pen.error(WriteErrorKind::Missing, "OrgnlPmtInfId"))?;
                pen.id("OrgnlPmtInfId", id)?;
                pen.element("TxInfAndSts", |pen| {
                    pen.opt_id("StsId", status.id)?;
                    pen.opt_id("OrgnlInstrId", about.instr_id)?;
                    pen.opt_id("OrgnlEndToEndId", about.end_to_end_id)?;
                    pen.opt_uetr("OrgnlUETR", about.uetr)?;
                    pen.status(status)
                })
            })
        })
    }

    pub(super) fn status_request(&mut self, request: &StatusRequest<'_>) -> Written {
        self.element("FIToFIPmtStsReq", |pen| {
            pen.element("GrpHdr", |pen| {
                pen.group(&request.group, None)?;
                pen.group_banks(&request.group)
            })?;
            pen.element("TxInf", |pen| {
                pen.opt_id("StsReqId", request.id)?;
                pen.about_message("OrgnlGrpInf", &request.about)?;
                pen.about_transaction(&request.about)
            })
        })
    }

    /// The original's identifiers.
    pub(super) fn about_transaction(&mut self, about: &About<'_>) -> Written {
        self.opt_id("OrgnlInstrId", about.instr_id)?;
        self.opt_id("OrgnlEndToEndId", about.end_to_end_id)?;
        self.opt_id("OrgnlTxId", about.tx_id)?;
        self.opt_uetr("OrgnlUETR", about.uetr)
    }

    fn status(&mut self, report: &PaymentStatus<'_>) -> Written {
        self.leaf("TxSts", report.status.code());
        self.why("StsRsnInf", report.why.as_ref())?;
        report.accepted.map_or(Ok(()), |accepted| self.time("AccptncDtTm", accepted))
    }
}
