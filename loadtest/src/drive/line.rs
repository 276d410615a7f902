//! One line of the load: one task that sends what is due, reads what has come, and writes all it
//! has to send at once.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::record::{AnswerElements, Ending, Recorder};
use super::shared::{Shared, rrn};
use super::sign_on;
use super::template::{Stamp, Template};
use super::window::{Open, Window};
use crate::clock;
use crate::wire::{self, Index};

const READ_BYTES: usize = 64 << 10;
/// Pause between attempts to open a line anew.
const REOPEN_EVERY: Duration = Duration::from_millis(50);
/// Fields of a peer's echo that come back in the answer.
const KEPT_OF_NETWORK: u128 = wire::set(&[7, 11, 32, 70]);

/// One line.
pub(super) struct Line {
    shared: Arc<Shared>,
    template: Arc<Template>,
    acquirer_id: String,
    number: usize,
    window: Window,
    index: Index,
    out: Vec<u8>,
    written: usize,
    /// Tenth of a second of the run in which `transmitted_at` was read off the clock.
    tenth: u64,
    transmitted_at: [u8; 10],
}

impl Line {
    /// A line of this number that has asked nothing yet.
    pub(super) fn new(
        shared: Arc<Shared>,
        template: Arc<Template>,
        acquirer_id: &str,
        number: u32,
    ) -> Self {
        let settings = &shared.settings;
        Self {
            window: Window::new(
                number,
                settings.connections,
                settings.in_flight,
                shared.first_round(),
            ),
            number: usize::try_from(number).expect("invariant: lines fit memory"),
            index: Index::new(),
            out: Vec::with_capacity(READ_BYTES),
            written: 0,
            tenth: 0,
            transmitted_at: clock::transmitted_at(clock::now()),
            acquirer_id: acquirer_id.to_owned(),
            template,
            shared,
        }
    }

    /// Sends and hears until the run is over and nothing is open; opens the line anew when it
    /// falls before the end.
    pub(super) async fn run(mut self, stream: TcpStream, token: CancellationToken) {
        let mut stream = Some(stream);
        while let Some(open_stream) = stream.take() {
            match self.serve(&open_stream).await {
                Ok(()) => break,
                Err(error) => tracing::debug!(%error, "a line of the load fell"),
            }
            drop(open_stream);
            self.lose_all();
            stream = token.run_until_cancelled(self.reopen()).await.flatten();
        }
        self.shared.line_ends();
    }

    async fn serve(&mut self, stream: &TcpStream) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let mut input = BytesMut::with_capacity(2 * READ_BYTES);
        loop {
            self.send_due();
            self.write(stream)?;
            if self.is_over() {
                return Ok(());
            }
            let writable =
                if self.out.is_empty() { Interest::READABLE } else { Interest::WRITABLE };
            tokio::select! {
                ready = stream.ready(Interest::READABLE | writable) => {
                    if ready?.is_readable() {
                        self.read(stream, &mut input)?;
                    }
                }
                () = shared.wakers[self.number].notified() => self.give_up_old(),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.shared.is_over() && self.window.open_len() == 0
    }

    /// Puts every request that is due and fits the window into the buffer.
    fn send_due(&mut self) {
        let now_ns = self.shared.now_ns();
        self.tell_time(now_ns);
        let mut sent = 0;
        while self.window.has_room()
            && let Some((index, planned_ns)) = self.shared.take_due(now_ns)
        {
            let open = Open {
                index,
                stan: 0,
                planned_ns,
                sent_ns: now_ns,
                transmitted_at: self.transmitted_at,
                first: None,
            };
            let stan = self.window.open(open).expect("invariant: the window has room");
            let stamp = self.stamp(&Open { stan, ..open });
            self.template.write(&mut self.out, &stamp);
            sent += 1;
        }
        if sent > 0 {
            self.shared.recorder().counts.sent += sent;
        }
    }

    fn stamp(&self, open: &Open) -> Stamp {
        Stamp {
            payment: self.shared.settings.workload.payment(open.index),
            stan: open.stan,
            transmitted_at: open.transmitted_at,
            rrn: rrn(self.shared.run_number(), open.index),
        }
    }

    fn tell_time(&mut self, now_ns: u64) {
        // Ten times a second, so that DE7 is at most that late and costs nothing.
        let tenth = now_ns / 100_000_000;
        if tenth != self.tenth {
            self.tenth = tenth;
            self.transmitted_at = clock::transmitted_at(clock::now());
        }
    }

    fn read(&mut self, stream: &TcpStream, input: &mut BytesMut) -> io::Result<()> {
        input.reserve(READ_BYTES);
        match stream.try_read_buf(input) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        let shared = Arc::clone(&self.shared);
        let now_ns = shared.now_ns();
        let mut recorder = shared.recorder();
        while let Some((message, taken)) = wire::first_message(input) {
            self.hear(message, now_ns, &mut recorder);
            input.advance(taken);
        }
        Ok(())
    }

    fn hear(&mut self, message: &[u8], now_ns: u64, recorder: &mut Recorder) {
        if self.index.read(message).is_err() {
            recorder.counts.unmatched += 1;
            return;
        }
        match wire::mti(message).as_ref() {
            Some(b"0210") => self.hear_answer(message, now_ns, recorder),
            Some(b"0800") => {
                let request = (&self.index, message);
                wire::answer(&mut self.out, request, KEPT_OF_NETWORK, &[(39, b"00")]);
            }
            _ => recorder.counts.unmatched += 1,
        }
    }

    fn hear_answer(&mut self, message: &[u8], now_ns: u64, recorder: &mut Recorder) {
        let heard = self.heard(message);
        let stan = self.value(message, 11).and_then(wire::number);
        let stan = stan.and_then(|stan| u32::try_from(stan).ok());
        let Some(open) = stan.and_then(|stan| self.window.find(stan)) else {
            recorder.counts.unmatched += 1;
            return;
        };
        if let Some(first) = open.first {
            recorder.counts.repeats += 1;
            recorder.counts.repeats_differ +=
                u64::from(first != (heard.response_code, heard.folio));
            let stan = open.stan;
            self.window.close(stan);
            return;
        }
        let planned = self.shared.settings.workload.verdict(open.index);
        recorder.answered(open, heard, planned, now_ns);
        let open = *open;
        if !self.shared.settings.workload.payment(open.index).is_repeated {
            self.window.close(open.stan);
            return;
        }
        if let Some(open) = self.window.find(open.stan) {
            open.first = Some((heard.response_code, heard.folio));
            open.sent_ns = now_ns;
        }
        let stamp = self.stamp(&open);
        self.template.write_repeat(&mut self.out, &stamp);
    }

    fn heard(&self, message: &[u8]) -> AnswerElements {
        let code = self.value(message, 39).and_then(|code| code.try_into().ok());
        let folio = self.value(message, 37).and_then(wire::number);
        let reason = self.value(message, 44).and_then(|text| text.get(..4));
        let reason = reason.and_then(wire::number).and_then(|no| u16::try_from(no).ok());
        AnswerElements {
            response_code: code.unwrap_or(*b"  "),
            folio: folio.unwrap_or(0),
            reason_no: reason.unwrap_or(0),
            http_status: None,
        }
    }

    fn value<'a>(&self, message: &'a [u8], field: u8) -> Option<&'a [u8]> {
        self.index.value(message, field)
    }

    fn write(&mut self, stream: &TcpStream) -> io::Result<()> {
        while self.written < self.out.len() {
            match stream.try_write(&self.out[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    fn give_up_old(&mut self) {
        let now_ns = self.shared.now_ns();
        let deadline = u64::try_from(self.shared.settings.answer_deadline.as_nanos());
        let oldest_ns = now_ns.saturating_sub(deadline.unwrap_or(u64::MAX));
        if self.window.open_len() > 0 {
            self.abandon(oldest_ns, Ending::NoAnswer);
        }
    }

    fn lose_all(&mut self) {
        self.out.clear();
        self.written = 0;
        self.abandon(u64::MAX, Ending::LineLost);
    }

    fn abandon(&mut self, sent_before_ns: u64, ending: Ending) {
        let shared = Arc::clone(&self.shared);
        let abandoned = self.window.close_before(sent_before_ns);
        if abandoned.is_empty() {
            return;
        }
        let now_ns = shared.now_ns();
        let mut recorder = shared.recorder();
        for open in abandoned {
            match open.first {
                Some(_) => recorder.counts.repeats_lost += 1,
                None => {
                    let planned = shared.settings.workload.verdict(open.index);
                    recorder.abandoned(&open, ending, planned, now_ns);
                }
            }
        }
    }

    async fn reopen(&mut self) -> Option<TcpStream> {
        while self.shared.now_ns() < self.shared.last_send_ns() {
            if let Ok(stream) = sign_on::open(self.shared.settings.target, &self.acquirer_id).await
            {
                self.shared.recorder().counts.reconnects += 1;
                return Some(stream);
            }
            tokio::time::sleep(REOPEN_EVERY).await;
        }
        None
    }
}
