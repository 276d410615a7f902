//! What every form of the store must do, as plain functions: run them against a fresh store.
//!
//! Each takes a store that holds nothing, drives it through its public handle, and panics with a
//! sentence when a rule is broken. The embedded form and the cluster form run the same list.

// A suite that panics is its purpose, as in a test.
#![allow(clippy::unwrap_used)]

mod bills;
mod events;
pub mod frozen;
mod guards;
mod late;
pub mod ledger;
mod named;
mod refunds;
pub mod sample;
mod waiting;

use std::collections::HashSet;

use router::id::Stan;
use router::outcome::{Cause, Decline, Outcome};
use router::payment::PaymentState;
use router::posting::{Entry, Posting};
use router::reason::Reason;
use router::record::Record;
use router::reservation::Keep;
use router::text::Text;

use crate::store::{Admission, Store, StoreError};
use crate::view::TraceName;
pub use bills::{
    a_reversal_reopens_what_it_freed_of_a_bill, parts_of_a_bill_add_up_to_its_amount_and_no_further,
};
pub use events::*;
pub use guards::holds_stay_above_their_floor;
pub use late::{
    a_late_approval_opens_a_reversed_payment_again, an_approval_behind_a_decline_owes_a_reversal,
};
pub use named::*;
pub use refunds::*;
use sample::Sample;
pub use waiting::*;

/// The same request twice: one intent, and the stored answer for the second.
pub async fn a_repeat_gets_the_first_answer(store: &Store) {
    let first = Sample::new(1);
    assert!(matches!(store.admit(first.intent()).await, Ok(Admission::Granted { .. })));
    let repeat = Sample { payment: 2, ..first.clone() };
    let Ok(Admission::InFlight(owner, wait)) = store.admit(repeat.intent()).await else {
        panic!("a repeat of a payment under way is in flight")
    };
    assert_eq!(owner, first.id());
    store.append(first.approved()).await.unwrap();
    assert_eq!(wait.outcome().await.unwrap().state, PaymentState::Approved);
    let Ok(Admission::Replay(payment)) = store.admit(repeat.intent()).await else {
        panic!("a repeat of a finished payment is a replay")
    };
    assert_eq!((payment.id, payment.state), (first.id(), PaymentState::Approved));
}

/// The same key for something else: refused by name, the original untouched.
pub async fn a_reused_key_is_told(store: &Store) {
    let first = Sample::new(1);
    store.admit(first.intent()).await.unwrap();
    let reuse = Sample { payment: 2, fingerprint: 99 << 64, ..first.clone() };
    let answer = store.admit(reuse.intent()).await.unwrap();
    assert!(matches!(answer, Admission::KeyReused(owner) if owner == first.id()), "{answer:?}");
    assert_eq!(store.payment(first.id()).await.unwrap().unwrap().state, PaymentState::Sent);
    assert!(store.payment(reuse.id()).await.unwrap().is_none());
}

/// A refusal by plan is remembered under its key like any payment.
pub async fn a_refusal_is_an_answer_too(store: &Store) {
    let first = Sample::new(1);
    let refused = first.refused(Reason::AmountOverLimit);
    assert!(matches!(store.refuse(refused.clone()).await, Ok(Admission::Refused(_))));
    let Ok(Admission::Replay(payment)) = store.refuse(refused).await else {
        panic!("the refusal is replayed")
    };
    assert_eq!(payment.state, PaymentState::Declined);
    let repeat = Sample { payment: 2, ..first.clone() };
    assert!(matches!(store.admit(repeat.intent()).await, Ok(Admission::Replay(_))));
    let by_key = store
        .payment_by_key(first.intent().request.key, TraceName::of(&first.intent().request))
        .await
        .unwrap();
    assert_eq!(by_key.map(|payment| payment.id), Some(first.id()));
}

/// Two hundred at once under a once-a-day rule: one is granted, the others are refused with the
/// rule's reason, each of them durable.
pub async fn once_a_day_is_once_a_day(store: &Store) {
    let samples: Vec<_> =
        (1..=200).map(|n| Sample { counter: Some((7, 1)), ..Sample::new(n) }).collect();
    let answers = futures_of(store, &samples).await;
    let granted = answers.iter().filter(|answer| matches!(answer, Admission::Granted { .. }));
    assert_eq!(granted.count(), 1, "exactly one of 200 is granted");
    for answer in &answers {
        if let Admission::Refused(payment) = answer {
            let outcome = payment.outcome.clone();
            let ours = Decline::ours(Reason::DailyCountExceeded);
            assert_eq!(outcome, Some(Outcome::Declined(ours)));
        }
    }
    let refused = answers.iter().filter(|answer| matches!(answer, Admission::Refused(_)));
    assert_eq!(refused.count(), 199);
}

/// A counter is given back by a decline and kept by an approval.
pub async fn a_decline_gives_a_count_back(store: &Store) {
    let once = |n| Sample { counter: Some((7, 1)), ..Sample::new(n) };
    store.admit(once(1).intent()).await.unwrap();
    store.append(once(1).declined()).await.unwrap();
    assert!(matches!(store.admit(once(2).intent()).await, Ok(Admission::Granted { .. })));
    store.append(once(2).approved()).await.unwrap();
    assert!(matches!(store.admit(once(3).intent()).await, Ok(Admission::Refused(_))));
}

/// Holds: taken at once, given back by a decline, posted by an approval, kept by an unknown
/// outcome until its reversal is confirmed, and put back by the reversal of an approval.
pub async fn money_is_unavailable_early_and_available_late(store: &Store) {
    let float = |n| Sample { hold: Some(("float:1", 40)), ..Sample::new(n) };
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    let balance = async || {
        let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
        balance.map(|balance| (balance.balance, balance.held)).unwrap()
    };
    store.admit(float(1).intent()).await.unwrap();
    store.admit(float(2).intent()).await.unwrap();
    assert_eq!(balance().await, (100, 80));
    assert!(matches!(store.admit(float(3).intent()).await, Ok(Admission::Refused(_))));
    store.append(float(1).approved()).await.unwrap();
    store.append(float(2).unknown()).await.unwrap();
    assert_eq!(balance().await, (60, 40), "an unknown outcome keeps its hold");
    store.append(float(2).reversal_owed_for(Cause::Timeout)).await.unwrap();
    assert_eq!(balance().await, (60, 40), "a reversal under way keeps it too");
    store.append(float(2).reversal_confirmed()).await.unwrap();
    assert_eq!(balance().await, (60, 0));
    store.append(float(1).reversal_asked()).await.unwrap();
    assert_eq!(balance().await, (60, 0), "money is back when the reversal is confirmed");
    let too_little = store.append(float(1).reversal_confirmed()).await;
    assert_eq!(too_little.err(), Some(StoreError::EntryDiffers { kind: "reversal" }));
    store.append(float(1).approval_reversed(0)).await.unwrap();
    assert_eq!(balance().await, (100, 0));
}

/// Partial reversals: each gives its own share back when it is confirmed and not before, count and
/// slot stay until nothing stands, and no two together give back more than there was.
pub async fn parts_are_given_back_one_by_one_and_never_beyond(store: &Store) {
    let paid = |n| Sample {
        hold: Some(("float:1", 40)),
        counter: Some((7, 1)),
        slot: Some((5, Keep::WhileApproved)),
        ..Sample::new(n)
    };
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    let balance = async || {
        let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
        balance.map(|balance| (balance.balance, balance.held)).unwrap()
    };
    let first = paid(1);
    store.admit(first.intent()).await.unwrap();
    store.append(first.approved()).await.unwrap();
    // Two that were computed from the same: one is recorded, the other is told so.
    let (one, two) =
        tokio::join!(store.append(first.part_owed(40, 30)), store.append(first.part_owed(40, 25)));
    assert!(one.is_ok() && matches!(two, Err(StoreError::Illegal(_))), "{one:?} and {two:?}");
    assert_eq!(balance().await, (60, 0), "money is back when it is confirmed");
    assert_eq!(store.open_payments().await.unwrap().len(), 1, "a part is owed");
    store.append(first.part_confirmed(10, 30)).await.unwrap();
    assert_eq!(balance().await, (70, 0));
    assert!(store.open_payments().await.unwrap().is_empty());
    let again = store.append(first.part_confirmed(10, 30)).await;
    assert!(matches!(again, Err(StoreError::Illegal(_))), "a share is given back once");
    store.append(first.part_owed(30, 1)).await.unwrap();
    store.append(first.part_confirmed(29, 1)).await.unwrap();
    assert_eq!(balance().await, (99, 0));
    let standing = store.payment(first.id()).await.unwrap().unwrap();
    assert_eq!((standing.state, standing.stands_minor()), (PaymentState::Approved, 1));
    assert_eq!(router::invariant::parts_fit(&standing), Ok(()));
    let taken = store.admit(paid(2).intent()).await.unwrap();
    assert!(matches!(taken, Admission::Refused(_)), "one minor unit stands: the slot is taken");
    store.append(first.reversal_asked()).await.unwrap();
    let too_much = store.append(first.approval_reversed(0)).await;
    assert_eq!(too_much.err(), Some(StoreError::EntryDiffers { kind: "reversal" }));
    store.append(first.approval_reversed(39)).await.unwrap();
    assert_eq!(balance().await, (100, 0), "the rest and no more");
    let free = store.admit(paid(3).intent()).await.unwrap();
    assert!(matches!(free, Admission::Granted { .. }), "{free:?}");
}

/// Slots: exclusive while open; freed by a decline; kept as they say by an approval; freed by the
/// reversal of an approval.
pub async fn slots_are_kept_as_they_say(store: &Store) {
    let bill = |n, keep| Sample { slot: Some((5, keep)), ..Sample::new(n) };
    let kept = |n| bill(n, Keep::WhileApproved);
    let granted = async |sample: &Sample| {
        matches!(store.admit(sample.intent()).await.unwrap(), Admission::Granted { .. })
    };
    assert!(granted(&kept(1)).await);
    assert!(!granted(&kept(2)).await, "a bill being paid is taken");
    store.append(kept(1).declined()).await.unwrap();
    assert!(granted(&kept(3)).await, "a decline frees it");
    store.append(kept(3).approved()).await.unwrap();
    assert!(!granted(&kept(4)).await, "a paid bill stays taken");
    let told = async |n| store.payment(kept(n).id()).await.unwrap().unwrap().outcome;
    let ours = |reason| Some(Outcome::Declined(Decline::ours(reason)));
    assert_eq!(told(2).await, ours(Reason::BillInProgress));
    assert_eq!(told(4).await, ours(Reason::BillAlreadyPaid));
    store.append(kept(3).reversal_asked()).await.unwrap();
    store.append(kept(3).approval_reversed(0)).await.unwrap();
    let brief = bill(5, Keep::UntilOutcome);
    assert!(granted(&brief).await, "a reversal frees it");
    store.append(brief.approved()).await.unwrap();
    let until = bill(6, Keep::Until(sample::at(1_000)));
    assert!(granted(&until).await, "an approval frees what is kept until the outcome");
    store.append(until.approved()).await.unwrap();
    assert!(!granted(&Sample { at: 999, ..kept(7) }).await);
    assert!(granted(&Sample { at: 1_000, ..kept(8) }).await, "the instant frees it");
}

/// A window's counter counts to its last instant and starts anew in the next.
pub async fn windows_do_not_share_counts(store: &Store) {
    let day = |n, at, key| Sample { at, counter: Some((key, 1)), ..Sample::new(n) };
    let last = sample::WINDOW_END - 1;
    let granted = async |sample: Sample| {
        matches!(store.admit(sample.intent()).await.unwrap(), Admission::Granted { .. })
    };
    assert!(granted(day(1, 0, 7)).await);
    assert!(!granted(day(2, last, 7)).await);
    assert!(granted(day(3, sample::WINDOW_END, 8)).await);
    // One that was received before the edge and is decided after it still finds its window.
    assert!(!granted(day(4, last, 7)).await);
}

/// Two outcomes race: one is recorded, the other is told that it came second.
pub async fn of_two_racing_outcomes_one_wins(store: &Store) {
    let held = Sample { hold: Some(("float:1", 40)), ..Sample::new(1) };
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    store.admit(held.intent()).await.unwrap();
    let (yes, no) = tokio::join!(store.append(held.approved()), store.append(held.unknown()));
    assert!(yes.is_ok() != no.is_ok(), "{yes:?} and {no:?}");
    let lost = if yes.is_ok() { no } else { yes };
    assert!(matches!(lost, Err(StoreError::Illegal(_))));
    let again = store.append(held.approved()).await;
    assert!(matches!(again, Err(StoreError::Illegal(_))), "an outcome is told once");
}

/// Every answered write is seen by the reads that follow.
pub async fn reads_see_what_was_answered(store: &Store) {
    let sample = Sample::new(1);
    store.admit(sample.intent()).await.unwrap();
    let intent = sample.intent();
    let by_folio = store.payment_by_folio(intent.folio).await.unwrap();
    assert_eq!(by_folio.map(|payment| payment.state), Some(PaymentState::Sent));
    let trace = intent.request.trace;
    let (stan, at) = (trace.stan.unwrap(), trace.transmitted_at);
    let by_trace = store.payment_of_terminal(sample::originator(), stan, at, &trace.terminal).await;
    assert_eq!(by_trace.unwrap().map(|payment| payment.id), Some(sample.id()));
    store.append(sample.approved()).await.unwrap();
    let day = intent.plan.business_date;
    let page = store.payments_of_biller(sample::biller(), day, None, 10).await.unwrap();
    let states: Vec<_> = page.payments.iter().map(|payment| payment.state).collect();
    assert_eq!(states, [PaymentState::Approved]);
    assert!(store.open_payments().await.unwrap().is_empty());
    let unknown = store.append(Sample::new(9).approved()).await;
    assert_eq!(unknown.err(), Some(StoreError::UnknownPayment(Sample::new(9).id())));
}

/// Two terminals of one acquirer may share STAN and DE7: each finds its own payment alone.
pub async fn a_trace_names_the_payment_of_its_own_terminal(store: &Store) {
    let terminal = |name| Text::<8>::new(name).unwrap();
    let mut ids = Vec::new();
    for (n, name) in [(1, "T0000001"), (2, "T0000002")] {
        let mut intent = Sample::new(n).intent();
        intent.request.trace.stan = Some(Stan::new(77).unwrap());
        intent.request.trace.terminal = terminal(name);
        ids.push(intent.payment);
        store.admit(intent).await.unwrap();
        store.append(Sample::new(n).approved()).await.unwrap();
    }
    let at = Sample::new(1).intent().request.trace.transmitted_at;
    let stan = Stan::new(77).unwrap();
    let found = async |name| {
        let found =
            store.payment_of_terminal(sample::originator(), stan, at, &terminal(name)).await;
        found.unwrap().map(|payment| payment.id)
    };
    assert_eq!(found("T0000001").await, Some(ids[0]));
    assert_eq!(found("T0000002").await, Some(ids[1]));
    assert_eq!(found("T0000003").await, None, "a terminal that asked for nothing has nothing");
    assert_eq!(found("").await, None, "no terminal is not any terminal");
}

/// A reversal that arrives behind its payment finds it, though nothing of it is durable yet.
pub async fn a_look_up_does_not_overtake_a_queued_payment(store: &Store) {
    for n in 1..=50 {
        let intent = Sample::new(n).intent();
        let (trace, id, folio) = (intent.request.trace, intent.payment, intent.folio);
        let (stan, at) = (trace.stan.unwrap(), trace.transmitted_at);
        // Polled in this order: the payment is queued, then the look-up begins.
        let (_, by_trace, by_folio) = tokio::join!(
            biased;
            store.admit(intent),
            store.payment_of_terminal(sample::originator(), stan, at, &trace.terminal),
            store.payment_by_folio(folio),
        );
        assert_eq!(by_trace.unwrap().map(|payment| payment.id), Some(id), "payment {n}");
        assert_eq!(by_folio.unwrap().map(|payment| payment.id), Some(id), "payment {n}");
    }
}

/// A list that does not fit a record is refused by name; one that just fits is taken.
pub async fn a_list_over_255_items_is_refused(store: &Store) {
    // One debit, and credits of one minor unit each.
    let with_postings = |n, len: i64| {
        let mut intent = Sample::new(n).intent();
        let [debit, credit] = *intent.plan.entry.lines() else { panic!("two lines") };
        let debit = Posting { amount: sample::money(len - 1), ..debit };
        let credits = (1..len).map(|_| Posting { amount: sample::money(1), ..credit });
        intent.plan.entry = Entry::new([debit].into_iter().chain(credits).collect()).unwrap();
        intent
    };
    let refused = Some(StoreError::RecordTooLong { len: 256, max: 255 });
    assert_eq!(store.admit(with_postings(1, 256)).await.err(), refused);
    let mut endpoint = sample::first_endpoint(4);
    endpoint.types = vec![router::notice::NoticeType::PaymentApproved; 256];
    let set = store.append(sample::set(endpoint)).await;
    assert_eq!(set.err(), refused);
    assert_eq!(store.position(), 0, "nothing was appended");
    let fits = store.admit(with_postings(1, 255)).await;
    assert!(matches!(fits, Ok(Admission::Granted { .. })), "{fits:?}");
    let stored = store.payment(Sample::new(1).id()).await.unwrap().unwrap();
    assert_eq!(stored.planned_entry.lines().len(), 255);
}

/// Payments with ids of their own, admitted all at once.
async fn futures_of(store: &Store, samples: &[Sample]) -> Vec<Admission> {
    let ids: HashSet<_> = samples.iter().map(Sample::id).collect();
    assert_eq!(ids.len(), samples.len());
    let mut tasks = tokio::task::JoinSet::new();
    for sample in samples {
        let (store, intent) = (store.clone(), sample.intent());
        tasks.spawn(async move { store.admit(intent).await.unwrap() });
    }
    tasks.join_all().await
}

/// A record that cannot be appended alone is refused by name.
pub async fn what_begins_a_payment_goes_through_the_guard(store: &Store) {
    let intent = Record::Intent(Box::new(Sample::new(1).intent()));
    let refused = store.append(intent).await;
    assert_eq!(refused.err(), Some(StoreError::NotAppendable { kind: "intent" }));
    assert_eq!(store.position(), 0);
}
