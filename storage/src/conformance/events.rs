//! Events: numbered by the versions of their subjects, and never without their entries and notices.

use router::endpoint::{Endpoint, OldSecret};
use router::event::{Event, EventKind, OwedNotice, StaleVersion, Subject};
use router::notice::NoticeType;
use router::record::Record;

use super::sample::{self, Sample};
use crate::outbox::ReadThrough;
use crate::store::{Store, StoreError};

fn record(event: Event) -> Record {
    Record::Event(Box::new(event))
}

/// An event that makes an endpoint what it is at a version, with another secret.
pub fn rotated(endpoint: &Endpoint, version: u32, secret: u128) -> Event {
    let old = OldSecret { secret: endpoint.secret.clone(), ends_at: sample::at(90) };
    sample::set_event(Endpoint {
        version,
        at: endpoint.at.plus_micros(i64::from(version)),
        secret: sample::sealed_secret(secret),
        old_secrets: vec![old],
        ..endpoint.clone()
    })
}

/// What a store says to an event of an endpoint whose version is not the next one.
pub fn stale(endpoint: &Endpoint, expected: u32, found: u32) -> StoreError {
    StaleVersion { subject: Subject::Endpoint(endpoint.id), expected, found }.into()
}

/// Of two events made from one version the later is refused, with what was expected and found.
pub async fn of_two_events_made_from_one_version_the_later_is_refused(store: &Store) {
    let first = sample::first_endpoint(4);
    let append = async |event: Event| store.append(record(event)).await.map(drop);
    let before_its_first = append(rotated(&first, 2, 2)).await;
    assert_eq!(before_its_first, Err(stale(&first, 1, 2)));
    append(sample::set_event(first.clone())).await.unwrap();
    assert_eq!(append(sample::set_event(first.clone())).await, Err(stale(&first, 2, 1)));
    let both = tokio::join!(append(rotated(&first, 2, 2)), append(rotated(&first, 2, 3)));
    assert_eq!(both, (Ok(()), Err(stale(&first, 3, 2))));
    assert_eq!(append(rotated(&first, 9, 4)).await, Err(stale(&first, 3, 9)));
    let deleted = sample::set_event(Endpoint { url: None, version: 3, ..first.clone() });
    assert_eq!(deleted.kind, EventKind::Deleted);
    append(deleted).await.unwrap();
    assert_eq!(store.endpoint(first.id), None);
    assert_eq!(append(rotated(&first, 4, 5)).await, Err(stale(&first, 1, 4)));
}

/// What an event posts moves balances, and what it owes is in the outbox.
pub async fn an_event_posts_its_entry_and_owes_its_notices(store: &Store) {
    let paid = Sample { hold: Some(("float:1", 40)), ..Sample::new(1) };
    let first = sample::first_endpoint(4);
    let put_in = Event { entry: sample::top_up_entry("float:1", 100), ..sample::set_event(first) };
    store.append(record(put_in)).await.unwrap();
    store.admit(paid.intent()).await.unwrap();
    store.append(paid.approved()).await.unwrap();
    let second = Endpoint { version: 2, ..sample::first_endpoint(4) };
    let (kind, payment) = (NoticeType::PaymentReversed, paid.id());
    let notice = OwedNotice { biller: sample::biller(), kind, payment, bill: None };
    let taken_out = Event {
        entry: sample::top_up_entry("float:1", -25),
        notices: vec![notice],
        ..sample::set_event(second.clone())
    };
    let appended = store.append(record(taken_out.clone())).await.unwrap();
    let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
    assert_eq!(balance.unwrap().balance, 35);
    let refused = store
        .append(record(Event { entry: sample::top_up_entry("float:1", -36), ..taken_out.clone() }))
        .await;
    assert_eq!(refused.err(), Some(stale(&second, 3, 2)), "nothing is posted by a stale event");
    let twice = Event {
        notices: vec![notice, notice],
        ..sample::set_event(Endpoint { version: 3, ..second.clone() })
    };
    let refused = store.append(record(twice)).await.err();
    assert_eq!(refused, Some(StoreError::NoticesOfOneBiller { biller: sample::biller() }));
    let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
    assert_eq!(balance.unwrap().balance, 35);

    store.settled().await.unwrap();
    let page = store.outbox_page(second.id, &ReadThrough::default(), 10).await.unwrap();
    let owed: Vec<_> =
        page.rows.iter().map(|owed| (owed.sequence, owed.payment, owed.kind)).collect();
    let approved = owed.iter().filter(|(_, _, kind)| *kind == NoticeType::PaymentApproved);
    assert_eq!(approved.count(), 1, "the payment's own: {owed:?}");
    assert_eq!(owed.last(), Some(&(appended.sequence, payment, kind)));
}
