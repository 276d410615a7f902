//! Fees: per cent, fixed, itemised.

use smallvec::SmallVec;

use crate::id::BillerId;
use crate::message::Rail;
use crate::money::{Money, MoneyError, Rounding};
use crate::policy::{FeeBasis, FeeRule, allows};
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

/// Computes the fees of one payment: one line for each rule that matches.
///
/// Shape:  amount > 0.
/// Units:  minor units of the amount's currency; a share rounds half up, once per rule. A fixed
///         fee is charged only on a payment in its own currency.
/// Errors: `Overflow` when a fee or the total leaves i64.
pub fn charge(
    rules: &[FeeRule],
    biller: Option<&BillerId>,
    rail: Rail,
    amount: Money,
) -> Result<Charge, MoneyError> {
    let none = Money::zero(amount.currency);
    let mut charge = Charge { fees: Fees::new(), on_top: none, kept_back: none, total: amount };
    for rule in rules {
        if allows(&rule.billers, biller) && allows(&rule.rails, Some(&rail)) {
            charge.add(rule, amount)?;
        }
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
