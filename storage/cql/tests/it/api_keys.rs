use std::time::{Duration, Instant};

use storage_cql::api_keys::{ApiKeyRow, ApiKeys};

use crate::support::connected;

fn row(number: u8) -> ApiKeyRow {
    ApiKeyRow {
        sha256: [number; 32],
        role: "biller".into(),
        owner: format!("shop-{number}").into(),
        created_at: "2026-11-27T00:00:00Z".into(),
        seconds_left: None,
    }
}

#[test]
fn a_key_is_found_listed_and_gone_once_it_is_deleted() {
    let keys = ApiKeys::new(&connected());
    assert_eq!(keys.list().unwrap(), []);
    for number in 1..=3 {
        keys.put(&row(number)).unwrap();
    }
    assert_eq!(keys.find(&[2; 32]).unwrap(), Some(row(2)));
    keys.delete(&[2; 32]).unwrap();
    assert_eq!(keys.find(&[2; 32]).unwrap(), None);
    let mut left = keys.list().unwrap();
    left.sort_by_key(|key| key.sha256);
    assert_eq!(left, [row(1), row(3)]);
    // What is deleted twice is as gone as before.
    keys.delete(&[2; 32]).unwrap();
}

#[test]
fn a_key_that_is_kept_for_a_while_is_forgotten_by_the_servers_then() {
    let keys = ApiKeys::new(&connected());
    keys.put(&row(1)).unwrap();
    keys.put_for(&row(1), 3600).unwrap();
    let left = keys.find(&[1; 32]).unwrap().unwrap().seconds_left.unwrap();
    assert!((3590..=3600).contains(&left), "{left}");
    keys.put_for(&row(1), 1).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while keys.find(&[1; 32]).unwrap().is_some() {
        assert!(Instant::now() < deadline, "it is still there");
    }
    assert_eq!(keys.list().unwrap(), []);
}
