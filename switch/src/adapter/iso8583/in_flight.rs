//! Requests that wait for an answer, by the STAN they were given.
//!
//! An answer is matched by STAN *and* transmission time, so an old answer cannot meet a reused
//! STAN. All requests of a participant have the same time limit, so deadlines form a queue and
//! one task per participant watches its front.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use codecs::iso8583::cauce87::{self, ParticipantAnswer, Wire, WireKind};
use dashmap::DashMap;
use parking_lot::Mutex;
use router::id::{Folio, Stan};
use router::outcome::Cause;
use router::text::Text;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Shards of the table; more than cores, so that readers and originators seldom meet.
const SHARDS: usize = 64;
/// Free STANs looked for before giving up.
const STAN_TRIES_MAX: u32 = 64;
/// The line of a request that has not been handed to one.
pub const NO_LINE: u64 = 0;

type Answered = Result<MatchedAnswer, Cause>;

/// An answer, held against the request that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchedAnswer {
    /// What it says.
    pub answer: ParticipantAnswer,
    /// The first data element in which it disagrees with its request; none where it agrees.
    pub contradicts: Option<u8>,
}

/// What the answer to a request must look like to be taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// What was asked.
    pub kind: RequestKind,
    /// Transmission time of the request (DE7).
    pub transmitted_at: Text<10>,
    /// Folio of the payment it is about (DE37); none for network management.
    pub folio: Option<Folio>,
}

/// What was asked of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// 0200.
    Payment,
    /// 0420.
    Reversal,
    /// 0800.
    Network,
}

impl RequestKind {
    /// What a message answers; none when it is no answer.
    pub fn answered_by(kind: WireKind) -> Option<Self> {
        match kind {
            WireKind::PaymentAnswer => Some(Self::Payment),
            WireKind::ReversalAnswer { .. } => Some(Self::Reversal),
            WireKind::NetworkAnswer => Some(Self::Network),
            WireKind::AdviceAnswer
            | WireKind::PaymentRequest { .. }
            | WireKind::InquiryRequest { .. }
            | WireKind::AdviceRequest { .. }
            | WireKind::ReversalRequest { .. }
            | WireKind::NetworkRequest
            | WireKind::Unsupported { .. } => None,
        }
    }
}

impl Expected {
    /// Whether an answer is the one: of its kind, and of this very request by its time – or, from
    /// a participant that does not repeat DE7, by the folio.
    fn is(&self, kind: Option<RequestKind>, answer: &ParticipantAnswer) -> bool {
        let is_of_request = match answer.transmitted_at.is_empty() {
            false => answer.transmitted_at == self.transmitted_at,
            true => self.folio.is_some_and(|folio| answer.rrn.as_str().parse() == Ok(folio)),
        };
        kind == Some(self.kind) && is_of_request
    }
}

/// The open requests of one participant.
#[derive(Debug)]
pub struct InFlight {
    entries: DashMap<u32, OpenRequest, foldhash::fast::RandomState>,
    deadlines: Mutex<VecDeque<Deadline>>,
    watched: Notify,
    stans: Range<u32>,
    next_stan: AtomicU32,
    next_ticket: AtomicU64,
    open: AtomicUsize,
    open_max: usize,
    time_limit: Duration,
}

#[derive(Debug)]
struct OpenRequest {
    ticket: u64,
    line: u64,
    /// The request as it was sent, in the switch's own format; empty until then.
    request: Bytes,
    expected: Expected,
    reply: oneshot::Sender<Answered>,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    stan: u32,
    ticket: u64,
}

impl InFlight {
    /// Nothing open; at most `open_max` at once, each for at most `time_limit`. The STANs it
    /// gives are of a range, so that two nodes that ask one participant give different ones.
    pub fn new(open_max: usize, time_limit: Duration, stans: Range<u32>) -> Self {
        let hasher = foldhash::fast::RandomState::default();
        Self {
            entries: DashMap::with_hasher_and_shard_amount(hasher, SHARDS),
            deadlines: Mutex::default(),
            watched: Notify::new(),
            next_stan: AtomicU32::new(rand::random_range(0..Stan::COUNT)),
            stans,
            next_ticket: AtomicU64::new(1),
            open: AtomicUsize::new(0),
            open_max,
            time_limit,
        }
    }

    /// Requests open now.
    pub fn len(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a STAN no open request has; none when too many are open.
    pub fn claim(&self, expected: Expected) -> Option<StanClaim<'_>> {
        (0..STAN_TRIES_MAX).find_map(|_| {
            let count = self.next_stan.fetch_add(1, Ordering::Relaxed);
            let number = self.stans.start + count % (self.stans.end - self.stans.start);
            let stan = Stan::new(number).expect("invariant: STANs wrap at a million");
            self.claim_as(stan, expected)
        })
    }

    /// Takes this STAN; none when an open request has it, or too many are open.
    pub fn claim_as(&self, stan: Stan, expected: Expected) -> Option<StanClaim<'_>> {
        if self.open.fetch_add(1, Ordering::Relaxed) < self.open_max {
            let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
            let (reply, answered) = oneshot::channel();
            let entry =
                OpenRequest { ticket, line: NO_LINE, request: Bytes::new(), expected, reply };
            if let dashmap::Entry::Vacant(vacant) = self.entries.entry(stan.number()) {
                vacant.insert(entry);
                let (stan, is_open) = (stan.number(), true);
                return Some(StanClaim { of: self, stan, ticket, expected, answered, is_open });
            }
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// Gives an answer to the request it belongs to, held against it; gives it back when there is
    /// none (any more).
    ///
    /// Shape: `wire` and `answer` were read from `bytes`.
    pub fn answer(
        &self,
        wire: &Wire,
        bytes: &[u8],
        answer: ParticipantAnswer,
    ) -> Result<(), ParticipantAnswer> {
        let kind = RequestKind::answered_by(wire.kind);
        let matches = |_: &u32, entry: &OpenRequest| entry.expected.is(kind, &answer);
        let found = self.entries.remove_if(&answer.stan.number(), matches);
        let Some((_, entry)) = found else { return Err(answer) };
        let contradicts = match entry.expected.kind {
            RequestKind::Payment | RequestKind::Reversal => {
                cauce87::contradiction(&entry.request, wire, bytes)
            }
            RequestKind::Network => None,
        };
        entry.reply.send(Ok(MatchedAnswer { answer, contradicts })).map_err(|_| answer)
    }

    /// The line that an open request was handed to.
    pub fn line_of(&self, stan: Stan, transmitted_at: &Text<10>) -> Option<u64> {
        let entry = self.entries.get(&stan.number())?;
        (entry.expected.transmitted_at == *transmitted_at).then_some(entry.line)
    }

    /// Gives up everything that was handed to a line.
    pub fn fail_line(&self, line: u64) {
        let mut lost: Vec<u32> = Vec::new();
        self.entries.iter().filter(|entry| entry.line == line).for_each(|entry| {
            lost.push(*entry.key());
        });
        for stan in lost {
            if let Some((_, entry)) = self.entries.remove_if(&stan, |_, entry| entry.line == line) {
                // The originator may have gone; then nobody needs to hear it.
                entry.reply.send(Err(Cause::LineLost)).ok();
            }
        }
    }

    /// Gives up what is past its deadline, for ever. Cancel-safe.
    pub async fn watch_deadlines(&self) {
        loop {
            let front = self.deadlines.lock().front().map(|deadline| deadline.at);
            match front {
                None => self.watched.notified().await,
                Some(at) => {
                    tokio::time::sleep_until(at).await;
                    self.expire(Instant::now());
                }
            }
        }
    }

    fn expire(&self, now: Instant) {
        loop {
            let due = {
                let mut deadlines = self.deadlines.lock();
                match deadlines.front() {
                    Some(deadline) if deadline.at <= now => deadlines.pop_front(),
                    Some(_) | None => None,
                }
            };
            let Some(Deadline { stan, ticket, .. }) = due else { return };
            if let Some((_, entry)) =
                self.entries.remove_if(&stan, |_, entry| entry.ticket == ticket)
            {
                entry.reply.send(Err(Cause::Timeout)).ok();
            }
        }
    }
}

/// A STAN taken for one request; dropping it frees the STAN.
#[derive(Debug)]
pub struct StanClaim<'a> {
    of: &'a InFlight,
    stan: u32,
    ticket: u64,
    expected: Expected,
    answered: oneshot::Receiver<Answered>,
    /// Whether it may be among the open requests.
    is_open: bool,
}

impl StanClaim<'_> {
    /// What its answer must look like.
    pub fn expected(&self) -> Expected {
        self.expected
    }

    /// The STAN.
    pub fn stan(&self) -> Stan {
        Stan::new(self.stan).expect("invariant: STANs wrap at a million")
    }

    /// Notes the request and the line it is about to be handed to. Must come before the handing
    /// over, so that a line which falls at that moment is noticed.
    pub fn expect_on(&self, line: u64, request: &Bytes) {
        if let Some(mut entry) = self.of.entries.get_mut(&self.stan)
            && entry.ticket == self.ticket
        {
            entry.line = line;
            entry.request = request.clone();
        }
    }

    /// Notes that the request goes to no line of this node after all.
    pub fn expect_elsewhere(&self, request: &Bytes) {
        self.expect_on(NO_LINE, request);
    }

    /// When the request is given up, if it is sent now.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.of.time_limit
    }

    /// Waits for the answer, at most the participant's time limit.
    ///
    /// Errors: why there is none; the request may have been sent. Not cancel-safe.
    pub async fn answer(mut self) -> Answered {
        let deadline = Deadline {
            at: Instant::now() + self.of.time_limit,
            stan: self.stan,
            ticket: self.ticket,
        };
        let was_empty = {
            let mut deadlines = self.of.deadlines.lock();
            deadlines.push_back(deadline);
            deadlines.len() == 1
        };
        if was_empty {
            self.of.watched.notify_one();
        }
        let answered = (&mut self.answered).await;
        // What was answered is no longer among the open requests.
        self.is_open = answered.is_err();
        answered.unwrap_or(Err(Cause::LineLost))
    }
}

impl Drop for StanClaim<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.of.entries.remove_if(&self.stan, |_, entry| entry.ticket == self.ticket);
        }
        self.of.open.fetch_sub(1, Ordering::Relaxed);
    }
}
