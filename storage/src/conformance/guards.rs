//! What every guard must do, whatever stands around it.

use router::posting::{Entry, whole_reversal};
use router::reservation::Settle;

use super::sample::{self, Sample};
use crate::guard::{Credit, GiveBack, Guard, ReservationEnd, ReserveAsk, Verdict, Wants};

/// Money available never goes below the floor, and what is granted adds up, whatever the order of
/// asks and settlements and the size of the batches.
///
/// Shape: `moves` are (which payment, what: 0 ask, 1 post, 2 release, 3 undo, amount); each
/// payment is asked for once. `batch` > 0 asks go to the guard at once.
pub fn holds_stay_above_their_floor(guard: &mut dyn Guard, moves: &[(u64, u8, i64)], batch: usize) {
    let (account, currency) = (sample::account("float:1"), sample::currency());
    let opening = 1_000;
    let entry = sample::top_up_entry("float:1", opening);
    let mut model = Model { balance: opening, open: Vec::new(), posted: Vec::new(), position: 1 };
    let credit = Credit { entry: &entry, sequence: 1 };
    guard
        .give_back(&GiveBack { begun: &[], endings: &[], credits: &[credit], through: 1 })
        .unwrap();
    for moves in moves.chunks(batch) {
        let asks: Vec<_> = moves.iter().filter(|(_, what, _)| *what == 0).collect();
        model.ask(guard, &asks);
        for (payment, what, _) in moves {
            model.settle(guard, *payment, *what);
        }
        let balance = guard.balance(account, currency).unwrap().unwrap();
        assert_eq!((balance.balance, balance.held), (model.balance, model.held()));
        assert!(balance.balance - balance.held >= 0, "below the floor: {balance:?}");
    }
}

struct Model {
    balance: i64,
    open: Vec<Sample>,
    posted: Vec<Sample>,
    /// Position of the last record that ended something.
    position: u64,
}

impl Model {
    fn held(&self) -> i64 {
        self.open.iter().map(amount).sum()
    }

    fn ask(&mut self, guard: &mut dyn Guard, asks: &[&(u64, u8, i64)]) {
        let sample = |(payment, _, amount): &&(u64, u8, i64)| Sample {
            hold: Some(("float:1", *amount)),
            ..Sample::new(*payment)
        };
        let samples: Vec<Sample> = asks.iter().map(sample).collect();
        let intents: Vec<_> = samples.iter().map(Sample::intent).collect();
        let asks: Vec<_> = intents
            .iter()
            .map(|intent| ReserveAsk {
                payment: intent.payment,
                at: intent.at,
                wants: Wants::Reserve(&intent.plan.reservation),
                requested: None,
            })
            .collect();
        let mut verdicts = Vec::new();
        guard.reserve(&asks, &mut verdicts).unwrap();
        assert_eq!(verdicts.len(), samples.len());
        for (sample, verdict) in samples.into_iter().zip(verdicts) {
            let fits = self.balance - self.held() >= amount(&sample);
            match verdict {
                Verdict::Granted => {
                    assert!(fits, "granted {sample:?} beyond what is there");
                    self.open.push(sample);
                }
                Verdict::Exceeded { headroom, .. } => {
                    assert!(!fits, "refused {sample:?} though it fits");
                    assert_eq!(headroom, Some(self.balance - self.held()));
                }
                Verdict::Duplicate(_) | Verdict::KeyReused(_) => {}
            }
        }
    }

    fn settle(&mut self, guard: &mut dyn Guard, payment: u64, what: u8) {
        let position = &mut self.position;
        let mut end = |payment: &Sample, settle, guard: &mut dyn Guard| {
            *position += 1;
            let (sequence, intent) = (*position, payment.intent());
            let reservation = Some(&intent.plan.reservation);
            let entry = &match settle {
                Settle::Post => intent.plan.entry.clone(),
                Settle::Release => Entry::default(),
                Settle::Undo => whole_reversal(&intent.plan.entry, sample::money(0)).unwrap(),
            };
            let payment = payment.id();
            let settlement = ReservationEnd { payment, settle, reservation, entry, sequence };
            let endings = &[settlement];
            guard
                .give_back(&GiveBack { begun: &[], endings, credits: &[], through: sequence })
                .unwrap();
        };
        let open = self.open.iter().position(|sample| sample.payment == payment);
        let posted = self.posted.iter().position(|sample| sample.payment == payment);
        match (what, open, posted) {
            (1, Some(index), _) => {
                let sample = self.open.remove(index);
                end(&sample, Settle::Post, guard);
                // A second settlement changes nothing.
                end(&sample, Settle::Release, guard);
                self.balance -= amount(&sample);
                self.posted.push(sample);
            }
            (2, Some(index), _) => {
                let sample = self.open.remove(index);
                end(&sample, Settle::Release, guard);
                end(&sample, Settle::Post, guard);
            }
            (3, _, Some(index)) => {
                let sample = self.posted.remove(index);
                end(&sample, Settle::Undo, guard);
                self.balance += amount(&sample);
            }
            _ => {}
        }
    }
}

fn amount(sample: &Sample) -> i64 {
    sample.hold.map_or(0, |(_, amount)| amount)
}
