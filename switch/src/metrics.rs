//! Metrics: what they mean, their buckets, and their text for Prometheus.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of time buckets, in seconds: 50 µs to a minute.
const SECONDS: [f64; 19] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// Upper bounds of batch-size buckets.
const SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Installs the recorder of this process. In a process that has one (tests), that one stays and
/// the returned handle shows nothing.
///
/// Errors: [`BuildError`] when the buckets are no good.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_records".to_owned()), &SIZES)?
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        describe();
    }
    Ok(handle)
}

fn describe() {
    describe_counter!("cauce_payments_total", "Payments decided or refused, by reason");
    describe_counter!("cauce_replays_total", "Repeats that were told a stored answer");
    describe_histogram!("cauce_payment_seconds", "From decoding a request to its durable outcome");
    describe_counter!("cauce_messages_refused_total", "Messages refused, by why");
    describe_counter!("cauce_messages_unwritable_total", "Ours that a bank's format cannot hold");
    describe_counter!("cauce_not_sent_total", "Requests that certainly never left, by why");
    describe_counter!(
        "cauce_payments_not_decided_total",
        "Requests that were not decided, by why: clock, gate, queue, stalled, elsewhere, journal"
    );
    describe_gauge!("cauce_clock_trusted", "Whether the wall clock is believed: 1 or 0");
    describe_gauge!("cauce_clock_ahead_seconds", "Wall clock less expected time; 0 if trusted");
    describe_counter!("cauce_answers_undelivered_total", "Answers whose line had gone");
    describe_counter!("cauce_unmatched_answers_total", "Answers nobody waited for any more");
    describe_counter!(
        "cauce_answers_contradicting_total",
        "Answers that disagree with their request, by participant and data element"
    );
    describe_counter!("cauce_partial_approvals_total", "Approvals of a part, by participant");
    describe_counter!(
        "cauce_response_codes_unknown_total",
        "Declines with a response code that the catalogue does not know, by participant"
    );
    describe_counter!(
        "cauce_late_answers_total",
        "Late answers recorded with their payment, by participant and outcome"
    );
    describe_counter!("cauce_reversals_confirmed_total", "Reversals with evidence");
    describe_counter!("cauce_reversal_repeats_total", "Reversals that had to be repeated");
    describe_gauge!("cauce_reversals_owed", "Payments that are unknown or being undone");
    describe_gauge!("cauce_participant_lines", "Lines signed on, by participant");
    describe_counter!("cauce_lines_closed_total", "Lines that ended, by why");
    describe_counter!("cauce_lines_refused_total", "Connections refused, by why");
    describe_counter!("cauce_line_write_failures_total", "Lines dropped because writing failed");
    describe_strangers();
    describe_counter!("cauce_key_changes_refused_total", "Keys sent to us and not taken, by why");
    describe_counter!("cauce_pins_refused_total", "PIN blocks that could not be translated");
    describe_counter!("cauce_reconnects_total", "Lines opened again, by participant");
    describe_counter!("cauce_task_panics_total", "Tasks that panicked; a defect");
    describe_counter!("cauce_http_requests_total", "Requests answered, by route and status");
    describe_histogram!("cauce_http_request_seconds", "From a request's header to its answer");
    describe_counter!("cauce_http_refused_total", "Requests and connections refused, by why");
    describe_counter!("cauce_http_panics_total", "Requests whose handler panicked; a defect");
    describe_counter!("cauce_admin_refused_total", "Requests to the admin port refused, by why");
    describe_counter!("cauce_notices_delivered_total", "Notices accepted by endpoints");
    describe_counter!("cauce_notices_failed_total", "Attempts that were not accepted, by why");
    describe_counter!("cauce_notices_dead_total", "Notices given up after their last attempt");
    describe_counter!("cauce_endpoints_gone_total", "Endpoints deleted because they answered 410");
    describe_gauge!("cauce_notices_owed", "Notices held to be sent, up to 4096 an endpoint");
    describe_histogram!("cauce_notice_lag_seconds", "From an event to its acceptance");
    describe_cluster();
}

/// What peers cost that have proved nothing, or that are slow.
fn describe_strangers() {
    describe_counter!("cauce_connections_refused_total", "Connections without a place, by kind");
    describe_counter!("cauce_connections_displaced_total", "Idle ones closed for others, by kind");
    describe_counter!("cauce_accept_failures_total", "Connections that could not be accepted");
    describe_counter!(
        "cauce_lines_backed_up_total",
        "Times a peer's answers kept it from being read"
    );
    describe_counter!("cauce_line_backlog_full_total", "Messages that found a line's queue full");
    describe_counter!(
        "cauce_log_lines_left_out_total",
        "Lines about strangers left out of the log"
    );
    describe_gauge!(
        "cauce_participant_reversals_owed",
        "Payments that are unknown or being undone, by participant"
    );
}

/// What only nodes of a cluster have.
fn describe_cluster() {
    describe_gauge!("cauce_gate_served", "Whether the gate serves this node: 1 or 0");
    describe_gauge!("cauce_gate_open", "Whether this node would ask the pinned Redis: 1 or 0");
    describe_gauge!("cauce_gate_clock_ahead_seconds", "Clock of Redis less this node's");
    describe_gauge!("cauce_gate_epoch", "Epoch of the gate that was opened last");
    describe_counter!("cauce_gate_calls_total", "Function calls to Redis");
    describe_counter!("cauce_gate_round_trips_total", "Round trips to Redis; many calls each");
    describe_histogram!("cauce_gate_seconds", "One round trip to Redis");
    describe_counter!("cauce_gate_unavailable_total", "Times Redis gave no decision, by why");
    describe_histogram!("cauce_gate_rebuild_seconds", "From a new epoch to an open gate");
    describe_counter!("cauce_cql_statements_total", "CQL statements, by kind");
    describe_histogram!("cauce_cql_seconds", "One CQL statement, by kind");
    describe_counter!("cauce_cql_errors_total", "CQL statements that failed, by kind");
    describe_counter!("cauce_cql_conditional_updates_total", "CQL statements with a condition");
    describe_counter!("cauce_cluster_takeovers_total", "Lanes of silent nodes taken over");
    describe_counter!("cauce_peer_requests_total", "What other nodes asked, by result");
    describe_counter!(
        "cauce_remote_line_requests_total",
        "Requests sent through another node's line"
    );
    describe_counter!(
        "cauce_remote_line_answers_total",
        "Answers handed to the node that had asked"
    );
}
