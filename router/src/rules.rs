//! Rules in their order, indexed by what they name: a payment looks at the few that may apply to it,
//! however many there are.

mod amounts;
mod criteria;
mod index;
#[cfg(test)]
mod tests;

use std::ops::Deref;

use crate::message::Rail;

pub use criteria::{Attributes, Criteria, Rule};
pub(crate) use criteria::{allows, sort};
use index::Index;

/// Rules of one kind, in the order of the configuration, with their index.
///
/// Shape:  the lists of a rule's criteria are sorted and without repetition, which says the same.
#[derive(Debug, Clone)]
pub struct RuleList<R> {
    rules: Vec<R>,
    index: Index,
    /// The rails of which any rule may be.
    rails: Vec<Rail>,
}

impl<R: Rule> RuleList<R> {
    /// Whether any rule may be about a rail.
    pub fn is_about(&self, rail: Rail) -> bool {
        self.rails.contains(&rail)
    }

    /// The rules that apply to a payment, in their order.
    pub fn matching<'a>(&'a self, payment: Attributes<'a>) -> impl Iterator<Item = &'a R> {
        let candidates = self.index.candidates(&payment);
        candidates.into_iter().filter_map(move |listed| {
            let rule = &self.rules[listed.position as usize];
            (listed.is_decided || rule.criteria().allow(&payment)).then_some(rule)
        })
    }
}

impl<R: Rule> From<Vec<R>> for RuleList<R> {
    fn from(mut rules: Vec<R>) -> Self {
        for rule in &mut rules {
            rule.sort_criteria();
        }
        let index = Index::of(&rules);
        let named = |rail: &Rail| {
            let names = |rule: &R| allows(rule.criteria().rails, Some(rail));
            rules.iter().any(names)
        };
        let rails = Rail::ALL.into_iter().filter(named).collect();
        Self { rules, index, rails }
    }
}

impl<R: Rule> FromIterator<R> for RuleList<R> {
    fn from_iter<I: IntoIterator<Item = R>>(rules: I) -> Self {
        Vec::from_iter(rules).into()
    }
}

impl<R> Default for RuleList<R> {
    fn default() -> Self {
        Self { rules: Vec::new(), index: Index::default(), rails: Vec::new() }
    }
}

impl<R> Deref for RuleList<R> {
    type Target = [R];

    fn deref(&self) -> &[R] {
        &self.rules
    }
}
