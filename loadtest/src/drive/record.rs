//! What a run measured: histograms, counts, one entry a second, and every answer where an audit
//! is to follow.

use std::collections::HashMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::window::Open;
use crate::simulator::issuer::Verdict;
use crate::wire;

const HIGHEST_US: u64 = 60_000_000;
const DIGITS: u8 = 3;

/// How a request ended, as the client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// An answer came.
    Answered,
    /// None came before the client gave up.
    NoAnswer,
    /// The line fell first.
    LineLost,
}

/// What the client knows of one request. Twenty-four bytes, so a run can keep all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAnswer {
    /// Number of the payment in the run.
    pub index: u32,
    /// STAN of the request.
    pub stan: u32,
    /// Folio of the answer (DE37); 0 where there is none.
    pub folio: u64,
    /// How it ended.
    pub ending: Ending,
    /// Response code (DE39); `  ` where there is none.
    pub response_code: [u8; 2],
    /// Catalogue number of the reason (DE44); 0 where there is none.
    pub reason_no: u16,
}

/// Counts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests sent, repeats not counted.
    pub sent: u64,
    /// Answered 00.
    pub approved: u64,
    /// Answered with a decline.
    pub declined: u64,
    /// Declines where the plan has another ending for the payment.
    pub declined_unplanned: u64,
    /// Answered with "outcome not known" (68, 09).
    pub unknown: u64,
    /// Not answered before the client gave up.
    pub no_answer: u64,
    /// Unknown or not answered although the bank was to answer in time.
    pub lost_unplanned: u64,
    /// Approvals that came later than the slow limit of the run, from the planned instant.
    pub slow: u64,
    /// Open when their line fell.
    pub line_lost: u64,
    /// Planned and not sent by the end of the run.
    pub unsent: u64,
    /// Repeats (0201) answered.
    pub repeats: u64,
    /// Repeats answered otherwise than the first time.
    pub repeats_differ: u64,
    /// Repeats not answered.
    pub repeats_lost: u64,
    /// Answers to nothing that is open.
    pub unmatched: u64,
    /// Lines opened anew.
    pub reconnects: u64,
}

/// One second of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Which, from 0.
    pub second: u64,
    /// Requests sent in it.
    pub sent: u64,
    /// Answers heard in it.
    pub answered: u64,
    /// Approvals among them.
    pub approved: u64,
    /// Median latency from the planned instant, µs.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Worst.
    pub max_us: u64,
    /// Requests open at its end.
    pub open: u64,
}

/// Everything measured so far.
#[derive(Debug)]
pub struct Recorder {
    /// From the planned instant to the answer, µs: *the* latency.
    pub from_planned: Histogram<u64>,
    /// From the sending to the answer, µs: what a harness that waits its turn would report.
    pub from_sent: Histogram<u64>,
    /// From the planned instant to the sending, µs: the harness's own delay.
    pub lag: Histogram<u64>,
    /// Counts.
    pub counts: Counts,
    /// One entry a second.
    pub seconds: Vec<Second>,
    /// What the client knows of each request; none where no audit follows.
    pub answers: Option<Vec<ClientAnswer>>,
    /// Answers by response code; of ISO 8583 lines alone.
    pub by_code: Box<[u64; 100]>,
    /// Answers that are no approvals, by kind.
    pub others: HashMap<AnswerKind, u64>,
    slow_us: u64,
    interval: Histogram<u64>,
    before: Sums,
    answered: u64,
}

/// Sums at the end of the last second.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    sent: u64,
    answered: u64,
    approved: u64,
}

/// Answers of one kind have these in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AnswerKind {
    /// HTTP status; none of an ISO 8583 line.
    pub http_status: Option<u16>,
    /// DE39, or over HTTP what the catalogue has for the reason.
    pub response_code: [u8; 2],
    /// Catalogue number of the reason; 0 where the answer gave none.
    pub reason_no: u16,
}

/// The data elements that are read of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerElements {
    /// DE39.
    pub response_code: [u8; 2],
    /// DE37 as a number; 0 where it is none.
    pub folio: u64,
    /// DE44 as a number; 0 where it is none.
    pub reason_no: u16,
    /// Status of the answer over HTTP; none of an ISO 8583 line.
    pub http_status: Option<u16>,
}

/// What an answer means to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Money moved.
    Approved,
    /// No money moved.
    Declined,
    /// Not known; to be asked about.
    Unknown,
}

impl Meaning {
    /// What a response code means: 00 yes, 09 and 68 not known, anything else no.
    pub fn of(response_code: [u8; 2]) -> Self {
        match &response_code {
            b"00" => Self::Approved,
            b"09" | b"68" => Self::Unknown,
            _ => Self::Declined,
        }
    }
}

/// A histogram of microseconds: 3 digits, 1 µs to 60 s.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST_US, DIGITS).expect("invariant: the bounds are in order")
}

impl Recorder {
    /// Nothing measured yet; an approval is slow above `slow_us`.
    pub fn new(keep: super::Keep, slow_us: u64) -> Self {
        Self {
            from_planned: histogram(),
            from_sent: histogram(),
            lag: histogram(),
            interval: histogram(),
            counts: Counts::default(),
            seconds: Vec::new(),
            answers: (keep == super::Keep::Answers).then(Vec::new),
            by_code: Box::new([0; 100]),
            others: HashMap::new(),
            slow_us,
            before: Sums::default(),
            answered: 0,
        }
    }

    /// Takes down the answer to a request for which the plan has this verdict of the bank.
    pub fn answered(&mut self, open: &Open, heard: AnswerElements, planned: Verdict, now_ns: u64) {
        let latency = micros(now_ns, open.planned_ns);
        self.from_planned.saturating_record(latency);
        self.interval.saturating_record(latency);
        self.from_sent.saturating_record(micros(now_ns, open.sent_ns));
        self.lag.saturating_record(micros(open.sent_ns, open.planned_ns));
        self.answered += 1;
        match Meaning::of(heard.response_code) {
            Meaning::Approved => {
                self.counts.approved += 1;
                self.counts.slow += u64::from(latency > self.slow_us);
            }
            Meaning::Declined => {
                self.counts.declined += 1;
                let is_planned = planned == Verdict::Decline(heard.response_code);
                self.counts.declined_unplanned += u64::from(!is_planned);
            }
            Meaning::Unknown => {
                self.counts.unknown += 1;
                self.counts.lost_unplanned += u64::from(!planned.may_be_lost());
            }
        }
        self.tell_apart(heard);
        self.keep(open, Ending::Answered, heard);
    }

    fn tell_apart(&mut self, heard: AnswerElements) {
        let AnswerElements { response_code, reason_no, http_status, .. } = heard;
        if http_status.is_none() {
            let code = wire::number(&response_code).and_then(|code| usize::try_from(code).ok());
            self.by_code[code.unwrap_or(99)] += 1;
        }
        if response_code != *b"00" {
            let kind = AnswerKind { http_status, response_code, reason_no };
            *self.others.entry(kind).or_default() += 1;
        }
    }

    /// Takes down a request that will have no answer.
    pub fn abandoned(&mut self, open: &Open, ending: Ending, planned: Verdict, now_ns: u64) {
        self.from_planned.saturating_record(micros(now_ns, open.planned_ns));
        self.interval.saturating_record(micros(now_ns, open.planned_ns));
        match ending {
            Ending::Answered | Ending::NoAnswer => {
                self.counts.no_answer += 1;
                self.counts.lost_unplanned += u64::from(!planned.may_be_lost());
            }
            Ending::LineLost => self.counts.line_lost += 1,
        }
        let nothing =
            AnswerElements { response_code: *b"  ", folio: 0, reason_no: 0, http_status: None };
        self.keep(open, ending, nothing);
    }

    /// Takes down a request that was planned and never sent: its latency is at least the time
    /// to the end of the run.
    pub fn unsent(&mut self, planned_ns: u64, end_ns: u64) {
        self.counts.unsent += 1;
        self.from_planned.saturating_record(micros(end_ns, planned_ns));
    }

    /// Ends a second and gives its entry.
    pub fn end_second(&mut self) -> Second {
        let counts = &self.counts;
        let ended = self.answered + counts.no_answer + counts.line_lost;
        let second = Second {
            second: u64::try_from(self.seconds.len()).unwrap_or(u64::MAX),
            sent: counts.sent - self.before.sent,
            answered: self.answered - self.before.answered,
            approved: counts.approved - self.before.approved,
            p50_us: self.interval.value_at_quantile(0.5),
            p99_us: self.interval.value_at_quantile(0.99),
            max_us: self.interval.max(),
            open: counts.sent.saturating_sub(ended),
        };
        self.interval.reset();
        self.before =
            Sums { sent: counts.sent, answered: self.answered, approved: counts.approved };
        self.seconds.push(second);
        second
    }

    fn keep(&mut self, open: &Open, ending: Ending, heard: AnswerElements) {
        if let Some(answers) = &mut self.answers {
            answers.push(ClientAnswer {
                index: u32::try_from(open.index).unwrap_or(u32::MAX),
                stan: open.stan,
                folio: heard.folio,
                ending,
                response_code: heard.response_code,
                reason_no: heard.reason_no,
            });
        }
    }
}

fn micros(later_ns: u64, earlier_ns: u64) -> u64 {
    later_ns.saturating_sub(earlier_ns) / 1000
}
