//! The requests one line has open: a fixed number of slots, found again by their STAN.

/// One open request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Number of the payment in the run.
    pub index: u64,
    /// STAN it was given.
    pub stan: u32,
    /// When it was planned, in nanoseconds from the start of the run.
    pub planned_ns: u64,
    /// When it was sent.
    pub sent_ns: u64,
    /// Transmission time it carries (DE7).
    pub transmitted_at: [u8; 10],
    /// The first answer, while the request is repeated: response code and folio.
    pub first: Option<([u8; 2], u64)>,
}

/// The slots of one line.
///
/// STANs of all lines differ: slot `s` of line `l` takes `l × slots + s`, and every time it is
/// used again one whole round more, modulo a million.
#[derive(Debug)]
pub struct Window {
    slots: Vec<Option<Open>>,
    rounds: Vec<u32>,
    free: Vec<usize>,
    first_stan: u32,
    round_len: u32,
}

const STANS: u32 = 1_000_000;

impl Window {
    /// The slots of line `line` of `lines`, `slots` each.
    ///
    /// Shape: `lines × slots` is at most a million. All lines of a run begin with the same round; runs
    ///        that follow each other within a second begin with different ones.
    pub fn new(line: u32, lines: u32, slots: u32, first_round: u32) -> Self {
        let count = usize::try_from(slots).expect("invariant: a window fits memory");
        let round_len = lines * slots;
        Self {
            slots: vec![None; count],
            rounds: vec![first_round % (STANS / round_len); count],
            free: (0..count).rev().collect(),
            first_stan: line * slots,
            round_len,
        }
    }

    /// Whether another request may be sent.
    pub fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Requests open.
    pub fn open_len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Opens a request and gives its STAN; none when there is no room.
    pub fn open(&mut self, request: Open) -> Option<u32> {
        let slot = self.free.pop()?;
        let rounds = STANS / self.round_len;
        let round = self.rounds[slot];
        self.rounds[slot] = (round + 1) % rounds;
        let offset = u32::try_from(slot).expect("invariant: slots are counted in 32 bits");
        let stan = round * self.round_len + self.first_stan + offset;
        self.slots[slot] = Some(Open { stan, ..request });
        Some(stan)
    }

    /// The open request of a STAN; none for a STAN that is not, or no longer, open here.
    pub fn find(&mut self, stan: u32) -> Option<&mut Open> {
        let slot = self.slot_of(stan)?;
        self.slots[slot].as_mut()
    }

    /// Closes the request of a STAN.
    pub fn close(&mut self, stan: u32) -> Option<Open> {
        let slot = self.slot_of(stan)?;
        self.free.push(slot);
        self.slots[slot].take()
    }

    /// Closes every request sent before this instant, and gives them.
    pub fn close_before(&mut self, sent_ns: u64) -> Vec<Open> {
        let old = self.slots.iter().flatten().filter(|open| open.sent_ns < sent_ns);
        let stans: Vec<u32> = old.map(|open| open.stan).collect();
        stans.into_iter().filter_map(|stan| self.close(stan)).collect()
    }

    fn slot_of(&self, stan: u32) -> Option<usize> {
        let slot = (stan % self.round_len).checked_sub(self.first_stan)?;
        let slot = usize::try_from(slot).ok().filter(|slot| *slot < self.slots.len())?;
        self.slots[slot].filter(|open| open.stan == stan).map(|_| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Open = Open {
        index: 0,
        stan: 0,
        planned_ns: 0,
        sent_ns: 5,
        transmitted_at: *b"1123211722",
        first: None,
    };

    #[test]
    fn a_second_answer_finds_nothing_even_when_the_slot_is_taken_again() {
        let mut window = Window::new(1, 2, 2, 0);
        let stan = window.open(REQUEST).unwrap();
        assert!(window.close(stan).is_some());
        let next = window.open(REQUEST).unwrap();
        assert_ne!(stan, next);
        assert_eq!(window.close(stan), None);
        assert_eq!(window.open_len(), 1);
    }

    #[test]
    fn stans_of_all_lines_differ_until_a_million_are_used() {
        let mut lines = [Window::new(0, 2, 4, 7), Window::new(1, 2, 4, 7)];
        let mut seen = std::collections::HashSet::new();
        for _ in 0..125_000 {
            for window in &mut lines {
                let stans: Vec<u32> = std::iter::from_fn(|| window.open(REQUEST)).collect();
                assert_eq!(stans.len(), 4);
                for stan in stans {
                    assert!(stan < STANS && seen.insert(stan), "{stan} twice");
                    window.close(stan);
                }
            }
        }
        assert_eq!(seen.len(), 1_000_000);
    }

    #[test]
    fn what_is_overdue_is_closed() {
        let mut window = Window::new(0, 1, 2, 0);
        window.open(REQUEST);
        window.open(Open { sent_ns: 9, ..REQUEST });
        assert!(!window.has_room());
        assert_eq!(window.close_before(9).len(), 1);
        assert_eq!(window.open_len(), 1);
    }
}
