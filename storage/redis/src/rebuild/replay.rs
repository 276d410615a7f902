//! Records being replayed.

use router::id::{Lane, PaymentId};
use router::message::EarlyReversal;
use router::record::AccountMovement;
use router::reservation::{Reservation, Settle};
use router::time::Timestamp;
use storage::guard::{Credit, Settlement, Wants};

use crate::early;
use crate::gate::Gate;
use crate::layout::Part;
use crate::library::Function;
use crate::link::Round;
use crate::pack::{self, List};

/// Records to be replayed, in order.
#[derive(Debug, Default)]
pub struct Replay {
    steps: Vec<Replayed>,
}

#[derive(Debug)]
pub(super) struct Replayed {
    lane: Lane,
    sequence: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Regrant { payment: PaymentId, at: Timestamp, wants: Wanted },
    End { payment: PaymentId, settle: Settle, reservation: Option<Box<Reservation>> },
    Credit(AccountMovement),
    Early(EarlyReversal),
}

#[derive(Debug)]
enum Wanted {
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
            Wants::Reserve(reservation) => Wanted::Reserve(Box::new(reservation.clone())),
            Wants::Remember(key, fingerprint) => Wanted::Remember(key, fingerprint),
        };
        self.steps.push(Replayed { lane, sequence, what: What::Regrant { payment, at, wants } });
    }

    /// A record that ends a reservation.
    pub fn end(&mut self, lane: Lane, settlement: &Settlement<'_>) {
        let Settlement { payment, settle, reservation, sequence } = *settlement;
        let what = What::End { payment, settle, reservation: reservation.cloned().map(Box::new) };
        self.steps.push(Replayed { lane, sequence, what });
    }

    /// A movement of an account, up or down.
    pub fn credit(&mut self, lane: Lane, credit: &Credit<'_>) {
        let (sequence, what) = (credit.sequence, What::Credit(*credit.movement));
        self.steps.push(Replayed { lane, sequence, what });
    }

    /// A reversal that came before its original.
    pub fn forestall(&mut self, lane: Lane, early: &EarlyReversal) {
        self.steps.push(Replayed { lane, sequence: 0, what: What::Early(*early) });
    }

    pub(super) fn chunks(&self, len: usize) -> std::slice::Chunks<'_, Replayed> {
        self.steps.chunks(len)
    }
}

/// Where the calls of a round go.
pub(super) struct Target<'a, 'r> {
    pub round: &'a mut Round<'r>,
    pub gate: &'a Gate,
    pub value: &'a [u8],
}

impl Replayed {
    pub(super) fn call(&self, to: &mut Target<'_, '_>) {
        match &self.what {
            What::Regrant { payment, at, wants } => self.regrant(*payment, *at, wants, to),
            What::End { payment, settle, reservation } => {
                self.end(*payment, *settle, reservation.as_deref(), to);
            }
            What::Credit(movement) => {
                let (account, delta) = (movement.account, movement.delta);
                let name = pack::account_name(account, delta.currency);
                let group = to.gate.layout().group_of_account(account, delta.currency);
                self.step(group, [b"c", name.as_bytes(), delta.minor.to_string().as_bytes()], to);
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

    fn regrant(&self, payment: PaymentId, at: Timestamp, wants: &Wanted, to: &mut Target<'_, '_>) {
        let layout = to.gate.layout();
        let (key, fingerprint, parts) = match wants {
            Wanted::Reserve(it) => (it.key, it.fingerprint, layout.parts(it)),
            Wanted::Remember(key, fingerprint) => {
                (*key, *fingerprint, vec![Part::of_key(layout.group_of_key(*key))])
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

    fn end(
        &self,
        payment: PaymentId,
        settle: Settle,
        reservation: Option<&Reservation>,
        to: &mut Target<'_, '_>,
    ) {
        let layout = to.gate.layout();
        let payment = pack::payment(payment);
        let kind = match settle {
            Settle::Post => b"p",
            Settle::Release => b"r",
            Settle::Undo => {
                let parts = reservation.map(|it| layout.parts(it)).unwrap_or_default();
                for part in parts.iter().filter(|part| !part.held.is_empty()) {
                    self.step(part.group, [b"u", &payment, &part.held], to);
                }
                return;
            }
        };
        (0..layout.groups()).for_each(|group| self.step(group, [kind, &payment, b""], to));
    }

    fn step(&self, group: usize, step: [&[u8]; 3], to: &mut Target<'_, '_>) {
        let [kind, name, more] = step;
        let mut list = List::default();
        list.text(kind);
        list.position(self.sequence);
        list.text(name);
        list.text(more);
        let sequence = pack::within_lane(self.sequence).to_string();
        let lane = self.lane.to_string();
        let arguments = [to.value, lane.as_bytes(), sequence.as_bytes(), b"", &list.packed()];
        to.round.call(group, Function::GiveBack, &arguments);
    }
}
