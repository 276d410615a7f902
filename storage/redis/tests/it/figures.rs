//! What the metrics of the gate count.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use router::reservation::Settle;
use storage::guard::{Credit, GiveBack, Guard, ReservationEnd};
use storage_redis::{Form, Gate, RedisSettings};

use crate::support::*;

/// Counters by name and the value of their first label.
#[derive(Default)]
struct Counters(Mutex<HashMap<(String, String), Arc<AtomicU64>>>);

impl Counters {
    fn value(&self, name: &str, label: &str) -> u64 {
        let counters = self.0.lock().unwrap();
        let found = counters.get(&(name.to_owned(), label.to_owned()));
        found.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let label = key.labels().next().map_or("", |label| label.value()).to_owned();
        let mut counters = self.0.lock().unwrap();
        let counter = counters.entry((key.name().to_owned(), label)).or_default();
        Counter::from_arc(Arc::clone(counter))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// The writer of a lane that nothing is asked of tells what is owed ten times a second.
#[test]
fn an_ending_that_is_told_in_vain_again_and_again_counts_once() {
    let counters = Counters::default();
    with_local_recorder(&counters, || {
        let url = "redis://127.0.0.1:1/".into();
        let settings = RedisSettings::new(Form::Single { url }, &namespace());
        let gate = Arc::new(Gate::new(settings).unwrap());
        let mut guard = guard(&gate);
        let counted = || counters.value("cauce_gate_unavailable_total", "closed");
        let (first, second) = (hundred(1), hundred(2));
        let ended = |number, reservation| {
            let (payment, settle, entry) =
                (payment(number), Settle::Post, entry_of(Settle::Post, reservation));
            (payment, settle, reservation, entry)
        };
        let ended = [ended(1, &first), ended(2, &second)];
        let endings: Vec<ReservationEnd<'_>> = (2..)
            .zip(&ended)
            .map(|(sequence, (payment, settle, reservation, entry))| ReservationEnd {
                payment: *payment,
                settle: *settle,
                reservation: Some(*reservation),
                entry,
                sequence,
            })
            .collect();
        let credits = &[Credit { entry: &moved("float:1", 50), sequence: 4 }];
        let group = GiveBack { begun: &[], endings: &endings, credits, through: 4 };
        guard.give_back(&group).unwrap();
        assert_eq!(counted(), 3, "two endings and a credit");
        for _ in 0..50 {
            assert!(guard.is_behind());
            guard
                .give_back(&GiveBack { begun: &[], endings: &[], credits: &[], through: 4 })
                .unwrap();
        }
        assert_eq!(counted(), 3, "told again, and counted once");
        assert!(reserve(&mut guard, 3, &hundred(3)).is_err());
        assert_eq!(counted(), 4, "a decision that was asked for");
    });
}
