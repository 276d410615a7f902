//! Remembers signatures, so that a copy of a message is not taken in again.

use std::collections::{HashSet, VecDeque};

use router::time::Timestamp;

use super::SignatureId;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What was taken in lately. Only messages whose signature is right belong here: nobody else can
/// fill it.
#[derive(Debug)]
pub struct ReplayWindow {
    seen: HashSet<SignatureId>,
    /// In the order they came, with when they may be forgotten.
    order: VecDeque<(SignatureId, Timestamp)>,
    len_max: usize,
    kept_micros: i64,
}

/// Why a message is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayRefusal {
    /// It was taken in before.
    #[error("the message is a copy of one taken in before")]
    Replayed,
    /// So many are remembered that a copy of a new one could not be told.
    #[error("too many messages within the replay window")]
    Full,
}

impl ReplayRefusal {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::Full => "replay_window_full",
        }
    }
}

impl ReplayWindow {
    /// A window for signatures that are believed for `tolerance_s` seconds before and after they were
    /// made: one that is of the future yet is remembered twice as long.
    pub fn new(tolerance_s: i64, len_max: usize) -> Self {
        let kept_micros = tolerance_s.saturating_mul(2).saturating_mul(MICROS_PER_SECOND);
        Self { seen: HashSet::new(), order: VecDeque::new(), len_max, kept_micros }
    }

    /// Takes in a message, once.
    ///
    /// Errors: [`ReplayRefusal`].
    pub fn admit(&mut self, id: SignatureId, now: Timestamp) -> Result<(), ReplayRefusal> {
        while let Some((old, ends_at)) = self.order.front().copied()
            && ends_at < now
        {
            self.seen.remove(&old);
            self.order.pop_front();
        }
        if self.knows(id) {
            return Err(ReplayRefusal::Replayed);
        }
        if self.seen.len() >= self.len_max {
            return Err(ReplayRefusal::Full);
        }
        self.seen.insert(id);
        self.order.push_back((id, now.plus_micros(self.kept_micros)));
        Ok(())
    }

    /// Whether a message was taken in lately.
    pub fn knows(&self, id: SignatureId) -> bool {
        self.seen.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> SignatureId {
        SignatureId([byte; 32])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * MICROS_PER_SECOND)
    }

    #[test]
    fn a_copy_is_refused_for_as_long_as_its_signature_could_be_believed() {
        let mut window = ReplayWindow::new(300, 10);
        assert_eq!(window.admit(id(1), at(0)), Ok(()));
        for later in [0, 1, 300, 600] {
            assert_eq!(window.admit(id(1), at(later)), Err(ReplayRefusal::Replayed), "{later}");
        }
        assert_eq!(window.admit(id(1), at(601)), Ok(()));
    }

    #[test]
    fn a_full_window_takes_nothing_new_in_until_an_old_one_is_forgotten() {
        let mut window = ReplayWindow::new(300, 2);
        assert_eq!(window.admit(id(1), at(0)), Ok(()));
        assert_eq!(window.admit(id(2), at(10)), Ok(()));
        assert_eq!(window.admit(id(3), at(20)), Err(ReplayRefusal::Full));
        assert_eq!(window.admit(id(2), at(20)), Err(ReplayRefusal::Replayed));
        assert_eq!(window.admit(id(3), at(601)), Ok(()));
    }
}
