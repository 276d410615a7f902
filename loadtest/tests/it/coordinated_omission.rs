//! The harness does not hide a pause of the server behind its own waiting.
//!
//! For a constant rate R, one pause of P seconds in T seconds and a server of capacity C, the
//! q-quantile of latency from planned instants is `P − (1 − q) · T · (1 − R/C)` in the limit of an
//! unbounded server queue. A simulated server with exactly these numbers stands in for the
//! switch; schedule, windows and recorder are the real ones.

use std::collections::VecDeque;

use loadtest::drive::Keep;
use loadtest::drive::record::{AnswerElements, Recorder};
use loadtest::drive::window::{Open, Window};
use loadtest::simulator::issuer::Verdict;
use loadtest::workload::schedule::{Pace, Schedule};

const RATE: u64 = 2_000;
const CAPACITY: u64 = 5_700;
const SECONDS: u64 = 20;
const PAUSE_NS: u64 = 1_400_000_000;
const PAUSE_FROM_NS: u64 = 8_000_000_000;
const NANOS: u64 = 1_000_000_000;
const STEP_NS: u64 = 50_000;

#[test]
fn a_pause_is_in_the_percentiles_as_the_formula_says() {
    let recorder = simulate(16, 32);
    let expected_us = PAUSE_NS / 1000 - SECONDS * 1_000_000 / 100 * (CAPACITY - RATE) / CAPACITY;
    let p99 = recorder.from_planned.value_at_quantile(0.99);
    let off = p99.abs_diff(expected_us);
    assert!(off * 100 <= expected_us * 3, "p99 {p99} µs, formula {expected_us} µs");
    // What a harness that measures from its own sending would have reported: almost nothing.
    let uncorrected = recorder.from_sent.value_at_quantile(0.95);
    assert!(uncorrected < expected_us / 4, "p95 from sending {uncorrected} µs");
    assert_eq!(recorder.from_planned.len(), RATE * SECONDS);
}

fn simulate(lines: u32, slots: u32) -> Recorder {
    let schedule = Schedule::new(Pace::Constant { per_second: RATE }, SECONDS * NANOS);
    let mut windows: Vec<Window> =
        (0..lines).map(|line| Window::new(line, lines, slots, 0)).collect();
    let mut recorder = Recorder::new(Keep::Figures, u64::MAX);
    let mut queue: VecDeque<(usize, u32)> = VecDeque::new();
    let (mut next, mut now_ns, mut server_free_at) = (0, 0, 0);
    while next < RATE * SECONDS || !queue.is_empty() {
        for (line, window) in windows.iter_mut().enumerate() {
            while window.has_room()
                && let Some(planned_ns) = schedule.planned_ns(next).filter(|at| *at <= now_ns)
            {
                let open = Open {
                    index: next,
                    stan: 0,
                    planned_ns,
                    sent_ns: now_ns,
                    transmitted_at: *b"0101000000",
                    first: None,
                };
                queue.push_back((line, window.open(open).unwrap()));
                next += 1;
            }
        }
        let is_paused = (PAUSE_FROM_NS..PAUSE_FROM_NS + PAUSE_NS).contains(&now_ns);
        while !is_paused && server_free_at <= now_ns {
            let Some((line, stan)) = queue.pop_front() else { break };
            server_free_at = server_free_at.max(now_ns - STEP_NS.min(now_ns)) + NANOS / CAPACITY;
            let open = windows[line].close(stan).unwrap();
            let heard =
                AnswerElements { response_code: *b"00", folio: 1, reason_no: 0, http_status: None };
            recorder.answered(&open, heard, Verdict::Approve, now_ns);
        }
        now_ns += STEP_NS;
    }
    recorder
}
