//! Reversals that come before their originals: remembered for a while, so that an original which
//! still comes is refused.
//!
//! The reversal is made durable first and its original looked for afterwards; the original takes
//! its key first and is held against early reversals in the same step. So of two that come at the
//! same moment, on whichever lines or nodes, one meets the other.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use router::id::ParticipantId;
use router::message::{EarlyReversal, Original, Originator, ReversalRequest, kept_reference};
use router::payment::Payment;
use router::record::Record;
use router::text::Text;
use router::time::Timestamp;
use smallvec::SmallVec;
use storage::StoreError;

use crate::clock;
use crate::engine::Engine;
use crate::original::{self, NamedPayment, Purpose};

/// Early reversals of one participant that one node remembers at a time.
const OF_PARTICIPANT_MAX: usize = 4_096;

/// Those that came to this node: for how long each is kept, and how many there are.
#[derive(Debug)]
pub struct EarlyReversals {
    kept: Duration,
    live: Mutex<HashMap<ParticipantId, Vec<EarlyReversal>>>,
}

impl EarlyReversals {
    /// None yet; each is kept for so long.
    pub fn kept_for(kept: Duration) -> Self {
        Self { kept, live: Mutex::default() }
    }

    fn until(&self, at: Timestamp) -> Timestamp {
        at.plus_micros(i64::try_from(self.kept.as_micros()).unwrap_or(i64::MAX))
    }

    /// Counts one; says why it is not to be recorded, if so.
    fn count(&self, early: &EarlyReversal) -> Result<(), &'static str> {
        let mut live = self.live.lock();
        let own = live.entry(early.originator).or_default();
        own.retain(|other| other.until > early.at);
        // One that is about to end is recorded again.
        let half = early.at.plus_micros((early.until.0 - early.at.0) / 2);
        if own.iter().any(|other| other.says_the_same(early) && other.until > half) {
            return Err("known");
        }
        own.retain(|other| !other.says_the_same(early));
        if own.len() >= OF_PARTICIPANT_MAX {
            return Err("too_many");
        }
        own.push(*early);
        Ok(())
    }

    fn forget(&self, early: &EarlyReversal) {
        if let Some(own) = self.live.lock().get_mut(&early.originator) {
            own.retain(|other| other != early);
        }
    }
}

/// The payment that a reversal names. Where there is none, the reversal is remembered.
///
/// Errors: the journal's. Cancel-safe: a dropped call either remembered the reversal or did not.
pub async fn find(
    engine: &Engine,
    request: &ReversalRequest,
) -> Result<Option<Payment>, StoreError> {
    let ReversalRequest { originator, original, trace, amount, .. } = request;
    let purpose = Purpose::Reversal;
    let named = NamedPayment { originator, original, trace, amount: *amount, purpose };
    if let Some(found) = original::look_exactly(engine, &named).await? {
        return Ok(Some(found));
    }
    remember(engine, request).await?;
    // An original that was taken before is seen now; any later one is refused.
    original::find(engine, &named).await
}

async fn remember(engine: &Engine, request: &ReversalRequest) -> Result<(), StoreError> {
    for early in said(request, &engine.early) {
        let counted = engine.early.count(&early);
        let result = counted.err().unwrap_or("remembered");
        metrics::counter!("cauce_early_reversals_total", "result" => result).increment(1);
        if counted.is_ok()
            && let Err(error) = engine.store.append(Record::EarlyReversal(early)).await
        {
            engine.early.forget(&early);
            return Err(error);
        }
    }
    Ok(())
}

/// What a reversal says of its original: by DE90; where that names no STAN, by DE37, and by the
/// reversal's own DE11 and DE7.
fn said(request: &ReversalRequest, kept: &EarlyReversals) -> SmallVec<[EarlyReversal; 2]> {
    let ReversalRequest { originator, original, trace, amount, .. } = request;
    let Originator::Participant(originator) = *originator else { return SmallVec::new() };
    let at = clock::now();
    let nothing = EarlyReversal {
        originator,
        at,
        until: kept.until(at),
        stan: None,
        rrn: Text::EMPTY,
        transmitted_at: Text::EMPTY,
        terminal: trace.terminal,
        amount: *amount,
    };
    if original.stan.is_some() {
        return [by_elements(original, nothing)].into_iter().collect();
    }
    let by_rrn = EarlyReversal { rrn: kept_reference(original.rrn), ..nothing };
    let (stan, transmitted_at) = (trace.stan, trace.transmitted_at);
    let by_itself = EarlyReversal { stan, transmitted_at, ..nothing };
    let both = [by_rrn, by_itself].into_iter();
    both.filter(|early| early.handle().is_some()).collect()
}

fn by_elements(original: &Original, nothing: EarlyReversal) -> EarlyReversal {
    // The DE7 of a repeat may be its own, and the original have another.
    let is_repeat = original.mti.as_bytes().last() == Some(&b'1');
    let transmitted_at = if is_repeat { Text::EMPTY } else { original.transmitted_at };
    EarlyReversal { stan: original.stan, transmitted_at, ..nothing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use router::id::Stan;

    fn early(stan: u32, at: i64, kept: &EarlyReversals) -> EarlyReversal {
        let at = Timestamp(at);
        EarlyReversal {
            originator: ParticipantId::new("bank-a").unwrap(),
            at,
            until: kept.until(at),
            stan: Stan::new(stan),
            rrn: Text::EMPTY,
            transmitted_at: Text::EMPTY,
            terminal: Text::EMPTY,
            amount: None,
        }
    }

    #[test]
    fn a_reversal_that_is_said_again_is_recorded_again_only_when_half_of_its_time_is_over() {
        let kept = EarlyReversals::kept_for(Duration::from_micros(100));
        assert_eq!(kept.count(&early(1, 0, &kept)), Ok(()));
        assert_eq!(kept.count(&early(1, 40, &kept)), Err("known"));
        assert_eq!(kept.count(&early(2, 40, &kept)), Ok(()));
        assert_eq!(kept.count(&early(1, 60, &kept)), Ok(()));
    }

    #[test]
    fn a_participant_has_no_more_early_reversals_than_the_ceiling_until_some_are_over() {
        let kept = EarlyReversals::kept_for(Duration::from_micros(100));
        for stan in 0..4_096 {
            assert_eq!(kept.count(&early(stan, 0, &kept)), Ok(()));
        }
        assert_eq!(kept.count(&early(4_096, 0, &kept)), Err("too_many"));
        let other = ParticipantId::new("bank-c").unwrap();
        let of_other = EarlyReversal { originator: other, ..early(1, 0, &kept) };
        assert_eq!(kept.count(&of_other), Ok(()));
        assert_eq!(kept.count(&early(4_096, 100, &kept)), Ok(()));
    }
}
