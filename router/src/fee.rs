//! Fees: per cent, fixed, itemised.

use smallvec::SmallVec;

use crate::money::Money;
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
