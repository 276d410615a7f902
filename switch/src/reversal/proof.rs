//! When a participant's answers prove that a payment is undone.

use std::time::Duration;

use router::exchange::UndoOrder;
use tokio::time::Instant;

/// Response codes that are proof: undone, already undone.
const PROOF: [[u8; 2]; 2] = [*b"00", *b"21"];
/// "Never seen": no proof alone, for the request may still be on its way.
const NOT_FOUND: [u8; 2] = *b"25";
/// How often in a row it must be said: a bank that works on several messages at once may see the
/// reversal before the request, although it came behind it.
const NOT_FOUND_TIMES: u32 = 2;

/// What a participant has said of one reversal so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ReversalProof {
    /// How often in a row it was "not found".
    not_found: u32,
    /// Since when the way of the request is known to be gone.
    way_gone_since: Option<Instant>,
}

impl ReversalProof {
    /// Notes how the reversal went.
    pub(super) fn was_asked(&mut self, order: UndoOrder, now: Instant) {
        match order {
            UndoOrder::Behind | UndoOrder::WayUnknown => {}
            UndoOrder::WayGone => {
                self.way_gone_since.get_or_insert(now);
            }
        }
    }

    /// Whether an answer proves that the payment is undone.
    ///
    /// "Not found" proves it only when the request can no longer arrive: asked behind the request on
    /// its own way, or so long after that way was found gone that nothing of it can arrive any more.
    pub(super) fn is_given_by(
        &mut self,
        code: [u8; 2],
        order: UndoOrder,
        now: Instant,
        not_found_after: Duration,
    ) -> bool {
        if code != NOT_FOUND {
            self.not_found = 0;
            return PROOF.contains(&code);
        }
        self.not_found += 1;
        let cannot_arrive = match (order, self.way_gone_since) {
            (UndoOrder::Behind, _) => true,
            (UndoOrder::WayGone | UndoOrder::WayUnknown, since) => {
                since.is_some_and(|since| now.duration_since(since) >= not_found_after)
            }
        };
        cannot_arrive && self.not_found >= NOT_FOUND_TIMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(5);

    /// Asks by a line at each of these seconds, is told a code, and gives what proves.
    fn proofs(told: &[(u64, UndoOrder, &[u8; 2])]) -> Vec<bool> {
        let (began, mut proof) = (Instant::now(), ReversalProof::default());
        let prove = |(at, order, code): &(u64, UndoOrder, &[u8; 2])| {
            let now = began + Duration::from_secs(*at);
            proof.was_asked(*order, now);
            proof.is_given_by(**code, *order, now, AFTER)
        };
        told.iter().map(prove).collect()
    }

    #[test]
    fn undone_and_already_undone_prove_it_by_any_line() {
        for order in [UndoOrder::Behind, UndoOrder::WayGone] {
            assert_eq!(proofs(&[(0, order, b"00")]), [true]);
            assert_eq!(proofs(&[(0, order, b"21")]), [true]);
            assert_eq!(proofs(&[(0, order, b"05"), (1, order, b"  ")]), [false, false]);
        }
    }

    #[test]
    fn not_found_behind_the_request_proves_it_when_said_twice_in_a_row() {
        let original = UndoOrder::Behind;
        assert_eq!(proofs(&[(0, original, b"25"), (1, original, b"25")]), [false, true]);
        let between = [(0, original, b"25"), (1, original, b"96"), (2, original, b"25")];
        assert_eq!(proofs(&between), [false, false, false]);
    }

    #[test]
    fn not_found_by_another_line_proves_nothing_until_the_request_can_no_longer_arrive() {
        let other = UndoOrder::WayGone;
        let told = [(0, other, b"25"), (1, other, b"25"), (4, other, b"25"), (5, other, b"25")];
        assert_eq!(proofs(&told), [false, false, false, true]);
        assert_eq!(proofs(&[(0, other, b"25"), (9, other, b"25")]), [false, true]);
        assert_eq!(proofs(&[(9, other, b"25")]), [false], "once is never enough");
    }

    #[test]
    fn not_found_proves_nothing_while_a_node_does_not_say_what_became_of_the_line() {
        let (unknown, other) = (UndoOrder::WayUnknown, UndoOrder::WayGone);
        let told = [(0, unknown, b"25"), (9, unknown, b"25"), (99, unknown, b"25")];
        assert_eq!(proofs(&told), [false, false, false]);
        let told = [(0, unknown, b"25"), (9, other, b"25"), (14, other, b"25")];
        assert_eq!(proofs(&told), [false, false, true], "five seconds after it was found gone");
    }
}
