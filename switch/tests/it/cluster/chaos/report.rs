//! What a run of faults was.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::cluster::chaos::fault::Fault;
use crate::cluster::load::BankRecords;

/// The faults of a run, with their times; printed where the test fails.
pub struct Report {
    seed: u64,
    began: Instant,
    kinds: BTreeMap<String, u32>,
    endings: BTreeMap<String, u32>,
    lines: Vec<String>,
    faults: usize,
}

impl Report {
    /// Of a run that begins now.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            began: Instant::now(),
            kinds: BTreeMap::new(),
            endings: BTreeMap::new(),
            lines: Vec::new(),
            faults: 0,
        }
    }

    /// A fault begins; gives its number.
    pub fn begins(&mut self, fault: Fault) -> usize {
        self.faults += 1;
        *self.kinds.entry(fault.kind()).or_default() += 1;
        let number = self.faults;
        self.say(format!("fault {number} {fault:?}"));
        number
    }

    /// A fault is mended.
    pub fn is_over(&mut self, number: usize) {
        self.say(format!("fault {number} is mended"));
    }

    /// A node has ended by itself.
    pub fn ended(&mut self, node: &str, status: ExitStatus, why: &str) {
        let kind = why.split([':', ',']).next().unwrap_or_default().to_owned();
        *self.endings.entry(kind).or_default() += 1;
        self.say(format!("{node} ended by itself, {status}: {why}"));
    }

    /// Tells how the load fared until now.
    pub fn survived(&mut self, heard: &BankRecords) {
        self.say(format!(
            "{} answered, {} without the gate, quiet for {:?}",
            heard.answered(),
            heard.gate_declines.load(Ordering::Relaxed),
            heard.quiet_for()
        ));
    }

    fn say(&mut self, what: String) {
        let line = format!("{:>9.3} s  {what}", self.began.elapsed().as_secs_f64());
        println!("{line}");
        self.lines.push(line);
    }

    /// The summary.
    pub fn summary(&self, heard: &BankRecords) -> String {
        let mut text = format!("chaos with CHAOS_SEED={}\n", self.seed);
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let _ = writeln!(
            text,
            "{} faults in {:.1} s: {:?}\nnodes that ended by themselves: {:?}\n\
             {} payments {:?}, {} repeats, {} declines 6009, {} other not decided {:?}, {} no answers\n\
             longest time without an answer to anybody {:?}",
            self.faults,
            self.began.elapsed().as_secs_f64(),
            self.kinds,
            self.endings,
            heard.answered(),
            heard.counts.lock(),
            load(&heard.repeats),
            load(&heard.gate_declines),
            load(&heard.not_decided),
            heard.undecided.lock(),
            load(&heard.no_answers),
            heard.longest_gap(),
        );
        text
    }
}
