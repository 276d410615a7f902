//! One payment, folded from its records: the state machine of live traffic and replay alike.

mod inquired;
mod progress;
mod refunds;
mod standing;
mod state;
#[cfg(test)]
mod tests;
mod waiting;

use crate::bill::PlannedBill;
use crate::detail::Detail;
use crate::fee::Fees;
use crate::id::{Folio, PaymentId};
use crate::message::PaymentRequest;
use crate::money::Money;
use crate::notice::NoticeType;
use crate::outcome::{Approval, Decline, Outcome};
use crate::plan::{Plan, Routes};
use crate::posting::{self, Entry};
use crate::record::{
    Attempt, Inquiry, Record, Refund, RefundStep, Reversal, ReversalCause, ReversalStep, WaitBegun,
};
use crate::reservation::Settle;
use crate::time::{Date, Timestamp};

pub use inquired::GivenUp;
pub use progress::{OutcomeKind, Progress, effects_of};
pub use refunds::{PaymentRefund, REFUNDS_MAX, RefundEnd, RefundSums};
pub use standing::{PARTS_MAX, PartialReversal, Standing};
pub use state::PaymentState;

/// One payment as its records describe it.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The payment.
    pub id: PaymentId,
    /// Its number for people.
    pub folio: Folio,
    /// Where it stands.
    pub state: PaymentState,
    /// When the request was received.
    pub received_at: Timestamp,
    /// The biller's calendar day it belongs to.
    pub business_date: Date,
    /// The request.
    pub request: PaymentRequest,
    /// Itemised fees; empty for a refused payment.
    pub fees: Fees,
    /// What the payer pays.
    pub total: Money,
    /// Candidate routes; empty for a refused payment.
    pub routes: Routes,
    /// The last participant asked, and how the request is named there.
    pub attempt: Option<Attempt>,
    /// What an approval posts.
    pub planned_entry: Entry,
    /// Its outcome as its originator is told it. Once told it changes from unknown alone, by an
    /// inquiry.
    pub outcome: Option<Outcome>,
    /// When the outcome was known, or given up.
    pub concluded_at: Option<Timestamp>,
    /// When and why its outcome was given up, where it was, whatever was known later.
    pub given_up: Option<GivenUp>,
    /// The last inquiry about it.
    pub inquiry: Option<Box<Inquiry>>,
    /// The event it waits for, or waited for last.
    pub wait: Option<Box<WaitBegun>>,
    /// Its refunds, in the order they were begun in.
    pub refunds: Vec<PaymentRefund>,
    /// Why it is undone, where it is.
    pub reversal_cause: Option<ReversalCause>,
    /// When its reversal was confirmed, the first time.
    pub reversed_at: Option<Timestamp>,
    /// Its partial reversals, oldest first; each leaves less standing than the one before.
    pub parts: Vec<PartialReversal>,
    /// An answer that came too late: the first approval, else the first answer.
    pub late_answer: Option<Outcome>,
    /// Whether a late answer owes it another reversal, which has not begun.
    pub is_owed_anew: bool,
    /// The payment it repeats, for `duplicate_transaction`.
    pub original: Option<PaymentId>,
    /// What people need beyond the reason's text.
    pub detail: Option<Detail>,
    /// What the register said of its bill, where it was asked.
    pub bill: Option<PlannedBill>,
}

/// What a record does beyond changing the payment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effects {
    /// How its reservation ends, if it ends here.
    pub settle: Option<Settle>,
    /// The notice it owes.
    pub notice: Option<NoticeType>,
    /// Whether a reversal must now be sent until it is confirmed.
    pub owes_reversal: bool,
}

/// A record that cannot follow what happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record of kind `{record}` cannot follow state `{state}`", state = .state.name())]
pub struct IllegalStep {
    /// State of the payment.
    pub state: PaymentState,
    /// Kind of the record.
    pub record: &'static str,
}

impl Payment {
    /// The payment that an intent or a refusal begins; none for any other record.
    pub fn begin(record: &Record) -> Option<(Self, Effects)> {
        match record {
            Record::Intent(intent) => {
                let Plan { business_date, routes, fees, total, entry, bill, .. } =
                    intent.plan.clone();
                let payment = Self {
                    attempt: Some(intent.attempt),
                    business_date,
                    fees,
                    total,
                    routes,
                    planned_entry: entry,
                    bill,
                    ..Self::bare(intent.payment, intent.folio, intent.at, intent.request.clone())
                };
                Some((payment, Effects::default()))
            }
            Record::Refused(refused) => {
                let request = refused.request.clone();
                let payment = Self {
                    state: PaymentState::Declined,
                    business_date: refused.business_date,
                    outcome: Some(Outcome::Declined(Decline::ours(refused.reason))),
                    concluded_at: Some(refused.at),
                    original: refused.original,
                    detail: refused.detail.clone(),
                    bill: refused.bill,
                    ..Self::bare(refused.payment, refused.folio, refused.at, request)
                };
                let notice = Some(NoticeType::PaymentDeclined);
                Some((payment, Effects { notice, ..Effects::default() }))
            }
            Record::Rerouted(_)
            | Record::Outcome(_)
            | Record::Reversal(_)
            | Record::LateAnswer(_)
            | Record::Account(_)
            | Record::Event(_)
            | Record::NoticeMark(_)
            | Record::EarlyReversal(_)
            | Record::Awaiting(_)
            | Record::Confirming(_)
            | Record::Expired(_)
            | Record::Inquiry(_)
            | Record::Refund(_) => None,
        }
    }

    /// Takes the next record of this payment.
    ///
    /// Errors: [`IllegalStep`] when the record cannot follow; nothing is changed then.
    pub fn apply(&mut self, record: &Record) -> Result<Effects, IllegalStep> {
        let mut progress = self.progress();
        let effects = progress.apply(record)?;
        let illegal = IllegalStep { state: self.state, record: record.kind() };
        match record {
            Record::Rerouted(rerouted) => self.attempt = Some(rerouted.attempt),
            Record::Outcome(concluded) => self.conclude(concluded.at, &concluded.outcome),
            Record::Reversal(reversal) => self.reverse(reversal),
            Record::LateAnswer(late) if self.keeps_late(&late.outcome) => {
                self.late_answer = Some(late.outcome.clone());
            }
            Record::Awaiting(wait) => self.wait = Some(wait.clone()),
            Record::Expired(expired) => {
                self.conclude(expired.at, &Outcome::Declined(Decline::ours(waiting::EXPIRED)));
            }
            Record::Inquiry(inquiry) => {
                if let Some(outcome) = inquiry.finding.outcome() {
                    self.conclude(inquiry.at, &outcome);
                }
                self.inquiry = Some(inquiry.clone());
            }
            Record::Refund(refund) if !self.take_refund(refund) => {
                return Err(illegal);
            }
            Record::LateAnswer(_)
            | Record::Refund(_)
            | Record::Confirming(_)
            | Record::Intent(_)
            | Record::Refused(_)
            | Record::Account(_)
            | Record::Event(_)
            | Record::NoticeMark(_)
            | Record::EarlyReversal(_) => {}
        }
        (self.state, self.is_owed_anew) = (progress.state, progress.is_owed_anew);
        Ok(effects)
    }

    fn conclude(&mut self, at: Timestamp, outcome: &Outcome) {
        self.concluded_at = Some(at);
        self.outcome = Some(outcome.clone());
        if let Outcome::Unknown(cause) = outcome {
            self.given_up = Some(GivenUp { at, cause: *cause });
        }
    }

    fn reverse(&mut self, reversal: &Reversal) {
        match &reversal.step {
            ReversalStep::Owed(cause) => self.reversal_cause = Some(*cause),
            ReversalStep::Confirmed(_) => {
                self.reversed_at.get_or_insert(reversal.at);
            }
            ReversalStep::PartOwed(part) => self.parts.push(PartialReversal {
                asked_at: reversal.at,
                key: part.key,
                from_minor: part.from_minor,
                stands_minor: part.stands_minor,
                confirmed_at: None,
            }),
            ReversalStep::PartConfirmed(part) => {
                self.confirm_parts(part.stands_minor, reversal.at);
            }
        }
    }

    /// Where it stands, without its data.
    pub fn progress(&self) -> Progress {
        Progress {
            state: self.state,
            told: self.outcome.as_ref().map(OutcomeKind::of),
            was_sent: self.attempt.is_some(),
            was_reversed: self.reversed_at.is_some(),
            is_owed_anew: self.is_owed_anew,
            standing: self.standing(),
            waits_until: self.waits_until(),
            refunds: self.refund_sums(),
        }
    }

    /// When its wait is over; none while it does not wait.
    pub fn waits_until(&self) -> Option<Timestamp> {
        let waits = self.state == PaymentState::AwaitingPayer;
        self.wait.as_ref().filter(|_| waits).map(|wait| wait.until)
    }

    /// What its refunds add up to; none where none was begun.
    pub fn refund_sums(&self) -> Option<RefundSums> {
        refunds::sums(self.request.amount.minor, &self.refunds)
    }

    /// What may still be refunded, in minor units; none where no refund may begin.
    pub fn refundable_minor(&self) -> Option<i64> {
        self.progress().refundable_minor(self.request.amount.minor)
    }

    /// Whether a late answer must be recorded: it owes a reversal that is not owed yet, or it says
    /// something else than the outcome and than the late answer that is known. A copy of what is
    /// known is not.
    pub fn is_news(&self, late: &Outcome) -> bool {
        let is_outcome = self.outcome.as_ref().map(OutcomeKind::of) == Some(OutcomeKind::of(late));
        let owes_reversal = self.progress().hear_late(late).owes_reversal;
        (owes_reversal && !self.is_owed_anew) || (!is_outcome && self.keeps_late(late))
    }

    fn keeps_late(&self, late: &Outcome) -> bool {
        match &self.late_answer {
            None => true,
            Some(Outcome::Approved(_)) => false,
            Some(Outcome::Declined(_) | Outcome::Unknown(_)) => {
                matches!(late, Outcome::Approved(_))
            }
        }
    }

    /// What stands of it; none where no partial reversal was asked for.
    pub fn standing(&self) -> Option<Standing> {
        let amount_minor = self.request.amount.minor;
        let owed_minor = self.parts.last()?.stands_minor;
        let mut confirmed = self.parts.iter().rev().filter(|part| part.confirmed_at.is_some());
        let confirmed_minor = confirmed.next().map_or(amount_minor, |part| part.stands_minor);
        Some(Standing { amount_minor, confirmed_minor, owed_minor })
    }

    /// The amount that stands of an approval, partial reversals under way counted, in minor units.
    pub fn stands_minor(&self) -> i64 {
        self.parts.last().map_or(self.request.amount.minor, |part| part.stands_minor)
    }

    /// The amount that stands once an owed partial reversal is done, in minor units.
    pub fn part_owed(&self) -> Option<i64> {
        self.progress().part_owed()
    }

    /// What partial reversals have given back and the participant confirmed, and what they still
    /// owe; none where there was none. Once all is undone, all was given back.
    pub fn given_back(&self) -> Option<(Money, Money)> {
        let standing = self.standing()?;
        let money = |minor| Money::new(minor, self.request.amount.currency);
        let (stands, owed) = match self.state {
            PaymentState::Reversed => (0, 0),
            // Undone whole before, and again for what a late answer said.
            PaymentState::Reversing if self.reversed_at.is_some() => (0, 0),
            PaymentState::Reversing => (standing.confirmed_minor, standing.confirmed_minor),
            PaymentState::Received
            | PaymentState::AwaitingPayer
            | PaymentState::Sent
            | PaymentState::Approved
            | PaymentState::Declined
            | PaymentState::Unknown
            | PaymentState::Expired
            | PaymentState::Settled
            | PaymentState::Refunding
            | PaymentState::Refunded => {
                (standing.confirmed_minor, standing.confirmed_minor - standing.owed_minor)
            }
        };
        Some((money(standing.amount_minor - stands), money(owed)))
    }

    /// What a record posts where it follows; empty where it moves no balance, none where it cannot
    /// follow.
    pub fn due_entry(&self, record: &Record) -> Option<Entry> {
        let given_back = |minor| Money::new(minor, self.request.amount.currency);
        let settle = self.progress().apply(record).ok()?.settle;
        if let Record::Refund(refund) = record {
            return self.due_of_refund(refund);
        }
        let Some(share) = self.progress().share_given_back(record) else {
            return match settle {
                Some(Settle::Post) => Some(self.planned_entry.clone()),
                Some(Settle::Undo) => posting::whole_reversal(&self.planned_entry, given_back(0)),
                Some(Settle::Release) | None => Some(Entry::default()),
            };
        };
        match (settle, share.to_minor) {
            (Some(Settle::Undo), 0) => {
                let before = share.amount_minor - share.from_minor;
                posting::whole_reversal(&self.planned_entry, given_back(before))
            }
            (Some(Settle::Undo), to_minor) => {
                let part = given_back(share.from_minor - to_minor);
                posting::partial_reversal(&self.planned_entry, part)
            }
            (Some(Settle::Post | Settle::Release) | None, _) => Some(Entry::default()),
        }
    }

    /// The entry of a step of a refund. Fees stay as they are: the payment was carried out.
    fn due_of_refund(&self, refund: &Refund) -> Option<Entry> {
        self.clone().take_refund(refund).then_some(())?;
        match &refund.step {
            RefundStep::Done(done) => {
                let amount = Money::new(done.amount_minor, self.request.amount.currency);
                posting::partial_reversal(&self.planned_entry, amount)
            }
            RefundStep::Begun(_) | RefundStep::Failed(_) => Some(Entry::default()),
        }
    }

    /// A confirmation confirms the partial reversals before it, too: it says what stands.
    fn confirm_parts(&mut self, stands_minor: i64, at: Timestamp) {
        let covered = self.parts.iter_mut().filter(|part| part.stands_minor >= stands_minor);
        for part in covered {
            part.confirmed_at.get_or_insert(at);
        }
    }

    /// Folds a payment from its records, oldest first; none when the first begins none.
    pub fn fold<'a>(
        mut records: impl Iterator<Item = &'a Record>,
    ) -> Option<Result<Self, IllegalStep>> {
        let (mut payment, _) = Self::begin(records.next()?)?;
        for record in records {
            if let Err(illegal) = payment.apply(record) {
                return Some(Err(illegal));
            }
        }
        Some(Ok(payment))
    }

    /// Whether the originator was told that the payment is approved.
    pub fn was_approved(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Approved(_)))
    }

    /// Whether the originator was told that the payment is declined.
    pub fn was_declined(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Declined(_)))
    }

    /// Whether a reversal may begin: money moved, or may have.
    pub fn may_be_reversed(&self) -> bool {
        self.progress().may_be_reversed()
    }

    /// Whether the outcome was given up as unknown.
    pub fn was_given_up(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Unknown(_)))
    }

    /// Whether anything is still owed to a participant.
    pub fn is_open(&self) -> bool {
        self.progress().is_open()
    }

    /// The approval the originator was told, if it was one.
    pub fn approval(&self) -> Option<&Approval> {
        match &self.outcome {
            Some(Outcome::Approved(approval)) => Some(approval),
            Some(Outcome::Declined(_) | Outcome::Unknown(_)) | None => None,
        }
    }

    fn bare(id: PaymentId, folio: Folio, received_at: Timestamp, request: PaymentRequest) -> Self {
        Self {
            id,
            folio,
            state: PaymentState::Sent,
            received_at,
            business_date: Date(0),
            fees: Fees::new(),
            total: request.amount,
            routes: Routes::new(),
            attempt: None,
            planned_entry: Entry::default(),
            outcome: None,
            concluded_at: None,
            given_up: None,
            inquiry: None,
            wait: None,
            refunds: Vec::new(),
            reversal_cause: None,
            reversed_at: None,
            parts: Vec::new(),
            late_answer: None,
            is_owed_anew: false,
            original: None,
            detail: None,
            bill: None,
            request,
        }
    }
}
