//! Versions of endpoints.

use router::id::EndpointId;
use router::record::{Endpoint, OldSecret, Record};
use storage::StoreError;
use storage::conformance::sample;

use crate::support::{fresh, open, settings};

fn first() -> Endpoint {
    let Record::Endpoint(endpoint) = sample::endpoint(4) else { panic!("an endpoint") };
    endpoint
}

/// The next version, with another secret.
fn rotated(endpoint: &Endpoint, secret: u128) -> Endpoint {
    let old = OldSecret { secret: endpoint.secret.clone(), ends_at: sample::at(90) };
    Endpoint {
        version: endpoint.version + 1,
        at: endpoint.at.plus_micros(1),
        secret: sample::sealed_secret(secret),
        old_secrets: vec![old],
        ..endpoint.clone()
    }
}

#[tokio::test]
async fn of_two_changes_made_from_one_version_the_later_is_refused_and_a_restart_keeps_the_other() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    let endpoint = first();
    let not_set = store.change_endpoint(rotated(&endpoint, 2)).await;
    assert_eq!(not_set, Err(StoreError::EndpointChanged));
    store.append(Record::Endpoint(endpoint.clone())).await.unwrap();
    let (one, other) = (rotated(&endpoint, 2), rotated(&endpoint, 3));
    let both = tokio::join!(store.change_endpoint(one.clone()), store.change_endpoint(other));
    assert_eq!(both, (Ok(()), Err(StoreError::EndpointChanged)));
    store.close().await;

    let (store, _) = open(&settings(&dir));
    assert_eq!(store.endpoint(EndpointId(4)), Some(one.clone()));
    assert_eq!(store.endpoint_version(EndpointId(4)), Some(2));
    assert_eq!(
        store.change_endpoint(rotated(&endpoint, 4)).await,
        Err(StoreError::EndpointChanged)
    );
    let deleted = Endpoint { url: None, ..rotated(&one, 5) };
    store.change_endpoint(deleted.clone()).await.unwrap();
    assert_eq!(store.endpoint(EndpointId(4)), None);
    let after_its_end = Endpoint { url: one.url.clone(), ..rotated(&deleted, 6) };
    assert_eq!(store.change_endpoint(after_its_end).await, Err(StoreError::EndpointChanged));
    store.close().await;
}
