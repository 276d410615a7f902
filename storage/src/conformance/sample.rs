//! Fictional payments for the suite, for tests and for benches.

#![allow(clippy::unwrap_used)]

pub mod later;

use router::detail::{Detail, ReservedLimits};
use router::early::EarlyReversal;
use router::endpoint::{Endpoint, OldSecret};
use router::event::{Actor, Event, EventBody, EventKind, OtherBody, OwedNotice};
use router::exchange::{AttemptRef, RequestTrace};
use router::id::{
    AccountId, BillNo, BillerId, EndpointId, FloatRef, Folio, Lane, ParticipantId, PaymentId,
    SecretId, Stan,
};
use router::message::{
    Fingerprint, IdempotencyKey, Originator, Payer, PaymentRequest, Rail, Trace,
};
use router::money::{Currency, Money};
use router::notice::NoticeType;
use router::outcome::{Approval, Cause, Decline, Outcome};
use router::plan::Plan;
use router::posting::{Entry, partial_reversal, top_up as topped_up, whole_reversal};
use router::reason::Reason;
use router::record::{
    AccountMovement, Attempt, Concluded, Intent, LateAnswer, PartConfirmed, PartOwed, Record,
    Refused, Reversal, ReversalCause, ReversalConfirmed, ReversalStep,
};
use router::reservation::{Counter, CounterKey, Hold, Keep, Reservation, Slot, SlotKey};
use router::secret::{CardNumber, Pan, SealedSecret};
use router::text::Text;
use router::time::{Date, Timestamp};
use smallvec::SmallVec;

/// Digits of the card that samples are paid with; a published test number.
pub const CARD: &str = "4111111111111111";
/// Where the samples' windows close, in microseconds after [`at`]'s zero.
pub const WINDOW_END: i64 = 86_400_000_000;

/// One payment, described by what matters to the guard.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Number its ids, folio and STAN are made from.
    pub payment: u64,
    /// Idempotency key.
    pub key: u128,
    /// Fingerprint; tell two apart in the upper half.
    pub fingerprint: u128,
    /// When, in microseconds after a zero of the samples' own.
    pub at: i64,
    /// Account and amount of a hold with floor 0.
    pub hold: Option<(&'static str, i64)>,
    /// Key and ceiling of a counter of payments.
    pub counter: Option<(u128, i64)>,
    /// Key and keeping of a slot.
    pub slot: Option<(u128, Keep)>,
    /// Name and amount of a bill, of which the payment pays its own amount.
    pub bill: Option<(u128, i64)>,
}

impl Sample {
    /// A payment that reserves nothing.
    pub fn new(payment: u64) -> Self {
        let key = router::message::digest128(&[b"sample", &payment.to_be_bytes()]);
        Self {
            payment,
            key,
            fingerprint: 1 << 64,
            at: 0,
            hold: None,
            counter: None,
            slot: None,
            bill: None,
        }
    }

    /// Its id.
    pub fn id(&self) -> PaymentId {
        let random = router::message::digest128(&[b"id", &self.payment.to_be_bytes()]);
        let (at_ms, low) = (1_700_000_000_000 + i64::try_from(self.payment).unwrap(), 64);
        PaymentId::in_lane(at_ms, Lane(0), u64::try_from(random >> low).unwrap())
    }

    /// What its approval posts.
    pub fn entry(&self) -> Entry {
        let source = self.hold.map_or("clearing:account", |(name, _)| name);
        let amount = money(self.amount_minor());
        Entry::pair(account(source), account("payable:isp-ve"), amount).unwrap()
    }

    fn amount_minor(&self) -> i64 {
        self.hold.map_or(50_000, |(_, amount)| amount)
    }

    /// Its intent.
    pub fn intent(&self) -> Intent {
        let amount = self.amount_minor();
        let stan = Stan::new(u32::try_from(self.payment % 1_000_000).unwrap()).unwrap();
        Intent {
            payment: self.id(),
            folio: Folio::new(self.payment).unwrap(),
            at: at(self.at),
            request: self.request(money(amount), stan),
            plan: Plan {
                business_date: Date(20_000),
                routes: [ParticipantId::new("bank-b").unwrap()].into_iter().collect(),
                fees: SmallVec::new(),
                total: money(amount),
                entry: self.entry(),
                reservation: self.reservation(),
                day_began: at(self.at),
                limits: ReservedLimits::default(),
                rules_version: 0,
                bill: None,
            },
            attempt: Attempt {
                participant: ParticipantId::new("bank-b").unwrap(),
                reference: AttemptRef::Trace(RequestTrace {
                    stan,
                    transmitted_at: Text::new("1123211722").unwrap(),
                }),
            },
        }
    }

    /// Its refusal by plan.
    pub fn refused(&self, reason: Reason) -> Refused {
        let Intent { payment, folio, at, request, plan, attempt: _ } = self.intent();
        Refused {
            payment,
            folio,
            at,
            business_date: plan.business_date,
            request,
            reason,
            original: None,
            detail: Some(Detail::Text("most 100.00".into())),
            bill: plan.bill,
        }
    }

    /// Its approval.
    pub fn approved(&self) -> Record {
        let approval = Approval {
            authorisation: Text::new("123456").unwrap(),
            bank_reference: Text::new("000123456789").unwrap(),
        };
        self.concluded(Outcome::Approved(approval), self.entry())
    }

    /// Its decline by the participant.
    pub fn declined(&self) -> Record {
        let decline = Decline { reason: Reason::CardDeclined, network_code: Some(*b"05") };
        self.concluded(Outcome::Declined(decline), Entry::default())
    }

    /// Its silence.
    pub fn unknown(&self) -> Record {
        self.concluded(Outcome::Unknown(Cause::Timeout), Entry::default())
    }

    /// Its reversal is owed because its outcome is not known.
    pub fn reversal_owed_for(&self, cause: Cause) -> Record {
        self.reversal(ReversalStep::Owed(ReversalCause::Unknown(cause)))
    }

    /// Its reversal is owed because a late answer approved it.
    pub fn reversal_owed_anew(&self) -> Record {
        self.reversal(ReversalStep::Owed(ReversalCause::LateAnswer))
    }

    /// Its reversal is owed because its originator said so.
    pub fn reversal_asked(&self) -> Record {
        self.reversal(ReversalStep::Owed(ReversalCause::Asked))
    }

    /// Its reversal was confirmed; it had posted nothing.
    pub fn reversal_confirmed(&self) -> Record {
        self.confirmed(Entry::default())
    }

    /// The reversal of its approval was confirmed, of which parts had given back so much.
    pub fn approval_reversed(&self, given_back_minor: i64) -> Record {
        self.confirmed(whole_reversal(&self.entry(), money(given_back_minor)).unwrap())
    }

    fn confirmed(&self, entry: Entry) -> Record {
        let response_code = *b"00";
        self.reversal(ReversalStep::Confirmed(ReversalConfirmed { response_code, entry }))
    }

    /// A part of it must be given back, so that this much stands of what stood.
    pub fn part_owed(&self, from_minor: i64, stands_minor: i64) -> Record {
        let amount_minor = self.amount_minor();
        let part = PartOwed { amount_minor, from_minor, stands_minor, key: Some(self.key) };
        self.reversal(ReversalStep::PartOwed(part))
    }

    /// The participant confirmed that this much stands.
    pub fn part_confirmed(&self, given_back_minor: i64, stands_minor: i64) -> Record {
        let entry = partial_reversal(&self.entry(), money(given_back_minor)).unwrap();
        let part = PartConfirmed { stands_minor, response_code: *b"00", entry };
        self.reversal(ReversalStep::PartConfirmed(part))
    }

    /// An approval after it had its outcome.
    pub fn late(&self) -> Record {
        let outcome = Outcome::Approved(Approval::default());
        Record::LateAnswer(LateAnswer { payment: self.id(), at: at(self.at + 9), outcome })
    }

    fn concluded(&self, outcome: Outcome, entry: Entry) -> Record {
        let (payment, at) = (self.id(), at(self.at + 5));
        Record::Outcome(Box::new(Concluded { payment, at, outcome, entry }))
    }

    fn reversal(&self, step: ReversalStep) -> Record {
        Record::Reversal(Box::new(Reversal { payment: self.id(), at: at(self.at + 7), step }))
    }

    fn request(&self, amount: Money, stan: Stan) -> PaymentRequest {
        PaymentRequest {
            originator: Originator::Participant(originator()),
            key: IdempotencyKey(self.key),
            fingerprint: Fingerprint(self.fingerprint),
            rail: Rail::Account,
            amount,
            biller: Some(biller()),
            client: None,
            bill: Some(BillNo::new("INV-0001").unwrap()),
            product: None,
            float_ref: None,
            operator: None,
            remaining_debt: None,
            payer: Payer {
                card: Some(CardNumber::Clear(Pan::new(CARD.as_bytes()).unwrap())),
                expiry: Some(Text::new("2912").unwrap()),
                ..Payer::default()
            },
            trace: Trace {
                mti: Text::new("0200").unwrap(),
                processing_code: Text::new("000000").unwrap(),
                stan: Some(stan),
                transmitted_at: Text::new("1123211722").unwrap(),
                terminal: Text::new("T0000001").unwrap(),
                ..Trace::default()
            },
            reference: None,
            metadata: None,
            transient: None,
            sealed_texts: None,
        }
    }

    fn reservation(&self) -> Reservation {
        let reason = Reason::FloatInsufficient;
        let hold = self.hold.map(|(name, minor)| Hold {
            account: account(name),
            amount: money(minor),
            floor_minor: 0,
            reason,
        });
        let counter = self.counter.map(|(key, ceiling)| Counter {
            key: CounterKey(key),
            delta: 1,
            ceiling,
            window_end: at(WINDOW_END),
            reason: Reason::DailyCountExceeded,
            reason_once_full: None,
        });
        let other_slot = self.slot.map(|(key, keep)| slot(key, keep));
        let of_bill = self.bill.map(|(key, ceiling)| {
            (slot(key, Keep::UntilOutcome), self.counter_of_bill(key, ceiling))
        });
        let (bill_slot, bill_counter) = of_bill.unzip();
        Reservation {
            key: IdempotencyKey(self.key),
            fingerprint: Fingerprint(self.fingerprint),
            holds: hold.into_iter().collect(),
            counters: bill_counter.into_iter().chain(counter).collect(),
            slots: other_slot.into_iter().chain(bill_slot).collect(),
        }
    }
}

impl Sample {
    fn counter_of_bill(&self, key: u128, ceiling: i64) -> Counter {
        Counter {
            key: CounterKey(key),
            delta: self.amount_minor(),
            ceiling,
            window_end: at(400 * WINDOW_END),
            reason: Reason::AmountMismatch,
            reason_once_full: Some(Reason::BillAlreadyPaid),
        }
    }
}

fn slot(key: u128, keep: Keep) -> Slot {
    let (reason_while_open, reason_once_kept) = (Reason::BillInProgress, Reason::BillAlreadyPaid);
    Slot { key: SlotKey(key), keep, reason_while_open, reason_once_kept }
}

/// An instant of the samples' clock.
pub fn at(micros: i64) -> Timestamp {
    Timestamp(1_700_000_000_000_000 + micros)
}

/// The samples' currency.
pub fn currency() -> Currency {
    Currency::from_code("MXN").unwrap()
}

/// An amount in it.
pub fn money(minor: i64) -> Money {
    Money::new(minor, currency())
}

/// An account.
pub fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

/// Who asks for the samples.
pub fn originator() -> ParticipantId {
    ParticipantId::new("bank-a").unwrap()
}

/// Who is paid by them.
pub fn biller() -> BillerId {
    BillerId::new("isp-ve").unwrap()
}

/// Raises a float's balance; a negative amount lowers it.
pub fn top_up(name: &str, minor: i64) -> Record {
    let entry = top_up_entry(name, minor);
    Record::Account(Box::new(AccountMovement { at: at(0), entry }))
}

/// What such a record posts.
pub fn top_up_entry(name: &str, minor: i64) -> Entry {
    let float = FloatRef::new(name.strip_prefix("float:").unwrap()).unwrap();
    topped_up(&float, money(minor)).unwrap()
}

/// A reversal that came before a payment and names all of it, for ten seconds.
pub fn early_reversal(original: &Sample) -> EarlyReversal {
    let PaymentRequest { trace, amount, .. } = original.intent().request;
    EarlyReversal {
        originator: originator(),
        at: at(original.at),
        until: at(original.at + 10_000_000),
        stan: trace.stan,
        rrn: trace.rrn,
        transmitted_at: trace.transmitted_at,
        terminal: trace.terminal,
        amount: Some(amount),
    }
}

/// Sets an endpoint of the samples' biller that wants every type.
pub fn endpoint(id: u128) -> Record {
    set(Endpoint {
        id: EndpointId(id),
        biller: biller(),
        at: at(0),
        url: Some("https://merchant.example/notices".into()),
        version: 1,
        secret: sealed_secret(1),
        old_secrets: Vec::new(),
        types: Vec::new(),
    })
}

/// The next version of that endpoint: its secret was changed twice.
pub fn endpoint_with_old_secrets(id: u128) -> Record {
    let endpoint = first_endpoint(id);
    let old = |id, second| OldSecret { secret: sealed_secret(id), ends_at: at(second) };
    set(Endpoint {
        version: 2,
        at: at(7),
        secret: sealed_secret(3),
        old_secrets: vec![old(2, 9), old(1, 8)],
        ..endpoint
    })
}

/// The endpoint that [`endpoint`] sets.
pub fn first_endpoint(id: u128) -> Endpoint {
    endpoint(id).into_endpoint().unwrap()
}

/// The record of an event that makes an endpoint what it is.
pub fn set(endpoint: Endpoint) -> Record {
    Record::Event(Box::new(set_event(endpoint)))
}

/// That event, at the request of an API key's holder.
pub fn set_event(endpoint: Endpoint) -> Event {
    let kind = match (endpoint.version, endpoint.url.is_some()) {
        (_, false) => EventKind::Deleted,
        (1, true) => EventKind::Created,
        (_, true) if endpoint.old_secrets.is_empty() => EventKind::Changed,
        (_, true) => EventKind::SecretRotated,
    };
    let key = Text::new("key_0123456789abcdef").unwrap();
    Event::of_endpoint(endpoint, kind, Actor::Key(key))
}

/// An event of a subject that this build does not know, at a version: with an approver, an entry
/// and a notice owed.
pub fn event_of_a_later_build(version: u32) -> Event {
    let body = OtherBody {
        kind: Text::new("service").unwrap(),
        id: Text::new("srv_7").unwrap(),
        version,
        at: at(8),
        bytes: Box::from(*b"what it says"),
    };
    let person = |id| Actor::Other { kind: Text::new("user").unwrap(), id: Text::new(id).unwrap() };
    let payment = PaymentId(9);
    Event {
        kind: EventKind::Other(Text::new("switched_on").unwrap()),
        actor: person("usr_1"),
        approver: Some(person("usr_2")),
        body: EventBody::Other(body),
        entry: top_up_entry("float:1", 7),
        notices: vec![OwedNotice {
            biller: biller(),
            kind: NoticeType::PaymentReversed,
            payment,
            bill: None,
        }],
    }
}

/// A sealed secret that nothing opens.
pub fn sealed_secret(id: u128) -> SealedSecret {
    let ciphertext = Box::from(*b"sealed");
    SealedSecret { id: SecretId(id), key_name: "k1".into(), ciphertext }
}
