//! Faults of every kind, drawn at random, under load; in the end everything must agree.
//!
//! `CHAOS_SEED` repeats the faults and the load of a run (not their exact timing), `CHAOS_FAULTS`
//! sets how many faults there are; without it there are as many as fit into [`SHORT`].

mod fault;
mod report;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use loadtest::tasks::Tasks;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rig::FakeClock;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::audit::{Quiet, settled};
use crate::cluster::chaos::fault::{Fault, Site};
use crate::cluster::chaos::report::Report;
use crate::cluster::load::{Load, floats};
use crate::cluster::node::{Node, pause, within};
use crate::cluster::payers::{Payers, PayersBank};
use crate::cluster::redis::RedisPair;
use crate::cluster::town::{Plan, Town};

/// How long the short form breaks things.
const SHORT: Duration = Duration::from_secs(75);
/// How long everything may take to come to rest after the last fault.
const REST_MAX: Duration = Duration::from_secs(90);
/// Of a hundred faults, so many come while another lasts.
const OVERLAPPING: u32 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_breaks_nothing_is_paid_twice_overrun_or_lost() {
    let seed = number("CHAOS_SEED").unwrap_or_else(rand::random);
    let faults_max = number("CHAOS_FAULTS");
    println!("CHAOS_SEED={seed}");
    let pair = Arc::new(tokio::task::block_in_place(RedisPair::start));
    let bank = Arc::new(PayersBank::start().await);
    let extra = floats() + &bank.entry();
    let plan = Plan { nodes: 2, redis: format!("urls = [\"{}\"]", pair.url()), extra: &extra };
    let mut town = Town::build(plan).await;
    let clocks = [(); 2].map(|()| FakeClock::new().expect("libfaketime"));
    for (node, clock) in town.nodes.iter_mut().zip(&clocks) {
        node.environment = clock.environment();
    }
    town.start_nodes(&extra).await;
    let town = Arc::new(town);
    let keys = town.endpoints(&["isp-ve", "lender-mx"]).await;
    // One approval of fifty contradicts its request, or is partial.
    town.issuer.set_contradicting(200);
    let report = Arc::new(Mutex::new(Report::new(seed)));
    let keepers = Keepers::start(&town, &report, seed);
    let load = Load::start(&town, seed, 8, Duration::from_millis(60));
    let payers = Payers::start(&town, &bank, &keys["isp-ve"], seed, 3);
    within("the load to run", REST_MAX, async || (load.heard.answered() > 20).then_some(())).await;

    let clocks = Arc::new(clocks);
    let site = Site { town: town.clone(), pair: pair.clone(), clocks, report: report.clone() };
    let (mut random, tasks) = (StdRng::seed_from_u64(seed), Tasks::new());
    let began = Instant::now();
    let mut done = 0;
    while faults_max.map_or(began.elapsed() < SHORT, |max| done < max) {
        let fault = Fault::draw(&mut random);
        done += 1;
        match random.random_range(0..100) < OVERLAPPING {
            true => {
                let later = Duration::from_millis(random.random_range(0..1_500));
                let second = Fault::draw(&mut random);
                done += 1;
                let other = site.clone();
                let overlapping = tasks.spawn(async move {
                    pause(later).await;
                    other.break_with(second).await;
                });
                site.break_with(fault).await;
                overlapping.await.expect("a fault");
            }
            false => site.break_with(fault).await,
        }
        let calm = Duration::from_millis(random.random_range(200..2_500));
        pause(calm).await;
        report.lock().survived(&load.heard);
    }
    site.heal().await;
    let rest = async {
        within("both nodes to be ready", REST_MAX, async || {
            let [one, two] = [town.nodes[0].is_ready().await, town.nodes[1].is_ready().await];
            (one && two).then_some(())
        })
        .await;
        let heard = load.stop().await;
        println!("{}", report.lock().summary(&heard));
        payers.agree(REST_MAX).await;
        settled(&town, &heard, Quiet { patience: REST_MAX }).await.sent()
    };
    let sent = match AssertUnwindSafe(rest).catch_unwind().await {
        Ok(sent) => sent,
        Err(panic) => {
            let kept = town.keep_logs();
            println!("CHAOS_SEED={seed}; the nodes' logs are in {}", kept.display());
            std::panic::resume_unwind(panic)
        }
    };
    keepers.stop().await;
    println!("{sent} payments were sent; the end audit is clean");
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Start nodes again that have ended, as a machine's supervisor would.
struct Keepers {
    stop: Arc<Mutex<bool>>,
    keepers: Vec<JoinHandle<()>>,
    _tasks: Tasks,
}

impl Keepers {
    fn start(town: &Arc<Town>, report: &Arc<Mutex<Report>>, seed: u64) -> Self {
        let (stop, tasks) = (Arc::new(Mutex::new(false)), Tasks::new());
        let keep = |number: usize| {
            let (town, report, stop) = (Arc::clone(town), Arc::clone(report), Arc::clone(&stop));
            let mut random = StdRng::seed_from_u64(seed ^ (number as u64 + 1));
            tasks.spawn(async move {
                let node: &Node = &town.nodes[number];
                while !*stop.lock() || node.addresses().is_none() {
                    pause(Duration::from_millis(20)).await;
                    if let Some(status) = node.ended() {
                        report.lock().ended(&node.name, status, &node.last_error());
                    }
                    if node.is_gone() {
                        // At once, or long enough for the lane to be taken over.
                        let down = Duration::from_millis(random.random_range(0..4_000));
                        pause(down).await;
                        node.launch();
                    }
                }
            })
        };
        let keepers = (0..town.nodes.len()).map(keep).collect();
        Self { stop, keepers, _tasks: tasks }
    }

    async fn stop(self) {
        *self.stop.lock() = true;
        for keeper in self.keepers {
            keeper.await.expect("a keeper");
        }
    }
}
