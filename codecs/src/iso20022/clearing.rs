//! Whether a clearing could settle a transfer in its currency.
//!
//! A clearing system of one country or area moves that area's money: FedNow dollars, SEPA euros. A
//! transfer that is to be settled through a clearing, without saying which, between banks whose
//! areas clear other currencies only, was sent down the wrong channel, and is refused before
//! anybody books it.

use super::canonical::{Agent, Iso20022};
use super::message_id::Family;

/// Where the amount of a credit transfer stands within its document.
pub(super) const AMOUNT_PATH: &str = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf/IntrBkSttlmAmt";

/// Countries in the single euro payments area that have the euro.
///
/// Source: European Payments Council, EPC409-09, list of SEPA scheme countries.
const EURO: [&str; 28] = [
    "AD", "AT", "BE", "BG", "CY", "DE", "EE", "ES", "FI", "FR", "GF", "GP", "GR", "HR", "IE", "IT",
    "LT", "LU", "LV", "MC", "ME", "MT", "NL", "PT", "SI", "SK", "SM", "VA",
];

/// Countries that clear a currency of their own, and whether they are in the euro payments area.
const OWN: [(&str, &str, Area); 10] = [
    ("US", "USD", Area::Other),
    ("GB", "GBP", Area::Sepa),
    ("CH", "CHF", Area::Sepa),
    ("CZ", "CZK", Area::Sepa),
    ("DK", "DKK", Area::Sepa),
    ("HU", "HUF", Area::Sepa),
    ("NO", "NOK", Area::Sepa),
    ("PL", "PLN", Area::Sepa),
    ("RO", "RON", Area::Sepa),
    ("SE", "SEK", Area::Sepa),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Area {
    Sepa,
    Other,
}

/// Whether a credit transfer's currency is cleared between its agents.
///
/// Shape: true wherever it cannot be told: another message, another settlement method, a clearing
///        system named, an agent without BIC, a country not listed.
pub(super) fn is_plausible(message: &Iso20022<'_>) -> bool {
    let transaction = &message.transaction;
    let is_cleared = message.message.family == Family::CreditTransfer
        && message.settlement_method.as_deref() == Some("CLRG")
        && message.clearing_system.is_none();
    let (Some(from), Some(to), Some(amount)) =
        (home(&transaction.debtor.agent), home(&transaction.creditor.agent), &transaction.amount)
    else {
        return true;
    };
    let in_euro = |(currency, area): (&str, Area)| currency == "EUR" || area == Area::Sepa;
    !is_cleared
        || amount.currency == from.0
        || amount.currency == to.0
        || (amount.currency == "EUR" && in_euro(from) && in_euro(to))
}

/// The currency that the country in a bank's BIC clears.
fn home(agent: &Agent<'_>) -> Option<(&'static str, Area)> {
    let country = agent.bic.as_deref()?.get(4..6)?;
    if EURO.contains(&country) {
        return Some(("EUR", Area::Sepa));
    }
    OWN.into_iter().find(|(own, ..)| *own == country).map(|(_, currency, area)| (currency, area))
}
