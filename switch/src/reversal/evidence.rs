//! When a participant's answers prove that a payment is undone.

use std::time::Duration;

use tokio::time::Instant;

use crate::participant::Course;

/// Response codes that are proof: undone, already undone.
const PROOF: [[u8; 2]; 2] = [*b"00", *b"21"];
/// "Never seen": no proof alone, for the request may still be on its way.
const NOT_FOUND: [u8; 2] = *b"25";
/// How often in a row it must be said: a bank that works on several messages at once may see the
/// reversal before the request, although it came behind it.
const NOT_FOUND_TIMES: u32 = 2;

/// What a participant has said of one reversal so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// How often in a row it was "not found".
    not_found: u32,
    /// Since when the line of the request is known to be gone.
    apart_since: Option<Instant>,
}

impl Evidence {
    /// Notes how the reversal went.
    pub(super) fn was_asked(&mut self, course: Course, now: Instant) {
        match course {
            Course::Behind => {}
            Course::Apart => {
                self.apart_since.get_or_insert(now);
            }
        }
    }

    /// Whether an answer proves that the payment is undone.
    ///
    /// "Not found" proves it only when the request can no longer arrive: asked behind the request on
    /// its own line, or so long after that line was found gone that nothing of it is on its way.
    pub(super) fn is_given_by(
        &mut self,
        code: [u8; 2],
        course: Course,
        now: Instant,
        not_found_after: Duration,
    ) -> bool {
        if code != NOT_FOUND {
            self.not_found = 0;
            return PROOF.contains(&code);
        }
        self.not_found += 1;
        let cannot_arrive = match (course, self.apart_since) {
            (Course::Behind, _) => true,
            (Course::Apart, Some(since)) => now.duration_since(since) >= not_found_after,
            (Course::Apart, None) => false,
        };
        cannot_arrive && self.not_found >= NOT_FOUND_TIMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(5);

    /// Asks by a course at each of these seconds, is told a code, and gives what proves.
    fn proofs(told: &[(u64, Course, &[u8; 2])]) -> Vec<bool> {
        let (began, mut evidence) = (Instant::now(), Evidence::default());
        let prove = |(at, course, code): &(u64, Course, &[u8; 2])| {
            let now = began + Duration::from_secs(*at);
            evidence.was_asked(*course, now);
            evidence.is_given_by(**code, *course, now, AFTER)
        };
        told.iter().map(prove).collect()
    }

    #[test]
    fn undone_and_already_undone_prove_it_by_any_line() {
        for course in [Course::Behind, Course::Apart] {
            assert_eq!(proofs(&[(0, course, b"00")]), [true]);
            assert_eq!(proofs(&[(0, course, b"21")]), [true]);
            assert_eq!(proofs(&[(0, course, b"05"), (1, course, b"  ")]), [false, false]);
        }
    }

    #[test]
    fn not_found_behind_the_request_proves_it_when_said_twice_in_a_row() {
        let behind = Course::Behind;
        assert_eq!(proofs(&[(0, behind, b"25"), (1, behind, b"25")]), [false, true]);
        let between = [(0, behind, b"25"), (1, behind, b"96"), (2, behind, b"25")];
        assert_eq!(proofs(&between), [false, false, false]);
    }

    #[test]
    fn not_found_by_another_line_proves_nothing_until_the_request_can_no_longer_arrive() {
        let apart = Course::Apart;
        let told = [(0, apart, b"25"), (1, apart, b"25"), (4, apart, b"25"), (5, apart, b"25")];
        assert_eq!(proofs(&told), [false, false, false, true]);
        assert_eq!(proofs(&[(0, apart, b"25"), (9, apart, b"25")]), [false, true]);
        assert_eq!(proofs(&[(9, apart, b"25")]), [false], "once is never enough");
    }
}
