//! One line of the simulated bank: one task that reads what is there, decides every whole message
//! of it, and writes all answers at once.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use router::time::Timestamp;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

use super::book::{Book, Decision, RequestElements, key, trace_key};
use super::truth::Seen;
use super::{Bank, Mood};
use crate::clock;
use crate::conduct::{Manner, Verdict, mix};
use crate::wire::{self, Index};

const READ_BYTES: usize = 64 << 10;
/// While more than this waits to be written nothing more is read.
const UNSENT_BYTES_MAX: usize = 4 << 20;

/// Fields of a request that come back in its answer. The card number does not.
const KEPT: u128 = wire::set(&[3, 4, 7, 11, 12, 13, 15, 32, 37, 41, 42, 49]);
const KEPT_OF_NETWORK: u128 = wire::set(&[7, 11, 32, 70]);

/// Serves a line until the peer closes it, the profile drops it, or the bank stops.
pub(super) async fn serve(stream: TcpStream, bank: Arc<Bank>, token: CancellationToken) {
    if bank.mood() == Mood::HangingUp {
        return;
    }
    let _ = stream.set_nodelay(true);
    let mut line = Line {
        log: Vec::new(),
        index: Index::new(),
        out: BytesMut::with_capacity(READ_BYTES),
        late: DelayQueue::new(),
        scratch: Vec::with_capacity(512),
        bank,
    };
    if let Err(error) = line.run(&stream, token).await {
        tracing::debug!(%error, "an issuer's line ended");
    }
}

struct Line {
    bank: Arc<Bank>,
    index: Index,
    /// Answers to be written.
    out: BytesMut,
    /// Answers to be written later.
    late: DelayQueue<Vec<u8>>,
    /// The answer being made.
    scratch: Vec<u8>,
    /// Lines for the log, handed over once a read.
    log: Vec<u8>,
}

/// Whether the line stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Drops,
}

impl Line {
    async fn run(&mut self, stream: &TcpStream, token: CancellationToken) -> io::Result<()> {
        let mut input = BytesMut::with_capacity(2 * READ_BYTES);
        loop {
            let interest = self.interest();
            tokio::select! {
                () = token.cancelled() => return Ok(()),
                ready = stream.ready(interest) => {
                    if ready?.is_readable() && interest.is_readable() {
                        if !read(stream, &mut input)? {
                            return Ok(());
                        }
                        if self.take(&mut input) == Fate::Drops {
                            return self.write(stream);
                        }
                    }
                }
                Some(due) = next(&mut self.late) => {
                    self.count_answer();
                    self.out.extend_from_slice(&due);
                }
            }
            self.write(stream)?;
        }
    }

    fn interest(&self) -> Interest {
        match self.out.len() {
            0 => Interest::READABLE,
            1..=UNSENT_BYTES_MAX => Interest::READABLE | Interest::WRITABLE,
            _ => Interest::WRITABLE,
        }
    }

    /// Decides every whole message of the input.
    fn take(&mut self, input: &mut BytesMut) -> Fate {
        let at = clock::now();
        let mut used = 0;
        let mut fate = Fate::Stays;
        while let (Some((message, taken)), Fate::Stays) =
            (wire::first_message(&input[used..]), fate)
        {
            fate = self.decide(message, at);
            used += taken;
        }
        input.advance(used);
        if let (Some(log), false) = (&self.bank.log, self.log.is_empty()) {
            log.append_with(|bytes| bytes.append(&mut self.log));
        }
        fate
    }

    fn decide(&mut self, message: &[u8], at: Timestamp) -> Fate {
        match self.bank.mood() {
            Mood::Working => {}
            Mood::Deaf => return Fate::Stays,
            Mood::HangingUp => return Fate::Drops,
        }
        if self.index.read(message).is_err() {
            return self.shrug();
        }
        let Some(mti) = wire::mti(message) else { return self.shrug() };
        match &mti {
            b"0800" | b"0801" => self.network(message),
            b"0100" | b"0101" | b"0200" | b"0201" | b"0220" | b"0221" => {
                match self.value(message, 3).get(..2) {
                    Some(b"32") => self.inquiry(message, mti, at),
                    Some(b"20") => self.refund(message, mti, at),
                    _ => self.payment(message, mti, at),
                }
            }
            b"0400" | b"0401" | b"0420" | b"0421" => self.reversal(message, mti, at),
            _ => self.shrug(),
        }
    }

    fn shrug(&self) -> Fate {
        self.count(&self.bank.counters.not_understood);
        Fate::Stays
    }

    fn network(&mut self, message: &[u8]) -> Fate {
        self.count(&self.bank.counters.network);
        if self.value(message, 70) == b"001" {
            self.bank.sign_ons.send_modify(|count| *count += 1);
        }
        self.reply(message, KEPT_OF_NETWORK, *b"00", None);
        self.send(Duration::ZERO);
        Fate::Stays
    }

    fn payment(&mut self, message: &[u8], mti: [u8; 4], at: Timestamp) -> Fate {
        self.count(&self.bank.counters.payments);
        let request = self.elements(message);
        let decision = match &self.bank.book {
            Some(book) => book.pay(request, mti[3] == b'1'),
            None => Decision::New(Verdict::of(request.amount_minor)),
        };
        self.decided(message, (mti, at), decision)
    }

    fn refund(&mut self, message: &[u8], mti: [u8; 4], at: Timestamp) -> Fate {
        self.count(&self.bank.counters.refunds);
        let request = self.elements(message);
        let original = original(request, self.value(message, 90));
        let decision = match &self.bank.book {
            Some(book) => book.refund(request, original),
            None => Decision::New(Verdict::of(request.amount_minor)),
        };
        self.decided(message, (mti, at), decision)
    }

    /// Notes and answers a payment or refund that was decided.
    fn decided(
        &mut self,
        message: &[u8],
        (mti, at): ([u8; 4], Timestamp),
        decision: Decision,
    ) -> Fate {
        let request = self.elements(message);
        if !matches!(decision, Decision::New(_)) {
            self.count(&self.bank.counters.repeats);
        }
        let digest = self.digest(request);
        let (code, delay) = match decision {
            Decision::New(Verdict::Late) => (Some(*b"00"), self.bank.late_after),
            Decision::New(verdict) | Decision::Repeat(verdict) => match verdict {
                Verdict::Approve | Verdict::Late => (Some(*b"00"), Duration::ZERO),
                Verdict::Decline(code) => (Some(code), Duration::ZERO),
                Verdict::Silent => (None, Duration::ZERO),
            },
            Decision::Refused(code) => (Some(code), Duration::ZERO),
        };
        self.note(message, mti, at, code);
        let manner = self.bank.profile().manner(digest);
        let is_first = matches!(decision, Decision::New(_));
        if manner.is_line_dropped && is_first {
            return Fate::Drops;
        }
        if let Some(code) = code {
            let authorisation = (code == *b"00").then(|| authorisation(digest));
            match manner.contradiction.filter(|_| is_first && authorisation.is_some()) {
                Some(code) => self.reply_of_half(message, code),
                None => self.reply(message, KEPT, code, authorisation),
            }
            self.answer(manner, delay, is_first);
        }
        Fate::Stays
    }

    fn reversal(&mut self, message: &[u8], mti: [u8; 4], at: Timestamp) -> Fate {
        self.count(&self.bank.counters.reversals);
        let request = self.elements(message);
        let original = original(request, self.value(message, 90));
        let code = self.bank.book.as_ref().map_or(*b"00", |book| book.reverse(request, original));
        self.note(message, mti, at, Some(code));
        self.reply(message, KEPT, code, None);
        let manner = self.bank.profile().manner(self.digest(request));
        self.answer(manner, Duration::ZERO, false);
        Fate::Stays
    }

    fn inquiry(&mut self, message: &[u8], mti: [u8; 4], at: Timestamp) -> Fate {
        self.count(&self.bank.counters.inquiries);
        let request = self.elements(message);
        let original = original(request, self.value(message, 90));
        let ask = |book: &Book| book.inquire(request.rrn, original);
        let code = self.bank.book.as_ref().map_or(*b"25", ask);
        self.note(message, mti, at, Some(code));
        let authorisation = (code == *b"00").then(|| authorisation(self.digest(request)));
        self.reply(message, KEPT, code, authorisation);
        self.send(Duration::ZERO);
        Fate::Stays
    }

    /// Makes the answer in `scratch`.
    fn reply(&mut self, message: &[u8], kept: u128, code: [u8; 2], authorisation: Option<[u8; 6]>) {
        self.scratch.clear();
        let request = (&self.index, message);
        match authorisation {
            Some(digits) => {
                wire::answer(&mut self.scratch, request, kept, &[(38, &digits), (39, &code)]);
            }
            None => wire::answer(&mut self.scratch, request, kept, &[(39, &code)]),
        }
    }

    /// Makes an answer in `scratch` that tells of half the amount.
    fn reply_of_half(&mut self, message: &[u8], code: [u8; 2]) {
        let mut half = [0; 12];
        wire::put_number(&mut half, self.elements(message).amount_minor / 2);
        self.scratch.clear();
        let (request, kept) = ((&self.index, message), KEPT & !wire::bit(4));
        wire::answer(&mut self.scratch, request, kept, &[(4, &half), (39, &code)]);
    }

    /// Sends the answer as the profile wants it sent.
    fn answer(&mut self, manner: Manner, delay: Duration, may_be_twice: bool) {
        self.send(manner.delay + delay);
        if manner.is_twice && may_be_twice {
            self.send(manner.delay + delay);
        }
    }

    fn send(&mut self, delay: Duration) {
        if delay.is_zero() {
            self.count_answer();
            self.out.extend_from_slice(&self.scratch);
        } else {
            self.late.insert(self.scratch.clone(), delay);
        }
    }

    fn note(&mut self, message: &[u8], mti: [u8; 4], at: Timestamp, answer: Option<[u8; 2]>) {
        if self.bank.log.is_none() {
            return;
        }
        let RequestElements { rrn, stan, amount_minor, currency, stands_minor, .. } =
            self.elements(message);
        let seen = Seen {
            participant: &self.bank.participant,
            at,
            mti,
            processing_code: self.value(message, 3),
            stan,
            rrn,
            amount_minor,
            currency,
            stands_minor,
            answer,
        };
        seen.write(&mut self.log);
    }

    fn elements<'a>(&self, message: &'a [u8]) -> RequestElements<'a> {
        RequestElements {
            rrn: self.value(message, 37),
            stan: self.value(message, 11),
            transmitted_at: self.value(message, 7),
            amount_minor: wire::number(self.value(message, 4)).unwrap_or(0),
            currency: self.value(message, 49),
            stands_minor: self.value(message, 95).get(..12).and_then(wire::number),
        }
    }

    fn value<'a>(&self, message: &'a [u8], field: u8) -> &'a [u8] {
        self.index.value(message, field).unwrap_or_default()
    }

    fn digest(&self, request: RequestElements<'_>) -> u64 {
        let trace = || trace_key(request.stan, request.transmitted_at);
        mix(self.bank.seed ^ key(request.rrn).unwrap_or_else(trace))
    }

    fn write(&mut self, stream: &TcpStream) -> io::Result<()> {
        while !self.out.is_empty() {
            match stream.try_write(&self.out) {
                Ok(written) => self.out.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn count_answer(&self) {
        self.count(&self.bank.counters.answers);
    }

    fn count(&self, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Reads what is there; false when the peer has closed.
fn read(stream: &TcpStream, input: &mut BytesMut) -> io::Result<bool> {
    input.reserve(READ_BYTES);
    match stream.try_read_buf(input) {
        Ok(len) => Ok(len > 0),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

/// The next answer that is due; none while no answer is held back.
async fn next(late: &mut DelayQueue<Vec<u8>>) -> Option<Vec<u8>> {
    std::future::poll_fn(|context| late.poll_expired(context)).await.map(|due| due.into_inner())
}

/// What DE90 names: type of the original, its STAN, its transmission time.
fn original<'a>(request: RequestElements<'a>, de90: &'a [u8]) -> Option<RequestElements<'a>> {
    let stan = de90.get(4..10)?;
    let transmitted_at = de90.get(10..20)?;
    Some(RequestElements { stan, transmitted_at, ..request })
}

fn authorisation(digest: u64) -> [u8; 6] {
    let mut digits = [0; 6];
    wire::put_number(&mut digits, digest);
    digits
}
