//! What a partial reversal gives back of a reservation.

use smallvec::SmallVec;

use super::{Counter, Reservation};
use crate::time::Timestamp;

/// What stands of a payment becomes less: from one amount to another.
///
/// Shape: 0 <= to < from <= amount.
/// Units: minor units of the payment's amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The payment's amount.
    pub amount_minor: i64,
    /// What stood before.
    pub from_minor: i64,
    /// What stands after; zero where nothing does.
    pub to_minor: i64,
}

impl Reservation {
    /// What the reservation gives back when a share of its payment, once posted, is reversed.
    ///
    /// Sums fall by the share. The payment still counts as one, and its slots stay taken, until
    /// nothing stands; then all that is left is given back. Given back share by share, the sum is
    /// the reservation itself, but for its holds: an approval ended them, and balances are moved by
    /// entries alone.
    pub fn given_back(&self, share: Share) -> Self {
        let is_over = share.to_minor == 0;
        Self {
            key: self.key,
            fingerprint: self.fingerprint,
            slots: if is_over { self.slots.clone() } else { SmallVec::new() },
            counters: self.counters.iter().filter_map(|it| share.of_counter(it)).collect(),
            holds: SmallVec::new(),
        }
    }

    /// The reservation without the counters whose windows are closed at an instant.
    ///
    /// A guard may have forgotten those, and begun to count anew under the same name: what an old
    /// payment gave back would let newer ones pass the ceiling.
    pub fn in_open_windows(mut self, at: Timestamp) -> Self {
        self.counters.retain(|counter| counter.window_end > at);
        self
    }
}

impl Share {
    /// A counter of amounts adds the payment's amount, a counter of payments adds one. An amount
    /// of one minor unit has no parts, so the two cannot be mistaken for each other.
    fn of_counter(self, counter: &Counter) -> Option<Counter> {
        let is_sum = counter.delta == self.amount_minor;
        let left = |stands| match stands {
            0 => 0,
            stands if is_sum => stands,
            _ => counter.delta,
        };
        let delta = left(self.from_minor) - left(self.to_minor);
        (delta > 0).then_some(Counter { delta, ..*counter })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::AccountId;
    use crate::message::{Fingerprint, IdempotencyKey};
    use crate::reason::Reason;
    use crate::reservation::{CounterKey, Hold, Keep, Slot, SlotKey};
    use crate::testing::{NOON, pesos};

    const AMOUNT: i64 = 50_000;

    fn counter(key: u128, delta: i64) -> Counter {
        let (key, reason, reason_once_full) = (CounterKey(key), Reason::DailyAmountExceeded, None);
        Counter { key, delta, ceiling: 90_000, window_end: NOON, reason, reason_once_full }
    }

    /// A float that pays the amount, a count, a sum and a bill.
    fn reservation() -> Reservation {
        let (account, reason) = (AccountId::new("float:1").unwrap(), Reason::FloatInsufficient);
        let hold = Hold { account, amount: pesos(AMOUNT), floor_minor: 0, reason };
        let slot = Slot {
            key: SlotKey(5),
            keep: Keep::WhileApproved,
            reason_while_open: Reason::BillInProgress,
            reason_once_kept: Reason::BillAlreadyPaid,
        };
        Reservation {
            key: IdempotencyKey(1),
            fingerprint: Fingerprint(2),
            slots: [slot].into_iter().collect(),
            counters: [counter(7, 1), counter(8, AMOUNT)].into_iter().collect(),
            holds: [hold].into_iter().collect(),
        }
    }

    fn share(from_minor: i64, to_minor: i64) -> Share {
        Share { amount_minor: AMOUNT, from_minor, to_minor }
    }

    fn figures(given: &Reservation) -> (Vec<(u128, i64)>, usize) {
        assert!(given.holds.is_empty(), "the approval ended them");
        let counters = given.counters.iter().map(|it| (it.key.0, it.delta)).collect();
        (counters, given.slots.len())
    }

    #[test]
    fn a_part_gives_its_own_amount_back_and_count_and_bill_stay() {
        let given = reservation().given_back(share(AMOUNT, 20_000));
        assert_eq!(figures(&given), (vec![(8, 30_000)], 0));
    }

    #[test]
    fn the_last_share_gives_back_all_that_is_left_count_and_bill_included() {
        let given = reservation().given_back(share(20_000, 0));
        assert_eq!(figures(&given), (vec![(7, 1), (8, 20_000)], 1));
        let whole = reservation().given_back(share(AMOUNT, 0));
        assert_eq!(whole, Reservation { holds: SmallVec::new(), ..reservation() });
    }

    #[test]
    fn a_counter_gives_nothing_back_once_its_window_is_closed() {
        let before = reservation().in_open_windows(NOON.plus_micros(-1));
        assert_eq!(before, reservation());
        let closed = reservation().in_open_windows(NOON);
        assert!(closed.counters.is_empty(), "it may be counted anew by now");
        assert_eq!((closed.slots.len(), closed.holds.len()), (1, 1));
    }

    proptest! {
        #[test]
        fn share_by_share_the_whole_reservation_is_given_back_and_never_more(
            cuts in proptest::collection::btree_set(1_i64..AMOUNT, 0..8),
        ) {
            let stops: Vec<i64> =
                [AMOUNT].into_iter().chain(cuts.into_iter().rev()).chain([0]).collect();
            let (mut count, mut sum, mut slots) = (0, 0, 0);
            for step in stops.windows(2) {
                let given = reservation().given_back(share(step[0], step[1]));
                let (counters, freed) = figures(&given);
                slots += freed;
                let of = |key| counters.iter().find(|it| it.0 == key).map_or(0, |it| it.1);
                (count, sum) = (count + of(7), sum + of(8));
                prop_assert!(of(8) > 0);
            }
            prop_assert_eq!((count, sum, slots), (1, AMOUNT, 1));
        }
    }
}
