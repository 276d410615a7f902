use std::time::Duration;

use router::message::Fingerprint;
use router::reason::Reason;
use router::reservation::{ClaimOwner, CounterKey, SlotKey};

use super::*;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Some noon.
const NOON: i64 = 20_000 * DAY + 12 * HOUR;

/// One payment of a day's only allowance of a client, which also keeps a slot to the day's end.
fn once_a_day(key: u128, client: u128, at: i64) -> Reservation {
    let day_end = Timestamp((at / DAY + 1) * DAY);
    let name = client << 64 | u128::try_from(at / DAY).unwrap();
    let reason = Reason::DailyCountExceeded;
    let counter = Counter {
        key: CounterKey(name),
        delta: 1,
        ceiling: 1,
        window_end: day_end,
        reason,
        reason_once_full: None,
    };
    let slot = Slot {
        key: SlotKey(name),
        keep: Keep::Until(day_end),
        reason_while_open: Reason::Pending,
        reason_once_kept: Reason::DuplicateTransaction,
    };
    Reservation {
        key: IdempotencyKey(key),
        fingerprint: Fingerprint(1 << 64),
        slots: [slot].into_iter().collect(),
        counters: [counter].into_iter().collect(),
        holds: SmallVec::new(),
    }
}

/// A guard of a switch that decides a payment of a new client each hour, of key `n` at hour `n`.
struct Hourly {
    guard: MemoryGuard,
    next: u128,
}

impl Hourly {
    fn new() -> Self {
        Self { guard: MemoryGuard::new(Duration::from_hours(48)), next: 1 }
    }

    /// Lets time pass in steps that count whole.
    fn pass_to(&mut self, at: i64) {
        let last = self.guard.time.last().0.max(NOON);
        let steps = (last..at).step_by(usize::try_from(elapsed::STEP_MAX_MICROS).unwrap());
        steps.for_each(|step| self.guard.advance(Timestamp(step)));
    }

    fn pay(&mut self, client: u128, at: i64) -> Verdict {
        let wants = once_a_day(self.next, client, at);
        let verdict = self.ask(&wants, at);
        self.next += 1;
        verdict
    }

    fn ask(&mut self, wants: &Reservation, at: i64) -> Verdict {
        let (payment, mut verdicts) = (PaymentId(wants.key.0), Vec::new());
        let ask = ReserveAsk {
            payment,
            at: Timestamp(at),
            wants: Wants::Reserve(wants),
            requested: None,
        };
        self.guard.reserve(&[ask], &mut verdicts).unwrap();
        let (settle, reservation) = (Settle::Post, None);
        let entry = &Entry::default();
        let ending = ReservationEnd { payment, settle, reservation, entry, sequence: 1 };
        let endings = &[ending];
        let group = GiveBack { begun: &[], endings, credits: &[], through: 1 };
        Guard::give_back(&mut self.guard, &group).unwrap();
        verdicts[0]
    }

    fn image(&self) -> Vec<u8> {
        let mut image = Vec::new();
        self.guard.put_image(&mut image);
        image
    }
}

#[test]
fn a_clock_that_jumps_ahead_and_returns_leaves_windows_keys_and_slots_alone() {
    let mut switch = Hourly::new();
    assert_eq!(switch.pay(1, NOON), Verdict::Granted);
    for jump in [3 * DAY, 6 * DAY, 400 * DAY] {
        assert_eq!(switch.pay(2, NOON + jump), Verdict::Granted);
        switch.guard.sweep();
    }
    assert_eq!(switch.guard.find_key(IdempotencyKey(1)).unwrap(), Some(PaymentId(1)));
    assert_eq!(switch.pay(3, NOON + 1), Verdict::Granted, "another client's first of the day");
    let verdict = switch.pay(1, NOON + 2);
    let reason = Reason::DuplicateTransaction;
    let owner = Some(ClaimOwner::Payment(PaymentId(1)));
    assert_eq!(verdict, Verdict::Exceeded { reason, owner, headroom: None, place: None });
    let mut counted = once_a_day(100, 1, NOON + 3);
    counted.slots.clear();
    let verdict = switch.ask(&counted, NOON + 3);
    assert!(matches!(verdict, Verdict::Exceeded { headroom: Some(0), .. }), "{verdict:?}");
}

#[test]
fn windows_that_closed_long_ago_are_dropped_and_take_nothing_more() {
    let mut switch = Hourly::new();
    for hour in 0..40 {
        switch.pass_to(NOON + hour * HOUR);
        assert_eq!(switch.pay(hour.try_into().unwrap(), NOON + hour * HOUR), Verdict::Granted);
    }
    switch.guard.sweep();
    assert_eq!(switch.guard.counters.len(), 4, "those of the third day");
    assert_eq!(switch.guard.slots.len(), 4);
    let verdict = switch.pay(1, NOON);
    assert!(matches!(verdict, Verdict::Exceeded { headroom: Some(0), .. }), "{verdict:?}");
}

#[test]
fn an_image_keeps_elapsed_time_and_what_goes_by_it() {
    let mut switch = Hourly::new();
    for hour in 0..40 {
        switch.pass_to(NOON + hour * HOUR);
        switch.pay(hour.try_into().unwrap(), NOON + hour * HOUR);
    }
    switch.guard.sweep();
    let image = switch.image();
    let mut reader = crate::packing::Reader::new(&image);
    let retention = Duration::from_hours(48);
    let guard = MemoryGuard::from_image(retention, &mut reader).unwrap();
    let mut restored = Hourly { guard, next: switch.next };
    assert_eq!(restored.image(), image);
    for both in [&mut switch, &mut restored] {
        let verdict = both.pay(1, NOON);
        assert!(matches!(verdict, Verdict::Exceeded { headroom: Some(0), .. }), "{verdict:?}");
        (40..50)
            .for_each(|hour| assert_eq!(both.pay(99, NOON + hour * HOUR * 24), Verdict::Granted));
    }
    assert_eq!(restored.image(), switch.image());
}
