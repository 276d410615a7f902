//! What each rail needs to be told of the payer, as data.

use PayerField::{Account, BankCode, Card, Document, Phone};

use crate::message::{Payer, Rail};

/// A field of the payer that a rail can need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayerField {
    /// The card.
    Card,
    /// The account number or IBAN.
    Account,
    /// The telephone.
    Phone,
    /// The identity document.
    Document,
    /// The bank.
    BankCode,
}

/// One thing that a rail must be told.
///
/// Shape: any one of the fields will do; there is at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayerNeed {
    /// The fields, of which one is needed.
    pub any_of: &'static [PayerField],
}

/// Whose money it is: a bank knows the payer by one of these.
const ACCOUNT: [PayerNeed; 1] = [PayerNeed { any_of: &[Card, Account, Phone, Document] }];
/// The payer's bank finds the payer by the document and the telephone, and asks for the key there.
const C2P: [PayerNeed; 3] = [
    PayerNeed { any_of: &[Document] },
    PayerNeed { any_of: &[Phone] },
    PayerNeed { any_of: &[BankCode] },
];

impl Rail {
    /// What must be told of the payer before anything leaves. Where it is empty the payer hands over
    /// cash, pays at a gateway or in the own bank's app, and is known there.
    ///
    /// Source: research/domain.md 4.2, L-1, L-2.
    pub fn payer_needs(self) -> &'static [PayerNeed] {
        match self {
            Self::Account => &ACCOUNT,
            Self::C2p => &C2P,
            Self::P2c
            | Self::Card
            | Self::Psd2
            | Self::Wallet
            | Self::CashFloat
            | Self::External => &[],
        }
    }

    /// The first thing that the rail needs and that is not told of a payer.
    pub fn missing_of(self, payer: &Payer) -> Option<PayerNeed> {
        self.payer_needs().iter().find(|need| !need.is_met_by(payer)).copied()
    }
}

impl PayerNeed {
    /// Whether a payer has one of the fields.
    pub fn is_met_by(&self, payer: &Payer) -> bool {
        self.any_of.iter().any(|field| field.is_told_of(payer))
    }

    /// The field to mend, as the HTTP API names it: the whole payer where several would do.
    pub fn field(&self) -> &'static str {
        match self.any_of {
            [only] => only.name(),
            _ => "payer",
        }
    }
}

impl PayerField {
    /// Every field.
    pub const ALL: [Self; 5] = [Card, Account, Phone, Document, BankCode];

    /// Its name in the HTTP API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Card => "payer.card",
            Self::Account => "payer.account",
            Self::Phone => "payer.phone",
            Self::Document => "payer.doc",
            Self::BankCode => "payer.bank_code",
        }
    }

    /// The same, within the payer.
    pub fn member(self) -> &'static str {
        self.name().trim_start_matches("payer.")
    }

    /// Whether a payer has it.
    pub fn is_told_of(self, payer: &Payer) -> bool {
        match self {
            Self::Card => payer.card.is_some(),
            Self::Account => payer.account.is_some(),
            Self::Phone => payer.phone.is_some(),
            Self::Document => payer.document.is_some(),
            Self::BankCode => payer.bank_code.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    fn missing(rail: Rail, payer: &Payer) -> Option<&'static str> {
        rail.missing_of(payer).map(|need| need.field())
    }

    #[test]
    fn each_rail_names_the_first_field_that_it_lacks() {
        let mut payer = Payer::default();
        for rail in Rail::ALL {
            let expect = match rail {
                Rail::Account => Some("payer"),
                Rail::C2p => Some("payer.doc"),
                Rail::P2c
                | Rail::Card
                | Rail::Psd2
                | Rail::Wallet
                | Rail::CashFloat
                | Rail::External => None,
            };
            assert_eq!(missing(rail, &payer), expect, "{}", rail.name());
        }
        payer.document = Text::new("V12345678").ok();
        assert_eq!(missing(Rail::Account, &payer), None);
        assert_eq!(missing(Rail::C2p, &payer), Some("payer.phone"));
        payer.phone = Text::new("584121234567").ok();
        assert_eq!(missing(Rail::C2p, &payer), Some("payer.bank_code"));
        payer.bank_code = Text::new("0105").ok();
        assert_eq!(missing(Rail::C2p, &payer), None);
    }

    #[test]
    fn every_need_has_a_field_that_meets_it() {
        for need in Rail::ALL.iter().flat_map(|rail| rail.payer_needs()) {
            assert!(!need.any_of.is_empty(), "{need:?}");
            assert!(need.any_of.iter().all(|field| PayerField::ALL.contains(field)));
        }
        let members = PayerField::ALL.map(PayerField::member);
        assert_eq!(members, ["card", "account", "phone", "doc", "bank_code"]);
    }
}
