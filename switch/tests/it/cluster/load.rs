//! Load on all nodes, and what the banks that make it are told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use loadtest::audit::client::ClientClaim;
use loadtest::drive::record::Ending;
use loadtest::simulator::acquirer::{Answer, Fields, Order};
use loadtest::tasks::Tasks;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::client::{Bank, Meaning, is_gate, meaning, request};
use crate::cluster::node::pause;
use crate::cluster::town::Town;
use crate::harness::{card_order, cash_order};

/// Clients and floats that payments of one moment share, so that their limits are met often.
const CLIENTS: u64 = 24;
/// Payments until others come to the till.
const SHIFT: u64 = 150;
/// Floats of [`floats`].
const FLOATS: u64 = 40;
/// A float pays ten of the dearest payments or a few more.
const OPENING_MINOR: i64 = 500_000;
/// Asks without a decision, after which a bank lets a payment be.
const TRIES_MAX: u32 = 300;

/// Configuration of the floats that the load draws on.
pub fn floats() -> String {
    let one = |number| {
        format!(
            "[[floats]]\nref = \"{}\"\nowner = \"bank-a\"\ndrawers = [\"bank-c\"]\nopening_minor = {OPENING_MINOR}\ncurrency = \"MXN\"\n",
            float_ref(number)
        )
    };
    (0..FLOATS).map(one).collect()
}

fn float_ref(number: u64) -> String {
    format!("{}", 70_000_000 + number)
}

/// What the banks heard.
#[derive(Default)]
pub struct BankRecords {
    pub claims: Mutex<Vec<ClientClaim>>,
    /// What must not be: two answers to one request.
    pub wrong: Mutex<Vec<String>>,
    pub counts: Mutex<BTreeMap<String, u64>>,
    /// Requests asked again because nothing was decided, for want of the gate.
    pub gate_declines: AtomicU64,
    pub not_decided: AtomicU64,
    /// Code and reason of those.
    pub undecided: Mutex<BTreeMap<String, u64>>,
    pub no_answers: AtomicU64,
    pub repeats: AtomicU64,
    /// The last final answer, and the longest time without any.
    last: Mutex<Option<(Instant, Duration)>>,
}

impl BankRecords {
    fn note_final(&self) {
        let now = Instant::now();
        let mut last = self.last.lock();
        let (before, longest) = last.unwrap_or((now, Duration::ZERO));
        *last = Some((now, longest.max(now - before)));
    }

    /// The longest time without a final answer to anybody.
    pub fn longest_gap(&self) -> Duration {
        self.last.lock().map_or(Duration::ZERO, |(_, longest)| longest)
    }

    /// Since when nobody heard a final answer.
    pub fn quiet_for(&self) -> Duration {
        self.last.lock().map_or(Duration::ZERO, |(last, _)| last.elapsed())
    }

    /// Final answers so far.
    pub fn answered(&self) -> usize {
        self.claims.lock().len()
    }
}

/// Running load.
pub struct Load {
    pub heard: Arc<BankRecords>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    _tasks: Tasks,
}

impl Load {
    /// So many banks, each with one payment after another; `pace` is the longest pause between two.
    pub fn start(town: &Arc<Town>, seed: u64, banks: u64, pace: Duration) -> Self {
        let (heard, stop) = (Arc::<BankRecords>::default(), Arc::<AtomicBool>::default());
        let (next, tasks) = (Arc::new(AtomicU64::new(0)), Tasks::new());
        let workers = (0..banks).map(|number| {
            let bank = Bank::new(&format!("TERM{number:04}"), town.nodes.len());
            let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(number));
            let (town, heard) = (Arc::clone(town), Arc::clone(&heard));
            let worker = Worker { town, heard, bank, random, next: Arc::clone(&next), pace };
            tasks.spawn(worker.work(Arc::clone(&stop)))
        });
        let workers = workers.collect();
        Self { heard, stop, workers, _tasks: tasks }
    }

    /// Lets every bank hear of its last payment, then ends.
    pub async fn stop(self) -> Arc<BankRecords> {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.expect("a bank");
        }
        self.heard
    }
}

struct Worker {
    town: Arc<Town>,
    heard: Arc<BankRecords>,
    bank: Bank,
    random: StdRng,
    next: Arc<AtomicU64>,
    pace: Duration,
}

impl Worker {
    async fn work(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            let order = self.order();
            let request = request(&order, &self.bank.terminal, "77");
            self.settle(&request).await;
            let longest = self.pace.as_micros().max(1);
            let drawn = self.random.random_range(0..u64::try_from(longest).expect("a pace"));
            pause(Duration::from_micros(drawn)).await;
        }
    }

    /// Seven of ten are a collector's cash, which have a daily limit and a float; some amounts make
    /// the bank decline, keep silent, or answer late.
    fn order(&mut self) -> Order {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let cents = match self.random.random_range(0..40) {
            0..2 => 51,
            2 => 68,
            3 => 69,
            _ => 0,
        };
        let minor = self.random.random_range(100..400) * 100 + cents;
        if self.random.random_range(0..10) < 3 {
            return card_order(minor);
        }
        let shift = number / SHIFT;
        let client = shift * CLIENTS + self.random.random_range(0..CLIENTS);
        let float = (shift + self.random.random_range(0..3)) % FLOATS;
        let mut order = cash_order(&format!("{client:016}"), minor, 90_000_000);
        for (tag, value) in &mut order.private {
            if *tag == "05" {
                *value = float_ref(float);
            }
        }
        order
    }

    /// Asks until there is a final answer; now and then at two nodes at once, and once more.
    async fn settle(&mut self, request: &Fields) {
        let mut told: Option<Answer> = None;
        let mut tries = 0;
        while told.is_none() && tries < TRIES_MAX {
            let mti = if tries == 0 { "0200" } else { "0201" };
            let node = self.draw_node();
            tries += 1;
            let answers = match self.random.random_range(0..100) {
                0..8 => self.ask_both(node, mti, request).await,
                _ => [self.bank.ask(&self.town.nodes, node, mti, request).await, None],
            };
            if answers.iter().all(Option::is_none) {
                self.heard.no_answers.fetch_add(1, Ordering::Relaxed);
            }
            for answer in answers.into_iter().flatten() {
                self.note(request, answer, &mut told);
            }
            if told.is_none() {
                pause(Duration::from_millis(self.random.random_range(5..60))).await;
            }
        }
        if told.is_some() && self.random.random_range(0..100) < 5 {
            let node = self.draw_node();
            self.heard.repeats.fetch_add(1, Ordering::Relaxed);
            if let Some(answer) = self.bank.ask(&self.town.nodes, node, "0201", request).await {
                self.note(request, answer, &mut told);
            }
        }
        self.claim(request, told.as_ref());
    }

    fn draw_node(&mut self) -> usize {
        self.random.random_range(0..self.town.nodes.len())
    }

    /// The request at one node, and as a repeat at another a moment later.
    async fn ask_both(&mut self, node: usize, mti: &str, request: &Fields) -> [Option<Answer>; 2] {
        let other = (node + 1) % self.town.nodes.len();
        let later = Duration::from_micros(self.random.random_range(0..30_000));
        self.heard.repeats.fetch_add(1, Ordering::Relaxed);
        let (bank, nodes) = (&self.bank, &self.town.nodes);
        let repeat = async {
            pause(later).await;
            bank.ask(nodes, other, "0201", request).await
        };
        let (first, second) = tokio::join!(bank.ask(nodes, node, mti, request), repeat);
        [first, second]
    }

    fn note(&self, request: &Fields, answer: Answer, told: &mut Option<Answer>) {
        match meaning(&answer) {
            Meaning::InProgress => {}
            Meaning::NotDecided => {
                let counted = match is_gate(&answer) {
                    true => &self.heard.gate_declines,
                    false => &self.heard.not_decided,
                };
                counted.fetch_add(1, Ordering::Relaxed);
                let name = format!("{}/{}", answer.response_code(), answer.fields.text(44));
                *self.heard.undecided.lock().entry(name).or_default() += 1;
            }
            Meaning::Final => {
                self.heard.note_final();
                let Some(before) = told else {
                    *told = Some(answer);
                    return;
                };
                let said = |answer: &Answer| {
                    (answer.response_code().to_owned(), answer.folio().to_owned())
                };
                if said(before) != said(&answer) {
                    let (rrn, before, after) = (request.text(37), said(before), said(&answer));
                    let wrong = format!("request {rrn} was told {before:?}, then {after:?}");
                    self.heard.wrong.lock().push(wrong);
                }
            }
        }
    }

    fn claim(&self, request: &Fields, told: Option<&Answer>) {
        let code = told.map(|answer| answer.response_code().to_owned());
        let name = code.clone().unwrap_or_else(|| "no decision".to_owned());
        *self.heard.counts.lock().entry(name).or_default() += 1;
        let rrn = request.text(37).to_owned();
        let mut claims = self.heard.claims.lock();
        let index = u64::try_from(claims.len()).expect("a count");
        claims.push(ClientClaim {
            index,
            rrn,
            stan: request.text(11).to_owned(),
            amount_minor: request.text(4).parse().expect("an amount"),
            ending: if told.is_some() { Ending::Answered } else { Ending::NoAnswer },
            folio: told.map(|answer| answer.folio().to_owned()).filter(|folio| !folio.is_empty()),
            response_code: code,
            reason_no: told.map(|answer| answer.fields.text(44).to_owned()),
        });
    }
}
