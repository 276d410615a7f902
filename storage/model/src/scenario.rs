//! The bounded worlds that are checked.

use crate::{Cluster, Faults, NewLane, Outcome, Request};

/// Redis forgets.
pub fn forgetting() -> Cluster {
    Cluster {
        payments: vec![
            Request { key: 0, account: 0, node: 0, lane: 0 },
            Request { key: 1, account: 0, node: 1, lane: 1 },
        ],
        outcomes: vec![Outcome::Approved, Outcome::Declined],
        new_lane: None,
        faults: Faults { flushes: 1, promotions: 1, changes: 2, ..Faults::default() },
        plant: None,
    }
}

/// Lanes change hands.
pub fn takeover() -> Cluster {
    Cluster {
        payments: vec![
            Request { key: 0, account: 0, node: 0, lane: 0 },
            Request { key: 1, account: 0, node: 1, lane: 1 },
        ],
        outcomes: vec![Outcome::Approved, Outcome::Declined],
        new_lane: None,
        faults: Faults { crashes: 1, takeovers: 2, timeouts: 1, ..Faults::default() },
        plant: None,
    }
}

/// A lane comes into being.
pub fn new_lane() -> Cluster {
    Cluster {
        payments: vec![
            Request { key: 0, account: 0, node: 0, lane: 0 },
            Request { key: 1, account: 0, node: 1, lane: 2 },
        ],
        outcomes: vec![Outcome::Approved, Outcome::Declined],
        new_lane: Some(NewLane { node: 1, lane: 2 }),
        faults: Faults { promotions: 1, changes: 1, ..Faults::default() },
        plant: None,
    }
}
