//! Random payments, reversals and movements of accounts, for the rule that every journal position
//! balances.

mod positions;
pub(crate) mod walk;

use std::collections::HashMap;

use router::exchange::{AttemptRef, RequestTrace};
use router::fee::{Bearer, FeeBasis, FeeRule, FeeTiming};
use router::id::{BillerId, FloatRef, Folio, ParticipantId, PaymentId, Stan};
use router::message::{
    Acceptor, Fingerprint, IdempotencyKey, Originator, PaymentRequest, Rail, digest128,
};
use router::money::Money;
use router::outcome::{Approval, Cause, Decline, Outcome};
use router::payment::{Payment, PaymentState};
use router::plan::plan;
use router::policy::{
    Biller, Float, FloatDebits, LimitRule, Measure, Participant, ParticipantStatus, Policy, Route,
    Scope, Window,
};
use router::posting::{Entry, cap_movement, top_up};
use router::reason::Reason;
use router::record::{
    AccountMovement, Attempt, Concluded, Inquiry, Intent, LateAnswer, PartConfirmed, PartOwed,
    Record, RefundStep, Refused, Reversal, ReversalCause, ReversalConfirmed, ReversalStep,
};
use router::text::Text;
use router::time::{Timestamp, Zone};

use super::sample::{self, Sample};
use crate::store::{Store, StoreError};
pub use positions::every_position_balances;

const FLOATS: [&str; 2] = ["1", "2"];
/// Who asks; the first has a net debit cap.
const ACQUIRERS: [&str; 2] = ["bank-a", "bank-c"];
/// Who is paid: a float loses the total for the first, the amount alone for the second.
const BILLERS: [&str; 2] = ["isp-ve", "lender"];

/// Random steps from a seed. What a step does depends on what the store says, so a run goes on
/// after a crash with whatever the crash left.
pub struct LedgerRun {
    random: Random,
    policy: Policy,
    payments: Vec<PaymentId>,
}

impl LedgerRun {
    /// A run of its own.
    pub fn new(seed: u64) -> Self {
        Self { random: Random(seed), policy: policy(), payments: Vec::new() }
    }

    /// A number below a bound, from the same seed.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// Takes one step: a payment, what follows on one, or a movement of an account.
    ///
    /// Errors: the store's. A step that fails may be left out.
    pub async fn step(&mut self, store: &Store) -> Result<(), StoreError> {
        match self.random.below(10) {
            0 => self.top_up(store).await,
            1 => self.move_cap(store).await,
            2..=4 => self.pay(store).await,
            _ => self.follow(store).await,
        }
    }

    async fn top_up(&mut self, store: &Store) -> Result<(), StoreError> {
        let float = FloatRef::new(self.random.of(&FLOATS)).unwrap();
        let minor = self.signed(9_000);
        self.account(store, top_up(&float, sample::money(minor)).unwrap()).await
    }

    async fn move_cap(&mut self, store: &Store) -> Result<(), StoreError> {
        let participant = ParticipantId::new(ACQUIRERS[0]).unwrap();
        let minor = self.signed(4_000);
        self.account(store, cap_movement(&participant, sample::money(minor)).unwrap()).await
    }

    /// Up three times of four.
    fn signed(&mut self, bound: u64) -> i64 {
        let minor = i64::try_from(1 + self.random.below(bound)).unwrap();
        if self.random.below(4) == 0 { -minor } else { minor }
    }

    async fn account(&self, store: &Store, entry: Entry) -> Result<(), StoreError> {
        let movement = AccountMovement { at: self.now(), entry };
        store.append(Record::Account(Box::new(movement))).await.map(drop)
    }

    fn now(&self) -> Timestamp {
        sample::at(i64::try_from(self.payments.len()).unwrap() * 1_000_000)
    }

    async fn pay(&mut self, store: &Store) -> Result<(), StoreError> {
        let (at, number) = (self.now(), self.payments.len() as u64 + 1);
        let request = self.request(number);
        let stan = Stan::new(u32::try_from(number % 1_000_000).unwrap()).unwrap();
        let payment = PaymentId::in_lane(at.millis(), store.lane(), self.random.next());
        let folio = Folio::new(number).unwrap();
        self.payments.push(payment);
        match plan(&request, &self.policy, at) {
            Ok(plan) => {
                let transmitted_at = Text::new("1123211722").unwrap();
                let reference = AttemptRef::Trace(RequestTrace { stan, transmitted_at });
                let attempt = Attempt { participant: plan.routes[0], reference };
                let intent = Intent { payment, folio, at, request, plan, attempt };
                store.admit(intent).await.map(drop)
            }
            Err(refusal) => {
                let (reason, business_date) = (refusal.reason, refusal.business_date);
                let (original, detail) = (None, None);
                let refused = Refused {
                    payment,
                    folio,
                    at,
                    business_date,
                    request,
                    reason,
                    original,
                    detail,
                    bill: None,
                };
                store.refuse(refused).await.map(drop)
            }
        }
    }

    fn request(&mut self, number: u64) -> PaymentRequest {
        let float = FloatRef::new(self.random.of(&FLOATS)).unwrap();
        let is_cash = self.random.below(2) == 0;
        let (rail, float_ref) =
            if is_cash { (Rail::CashFloat, Some(float)) } else { (Rail::Account, None) };
        let acquirer = ParticipantId::new(self.random.of(&ACQUIRERS)).unwrap();
        let key = digest128(&[b"ledger", &self.random.next().to_be_bytes()]);
        PaymentRequest {
            originator: Originator::Participant(acquirer),
            biller: Some(BillerId::new(self.random.of(&BILLERS)).unwrap()),
            rail,
            float_ref,
            amount: sample::money(i64::try_from(1 + self.random.below(3_000)).unwrap()),
            key: IdempotencyKey(key),
            fingerprint: Fingerprint(key),
            bill: None,
            ..Sample::new(number).intent().request
        }
    }

    /// One record that may follow on a payment, with the entry it owes. One with another entry is
    /// tried before and must be refused.
    async fn follow(&mut self, store: &Store) -> Result<(), StoreError> {
        if self.payments.is_empty() {
            return Ok(());
        }
        let id = self.random.of(&self.payments);
        let Some(payment) = store.payment(id).await? else { return Ok(()) };
        let Some(record) = self.next_of(&payment) else { return Ok(()) };
        let Some(due) = payment.due_entry(&record) else { return Ok(()) };
        if self.random.below(8) == 0 {
            let wrong =
                if due.is_empty() { payment.planned_entry.clone() } else { Entry::default() };
            self.is_refused(store, with_entry(&record, wrong)).await?;
        }
        store.append(with_entry(&record, due)).await.map(drop)
    }

    async fn is_refused(&self, store: &Store, record: Record) -> Result<(), StoreError> {
        if record.entry().is_none() {
            return Ok(());
        }
        match store.append(record.clone()).await {
            Err(StoreError::EntryDiffers { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => panic!("appended with an entry that is not due: {record:?}"),
        }
    }

    fn next_of(&mut self, payment: &Payment) -> Option<Record> {
        let (id, at) = (payment.id, self.now());
        let turn = self.random.below(4);
        let yes = Outcome::Approved(Approval::default());
        if self.random.below(3) == 0
            && let Some(record) = walk::next_of(payment, at, turn)
        {
            return Some(record);
        }
        let step = match (payment.state, payment.is_owed_anew) {
            (PaymentState::Sent | PaymentState::AwaitingPayer, _) => {
                let outcome = match turn {
                    0 => Outcome::Declined(Decline::ours(Reason::CardDeclined)),
                    1 => Outcome::Unknown(Cause::Timeout),
                    _ => yes,
                };
                let entry = Entry::default();
                let concluded = Concluded { payment: id, at, outcome, entry };
                return Some(Record::Outcome(Box::new(concluded)));
            }
            (PaymentState::Unknown, _) => {
                ReversalStep::Owed(ReversalCause::Unknown(Cause::Timeout))
            }
            (PaymentState::Reversing, true) => ReversalStep::Owed(ReversalCause::LateAnswer),
            (PaymentState::Approved, _) if payment.progress().has_refunds() => return None,
            (PaymentState::Approved, _) => self.undo(payment, turn)?,
            (PaymentState::Reversing, false) => {
                let (response_code, entry) = (*b"00", Entry::default());
                ReversalStep::Confirmed(ReversalConfirmed { response_code, entry })
            }
            (PaymentState::Declined | PaymentState::Reversed | PaymentState::Expired, _)
                if payment.attempt.is_some() =>
            {
                let late = LateAnswer { payment: id, at, outcome: yes };
                return (turn == 0).then_some(Record::LateAnswer(late));
            }
            (
                PaymentState::Declined
                | PaymentState::Reversed
                | PaymentState::Expired
                | PaymentState::Received
                | PaymentState::Settled
                | PaymentState::Refunding
                | PaymentState::Refunded,
                _,
            ) => return None,
        };
        Some(Record::Reversal(Box::new(Reversal { payment: id, at, step })))
    }

    /// Of an approved payment: the confirmation of a part that is owed, another part, or the whole.
    fn undo(&mut self, payment: &Payment, turn: u64) -> Option<ReversalStep> {
        if let Some(stands_minor) = payment.part_owed().filter(|_| turn > 0) {
            let (response_code, entry) = (*b"00", Entry::default());
            let part = PartConfirmed { stands_minor, response_code, entry };
            return Some(ReversalStep::PartConfirmed(part));
        }
        let (amount_minor, from_minor) = (payment.request.amount.minor, payment.stands_minor());
        match turn {
            0 => Some(ReversalStep::Owed(ReversalCause::Asked)),
            1 if from_minor > 1 => {
                let most = u64::try_from(from_minor - 1).unwrap();
                let stands_minor = i64::try_from(1 + self.random.below(most)).unwrap();
                let part = PartOwed { amount_minor, from_minor, stands_minor, key: None };
                Some(ReversalStep::PartOwed(part))
            }
            _ => None,
        }
    }
}

fn with_entry(record: &Record, entry: Entry) -> Record {
    match record.clone() {
        Record::Outcome(concluded) => Record::Outcome(Box::new(Concluded { entry, ..*concluded })),
        Record::Reversal(mut reversal) => {
            match &mut reversal.step {
                ReversalStep::Confirmed(confirmed) => confirmed.entry = entry,
                ReversalStep::PartConfirmed(part) => part.entry = entry,
                ReversalStep::Owed(_) | ReversalStep::PartOwed(_) => {}
            }
            Record::Reversal(reversal)
        }
        Record::Inquiry(inquiry) => Record::Inquiry(Box::new(Inquiry { entry, ..*inquiry })),
        Record::Refund(mut refund) => {
            if let RefundStep::Done(done) = &mut refund.step {
                done.entry = entry;
            }
            Record::Refund(refund)
        }
        other => other,
    }
}

fn policy() -> Policy {
    let participant = |name, caps: &[Money]| Participant {
        id: ParticipantId::new(name).unwrap(),
        currencies: Vec::new(),
        status: ParticipantStatus::Active,
        net_debit_caps: caps.to_vec(),
    };
    let participants = [
        participant(ACQUIRERS[0], &[sample::money(20_000)]),
        participant(ACQUIRERS[1], &[]),
        participant("bank-b", &[]),
    ];
    let biller = |name, float_debits| Biller {
        id: BillerId::new(name).unwrap(),
        currencies: Vec::new(),
        rails: Vec::new(),
        zone: Zone { offsets: vec![(Timestamp(i64::MIN), 0)] }.into(),
        float_debits,
        acceptor: Acceptor::default(),
    };
    let billers = [biller(BILLERS[0], FloatDebits::Total), biller(BILLERS[1], FloatDebits::Amount)];
    let drawers = ACQUIRERS.map(|name| Originator::Participant(ParticipantId::new(name).unwrap()));
    let float = Float { owner: None, drawers: drawers.into() };
    let floats = FLOATS.map(|name| (FloatRef::new(name).unwrap(), float.clone()));
    Policy {
        participants: participants.map(|it| (it.id, it)).into(),
        billers: billers.map(|it| (it.id, it)).into(),
        routes: vec![route()].into(),
        fees: fees().into(),
        limits: vec![sum_of_a_day()].into(),
        floats: HashMap::from(floats),
        bill_retention: None,
        version: 0,
    }
}

fn route() -> Route {
    Route {
        rails: Vec::new(),
        card_prefixes: Vec::new(),
        bank_codes: Vec::new(),
        billers: Vec::new(),
        currencies: Vec::new(),
        min_minor: None,
        max_minor: None,
        to: vec![ParticipantId::new("bank-b").unwrap()],
    }
}

fn fees() -> Vec<FeeRule> {
    let fee = |basis, borne_by| FeeRule {
        label: Text::new("commission").unwrap(),
        billers: Vec::new(),
        rails: Vec::new(),
        basis,
        borne_by,
        timing: FeeTiming::Net,
    };
    vec![
        fee(FeeBasis::Fixed(sample::money(12)), Bearer::Payer),
        fee(FeeBasis::Share { basis_points: 300 }, Bearer::Merchant),
        // More than a small amount, so that a payee owes too.
        fee(FeeBasis::Fixed(sample::money(40)), Bearer::Merchant),
    ]
}

fn sum_of_a_day() -> LimitRule {
    let (scope, window, max) = (Scope::Biller, Window::Day, sample::money(90_000));
    LimitRule {
        name: "day".into(),
        billers: Vec::new(),
        rails: Vec::new(),
        products: Vec::new(),
        measure: Measure::Sum { scope, window, max },
        reason: Reason::DailyAmountExceeded,
    }
}

/// The same numbers from the same seed, on every machine: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        let at = usize::try_from(self.below(items.len() as u64)).unwrap();
        items[at]
    }
}
