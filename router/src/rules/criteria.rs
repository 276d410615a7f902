//! What a rule names, and what a payment is, by which the two are held against each other.

use crate::id::{BillerId, Product};
use crate::message::Rail;
use crate::money::{Currency, Money};
use crate::text::Text;

/// A rule that names the payments it is for.
pub trait Rule {
    /// What it names.
    fn criteria(&self) -> Criteria<'_>;

    /// Sorts the lists that it names payments by, and drops repetitions: a list may have 100,000
    /// billers, and is then searched rather than scanned.
    fn sort_criteria(&mut self);
}

/// What a rule names. A criterion that is empty matches everything.
///
/// Shape:  the lists of billers, products, bank codes and card prefixes are sorted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Criteria<'a> {
    /// Billers.
    pub billers: &'a [BillerId],
    /// Rails.
    pub rails: &'a [Rail],
    /// Products.
    pub products: &'a [Product],
    /// Currencies.
    pub currencies: &'a [Currency],
    /// Payers' bank codes.
    pub bank_codes: &'a [Box<str>],
    /// First digits of card numbers, at most six of them.
    pub card_prefixes: &'a [Box<str>],
    /// Least amount, in minor units.
    pub min_minor: Option<i64>,
    /// Greatest amount, in minor units.
    pub max_minor: Option<i64>,
}

/// What a payment is, as far as rules name it.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// The merchant that is paid.
    pub biller: Option<&'a BillerId>,
    /// How money is moved.
    pub rail: Rail,
    /// What is paid.
    pub product: Option<&'a Product>,
    /// How much.
    pub amount: Money,
    /// The payer's bank.
    pub bank_code: Option<&'a Text<11>>,
    /// First six digits of the payer's card.
    pub card_first: Option<[u8; 6]>,
}

impl Criteria<'_> {
    /// Whether they name amounts.
    pub(super) fn names_amounts(&self) -> bool {
        self.min_minor.is_some() || self.max_minor.is_some()
    }

    /// Whether they all match a payment.
    pub(super) fn allow(&self, payment: &Attributes<'_>) -> bool {
        let Attributes { biller, rail, product, amount, bank_code, card_first } = payment;
        allows(self.rails, Some(rail))
            && allows(self.currencies, Some(&amount.currency))
            && names(self.billers, *biller)
            && names(self.products, *product)
            && self.min_minor.is_none_or(|least| amount.minor >= least)
            && self.max_minor.is_none_or(|most| amount.minor <= most)
            && (self.bank_codes.is_empty()
                || bank_code.is_some_and(|code| is_among(self.bank_codes, code.as_bytes())))
            && (self.card_prefixes.is_empty()
                || card_first.as_ref().is_some_and(|first| is_one_begun(self.card_prefixes, first)))
    }
}

/// Whether a sorted criterion matches a value.
fn names<T: Ord>(criterion: &[T], value: Option<&T>) -> bool {
    criterion.is_empty() || value.is_some_and(|value| criterion.binary_search(value).is_ok())
}

fn is_among(sorted: &[Box<str>], text: &[u8]) -> bool {
    sorted.binary_search_by(|one| one.as_bytes().cmp(text)).is_ok()
}

/// Whether digits begin with one of the prefixes.
fn is_one_begun(sorted: &[Box<str>], digits: &[u8]) -> bool {
    (0..=digits.len()).any(|len| is_among(sorted, &digits[..len]))
}

/// Sorts a criterion, and drops repetitions.
pub(crate) fn sort<T: Ord>(criterion: &mut Vec<T>) {
    criterion.sort_unstable();
    criterion.dedup();
}

/// Whether a criterion matches a value: an empty one matches everything, another one what it
/// names – so never a value that is not there.
pub(crate) fn allows<T: PartialEq>(criterion: &[T], value: Option<&T>) -> bool {
    criterion.is_empty() || value.is_some_and(|value| criterion.contains(value))
}
