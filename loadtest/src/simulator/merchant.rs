//! A simulated merchant: receives notices over HTTP, checks their signatures, writes down what it
//! heard, and misbehaves where its script says so.

mod receiver;
pub mod signature;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use router::time::Timestamp;
use serde::{Serialize, Serializer};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::json_log::JsonLog;
use crate::tasks::Tasks;
use signature::{SignatureError, SigningSecret};

/// How a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// 200 at once.
    Accept,
    /// This status to the first so many deliveries, then 200. A delivery that is refused is not
    /// taken down as heard.
    RefuseThenAccept {
        /// HTTP status of the refusals.
        status: u16,
        /// How many are refused.
        times: u32,
    },
    /// 410 for ever: the merchant wants no more notices at this address.
    Gone,
    /// Takes the request and never answers.
    Hang,
    /// 200 after a while.
    Slow(Duration),
}

/// One biller's address at the simulated merchant.
#[derive(Debug, Clone)]
pub struct BillerEndpoint {
    /// Path of the address, e.g. `/isp-ve`.
    pub path: String,
    /// Signing secret, `whsec_…`.
    pub secret: String,
    /// How it answers.
    pub script: Script,
}

/// What a simulated merchant needs to start.
#[derive(Debug, Clone)]
pub struct MerchantSettings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where to write what was heard, one JSON object a line.
    pub log: Option<PathBuf>,
    /// The addresses served.
    pub billers: Vec<BillerEndpoint>,
}

/// One notice that was heard: signature right, and answered with success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeardNotice {
    /// When it came.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// `webhook-id`.
    pub webhook_id: String,
    /// The event's type, e.g. `payment.approved`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The payment's id as the notice gives it; empty where it names none.
    pub payment: String,
    /// The payment's folio, where the notice gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folio: Option<String>,
    /// The path it came to.
    pub path: String,
}

fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// Why a simulated merchant could not start.
#[derive(Debug, thiserror::Error)]
pub enum MerchantError {
    /// The address or the log could not be opened.
    #[error("cannot open the merchant's address or log")]
    Io(#[from] io::Error),
    /// A signing secret cannot be read.
    #[error("signing secret of `{path}` cannot be read")]
    Secret {
        /// The biller's path.
        path: String,
        /// What is wrong with it.
        source: SignatureError,
    },
}

/// The deadline of a wait passed; this many notices had been heard by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was waited for did not happen in time; {heard} notices heard")]
pub struct WaitElapsed {
    /// Notices heard so far.
    pub heard: usize,
}

/// A simulated merchant.
#[derive(Debug)]
pub struct Merchant;

impl Merchant {
    /// Starts to listen.
    ///
    /// Errors: [`MerchantError`] when an address, file or secret is unusable.
    pub async fn start(settings: MerchantSettings) -> Result<MerchantHandle, MerchantError> {
        let log = settings.log.as_deref().map(JsonLog::open).transpose()?;
        let mut billers = HashMap::new();
        for biller in settings.billers {
            let secret = SigningSecret::new(&biller.secret)
                .map_err(|source| MerchantError::Secret { path: biller.path.clone(), source })?;
            let script = Mutex::new(biller.script);
            billers.insert(biller.path, Biller { secret: Mutex::new(secret), script });
        }
        let listener = TcpListener::bind(settings.listen).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            billers,
            heard: watch::Sender::default(),
            disbelieved: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            hung: AtomicU64::new(0),
            log,
        });
        let tasks = Tasks::new();
        tasks.spawn(receiver::serve(listener, Arc::clone(&shared), tasks.spawner()));
        Ok(MerchantHandle { addr, shared, tasks })
    }
}

/// A running merchant; it ends with its handle.
#[derive(Debug)]
pub struct MerchantHandle {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Shared {
    billers: HashMap<String, Biller>,
    heard: watch::Sender<Vec<HeardNotice>>,
    disbelieved: AtomicU64,
    refused: AtomicU64,
    hung: AtomicU64,
    log: Option<JsonLog>,
}

#[derive(Debug)]
struct Biller {
    secret: Mutex<SigningSecret>,
    script: Mutex<Script>,
}

impl MerchantHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address of a biller's path, to be given to the switch.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Every notice heard so far, in the order it came.
    pub fn heard(&self) -> Vec<HeardNotice> {
        self.shared.heard.borrow().clone()
    }

    /// Deliveries whose signature was wrong; they were answered 401.
    pub fn disbelieved(&self) -> u64 {
        self.shared.disbelieved.load(Ordering::Relaxed)
    }

    /// Deliveries refused by script.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Deliveries that were taken and never answered, by script.
    pub fn hung(&self) -> u64 {
        self.shared.hung.load(Ordering::Relaxed)
    }

    /// Changes how a path answers from now on; nothing happens for a path that is not served.
    pub fn rewrite(&self, path: &str, script: Script) {
        if let Some(biller) = self.shared.billers.get(path) {
            *biller.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
        }
    }

    /// Changes the secret of a path, as after a rotation.
    ///
    /// Errors: [`SignatureError::Secret`]; the old secret stays then.
    pub fn set_secret(&self, path: &str, secret: &str) -> Result<(), SignatureError> {
        let secret = SigningSecret::new(secret)?;
        if let Some(biller) = self.shared.billers.get(path) {
            *biller.secret.lock().unwrap_or_else(PoisonError::into_inner) = secret;
        }
        Ok(())
    }

    /// Waits until the notices heard satisfy the predicate; looks again at each new one.
    /// Cancel-safe.
    ///
    /// Errors: [`WaitElapsed`] when the deadline passes first.
    pub fn wait_for(
        &self,
        mut predicate: impl FnMut(&[HeardNotice]) -> bool,
        deadline: Duration,
    ) -> impl Future<Output = Result<Vec<HeardNotice>, WaitElapsed>> {
        let mut heard = self.shared.heard.subscribe();
        async move {
            let found = heard.wait_for(|notices| predicate(notices));
            let found = tokio::time::timeout(deadline, found).await;
            match found.map(|result| result.map(|notices| notices.clone())) {
                Ok(Ok(notices)) => Ok(notices),
                Ok(Err(_)) | Err(_) => Err(WaitElapsed { heard: heard.borrow().len() }),
            }
        }
    }

    /// Stops listening and writes the log out. Cancel-safe.
    ///
    /// Errors: a failure of writing the log.
    pub async fn stop(self) -> io::Result<()> {
        self.tasks.stop().await;
        self.shared.log.as_ref().map_or(Ok(()), JsonLog::close)
    }
}
