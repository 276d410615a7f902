//! The rules the benches plan by: a card payment meets none of the limits, a collector's cash
//! payment all of them.

use std::sync::Arc;

use router::fee::{Bearer, FeeBasis, FeeRule, FeeTiming};
use router::id::{BillerId, FloatRef, Product};
use router::message::{Acceptor, Originator, Rail};
use router::money::{Currency, Money};
use router::policy::{
    Biller, Float, FloatDebits, LimitRule, Measure, Participant, ParticipantStatus, Policy, Route,
    Scope, Window,
};
use router::reason::Reason;
use router::text::Text;
use router::time::{Timestamp, Zone};

use crate::messages::participant;

/// When the benches plan: 2026-11-23T18:00:00Z.
pub const NOW: Timestamp = Timestamp(1_795_456_800_000_000);

/// Two acquirers, two issuers, two billers. The lender has a fee on top and six limits; the
/// internet provider a commission that is kept back, and no limit.
pub fn policy() -> Policy {
    Policy {
        participants: ["acquirer", "collector", "bank-a", "bank-b"]
            .map(|name| (participant(name), active(name)))
            .into(),
        billers: ["isp-ve", "lender"].map(|name| (biller_id(name), biller(name))).into(),
        routes: vec![
            Route { card_prefixes: vec!["411111".into()], ..route(Rail::Account, &["bank-b"]) },
            route(Rail::Account, &["bank-a", "bank-b"]),
            route(Rail::CashFloat, &["bank-a"]),
        ]
        .into(),
        fees: vec![
            fee("isp-ve", FeeBasis::Share { basis_points: 300 }, Bearer::Merchant),
            fee("lender", FeeBasis::Fixed(pesos(1_200)), Bearer::Payer),
        ]
        .into(),
        limits: lender_limits().into(),
        floats: [(FloatRef::new("58341122").expect("invariant: a reference"), float())].into(),
        bill_retention: None,
        version: 0,
    }
}

/// The rules of many billers, [`numbered_biller`] by number: each has a route, three limits and two
/// fees.
///
/// Shape:  one biller at least.
pub fn policy_of(billers: usize) -> Policy {
    let ids = || (0..billers).map(numbered_biller);
    let zone = Arc::new(Zone { offsets: vec![(Timestamp(i64::MIN), -6 * 3600)] });
    let known = |id: BillerId| Biller { zone: Arc::clone(&zone), id, ..biller("lender") };
    let RuleSets { routes, fees, limits } = rules_of(billers);
    Policy {
        billers: ids().map(|id| (id, known(id))).collect(),
        routes: routes.into(),
        fees: fees.into(),
        limits: limits.into(),
        ..policy()
    }
}

/// Rules that are not indexed yet.
#[derive(Debug, Clone)]
pub struct RuleSets {
    /// Routes.
    pub routes: Vec<Route>,
    /// Fees.
    pub fees: Vec<FeeRule>,
    /// Limits.
    pub limits: Vec<LimitRule>,
}

/// The rules of [`policy_of`].
pub fn rules_of(billers: usize) -> RuleSets {
    let ids = || (0..billers).map(numbered_biller);
    let routes = ids().map(|id| Route { billers: vec![id], ..route(Rail::CashFloat, &["bank-a"]) });
    let fees = ids().flat_map(|id| {
        [
            fee(id.as_str(), FeeBasis::Fixed(pesos(1_200)), Bearer::Payer),
            fee(id.as_str(), FeeBasis::Share { basis_points: 300 }, Bearer::Merchant),
        ]
    });
    let limits = ids().flat_map(|id| {
        let kinds = lender_limits().into_iter().step_by(2);
        kinds.map(move |rule| LimitRule {
            name: format!("{} of {id}", rule.name).into(),
            billers: vec![id],
            ..rule
        })
    });
    RuleSets { routes: routes.collect(), fees: fees.collect(), limits: limits.collect() }
}

/// The biller of a number, in [`policy_of`].
pub fn numbered_biller(number: usize) -> BillerId {
    biller_id(&format!("biller-{number}"))
}

/// Of either acquirer.
fn float() -> Float {
    let owner = Some(Originator::Participant(participant("collector")));
    Float { owner, drawers: [Originator::Participant(participant("acquirer"))].into() }
}

fn lender_limits() -> Vec<LimitRule> {
    let products = vec![Product::new("credimax").expect("invariant: a product's name")];
    let amount = Measure::Amount { min: Some(pesos(1_000)), max: Some(pesos(9_999_999)) };
    let once = Measure::Count { scope: Scope::Client, window: Window::Day, max: 1 };
    let month =
        Measure::Sum { scope: Scope::Client, window: Window::Month, max: pesos(30_000_000) };
    let debt = Measure::RemainingDebt { must_leave: pesos(100) };
    vec![
        limit("amount", amount, Reason::AmountOverLimit),
        limit("products", Measure::ProductAllowed { products }, Reason::ProductNotAllowed),
        limit("remaining debt", debt, Reason::MustLeaveBalance),
        limit("repeated operation", Measure::RepeatedOperation, Reason::DuplicateTransaction),
        limit("once a day", once, Reason::DailyCountExceeded),
        limit("a month's sum", month, Reason::AmountOverLimit),
    ]
}

fn limit(name: &str, measure: Measure, reason: Reason) -> LimitRule {
    let (billers, rails, products) = (vec![biller_id("lender")], Vec::new(), Vec::new());
    LimitRule { name: name.into(), billers, rails, products, measure, reason }
}

fn fee(biller: &str, basis: FeeBasis, borne_by: Bearer) -> FeeRule {
    let label = Text::new("commission").expect("invariant: at most 24 characters");
    let (billers, timing) = (vec![biller_id(biller)], FeeTiming::Net);
    FeeRule { label, billers, rails: Vec::new(), basis, borne_by, timing }
}

fn route(rail: Rail, to: &[&str]) -> Route {
    Route {
        rails: vec![rail],
        card_prefixes: Vec::new(),
        bank_codes: Vec::new(),
        billers: Vec::new(),
        currencies: Vec::new(),
        min_minor: None,
        max_minor: None,
        to: to.iter().map(|name| participant(name)).collect(),
    }
}

fn active(name: &str) -> Participant {
    let status = ParticipantStatus::Active;
    Participant { id: participant(name), currencies: Vec::new(), status, net_debit_caps: vec![] }
}

fn biller(name: &str) -> Biller {
    Biller {
        id: biller_id(name),
        currencies: Vec::new(),
        rails: Vec::new(),
        zone: Arc::new(Zone { offsets: vec![(Timestamp(i64::MIN), -6 * 3600)] }),
        float_debits: FloatDebits::Total,
        acceptor: Acceptor::default(),
    }
}

fn biller_id(name: &str) -> BillerId {
    BillerId::new(name).expect("invariant: the samples' names are ids")
}

fn pesos(minor: i64) -> Money {
    let currency = Currency::from_code("MXN").expect("invariant: a currency of ISO 4217");
    Money::new(minor, currency)
}

#[cfg(test)]
mod tests {
    use router::message::PaymentRequest;
    use router::plan::plan;

    use super::*;
    use crate::messages::{card_payment, cash_payment};

    #[test]
    fn the_card_payment_reserves_its_key_alone() {
        let planned = plan(&card_payment(), &policy(), NOW).unwrap();
        let reserved = &planned.reservation;
        assert!(reserved.slots.is_empty() && reserved.counters.is_empty());
        assert!(reserved.holds.is_empty());
        assert_eq!((planned.routes.len(), planned.fees.len()), (2, 1));
    }

    #[test]
    fn each_of_many_billers_has_a_route_three_limits_and_two_fees() {
        let policy = policy_of(3);
        for number in 0..3 {
            let request =
                PaymentRequest { biller: Some(numbered_biller(number)), ..cash_payment() };
            let planned = plan(&request, &policy, NOW).unwrap();
            assert_eq!((planned.routes.len(), planned.fees.len()), (1, 2));
            assert_eq!(planned.reservation.counters.len(), 1);
        }
        assert_eq!((policy.routes.len(), policy.limits.len(), policy.fees.len()), (3, 9, 6));
    }

    #[test]
    fn the_cash_payment_meets_every_kind_of_limit_and_its_float() {
        let planned = plan(&cash_payment(), &policy(), NOW).unwrap();
        let reserved = &planned.reservation;
        let found = (reserved.slots.len(), reserved.counters.len(), reserved.holds.len());
        assert_eq!(found, (1, 2, 1));
        assert_eq!((planned.routes.len(), planned.fees.len()), (1, 1));
        assert_eq!(planned.total, pesos(51_200));
    }
}
