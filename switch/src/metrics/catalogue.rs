//! Every metric: its name, kind, meaning, and the values its labels have from the start.

use router::reason::Reason;

use Dimension::{
    Of, Participant, ParticipantOfJson, ParticipantOfLines, ParticipantOrUnknown, Route,
};

/// One metric.
pub(super) struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// What it says, for Prometheus and for people.
    pub help: &'static str,
    /// Its labels.
    pub dimensions: &'static [Dimension],
}

/// What is counted, and how.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A label and the values it has from the start.
pub(super) enum Dimension {
    /// `participant`: every one that is configured.
    Participant,
    /// `participant`: every one with lines.
    ParticipantOfLines,
    /// `participant`: every one with a JSON API.
    ParticipantOfJson,
    /// All of them, and lines whose participant is not known.
    ParticipantOrUnknown,
    /// Any other.
    Of(&'static str, fn() -> Vec<&'static str>),
    /// The routes of the HTTP API, by the names they have in metrics.
    Route,
}

const fn counter(
    name: &'static str,
    help: &'static str,
    dimensions: &'static [Dimension],
) -> Metric {
    Metric { name, kind: Kind::Counter, help, dimensions }
}

const fn gauge(name: &'static str, help: &'static str, dimensions: &'static [Dimension]) -> Metric {
    Metric { name, kind: Kind::Gauge, help, dimensions }
}

const fn histogram(
    name: &'static str,
    help: &'static str,
    dimensions: &'static [Dimension],
) -> Metric {
    Metric { name, kind: Kind::Histogram, help, dimensions }
}

/// The metrics of every switch.
pub(super) const METRICS: &[Metric] = &[
    gauge(
        "cauce_build_info",
        "The version that runs; always 1",
        &[Of("version", || vec![env!("CARGO_PKG_VERSION")])],
    ),
    counter(
        "cauce_payments_total",
        "Payments decided or refused, by reason",
        &[Of("reason", reasons)],
    ),
    histogram("cauce_payment_seconds", "From decoding a request to its durable outcome", &[]),
    gauge("cauce_payments_under_way", "Requests being worked on", &[]),
    counter("cauce_replays_total", "Repeats that were told a stored answer", &[]),
    counter(
        "cauce_payments_not_decided_total",
        "Requests that were not decided, by why",
        &[Of("why", || {
            vec!["clock", "gate", "queue", "stalled", "elsewhere", "journal", "back_office"]
        })],
    ),
    gauge("cauce_backoffice_up", "Whether the back office is open and follows the journal", &[]),
    gauge(
        "cauce_backoffice_lag_records",
        "Durable records that have no rows in the back office yet",
        &[],
    ),
    gauge(
        "cauce_backoffice_lag_age_seconds",
        "Age of the last record that has rows, where there are others behind it, in seconds",
        &[],
    ),
    counter("cauce_backoffice_records_total", "Records that the back office has made rows of", &[]),
    counter(
        "cauce_backoffice_failures_total",
        "Times that rows could not be made of records, which is tried again",
        &[],
    ),
    counter(
        "cauce_not_sent_total",
        "Requests that certainly never left, by why",
        &[Of("why", || {
            vec!["signed_off", "congested", "unwritable", "reversals_pending", "not_taken"]
        })],
    ),
    counter(
        "cauce_participant_payments_total",
        "Payments a participant was asked for, by what came of them",
        &[Participant, Of("outcome", || vec!["approved", "declined", "unknown", "not_sent"])],
    ),
    histogram(
        "cauce_participant_answer_seconds",
        "From asking a participant for a payment to its answer or the end of waiting",
        &[Participant],
    ),
    gauge("cauce_participant_lines", "Lines signed on, by participant", &[ParticipantOfLines]),
    gauge("cauce_participant_in_flight", "Requests a participant has not answered", &[Participant]),
    gauge(
        "cauce_participant_reversals_owed",
        "Payments that are unknown or being undone, by participant",
        &[Participant],
    ),
    counter("cauce_reconnects_total", "Lines opened again, by participant", &[Participant]),
    counter(
        "cauce_unmatched_answers_total",
        "Answers nobody waited for any more, by participant",
        &[Participant],
    ),
    counter(
        "cauce_answers_contradicting_total",
        "Answers that disagree with their request, by participant and data element",
        &[Participant, Of("field", || vec!["2", "3", "4", "32", "41", "42", "49", "90", "102"])],
    ),
    counter(
        "cauce_json_answers_not_understood_total",
        "Answers and notifications of JSON banks that say nothing that can be believed, or did not \
         come whole, by participant, operation and problem",
        &[
            ParticipantOfJson,
            Of("operation", || {
                vec!["start", "confirm", "inquire", "reverse", "refund", "notification"]
            }),
            Of("problem", || {
                vec![
                    "silent",
                    "not_json",
                    "missing",
                    "not_known",
                    "not_a_value",
                    "contradicts",
                    "too_long",
                    "timeout",
                    "broken",
                    "unreadable",
                    "no_payment",
                ]
            }),
        ],
    ),
    counter(
        "cauce_json_signatures_refused_total",
        "Messages of JSON banks whose signature is not believed, by participant, message and why",
        &[
            ParticipantOfJson,
            Of("message", || vec!["answer", "notification"]),
            Of("why", || {
                vec![
                    "not_signed",
                    "malformed",
                    "component",
                    "not_covered",
                    "key",
                    "stale",
                    "digest",
                    "mismatch",
                    "replayed",
                    "replay_window_full",
                ]
            }),
        ],
    ),
    counter("cauce_partial_approvals_total", "Approvals of a part, by participant", &[Participant]),
    counter(
        "cauce_response_codes_unknown_total",
        "Declines with a response code that the catalogue does not know, by participant",
        &[Participant],
    ),
    counter(
        "cauce_late_answers_total",
        "Late answers recorded with their payment, by participant and outcome",
        &[Participant, Of("outcome", || vec!["approved", "declined", "unknown"])],
    ),
    counter(
        "cauce_messages_refused_total",
        "Messages that were not understood or not taken, by participant and why",
        &[ParticipantOrUnknown, Of("why", refused_kinds)],
    ),
    counter(
        "cauce_sign_ons_refused_total",
        "Sign-ons refused, by participant and why",
        &[ParticipantOrUnknown, Of("why", sign_on_refusals)],
    ),
    counter(
        "cauce_messages_unwritable_total",
        "Messages of ours that a participant's format cannot hold",
        &[ParticipantOrUnknown],
    ),
    counter("cauce_requests_expired_total", "Requests given up before they were written", &[]),
    counter("cauce_answers_undelivered_total", "Answers whose line had gone", &[]),
    counter("cauce_reversals_confirmed_total", "Reversals with evidence", &[]),
    counter(
        "cauce_inquiries_total",
        "Unknown payments of which more is known, by what was found",
        &[Of("finding", || vec!["approved", "declined", "not_found", "deemed_approved"])],
    ),
    counter(
        "cauce_refunds_total",
        "Refunds that ended, by how",
        &[Of("end", || vec!["done", "failed"])],
    ),
    counter("cauce_payments_expired_total", "Payments that waited in vain", &[]),
    counter("cauce_reversal_repeats_total", "Reversals that had to be repeated", &[]),
    gauge("cauce_reversals_owed", "Payments that are unknown or being undone", &[]),
    counter(
        "cauce_early_reversals_total",
        "Reversals that came before their originals, by result",
        &[Of("result", || vec!["remembered", "known", "too_many"])],
    ),
    counter("cauce_lines_closed_total", "Lines that ended, by why", &[Of("why", line_ends)]),
    counter(
        "cauce_lines_refused_total",
        "Connections to the lines' listeners refused, by why",
        &[Of("why", || vec!["too_many", "displaced", "tls", "tls_timeout"])],
    ),
    counter("cauce_line_write_failures_total", "Lines dropped because writing failed", &[]),
    counter("cauce_lines_backed_up_total", "Times a peer's answers kept it from being read", &[]),
    counter("cauce_line_backlog_full_total", "Messages that found a line's queue full", &[]),
    gauge("cauce_line_trace_on", "Whether lines are traced: 1 or 0", &[]),
    counter(
        "cauce_line_trace_lost_total",
        "Events that the trace of lines lost, by why",
        &[Of("why", || vec!["queue", "disk", "too_long", "stop"])],
    ),
    counter(
        "cauce_key_changes_refused_total",
        "Keys sent to us and not taken, by why",
        &[Of("why", key_faults)],
    ),
    counter(
        "cauce_pins_refused_total",
        "PIN blocks that could not be translated, by why",
        &[Of("why", key_faults)],
    ),
    counter(
        "cauce_connections_refused_total",
        "Connections without a place, by kind",
        &[Of("kind", || vec!["line", "http", "peer"])],
    ),
    counter(
        "cauce_connections_displaced_total",
        "Idle connections closed for others, by kind",
        &[Of("kind", || vec!["line", "http", "peer"])],
    ),
    counter("cauce_accept_failures_total", "Connections that could not be accepted", &[]),
    counter("cauce_log_lines_left_out_total", "Lines about strangers left out of the log", &[]),
    counter(
        "cauce_http_requests_total",
        "Requests answered, by route and status",
        &[Route, Of("status", || vec!["200", "400", "500", "503"])],
    ),
    histogram("cauce_http_request_seconds", "From a request's header to its answer", &[Route]),
    counter(
        "cauce_http_refused_total",
        "Requests and connections refused, by why",
        &[Of("why", http_refusals)],
    ),
    gauge("cauce_event_streams", "Streams of events that are open", &[]),
    counter("cauce_http_panics_total", "Requests whose handler panicked; a defect", &[]),
    counter(
        "cauce_admin_refused_total",
        "Requests to the admin port refused, by why",
        &[Of("why", || vec!["host", "origin", "token", "crowded"])],
    ),
    counter(
        "cauce_rules_reloads_total",
        "Times the rules were read again, by result",
        &[Of("result", || vec!["ok", "refused"])],
    ),
    counter(
        "cauce_task_panics_total",
        "Tasks that panicked; a defect",
        &[Of("task", || vec!["payment", "line", "line writer", "reversals", "notices"])],
    ),
    gauge("cauce_clock_trusted", "Whether the wall clock is believed: 1 or 0", &[]),
    gauge("cauce_clock_ahead_seconds", "Wall clock less expected time; 0 if trusted", &[]),
    counter("cauce_notices_delivered_total", "Notices accepted by endpoints", &[]),
    counter(
        "cauce_notices_failed_total",
        "Attempts that were not accepted, by why",
        &[Of("why", notice_failures)],
    ),
    counter(
        "cauce_notices_dead_total",
        "Notices given up after their last attempt, or for their age",
        &[],
    ),
    counter("cauce_endpoints_gone_total", "Endpoints deleted because they answered 410", &[]),
    gauge("cauce_endpoints_paused", "Endpoints that asked for a pause, by Retry-After", &[]),
    gauge("cauce_notices_owed", "Notices held to be sent, up to 4096 an endpoint", &[]),
    histogram("cauce_notice_lag_seconds", "From an event to its acceptance", &[]),
    counter("cauce_journal_records_total", "Records made durable", &[]),
    counter("cauce_journal_bytes_total", "Bytes of them", &[]),
    histogram("cauce_journal_group_records", "Records made durable at once", &[]),
    histogram("cauce_journal_sync_seconds", "Making one group durable", &[]),
    gauge("cauce_journal_queue_len", "Requests that wait for the journal's writer", &[]),
    gauge("cauce_journal_view_lag_records", "Records the read models do not reflect yet", &[]),
    counter("cauce_journal_segments_removed_total", "Old segments of the journal removed", &[]),
    counter("cauce_journal_failures_total", "Failures that ended the journal", &[]),
];

/// What only nodes of a cluster have.
pub(super) const CLUSTER: &[Metric] = &[
    gauge("cauce_gate_served", "Whether the gate serves this node: 1 or 0", &[]),
    gauge("cauce_gate_open", "Whether this node would ask the pinned Redis: 1 or 0", &[]),
    gauge("cauce_gate_clock_ahead_seconds", "Clock of Redis less this node's", &[]),
    gauge("cauce_gate_epoch", "Epoch of the gate that was opened last", &[]),
    counter("cauce_gate_calls_total", "Function calls to Redis", &[]),
    counter("cauce_gate_round_trips_total", "Round trips to Redis; many calls each", &[]),
    histogram("cauce_gate_seconds", "One round trip to Redis", &[]),
    counter(
        "cauce_gate_unavailable_total",
        "Decisions Redis did not give and endings it could not be told, each once, by why",
        &[Of("why", gate_failures)],
    ),
    histogram("cauce_gate_rebuild_seconds", "From a new epoch to an open gate", &[]),
    counter("cauce_cql_statements_total", "CQL statements, by kind", &[Of("kind", statements)]),
    histogram("cauce_cql_seconds", "One CQL statement, by kind", &[Of("kind", statements)]),
    counter(
        "cauce_cql_errors_total",
        "CQL statements that failed, by kind",
        &[Of("kind", statements)],
    ),
    counter("cauce_cql_conditional_updates_total", "CQL statements with a condition", &[]),
    counter("cauce_remote_line_requests_total", "Requests sent through another node's line", &[]),
    counter("cauce_remote_line_answers_total", "Answers handed to the node that had asked", &[]),
    counter("cauce_cluster_takeovers_total", "Lanes of silent nodes taken over", &[]),
    counter(
        "cauce_peer_requests_total",
        "What other nodes asked, by result",
        &[Of("result", || vec!["ok", "refused", "unknown"])],
    ),
];

fn reasons() -> Vec<&'static str> {
    Reason::ALL.iter().map(|reason| reason.info().code).collect()
}

/// What is wrong with messages: [`codecs::error::ErrorKind`], authentication codes,
/// [`codecs::iso8583::Misfit`], frames, and what is well-formed and not taken.
fn refused_kinds() -> Vec<&'static str> {
    vec![
        "undefined_field",
        "short_data",
        "short_length",
        "bad_length",
        "too_long",
        "trailing",
        "bad_bitmap",
        "short_tlv",
        "bad_content",
        "no_mac",
        "bad_mac",
        "missing_header",
        "unexpected_header",
        "other_format",
        "unknown_message_type",
        "short_header",
        "bad_header",
        "bad_trailer",
        "unfinished_frame",
        "before_sign_on",
        "bad_answer",
        "rejected",
        "too_many",
        "format_error",
        "amount_invalid",
        "currency_not_allowed",
        "service_not_enabled",
    ]
}

fn sign_on_refusals() -> Vec<&'static str> {
    vec![
        "no_acquirer",
        "unknown_acquirer",
        "other_acquirer",
        "no_acquirer_configured",
        "other_certificate",
        "other_address",
    ]
}

fn line_ends() -> Vec<&'static str> {
    vec![
        "by_peer",
        "stopping",
        "retired",
        "not_reading",
        "idle",
        "half_frame",
        "no_sign_on",
        "displaced",
        "bad_frame",
        "read_error",
    ]
}

fn http_refusals() -> Vec<&'static str> {
    vec![
        "body",
        "key",
        "keys",
        "rate_limit",
        "event_streams",
        "event_streams_of_key",
        "role",
        "idempotency_key",
        "not_found",
        "method",
        "media_type",
        "too_large",
        "timeout",
        "header_timeout",
        "not_http",
        "tls",
        "tls_timeout",
        "displaced",
        "draining",
        "overloaded",
        "gate_unavailable",
        "not_decided",
        "in_progress",
        "store",
        "panic",
    ]
}

fn notice_failures() -> Vec<&'static str> {
    vec![
        "timeout",
        "overdue",
        "not_public",
        "connect",
        "broken",
        "gone",
        "address_changed",
        "redirect",
        "status_429",
        "status_4xx",
        "status_5xx",
        "status_other",
    ]
}

fn gate_failures() -> Vec<&'static str> {
    vec!["closed", "lost", "timed_out", "stale", "superseded", "other_instance", "not_serving"]
}

fn key_faults() -> Vec<&'static str> {
    vec![
        "no_material",
        "bad_length",
        "bad_content",
        "unknown_key",
        "wrong_usage",
        "wrong_algorithm",
        "parity",
        "bad_wrap",
        "bad_check_value",
        "bad_pin_block",
        "bad_pin",
    ]
}

/// Kinds of statements; each is counted from its first one on.
fn statements() -> Vec<&'static str> {
    Vec::new()
}
