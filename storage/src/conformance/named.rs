//! Payments known again without their whole key, and those whose reversal came first.

use router::message::Fingerprint;
use router::payment::PaymentState;
use router::reason::Reason;
use router::record::{Intent, Record};
use router::text::Text;
use router::time::Timestamp;

use super::sample::{self, Sample};
use crate::store::{Admission, Store};
use crate::view::NamedBy;

/// The amount of all these requests, as their fingerprints have it.
const AMOUNT: u128 = 1 << 96;

/// A request with the name of the first, and a DE7 of its own that `rest` stands for.
fn asked(payment: u64, rest: u128, fingerprint: u128) -> Sample {
    Sample { key: 77 << 64 | rest, fingerprint: AMOUNT | fingerprint, ..Sample::new(payment) }
}

/// A repeat that differs in DE7 alone is told the first answer; a first request that differs in it
/// is another payment.
pub async fn a_repeat_with_a_transmission_time_of_its_own_finds_its_original(store: &Store) {
    let (first, again) = (asked(1, 1, 0), asked(2, 2, Fingerprint::REPEAT.0));
    assert!(matches!(store.admit(first.intent()).await, Ok(Admission::Granted { .. })));
    let under_way = store.admit(again.intent()).await;
    assert!(
        matches!(&under_way, Ok(Admission::InFlight(owner, _)) if *owner == first.id()),
        "{under_way:?}"
    );
    store.append(first.approved()).await.unwrap();
    let Ok(Admission::Replay(payment)) = store.admit(again.intent()).await else {
        panic!("the stored answer")
    };
    assert_eq!((payment.id, payment.state), (first.id(), PaymentState::Approved));
    let other = asked(3, 3, 0);
    assert!(matches!(store.admit(other.intent()).await, Ok(Admission::Granted { .. })));
    // Now there are two that it may repeat.
    let of_either = store.admit(asked(4, 4, Fingerprint::REPEAT.0).intent()).await;
    assert!(matches!(of_either, Ok(Admission::KeyReused(_))), "{of_either:?}");
}

/// Of a request and its repeat with a DE7 of its own one is a payment, whichever comes first.
pub async fn a_first_request_after_its_repeat_is_no_other_payment(store: &Store) {
    let (again, first) = (asked(1, 2, Fingerprint::REPEAT.0), asked(2, 1, 0));
    assert!(matches!(store.admit(again.intent()).await, Ok(Admission::Granted { .. })));
    let under_way = store.admit(first.intent()).await;
    assert!(
        matches!(&under_way, Ok(Admission::InFlight(owner, _)) if *owner == again.id()),
        "{under_way:?}"
    );
}

/// An original whose reversal came before it is refused with a reason of its own, and so is its
/// repeat; one that does not agree with the reversal is not, nor one that comes too late.
pub async fn an_original_is_refused_whose_reversal_came_first(store: &Store) {
    let (original, late, other) = (Sample::new(1), Sample::new(2), Sample::new(3));
    for sample in [&original, &late] {
        let early = Record::EarlyReversal(sample::early_reversal(sample));
        store.append(early).await.unwrap();
    }
    let Ok(Admission::Refused(payment)) = store.admit(original.intent()).await else {
        panic!("a refusal")
    };
    let told = payment.outcome.as_ref().map(|outcome| format!("{outcome:?}")).unwrap();
    assert!(told.contains(&format!("{:?}", Reason::ReversedBeforehand)), "{told}");
    let repeat = Sample { payment: 9, ..original.clone() };
    let again = store.admit(repeat.intent()).await;
    assert!(
        matches!(&again, Ok(Admission::Replay(payment)) if payment.id == original.id()),
        "{again:?}"
    );
    assert!(matches!(store.admit(other.intent()).await, Ok(Admission::Granted { .. })));
    let late = Sample { at: 10_000_000, ..late };
    assert!(matches!(store.admit(late.intent()).await, Ok(Admission::Granted { .. })));
}

/// STAN and DE7 lead to the payments of all terminals that have them, a terminal and an RRN to
/// their own; what another participant asked for is not among them.
pub async fn payments_are_found_by_parts_of_what_names_them(store: &Store) {
    let intent = |payment, terminal: &str, rrn: &str| {
        let mut intent: Intent = Sample::new(payment).intent();
        let trace = &mut intent.request.trace;
        trace.stan = Sample::new(1).intent().request.trace.stan;
        (trace.terminal, trace.rrn) = (Text::new(terminal).unwrap(), Text::new(rrn).unwrap());
        intent
    };
    let intents = [intent(1, "T1", "R1"), intent(2, "T2", "R1"), intent(3, "T2", ""), {
        let other = router::id::ParticipantId::new("bank-z").unwrap();
        let mut foreign = intent(4, "T2", "R1");
        foreign.request.originator = router::message::Originator::Participant(other);
        foreign
    }];
    for intent in &intents {
        store.admit(intent.clone()).await.unwrap();
    }
    let trace = intents[0].request.trace;
    let (originator, stan) = (sample::originator(), trace.stan.unwrap());
    let (one, two, three) = (intents[0].payment, intents[1].payment, intents[2].payment);
    let text = |text| Text::new(text).unwrap();
    let hour = 3_600_000_000;
    let within = sample::at(-hour)..=sample::at(hour);
    for (by, expect) in [
        (NamedBy::Trace(originator, stan, trace.transmitted_at), vec![three, two, one]),
        (NamedBy::Rrn(originator, text("R1")), vec![two, one]),
        (NamedBy::Terminal(originator, Text::new("T2").unwrap()), vec![three, two]),
        (NamedBy::Rrn(originator, text("R2")), vec![]),
    ] {
        let found = store.payments_named(by, within.clone(), 10).await.unwrap();
        assert_eq!(found.iter().map(|it| it.id).collect::<Vec<_>>(), expect, "{by:?}");
        let newest = store.payments_named(by, within.clone(), 1).await.unwrap();
        assert_eq!(newest.first().map(|it| it.id), expect.first().copied(), "{by:?}");
        let later = Timestamp((three.unix_ms() + 1) * 1_000)..=sample::at(hour);
        assert!(store.payments_named(by, later, 10).await.unwrap().is_empty(), "{by:?}");
    }
}
