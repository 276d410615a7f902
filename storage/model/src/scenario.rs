//! The bounded worlds that are checked, each to its last state.
//!
//! Every world has two nodes, a lane for each, one Redis in use and its replica, and two payments
//! unless it says otherwise; each payment may be asked for at any time or never. What a world's
//! [`Faults`] do not name does not happen in it: no flush where promotions are counted, no timeout
//! where lanes are taken during a change. Where the outcome is always an approval, a decline would
//! only give room back. Three payments and all faults at once are more states than a test can
//! visit; each pair of faults that meet in the protocol's argument meets in one of these worlds.

use crate::{Cluster, Faults, NewLane, Outcome, Request};

/// Payment 0 is asked of node 0, payment 1 of node 1; they share an account.
const ONE_ACCOUNT: [Request; 2] = [
    Request { key: 0, account: 0, amount: 1, node: 0, lane: 0 },
    Request { key: 1, account: 0, amount: 1, node: 1, lane: 1 },
];

const FINAL: [Outcome; 2] = [Outcome::Approved, Outcome::Declined];
const EVERY: [Outcome; 3] = [Outcome::Approved, Outcome::Declined, Outcome::Unknown];

fn cluster(payments: &[Request], outcomes: &[Outcome], faults: Faults) -> Cluster {
    let (payments, outcomes) = (payments.to_vec(), outcomes.to_vec());
    let (room, reverses, forgets_bills, new_lane, plant) = (1, false, false, None, None);
    Cluster { payments, room, reverses, forgets_bills, outcomes, new_lane, faults, plant }
}

/// The Redis in use is flushed, or restarts empty, and any change may itself be overtaken.
pub fn flushed() -> Cluster {
    let faults = Faults { flushes: 1, changes: 2, ..Faults::default() };
    cluster(&ONE_ACCOUNT, &FINAL, faults)
}

/// A replica is promoted without the tail while the first primary lives on: each node may talk to
/// either, and each may try to have its own published.
pub fn split() -> Cluster {
    let faults = Faults { promotions: 1, changes: 2, ..Faults::default() };
    cluster(&ONE_ACCOUNT, &[Outcome::Approved], faults)
}

/// Either instance is flushed while the other is being promoted or rebuilt.
pub fn flushed_in_split() -> Cluster {
    let faults = Faults { flushes: 1, promotions: 1, changes: 1, ..Faults::default() };
    cluster(&ONE_ACCOUNT, &FINAL, faults)
}

/// A node dies or is only thought to be dead, updates of heads time out, and lanes change hands
/// twice.
pub fn takeover() -> Cluster {
    let faults = Faults { crashes: 1, takeovers: 2, timeouts: 1, ..Faults::default() };
    cluster(&ONE_ACCOUNT, &EVERY, faults)
}

/// A node dies, its lane is taken, and Redis is flushed about the same time.
pub fn takeover_while_flushed() -> Cluster {
    let faults = Faults { flushes: 1, changes: 1, crashes: 1, takeovers: 1, ..Faults::default() };
    cluster(&ONE_ACCOUNT, &FINAL, faults)
}

/// A lane is taken from a living node while Redis is split.
pub fn takeover_in_split() -> Cluster {
    let faults = Faults { promotions: 1, changes: 1, takeovers: 1, ..Faults::default() };
    cluster(&ONE_ACCOUNT, &[Outcome::Approved], faults)
}

/// Three payments: two share a key and two an account. Redis is flushed, heads time out.
pub fn shared_key() -> Cluster {
    let again = Request { key: 0, account: 1, amount: 1, node: 1, lane: 1 };
    let faults = Faults { flushes: 1, changes: 1, timeouts: 1, ..Faults::default() };
    cluster(&[ONE_ACCOUNT[0], ONE_ACCOUNT[1], again], &FINAL, faults)
}

/// Clocks of nodes and of Redis jump ahead and return, while two payments share a key and Redis may
/// fail over to a machine whose clock is wrong.
pub fn wrong_clocks() -> Cluster {
    let again = Request { key: 0, account: 1, amount: 1, node: 1, lane: 1 };
    let faults = Faults { jumps: 2, promotions: 1, changes: 1, ..Faults::default() };
    cluster(&[ONE_ACCOUNT[0], again], &[Outcome::Approved], faults)
}

/// A lane is inserted by one node while the other changes the epoch in a split.
pub fn new_lane() -> Cluster {
    let faults = Faults { promotions: 1, changes: 1, ..Faults::default() };
    let in_new_lane = Request { lane: 2, ..ONE_ACCOUNT[1] };
    let new_lane = Some(NewLane { node: 1, lane: 2 });
    Cluster { new_lane, ..cluster(&[ONE_ACCOUNT[0], in_new_lane], &FINAL, faults) }
}

/// The new lane is taken by the other node, which may happen before its owner has rechecked it.
pub fn new_lane_taken() -> Cluster {
    let faults = Faults { promotions: 1, changes: 1, takeovers: 1, ..Faults::default() };
    let in_taken_lane = Request { lane: 2, ..ONE_ACCOUNT[0] };
    let new_lane = Some(NewLane { node: 1, lane: 2 });
    let payments = [in_taken_lane, ONE_ACCOUNT[1]];
    Cluster { new_lane, ..cluster(&payments, &[Outcome::Approved], faults) }
}

/// Three payments of one bill that has room for two: 0 and 2 are asked of node 0, 1 of node 1.
fn of_one_bill(amounts: [u8; 3], outcomes: &[Outcome], faults: Faults) -> Cluster {
    let third = Request { key: 2, ..ONE_ACCOUNT[0] };
    let mut payments = [ONE_ACCOUNT[0], ONE_ACCOUNT[1], third];
    for (asked, amount) in payments.iter_mut().zip(amounts) {
        asked.amount = amount;
    }
    Cluster { room: 2, ..cluster(&payments, outcomes, faults) }
}

/// Parts of a bill are paid at both nodes while Redis is flushed.
pub fn bill_in_parts() -> Cluster {
    let faults = Faults { flushes: 1, changes: 1, ..Faults::default() };
    of_one_bill([1, 1, 1], &FINAL, faults)
}

/// Two payments of the whole of a bill, each of which may be reversed, while Redis is flushed and a
/// lane is taken.
pub fn bill_reopened() -> Cluster {
    let faults = Faults { flushes: 1, changes: 1, takeovers: 1, ..Faults::default() };
    Cluster { reverses: true, ..cluster(&ONE_ACCOUNT, &[Outcome::Approved], faults) }
}

/// A bill that is forgotten and paid as a new one, while payments of the old one are reversed.
pub fn bill_forgotten() -> Cluster {
    let faults = Faults::default();
    let bill = of_one_bill([2, 2, 2], &[Outcome::Approved], faults);
    Cluster { reverses: true, forgets_bills: true, ..bill }
}

/// A bill that is forgotten while Redis is flushed.
pub fn bill_forgotten_while_flushed() -> Cluster {
    let faults = Faults { flushes: 1, changes: 1, ..Faults::default() };
    let bill = cluster(&ONE_ACCOUNT, &[Outcome::Approved], faults);
    Cluster { reverses: true, forgets_bills: true, ..bill }
}
