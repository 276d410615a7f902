//! A reversal whose original is not known yet, and the requests that it names.

use crate::id::{ParticipantId, Stan};
use crate::message::{Originator, PaymentRequest};
use crate::misplaced::kept_rrn;
use crate::money::Money;
use crate::text::Text;
use crate::time::Timestamp;

/// What a reversal said of an original that is not known: should it still come, it is refused.
///
/// Shape: a STAN or an RRN at least; what is empty was not said. An original is named where it
///        agrees with everything that both have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlyReversal {
    /// Whose reversal it is; only its own requests are refused.
    pub originator: ParticipantId,
    /// When it came.
    pub at: Timestamp,
    /// Until when an original is refused; one that was received at this instant is not.
    pub until: Timestamp,
    /// STAN of the original.
    pub stan: Option<Stan>,
    /// DE37 of the original, in the form it is kept in; counts only where no STAN is named.
    pub rrn: Text<12>,
    /// DE7 of the original.
    pub transmitted_at: Text<10>,
    /// DE41 of the original.
    pub terminal: Text<8>,
    /// DE4 and DE49 of the original.
    pub amount: Option<Money>,
}

/// By what of its original an early reversal is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Handle {
    /// Its STAN.
    Stan(ParticipantId, Stan),
    /// Its RRN, where no STAN was named.
    Rrn(ParticipantId, Text<12>),
}

impl EarlyReversal {
    /// By what it is looked up; none where it names neither STAN nor RRN, and so nothing.
    pub fn handle(&self) -> Option<Handle> {
        match self.stan {
            Some(stan) => Some(Handle::Stan(self.originator, stan)),
            None if self.rrn.is_empty() => None,
            None => Some(Handle::Rrn(self.originator, self.rrn)),
        }
    }

    /// By what the early reversals of a request are looked up; a merchant's request has none.
    pub fn handles_of(request: &PaymentRequest) -> [Option<Handle>; 2] {
        let Originator::Participant(originator) = request.originator else { return [None, None] };
        let (stan, rrn) = (request.trace.stan, kept_reference(request.trace.rrn));
        let by_rrn = (!rrn.is_empty()).then_some(Handle::Rrn(originator, rrn));
        [stan.map(|stan| Handle::Stan(originator, stan)), by_rrn]
    }

    /// Whether a request received at an instant is the original. A repeat (x1) may have a DE7 of
    /// its own.
    pub fn names(&self, request: &PaymentRequest, received_at: Timestamp) -> bool {
        let trace = &request.trace;
        let is_found = self.handle().is_some_and(|handle| {
            Self::handles_of(request).into_iter().flatten().any(|other| other == handle)
        });
        is_found
            && received_at < self.until
            && (trace.is_repeat() || agree(&self.transmitted_at, &trace.transmitted_at))
            && agree(&self.terminal, &trace.terminal)
            && self.amount.is_none_or(|amount| amount == request.amount)
    }

    /// Whether both say the same of the original, whenever they came.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let timeless = |it: &Self| Self { at: self.at, until: self.until, ..*it };
        timeless(other) == *self
    }
}

/// DE37 as it is kept: masked, where it is a card number.
pub fn kept_reference(rrn: Text<12>) -> Text<12> {
    kept_rrn(&rrn).unwrap_or(rrn)
}

/// Whether two texts are equal, where both are there.
fn agree<const MAX: usize>(one: &Text<MAX>, other: &Text<MAX>) -> bool {
    one.is_empty() || other.is_empty() || one == other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, early_reversal as early, participant_id, pesos, request};

    fn check(change: impl Fn(&mut EarlyReversal), expect: bool) {
        let mut changed = early();
        change(&mut changed);
        assert_eq!(changed.names(&request(10_000), NOON), expect, "{changed:?}");
    }

    #[test]
    fn an_original_is_named_where_it_agrees_with_all_that_was_said() {
        check(|_| {}, true);
        check(|early| early.originator = participant_id("bank-a"), false);
        check(|early| early.stan = Stan::new(1), false);
        check(|early| early.transmitted_at = Text::new("1123180001").unwrap(), false);
        check(|early| early.terminal = Text::new("TERM0002").unwrap(), false);
        check(|early| early.amount = Some(pesos(9_999)), false);
        check(|early| early.until = NOON, false);
    }

    #[test]
    fn what_was_not_said_does_not_count_but_a_stan_or_an_rrn_must_be() {
        let bare = EarlyReversal {
            transmitted_at: Text::EMPTY,
            terminal: Text::EMPTY,
            amount: None,
            ..early()
        };
        assert!(bare.names(&request(10_000), NOON));
        assert!(!EarlyReversal { stan: None, ..bare }.names(&request(10_000), NOON));
        let by_rrn = EarlyReversal { stan: None, rrn: Text::new("R1").unwrap(), ..bare };
        let mut original = request(10_000);
        assert!(!by_rrn.names(&original, NOON));
        original.trace.rrn = Text::new("R1").unwrap();
        assert!(by_rrn.names(&original, NOON));
        // One that is a card number is kept masked, and is found all the same.
        let masked = EarlyReversal { rrn: Text::new("400000**0002").unwrap(), ..by_rrn };
        original.trace.rrn = Text::new("400000000002").unwrap();
        assert!(masked.names(&original, NOON));
    }

    #[test]
    fn a_repeat_with_a_transmission_time_of_its_own_is_named_too() {
        let mut repeat = request(10_000);
        repeat.trace.transmitted_at = Text::new("1123180007").unwrap();
        assert!(!early().names(&repeat, NOON));
        repeat.trace.mti = Text::new("0201").unwrap();
        assert!(early().names(&repeat, NOON));
    }
}
