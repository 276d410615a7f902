//! Requests to a participant: by which line each leaves, here or at another node.
//!
//! A reversal follows the request that it undoes by the same line, for TCP keeps the order there; by
//! another it could overtake it. Which line that was is known to the node that has the line.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use router::exchange::{NoAnswer, NotSent, RequestTrace, UndoOrder};
use router::id::Stan;
use router::outcome::Cause;
use router::text::Text;
use tokio::time::Instant;

use super::Iso8583Participant;
use super::in_flight::{Expected, MatchedAnswer, NO_LINE, RequestKind, StanClaim};
use super::line::Line;
use super::past::{self, NamedKind, NamedRequest, PastRequest};

/// What became of the line that a request took, and of the reversal that was to follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// The line lives; the reversal was sent by it.
    Sent,
    /// The line lives and did not take the reversal: the participant is signed off on it, or its
    /// queue is full.
    Busy,
    /// The line is gone, or the request never left.
    Gone,
    /// A node that may have the line did not answer.
    Unknown,
}

/// Where the line of a request is.
enum RequestLine {
    Here(Arc<Line>),
    Gone,
    /// Not a line of this process.
    Elsewhere,
}

impl Iso8583Participant {
    /// Sends a message under a claim and waits for its answer, at most the participant's deadline.
    ///
    /// Not cancel-safe: a dropped call may leave a request sent whose answer is then late.
    pub async fn ask(
        &self,
        claim: StanClaim<'_>,
        message: Bytes,
    ) -> Result<MatchedAnswer, NoAnswer> {
        let (stan, expected) = (claim.stan(), claim.expected());
        let mut line = NO_LINE;
        let expect_on = |taken: &Line| {
            line = taken.number();
            claim.expect_on(line, &message);
        };
        if let Err(refused) = self.hand_over(&message, claim.deadline(), expect_on) {
            line = NO_LINE;
            claim.expect_elsewhere(&message);
            let Some(others) = self.remote_lines().filter(|others| others.is_on(self.id())) else {
                return Err(NoAnswer::NotSent(refused));
            };
            if !others.send(self.id(), message).await {
                return Err(NoAnswer::NotSent(refused));
            }
        }
        let answered = claim.answer().await;
        if expected.kind == RequestKind::Payment && !is_plain_approval(&answered) {
            let Expected { transmitted_at, folio, .. } = expected;
            let past = folio.map(|folio| PastRequest { transmitted_at, folio, line });
            past.into_iter().for_each(|past| self.past.remember(stan, past));
        }
        answered.map_err(NoAnswer::MaybeSent)
    }

    /// Sends a reversal under a claim, as [`Self::ask`] does, by the line of the request that it
    /// undoes for as long as that line lives, here or at another node: on another line it could
    /// overtake the request. While the participant is signed off on that line, the reversal waits.
    ///
    /// Not cancel-safe.
    pub async fn ask_behind(
        &self,
        original: &RequestTrace,
        claim: StanClaim<'_>,
        message: Bytes,
    ) -> (Result<MatchedAnswer, NoAnswer>, UndoOrder) {
        let behind = match self.request_line(original) {
            RequestLine::Here(line) => {
                claim.expect_on(line.number(), &message);
                follow(&line, message.clone(), claim.deadline())
            }
            RequestLine::Gone => LineState::Gone,
            RequestLine::Elsewhere => match self.remote_lines() {
                Some(others) => {
                    claim.expect_elsewhere(&message);
                    others.send_behind(self.id(), message.clone()).await
                }
                None => LineState::Gone,
            },
        };
        match behind {
            LineState::Sent => {
                let answered = claim.answer().await;
                (answered.map_err(NoAnswer::MaybeSent), UndoOrder::Behind)
            }
            LineState::Busy => (Err(NoAnswer::NotSent(NotSent::SignedOff)), UndoOrder::Behind),
            LineState::Gone => (self.ask(claim, message).await, UndoOrder::WayGone),
            LineState::Unknown => (self.ask(claim, message).await, UndoOrder::WayUnknown),
        }
    }

    /// Where the line is that a request of this node took.
    fn request_line(&self, original: &RequestTrace) -> RequestLine {
        match self.past.find(original.stan, &original.transmitted_at) {
            Some(past) if past.line != NO_LINE => {
                self.line(past.line).map_or(RequestLine::Gone, RequestLine::Here)
            }
            // Another node sent it, for this one or as the owner of its lane before.
            Some(_) | None => RequestLine::Elsewhere,
        }
    }

    /// A line that lives; the participant may be signed off on it.
    fn line(&self, number: u64) -> Option<Arc<Line>> {
        self.lines.load().iter().find(|line| line.number() == number).map(Arc::clone)
    }

    /// The line that a request took here, whichever node asked for it.
    fn line_taken_by(&self, stan: Stan, transmitted_at: &Text<10>) -> Option<Arc<Line>> {
        let of_others = self.past_of_others.find(stan, transmitted_at);
        let past = of_others.or_else(|| self.past.find(stan, transmitted_at));
        let number = match past {
            Some(past) => past.line,
            None => self.in_flight.line_of(stan, transmitted_at)?,
        };
        self.line(number)
    }

    /// Sends a request of another node; its answer is that node's. A reversal goes by the line that
    /// its request took here, as long as that line lives. A request whose reversal came here before
    /// it is not sent.
    ///
    /// Errors: [`NotSent`]; the message certainly did not leave.
    pub fn send_for_other(&self, message: &Bytes) -> Result<(), NotSent> {
        let deadline = Instant::now() + Duration::from_millis(self.config.response_timeout_ms);
        let named = past::named(message, self.id());
        let Some(NamedRequest { kind, stan, transmitted_at, folio }) = named else {
            return self.hand_over(message, deadline, |_| {});
        };
        match kind {
            NamedKind::Undone => match self.line_taken_by(stan, &transmitted_at) {
                Some(line) if line.is_signed_on() => line.send_now(message.clone(), deadline),
                Some(_) => Err(NotSent::SignedOff),
                None => self.hand_over(message, deadline, |_| {}),
            },
            NamedKind::Asked => {
                let before = self.past_of_others.find(stan, &transmitted_at);
                if before.is_some_and(|before| before.line == NO_LINE) {
                    return Err(NotSent::Undone);
                }
                let mut line = NO_LINE;
                self.hand_over(message, deadline, |taken| line = taken.number())?;
                let past = PastRequest { transmitted_at, folio, line };
                self.past_of_others.remember(stan, past);
                Ok(())
            }
        }
    }

    /// Sends a reversal of another node by the line that its request took here, and by no other. A
    /// request that has not come here yet will not be sent any more.
    pub fn send_behind_for_other(&self, message: &Bytes) -> LineState {
        let deadline = Instant::now() + Duration::from_millis(self.config.response_timeout_ms);
        let Some(named) = past::named(message, self.id()) else { return LineState::Gone };
        let NamedRequest { stan, transmitted_at, folio, .. } = named;
        match self.line_taken_by(stan, &transmitted_at) {
            Some(line) => follow(&line, message.clone(), deadline),
            None => {
                let never = PastRequest { transmitted_at, folio, line: NO_LINE };
                self.past_of_others.remember(stan, never);
                LineState::Gone
            }
        }
    }

    /// Hands a message to the first line that takes it, telling which before.
    fn hand_over(
        &self,
        message: &Bytes,
        deadline: Instant,
        mut tell: impl FnMut(&Line),
    ) -> Result<(), NotSent> {
        let lines = self.lines.load();
        let first = self.next_line.fetch_add(1, Ordering::Relaxed);
        let mut refused = NotSent::SignedOff;
        for offset in 0..lines.len() {
            let line = &lines[first.wrapping_add(offset) % lines.len()];
            if !line.is_signed_on() {
                continue;
            }
            tell(line);
            match line.send_now(message.clone(), deadline) {
                Ok(()) => return Ok(()),
                Err(not_sent) => refused = not_sent,
            }
        }
        Err(refused)
    }
}

/// Sends a reversal by the line of its request, if the participant is signed on there.
fn follow(line: &Line, message: Bytes, deadline: Instant) -> LineState {
    match line.is_signed_on().then(|| line.send_now(message, deadline)) {
        Some(Ok(())) => LineState::Sent,
        Some(Err(_)) | None => LineState::Busy,
    }
}

/// Whether a request got the answer after which nothing is owed for it.
fn is_plain_approval(answered: &Result<MatchedAnswer, Cause>) -> bool {
    answered.is_ok_and(|heard| heard.contradicts.is_none() && heard.answer.de39 == *b"00")
}
