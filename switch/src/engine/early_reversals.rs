//! The early reversals that one node remembers: how long each is kept, and how many there are.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use router::early::EarlyReversal;
use router::id::ParticipantId;
use router::time::Timestamp;

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

    /// Until when one that comes now is kept.
    pub fn until(&self, at: Timestamp) -> Timestamp {
        at.plus_micros(i64::try_from(self.kept.as_micros()).unwrap_or(i64::MAX))
    }

    /// Counts one; says why it is not to be recorded, if so.
    pub fn count(&self, early: &EarlyReversal) -> Result<(), &'static str> {
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

    /// Counts one no more: it was not recorded.
    pub fn forget(&self, early: &EarlyReversal) {
        if let Some(own) = self.live.lock().get_mut(&early.originator) {
            own.retain(|other| other != early);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use router::id::Stan;
    use router::text::Text;

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
