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
    /// RFC 3339 instant before which a line of a log is of another journal; none where there was none
    /// before. A switch that starts with an empty data folder gives its folios anew.
    pub journal_from: Option<String>,
    /// RFC 3339 instant at which the journal was read; none when nothing was under way then.
    pub journal_read_at: Option<String>,
    /// Payments the issuers first saw after the journal was read: it cannot know them.
    pub newer: HashSet<String>,
}

/// One line of an issuer's log.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    at: String,
    #[serde(default)]
    stan: String,
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

    /// Notes which payments a simulator first saw between two looks at what it holds.
    pub fn add_newer(&mut self, before: &[Effect], after: &[Effect]) {
        let known: HashSet<&str> = before.iter().map(|effect| effect.rrn.as_str()).collect();
        let newer = after.iter().map(|effect| effect.rrn.as_str());
        self.newer.extend(newer.filter(|rrn| !known.contains(rrn)).map(str::to_owned));
    }

    /// Adds an issuer's log. Repeats of one request are one request, as they are to the bank: it
    /// debits when it first says yes, or says nothing, and gives back when it first confirms.
    ///
    /// Errors: [`AuditError`] with the line that cannot be read.
    pub fn add_log(&mut self, lines: impl BufRead) -> Result<(), AuditError> {
        let mut debited = HashSet::new();
        let mut returned = HashSet::new();
        for line in super::json_lines::<Line>(lines, "issuer log")? {
            self.participants.insert(line.participant.clone());
            // Instants are all printed to the millisecond in UTC, so text order is time order.
            if self.journal_from.as_ref().is_some_and(|from| line.at < *from) {
                continue;
            }
            if self.journal_read_at.as_ref().is_some_and(|read_at| line.at >= *read_at)
                && !self.payments.contains_key(&line.payment)
            {
                self.newer.insert(line.payment.clone());
            }
            self.add_line(line, &mut debited, &mut returned);
        }
        Ok(())
    }

    fn add_line(
        &mut self,
        line: Line,
        debited: &mut HashSet<(String, String, String)>,
        returned: &mut HashSet<(String, String)>,
    ) {
        let is_yes = line.answer.as_deref().is_none_or(|code| code == "00");
        let asks = line.mti.get(..2).unwrap_or_default();
        let is_inquiry = line.processing_code.starts_with("32");
        let takes = matches!(asks, "01" | "02") && !is_inquiry;
        let gives_back = asks == "04" && line.stands_minor == 0;
        let is_repeat = line.mti.ends_with('1');
        let facts = self.payments.entry(line.payment.clone()).or_default();
        if is_yes && takes {
            let is_first = debited.insert((line.participant, line.payment, line.stan));
            if is_first && !(is_repeat && facts.debited_minor.is_some()) {
                facts.net_debits += 1;
                facts.debited_minor = Some(line.amount.minor);
            }
        } else if is_yes
            && gives_back
            && facts.debited_minor.is_some()
            && returned.insert((line.participant, line.payment))
        {
            facts.net_debits -= 1;
        }
    }
}
