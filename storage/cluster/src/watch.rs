//! Who lives: every node counts up a number, and watches whether the others' numbers move.
//!
//! Liveness is judged by the watcher's own monotonic clock; nobody's time of day is looked at. A
//! node that is taken for dead and lives loses its lanes and finds out at its next append: that is
//! a disturbance, never a wrong answer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use storage::guard::GateEpoch;
use storage_cql::Owner;
use storage_cql::nodes::NodeRow;

/// What was seen of the nodes.
pub struct Watch {
    dead_after: Duration,
    /// When the rows were last looked at.
    looked: Option<Instant>,
    seen: BTreeMap<Box<str>, SeenNode>,
}

struct SeenNode {
    row: NodeRow,
    moved: Instant,
    /// The run before this one, and where it was.
    before: Option<(u64, Box<str>)>,
    /// Where a second process of this name is: its run was followed by another, and came again.
    twin: Option<Box<str>>,
}

impl Watch {
    /// Of nobody yet.
    pub fn new(dead_after: Duration) -> Self {
        Self { dead_after, looked: None, seen: BTreeMap::new() }
    }

    /// Takes note of the rows as they are now.
    ///
    /// Whoever did not look for a while – it slept, or the rows could not be read – has not seen
    /// that nobody gave a sign meanwhile: it waits anew before it judges.
    pub fn see(&mut self, rows: Vec<NodeRow>, now: Instant) {
        if !self.is_awake(now) {
            self.seen.values_mut().for_each(|seen| seen.moved = now);
        }
        self.looked = Some(now);
        let names: Vec<Box<str>> = rows.iter().map(|row| row.name.clone()).collect();
        self.seen.retain(|name, _| names.contains(name));
        for row in rows {
            match self.seen.get_mut(&row.name) {
                Some(seen) => {
                    let sign = |row: &NodeRow| (row.incarnation, row.beat);
                    if sign(&seen.row) != sign(&row) {
                        seen.moved = now;
                    }
                    seen.note_run(&row);
                    seen.row = row;
                }
                None => {
                    let seen = SeenNode { row, moved: now, before: None, twin: None };
                    self.seen.insert(seen.row.name.clone(), seen);
                }
            }
        }
    }

    /// Whether the rows were looked at lately, so that silence is the others' and not ours.
    fn is_awake(&self, now: Instant) -> bool {
        self.looked.is_none_or(|looked| now.duration_since(looked) < self.dead_after / 2)
    }

    fn is_silent(&self, seen: &SeenNode, now: Instant) -> bool {
        self.is_awake(now) && now.duration_since(seen.moved) >= self.dead_after
    }

    /// Whether the owner of a lane is dead: its node is silent, or runs anew.
    ///
    /// A node that runs anew takes its own lanes back by itself, which the watchers leave it time
    /// for; a lane of others that it held before is nobody's.
    pub fn is_dead(&self, owner: &Owner, home: &str, now: Instant) -> bool {
        match self.seen.get(&owner.node) {
            None => self.is_awake(now),
            Some(seen) if self.is_silent(seen, now) => true,
            Some(seen) => {
                self.is_awake(now)
                    && seen.row.incarnation != owner.incarnation
                    && *home != *owner.node
            }
        }
    }

    /// Nodes other than one that live and are served by the gate under an epoch.
    pub fn served(&self, epoch: GateEpoch, besides: &str, now: Instant) -> Vec<&str> {
        let lives = |seen: &&SeenNode| !self.is_silent(seen, now);
        let others = self.seen.values().filter(|seen| *seen.row.name != *besides);
        let served = others.filter(lives).filter(|seen| seen.row.gate_epoch == Some(epoch));
        served.map(|seen| &*seen.row.name).collect()
    }

    /// Whether the node `name#incarnation` lives, as far as is known.
    pub fn lives(&self, printed: &str, now: Instant) -> bool {
        self.seen.values().any(|seen| {
            let owner = Owner { node: seen.row.name.clone(), incarnation: seen.row.incarnation };
            owner.to_string() == printed && !self.is_silent(seen, now)
        })
    }

    /// What the living nodes besides one say of themselves: name, address, note.
    pub fn others(&self, besides: &str, now: Instant) -> Vec<(Box<str>, Box<str>, Box<str>)> {
        let lives = |seen: &&SeenNode| !self.is_silent(seen, now);
        let others = self.seen.values().filter(|seen| *seen.row.name != *besides).filter(lives);
        let others = others.filter(|seen| !seen.row.has_ended);
        let said = |NodeRow { name, address, status, .. }: &NodeRow| {
            (name.clone(), address.clone(), status.clone())
        };
        others.map(|seen| said(&seen.row)).collect()
    }

    /// Where a second process of a node's name is: two take turns at giving signs of life.
    pub fn twin(&self, node: &str) -> Option<&str> {
        self.seen.get(node).and_then(|seen| seen.twin.as_deref())
    }

    /// Where a node is reached.
    pub fn address(&self, node: &str) -> Option<&str> {
        self.seen.get(node).map(|seen| &*seen.row.address)
    }
}

impl SeenNode {
    /// Takes note of whose run gives the signs. One run after another is a node that was started
    /// again; a run that comes back was never over.
    fn note_run(&mut self, row: &NodeRow) {
        if row.incarnation == self.row.incarnation {
            return;
        }
        let last = (self.row.incarnation, self.row.address.clone());
        if self.before.as_ref().is_some_and(|(run, _)| *run == row.incarnation) {
            self.twin = Some(last.1.clone());
        }
        self.before = Some(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, incarnation: u64, beat: u64, gate_epoch: Option<u64>) -> NodeRow {
        NodeRow {
            name: name.into(),
            incarnation,
            address: "".into(),
            version: "".into(),
            beat,
            gate_epoch: gate_epoch.map(GateEpoch),
            started_at_ms: 0,
            config_version: 0,
            redis_clock_ahead_ms: None,
            status: "".into(),
            has_ended: false,
            refused: "".into(),
        }
    }

    #[test]
    fn two_processes_of_one_name_are_told_from_a_node_that_was_started_again() {
        let now = Instant::now();
        let mut watch = Watch::new(Duration::from_secs(5));
        let at = |run, address: &str| NodeRow { address: address.into(), ..row("b", run, 1, None) };
        watch.see(vec![at(1, "one:1")], now);
        watch.see(vec![at(2, "two:1")], now);
        watch.see(vec![at(2, "two:1")], now);
        assert_eq!(watch.twin("b"), None, "it was started again");
        watch.see(vec![at(1, "one:1")], now);
        assert_eq!(watch.twin("b"), Some("two:1"));
    }

    fn owner(node: &str, incarnation: u64) -> Owner {
        Owner { node: node.into(), incarnation }
    }

    #[test]
    fn a_node_whose_count_stands_still_for_long_enough_is_dead() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut watch = Watch::new(second * 5);
        assert!(watch.is_dead(&owner("b", 1), "b", start), "one that was never seen");
        watch.see(vec![row("b", 1, 7, None)], start);
        for at in 1..=4 {
            watch.see(vec![row("b", 1, 7, None)], start + second * at);
        }
        assert!(!watch.is_dead(&owner("b", 1), "b", start + second * 4));
        assert!(watch.is_dead(&owner("b", 1), "b", start + second * 5));
        watch.see(vec![row("b", 1, 8, None)], start + second * 5);
        watch.see(vec![row("b", 1, 8, None)], start + second * 7);
        watch.see(vec![row("b", 1, 8, None)], start + second * 9);
        assert!(!watch.is_dead(&owner("b", 1), "b", start + second * 9), "it moved");
    }

    #[test]
    fn who_slept_itself_takes_nobody_for_dead_before_it_has_watched_again() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut watch = Watch::new(second * 5);
        watch.see(vec![row("b", 1, 7, Some(4))], start);
        let woken = start + second * 60;
        assert!(!watch.is_dead(&owner("b", 1), "b", woken), "before it looks again");
        assert!(watch.lives("b#1", woken));
        watch.see(vec![row("b", 1, 7, Some(4))], woken);
        assert!(!watch.is_dead(&owner("b", 1), "b", woken), "and when it does");
        for at in 1..=5 {
            watch.see(vec![row("b", 1, 7, Some(4))], woken + second * at);
        }
        assert!(watch.is_dead(&owner("b", 1), "b", woken + second * 5));
    }

    #[test]
    fn a_node_that_runs_anew_keeps_its_home_lane_and_loses_those_it_had_taken() {
        let now = Instant::now();
        let mut watch = Watch::new(Duration::from_secs(5));
        watch.see(vec![row("b", 2, 1, None)], now);
        assert!(!watch.is_dead(&owner("b", 1), "b", now));
        assert!(watch.is_dead(&owner("b", 1), "a", now));
        assert!(!watch.is_dead(&owner("b", 2), "a", now));
    }

    #[test]
    fn nodes_that_are_served_are_those_that_live_and_say_so() {
        let (now, late) = (Instant::now(), Instant::now() + Duration::from_secs(6));
        let mut watch = Watch::new(Duration::from_secs(5));
        let rows = || vec![row("a", 1, 1, Some(4)), row("b", 1, 1, Some(4)), row("c", 1, 1, None)];
        watch.see(rows(), now);
        assert_eq!(watch.served(GateEpoch(4), "a", now), ["b"]);
        assert!(watch.served(GateEpoch(5), "a", now).is_empty());
        assert!(watch.lives("b#1", now) && !watch.lives("b#2", now));
        for at in 1..=6 {
            watch.see(rows(), now + Duration::from_secs(at));
        }
        assert!(watch.served(GateEpoch(4), "a", late).is_empty());
        assert!(!watch.lives("b#1", late));
    }
}
