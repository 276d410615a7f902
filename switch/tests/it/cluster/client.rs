//! A bank with lines to every node, which asks again at another where one gives no answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use loadtest::clock;
use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings, Answer, Fields, Order};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::cluster::node::{NODE_MAX, Node, within};
use crate::harness::ACQUIRER;

/// How long a line waits for an answer before the bank asks elsewhere.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// What an answer means to who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Final: a repeat must get the same.
    Final,
    /// It is under way.
    InProgress,
    /// The switch could not decide; the same request may be asked again. The banks of these tests
    /// never use these codes themselves.
    NotDecided,
}

/// What an answer means.
pub fn meaning(answer: &Answer) -> Meaning {
    match answer.response_code() {
        "09" => Meaning::InProgress,
        "91" | "96" => Meaning::NotDecided,
        _ => Meaning::Final,
    }
}

/// Whether the gate was the reason.
pub fn is_gate(answer: &Answer) -> bool {
    answer.fields.text(44) == "6009"
}

/// One terminal's line to one node; it is opened when it is needed.
#[derive(Default)]
pub struct Line(Mutex<Option<Arc<Acquirer>>>);

impl Line {
    /// Asks on this line; none where it fell, could not be opened, or nothing came in time.
    pub async fn ask(&self, node: &Node, mti: &str, request: &Fields) -> Option<Answer> {
        let line = self.open(node).await?;
        if let Ok(answer) = line.request(mti, request).await {
            return Some(answer);
        }
        let mut slot = self.0.lock().await;
        if slot.as_ref().is_some_and(|open| Arc::ptr_eq(open, &line)) {
            *slot = None;
        }
        None
    }

    async fn open(&self, node: &Node) -> Option<Arc<Acquirer>> {
        let mut slot = self.0.lock().await;
        if let Some(line) = &*slot {
            return Some(Arc::clone(line));
        }
        let address = node.addresses()?.iso8583;
        let settings = AcquirerSettings { deadline: ANSWER_MAX, ..AcquirerSettings::new(ACQUIRER) };
        let opened = timeout(ANSWER_MAX, Acquirer::connect(address, settings)).await.ok()?.ok()?;
        let line = Arc::new(opened);
        *slot = Some(Arc::clone(&line));
        Some(line)
    }
}

/// Makes requests that no other request of this process is mistaken for.
///
/// Shape: `run` is two digits; the audit asks after every payment of the load's run.
pub fn request(order: &Order, terminal: &str, run: &str) -> Fields {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let at = clock::transmitted_at(clock::now());
    let text = |value: &str| value.as_bytes().to_vec();
    let fields = Fields::new()
        .with(3, order.processing_code)
        .with(4, format!("{:012}", order.amount.minor))
        .with(7, at)
        .with(11, format!("{:06}", number % 1_000_000))
        .with(12, &at[4..])
        .with(13, &at[..4])
        .with(18, "6012")
        .with(22, "010")
        .with(25, "00")
        .with(32, ACQUIRER)
        .with(37, format!("{run}{number:010}"))
        .with(41, terminal)
        .with(42, text("DESPACHO0000001"))
        .with(49, loadtest::simulator::acquirer::numeric(order.amount.currency))
        .with(48, loadtest::simulator::acquirer::private_data(&order.private));
    order.extra.iter().fold(fields, |fields, (number, value)| fields.with(number, value))
}

/// A bank's lines: one to each node.
pub struct Bank {
    lines: Vec<Line>,
    pub terminal: String,
}

impl Bank {
    /// A terminal with a line to each of so many nodes.
    pub fn new(terminal: &str, nodes: usize) -> Self {
        let lines = (0..nodes).map(|_| Line::default()).collect();
        Self { lines, terminal: terminal.to_owned() }
    }

    /// A request of this terminal.
    pub fn request(&self, order: &Order) -> Fields {
        request(order, &self.terminal, "11")
    }

    /// Asks one node.
    pub async fn ask(
        &self,
        nodes: &[Node],
        node: usize,
        mti: &str,
        request: &Fields,
    ) -> Option<Answer> {
        self.lines[node].ask(&nodes[node], mti, request).await
    }

    /// Asks one node until it answers.
    pub async fn must(&self, nodes: &[Node], node: usize, mti: &str, request: &Fields) -> Answer {
        let name = &nodes[node].name;
        within(&format!("an answer of {name} to {request:?}"), NODE_MAX, async || {
            self.ask(nodes, node, mti, request).await
        })
        .await
    }
}
