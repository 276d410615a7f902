//! A simulated issuing bank (or credit host): a TCP server of the sandbox's ISO 8583 profile that
//! debits, declines, keeps silent or is late as the amount asks it to ([`crate::conduct`]), and is
//! idempotent as a real bank is.

mod book;
mod line;
mod truth;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use router::time::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use crate::conduct::{Latency, Profile, Verdict};
pub use book::Effect;

use crate::clock;
use crate::json_log::JsonLog;
use crate::tasks::{Spawner, Tasks};
use book::Book;

/// What a simulated issuer needs to start.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Name of the participant it plays; stands in its log.
    pub participant: String,
    /// Authorisation numbers and misbehaviour are functions of it.
    pub seed: u64,
    /// Where to write what it saw, one JSON object a message.
    pub truth: Option<PathBuf>,
    /// How its lines misbehave.
    pub profile: Profile,
    /// When it answers amounts ending in 69; should lie after the switch's deadline.
    pub late_after: Duration,
    /// Whether it keeps a book.
    pub bookkeeping: Bookkeeping,
}

/// The lines of one peer sign on within this time of each other.
const SIGN_ONS_APART: Duration = Duration::from_millis(100);

/// Whether the bank remembers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bookkeeping {
    /// Every payment is kept: repeats, reversals and the audit can rely on it.
    #[default]
    Kept,
    /// Nothing is kept: each request is decided by its amount alone, each reversal confirmed.
    /// For speed runs of unlimited length only.
    None,
}

impl IssuerSettings {
    /// A well-behaved bank on a free loopback port, late after 3 s, without a log.
    pub fn new(participant: &str) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            participant: participant.to_owned(),
            seed: 1,
            truth: None,
            profile: Profile::default(),
            late_after: Duration::from_secs(3),
            bookkeeping: Bookkeeping::Kept,
        }
    }
}

/// How the whole bank behaves at the moment, whatever the amounts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As the amounts say.
    Working,
    /// Reads and forgets everything: nothing is debited, nothing answered, not even an echo.
    Deaf,
    /// Closes every line at its next message, and every new line at once.
    HangingUp,
}

/// What a simulated issuer counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines accepted.
    pub lines: u64,
    /// Requests to pay, repeats included.
    pub payments: u64,
    /// Repeats and duplicates among them.
    pub repeats: u64,
    /// Reversals and reversal advices, repeats included.
    pub reversals: u64,
    /// Inquiries.
    pub inquiries: u64,
    /// Refunds (0200 with DE3 20).
    pub refunds: u64,
    /// Network management requests.
    pub network: u64,
    /// Sign-ons among them.
    pub sign_ons: u64,
    /// Answers written, late ones and second copies included.
    pub answers: u64,
    /// Messages that could not be read or are of an unknown type.
    pub not_understood: u64,
}

#[derive(Debug, Default)]
struct Counters {
    lines: AtomicU64,
    payments: AtomicU64,
    repeats: AtomicU64,
    reversals: AtomicU64,
    inquiries: AtomicU64,
    refunds: AtomicU64,
    network: AtomicU64,
    answers: AtomicU64,
    not_understood: AtomicU64,
}

#[derive(Debug)]
struct Bank {
    participant: String,
    seed: u64,
    profile: Profile,
    late_after: Duration,
    book: Option<Book>,
    log: Option<JsonLog>,
    mood: AtomicU8,
    contradicting: AtomicU32,
    counters: Counters,
    sign_ons: watch::Sender<u64>,
}

/// A simulated issuer.
#[derive(Debug)]
pub struct Issuer;

impl Issuer {
    /// Starts to listen.
    ///
    /// Errors: what the system says of the address or the log file.
    pub async fn start(settings: IssuerSettings) -> io::Result<IssuerHandle> {
        let listener = TcpListener::bind(settings.listen).await?;
        let addr = listener.local_addr()?;
        let bank = Arc::new(Bank {
            log: settings.truth.as_deref().map(JsonLog::open).transpose()?,
            book: (settings.bookkeeping == Bookkeeping::Kept).then(Book::new),
            participant: settings.participant,
            seed: settings.seed,
            profile: settings.profile,
            late_after: settings.late_after,
            mood: AtomicU8::new(0),
            contradicting: AtomicU32::new(settings.profile.contradicting),
            counters: Counters::default(),
            sign_ons: watch::Sender::default(),
        });
        let tasks = Tasks::new();
        tasks.spawn(accept(listener, Arc::clone(&bank), tasks.spawner()));
        Ok(IssuerHandle { addr, started_at: clock::now(), bank, tasks })
    }
}

async fn accept(listener: TcpListener, bank: Arc<Bank>, tasks: Spawner) {
    let token = tasks.token();
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                bank.counters.lines.fetch_add(1, Ordering::Relaxed);
                drop(tasks.spawn(line::serve(stream, Arc::clone(&bank), token.clone())));
            }
            Err(error) => tracing::warn!(%error, "an issuer's line could not be accepted"),
        }
    }
}

impl Bank {
    fn profile(&self) -> Profile {
        Profile { contradicting: self.contradicting.load(Ordering::Relaxed), ..self.profile }
    }

    fn mood(&self) -> Mood {
        match self.mood.load(Ordering::Relaxed) {
            0 => Mood::Working,
            1 => Mood::Deaf,
            _ => Mood::HangingUp,
        }
    }
}

/// A running issuer; it ends with its handle.
#[derive(Debug)]
pub struct IssuerHandle {
    addr: SocketAddr,
    started_at: Timestamp,
    bank: Arc<Bank>,
    tasks: Tasks,
}

impl IssuerHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Since when it keeps its book.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// What it holds of each payment, ordered by reference. Empty without bookkeeping.
    pub fn truth(&self) -> Vec<Effect> {
        let mut effects = self.bank.book.as_ref().map(Book::effects).unwrap_or_default();
        effects.sort_by_key(|effect| (effect.rrn, effect.stan));
        effects
    }

    /// What it counted so far.
    pub fn counts(&self) -> Counts {
        let counters = &self.bank.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            lines: read(&counters.lines),
            payments: read(&counters.payments),
            repeats: read(&counters.repeats),
            reversals: read(&counters.reversals),
            inquiries: read(&counters.inquiries),
            refunds: read(&counters.refunds),
            network: read(&counters.network),
            sign_ons: *self.bank.sign_ons.borrow(),
            answers: read(&counters.answers),
            not_understood: read(&counters.not_understood),
        }
    }

    /// How many sign-ons there were, and when there is another.
    pub fn sign_ons(&self) -> watch::Receiver<u64> {
        self.bank.sign_ons.subscribe()
    }

    /// Waits until a line has signed on and no other has followed for a while: a peer opens its lines
    /// one after the other, and takes the answer to each sign-on in before it uses the line.
    ///
    /// Resolves at once where that has happened already; never where no peer signs on. Cancel-safe.
    pub async fn signed_on(&self) {
        let mut sign_ons = self.bank.sign_ons.subscribe();
        if sign_ons.wait_for(|count| *count > 0).await.is_err() {
            return std::future::pending().await;
        }
        while tokio::time::timeout(SIGN_ONS_APART, sign_ons.changed()).await.is_ok() {}
    }

    /// Changes how the whole bank behaves from its next message on.
    pub fn set_mood(&self, mood: Mood) {
        let code = match mood {
            Mood::Working => 0,
            Mood::Deaf => 1,
            Mood::HangingUp => 2,
        };
        self.bank.mood.store(code, Ordering::Relaxed);
    }

    /// Changes which share of approvals is told as one of half the amount, in basis points.
    pub fn set_contradicting(&self, share: u32) {
        self.bank.contradicting.store(share, Ordering::Relaxed);
    }

    /// Closes every line, stops listening and writes the log out; what it held is given back.
    /// Cancel-safe.
    ///
    /// Errors: a failure of writing the log.
    pub async fn stop(self) -> io::Result<Vec<Effect>> {
        self.tasks.stop().await;
        self.bank.log.as_ref().map_or(Ok(()), JsonLog::close)?;
        Ok(self.truth())
    }
}
