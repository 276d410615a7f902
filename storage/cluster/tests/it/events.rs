//! Events of one subject at two nodes: the lane's owner says which of them comes first.

use std::sync::Arc;

use router::event::Event;
use router::id::Lane;
use router::record::Record;
use storage::conformance::{rotated, sample, stale};
use storage::store::{Appending, Redelivery, RedeliveryFuture};
use storage::{Store, StoreError};
use storage_cluster::{Node, Peers};

use crate::support::{PATIENCE, World, stop};

/// The other node, asked without a network between.
struct Direct(Store);

impl Peers for Direct {
    fn append(&self, _: &str, _: Lane, encoded: Vec<u8>) -> Appending {
        let store = self.0.clone();
        Box::pin(async move { store.append_encoded(&encoded).await })
    }

    fn redeliver(&self, _: &str, _: Lane, redelivery: Redelivery) -> RedeliveryFuture {
        let store = self.0.clone();
        Box::pin(async move { store.redeliver_here(redelivery).await })
    }
}

async fn two_nodes() -> (Arc<Node>, Arc<Node>) {
    let started = tokio::task::spawn_blocking(|| {
        let world = World::fresh();
        let (one, other) = (world.node("node-1").0, world.node("node-2").0);
        one.join(Arc::new(Direct(other.store().clone())));
        other.join(Arc::new(Direct(one.store().clone())));
        (one, other)
    });
    started.await.unwrap()
}

async fn append(node: &Node, event: Event) -> Result<(), StoreError> {
    node.store().append(Record::Event(Box::new(event))).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_nodes_that_change_a_subject_at_once_one_is_refused() {
    let (one, other) = two_nodes().await;
    let first = sample::first_endpoint(4);
    append(&one, sample::set_event(first.clone())).await.unwrap();
    let seen = async {
        while other.store().endpoint_version(first.id) != Some(1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the other node reads of the endpoint");
    for version in 2..12 {
        let (here, there) = (u128::from(version), u128::from(version) + 100);
        let both = tokio::join!(
            append(&one, rotated(&first, version, here)),
            append(&other, rotated(&first, version, there)),
        );
        let refused = Err(stale(&first, version + 1, version));
        let winner = match both {
            (Ok(()), ref later) if *later == refused => here,
            (ref later, Ok(())) if *later == refused => there,
            both => panic!("one of the two is refused, not {both:?}"),
        };
        let present = one.store().endpoint(first.id).expect("an endpoint");
        assert_eq!((present.version, present.secret.id.0), (version, winner));
    }
    stop(other).await;
    stop(one).await;
}

/// A later build knows the subject's kind, and with it the lane that keeps its versions.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_of_a_subject_that_this_build_does_not_know_is_refused_with_what_is_unknown() {
    let (one, other) = two_nodes().await;
    let event = sample::event_of_a_later_build(1);
    let subject = Box::new(event.subject());
    let refused = append(&one, event.clone()).await.unwrap_err();
    assert_eq!(refused, StoreError::UnknownSubject { subject });
    assert_eq!(
        refused.to_string(),
        "an event of service srv_7 cannot be appended here: this build does not know what a \
         `service` is, and so not which node keeps its versions; a newer build does"
    );
    // As a newer node would send it here.
    let mut encoded = Vec::new();
    storage::record::encode(
        &Record::Event(Box::new(event)),
        &crate::support::sealer(),
        &mut encoded,
    );
    assert_eq!(other.store().append_encoded(&encoded).await.unwrap_err(), refused);
    assert_eq!(append(&one, sample::set_event(sample::first_endpoint(4))).await, Ok(()));
    stop(other).await;
    stop(one).await;
}
