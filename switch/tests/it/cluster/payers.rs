//! Payers of a bank with a JSON API, whose payments wait for a one-time key: some confirm, some never
//! do, and merchants give parts back, at any node and at several at once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use loadtest::simulator::json_bank::{JsonBank, JsonBankHandle, JsonBankSettings};
use loadtest::tasks::Tasks;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::api::{Api, Reply};
use crate::cluster::node::pause;
use crate::cluster::town::Town;

/// How long one request may take before its sender asks again, at another node.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Asks without a decision, after which a payer lets a payment be.
const TRIES_MAX: u32 = 200;
/// How long the bank waits for the payers of amounts ending in 70.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// The bank's deadline for an answer.
const TIMEOUT_MS: u64 = 500;
/// What its notifications would be signed with; it sends none.
const SECRET: &[u8] = b"a shared secret of the tests alone";
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// A bank whose payers confirm.
pub struct PayersBank {
    pub handle: JsonBankHandle,
    files: TempDir,
}

impl PayersBank {
    pub async fn start() -> Self {
        let late_after = Duration::from_millis(TIMEOUT_MS + 300);
        let settings = JsonBankSettings::new("bank-j");
        let settings = JsonBankSettings { late_after, short_wait: SHORT_WAIT, ..settings };
        let handle = JsonBank::start(settings).await.expect("a bank");
        let files = TempDir::new().expect("a folder");
        std::fs::write(files.path().join("bank.secret"), SECRET).expect("a file");
        Self { handle, files }
    }

    /// The configuration that sends payers to it.
    pub fn entry(&self) -> String {
        let dialect = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../config/participants/json/example-bank.toml");
        format!(
            "[[participants]]\nid = \"bank-j\"\ncodec = \"json\"\n\
             response_timeout_ms = {TIMEOUT_MS}\npartial_reversals = true\n\
             [participants.json]\nurl = \"{}\"\ndialect = \"{}\"\n\
             constants = {{ terminal = \"TEST0001\" }}\n\
             [participants.json.verify]\nkind = \"hmac-sha256\"\nkey_id = \"bank\"\n\
             key_file = \"{}/bank.secret\"\n\
             [[routes]]\nrails = [\"c2p\"]\nto = [\"bank-j\"]\n",
            self.handle.url(),
            dialect.display(),
            self.files.path().display()
        )
    }
}

/// What a payer of so much asks for.
pub fn order(minor: u64, bill: &str) -> Value {
    json!({
        "rail": "c2p", "amount": { "currency": "VES", "minor": minor }, "bill": bill,
        "payer": { "doc": "V12345678", "phone": "04140000000", "bank_code": "0105" },
    })
}

/// A request under a key; none where no answer came in time.
pub async fn keyed(api: &Api, path: &str, key: &str, body: &Value) -> Option<Reply> {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let body = body.to_string();
    let asked = api.try_send(Method::POST, path, &headers, body.as_bytes());
    timeout(ANSWER_MAX, asked).await.ok().flatten()
}

/// Where a payment stands, as a node tells it; none where no answer came in time.
pub async fn shown(api: &Api, id: &str) -> Option<Reply> {
    let path = format!("/v1/payments/{id}");
    let asked = api.try_send(Method::GET, &path, &[], b"");
    timeout(ANSWER_MAX, asked).await.ok().flatten().filter(|reply| reply.status == 200)
}

/// Payers at work.
pub struct Payers {
    town: Arc<Town>,
    bank: Arc<PayersBank>,
    key: String,
    /// Ids of payments that were told to be approved.
    approved: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    _tasks: Tasks,
}

impl Payers {
    /// So many payers, each with one payment after another.
    pub fn start(
        town: &Arc<Town>,
        bank: &Arc<PayersBank>,
        key: &str,
        seed: u64,
        count: u64,
    ) -> Self {
        let (stop, tasks) = (Arc::<AtomicBool>::default(), Tasks::new());
        let (approved, next) = (Arc::default(), Arc::new(AtomicU64::new(1)));
        let workers = (0..count).map(|number| {
            let worker = Payer {
                town: Arc::clone(town),
                key: key.to_owned(),
                approved: Arc::clone(&approved),
                random: StdRng::seed_from_u64(seed.wrapping_mul(7_919).wrapping_add(number)),
                next: Arc::clone(&next),
            };
            tasks.spawn(worker.work(Arc::clone(&stop)))
        });
        let workers = workers.collect();
        let (town, bank, key) = (Arc::clone(town), Arc::clone(bank), key.to_owned());
        Self { town, bank, key, approved, stop, workers, _tasks: tasks }
    }

    /// Ends the payers, and waits until bank and switch agree on every payment.
    ///
    /// # Panics
    /// Where they do not agree within `patience`, with the first payments that are wrong; where no
    /// payment was confirmed, none expired or none was refunded: then nothing was tested.
    pub async fn agree(self, patience: Duration) {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.expect("a payer");
        }
        let began = Instant::now();
        loop {
            let debits = self.bank.handle.debits();
            let (mut wrong, mut ends) = (Vec::new(), Ends::default());
            for (order, debit) in &debits {
                let api = self.town.api(0, &self.key);
                let told = shown(&api, order).await.map(|reply| reply.body).unwrap_or_default();
                wrong.extend(disagreement(order, debit.stands_minor(), &told));
                ends.count(&told);
            }
            for id in self.approved.lock().iter() {
                let order = debits.iter().find(|(order, _)| order == id);
                wrong.extend(order.is_none().then(|| format!("{id} is approved, not paid")));
            }
            if wrong.is_empty() {
                let approved = self.approved.lock().len();
                println!(
                    "{} payments waited for a payer, {approved} confirmed, {ends:?}",
                    debits.len()
                );
                assert!(approved > 0, "nobody confirmed anything");
                assert!(ends.expired > 0, "none expired");
                assert!(ends.refunded > 0, "none was refunded");
                return;
            }
            assert!(began.elapsed() < patience, "{} payments: {:?}", wrong.len(), &wrong[0]);
            pause(LOOK_AGAIN).await;
        }
    }
}

/// How payments ended.
#[derive(Debug, Default)]
struct Ends {
    expired: usize,
    /// Payments that something was given back of.
    refunded: usize,
}

impl Ends {
    fn count(&mut self, told: &Value) {
        self.expired += usize::from(told["state"] == "expired");
        let refunded = told["refunded"]["minor"].as_u64();
        self.refunded += usize::from(refunded.is_some_and(|minor| minor > 0));
    }
}

/// How a bank and the switch differ on a payment: what stands at the bank is what the switch says was
/// paid and not given back, and nothing is under way.
fn disagreement(order: &str, stands_minor: u64, told: &Value) -> Option<String> {
    let minor = |member: &str| told[member]["minor"].as_u64().unwrap_or(0);
    let expected = match told["state"].as_str().unwrap_or("not known") {
        "approved" | "refunded" if minor("refunding") == 0 => minor("amount") - minor("refunded"),
        "declined" | "expired" | "reversed" => 0,
        state => return Some(format!("{order} is {state}, {stands_minor} stands: {told}")),
    };
    (stands_minor != expected).then(|| format!("{order}: {stands_minor} stands: {told}"))
}

struct Payer {
    town: Arc<Town>,
    key: String,
    approved: Arc<Mutex<Vec<String>>>,
    random: StdRng,
    next: Arc<AtomicU64>,
}

impl Payer {
    async fn work(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let cents = CENTS[usize::try_from(number).expect("a small number") % CENTS.len()];
            let minor = self.random.random_range(100..400) * 100 + cents;
            let body = order(minor, &format!("P-{number}"));
            let started = self.until_told("/v1/payments", &format!("payer-{number}"), &body).await;
            if let Some(started) = started.filter(|told| told.text("/state") == "awaiting_payer") {
                let id = started.text("/id").to_owned();
                let has_confirmed = cents != 70 && self.confirm(&id).await;
                if has_confirmed && number.is_multiple_of(2) {
                    self.give_back(&id, minor).await;
                }
            }
            pause(Duration::from_millis(self.random.random_range(0..200))).await;
        }
    }

    /// Any node; a node that is down has no address, and nobody answers.
    fn node(&mut self) -> Option<Api> {
        let node = self.random.random_range(0..self.town.nodes.len());
        let address = self.town.nodes[node].addresses()?.http;
        Some(Api::at(address, &self.key))
    }

    /// Asks until there is a decision.
    async fn until_told(&mut self, path: &str, key: &str, body: &Value) -> Option<Reply> {
        for _ in 0..TRIES_MAX {
            let told = match self.node() {
                Some(api) => keyed(&api, path, key, body).await,
                None => None,
            };
            if let Some(told) = told.filter(is_decided) {
                return Some(told);
            }
            pause(Duration::from_millis(self.random.random_range(20..120))).await;
        }
        None
    }

    /// Confirms until the payment waits no more; whether it is approved then.
    async fn confirm(&mut self, id: &str) -> bool {
        let (path, key) = (format!("/v1/payments/{id}/confirm"), json!({ "otp": "12345678" }));
        for _ in 0..TRIES_MAX {
            if let Some(api) = self.node() {
                timeout(
                    ANSWER_MAX,
                    api.try_send(Method::POST, &path, &JSON, key.to_string().as_bytes()),
                )
                .await
                .ok();
                let state = shown(&api, id).await.map(|told| told.text("/state").to_owned());
                match state.as_deref() {
                    Some("approved") => {
                        self.approved.lock().push(id.to_owned());
                        return true;
                    }
                    Some("awaiting_payer" | "sent" | "unknown") | None => {}
                    Some(_) => return false,
                }
            }
            pause(Duration::from_millis(self.random.random_range(20..120))).await;
        }
        false
    }

    /// Two refunds at once, which together are more than was paid: at most one is taken.
    async fn give_back(&mut self, id: &str, minor: u64) {
        let path = format!("/v1/payments/{id}/refunds");
        let part = json!({ "amount": { "currency": "VES", "minor": minor / 3 * 2 } });
        let nodes = [self.node(), self.node()];
        let asked = nodes.iter().flatten().enumerate().map(|(nth, api)| {
            let (path, part, key) = (&path, &part, format!("back-{nth}-{id}"));
            async move { keyed(api, path, &key, part).await }
        });
        futures_util::future::join_all(asked).await;
        for nth in 0..2 {
            self.until_told(&path, &format!("back-{nth}-{id}"), &part).await;
        }
    }
}

/// What becomes of one payment after another: a payer of 70 never confirms, and of those who confirm
/// every other one has a part given back.
const CENTS: [u64; 8] = [0, 70, 0, 51, 70, 0, 68, 69];

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Whether an answer says what became of a request: not that it is under way, was too much at once, or
/// could not be decided.
fn is_decided(told: &Reply) -> bool {
    !(told.status >= 500 || [409, 429].contains(&told.status))
}
