//! Records being replayed.

use std::collections::BTreeMap;

use router::early::EarlyReversal;
use router::id::{Lane, PaymentId};
use router::posting::Entry;
use router::reservation::{Reservation, Settle};
use router::time::Timestamp;
use storage::guard::{Credit, ReservationEnd, Wants};

use crate::early;
use crate::gate::Gate;
use crate::layout::GroupShare;
use crate::library::Function;
use crate::link::Round;
use crate::pack::{self, PackedArray};

/// Records to be replayed, in order.
#[derive(Debug, Default)]
pub struct Replay {
    steps: Vec<ReplayedRecord>,
}

#[derive(Debug)]
pub(super) struct ReplayedRecord {
    lane: Lane,
    sequence: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Regrant {
        payment: PaymentId,
        at: Timestamp,
        wants: WantedAgain,
    },
    End {
        payment: PaymentId,
        settle: Settle,
        reservation: Option<Box<Reservation>>,
        entry: Box<Entry>,
    },
    Credit(Box<Entry>),
    Early(EarlyReversal),
}

#[derive(Debug)]
enum WantedAgain {
    Reserve(Box<Reservation>),
    Remember(router::message::IdempotencyKey, router::message::Fingerprint),
}

impl Replay {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Forgets them, so that the batch can be filled again.
    pub fn clear(&mut self) {
        self.steps.clear();
    }

    /// An intent, which takes again what it was granted; or a refusal, whose key is remembered.
    pub fn begin(
        &mut self,
        lane: Lane,
        sequence: u64,
        payment: PaymentId,
        at: Timestamp,
        wants: Wants<'_>,
    ) {
        let wants = match wants {
            Wants::Reserve(reservation) => WantedAgain::Reserve(Box::new(reservation.clone())),
            Wants::Remember(key, fingerprint) => WantedAgain::Remember(key, fingerprint),
        };
        self.steps.push(ReplayedRecord {
            lane,
            sequence,
            what: What::Regrant { payment, at, wants },
        });
    }

    /// A record that ends a reservation.
    pub fn end(&mut self, lane: Lane, settlement: &ReservationEnd<'_>) {
        let ReservationEnd { payment, settle, reservation, entry, sequence } = *settlement;
        let (reservation, entry) = (reservation.cloned().map(Box::new), Box::new(entry.clone()));
        let what = What::End { payment, settle, reservation, entry };
        self.steps.push(ReplayedRecord { lane, sequence, what });
    }

    /// A movement of an account, up or down.
    pub fn credit(&mut self, lane: Lane, credit: &Credit<'_>) {
        let (sequence, what) = (credit.sequence, What::Credit(Box::new(credit.entry.clone())));
        self.steps.push(ReplayedRecord { lane, sequence, what });
    }

    /// A reversal that came before its original.
    pub fn forestall(&mut self, lane: Lane, early: &EarlyReversal) {
        self.steps.push(ReplayedRecord { lane, sequence: 0, what: What::Early(*early) });
    }

    pub(super) fn chunks(&self, len: usize) -> std::slice::Chunks<'_, ReplayedRecord> {
        self.steps.chunks(len)
    }
}

/// Where the calls of a round go.
pub(super) struct Target<'a, 'r> {
    pub round: &'a mut Round<'r>,
    pub gate: &'a Gate,
    pub value: &'a [u8],
}

impl ReplayedRecord {
    pub(super) fn call(&self, to: &mut Target<'_, '_>) {
        match &self.what {
            What::Regrant { payment, at, wants } => self.regrant(*payment, *at, wants, to),
            What::End { payment, settle: Settle::Undo, reservation, entry } => {
                self.undo(*payment, reservation.as_deref(), entry, to);
            }
            What::End { payment, settle, reservation: _, entry } => {
                let kind: &[u8] = if *settle == Settle::Post { b"p" } else { b"r" };
                self.end(*payment, kind, entry, to);
            }
            What::Credit(entry) => {
                for (group, moves) in to.gate.layout().moves(entry) {
                    self.steps(group, &[[b"c", b"", &moves.packed()]], to);
                }
            }
            What::Early(early) => self.forestall(early, to),
        }
    }

    /// To every group, whatever it reflects: the same said again changes nothing.
    fn forestall(&self, early: &EarlyReversal, to: &mut Target<'_, '_>) {
        let Some(arguments) = early::arguments(early) else { return };
        let lane = self.lane.to_string();
        let head: [&[u8]; 3] = [to.value, lane.as_bytes(), b""];
        let arguments: Vec<&[u8]> =
            head.into_iter().chain(arguments.iter().map(Vec::as_slice)).collect();
        for group in 0..to.gate.layout().groups() {
            to.round.call(group, Function::Forestall, &arguments);
        }
    }

    fn regrant(
        &self,
        payment: PaymentId,
        at: Timestamp,
        wants: &WantedAgain,
        to: &mut Target<'_, '_>,
    ) {
        let layout = to.gate.layout();
        let (key, fingerprint, parts) = match wants {
            WantedAgain::Reserve(it) => (it.key, it.fingerprint, layout.parts(it)),
            WantedAgain::Remember(key, fingerprint) => {
                (*key, *fingerprint, vec![GroupShare::of_key(layout.group_of_key(*key))])
            }
        };
        let (payment, key, half) =
            (pack::payment(payment), key.0.to_be_bytes(), pack::half(fingerprint));
        let sequence = pack::within_lane(self.sequence).to_string();
        let lane = self.lane.to_string();
        let (at, retention) = (pack::instant(at), to.gate.settings().retention_text());
        for part in parts {
            let fingerprint = if part.has_key { half.as_slice() } else { b"" };
            let head: [&[u8]; 9] = [
                to.value,
                lane.as_bytes(),
                sequence.as_bytes(),
                &payment,
                &key,
                fingerprint,
                at.as_bytes(),
                retention.as_bytes(),
                &part.held,
            ];
            let mut arguments = head.to_vec();
            arguments.extend(part.wants.iter().map(Vec::as_slice));
            to.round.call(part.group, Function::Regrant, &arguments);
        }
    }

    /// Told everywhere: where the payment has nothing, nothing is changed.
    fn end(&self, payment: PaymentId, kind: &[u8], entry: &Entry, to: &mut Target<'_, '_>) {
        let layout = to.gate.layout();
        let (payment, moves) = (pack::payment(payment), layout.moves(entry));
        for group in 0..layout.groups() {
            let moves = moves.get(&group).map(PackedArray::packed).unwrap_or_default();
            self.steps(group, &[[kind, &payment, &moves]], to);
        }
    }

    fn undo(
        &self,
        payment: PaymentId,
        reservation: Option<&Reservation>,
        entry: &Entry,
        to: &mut Target<'_, '_>,
    ) {
        let layout = to.gate.layout();
        let payment = pack::payment(payment);
        let moves = layout.moves(entry).into_iter().map(|(group, list)| (group, list.packed()));
        let moves: BTreeMap<usize, Vec<u8>> = moves.collect();
        let parts = reservation.map(|it| layout.parts(it)).unwrap_or_default();
        for group in 0..layout.groups() {
            let moves = moves.get(&group).map(|moves| [b"c".as_slice(), b"", moves]);
            let part = parts.iter().find(|part| part.group == group && !part.held.is_empty());
            let part = part.map(|part| [b"u".as_slice(), &payment, &part.held]);
            let steps: Vec<[&[u8]; 3]> = moves.into_iter().chain(part).collect();
            if !steps.is_empty() {
                self.steps(group, &steps, to);
            }
        }
    }

    /// What one record does to a group, in one call.
    fn steps(&self, group: usize, steps: &[[&[u8]; 3]], to: &mut Target<'_, '_>) {
        let mut list = PackedArray::default();
        for [kind, name, more] in steps {
            list.text(kind);
            list.position(self.sequence);
            list.text(name);
            list.text(more);
        }
        let sequence = pack::within_lane(self.sequence).to_string();
        let lane = self.lane.to_string();
        let arguments = [to.value, lane.as_bytes(), sequence.as_bytes(), b"", &list.packed()];
        to.round.call(group, Function::GiveBack, &arguments);
    }
}
