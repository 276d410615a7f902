//! One payment, top to bottom.

mod billed;
mod way;

use std::sync::Arc;
use std::time::Duration;

use router::bill::PlannedBill;
use router::exchange::{Ask, Awaiting, NoAnswer, Started};
use router::id::{Folio, PaymentId};
use router::message::{InquiryRequest, Originator, PaymentRequest, Rail};
use router::outcome::{Cause, Decline, Outcome};
use router::payment::{Payment, PaymentState};
use router::plan::{Plan, day_began, plan_on_terms};
use router::policy::Policy;
use router::posting::Entry;
use router::reason::Reason;
use router::record::{Concluded, Intent, Record, Refused, Rerouted};
use router::refusal::Refusal;
use router::time::Timestamp;
use storage::guard::Sought;
use storage::view::TraceName;
use storage::{Admission, StoreError};
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use crate::adapter::{Adapter, ReadyPayment};
use crate::backoffice::RegisteredTerms;
use crate::clock;
use crate::engine::{Engine, InForce};
use crate::log::Seldom;
use crate::metrics::payment_told;
use crate::original::{self, NamedPayment, Purpose};
use crate::participant::{ParticipantAdapter, Participants, Ready};
use crate::respond::Reply;
use crate::{external, refund, waiting};
use way::{NoWay, Way};

/// How long a repeat waits for the payment it repeats.
const REPEAT_WAIT_MAX: Duration = Duration::from_secs(30);

/// What the originator of a repeat is told while the payment it repeats is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRepeat {
    /// The answer, once there is one: a line can wait.
    Wait,
    /// That it is under way.
    Tell,
}

/// Decides, journals, sends and answers one payment.
///
/// Not cancel-safe: run it in a task of its own, which a drain waits for.
pub async fn process(
    engine: &Engine,
    mut request: Box<PaymentRequest>,
    on_repeat: OnRepeat,
) -> Reply {
    let started = Instant::now();
    let originators = engine.participants();
    let Some(turn) = decision_turn(&originators, &request.originator).await else {
        return measured(Reply::no_turn(), started);
    };
    request.fingerprint = engine.fingerprint(&request);
    // Rules that need no state, and a participant that could be asked.
    // The payment keeps to what is in force now until it is answered.
    let in_force = engine.in_force();
    let prepared = match request.bill {
        None => prepare(engine, &in_force, request, None),
        Some(_) => Box::pin(billed::prepare(engine, &in_force, request)).await,
    };
    let (intent, mut sending) = match prepared {
        Prepared::Ready(intent, sending) => (intent, sending),
        Prepared::Faulty(request, refusal) => {
            let reply = Reply::faulty(refusal);
            return measured(Box::pin(stored_or(engine, request, reply)).await, started);
        }
        Prepared::Refused(refused) => {
            return measured(Box::pin(refuse(engine, refused, on_repeat)).await, started);
        }
        Prepared::Unreachable(request, why) => {
            let reply = Reply::refused(why);
            return measured(Box::pin(stored_or(engine, request, reply)).await, started);
        }
        Prepared::Untimed(request) => {
            return measured(Box::pin(untimed(engine, request)).await, started);
        }
    };
    // Idempotency, limits and balances in one step; then the intent is durable.
    let admitted = engine.store.admit(intent).await;
    drop(turn);
    match admitted {
        Ok(Admission::Granted { .. }) => {}
        Ok(other) => {
            return measured(Box::pin(not_granted(engine, other, on_repeat)).await, started);
        }
        Err(error) => return Reply::not_decided(&error),
    }
    // Only now a byte may leave.
    let outcome = match sending.send(engine).await {
        Started::Answered(outcome) => outcome,
        Started::Awaiting(awaiting) => {
            return measured(wait(engine, &sending, awaiting).await, started);
        }
    };
    // The outcome is durable before anyone hears of it; the notice is owed by the same record.
    measured(conclude(engine, sending, outcome).await, started)
}

/// How long a request waits for its turn: as long as a stalled journal is waited for.
const TURN_WAIT_MAX: Duration = Duration::from_secs(3);

/// The turn of a participant's request to be decided, none when it did not come in time; a biller's
/// requests are as many at once as it has connections, and need none.
async fn decision_turn<'a>(
    participants: &'a Participants,
    originator: &Originator,
) -> Option<Option<SemaphorePermit<'a>>> {
    let participant = match originator {
        Originator::Participant(id) => participants.by_id(*id),
        Originator::Biller(_) => None,
    };
    let Some(participant) = participant else { return Some(None) };
    let bulkhead = participant.bulkhead();
    if let Some(turn) = bulkhead.free_decision_turn() {
        return Some(Some(turn));
    }
    let turn = tokio::time::timeout(TURN_WAIT_MAX, bulkhead.decision_turn()).await;
    turn.ok().map(Some)
}

/// What becomes of a request before anything is reserved.
enum Prepared<'a> {
    /// It can be sent as soon as its intent is durable.
    Ready(Box<Intent>, Sending<'a>),
    /// It says something that makes no sense; nothing is kept, so that its key stays free for the
    /// corrected request. A repeat still gets its stored answer: rules and routes may be others now.
    Faulty(Box<PaymentRequest>, Refusal),
    /// A rule refuses it.
    Refused(Box<RefusedRequest>),
    /// No participant can be asked, and why.
    Unreachable(Box<PaymentRequest>, Reason),
    /// Nobody knows what time it is.
    Untimed(Box<PaymentRequest>),
}

/// A request and the rule it breaks.
struct RefusedRequest {
    request: Box<PaymentRequest>,
    refusal: Refusal,
    at: Timestamp,
    /// What the register said of its bill.
    bill: Option<PlannedBill>,
}

fn prepare<'a>(
    engine: &Engine,
    in_force: &'a InForce,
    request: Box<PaymentRequest>,
    registered: Option<RegisteredTerms>,
) -> Prepared<'a> {
    let InForce { policy, participants } = in_force;
    let Ok(at) = clock::for_admission() else { return Prepared::Untimed(request) };
    let (terms, bill) = (registered.map(|it| it.terms), registered.map(|it| it.planned));
    let refused = |request, refusal| {
        Prepared::Refused(Box::new(RefusedRequest { request, refusal, at, bill }))
    };
    let plan = match plan_on_terms(&request, terms, policy, at) {
        Ok(plan) => Plan { bill, ..plan },
        Err(refusal) if refusal.reason.is_fault_of_input() => {
            return Prepared::Faulty(request, refusal);
        }
        Err(refusal) => return refused(request, refusal),
    };
    let request = presented(request, policy);
    let Some((payment, folio)) = engine.new_payment(at) else {
        return Prepared::Unreachable(request, Reason::IssuerUnavailable);
    };
    let ask = Ask { payment, folio, at, request: &request, plan: &plan };
    match Way::first(participants, &plan.routes, &ask) {
        Ok(way) => {
            let attempt = way.attempt;
            let intent = Box::new(Intent { payment, folio, at, request: *request, plan, attempt });
            let sending = Sending::of(&intent, participants, way);
            Prepared::Ready(intent, sending)
        }
        Err(NoWay::Unsayable(unsayable)) => {
            Prepared::Faulty(request, way::does_not_fit(&plan, unsayable))
        }
        Err(NoWay::Away) => {
            Prepared::Unreachable(request, way::why_unreachable(participants, &plan.routes))
        }
    }
}

/// A merchant's request as participants are told it: with what the configuration says of the merchant,
/// where the request does not. A reversal tells the same, whatever is configured by then.
fn presented(mut request: Box<PaymentRequest>, policy: &Policy) -> Box<PaymentRequest> {
    if let Originator::Biller(biller) = request.originator
        && let Some(biller) = policy.billers.get(&biller)
    {
        request.trace = request.trace.presenting(&biller.acceptor);
    }
    request
}

/// What is needed between the intent and the outcome.
struct Sending<'a> {
    participants: &'a Participants,
    payment: PaymentId,
    folio: Folio,
    /// The outcome's record, all but the outcome.
    concluded: Box<Concluded>,
    participant: &'a ParticipantAdapter,
    ready: Option<Ready<'a>>,
    /// Kept only where there is another route to try.
    spare: Option<Box<Intent>>,
}

impl<'a> Sending<'a> {
    fn of(intent: &Intent, participants: &'a Participants, way: Way<'a>) -> Self {
        let Way { participant, ready, .. } = way;
        Self {
            participants,
            payment: intent.payment,
            folio: intent.folio,
            concluded: Box::new(Concluded {
                payment: intent.payment,
                at: intent.at,
                outcome: Outcome::Unknown(Cause::Restart),
                entry: intent.plan.entry.clone(),
            }),
            participant,
            ready: Some(ready),
            spare: (1 < intent.plan.routes.len()).then(|| Box::new(intent.clone())),
        }
    }

    /// Asks the participant; tries the next route only while nothing has left.
    async fn send(&mut self, engine: &Engine) -> Started {
        loop {
            let ready = self.ready.take().expect("invariant: each try is ready");
            let asked_at = Instant::now();
            let started = ready.start().await;
            let figures = &self.participant.bulkhead().figures;
            let outcome = match started {
                Ok(Started::Answered(outcome)) => Ok(outcome),
                Ok(Started::Awaiting(awaiting)) => return Started::Awaiting(awaiting),
                Err(NoAnswer::MaybeSent(cause)) => Ok(Outcome::Unknown(cause)),
                Err(NoAnswer::NotSent(why)) => Err(why),
            };
            match outcome {
                Ok(outcome) => {
                    figures.concluded(&outcome, asked_at.elapsed());
                    return Started::Answered(outcome);
                }
                Err(why) => {
                    figures.not_sent();
                    metrics::counter!("cauce_not_sent_total", "why" => why.name()).increment(1);
                    if !Box::pin(self.reroute(engine)).await {
                        let declined = Decline::ours(Reason::IssuerUnavailable);
                        return Started::Answered(Outcome::Declined(declined));
                    }
                }
            }
        }
    }

    /// Makes the next reachable route durable; false when there is none.
    async fn reroute(&mut self, engine: &Engine) -> bool {
        let tried = self.participant.id();
        let Some(intent) = &mut self.spare else { return false };
        let routes = &mut intent.plan.routes;
        let position = routes.iter().position(|route| *route == tried);
        routes.drain(..position.map_or(0, |position| position + 1));
        let at = clock::now();
        let ask = Ask { at, ..intent.ask() };
        let Ok(way) = Way::first(self.participants, &intent.plan.routes, &ask) else {
            return false;
        };
        let Way { participant, ready, attempt } = way;
        let rerouted = Rerouted { payment: self.payment, at, attempt };
        if engine.store.append(Record::Rerouted(rerouted)).await.is_err() {
            return false;
        }
        (self.participant, self.ready) = (participant, Some(ready));
        true
    }
}

/// The state of a payment, for its own originator.
pub async fn inquire(engine: &Engine, request: &InquiryRequest) -> Reply {
    let InquiryRequest { originator, original, trace } = request;
    let (amount, purpose) = (None, Purpose::Inquiry);
    match original::find(engine, &NamedPayment { originator, original, trace, amount, purpose })
        .await
    {
        Ok(Some(payment)) => Reply::standing(&payment).replayed(),
        Ok(None) => Reply::refused(Reason::OriginalNotFound),
        Err(error) => Reply::not_decided(&error),
    }
}

/// Makes it durable that the payment waits for somebody; what comes of it is told later.
async fn wait(engine: &Engine, sending: &Sending<'_>, awaiting: Awaiting) -> Reply {
    match waiting::begin(engine, sending.payment, awaiting).await {
        Ok(()) => Reply::waiting(sending.payment, sending.folio),
        Err(error) => {
            // The next start finds it sent, and what came of it unknown.
            tracing::error!(payment_id = %sending.payment, error = %storage::with_causes(&error),
                "a wait could not be made durable");
            let payment = Some((sending.payment, sending.folio));
            Reply { payment, ..Reply::in_progress(sending.payment) }
        }
    }
}

async fn conclude(engine: &Engine, sending: Sending<'_>, outcome: Outcome) -> Reply {
    let mut concluded = sending.concluded;
    concluded.at = clock::now();
    if !matches!(outcome, Outcome::Approved(_)) {
        concluded.entry = Entry::default();
    }
    concluded.outcome = outcome.clone();
    match engine.store.append(Record::Outcome(concluded)).await {
        Ok(appended) => {
            if appended.effects.owes_reversal {
                sending.participant.bulkhead().owes_one_more();
                engine.owed.push(sending.payment);
            }
            Reply::outcome(sending.payment, sending.folio, &outcome)
        }
        Err(error) => {
            // The record may be whole on the disk all the same: the next start decides. Until then
            // the payment is under way, and neither approved nor unknown.
            static NOT_DURABLE: Seldom = Seldom::new();
            if let Some(left_out) = NOT_DURABLE.is_due() {
                tracing::error!(payment_id = %sending.payment, error = %storage::with_causes(&error),
                    left_out, "an outcome could not be made durable");
            }
            let payment = Some((sending.payment, sending.folio));
            Reply { payment, ..Reply::in_progress(sending.payment) }
        }
    }
}

/// A refusal by a rule that needs no state. It is journalled, so that a repeat gets it again.
async fn refuse(engine: &Engine, refused: Box<RefusedRequest>, on_repeat: OnRepeat) -> Reply {
    let RefusedRequest { request, refusal, at, bill } = *refused;
    let Some((payment, folio)) = engine.new_payment(at) else {
        return Reply::refused(Reason::GateUnavailable);
    };
    let field = refusal.field;
    let refused = Refused {
        payment,
        folio,
        at,
        business_date: refusal.business_date,
        request: *request,
        reason: refusal.reason,
        original: None,
        detail: refusal.detail,
        bill,
    };
    match engine.store.refuse(refused).await {
        Ok(admission) => not_granted(engine, admission, on_repeat).await.about(field),
        Err(error) => Reply::not_decided(&error),
    }
}

/// Nothing new can be sent: no participant could be asked, or the switch drains. A repeat still
/// gets its stored answer; a new request is not remembered, so the same key may be used again.
///
/// Cancel-safe: it only reads.
pub async fn stored(engine: &Engine, mut request: Box<PaymentRequest>) -> Reply {
    request.fingerprint = engine.fingerprint(&request);
    stored_or(engine, request, Reply::refused(Reason::IssuerUnavailable)).await
}

/// The wall clock is not trusted: no window and no business date can be told, so nothing new is
/// decided. A repeat still gets its stored answer.
async fn untimed(engine: &Engine, request: Box<PaymentRequest>) -> Reply {
    metrics::counter!("cauce_payments_not_decided_total", "why" => "clock").increment(1);
    stored_or(engine, request, Reply::refused(Reason::GateUnavailable)).await
}

/// The stored answer to a request whose fingerprint is known: that of the request as it came, before
/// anything was filled in.
async fn stored_or(engine: &Engine, request: Box<PaymentRequest>, otherwise: Reply) -> Reply {
    let (key, fingerprint) = (request.key, request.fingerprint);
    let day_began = Some(day_began(&request, &engine.policy(), clock::now()));
    let sought = Sought { key, fingerprint, day_began };
    match engine.store.payment_by_key(sought, TraceName::of(&request)).await {
        Ok(Some(payment)) if payment.request.fingerprint == fingerprint => {
            Reply::of(&payment).replayed()
        }
        Ok(Some(_)) => Reply::refused(Reason::IdempotencyConflict),
        Ok(None) => otherwise,
        Err(error) => Reply::not_decided(&error),
    }
}

/// A repeat, a reused key, or a refusal by a limit or balance.
async fn not_granted(engine: &Engine, admission: Admission, on_repeat: OnRepeat) -> Reply {
    match admission {
        Admission::Granted { .. } => Reply::refused(Reason::SystemError),
        Admission::Replay(payment) => Reply::of(&payment).replayed(),
        Admission::KeyReused(_) => Reply::refused(Reason::IdempotencyConflict),
        Admission::Refused(payment) => {
            let reply = Reply::of(&payment);
            match payment.original {
                Some(original) => reply.repeating(original_folio(engine, original).await),
                None => reply,
            }
        }
        Admission::InFlight(payment, _) if on_repeat == OnRepeat::Tell => {
            Reply::in_progress(payment)
        }
        Admission::InFlight(payment, wait) => {
            match tokio::time::timeout(REPEAT_WAIT_MAX, wait.outcome()).await {
                Ok(Ok(payment)) => Reply::of(&payment).replayed(),
                Ok(Err(error)) => Reply::not_decided(&error),
                Err(_) => Reply::in_progress(payment),
            }
        }
    }
}

async fn original_folio(engine: &Engine, original: PaymentId) -> Option<Folio> {
    let found = engine.store.payment(original).await.ok().flatten();
    found.map(|payment| payment.folio)
}

/// Counts what was told; a stored answer told again is no other payment.
fn measured(reply: Reply, started: Instant) -> Reply {
    if reply.is_replay {
        metrics::counter!("cauce_replays_total").increment(1);
        return reply;
    }
    let elapsed = started.elapsed();
    let outcome = reply.reason.info().code;
    payment_told(reply.reason, elapsed);
    if let Some((payment, folio)) = reply.payment {
        tracing::debug!(
            payment_id = %payment,
            %folio,
            reason = outcome,
            elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            "payment"
        );
    }
    reply
}

/// Takes up what a start found open, each payment from where it stands: what was sent is unknown now
/// and is owed, what waits goes on waiting, and refunds are asked for again.
///
/// Errors: the journal's, when an outcome could not be made durable.
pub async fn resume(engine: &Arc<Engine>, open: &[Payment]) -> Result<(), StoreError> {
    for payment in open {
        remember(engine, payment);
        if payment.state == PaymentState::Sent && payment.request.rail == Rail::External {
            external::conclude(engine, payment.id, payment.planned_entry.clone()).await?;
            continue;
        }
        if payment.state == PaymentState::Sent {
            let concluded = Concluded {
                payment: payment.id,
                at: clock::now(),
                outcome: Outcome::Unknown(Cause::Restart),
                entry: Entry::default(),
            };
            engine.store.append(Record::Outcome(Box::new(concluded))).await?;
        }
        match payment.state {
            // An advice may have left before the restart; of an approved payment a part is owed.
            PaymentState::Reversing | PaymentState::Approved => engine.owed.push_again(payment.id),
            PaymentState::Sent | PaymentState::Unknown => engine.owed.push(payment.id),
            PaymentState::Refunding => refund::resume(engine, payment),
            PaymentState::AwaitingPayer
            | PaymentState::Received
            | PaymentState::Declined
            | PaymentState::Reversed
            | PaymentState::Expired
            | PaymentState::Settled
            | PaymentState::Refunded => {}
        }
    }
    Ok(())
}

/// Remembers the request of a payment that an earlier process or another node made: its answer may
/// still come, by a line of today.
fn remember(engine: &Engine, payment: &Payment) {
    let Some(attempt) = &payment.attempt else { return };
    if let Some(participant) = engine.participants().by_id(attempt.participant) {
        participant.remember(attempt, payment.folio);
    }
}
