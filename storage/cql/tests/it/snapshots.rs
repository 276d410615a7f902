use router::id::Lane;
use storage_cql::Snapshots;

use crate::support::shared;

#[test]
fn the_two_newest_snapshots_of_a_lane_are_kept() {
    let snapshots = Snapshots::new(shared());
    let lane = Lane(50_000);
    assert_eq!(snapshots.latest(lane).unwrap(), []);
    let at = |position: u64| (u64::from(lane.0) << 48) + position;
    // More than one partition of parts, and of the last part some.
    let large: Vec<u8> = (0..17_000_003_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    snapshots.put(lane, at(10), b"first").unwrap();
    snapshots.put(lane, at(20), &large).unwrap();
    assert!(
        snapshots.latest(lane).unwrap() == [(at(20), large.clone()), (at(10), b"first".into())]
    );
    snapshots.put(lane, at(30), b"").unwrap();
    snapshots.put(lane, at(30), b"").unwrap();
    assert!(snapshots.latest(lane).unwrap() == [(at(30), vec![]), (at(20), large)]);
    assert_eq!(snapshots.newest(lane).unwrap(), Some(at(30)));
    assert_eq!(snapshots.latest(Lane(50_001)).unwrap(), []);
    assert_eq!(snapshots.newest(Lane(50_001)).unwrap(), None);
}
