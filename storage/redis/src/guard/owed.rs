//! What Redis still has to be told: endings and credits of durable records, in their order.

use std::collections::HashMap;

use router::id::PaymentId;
use router::reservation::Settle;
use storage::guard::{GiveBack, Settlement};

use super::{Call, Span};
use crate::layout::Layout;
use crate::library::Function;
use crate::link::Round;
use crate::pack::{self, List};

/// Steps of one call: a long call keeps everyone else waiting.
const STEPS_MAX: usize = 64;
/// Every so many, groups that had nothing to do are told how far the lane is, too.
const MARK_ALL_EVERY: u32 = 64;

/// A queue for each group.
#[derive(Debug, Default)]
pub(super) struct Owed {
    groups: Vec<Queue>,
    through: u64,
    len: usize,
    until_all: u32,
    is_pending: bool,
}

#[derive(Debug, Default)]
struct Queue {
    begun: Vec<u8>,
    steps: Vec<(u64, List)>,
    is_touched: bool,
}

impl Owed {
    pub fn new(groups: usize) -> Self {
        let groups = (0..groups).map(|_| Queue::default()).collect();
        Self { groups, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        !self.is_pending
    }

    /// Endings and credits.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn clear(&mut self) {
        for queue in &mut self.groups {
            queue.begun.clear();
            queue.steps.clear();
            queue.is_touched = false;
        }
        self.len = 0;
        self.is_pending = false;
    }

    pub fn add(
        &mut self,
        group: &GiveBack<'_>,
        layout: &Layout,
        spans: &mut HashMap<PaymentId, Span>,
    ) {
        for begun in group.begun {
            let span = spans.get(&begun.payment);
            let (groups, has_end) = (self.groups_of(span), span.is_some_and(|span| span.has_end));
            for at in groups {
                self.groups[at].begun.extend_from_slice(&pack::payment(begun.payment));
                self.groups[at].is_touched = true;
            }
            if !has_end {
                spans.remove(&begun.payment);
            }
        }
        for ending in group.endings {
            self.end(ending, layout, spans);
        }
        for credit in group.credits {
            let (account, delta) = (credit.movement.account, credit.movement.delta);
            let name = pack::account_name(account, delta.currency);
            let at = layout.group_of_account(account, delta.currency);
            let minor = delta.minor.to_string();
            self.push(at, credit.sequence, b"c", name.as_bytes(), minor.as_bytes());
        }
        self.through = self.through.max(group.through);
        self.is_pending = true;
        if self.until_all == 0 {
            self.until_all = MARK_ALL_EVERY;
            self.groups.iter_mut().for_each(|queue| queue.is_touched = true);
        }
        self.until_all -= 1;
    }

    fn end(
        &mut self,
        ending: &Settlement<'_>,
        layout: &Layout,
        spans: &mut HashMap<PaymentId, Span>,
    ) {
        let payment = pack::payment(ending.payment);
        let kind = match ending.settle {
            Settle::Post => b"p",
            Settle::Release => b"r",
            Settle::Undo => {
                let parts = ending.reservation.map(|it| layout.parts(it)).unwrap_or_default();
                for part in parts.iter().filter(|part| !part.held.is_empty()) {
                    self.push(part.group, ending.sequence, b"u", &payment, &part.held);
                }
                return;
            }
        };
        for at in self.groups_of(spans.remove(&ending.payment).as_ref()) {
            self.push(at, ending.sequence, kind, &payment, b"");
        }
    }

    /// The groups of a payment; all, where it is not known.
    fn groups_of(&self, span: Option<&Span>) -> Vec<usize> {
        span.map_or_else(|| (0..self.groups.len()).collect(), |span| span.groups.to_vec())
    }

    fn push(&mut self, at: usize, sequence: u64, kind: &[u8], name: &[u8], more: &[u8]) {
        let queue = &mut self.groups[at];
        let mut step = List::default();
        step.text(kind);
        step.position(sequence);
        step.text(name);
        step.text(more);
        queue.steps.push((sequence, step));
        queue.is_touched = true;
        self.len += 1;
    }

    pub fn call(&self, round: &mut Round<'_>, call: &Call<'_>) {
        let touched = self.groups.iter().enumerate().filter(|(_, queue)| queue.is_touched);
        for (at, queue) in touched {
            queue.call(at, self.through, round, call);
        }
    }
}

impl Queue {
    fn call(&self, group: usize, through: u64, round: &mut Round<'_>, call: &Call<'_>) {
        let mut steps: Vec<&(u64, List)> = self.steps.iter().collect();
        steps.sort_by_key(|(sequence, _)| *sequence);
        let (mut rest, mut begun) = (steps.as_slice(), self.begun.as_slice());
        loop {
            let (now, later) = rest.split_at(cut(rest));
            // The mark may not pass what a later call still has to do.
            let through = if later.is_empty() { through } else { now.last().map_or(0, |it| it.0) };
            let mut list = List::default();
            now.iter().for_each(|(_, step)| list.append(step));
            let (through, list) = (through.to_string(), list.packed());
            let arguments = [call.gate_value, call.lane, through.as_bytes(), begun, &list];
            round.call(group, Function::GiveBack, &arguments);
            (rest, begun) = (later, &[]);
            if rest.is_empty() {
                return;
            }
        }
    }
}

/// How many steps go into one call: steps of one record stay together.
fn cut(steps: &[&(u64, List)]) -> usize {
    if steps.len() <= STEPS_MAX {
        return steps.len();
    }
    let last = steps[STEPS_MAX - 1].0;
    STEPS_MAX + steps[STEPS_MAX..].iter().take_while(|(sequence, _)| *sequence == last).count()
}
