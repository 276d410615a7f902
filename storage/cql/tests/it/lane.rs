use router::id::Lane;
use storage::guard::GateEpoch;
use storage::journal::Head;
use storage_cql::lane::LaneCreation;
use storage_cql::{LaneTakeover, Lanes};

use crate::support::{connected, new_lane, owner};

#[test]
fn a_lane_is_made_once_and_taken_by_one_of_two() {
    let cql = connected();
    let lanes = Lanes::new(&cql);
    let made = new_lane(&cql, 40_000, "a");
    assert_eq!(made.head, Head::of_lane(Lane(40_000)));
    let again = lanes.create(Lane(40_000), "b", &owner("b"), GateEpoch(1)).unwrap();
    assert_eq!(again, LaneCreation::Exists(made.clone()));
    let LaneTakeover::Taken(taken) = lanes.take(made.lane, &owner("b"), &made).unwrap() else {
        panic!("nobody else takes it")
    };
    assert_eq!((taken.epoch, taken.owner.clone(), &*taken.home), (2, owner("b"), "a"));
    assert_eq!(taken.starts.epoch_of(made.head.sequence + 1), Some(2));
    let lost = lanes.take(made.lane, &owner("c"), &made).unwrap();
    assert_eq!(lost, LaneTakeover::Lost(taken.clone()));
    assert_eq!(lanes.lane(made.lane).unwrap(), Some(taken));
    assert_eq!(lanes.lane(Lane(1)).unwrap(), None);
}

#[test]
fn a_fence_rises_and_never_falls() {
    let cql = connected();
    let lanes = Lanes::new(&cql);
    let (one, two) = (new_lane(&cql, 1, "a"), new_lane(&cql, 0, "a"));
    assert_eq!(lanes.all().unwrap(), [two, one]);
    assert_eq!(lanes.fence(Lane(1), GateEpoch(5)).unwrap().guard_epoch, GateEpoch(5));
    assert_eq!(lanes.fence(Lane(1), GateEpoch(4)).unwrap().guard_epoch, GateEpoch(5));
    assert_eq!(lanes.lane(Lane(0)).unwrap().unwrap().guard_epoch, GateEpoch(1));
}
