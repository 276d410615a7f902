//! Where the rules that may apply to a payment stand in their list.

use std::collections::HashMap;
use std::hash::Hash;

use smallvec::SmallVec;

use super::amounts::{AmountRanges, BLOCKS_MAX};
use super::criteria::{Attributes, Criteria, Rule};
use crate::id::{BillerId, Product};
use crate::message::Rail;
use crate::money::Currency;

/// Rules in their order.
pub(super) type RulePositions = SmallVec<[ListedRule; 3]>;

/// A rule as it is listed under a value: what the value leaves open is told beside it where it can
/// be, for most payments then need not look at the rule itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListedRule {
    /// Where it stands in the list of all rules.
    pub position: u32,
    /// A bit for each rail that it is for.
    rails: u8,
    /// Whether the value and the rail are all that it names.
    pub is_decided: bool,
}

impl ListedRule {
    fn new(found_by: FoundBy, criteria: &Criteria<'_>, position: u32) -> Self {
        let rails = match criteria.rails {
            [] => u8::MAX,
            rails => rails.iter().fold(0, |bits, rail| bits | bit(*rail)),
        };
        let is_named = |other: FoundBy| match other {
            FoundBy::Biller => !criteria.billers.is_empty(),
            FoundBy::Product => !criteria.products.is_empty(),
            FoundBy::BankCode => !criteria.bank_codes.is_empty(),
            FoundBy::CardPrefix => !criteria.card_prefixes.is_empty(),
            FoundBy::Currency => !criteria.currencies.is_empty(),
            FoundBy::Amount => criteria.names_amounts(),
            FoundBy::Rail => false,
        };
        let is_open = FoundBy::ALL.into_iter().any(|other| other != found_by && is_named(other));
        Self { position, rails, is_decided: !is_open }
    }

    /// A rule that names nothing.
    pub fn of_all(position: u32) -> Self {
        Self { position, rails: u8::MAX, is_decided: true }
    }
}

fn bit(rail: Rail) -> u8 {
    match rail {
        Rail::P2c => 1,
        Rail::C2p => 1 << 1,
        Rail::Card => 1 << 2,
        Rail::Psd2 => 1 << 3,
        Rail::Wallet => 1 << 4,
        Rail::Account => 1 << 5,
        Rail::CashFloat => 1 << 6,
        Rail::External => 1 << 7,
    }
}

/// The criterion that a rule is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FoundBy {
    Biller,
    Product,
    BankCode,
    CardPrefix,
    Currency,
    Rail,
    Amount,
}

impl FoundBy {
    /// All of them; of two that lead to equally many rules the first is taken.
    const ALL: [Self; 7] = [
        Self::Biller,
        Self::Product,
        Self::BankCode,
        Self::CardPrefix,
        Self::Currency,
        Self::Rail,
        Self::Amount,
    ];
}

/// Where rules stand in their list. Each is listed under one of its criteria, namely the one whose
/// values the fewest rules name, and there under each value.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Rules that name nothing.
    of_all: RulePositions,
    billers: HashMap<BillerId, RulePositions>,
    products: HashMap<Product, RulePositions>,
    bank_codes: HashMap<Box<str>, RulePositions>,
    card_prefixes: HashMap<Box<str>, RulePositions>,
    currencies: HashMap<Currency, RulePositions>,
    rails: HashMap<Rail, RulePositions>,
    amounts: AmountRanges,
}

impl Index {
    /// The index of a list of rules.
    pub fn of<R: Rule>(rules: &[R]) -> Self {
        let listed = || (0_u32..).zip(rules.iter().map(Rule::criteria));
        let mut by_every_criterion = Self::default();
        for (position, criteria) in listed() {
            for found_by in FoundBy::ALL.into_iter().filter(|it| *it != FoundBy::Amount) {
                by_every_criterion.add(found_by, &criteria, position);
            }
        }
        let mut index = Self::default();
        for (position, criteria) in listed() {
            match by_every_criterion.best(&criteria) {
                Some(found_by) => index.add(found_by, &criteria, position),
                None => index.of_all.push(ListedRule::of_all(position)),
            }
        }
        index
    }

    /// The rules that may apply to a payment, in their order, each once.
    pub fn candidates(&self, payment: &Attributes<'_>) -> SmallVec<[ListedRule; 16]> {
        let first = payment.card_first.as_ref().filter(|_| !self.card_prefixes.is_empty());
        let prefixes = (0..=first.map_or(0, |first| first.len())).filter_map(|len| {
            let prefix = std::str::from_utf8(&first?[..len]).ok()?;
            self.card_prefixes.get(prefix)
        });
        let by_value = [
            Some(&self.of_all),
            payment.biller.and_then(|biller| self.billers.get(biller)),
            payment.product.and_then(|product| self.products.get(product)),
            payment.bank_code.and_then(|code| self.bank_codes.get(code.as_str())),
            self.currencies.get(&payment.amount.currency),
            self.rails.get(&payment.rail),
        ];
        let by_amount = self.amounts.of(payment.amount.minor);
        let rail = bit(payment.rail);
        let mut found: SmallVec<[ListedRule; 16]> = SmallVec::new();
        let mut lists = 0;
        for list in by_value.into_iter().flatten().chain(prefixes).chain(by_amount) {
            found.extend(list.iter().filter(|rule| rule.rails & rail != 0).copied());
            lists += usize::from(!list.is_empty());
        }
        if lists > 1 {
            found.sort_unstable_by_key(|rule| rule.position);
            found.dedup_by_key(|rule| rule.position);
        }
        found
    }

    /// The criterion of a rule that leads to the fewest rules, whichever value a payment has; none
    /// where the rule names nothing.
    fn best(&self, criteria: &Criteria<'_>) -> Option<FoundBy> {
        let found = FoundBy::ALL.into_iter().filter_map(|found_by| {
            self.longest(found_by, criteria).map(|longest| (longest, found_by))
        });
        found.min_by_key(|(longest, _)| *longest).map(|(_, found_by)| found_by)
    }

    /// Length of the longest list that a value named by a rule leads to.
    fn longest(&self, found_by: FoundBy, criteria: &Criteria<'_>) -> Option<usize> {
        match found_by {
            FoundBy::Biller => longest(&self.billers, criteria.billers),
            FoundBy::Product => longest(&self.products, criteria.products),
            FoundBy::BankCode => longest(&self.bank_codes, criteria.bank_codes),
            FoundBy::CardPrefix => longest(&self.card_prefixes, criteria.card_prefixes),
            FoundBy::Currency => longest(&self.currencies, criteria.currencies),
            FoundBy::Rail => longest(&self.rails, criteria.rails),
            // Worth its many blocks only where everything else leads to more rules than that.
            FoundBy::Amount => criteria.names_amounts().then_some(BLOCKS_MAX),
        }
    }

    /// Lists a rule under each value of one of its criteria.
    fn add(&mut self, found_by: FoundBy, criteria: &Criteria<'_>, position: u32) {
        let rule = ListedRule::new(found_by, criteria, position);
        match found_by {
            FoundBy::Biller => add(&mut self.billers, criteria.billers, rule),
            FoundBy::Product => add(&mut self.products, criteria.products, rule),
            FoundBy::BankCode => add(&mut self.bank_codes, criteria.bank_codes, rule),
            FoundBy::CardPrefix => add(&mut self.card_prefixes, criteria.card_prefixes, rule),
            FoundBy::Currency => add(&mut self.currencies, criteria.currencies, rule),
            FoundBy::Rail => add(&mut self.rails, criteria.rails, rule),
            FoundBy::Amount => {
                let least = criteria.min_minor.unwrap_or(i64::MIN);
                let most = criteria.max_minor.unwrap_or(i64::MAX);
                self.amounts.add(least, most, rule);
            }
        }
    }
}

fn longest<K: Eq + Hash>(lists: &HashMap<K, RulePositions>, named: &[K]) -> Option<usize> {
    named.iter().map(|value| lists.get(value).map_or(0, |list| list.len())).max()
}

fn add<K: Eq + Hash + Clone>(lists: &mut HashMap<K, RulePositions>, named: &[K], rule: ListedRule) {
    for value in named {
        let list = match lists.get_mut(value) {
            Some(list) => list,
            None => lists.entry(value.clone()).or_default(),
        };
        // A rule may name a value twice.
        if list.last() != Some(&rule) {
            list.push(rule);
        }
    }
}
