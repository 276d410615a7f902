//! Taking a payment back: pacs.004, pacs.007, camt.056 and its answer camt.029.

use router::money::Money;
use router::time::Date;

use super::parts::{About, Bank, Group, Why};
use super::pen::{Pen, Written};

/// pacs.004: money that came is sent back.
#[derive(Debug, Clone)]
pub struct PaymentReturn<'a> {
    /// Identifier, time and banks of the message.
    pub group: Group<'a>,
    /// The clearing system that settles, where it is not understood.
    pub clearing_system: Option<&'a str>,
    /// The return's own identifier.
    pub id: &'a str,
    /// The payment.
    pub about: About<'a>,
    /// What is sent back.
    pub amount: Money,
    /// When it settles.
    pub settlement_date: Date,
    /// Why.
    pub why: Why<'a>,
}

/// pacs.007: the sender takes a payment back.
///
/// Shape: of the original its message, end-to-end and transaction identifier are written: the
///        only schema that can be had for a test has no others.
#[derive(Debug, Clone)]
pub struct PaymentReversal<'a> {
    /// Identifier, time and banks of the message; banks by BIC only.
    pub group: Group<'a>,
    /// The payment.
    pub about: About<'a>,
    /// What is taken back.
    pub amount: Money,
    /// Why.
    pub why: Why<'a>,
}

/// camt.056: please cancel a payment.
#[derive(Debug, Clone)]
pub struct CancellationRequest<'a> {
    /// Identifier, time, who asks and who is asked; both banks must be there.
    pub group: Group<'a>,
    /// The case, where there is one.
    pub case_id: Option<&'a str>,
    /// The request's own identifier.
    pub id: Option<&'a str>,
    /// The payment.
    pub about: About<'a>,
    /// Why.
    pub why: Why<'a>,
}

/// camt.029: the answer to that.
#[derive(Debug, Clone)]
pub struct Resolution<'a> {
    /// Identifier, time, who answers and who is answered; both banks must be there.
    pub group: Group<'a>,
    /// The case, where the request had one.
    pub case_id: Option<&'a str>,
    /// The answer's own identifier.
    pub id: Option<&'a str>,
    /// The payment.
    pub about: About<'a>,
    /// What became of the request.
    pub outcome: CancellationOutcome,
    /// Why, where it is not done.
    pub why: Option<Why<'a>>,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancellationOutcome {
    /// The payment is cancelled.
    Cancelled,
    /// It stays.
    Rejected,
    /// Not known yet.
    Pending,
}

impl CancellationOutcome {
    /// Source: `ExternalInvestigationExecutionConfirmation1Code`.
    fn confirmation(self) -> &'static str {
        match self {
            Self::Cancelled => "CNCL",
            Self::Rejected => "RJCR",
            Self::Pending => "PDCR",
        }
    }

    /// Source: `CancellationIndividualStatus1Code`.
    fn status(self) -> &'static str {
        match self {
            Self::Cancelled => "ACCR",
            Self::Rejected => "RJCR",
            Self::Pending => "PDCR",
        }
    }
}

impl Pen<'_> {
    pub(super) fn payment_return(&mut self, back: &PaymentReturn<'_>) -> Written {
        self.element("PmtRtr", |pen| {
            pen.element("GrpHdr", |pen| {
                pen.group(&back.group, Some("1"))?;
                pen.settlement(back.clearing_system)?;
                pen.group_banks(&back.group)
            })?;
            pen.element("TxInf", |pen| {
                pen.id("RtrId", back.id)?;
                pen.about_message("OrgnlGrpInf", &back.about)?;
                pen.about_transaction(&back.about)?;
                pen.about_money(&back.about)?;
                pen.amount("RtrdIntrBkSttlmAmt", back.amount)?;
                pen.date("IntrBkSttlmDt", back.settlement_date)?;
                pen.why("RtrRsnInf", Some(&back.why))
            })
        })
    }

    pub(super) fn payment_reversal(&mut self, reversal: &PaymentReversal<'_>) -> Written {
        let about = &reversal.about;
        self.element("FIToFIPmtRvsl", |pen| {
            pen.element("GrpHdr", |pen| {
                pen.group(&reversal.group, Some("1"))?;
                pen.group_banks(&reversal.group)
            })?;
            pen.about_message("OrgnlGrpInf", &About { created: None, ..*about })?;
            pen.element("TxInf", |pen| {
                pen.opt_id("OrgnlEndToEndId", about.end_to_end_id)?;
                pen.opt_id("OrgnlTxId", about.tx_id)?;
                pen.amount("RvsdIntrBkSttlmAmt", reversal.amount)?;
                pen.why("RvslRsnInf", Some(&reversal.why))
            })
        })
    }

    pub(super) fn cancellation_request(&mut self, request: &CancellationRequest<'_>) -> Written {
        self.element("FIToFIPmtCxlReq", |pen| {
            pen.assignment(&request.group)?;
            pen.case("Case", request.case_id, request.group.instructing)?;
            pen.element("CtrlData", |pen| {
                pen.leaf("NbOfTxs", "1");
                Ok(())
            })?;
            pen.element("Undrlyg", |pen| {
                pen.element("TxInf", |pen| {
                    pen.opt_id("CxlId", request.id)?;
                    pen.about_message("OrgnlGrpInf", &request.about)?;
                    pen.about_transaction(&request.about)?;
                    pen.about_money(&request.about)?;
                    pen.why("CxlRsnInf", Some(&request.why))
                })
            })
        })
    }

    pub(super) fn resolution(&mut self, answer: &Resolution<'_>) -> Written {
        let about = &answer.about;
        self.element("RsltnOfInvstgtn", |pen| {
            pen.assignment(&answer.group)?;
            pen.case("RslvdCase", answer.case_id, answer.group.instructed)?;
            pen.element("Sts", |pen| pen.id("Conf", answer.outcome.confirmation()))?;
            pen.element("CxlDtls", |pen| {
                pen.element("TxInfAndSts", |pen| {
                    pen.opt_id("CxlStsId", answer.id)?;
                    pen.about_message("OrgnlGrpInf", about)?;
                    pen.opt_id("OrgnlInstrId", about.instr_id)?;
                    pen.opt_id("OrgnlEndToEndId", about.end_to_end_id)?;
                    pen.opt_id("OrgnlTxId", about.tx_id)?;
                    pen.opt_uetr("OrgnlUETR", about.uetr)?;
                    pen.leaf("TxCxlSts", answer.outcome.status());
                    pen.why("CxlStsRsnInf", answer.why.as_ref())?;
                    pen.about_money(about)
                })
            })
        })
    }

    fn assignment(&mut self, group: &Group<'_>) -> Written {
        self.element("Assgnmt", |pen| {
            pen.id("Id", group.msg_id)?;
            pen.element("Assgnr", |pen| pen.bank("Agt", group.instructing))?;
            pen.element("Assgne", |pen| pen.bank("Agt", group.instructed))?;
            pen.time("CreDtTm", group.created)
        })
    }

    fn case(&mut self, tag: &'static str, id: Option<&str>, creator: Option<Bank<'_>>) -> Written {
        let Some(id) = id else { return Ok(()) };
        self.element(tag, |pen| {
            pen.id("Id", id)?;
            pen.element("Cretr", |pen| pen.bank("Agt", creator))
        })
    }

    fn about_money(&mut self, about: &About<'_>) -> Written {
        if let Some(amount) = about.amount {
            self.amount("OrgnlIntrBkSttlmAmt", amount)?;
        }
        about.settlement_date.map_or(Ok(()), |date| self.date("OrgnlIntrBkSttlmDt", date))
    }
}
