//! The suite every form passes, run against a node of the cluster form.

use storage::conformance;

use crate::support::{World, stop};

macro_rules! cluster {
    ($($rule:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                let started = tokio::task::spawn_blocking(|| World::fresh().node("node-1"));
                let (node, _) = started.await.unwrap();
                conformance::$rule(node.store()).await;
                stop(node).await;
            }
        )+
    };
}

cluster!(
    a_repeat_gets_the_first_answer,
    a_reused_key_is_told,
    a_refusal_is_an_answer_too,
    once_a_day_is_once_a_day,
    a_decline_gives_a_count_back,
    money_is_unavailable_early_and_available_late,
    parts_are_given_back_one_by_one_and_never_beyond,
    slots_are_kept_as_they_say,
    parts_of_a_bill_add_up_to_its_amount_and_no_further,
    a_reversal_reopens_what_it_freed_of_a_bill,
    a_late_approval_opens_a_reversed_payment_again,
    an_approval_behind_a_decline_owes_a_reversal,
    a_payment_that_waits_keeps_what_it_reserved_until_it_expires,
    of_a_confirmation_and_the_end_of_a_wait_one_wins,
    an_approval_behind_an_expiry_owes_a_reversal,
    an_inquiry_ends_an_unknown_payment_or_leaves_its_reversal_owed,
    refunds_are_given_back_one_by_one_and_never_beyond,
    sixty_four_refunds_at_once_never_give_back_more_than_was_paid,
    a_refund_begins_once_for_each_key,
    windows_do_not_share_counts,
    of_two_racing_outcomes_one_wins,
    reads_see_what_was_answered,
    a_trace_names_the_payment_of_its_own_terminal,
    a_look_up_does_not_overtake_a_queued_payment,
    a_list_over_255_items_is_refused,
    what_begins_a_payment_goes_through_the_guard,
    a_repeat_with_a_transmission_time_of_its_own_finds_its_original,
    a_first_request_after_its_repeat_is_no_other_payment,
    an_original_is_refused_whose_reversal_came_first,
    payments_are_found_by_parts_of_what_names_them,
    of_two_events_made_from_one_version_the_later_is_refused,
    an_event_posts_its_entry_and_owes_its_notices,
);
