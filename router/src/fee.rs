//! Fees: per cent, fixed, itemised.

use smallvec::SmallVec;

use crate::id::BillerId;
use crate::message::Rail;
use crate::money::{Money, MoneyError, Rounding};
use crate::rules::{Criteria, Rule, sort};
use crate::text::Text;

/// One itemised fee of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// What people read: `commission`.
    pub label: Text<24>,
    /// How much; zero or more.
    pub amount: Money,
    /// Who bears it.
    pub borne_by: Bearer,
    /// How it is collected.
    pub timing: FeeTiming,
}

/// Who bears a fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bearer {
    /// On top of the amount.
    Payer,
    /// Out of the amount, or invoiced.
    Merchant,
}

/// How a fee is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeeTiming {
    /// With the payment: added for the payer, kept back for the merchant.
    Net,
    /// Later, by invoice; nothing is posted with the payment.
    Invoice,
}

/// A fee on matching payments. An empty criterion matches everything.
#[derive(Debug, Clone)]
pub struct FeeRule {
    /// What people read.
    pub label: Text<24>,
    /// Billers it is for.
    pub billers: Vec<BillerId>,
    /// Rails it is for.
    pub rails: Vec<Rail>,
    /// How much.
    pub basis: FeeBasis,
    /// Who bears it.
    pub borne_by: Bearer,
    /// How it is collected.
    pub timing: FeeTiming,
}

/// How a fee is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeBasis {
    /// A share of the amount, in basis points (300 is 3 %), rounded half up once.
    Share {
        /// Hundredths of one per cent, 0..=10_000.
        basis_points: u32,
    },
    /// A fixed amount, charged when the payment is in the same currency.
    Fixed(Money),
}

/// The fees of one payment.
pub type Fees = SmallVec<[Fee; 2]>;

/// What one payment costs, summed up by what happens to the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Every fee on its own line, in the order of the rules.
    pub fees: Fees,
    /// Paid by the payer on top of the amount.
    pub on_top: Money,
    /// Kept back from what the merchant receives; may exceed the amount.
    pub kept_back: Money,
    /// What the payer pays: the amount and what comes on top.
    pub total: Money,
}

impl Rule for FeeRule {
    fn criteria(&self) -> Criteria<'_> {
        Criteria { billers: &self.billers, rails: &self.rails, ..Criteria::default() }
    }

    fn sort_criteria(&mut self) {
        sort(&mut self.billers);
    }
}

/// Computes the fees of one payment: one line for each rule that applies to it.
///
/// Shape:  amount > 0.
/// Units:  minor units of the amount's currency; a share rounds half up, once per rule. A fixed
///         fee is charged only on a payment in its own currency.
/// Errors: `Overflow` when a fee or the total leaves i64.
pub fn charge<'a>(
    rules: impl IntoIterator<Item = &'a FeeRule>,
    amount: Money,
) -> Result<Charge, MoneyError> {
    let none = Money::zero(amount.currency);
    let mut charge = Charge { fees: Fees::new(), on_top: none, kept_back: none, total: amount };
    for rule in rules {
        charge.add(rule, amount)?;
    }
    charge.total = amount.checked_add(charge.on_top)?;
    Ok(charge)
}

impl Charge {
    /// What is earned with the payment itself: everything that is not invoiced later.
    ///
    /// Errors: `Overflow` when the sum leaves i64.
    pub fn income(&self) -> Result<Money, MoneyError> {
        self.on_top.checked_add(self.kept_back)
    }

    fn add(&mut self, rule: &FeeRule, amount: Money) -> Result<(), MoneyError> {
        let fee = match rule.basis {
            FeeBasis::Share { basis_points } => amount.share(basis_points, Rounding::HalfUp)?,
            FeeBasis::Fixed(fixed) if fixed.currency == amount.currency => fixed,
            FeeBasis::Fixed(_) => return Ok(()),
        };
        match (rule.timing, rule.borne_by) {
            (FeeTiming::Net, Bearer::Payer) => self.on_top = self.on_top.checked_add(fee)?,
            (FeeTiming::Net, Bearer::Merchant) => {
                self.kept_back = self.kept_back.checked_add(fee)?
            }
            (FeeTiming::Invoice, Bearer::Payer | Bearer::Merchant) => {}
        }
        let (label, borne_by, timing) = (rule.label, rule.borne_by, rule.timing);
        self.fees.push(Fee { label, amount: fee, borne_by, timing });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Rail;
    use crate::rules::{Attributes, RuleList};
    use crate::testing::{self, fee, pesos};

    const NET: FeeTiming = FeeTiming::Net;

    fn share(basis_points: u32) -> FeeBasis {
        FeeBasis::Share { basis_points }
    }

    fn of(rules: &[FeeRule], minor: i64) -> Charge {
        let isp = testing::biller_id("isp");
        let payment = Attributes {
            biller: Some(&isp),
            rail: Rail::P2c,
            product: None,
            amount: pesos(minor),
            bank_code: None,
            card_first: None,
        };
        charge(RuleList::from(rules.to_vec()).matching(payment), pesos(minor)).unwrap()
    }

    #[test]
    fn three_per_cent_is_rounded_half_up_once_per_payment() {
        let rules = [fee(share(300), Bearer::Merchant, NET)];
        for (amount, expect) in [(15_000, 450), (33, 1), (16, 0), (50, 2), (1, 0)] {
            let charge = of(&rules, amount);
            assert_eq!(charge.fees[0].amount, pesos(expect), "3 % of {amount}");
            assert_eq!((charge.kept_back, charge.total), (pesos(expect), pesos(amount)));
        }
    }

    #[test]
    fn twelve_is_twelve_whatever_the_amount() {
        let rules = [fee(FeeBasis::Fixed(pesos(1_200)), Bearer::Payer, NET)];
        for amount in [100, 9_999_999] {
            let charge = of(&rules, amount);
            assert_eq!(charge.on_top, pesos(1_200));
            assert_eq!(charge.total, pesos(amount + 1_200));
        }
    }

    #[test]
    fn every_matching_rule_has_a_line_and_each_goes_its_own_way() {
        let dollars = Money::new(5, testing::currency("USD"));
        let mut other_rail = fee(share(10_000), Bearer::Payer, NET);
        other_rail.rails = vec![Rail::Card];
        let mut other_biller = fee(share(10_000), Bearer::Payer, NET);
        other_biller.billers = vec![testing::biller_id("lender")];
        let rules = [
            fee(share(100), Bearer::Payer, NET),
            fee(FeeBasis::Fixed(pesos(7)), Bearer::Merchant, NET),
            fee(share(200), Bearer::Payer, FeeTiming::Invoice),
            fee(share(300), Bearer::Merchant, FeeTiming::Invoice),
            fee(FeeBasis::Fixed(dollars), Bearer::Payer, NET),
            other_rail,
            other_biller,
        ];
        let charge = of(&rules, 10_000);
        let lines: Vec<_> = charge.fees.iter().map(|fee| fee.amount.minor).collect();
        assert_eq!(lines, [100, 7, 200, 300]);
        assert_eq!((charge.on_top, charge.kept_back), (pesos(100), pesos(7)));
        assert_eq!(charge.total, pesos(10_100));
        assert_eq!(charge.income(), Ok(pesos(107)));
    }

    #[test]
    fn a_total_that_does_not_fit_is_an_error_and_never_wraps() {
        let rules = [fee(share(10_000), Bearer::Payer, NET)];
        let charge = charge(&rules, pesos(i64::MAX));
        assert_eq!(charge, Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn a_share_is_within_half_a_unit_of_the_exact_one_and_grows_with_the_amount(
            amount in 1_i64..1_000_000_000_000,
            more in 0_i64..1_000_000,
            basis_points in 0_u32..=10_000,
        ) {
            let rules = [fee(share(basis_points), Bearer::Payer, NET)];
            let on_top = of(&rules, amount).on_top.minor;
            let exact_times_10_000 = i128::from(amount) * i128::from(basis_points);
            let off = i128::from(on_top) * 10_000 - exact_times_10_000;
            prop_assert!((-4_999..=5_000).contains(&off), "off by {off} ten-thousandths");
            prop_assert!(of(&rules, amount + more).on_top.minor >= on_top);
        }
    }
}
