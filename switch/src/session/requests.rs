//! The requests of one line while they are worked on: one task polls them all.
//!
//! What wakes a request wakes the task, and however many requests have become ready by then are gone
//! on with in one turn: the runtime schedules a line, not each of its payments. What they answer in a
//! turn is handed to the line's writer as one. The requests of one line share a processor; those of
//! several lines do not. A request that panics ends alone, and the requests that a line leaves behind
//! when it closes are finished.

use std::sync::Arc;
use std::task::Poll;

use codecs::iso8583::cauce87::Wire;
use router::message::Message;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::answer::{self, ReceivedRequest};
use super::slots::FutureSlots;
use super::{ReceivedMessage, reply_to};
use crate::adapter::iso8583::line::{Line, ReadyAnswers};
use crate::engine::Engine;
use crate::supervise::{UnderWay, guarded};

/// Requests taken over at once.
const TAKEN_MAX: usize = 64;

/// A request that has its place among those of its line and of its participant.
pub(super) struct LineRequest {
    pub message: Message,
    pub wire: Box<Wire>,
    pub heard: ReceivedMessage,
    /// The switch drains: nothing new is sent.
    pub is_draining: bool,
    pub places: Places,
}

/// What a request has while it is worked on, given back when its answer is queued: its places among
/// the requests of its line and of its participant, and what a drain waits for.
pub(super) type Places = (OwnedSemaphorePermit, OwnedSemaphorePermit, UnderWay);

/// Hands requests to the task that works on those of a line.
#[derive(Debug)]
pub(super) struct LineRequests(mpsc::Sender<LineRequest>);

impl LineRequests {
    /// Starts the task. It ends when the handle is dropped and the last request is answered.
    pub fn start(engine: &Arc<Engine>, line: &Arc<Line>, requests_max: usize) -> Self {
        let (sender, requests) = mpsc::channel(requests_max);
        let (engine, answers) = (Arc::clone(engine), ReadyAnswers::new(Arc::clone(line)));
        let tasks = engine.tasks.clone();
        tasks.line_requests(async move {
            let work = |request| work_on(&engine, &answers, request);
            work_on_all(requests, work, || answers.hand_over()).await;
        });
        Self(sender)
    }

    /// Hands one over; false when it cannot be worked on.
    ///
    /// Shape: no more at once than the task was started for.
    pub fn hand_over(&self, request: LineRequest) -> bool {
        self.0.try_send(request).is_ok()
    }
}

/// Works on all that is handed over, at once, until nothing more can come and all of it is done;
/// `end_turn` is called after each turn.
async fn work_on_all<R, W: Future<Output = ()>>(
    mut requests: mpsc::Receiver<R>,
    work: impl Fn(R) -> W,
    end_turn: impl Fn(),
) {
    let (mut under_way, mut taken) = (FutureSlots::new(), Vec::new());
    let mut is_open = true;
    std::future::poll_fn(|context| {
        while is_open
            && let Poll::Ready(count) = requests.poll_recv_many(context, &mut taken, TAKEN_MAX)
        {
            is_open = count != 0;
            let started = taken.drain(..).map(|request| guarded("payment", work(request)));
            started.for_each(|request| under_way.insert(request));
        }
        under_way.turn(context);
        end_turn();
        if is_open || !under_way.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

async fn work_on(engine: &Arc<Engine>, answers: &ReadyAnswers<Places>, request: LineRequest) {
    let LineRequest { message, wire, heard, is_draining, places } = request;
    let reply = reply_to(engine, message, is_draining).await;
    let asked = ReceivedRequest { wire: &wire, bytes: &heard.bytes };
    answers.add(heard.header.as_ref(), places, |out| answer::write(&asked, &reply, out));
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test]
    async fn a_request_that_panics_takes_no_other_of_its_line_with_it() {
        let (sender, requests) = mpsc::channel(8);
        let (go, gone) = tokio::sync::watch::channel(false);
        for request in 0..4 {
            sender.send(request).await.unwrap();
        }
        let done = RefCell::new(Vec::new());
        let work = async |request: u32| {
            gone.clone().wait_for(|go| *go).await.unwrap();
            assert_ne!(request, 1, "a defect");
            done.borrow_mut().push(request);
        };
        // The line is gone before the first request is answered.
        drop(sender);
        let open = async { go.send_replace(true) };
        futures_util::future::join(work_on_all(requests, work, || {}), open).await;
        done.borrow_mut().sort_unstable();
        assert_eq!(*done.borrow(), [0, 2, 3]);
    }

    #[tokio::test]
    async fn a_request_that_waits_holds_up_no_later_one() {
        let (sender, requests) = mpsc::channel(8);
        let answered = tokio::sync::Notify::new();
        let work = async |request: u32| match request {
            0 => answered.notified().await,
            _ => answered.notify_one(),
        };
        let asked = async {
            sender.send(0).await.unwrap();
            tokio::task::yield_now().await;
            sender.send(1).await.unwrap();
            drop(sender);
        };
        futures_util::future::join(work_on_all(requests, work, || {}), asked).await;
    }

    /// What one request's work takes while it waits. Each is moved when it is taken over, and a
    /// thousand may wait at once.
    #[test]
    fn the_work_on_a_request_is_small() {
        fn len<A, B, C, W>(_: impl Fn(A, B, C) -> W) -> usize {
            size_of::<W>()
        }
        let work = |engine: &'static Arc<Engine>,
                    answers: &'static ReadyAnswers<Places>,
                    request| { work_on(engine, answers, request) };
        assert!(len(work) <= 4096, "{} bytes", len(work));
    }
}
