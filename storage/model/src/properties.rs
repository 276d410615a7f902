//! What must hold in every state, and what must be reached in some.

use stateright::Property;

use crate::Cluster;
use crate::state::{Gate, Lane, Outcome, PAYMENTS, Phase, Record, Refusal, State};

/// No two intents under one key are in the journal.
pub const ONE_INTENT_PER_KEY: &str = "one key, one intent";
/// No two payments under one key are sent, nor two approvals told.
pub const ONE_APPROVAL_PER_KEY: &str = "one key is sent once and approved once";
/// The intents in the journal that were not declined or reversed fit their account, as long as it is
/// not forgotten.
pub const WITHIN_LIMITS: &str = "no account is overrun";
/// What is on the wire is in the journal.
pub const NOTHING_SENT_UNRECORDED: &str = "nothing is sent without an intent in the journal";
/// What was told is in the journal, once and unchanged.
pub const ANSWERS_STAY: &str = "what was answered stays in the journal";
/// Who was told that nothing happened can rely on it.
pub const REFUSALS_STAY: &str = "what was refused is not in the journal";
/// Below a head no position is empty, and none says what was said before.
pub const NO_HOLES: &str = "below a head every position has its frame";
/// Where the published gate is open, Redis has at least every key and hold that the journal has.
pub const GATE_NOT_LAXER: &str = "an open gate is never laxer than the journal";

/// A payment is approved and its originator told.
pub const APPROVED: &str = "a payment is approved";
/// A second payment under a taken key is refused.
pub const DUPLICATE_REFUSED: &str = "a duplicate is refused";
/// A payment that was decided under a later gate epoch is approved and its originator told.
pub const APPROVED_AFTER_CHANGE: &str = "a payment is approved after a change of epoch";
/// A taker has closed an intent that it found open.
pub const RESOLVED: &str = "a takeover resolves an open intent";
/// A payment is refused since its epoch has passed.
pub const FENCED: &str = "a payment is fenced";
/// A payment is approved that fits only since another was reversed.
pub const REOPENED: &str = "what a reversal freed is paid again";
/// A payment is approved that fits only since its bill was forgotten.
pub const PAID_AS_NEW: &str = "a forgotten bill is paid as a new one";
/// Two payments that count on one account are approved.
pub const PAID_IN_PARTS: &str = "a bill is paid in parts";
/// An intent counts in the lane that was not there at the start.
pub const NEW_LANE_USED: &str = "a new lane takes an intent";

/// All of the above.
pub fn all() -> Vec<Property<Cluster>> {
    vec![
        Property::always(ONE_INTENT_PER_KEY, one_intent_per_key),
        Property::always(ONE_APPROVAL_PER_KEY, one_approval_per_key),
        Property::always(WITHIN_LIMITS, within_limits),
        Property::always(NOTHING_SENT_UNRECORDED, nothing_sent_unrecorded),
        Property::always(ANSWERS_STAY, answers_stay),
        Property::always(REFUSALS_STAY, refusals_stay),
        Property::always(NO_HOLES, no_holes),
        Property::always(GATE_NOT_LAXER, gate_not_laxer),
        Property::sometimes(APPROVED, |_, state: &State| {
            state.answered.contains(&Some(Outcome::Approved))
        }),
        Property::sometimes(DUPLICATE_REFUSED, |_, state: &State| {
            state.phases.contains(&Phase::Refused(Refusal::Duplicate))
        }),
        Property::sometimes(APPROVED_AFTER_CHANGE, approved_after_change),
        Property::sometimes(RESOLVED, resolved),
        Property::sometimes(FENCED, |_, state: &State| {
            state.phases.contains(&Phase::Refused(Refusal::Fenced))
        }),
        Property::sometimes(PAID_IN_PARTS, paid_in_parts),
        Property::sometimes(REOPENED, |cluster: &Cluster, state: &State| {
            let reversed = |payment: usize| state.is_recorded(Record::Reversed(payment));
            is_paid_beyond_its_room(cluster, state, |payment| !state.over[payment])
                && approved(state).any(reversed)
        }),
        Property::sometimes(PAID_AS_NEW, |cluster: &Cluster, state: &State| {
            let reversed = |payment: usize| state.is_recorded(Record::Reversed(payment));
            is_paid_beyond_its_room(cluster, state, |payment| !reversed(payment))
                && approved(state).any(|payment| state.over[payment])
        }),
        Property::sometimes(NEW_LANE_USED, |cluster: &Cluster, state: &State| {
            let row = cluster.new_lane.and_then(|new| state.lanes[new.lane].as_ref());
            row.is_some_and(|row| row.visible().next().is_some())
        }),
    ]
}

/// The payments whose INTENT counts; one that is there twice is named twice.
fn intended(state: &State) -> impl Iterator<Item = usize> {
    state.journal().filter_map(|frame| match frame.record {
        Record::Intent(payment) => Some(payment),
        Record::Outcome(..) | Record::Reversed(_) => None,
    })
}

fn outcome_of(state: &State, payment: usize) -> Option<Outcome> {
    state.journal().find_map(|frame| match frame.record {
        Record::Outcome(about, outcome) if about == payment => Some(outcome),
        _ => None,
    })
}

/// No value of `of` comes up twice among the payments.
fn no_two_alike(payments: impl Iterator<Item = usize>, of: impl Fn(usize) -> u8) -> bool {
    let mut seen = [false; PAYMENTS];
    for payment in payments {
        let value = usize::from(of(payment));
        if std::mem::replace(&mut seen[value], true) {
            return false;
        }
    }
    true
}

fn one_intent_per_key(cluster: &Cluster, state: &State) -> bool {
    no_two_alike(intended(state), |payment| cluster.payments[payment].key)
}

fn one_approval_per_key(cluster: &Cluster, state: &State) -> bool {
    let key = |payment: usize| cluster.payments[payment].key;
    let sent = (0..PAYMENTS).filter(|payment| state.sent[*payment]);
    let approved = |payment: &usize| state.answered[*payment] == Some(Outcome::Approved);
    no_two_alike(sent, key) && no_two_alike((0..PAYMENTS).filter(approved), key)
}

fn within_limits(cluster: &Cluster, state: &State) -> bool {
    let payments = intended(state).filter(|payment| counts(state, *payment));
    fullest(cluster, payments) <= cluster.room
}

/// Whether the journal says that a payment takes room: it may have been approved, it was not reversed,
/// and its account is not forgotten.
fn counts(state: &State, payment: usize) -> bool {
    outcome_of(state, payment) != Some(Outcome::Declined)
        && !state.is_recorded(Record::Reversed(payment))
        && !state.over[payment]
}

/// What payments take of the account that they take the most of.
fn fullest(cluster: &Cluster, payments: impl Iterator<Item = usize>) -> u8 {
    let mut taken = [0; PAYMENTS];
    for asked in payments.map(|payment| &cluster.payments[payment]) {
        taken[usize::from(asked.account)] += asked.amount;
    }
    taken.into_iter().max().unwrap_or(0)
}

fn approved(state: &State) -> impl Iterator<Item = usize> {
    let is_approved = |payment: &usize| outcome_of(state, *payment) == Some(Outcome::Approved);
    intended(state).filter(is_approved)
}

fn paid_in_parts(cluster: &Cluster, state: &State) -> bool {
    let standing = || approved(state).filter(|payment| counts(state, *payment));
    let account = |payment: usize| cluster.payments[payment].account;
    standing().any(|one| standing().any(|other| one < other && account(one) == account(other)))
}

fn is_paid_beyond_its_room(cluster: &Cluster, state: &State, some: impl Fn(usize) -> bool) -> bool {
    fullest(cluster, approved(state).filter(|payment| some(*payment))) > cluster.room
}

fn nothing_sent_unrecorded(_: &Cluster, state: &State) -> bool {
    let mut sent = (0..PAYMENTS).filter(|payment| state.sent[*payment]);
    sent.all(|payment| state.is_recorded(Record::Intent(payment)))
}

fn answers_stay(_: &Cluster, state: &State) -> bool {
    (0..PAYMENTS).all(|payment| {
        let about = state.journal().filter(|frame| frame.record.payment() == payment);
        let mut outcomes = about.filter(|frame| matches!(frame.record, Record::Outcome(..)));
        let (first, second) = (outcomes.next(), outcomes.next());
        let told = state.answered[payment].map(|outcome| Record::Outcome(payment, outcome));
        second.is_none() && (told.is_none() || first.map(|frame| frame.record) == told)
    })
}

fn refusals_stay(_: &Cluster, state: &State) -> bool {
    let refused = |payment: usize| matches!(state.phases[payment], Phase::Refused(_));
    !intended(state).any(refused)
}

fn no_holes(_: &Cluster, state: &State) -> bool {
    let whole = |row: &Lane| row.visible().map(|frame| frame.position).eq(1..=row.head);
    state.lanes.iter().flatten().all(whole)
}

fn gate_not_laxer(_: &Cluster, state: &State) -> bool {
    let redis = &state.redis[state.control.pin];
    let published = Gate { epoch: state.control.epoch, open: true };
    let open = state.control.open && redis.gate == Some(published);
    !open
        || intended(state).all(|payment| {
            redis.knows_key(payment) && (!counts(state, payment) || redis.takes_room(payment))
        })
}

fn approved_after_change(_: &Cluster, state: &State) -> bool {
    let mut later = state.journal().filter(|frame| frame.guard > 1);
    later.any(|frame| match frame.record {
        Record::Intent(payment) => state.answered[payment] == Some(Outcome::Approved),
        Record::Outcome(..) | Record::Reversed(_) => false,
    })
}

fn resolved(_: &Cluster, state: &State) -> bool {
    // A node that hears nothing writes the same; only a taker does so about what was lost.
    state.journal().any(|frame| {
        matches!(frame.record, Record::Outcome(payment, Outcome::Unknown)
            if state.phases[payment] == Phase::Lost && frame.epoch > 1)
    })
}
