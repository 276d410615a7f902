//! Delivers one endpoint's notices. One task an endpoint: what one endpoint does is nobody else's
//! business.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use parking_lot::Mutex;
use router::id::EndpointId;
use router::time::Timestamp;
use storage::StoreError;
use storage::outbox::{Attempted, UndeliveredNotice};
use storage::store::RedeliverySignal;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::{AttemptResult, NotTried, Target, attempt};
use super::client::Answer;
use super::current::CurrentTarget;
use super::gauge::GaugeShare;
use super::lanes::{Pace, Response};
use super::pause::Pause;
use super::queue::Queue;
use super::{Notices, schedule};
use crate::clock;
use crate::log::Seldom;

/// Notices read from the outbox at once.
const PAGE_LEN: usize = 512;
/// After a look at the outbox that found nothing, the next one comes no sooner than this; the
/// pause doubles with each such look. News of any endpoint wakes every worker, and thousands of
/// quiet endpoints must not keep the store busy. A quiet switch pays nothing: the pause is long
/// over when its next notice comes.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(2);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(200);
/// Pause after the store gave no answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// How long a stop waits for answers that are on their way.
const STOP_WAIT_MAX: Duration = Duration::from_secs(1);
/// Notices given up for their age before others are sent.
const GIVEN_UP_AT_ONCE: usize = 64;
/// Longest wait without looking at the clock again: the wall clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// While nothing can be sent to the endpoint, pause between two looks at its last change.
const UNUSABLE_LOOK_EVERY: Duration = Duration::from_secs(5);

/// What one worker needs to know.
pub(super) struct Worker {
    /// All endpoints' common part.
    pub notices: Arc<Notices>,
    /// The endpoint's id.
    pub endpoint: EndpointId,
    /// Where its notices go.
    pub current: Arc<CurrentTarget>,
    /// The address that the pause and the times of the queue belong to.
    pub addressed: Mutex<Uri>,
    /// Cancelled when the endpoint is deleted.
    pub stop: CancellationToken,
    /// The signal for a redelivery, or for a change of the endpoint.
    pub redelivery: Arc<RedeliverySignal>,
    /// The pause that the endpoint asked for.
    pub pause: Arc<Pause>,
}

type OnTheirWay = FuturesUnordered<BoxFuture<'static, AttemptResult>>;

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Worker {
    /// Delivers until the endpoint is deleted or the switch ends. Not cancel-safe: what was on
    /// its way is sent again after the next start.
    pub(super) async fn run(self) {
        let ending = self.notices.engine.tasks.stages().ending.clone();
        let mut signal = self.notices.store.notices_signal();
        let mut queue = Queue::default();
        let pace = Arc::new(Pace::new(self.notices.config.in_flight_per_endpoint_max));
        let mut on_their_way: OnTheirWay = FuturesUnordered::new();
        let mut owed = GaugeShare::of(metrics::gauge!("cauce_notices_owed"));
        let mut paused = GaugeShare::of(metrics::gauge!("cauce_endpoints_paused"));
        let mut looks = Looks::new();
        let mut is_more = true;
        loop {
            if is_more && queue.room() > 0 && looks.are_due() {
                signal.borrow_and_update();
                is_more = self.read(&mut queue, &mut looks).await;
            }
            self.give_up_old(&mut queue).await;
            let can_send = self.send(&mut queue, &pace, &mut on_their_way);
            owed.set(queue.len());
            let (has_room, pause_ends_at) = (queue.room() > 0, self.pause.ends_at(Instant::now()));
            paused.set(usize::from(pause_ends_at.is_some()));
            let has_place = on_their_way.len() < pace.allowance();
            let wake_at = match can_send {
                true => self.wake_at(&queue, has_place, pause_ends_at),
                false => Instant::now() + UNUSABLE_LOOK_EVERY,
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = ending.cancelled() => break,
                Some(attempt) = on_their_way.next() => {
                    if self.settle(attempt, &mut queue, &pace).await == Next::Stop {
                        return;
                    }
                }
                asked_at = self.redelivery.signalled() => if let Some(asked_at) = asked_at {
                    // The merchant asked for a notice, so its endpoint is ready.
                    self.pause.end_if_asked_before(asked_at);
                    queue.rewind();
                    (is_more, looks) = (true, Looks::new());
                },
                changed = signal.changed(), if has_room && !is_more => match changed {
                    Ok(()) => is_more = true,
                    Err(_) => break,
                },
                () = tokio::time::sleep_until(looks.next_at), if has_room && is_more => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
        }
        self.finish(queue, pace, on_their_way).await;
    }

    /// Reads on in the outbox; true while there may be more.
    async fn read(&self, queue: &mut Queue, looks: &mut Looks) -> bool {
        let limit = queue.room().min(PAGE_LEN);
        let store = &self.notices.store;
        match store.outbox_page(self.endpoint, queue.read_through(), limit).await {
            Ok(page) => {
                looks.found(page.rows.len());
                queue.take_in(page.rows, page.through);
                page.is_more
            }
            Err(error) => {
                static NOT_READ: Seldom = Seldom::new();
                if let Some(left_out) = NOT_READ.is_due() {
                    let endpoint = self.endpoint;
                    tracing::warn!(%endpoint, %error, left_out, "outbox could not be read");
                }
                looks.failed();
                true
            }
        }
    }

    /// Gives up what is owed for longer than it may be, some of it at once.
    async fn give_up_old(&self, queue: &mut Queue) {
        let mut count = 0;
        while count < GIVEN_UP_AT_ONCE
            && let Some(owed) = queue.next_owed_since_before(self.oldest_since())
        {
            metrics::counter!("cauce_notices_dead_total").increment(1);
            let (store, sequence) = (&self.notices.store, owed.sequence);
            let times = (owed.owed_since, clock::now());
            self.noted(store.notice_too_old(self.endpoint, sequence, times).await);
            queue.settled(sequence);
            count += 1;
        }
        if count > 0 {
            let endpoint = self.endpoint;
            tracing::warn!(%endpoint, count, "notices given up for their age");
        }
    }

    /// What is owed since an earlier time is given up.
    fn oldest_since(&self) -> Timestamp {
        clock::now().plus_micros(-self.age_max_micros())
    }

    fn age_max_micros(&self) -> i64 {
        i64::try_from(self.notices.config.age_max.as_micros()).unwrap_or(i64::MAX)
    }

    /// When to look at the queue again by itself.
    fn wake_at(&self, queue: &Queue, has_place: bool, pause_ends_at: Option<Instant>) -> Instant {
        let too_old_at = queue.owed_since().map(|since| since.plus_micros(self.age_max_micros()));
        let (too_old_at, next_at) =
            (too_old_at.map(after), wake_at(queue, has_place, pause_ends_at));
        too_old_at.map_or(next_at, |too_old_at| too_old_at.min(next_at))
    }

    /// Sends what is due and has a place; false where nothing can be sent to the endpoint.
    fn send(&self, queue: &mut Queue, pace: &Arc<Pace>, on_their_way: &mut OnTheirWay) -> bool {
        if self.heed_change(queue).is_none() {
            return false;
        }
        while self.pause.ends_at(Instant::now()).is_none() && on_their_way.len() < pace.allowance()
        {
            let Some(owed) = queue.next(clock::now()) else { break };
            let (notices, current) = (Arc::clone(&self.notices), Arc::clone(&self.current));
            let manner = (Arc::clone(pace), Arc::clone(&self.pause));
            on_their_way.push(Box::pin(attempt(notices, current, owed, manner)));
        }
        true
    }

    /// Where notices go, and what signs them, as of the endpoint's last change; none while nothing
    /// can be sent there. What failed, and a pause that was asked for, was the business of the
    /// address before.
    fn heed_change(&self, queue: &mut Queue) -> Option<Arc<Target>> {
        let target = self.current.of_now(&self.notices)?;
        let mut addressed = self.addressed.lock();
        if target.uri != *addressed {
            *addressed = target.uri.clone();
            self.pause.end();
            queue.hurry(clock::now());
        }
        Some(target)
    }

    /// Whether an attempt went to an address that the endpoint had before its last change.
    fn is_of_address_before(&self, attempt: &AttemptResult) -> bool {
        let addressed = self.addressed.lock();
        attempt.target.as_ref().is_some_and(|target| target.uri != *addressed)
    }

    /// Notes what became of an attempt.
    async fn settle(&self, attempt: AttemptResult, queue: &mut Queue, pace: &Pace) -> Next {
        self.heed_change(queue);
        let is_of_before = self.is_of_address_before(&attempt);
        let AttemptResult { owed, target, at, happened_at, took, result } = attempt;
        let attempted = |status| Attempted { at, status, attempts: owed.attempts + 1 };
        match result {
            Ok(Answer { status, .. }) if (200..=299).contains(&status) => {
                pace.learn(Response::Accepted, took);
                metrics::counter!("cauce_notices_delivered_total").increment(1);
                let lag = u64::try_from(clock::now().0 - happened_at.0).unwrap_or(0);
                metrics::histogram!("cauce_notice_lag_seconds").record(Duration::from_micros(lag));
                let store = &self.notices.store;
                let attempted = attempted(Some(status));
                self.noted(store.notice_done(self.endpoint, owed.sequence, attempted).await);
                queue.settled(owed.sequence);
            }
            Ok(_) | Err(NotTried::Silent(_)) if is_of_before => {
                // It speaks for an address that is the endpoint's no more. The new one is asked.
                failed("address_changed");
                queue.again(owed.sequence, owed.attempts, clock::now());
            }
            Ok(Answer { status: 410, .. }) => {
                failed("gone");
                let version = target.map_or(0, |target| target.version);
                return self.gone((&owed, version), attempted(Some(410)), queue).await;
            }
            Ok(Answer { status, retry_after }) => {
                pace.learn(Response::Rejected, took);
                failed(status_class(status));
                let asked = retry_after.filter(|_| matches!(status, 429 | 503));
                let asked = asked.and_then(|value| schedule::asked_pause(&value, clock::now()));
                self.pause_for(asked.unwrap_or_default(), pace);
                self.try_again(&owed, attempted(Some(status)), asked, queue).await;
            }
            Err(NotTried::Silent(why)) => {
                pace.learn(Response::Silent, took);
                failed(why.name());
                self.try_again(&owed, attempted(None), None, queue).await;
            }
            Err(NotTried::Paused) => queue.again(owed.sequence, owed.attempts, owed.next_at),
            Err(NotTried::Unusable) => queue.again(owed.sequence, owed.attempts, owed.next_at),
            Err(NotTried::Store(error)) => {
                tracing::warn!(notice_id = %owed.notice_id, %error, "a notice could not be made");
                queue.again(owed.sequence, owed.attempts, later(at));
            }
            Err(NotTried::UnknownPayment) => {
                tracing::error!(notice_id = %owed.notice_id, payment_id = %owed.payment,
                    "a notice tells of a payment that is not known");
                self.give_up(&owed, attempted(None), queue).await;
            }
        }
        Next::GoOn
    }

    /// The endpoint asked for a pause: it has it from all notices, and earns its places anew.
    fn pause_for(&self, asked: Duration, pace: &Pace) {
        if asked.is_zero() {
            return;
        }
        self.pause.ask(asked, (Instant::now(), clock::now()));
        pace.begin_anew();
        static PAUSED: Seldom = Seldom::new();
        if let Some(left_out) = PAUSED.is_due() {
            let (endpoint, pause_s) = (self.endpoint, asked.as_secs());
            tracing::info!(%endpoint, pause_s, left_out, "endpoint asked for a pause");
        }
    }

    async fn try_again(
        &self,
        owed: &UndeliveredNotice,
        attempted: Attempted,
        asked: Option<Duration>,
        queue: &mut Queue,
    ) {
        let pauses = &self.notices.config.retry_after;
        let now = clock::now();
        if queue.is_redelivery_asked(owed) {
            // It was asked for once more meanwhile: it has the whole schedule before it.
            let store = &self.notices.store;
            let (endpoint, sequence) = (self.endpoint, owed.sequence);
            self.noted(store.notice_retry(endpoint, sequence, attempted, now).await);
            return queue.again(sequence, 0, now);
        }
        match schedule::next_try(pauses, attempted.attempts, now, asked, rand::random()) {
            Some(next_at) => {
                let store = &self.notices.store;
                let (endpoint, sequence) = (self.endpoint, owed.sequence);
                self.noted(store.notice_retry(endpoint, sequence, attempted, next_at).await);
                queue.again(owed.sequence, attempted.attempts, next_at);
            }
            None => {
                tracing::warn!(
                    endpoint = %self.endpoint,
                    notice_id = %owed.notice_id,
                    payment_id = %owed.payment,
                    attempts = attempted.attempts,
                    "notice given up"
                );
                self.give_up(owed, attempted, queue).await;
            }
        }
    }

    async fn give_up(&self, owed: &UndeliveredNotice, attempted: Attempted, queue: &mut Queue) {
        metrics::counter!("cauce_notices_dead_total").increment(1);
        let store = &self.notices.store;
        self.noted(store.notice_dead(self.endpoint, owed.sequence, attempted).await);
        queue.settled(owed.sequence);
    }

    /// 410: the endpoint wants no more notices, ever. One that was changed since the notice was
    /// sent, or that cannot be deleted now, is asked again by the schedule.
    async fn gone(
        &self,
        (owed, version): (&UndeliveredNotice, u32),
        attempted: Attempted,
        queue: &mut Queue,
    ) -> Next {
        if let Err(error) = self.notices.delete_version(self.endpoint, version).await {
            let endpoint = self.endpoint;
            tracing::error!(%endpoint, %error, "endpoint answered 410 and could not be deleted");
            self.try_again(owed, attempted, None, queue).await;
            return Next::GoOn;
        }
        tracing::warn!(endpoint = %self.endpoint, "endpoint answered 410 and is deleted");
        metrics::counter!("cauce_endpoints_gone_total").increment(1);
        let store = &self.notices.store;
        self.noted(store.notice_dead(self.endpoint, owed.sequence, attempted).await);
        Next::Stop
    }

    /// Hears the answers that are on their way, so that fewer notices are sent twice.
    async fn finish(self, mut queue: Queue, pace: Arc<Pace>, mut on_their_way: OnTheirWay) {
        let heard = async {
            while let Some(attempt) = on_their_way.next().await {
                self.settle(attempt, &mut queue, &pace).await;
            }
        };
        tokio::time::timeout(STOP_WAIT_MAX, heard).await.ok();
    }

    /// What is not noted is only told again: the endpoint knows it by its id.
    fn noted(&self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            static NOT_NOTED: Seldom = Seldom::new();
            if let Some(left_out) = NOT_NOTED.is_due() {
                let endpoint = self.endpoint;
                tracing::warn!(%endpoint, %error, left_out, "delivery could not be noted");
            }
        }
    }
}

fn failed(why: &'static str) {
    metrics::counter!("cauce_notices_failed_total", "why" => why).increment(1);
}

fn status_class(status: u16) -> &'static str {
    match status {
        429 => "status_429",
        300..=399 => "redirect",
        400..=499 => "status_4xx",
        500..=599 => "status_5xx",
        _ => "status_other",
    }
}

fn later(now: Timestamp) -> Timestamp {
    now.plus_micros(i64::try_from(STORE_PAUSE.as_micros()).unwrap_or(i64::MAX))
}

/// When a time has passed.
fn after(time: Timestamp) -> Instant {
    let wait = u64::try_from(time.0.saturating_sub(clock::now().0)).unwrap_or(0);
    Instant::now() + Duration::from_micros(wait.saturating_add(1)).min(LOOK_EVERY)
}

/// When the next notice can be sent.
fn wake_at(queue: &Queue, has_place: bool, pause_ends_at: Option<Instant>) -> Instant {
    if let Some(end) = pause_ends_at {
        return end.min(Instant::now() + LOOK_EVERY);
    }
    let wait = match queue.next_at().filter(|_| has_place) {
        Some(at) => u64::try_from(at.0.saturating_sub(clock::now().0)).unwrap_or(0),
        None => u64::MAX,
    };
    Instant::now() + Duration::from_micros(wait).min(LOOK_EVERY)
}

/// When the outbox may be looked at again.
struct Looks {
    next_at: Instant,
    pause: Duration,
}

impl Looks {
    fn new() -> Self {
        Self { next_at: Instant::now(), pause: Duration::ZERO }
    }

    fn are_due(&self) -> bool {
        Instant::now() >= self.next_at
    }

    fn found(&mut self, count: usize) {
        self.pause = match count {
            0 => (self.pause * 2).clamp(LOOK_PAUSE_MIN, LOOK_PAUSE_MAX),
            _ => Duration::ZERO,
        };
        self.next_at = Instant::now() + self.pause;
    }

    fn failed(&mut self) {
        self.next_at = Instant::now() + STORE_PAUSE;
    }
}
