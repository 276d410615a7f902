//! The row of one payment, folded from the journal's records: what is searched, listed and counted.
//!
//! The records of a journal are legal steps, so the row takes each as it comes: taken again from an
//! earlier position, the same records give the same row.

use router::id::{BillNo, BillerId, ClientRef, FloatRef, Lane, OperatorId, Product};
use router::message::PaymentRequest;
use router::outcome::Outcome;
use router::payment::{PaymentState, effects_of};
use router::reason::Reason;
use router::record::{Intent, Record, RefundStep, Refused, Reversal, ReversalStep};
use router::text::Text;
use router::time::Timestamp;

/// The step of a refund that was carried out.
pub const REFUND_DONE: &str = "refund_done";

/// A row of `payments`, as the table has it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PaymentRow {
    /// The payment, as `pay_…`.
    pub id: String,
    /// The lane of the journal that its records are in.
    pub lane: i64,
    /// The record that changed the row last.
    pub position: i64,
    /// Its number for people.
    pub folio: i64,
    /// `participant` or `biller`: what asked for it.
    pub originator_kind: String,
    /// The name of the participant or biller that asked for it.
    pub originator: String,
    /// The merchant that is paid.
    pub biller: Option<String>,
    /// The biller's calendar day it belongs to.
    pub business_date: String,
    /// Where it stands.
    pub state: String,
    /// How money is moved.
    pub rail: String,
    /// ISO 4217.
    pub currency: String,
    /// What the payee receives.
    pub amount_minor: i64,
    /// What the payer pays.
    pub total_minor: i64,
    /// What stands of an approval: less after a partial reversal, nothing after a whole one.
    pub stands_minor: i64,
    /// Refunds that the participant has not answered.
    pub refunds_pending: i64,
    /// The biller's number of the payer.
    pub client: Option<String>,
    /// The bill that is paid.
    pub bill_no: Option<String>,
    /// Kind of credit or service.
    pub product: Option<String>,
    /// The collector's float.
    pub float_ref: Option<String>,
    /// The person at the terminal.
    pub operator_id: Option<String>,
    /// The terminal.
    pub terminal: Option<String>,
    /// The originator's own reference.
    pub reference: Option<String>,
    /// The last participant asked.
    pub participant: Option<String>,
    /// Authorisation number.
    pub authorisation: Option<String>,
    /// The participant's own reference.
    pub bank_reference: Option<String>,
    /// Why it was declined: a code of the decline catalogue; or why it is unknown.
    pub reason: Option<String>,
    /// When the request was received.
    pub received_at: i64,
    /// When the outcome was known, or given up.
    pub concluded_at: Option<i64>,
    /// When its reversal was confirmed, the first time.
    pub reversed_at: Option<i64>,
}

/// Where a record stands in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// Its lane.
    pub lane: Lane,
    /// Its position in the lane.
    pub position: u64,
}

impl RecordPlace {
    /// The position as the tables have it.
    pub fn column(self) -> i64 {
        column(self.position)
    }
}

/// A position as the tables have it: its bits, for those of high lanes have the sign's bit too.
pub(crate) fn column(position: u64) -> i64 {
    position.cast_signed()
}

impl PaymentRow {
    /// The row that an intent or a refusal begins; none for any other record.
    pub fn begin(place: RecordPlace, record: &Record) -> Option<Self> {
        match record {
            Record::Intent(intent) => Some(Self::of_intent(place, intent)),
            Record::Refused(refused) => Some(Self::of_refused(place, refused)),
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

    fn of_intent(place: RecordPlace, intent: &Intent) -> Self {
        Self {
            id: intent.payment.to_string(),
            folio: folio_column(intent.folio.number()),
            business_date: intent.plan.business_date.to_string(),
            state: PaymentState::Sent.name().to_owned(),
            total_minor: intent.plan.total.minor,
            participant: Some(intent.attempt.participant.to_string()),
            received_at: intent.at.0,
            ..Self::of_request(place, &intent.request)
        }
    }

    fn of_refused(place: RecordPlace, refused: &Refused) -> Self {
        Self {
            id: refused.payment.to_string(),
            folio: folio_column(refused.folio.number()),
            business_date: refused.business_date.to_string(),
            state: PaymentState::Declined.name().to_owned(),
            reason: Some(refused.reason.info().code.to_owned()),
            received_at: refused.at.0,
            concluded_at: Some(refused.at.0),
            ..Self::of_request(place, &refused.request)
        }
    }

    fn of_request(place: RecordPlace, request: &PaymentRequest) -> Self {
        Self {
            id: String::new(),
            lane: i64::from(place.lane.0),
            position: place.column(),
            folio: 0,
            originator_kind: request.originator.kind().to_owned(),
            originator: request.originator.as_str().to_owned(),
            biller: request.biller.as_ref().map(BillerId::to_string),
            business_date: String::new(),
            state: String::new(),
            rail: request.rail.name().to_owned(),
            currency: request.amount.currency.code().to_owned(),
            amount_minor: request.amount.minor,
            total_minor: request.amount.minor,
            stands_minor: 0,
            refunds_pending: 0,
            client: request.client.as_ref().map(ClientRef::to_string),
            bill_no: request.bill.as_ref().map(BillNo::to_string),
            product: request.product.as_ref().map(Product::to_string),
            float_ref: request.float_ref.as_ref().map(FloatRef::to_string),
            operator_id: request.operator.as_ref().map(OperatorId::to_string),
            terminal: known(&request.trace.terminal),
            reference: request.reference.as_ref().map(|text| text.as_str().to_owned()),
            participant: None,
            authorisation: None,
            bank_reference: None,
            reason: None,
            received_at: 0,
            concluded_at: None,
            reversed_at: None,
        }
    }

    /// Takes the next record of the payment; gives the step's name for a bill's timeline, where the
    /// state is another than before.
    pub fn apply(&mut self, place: RecordPlace, record: &Record) -> Option<&'static str> {
        let before = self.state.clone();
        self.position = place.column();
        match record {
            Record::Rerouted(rerouted) => {
                self.participant = Some(rerouted.attempt.participant.to_string());
            }
            Record::Outcome(concluded) => self.conclude(concluded.at, &concluded.outcome),
            Record::Awaiting(_) => self.set_state(PaymentState::AwaitingPayer),
            Record::Confirming(_) => self.set_state(PaymentState::Sent),
            Record::Expired(expired) => {
                self.set_state(PaymentState::Expired);
                self.concluded_at = Some(expired.at.0);
                self.reason = Some(Reason::PayerTimeout.info().code.to_owned());
            }
            Record::Inquiry(inquiry) => {
                if let Some(outcome) = inquiry.finding.outcome() {
                    self.conclude(inquiry.at, &outcome);
                }
            }
            Record::Refund(refund) => self.refund(&refund.step),
            Record::Reversal(reversal) => self.reverse(reversal),
            Record::LateAnswer(late) if late.outcome.may_have_moved_money() => self.owe_anew(),
            Record::LateAnswer(_)
            | Record::Intent(_)
            | Record::Refused(_)
            | Record::Account(_)
            | Record::Event(_)
            | Record::NoticeMark(_)
            | Record::EarlyReversal(_) => {}
        }
        let state = PaymentState::ALL.into_iter().find(|state| state.name() == self.state);
        let state = state.map(PaymentState::name);
        match record {
            Record::Reversal(reversal) => match reversal.step {
                ReversalStep::PartOwed(_) => Some("partial_reversal_asked"),
                ReversalStep::PartConfirmed(_) => Some("partial_reversal_confirmed"),
                ReversalStep::Owed(_) | ReversalStep::Confirmed(_) => state,
            },
            Record::Refund(refund) => Some(match refund.step {
                RefundStep::Begun(_) => "refund_begun",
                RefundStep::Done(_) => REFUND_DONE,
                RefundStep::Failed(_) => "refund_failed",
            }),
            Record::Rerouted(_)
            | Record::Outcome(_)
            | Record::LateAnswer(_)
            | Record::Intent(_)
            | Record::Refused(_)
            | Record::Account(_)
            | Record::Event(_)
            | Record::NoticeMark(_)
            | Record::EarlyReversal(_)
            | Record::Awaiting(_)
            | Record::Confirming(_)
            | Record::Expired(_)
            | Record::Inquiry(_) => state.filter(|state| *state != before),
        }
    }

    fn set_state(&mut self, state: PaymentState) {
        state.name().clone_into(&mut self.state);
    }

    fn conclude(&mut self, at: Timestamp, outcome: &Outcome) {
        self.concluded_at = Some(at.0);
        self.set_state(effects_of(outcome).0);
        self.reason = None;
        match outcome {
            Outcome::Approved(approval) => {
                self.stands_minor = self.amount_minor;
                self.authorisation = known(&approval.authorisation);
                self.bank_reference = known(&approval.bank_reference);
            }
            Outcome::Declined(decline) => {
                self.reason = Some(decline.reason.info().code.to_owned());
            }
            Outcome::Unknown(cause) => self.reason = Some(cause.name().to_owned()),
        }
    }

    /// What was given back counts once the participant has confirmed it.
    fn reverse(&mut self, reversal: &Reversal) {
        match &reversal.step {
            ReversalStep::Owed(_) => self.set_state(PaymentState::Reversing),
            ReversalStep::Confirmed(_) => {
                self.set_state(PaymentState::Reversed);
                self.stands_minor = 0;
                self.reversed_at.get_or_insert(reversal.at.0);
            }
            ReversalStep::PartOwed(_) => {}
            ReversalStep::PartConfirmed(part) => {
                self.stands_minor = self.stands_minor.min(part.stands_minor);
            }
        }
    }

    /// What was given back counts once the participant has given it.
    fn refund(&mut self, step: &RefundStep) {
        match step {
            RefundStep::Begun(_) => self.refunds_pending = self.refunds_pending.saturating_add(1),
            RefundStep::Done(done) => {
                self.refunds_pending = self.refunds_pending.saturating_sub(1);
                let left = self.stands_minor.saturating_sub(done.amount_minor);
                self.stands_minor = left.max(0);
            }
            RefundStep::Failed(_) => {
                self.refunds_pending = self.refunds_pending.saturating_sub(1);
            }
        }
        self.set_state(match (self.refunds_pending, self.stands_minor) {
            (1.., _) => PaymentState::Refunding,
            (_, 0) => PaymentState::Refunded,
            (_, _) => PaymentState::Approved,
        });
    }

    /// A late answer says that money may have moved: unless the payment stands as approved, or its
    /// first reversal is still to begin, another reversal is owed.
    fn owe_anew(&mut self) {
        let against = [
            PaymentState::Declined,
            PaymentState::Expired,
            PaymentState::Reversing,
            PaymentState::Reversed,
        ];
        if against.iter().any(|state| state.name() == self.state) {
            self.set_state(PaymentState::Reversing);
        }
    }

    /// The biller's bill that it pays, with its currency.
    pub fn bill(&self) -> Option<(&str, &str, &str)> {
        Some((self.biller.as_deref()?, self.bill_no.as_deref()?, self.currency.as_str()))
    }
}

fn folio_column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn known<const MAX: usize>(text: &Text<MAX>) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}
