//! Values for the tests of this crate. All names and numbers are fictional.

use std::sync::Arc;

use crate::early::EarlyReversal;
use crate::fee::{Bearer, FeeBasis, FeeRule, FeeTiming};
use crate::id::{BillerId, ClientRef, FloatRef, OperatorId, ParticipantId, Product, Stan};
use crate::message::{
    Acceptor, Fingerprint, FingerprintKey, IdempotencyKey, Originator, Payer, PaymentRequest, Rail,
    Trace, fingerprint, iso_key,
};
use crate::money::{Currency, Money};
use crate::policy::{
    Biller, Float, FloatDebits, LimitRule, Measure, Participant, ParticipantStatus, Policy, Route,
    Scope, Window,
};
use crate::reason::Reason;
use crate::secret::{CardNumber, Pan};
use crate::text::Text;
use crate::time::{Timestamp, Zone};

/// 2026-11-23T18:00:00Z, noon in the lender's zone.
pub(crate) const NOON: Timestamp = Timestamp(1_795_456_800_000_000);

pub(crate) fn currency(code: &str) -> Currency {
    Currency::from_code(code).unwrap()
}

pub(crate) fn pesos(minor: i64) -> Money {
    Money::new(minor, currency("MXN"))
}

pub(crate) fn participant_id(name: &str) -> ParticipantId {
    ParticipantId::new(name).unwrap()
}

pub(crate) fn biller_id(name: &str) -> BillerId {
    BillerId::new(name).unwrap()
}

pub(crate) fn card(digits: &str) -> CardNumber {
    CardNumber::Clear(Pan::new(digits.as_bytes()).unwrap())
}

/// A collector's cash payment to the lender, in centavos.
pub(crate) fn request(minor: i64) -> PaymentRequest {
    let stan = Stan::new(123_456).unwrap();
    let trace = Trace {
        mti: Text::new("0200").unwrap(),
        processing_code: Text::new("510000").unwrap(),
        stan: Some(stan),
        transmitted_at: Text::new("1123180000").unwrap(),
        terminal: Text::new("TERM0001").unwrap(),
        ..Trace::default()
    };
    let originator = participant_id("collector");
    let mut request = PaymentRequest {
        originator: Originator::Participant(originator),
        key: IdempotencyKey(0),
        fingerprint: Fingerprint(0),
        rail: Rail::CashFloat,
        amount: pesos(minor),
        biller: Some(biller_id("lender")),
        client: Some(ClientRef::new("100200300").unwrap()),
        bill: None,
        product: Some(Product::new("credimax").unwrap()),
        float_ref: Some(FloatRef::new("58341122").unwrap()),
        operator: Some(OperatorId::new("op-1").unwrap()),
        remaining_debt: None,
        payer: Payer::default(),
        trace,
        reference: None,
        metadata: None,
        transient: None,
        sealed_texts: None,
    };
    request.key = iso_key(&originator, stan, &trace.transmitted_at, &trace.terminal, &trace.rrn);
    request.fingerprint = fingerprint(&request, &FingerprintKey::new(&[7; 32]));
    request
}

/// A reversal of [`request`] that came before it and names all of it.
pub(crate) fn early_reversal() -> EarlyReversal {
    let Trace { stan, rrn, transmitted_at, terminal, .. } = request(10_000).trace;
    EarlyReversal {
        originator: participant_id("collector"),
        at: NOON,
        until: NOON.plus_micros(10),
        stan,
        rrn,
        transmitted_at,
        terminal,
        amount: Some(pesos(10_000)),
    }
}

pub(crate) fn participant(name: &str) -> Participant {
    Participant {
        id: participant_id(name),
        currencies: Vec::new(),
        status: ParticipantStatus::Active,
        net_debit_caps: Vec::new(),
    }
}

pub(crate) fn biller(name: &str) -> Biller {
    Biller {
        id: biller_id(name),
        currencies: Vec::new(),
        rails: Vec::new(),
        zone: Arc::new(Zone { offsets: vec![(Timestamp(i64::MIN), -6 * 3600)] }),
        float_debits: FloatDebits::Total,
        acceptor: Acceptor::default(),
    }
}

/// A route for everything.
pub(crate) fn route(to: &[&str]) -> Route {
    Route {
        rails: Vec::new(),
        card_prefixes: Vec::new(),
        bank_codes: Vec::new(),
        billers: Vec::new(),
        currencies: Vec::new(),
        min_minor: None,
        max_minor: None,
        to: to.iter().map(|name| participant_id(name)).collect(),
    }
}

/// A fee on everything.
pub(crate) fn fee(basis: FeeBasis, borne_by: Bearer, timing: FeeTiming) -> FeeRule {
    let label = Text::new("commission").unwrap();
    FeeRule { label, billers: Vec::new(), rails: Vec::new(), basis, borne_by, timing }
}

/// A limit on everything.
pub(crate) fn limit(name: &str, measure: Measure, reason: Reason) -> LimitRule {
    let (billers, rails, products) = (Vec::new(), Vec::new(), Vec::new());
    LimitRule { name: name.into(), billers, rails, products, measure, reason }
}

/// The lender's rules: up to 99,999.99, one payment a day and client, 1.00 must stay owed, one
/// product, 12.00 on top.
pub(crate) fn policy() -> Policy {
    let products = vec![Product::new("credimax").unwrap()];
    let (min, max) = (None, Some(pesos(9_999_999)));
    let once = Measure::Count { scope: Scope::Client, window: Window::Day, max: 1 };
    let must_leave = pesos(100);
    let fixed = FeeBasis::Fixed(pesos(1_200));
    let owner = Some(Originator::Participant(participant_id("collector")));
    let drawers = [
        Originator::Participant(participant_id("bank-a")),
        Originator::Participant(participant_id("bank-b")),
        Originator::Biller(biller_id("lender")),
        Originator::Biller(biller_id("nobody")),
    ]
    .into();
    let float = Float { owner, drawers };
    Policy {
        participants: ["collector", "bank-a", "bank-b"]
            .map(|name| (participant_id(name), participant(name)))
            .into(),
        billers: [(biller_id("lender"), biller("lender"))].into(),
        routes: vec![route(&["bank-a"]), route(&["bank-b", "bank-a"])].into(),
        fees: vec![fee(fixed, Bearer::Payer, FeeTiming::Net)].into(),
        limits: vec![
            limit("once-a-day", once, Reason::DailyCountExceeded),
            limit("repeat", Measure::RepeatedOperation, Reason::DuplicateTransaction),
            limit("debt", Measure::RemainingDebt { must_leave }, Reason::MustLeaveBalance),
            limit("amount", Measure::Amount { min, max }, Reason::AmountOverLimit),
            limit("product", Measure::ProductAllowed { products }, Reason::ProductNotAllowed),
        ]
        .into(),
        floats: ["58341122", "2"]
            .map(|float_ref| (FloatRef::new(float_ref).unwrap(), float.clone()))
            .into(),
        bill_retention: None,
        version: 0,
    }
}
