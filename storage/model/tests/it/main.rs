//! The protocol is checked in each bounded world, to the last state; then one rule at a time is
//! taken away, and the check must notice.
//!
//! `cargo test -p storage-model -- --nocapture` prints what each check saw, and the steps that
//! lead to each planted violation.

#![allow(clippy::print_stdout, reason = "the numbers and the paths are half of the result")]

use std::collections::BTreeSet;
use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model};
use storage_model::properties::*;
use storage_model::{Cluster, Outcome, Plant, scenario};

#[test]
fn the_protocol_holds_when_redis_is_flushed() {
    holds("flushed", scenario::flushed(), &[APPROVED, FENCED, APPROVED_AFTER_CHANGE]);
}

#[test]
fn the_protocol_holds_when_redis_is_split_and_loses_a_tail() {
    holds("split", scenario::split(), &[APPROVED, FENCED, APPROVED_AFTER_CHANGE]);
}

#[test]
fn the_protocol_holds_when_one_side_of_a_split_is_flushed() {
    let reached = [APPROVED, FENCED, APPROVED_AFTER_CHANGE];
    holds("flushed in a split", scenario::flushed_in_split(), &reached);
}

#[test]
fn the_protocol_holds_when_nodes_die_pause_and_lose_their_lanes() {
    holds("takeover", scenario::takeover(), &[APPROVED, FENCED, RESOLVED]);
}

#[test]
fn the_protocol_holds_when_a_node_dies_while_redis_is_flushed() {
    let reached = [APPROVED, FENCED, RESOLVED, APPROVED_AFTER_CHANGE];
    holds("takeover while flushed", scenario::takeover_while_flushed(), &reached);
}

#[test]
fn the_protocol_holds_when_a_lane_is_taken_while_redis_is_split() {
    let reached = [APPROVED, FENCED, RESOLVED, APPROVED_AFTER_CHANGE];
    holds("takeover in a split", scenario::takeover_in_split(), &reached);
}

#[test]
fn the_protocol_holds_when_two_payments_share_a_key() {
    let reached = [APPROVED, FENCED, DUPLICATE_REFUSED, APPROVED_AFTER_CHANGE];
    holds("shared key", scenario::shared_key(), &reached);
}

#[test]
fn the_protocol_holds_when_a_lane_is_inserted_during_a_change() {
    let reached = [APPROVED, FENCED, NEW_LANE_USED, APPROVED_AFTER_CHANGE];
    holds("new lane", scenario::new_lane(), &reached);
}

#[test]
fn the_protocol_holds_when_a_new_lane_is_taken_at_once() {
    let reached = [APPROVED, FENCED, RESOLVED, NEW_LANE_USED, APPROVED_AFTER_CHANGE];
    holds("new lane taken", scenario::new_lane_taken(), &reached);
}

#[test]
fn the_protocol_holds_when_clocks_are_wrong() {
    let reached = [APPROVED, FENCED, DUPLICATE_REFUSED, APPROVED_AFTER_CHANGE];
    holds("wrong clocks", scenario::wrong_clocks(), &reached);
}

#[test]
fn parts_of_a_bill_add_up_to_its_amount_when_redis_is_flushed() {
    let reached = [APPROVED, PAID_IN_PARTS, APPROVED_AFTER_CHANGE];
    holds("bill in parts", scenario::bill_in_parts(), &reached);
}

#[test]
fn what_a_reversal_frees_of_a_bill_is_paid_again_and_no_more() {
    holds("bill reopened", scenario::bill_reopened(), &[APPROVED, REOPENED]);
}

#[test]
fn a_forgotten_bill_is_paid_as_a_new_one_and_no_further() {
    let reached = [APPROVED, REOPENED, PAID_AS_NEW];
    holds("bill forgotten", scenario::bill_forgotten(), &reached);
    holds("bill forgotten while flushed", scenario::bill_forgotten_while_flushed(), &reached);
}

#[test]
fn with_a_part_given_back_before_its_reversal_counts_a_bill_is_overpaid() {
    breaks(Plant::GivenBackBeforeRecord, scenario::bill_reopened(), WITHIN_LIMITS);
    breaks(Plant::GivenBackBeforeRecord, scenario::bill_reopened(), GATE_NOT_LAXER);
}

#[test]
fn with_a_part_given_back_of_a_forgotten_bill_the_new_one_is_overpaid() {
    breaks(Plant::GivenBackOfForgottenBill, scenario::bill_forgotten(), WITHIN_LIMITS);
}

#[test]
fn without_a_fence_an_account_is_overrun() {
    breaks(Plant::NoFence, scenario::flushed(), WITHIN_LIMITS);
    breaks(Plant::NoFence, scenario::split(), WITHIN_LIMITS);
    breaks(Plant::NoFence, scenario::split(), GATE_NOT_LAXER);
    breaks(Plant::NoFence, scenario::shared_key(), ONE_INTENT_PER_KEY);
    breaks(Plant::NoFence, scenario::shared_key(), ONE_APPROVAL_PER_KEY);
}

#[test]
fn with_the_fence_after_the_rebuild_an_account_is_overrun() {
    breaks(Plant::FenceAfterRebuild, scenario::flushed(), WITHIN_LIMITS);
    breaks(Plant::FenceAfterRebuild, scenario::split(), WITHIN_LIMITS);
}

#[test]
fn with_the_head_moved_before_the_frame_is_acknowledged_something_unrecorded_is_sent() {
    let plant = Plant::HeadBeforeFrameAcknowledged;
    breaks(plant, scenario::takeover(), NOTHING_SENT_UNRECORDED);
    breaks(plant, scenario::takeover(), NO_HOLES);
    breaks(plant, scenario::takeover(), ANSWERS_STAY);
}

#[test]
fn with_holds_released_by_time_an_account_is_overrun() {
    breaks(Plant::HoldReleasedByTime, scenario::flushed(), WITHIN_LIMITS);
}

#[test]
fn with_a_new_lane_that_is_not_rechecked_an_account_is_overrun() {
    breaks(Plant::NewLaneNotRechecked, scenario::new_lane(), WITHIN_LIMITS);
}

#[test]
fn with_a_taken_lane_that_is_not_rechecked_an_account_is_overrun() {
    breaks(Plant::TakenLaneNotRechecked, scenario::new_lane_taken(), WITHIN_LIMITS);
}

#[test]
fn with_holds_released_whatever_their_lane_epoch_an_account_is_overrun() {
    breaks(Plant::HoldsReleasedByLaneAlone, scenario::takeover(), WITHIN_LIMITS);
}

#[test]
fn with_the_pin_not_compared_an_account_is_overrun() {
    breaks(Plant::PinNotCompared, scenario::split(), WITHIN_LIMITS);
}

#[test]
fn with_settles_accepted_under_any_gate_value_an_account_is_overrun() {
    let outcomes = vec![Outcome::Unknown];
    let flushed = Cluster { outcomes, ..scenario::flushed() };
    breaks(Plant::SettledWithoutGate, flushed, WITHIN_LIMITS);
}

#[test]
fn with_a_rebuild_that_claims_nothing_an_account_is_overrun() {
    breaks(Plant::RedisNotClaimed, scenario::flushed_in_split(), WITHIN_LIMITS);
}

#[test]
fn with_clocks_that_are_not_compared_a_key_is_taken_twice() {
    breaks(Plant::ClocksNotCompared, scenario::wrong_clocks(), ONE_INTENT_PER_KEY);
    breaks(Plant::ClocksNotCompared, scenario::wrong_clocks(), ONE_APPROVAL_PER_KEY);
}

#[test]
fn with_a_step_of_the_clock_that_is_not_bounded_a_key_is_taken_twice() {
    breaks(Plant::StepOfClockNotBounded, scenario::wrong_clocks(), ONE_INTENT_PER_KEY);
    breaks(Plant::StepOfClockNotBounded, scenario::wrong_clocks(), GATE_NOT_LAXER);
}

#[test]
fn with_what_was_pending_in_a_lost_lane_called_refused_somebody_is_told_a_lie() {
    breaks(Plant::LostMeansRefused, scenario::takeover(), REFUSALS_STAY);
}

/// Visits every state of `cluster`: nothing may be violated, and the world must not be so narrow
/// that what is named in `reached` never comes about.
fn holds(name: &str, cluster: Cluster, reached: &[&'static str]) {
    let begun = Instant::now();
    let checker = cluster.checker().threads(2).spawn_bfs().join();
    let (states, elapsed) = (checker.unique_state_count(), begun.elapsed());
    println!("{name}: {states} states, {} steps deep, {elapsed:.1?}", checker.max_depth());
    for property in checker.model().properties() {
        match property.expectation {
            Expectation::Sometimes => {}
            _ => checker.assert_no_discovery(property.name),
        }
    }
    for name in reached {
        checker.assert_any_discovery(name);
    }
    assert!(checker.is_done(), "{name}: some states were not visited");
}

/// Takes a rule away and looks for the shortest way to a state that violates `property`. One
/// thread, so that the way is the same each time.
fn breaks(plant: Plant, cluster: Cluster, property: &'static str) {
    let cluster = Cluster { plant: Some(plant), ..cluster };
    let enough = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = cluster.checker().finish_when(enough).spawn_bfs().join();
    let steps = checker.assert_any_discovery(property).into_actions();
    let states = checker.unique_state_count();
    println!("{plant:?} breaks \"{property}\" in {} steps, {states} states", steps.len());
    steps.iter().for_each(|step| println!("    {step:?}"));
}
