//! A simulated bank with a JSON API, that of `config/participants/json/example-bank.toml`. It debits,
//! declines, keeps silent or is late as the amount asks it to, is idempotent as a real bank is, and
//! misbehaves where its profile or a test says so.

mod book;
mod line;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use codecs::http_signature::{SignatureRules, SigningKey};
use tokio::net::TcpListener;

use crate::conduct::mix;
use crate::json_log::JsonLog;
use crate::tasks::Tasks;
use book::JsonBook;
pub use book::{DebitState, JsonDebit};

/// How one answer goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misconduct {
    /// It is sent twice.
    Twice,
    /// It tells another amount.
    OtherAmount,
    /// It tells another payment's reference.
    OtherReference,
    /// Its signature is wrong.
    BrokenSignature,
    /// It is a 200 with an error inside.
    ErrorInside,
    /// It is no JSON.
    Garbage,
    /// It is a 503, though the money moved.
    ServerError,
    /// Its body has 100 MB.
    LongBody,
    /// Its body comes one byte a second.
    SlowBody,
    /// The connection is dropped instead.
    Dropped,
}

impl Misconduct {
    /// All of them, with their names on the command line.
    pub const NAMED: [(&'static str, Self); 10] = [
        ("twice", Self::Twice),
        ("other-amount", Self::OtherAmount),
        ("other-reference", Self::OtherReference),
        ("broken-signature", Self::BrokenSignature),
        ("error-inside", Self::ErrorInside),
        ("garbage", Self::Garbage),
        ("server-error", Self::ServerError),
        ("long-body", Self::LongBody),
        ("slow-body", Self::SlowBody),
        ("dropped", Self::Dropped),
    ];
}

/// How answers are signed, and which requests are believed.
#[derive(Debug)]
pub struct BankKeys {
    /// Signs answers, under this name.
    pub sign: Option<(String, SigningKey)>,
    /// Requests that are believed; none means all.
    pub verify: Option<SignatureRules>,
}

/// What a simulated bank needs to start.
#[derive(Debug)]
pub struct JsonBankSettings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Name of the participant it plays; stands in its log.
    pub participant: String,
    /// Authorisations and misbehaviour are functions of it.
    pub seed: u64,
    /// Where to write what it saw, one JSON object a request.
    pub truth: Option<PathBuf>,
    /// When it answers amounts ending in 69; should lie after the switch's deadline.
    pub late_after: Duration,
    /// How long it waits for the payer of an amount ending in 70 or 71; for others it does not say.
    pub short_wait: Duration,
    /// Shares of payments whose answer goes wrong, in basis points.
    pub misconduct: Vec<(Misconduct, u32)>,
    /// Signatures.
    pub keys: BankKeys,
}

impl JsonBankSettings {
    /// A well-behaved bank on a free loopback port, late after 3 s, without log and signatures.
    pub fn new(participant: &str) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            participant: participant.to_owned(),
            seed: 1,
            truth: None,
            late_after: Duration::from_secs(3),
            short_wait: Duration::from_secs(2),
            misconduct: Vec::new(),
            keys: BankKeys { sign: None, verify: None },
        }
    }
}

/// What a simulated bank counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JsonBankCounts {
    /// Requests to pay, repeats included.
    pub payments: u64,
    /// One-time keys that were passed on, repeats included.
    pub confirmations: u64,
    /// Requests to undo.
    pub reversals: u64,
    /// Requests to give a part back, repeats included.
    pub refunds: u64,
    /// Questions.
    pub inquiries: u64,
    /// Requests that were not believed or not understood.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Counters {
    payments: AtomicU64,
    confirmations: AtomicU64,
    reversals: AtomicU64,
    refunds: AtomicU64,
    inquiries: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug)]
struct Bank {
    settings: JsonBankSettings,
    book: JsonBook,
    log: Option<JsonLog>,
    counters: Counters,
    /// What goes wrong with every answer from now on.
    always: Mutex<Option<Misconduct>>,
}

/// A simulated bank.
#[derive(Debug)]
pub struct JsonBank;

/// A running bank; it ends with its handle.
#[derive(Debug)]
pub struct JsonBankHandle {
    addr: SocketAddr,
    bank: Arc<Bank>,
    tasks: Tasks,
}

impl JsonBank {
    /// Starts to listen.
    ///
    /// Errors: what the system says of the address or the log file.
    pub async fn start(settings: JsonBankSettings) -> io::Result<JsonBankHandle> {
        let listener = TcpListener::bind(settings.listen).await?;
        let addr = listener.local_addr()?;
        let log = settings.truth.as_deref().map(JsonLog::open).transpose()?;
        let book = JsonBook::new(settings.seed, settings.short_wait);
        let (counters, always) = (Counters::default(), Mutex::default());
        let bank = Arc::new(Bank { settings, book, log, counters, always });
        let tasks = Tasks::new();
        tasks.spawn(line::serve(listener, Arc::clone(&bank), tasks.spawner()));
        Ok(JsonBankHandle { addr, bank, tasks })
    }
}

impl Bank {
    /// What goes wrong with the answer to a payment or its confirmation.
    fn misconduct(&self, order: &str) -> Option<Misconduct> {
        let always = *self.always.lock().unwrap_or_else(PoisonError::into_inner);
        always.or_else(|| {
            let drawn = mix(book::digest(self.settings.seed, order) ^ 7) % 10_000;
            let mut upper = 0;
            let mut shares = self.settings.misconduct.iter();
            let found = shares.find(|(_, share)| {
                upper += u64::from(*share);
                drawn < upper
            });
            found.map(|(misconduct, _)| *misconduct)
        })
    }
}

impl JsonBankHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address, to be given to the switch.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What it counted so far.
    pub fn counts(&self) -> JsonBankCounts {
        let counters = &self.bank.counters;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        JsonBankCounts {
            payments: count(&counters.payments),
            confirmations: count(&counters.confirmations),
            reversals: count(&counters.reversals),
            refunds: count(&counters.refunds),
            inquiries: count(&counters.inquiries),
            refused: count(&counters.refused),
        }
    }

    /// What it has debited under a reference; none where it knows nothing of it.
    pub fn debit(&self, order: &str) -> Option<JsonDebit> {
        self.bank.book.debit(order)
    }

    /// All references under which it was asked to pay, and what it did.
    pub fn debits(&self) -> Vec<(String, JsonDebit)> {
        self.bank.book.debits()
    }

    /// The payer of an order that waits has paid at the bank's own page; whether there is such an order.
    pub fn paid_at_page(&self, order: &str) -> bool {
        self.bank.book.paid_at_page(order)
    }

    /// Has every answer to a payment or a confirmation go wrong from now on, or none.
    pub fn misbehave(&self, misconduct: Option<Misconduct>) {
        *self.bank.always.lock().unwrap_or_else(PoisonError::into_inner) = misconduct;
    }

    /// Stops listening and writes the log out. Cancel-safe.
    ///
    /// Errors: a failure of writing the log.
    pub async fn stop(self) -> io::Result<()> {
        self.tasks.stop().await;
        self.bank.log.as_ref().map_or(Ok(()), JsonLog::close)
    }
}
