//! Bills: an account with room for several payments, of which each takes a part. A reversal gives a
//! part back, and a bill is forgotten a set time after its last payment.

use super::{after, append, only_if};
use crate::state::{Entry, Outcome, Phase, Record, State};
use crate::{Cluster, Plant};

/// The owner of a lane records that an approved payment of it was undone. Redis is told once the
/// record counts, by [`super::payment::settle`]: what is given back becomes available late.
pub fn reverse(
    cluster: &Cluster,
    now: &State,
    (node, lane): (usize, usize),
    payment: usize,
) -> Option<State> {
    let (row, _) = now.writer(node, lane)?;
    let approved = Record::Outcome(payment, Outcome::Approved);
    only_if(cluster.reverses && row.visible().any(|frame| frame.record == approved))?;
    let reversed = Record::Reversed(payment);
    only_if(!now.is_recorded(reversed))?;
    let is_early = cluster.is_planted(Plant::GivenBackBeforeRecord) && now.gate_accepts(node);
    append::insert(cluster, now, (node, lane), reversed).map(|mut next| {
        if is_early {
            next.redis[now.nodes[node].redis].entries[payment] = Some(Entry::Released);
        }
        next
    })
}

/// So much time passes after the last payment of an account that it is forgotten. That time is a year
/// or more: nothing of the account is under way any longer, and the Redis in use knows all of it.
pub fn time_passes(cluster: &Cluster, now: &State, account: u8) -> Option<State> {
    let of_account = |payment: &usize| cluster.payments[*payment].account == account;
    let payments = || (0..cluster.payments.len()).filter(of_account);
    let intended = |payment: &usize| now.is_recorded(Record::Intent(*payment));
    only_if(cluster.forgets_bills && payments().any(|payment| intended(&payment)))?;
    only_if(payments().all(|payment| !now.over[payment] && is_at_rest(now, payment)))?;
    let marks = &now.redis[now.control.pin].marks;
    let mut lanes = now.lanes.iter().zip(marks);
    only_if(lanes.all(|(row, mark)| row.as_ref().is_none_or(|row| *mark >= row.head)))?;
    after(now, |next| {
        for payment in payments().filter(intended) {
            next.over[payment] = true;
        }
    })
}

/// Neither decided nor on its way, and with an end where it was recorded.
fn is_at_rest(now: &State, payment: usize) -> bool {
    let is_held = |entry| matches!(entry, Some(Entry::Held { .. }));
    let held = now.redis.iter().any(|redis| is_held(redis.entries[payment]));
    let pending = now.nodes.iter().flat_map(|node| node.writers.iter().flatten());
    let is_pending = pending
        .filter_map(|writer| writer.pending.as_ref())
        .any(|pending| pending.record.payment() == payment);
    let has_end = [Outcome::Approved, Outcome::Declined]
        .iter()
        .any(|outcome| now.is_recorded(Record::Outcome(payment, *outcome)));
    let is_new = now.phases[payment] == Phase::New;
    !held && !is_pending && (is_new || has_end || !now.is_recorded(Record::Intent(payment)))
}

/// An instance drops what it counted of an account that is forgotten: at any time after, or never.
pub fn forget(cluster: &Cluster, now: &State, redis: usize, account: u8) -> Option<State> {
    only_if(cluster.forgets_bills)?;
    let is_due = |payment: &usize| {
        now.over[*payment]
            && cluster.payments[*payment].account == account
            && now.redis[redis].entries[*payment] == Some(Entry::Posted)
            && !now.redis[redis].dropped[*payment]
    };
    let due: Vec<usize> = (0..cluster.payments.len()).filter(is_due).collect();
    only_if(!due.is_empty())?;
    after(now, |next| {
        due.iter().for_each(|payment| next.redis[redis].dropped[*payment] = true);
    })
}
