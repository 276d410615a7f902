use std::collections::HashSet;

use proptest::prelude::*;
use proptest::sample::{Index as Pick, subsequence};

use super::*;
use crate::fee::{Bearer, FeeBasis, FeeRule, FeeTiming};
use crate::id::{BillerId, Product};
use crate::message::{PaymentRequest, Rail};
use crate::plan::plan;
use crate::policy::{LimitRule, Measure, Policy, Route, Scope, Window};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::rules::allows;
use crate::testing::{self, NOON};
use crate::text::Text;

const BILLERS: [&str; 5] = ["lender", "isp", "school", "gas", "water"];
const PRODUCTS: [&str; 3] = ["credimax", "tor", "loan"];
const CURRENCIES: [&str; 3] = ["MXN", "VES", "EUR"];
const BANK_CODES: [&str; 3] = ["0102", "0105", "longer than any code"];
const PREFIXES: [&str; 6] = ["4", "41", "411111", "5", "51", "411112"];
const BANKS: [&str; 3] = ["bank-a", "bank-b", "nobody"];
const CARDS: [&str; 3] = ["4111111111111111", "4111120000000000", "5100000000000008"];

/// Some of a list, mostly none or few; a value may be named twice and in any order.
fn some<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    let none = Just(Vec::new()).boxed();
    let twice = subsequence(all.clone(), 1..=2)
        .prop_map(|few| few.iter().chain(&few).rev().cloned().collect::<Vec<T>>());
    let len = all.len();
    prop_oneof![4 => none, 3 => twice, 1 => subsequence(all, 1..=len)]
}

fn named<T: 'static>(all: &[&'static str], of: fn(&str) -> T) -> Vec<T> {
    all.iter().map(|name| of(name)).collect()
}

fn product(name: &str) -> Product {
    Product::new(name).unwrap()
}

fn billers() -> impl Strategy<Value = Vec<BillerId>> {
    some(named(&BILLERS, testing::biller_id))
}

fn rails() -> impl Strategy<Value = Vec<Rail>> {
    some(Rail::ALL.to_vec())
}

fn bound() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![2 => Just(None), 2 => (1_i64..2_000).prop_map(Some), 1 => any::<i64>().prop_map(Some)]
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let texts = |all: &[&'static str]| some(named(all, |name| Box::<str>::from(name)));
    let (bank_codes, prefixes) = (texts(&BANK_CODES), texts(&PREFIXES));
    let currencies = some(named(&CURRENCIES, testing::currency));
    let criteria = (rails(), prefixes, bank_codes, billers(), currencies);
    let to = subsequence(BANKS.to_vec(), 1..=2);
    let route =
        (criteria, bound(), bound(), to).prop_map(|(criteria, min_minor, max_minor, to)| {
            let (rails, card_prefixes, bank_codes, billers, currencies) = criteria;
            let to = to.into_iter().map(testing::participant_id).collect();
            Route {
                rails,
                card_prefixes,
                bank_codes,
                billers,
                currencies,
                min_minor,
                max_minor,
                to,
            }
        });
    prop::collection::vec(route, 0..300)
}

fn fees() -> impl Strategy<Value = Vec<FeeRule>> {
    let fee = (billers(), rails(), 1_u32..100).prop_map(|(billers, rails, basis_points)| {
        let basis = FeeBasis::Share { basis_points };
        FeeRule { billers, rails, ..testing::fee(basis, Bearer::Payer, FeeTiming::Net) }
    });
    prop::collection::vec(fee, 0..40)
}

fn limits() -> impl Strategy<Value = Vec<LimitRule>> {
    let products = some(named(&PRODUCTS, product));
    let limit =
        (billers(), rails(), products, 1_i64..9).prop_map(|(billers, rails, products, max)| {
            let measure = Measure::Count { scope: Scope::Biller, window: Window::Day, max };
            let limit = testing::limit("count", measure, Reason::DailyCountExceeded);
            LimitRule { billers, rails, products, ..limit }
        });
    prop::collection::vec(limit, 0..40)
}

fn policies() -> impl Strategy<Value = (Vec<Route>, Vec<FeeRule>, Vec<LimitRule>)> {
    (routes(), fees(), limits())
}

fn requests() -> impl Strategy<Value = PaymentRequest> {
    let amount = prop_oneof![1_i64..2_100, 1_i64..i64::MAX / 1_000];
    (amount, any::<[Pick; 7]>()).prop_map(|(minor, picks)| {
        let mut request = testing::request(minor);
        let [biller, rail, currency, product, bank, card, has] = picks;
        request.biller = Some(testing::biller_id(BILLERS[biller.index(BILLERS.len())]));
        request.rail = Rail::ALL[rail.index(Rail::ALL.len())];
        request.amount.currency = testing::currency(CURRENCIES[currency.index(CURRENCIES.len())]);
        let has = has.index(16);
        let (code, card) = (BANK_CODES[bank.index(2)], CARDS[card.index(CARDS.len())]);
        let product = PRODUCTS[product.index(PRODUCTS.len())];
        request.product = (has & 1 == 0).then(|| Product::new(product).unwrap());
        request.payer.bank_code = (has & 2 == 0).then(|| Text::new(code).unwrap());
        request.payer.card = (has & 4 == 0).then(|| testing::card(card));
        if has == 15 {
            request.biller = None;
        }
        request
    })
}

fn policy(routes: Vec<Route>, fees: Vec<FeeRule>, limits: Vec<LimitRule>) -> Policy {
    Policy {
        routes: routes.into(),
        fees: fees.into(),
        limits: limits.into(),
        billers: BILLERS.map(|name| (testing::biller_id(name), testing::biller(name))).into(),
        ..testing::policy()
    }
}

/// Whether a route is for a request, read off its criteria one by one.
fn is_for(route: &Route, request: &PaymentRequest) -> bool {
    let PaymentRequest { rail, amount, payer, biller, .. } = request;
    let first = payer.card.as_ref().map(|card| card.masked().first);
    allows(&route.rails, Some(rail))
        && allows(&route.currencies, Some(&amount.currency))
        && allows(&route.billers, biller.as_ref())
        && route.min_minor.is_none_or(|least| amount.minor >= least)
        && route.max_minor.is_none_or(|most| amount.minor <= most)
        && (route.bank_codes.is_empty()
            || payer.bank_code.is_some_and(|code| {
                route.bank_codes.iter().any(|wanted| **wanted == *code.as_str())
            }))
        && (route.card_prefixes.is_empty()
            || first.is_some_and(|first| {
                route.card_prefixes.iter().any(|prefix| first.starts_with(prefix.as_bytes()))
            }))
}

fn scanned<R: Clone>(rules: &[R], is_for: impl Fn(&R) -> bool) -> Vec<R> {
    rules.iter().filter(|rule| is_for(rule)).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The plan by all rules is the plan by those alone that a scan of the whole list finds.
    #[test]
    fn the_index_finds_what_a_scan_of_every_rule_finds_in_the_same_order(
        (routes, fees, limits) in policies(),
        requests in prop::collection::vec(requests(), 1..20),
    ) {
        let indexed = policy(routes.clone(), fees.clone(), limits.clone());
        for request in requests {
            let (rail, biller, product) =
                (Some(&request.rail), request.biller.as_ref(), request.product.as_ref());
            let routes = scanned(&routes, |route| is_for(route, &request));
            let fees = scanned(&fees, |fee| allows(&fee.billers, biller) && allows(&fee.rails, rail));
            let limits = scanned(&limits, |limit| {
                allows(&limit.billers, biller)
                    && allows(&limit.rails, rail)
                    && allows(&limit.products, product)
            });
            let counts = (routes.len(), fees.len(), limits.len());
            let few = policy(routes, fees, limits);
            // Without a route the rails of all routes are looked at for the text.
            let told = |policy| match plan(&request, policy, NOON) {
                Err(refusal) if refusal.reason == Reason::NoRoute => {
                    Err(Refusal { detail: None, ..refusal })
                }
                planned => planned,
            };
            prop_assert_eq!(told(&indexed), told(&few));
            let payment = attributes(&request);
            prop_assert_eq!(counts, (
                indexed.routes.matching(payment).count(),
                indexed.fees.matching(payment).count(),
                indexed.limits.matching(payment).count(),
            ));
        }
    }
}

fn attributes(request: &PaymentRequest) -> Attributes<'_> {
    Attributes {
        biller: request.biller.as_ref(),
        rail: request.rail,
        product: request.product.as_ref(),
        amount: request.amount,
        bank_code: request.payer.bank_code.as_ref(),
        card_first: request.payer.card.as_ref().map(|card| card.masked().first),
    }
}

/// Rules that are looked at for one payment.
fn looked_at(routes: Vec<Route>, request: &PaymentRequest) -> usize {
    RuleList::from(routes).index.candidates(&attributes(request)).len()
}

/// Ten thousand routes that differ in one criterion.
fn ten_thousand(differ: impl Fn(&mut Route, i64)) -> Vec<Route> {
    let numbered = 0..10_000_i64;
    let routes = numbered.map(|number| {
        let mut route = testing::route(&["bank-a"]);
        route.rails = vec![Rail::CashFloat];
        route.currencies = vec![testing::currency("MXN")];
        differ(&mut route, number);
        route
    });
    routes.collect()
}

#[test]
fn a_payment_looks_at_few_of_many_rules_whatever_tells_them_apart() {
    let mut request = testing::request(41_111_150);
    request.biller = Some(testing::biller_id("biller-77"));
    request.payer.card = Some(testing::card("4111111111111111"));
    request.payer.bank_code = Some(Text::new("77").unwrap());
    type Case = (&'static str, fn(&mut Route, i64));
    let cases: [Case; 5] = [
        ("biller", |it, n| it.billers = vec![testing::biller_id(&format!("biller-{n}"))]),
        ("bank code", |it, n| it.bank_codes = vec![n.to_string().into()]),
        ("card prefix", |it, n| it.card_prefixes = vec![(405_000 + n).to_string().into()]),
        ("amounts", |it, n| {
            (it.min_minor, it.max_minor) = (Some(n * 10_000), Some(n * 10_000 + 9_999));
        }),
        ("amounts of one biller", |it, n| {
            it.billers = vec![testing::biller_id("biller-77")];
            (it.min_minor, it.max_minor) = (Some(n * 10_000), Some(n * 10_000 + 9_999));
        }),
    ];
    for (name, differ) in cases {
        assert_eq!(looked_at(ten_thousand(differ), &request), 1, "{name}");
    }
}

#[test]
fn one_rule_for_a_hundred_thousand_billers_is_found_by_each_of_them() {
    let numbered = || (0..100_000).map(|number| testing::biller_id(&format!("biller-{number}")));
    let mut route = testing::route(&["bank-a"]);
    route.billers = numbered().rev().collect();
    let routes = RuleList::from(vec![route]);
    let request = testing::request(1);
    let found: HashSet<BillerId> = numbered()
        .filter(|biller| {
            let payment = Attributes { biller: Some(biller), ..attributes(&request) };
            routes.matching(payment).count() == 1
        })
        .collect();
    assert_eq!(found.len(), 100_000);
    let stranger = testing::biller_id("stranger");
    let payment = Attributes { biller: Some(&stranger), ..attributes(&request) };
    assert_eq!(routes.matching(payment).count(), 0);
}
