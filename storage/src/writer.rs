//! The one thread that decides and appends, a group at a time.
//!
//! A group is whatever waits in the queue when the last sync is done: no timer, and the busier
//! the store, the larger the groups. For each group, in this order: the guard takes; the records
//! are written and synced; the guard gives back; readers see it; callers are answered. So money
//! becomes unavailable early and available late, and no answer is ahead of the disk.

mod group;
mod take;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use foldhash::HashMap;
use router::event::Subject;
use router::id::{AccountId, PaymentId};
use router::money::Currency;
use router::payment::Progress;
use router::record::{Intent, Record, Refused};
use tokio::sync::oneshot;

use crate::appended::Appended;
use crate::error::StoreError;
use crate::failure::StoreFailure;
use crate::guard::{Balance, Guard, Sought};
use crate::journal::{Backend, BackendError, Journal};
use crate::seal::Sealer;
use crate::settings::Limits;
use crate::shared::Shared;
use crate::view::Views;

/// How long the writer waits at a time for the read models to catch up.
const LAG_WAIT: Duration = Duration::from_millis(20);
/// How long it waits for them before it says so.
const TELL_LAG_AFTER: Duration = Duration::from_secs(1);

/// Pause before a change that the guard did not take is sent to it again.
const TELL_GUARD_AGAIN: Duration = Duration::from_millis(100);

pub(crate) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked. Records are encoded already, by their callers.
pub(crate) enum Command {
    Admit {
        intent: Box<Intent>,
        encoded: Vec<u8>,
        /// Its request is kept as it came: no field of it is masked.
        is_as_it_came: bool,
        answer: Answer<Decided>,
    },
    Refuse {
        refused: Box<Refused>,
        encoded: Vec<u8>,
        answer: Answer<Decided>,
    },
    Append {
        record: Record,
        encoded: Vec<u8>,
        answer: Answer<Appended>,
    },
    FindKey {
        sought: Sought,
        answer: Answer<Option<PaymentId>>,
    },
    /// Answered when everything queued before is durable.
    Barrier {
        answer: Answer<()>,
    },
    Balance {
        account: AccountId,
        currency: Currency,
        answer: Answer<Option<Balance>>,
    },
    Stop {
        answer: Answer<()>,
    },
}

/// The result of an admission or refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decided {
    Granted { sequence: u64 },
    Refused,
    Duplicate(PaymentId),
    KeyReused(PaymentId),
}

/// Everything the thread owns.
pub(crate) struct Writer<G, B> {
    pub commands: Receiver<Command>,
    pub guard: G,
    pub journal: Journal<B>,
    pub views: Arc<dyn Views>,
    pub shared: Arc<Shared>,
    pub sealer: Sealer,
    /// Where open payments stand, and within a group also those it closes.
    pub steps: HashMap<PaymentId, Progress>,
    /// The present versions of the subjects of this lane's events.
    pub versions: BTreeMap<Subject, u32>,
    pub limits: Limits,
}

impl<G: Guard, B: Backend> Writer<G, B> {
    /// Serves until it is stopped, all handles are gone, or a write fails.
    pub fn run(mut self) {
        let mut waiting = Vec::with_capacity(self.limits.group_len_max);
        let mut anchored_at = Instant::now();
        let mut anchored = self.journal.head().sequence;
        loop {
            self.wait_for_views();
            match self.commands.recv_timeout(self.patience()) {
                Ok(first) => self.drain(first, &mut waiting),
                Err(RecvTimeoutError::Timeout) => self.tell_guard_again(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let stop = self.serve(&mut waiting);
            if self.shared.has_failed() {
                return self.refuse_all(stop);
            }
            if let Some(answer) = stop {
                self.close();
                // A caller that went away does not need the answer.
                let _ = answer.send(Ok(()));
                return;
            }
            let head = self.journal.head().sequence;
            if head != anchored && anchored_at.elapsed() >= self.limits.anchor_interval {
                self.anchor();
                (anchored, anchored_at) = (head, Instant::now());
            }
        }
        self.close();
    }

    /// How long a command is waited for at a time.
    fn patience(&self) -> Duration {
        let anchor_interval = self.limits.anchor_interval;
        if self.guard.is_behind() { anchor_interval.min(TELL_GUARD_AGAIN) } else { anchor_interval }
    }

    fn drain(&self, first: Command, waiting: &mut Vec<Command>) {
        let mut len = first.len();
        waiting.push(first);
        while waiting.len() < self.limits.group_len_max && len < self.limits.frame_len_max {
            let Ok(next) = self.commands.try_recv() else { break };
            len += next.len();
            waiting.push(next);
        }
        self.shared.room.notify_waiters();
    }

    /// The named ceiling on what the read models owe. A store that is closed makes what it has taken
    /// durable and leaves the read models to its next start.
    fn wait_for_views(&self) {
        let shared = &self.shared;
        let (began, mut is_told) = (Instant::now(), false);
        while shared.lag() > self.limits.view_lag_max
            && !shared.has_failed()
            && !shared.is_closing()
        {
            if !is_told && began.elapsed() >= TELL_LAG_AFTER {
                tracing::warn!(lag = shared.lag(), "nothing is taken until the read models follow");
                is_told = true;
            }
            shared.writer_waits(LAG_WAIT);
        }
    }

    fn close(&mut self) {
        if let Err(error) = self.journal.close() {
            self.fail(&error);
        }
    }

    fn anchor(&mut self) {
        if let Err(error) = self.journal.anchor() {
            self.fail(&error);
        }
    }

    /// Tells why the journal takes nothing more.
    fn fail(&self, error: &BackendError) {
        if let BackendError::LaneLost { lane, owner } = error {
            tracing::warn!(%lane, %owner, "the lane has another owner: nothing more is appended");
            return self.shared.fail(StoreFailure::LaneLost { owner: owner.clone() });
        }
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%error, source, "the journal has failed; the process must end");
        self.shared.fail(StoreFailure::Journal);
    }

    /// After a failure every command is answered with it, until the last handle is gone.
    fn refuse_all(self, stop: Option<Answer<()>>) {
        if let Some(answer) = stop {
            let _ = answer.send(Err(StoreError::Failed));
            return;
        }
        for command in self.commands.iter() {
            let is_stop = matches!(command, Command::Stop { .. });
            command.refuse(&StoreError::Failed);
            if is_stop {
                // Commands that are still queued go with the queue; their callers get the same.
                return;
            }
            self.shared.room.notify_waiters();
        }
    }
}

impl Command {
    fn len(&self) -> usize {
        match self {
            Self::Admit { encoded, .. }
            | Self::Refuse { encoded, .. }
            | Self::Append { encoded, .. } => encoded.len(),
            Self::FindKey { .. }
            | Self::Barrier { .. }
            | Self::Balance { .. }
            | Self::Stop { .. } => 0,
        }
    }

    /// Answers with an error. A caller that went away does not need the answer.
    pub fn refuse(self, error: &StoreError) {
        let _ = match self {
            Self::Admit { answer, .. } | Self::Refuse { answer, .. } => {
                answer.send(Err(error.clone())).is_ok()
            }
            Self::Append { answer, .. } => answer.send(Err(error.clone())).is_ok(),
            Self::FindKey { answer, .. } => answer.send(Err(error.clone())).is_ok(),
            Self::Balance { answer, .. } => answer.send(Err(error.clone())).is_ok(),
            Self::Barrier { answer } | Self::Stop { answer } => {
                answer.send(Err(error.clone())).is_ok()
            }
        };
    }
}

#[cfg(test)]
mod tests;
