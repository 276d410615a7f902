//! What the issuers did, from their own logs or straight from a simulator.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use serde::Deserialize;

use super::AuditError;
use super::journal::Amount;
use crate::simulator::issuer::Effect;

/// What the issuers hold of one payment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IssuerFacts {
    /// Debits less reversals.
    pub net_debits: i64,
    /// Amount debited, minor units; none where nothing ever was.
    pub debited_minor: Option<i64>,
}

/// What all issuers together hold.
#[derive(Debug, Clone, Default)]
pub struct IssuerTruth {
    /// By reference (DE37), which is the folio.
    pub payments: HashMap<String, IssuerFacts>,
    /// Participants these facts are complete for.
    pub participants: HashSet<String>,
    /// RFC 3339 instant from which these facts are complete; none when they always were. A bank
    /// hosted by the load itself knows nothing of what was before it.
    pub since: Option<String>,
}

/// One line of an issuer's log.
#[derive(Debug, Deserialize)]
struct Line {
    participant: String,
    mti: String,
    #[serde(default)]
    processing_code: String,
    payment: String,
    amount: Amount,
    answer: Option<String>,
    /// What is to stand after a reversal of a part; missing where all is undone.
    #[serde(default)]
    stands_minor: u64,
}

impl IssuerTruth {
    /// Adds what a simulator holds.
    pub fn add_effects(&mut self, participant: &str, effects: &[Effect]) {
        self.participants.insert(participant.to_owned());
        for effect in effects {
            let facts = self.payments.entry(effect.rrn.as_str().to_owned()).or_default();
            facts.net_debits += i64::from(effect.debits) - i64::from(effect.reversals);
            if effect.debits > 0 {
                facts.debited_minor = i64::try_from(effect.amount_minor).ok();
            }
        }
    }

    /// Adds an issuer's log. Repeats of one request are one request, as they are to the bank: it
    /// debits when it first says yes, or says nothing, and gives back when it first confirms.
    ///
    /// Errors: [`AuditError`] with the line that cannot be read.
    pub fn add_log(&mut self, lines: impl BufRead) -> Result<(), AuditError> {
        let mut debited = HashSet::new();
        let mut returned = HashSet::new();
        for line in super::json_lines::<Line>(lines, "issuer log")? {
            let Line { participant, mti, processing_code, payment, amount, answer, stands_minor } =
                line;
            let is_yes = answer.as_deref().is_none_or(|code| code == "00");
            let key = (participant.clone(), payment.clone());
            self.participants.insert(participant);
            let facts = self.payments.entry(payment).or_default();
            let asks = mti.get(..2).unwrap_or_default();
            let is_inquiry = processing_code.starts_with("32");
            let takes = matches!(asks, "01" | "02") && !is_inquiry;
            if is_yes && takes && debited.insert(key.clone()) {
                facts.net_debits += 1;
                facts.debited_minor = Some(amount.minor);
            } else if is_yes
                && asks == "04"
                && stands_minor == 0
                && debited.contains(&key)
                && returned.insert(key)
            {
                facts.net_debits -= 1;
            }
        }
        Ok(())
    }
}
