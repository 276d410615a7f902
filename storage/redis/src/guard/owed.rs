//! What Redis still has to be told: endings and credits of durable records, in their order.

use std::collections::{BTreeMap, HashMap, VecDeque};

use router::id::PaymentId;
use router::reservation::Settle;
use storage::guard::{GiveBack, ReservationEnd};

use super::{Call, Span};
use crate::layout::Layout;
use crate::library::Function;
use crate::link::Round;
use crate::pack::{self, PackedArray};

/// Steps of one call: a long call keeps everyone else waiting.
const STEPS_MAX: usize = 64;
/// Steps, and beginnings, of one round for each group: a round has to be answered in time.
const ROUND_MAX: usize = 1_024;
/// Every so many, groups that had nothing to do are told how far the lane is, too.
const MARK_ALL_EVERY: u32 = 64;

/// A queue for each group.
#[derive(Debug, Default)]
pub(super) struct OwedEndings {
    groups: Vec<Queue>,
    through: u64,
    until_all: u32,
}

#[derive(Debug, Default)]
struct Queue {
    begun: VecDeque<[u8; 16]>,
    /// In the order of their positions.
    steps: VecDeque<(u64, PackedArray)>,
    is_touched: bool,
}

impl OwedEndings {
    pub fn new(groups: usize) -> Self {
        let groups = (0..groups).map(|_| Queue::default()).collect();
        Self { groups, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.groups.iter().all(|queue| !queue.is_touched)
    }

    /// Endings and credits.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|queue| queue.steps.len()).sum()
    }

    /// The round that was called has been answered.
    pub fn heard(&mut self) {
        self.groups.iter_mut().filter(|queue| queue.is_touched).for_each(Queue::heard);
    }

    pub fn add(
        &mut self,
        group: &GiveBack<'_>,
        layout: &Layout,
        spans: &mut HashMap<PaymentId, Span>,
    ) {
        let before: Vec<usize> = self.groups.iter().map(|queue| queue.steps.len()).collect();
        for begun in group.begun {
            let span = spans.get(&begun.payment);
            let (groups, has_end) = (self.groups_of(span), span.is_some_and(|span| span.has_end));
            for at in groups {
                self.groups[at].begun.push_back(pack::payment(begun.payment));
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
            self.move_balances(layout.moves(credit.entry), credit.sequence);
        }
        // Endings and credits are each in order, and all come after those of earlier groups.
        for (queue, before) in self.groups.iter_mut().zip(before) {
            let added = &mut queue.steps.make_contiguous()[before..];
            added.sort_by_key(|(sequence, _)| *sequence);
        }
        self.through = self.through.max(group.through);
        if self.until_all == 0 {
            self.until_all = MARK_ALL_EVERY;
            self.groups.iter_mut().for_each(|queue| queue.is_touched = true);
        }
        self.until_all -= 1;
    }

    fn end(
        &mut self,
        ending: &ReservationEnd<'_>,
        layout: &Layout,
        spans: &mut HashMap<PaymentId, Span>,
    ) {
        let payment = pack::payment(ending.payment);
        let kind = match ending.settle {
            Settle::Post => b"p",
            Settle::Release => b"r",
            Settle::Undo => {
                self.move_balances(layout.moves(ending.entry), ending.sequence);
                let parts = ending.reservation.map(|it| layout.parts(it)).unwrap_or_default();
                for part in parts.iter().filter(|part| !part.held.is_empty()) {
                    self.push(part.group, ending.sequence, b"u", &payment, &part.held);
                }
                return;
            }
        };
        let moves = layout.moves(ending.entry);
        for at in self.groups_of(spans.remove(&ending.payment).as_ref()) {
            let moves = moves.get(&at).map(PackedArray::packed).unwrap_or_default();
            self.push(at, ending.sequence, kind, &payment, &moves);
        }
    }

    fn move_balances(&mut self, moves: BTreeMap<usize, PackedArray>, sequence: u64) {
        for (at, moves) in moves {
            self.push(at, sequence, b"c", b"", &moves.packed());
        }
    }

    /// The groups of a payment; all, where it is not known.
    fn groups_of(&self, span: Option<&Span>) -> Vec<usize> {
        span.map_or_else(|| (0..self.groups.len()).collect(), |span| span.groups.to_vec())
    }

    fn push(&mut self, at: usize, sequence: u64, kind: &[u8], name: &[u8], more: &[u8]) {
        let queue = &mut self.groups[at];
        let mut step = PackedArray::default();
        step.text(kind);
        step.position(sequence);
        step.text(name);
        step.text(more);
        queue.steps.push_back((sequence, step));
        queue.is_touched = true;
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
        if self.begun.len() > ROUND_MAX {
            // The mark may not pass a record whose claim still stands: a replay from the mark
            // would not see it, and the claim would be released.
            let begun = self.begun.iter().take(ROUND_MAX).flatten().copied().collect::<Vec<u8>>();
            let nothing = PackedArray::default().packed();
            let arguments = [call.gate_value, call.lane, b"0", &begun, &nothing];
            return round.call(group, Function::GiveBack, &arguments);
        }
        let begun = self.begun.iter().take(ROUND_MAX).flatten().copied().collect::<Vec<u8>>();
        let (mut from, end) = (0, self.cut(0, ROUND_MAX));
        loop {
            let to = self.cut(from, STEPS_MAX).min(end);
            // The mark may not pass what a later call still has to do.
            let last = to.checked_sub(1).map_or(through, |last| self.steps[last].0);
            let through = if to == self.steps.len() { through } else { last };
            let mut list = PackedArray::default();
            self.steps.range(from..to).for_each(|(_, step)| list.append(step));
            let (through, list) = (pack::within_lane(through).to_string(), list.packed());
            let begun = if from == 0 { begun.as_slice() } else { &[] };
            let arguments = [call.gate_value, call.lane, through.as_bytes(), begun, &list];
            round.call(group, Function::GiveBack, &arguments);
            from = to;
            if from == end {
                return;
            }
        }
    }

    /// Drops what a round was made of.
    fn heard(&mut self) {
        if self.begun.len() <= ROUND_MAX {
            self.steps.drain(..self.cut(0, ROUND_MAX));
        }
        self.begun.drain(..self.begun.len().min(ROUND_MAX));
        self.is_touched = !self.steps.is_empty() || !self.begun.is_empty();
    }

    /// Where so many steps from `from` end; those of one record stay together.
    fn cut(&self, from: usize, len: usize) -> usize {
        let to = from + len;
        if to >= self.steps.len() {
            return self.steps.len();
        }
        let last = self.steps[to - 1].0;
        to + self.steps.range(to..).take_while(|(sequence, _)| *sequence == last).count()
    }
}
