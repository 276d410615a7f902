use super::*;

const CEILINGS: Ceilings = Ceilings {
    sockets: 100,
    per_address: 20,
    lines: 12,
    unsigned: 8,
    unsigned_per_address: 4,
    http: 6,
    peers: 2,
};

fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 50_000))
}

fn taken(admission: &Arc<Admission>, kind: Kind, last: u8, count: usize) -> Vec<Place> {
    (0..count).map(|_| admission.admit(kind, peer(last)).expect("a place")).collect()
}

fn closed(places: &[Place]) -> Vec<usize> {
    let numbered = places.iter().enumerate();
    numbered.filter(|(_, place)| place.closed().is_cancelled()).map(|(at, _)| at).collect()
}

#[test]
fn an_address_with_too_many_unsigned_lines_loses_its_own_oldest() {
    let admission = Admission::new(CEILINGS, []);
    let other = taken(&admission, Kind::Line, 1, 1);
    let flood = taken(&admission, Kind::Line, 2, 50);
    assert_eq!(closed(&flood), (0..46).collect::<Vec<_>>());
    assert_eq!(closed(&other), [0; 0], "another address keeps its place");
}

#[test]
fn strangers_give_way_to_a_line_of_a_known_address() {
    let admission = Admission::new(CEILINGS, [peer(9).ip()]);
    let known = taken(&admission, Kind::Line, 9, 1);
    let strangers: Vec<Place> =
        (10..60).map(|last| admission.admit(Kind::Line, peer(last)).expect("a place")).collect();
    assert_eq!(closed(&known), [0; 0]);
    assert_eq!(closed(&strangers), (0..43).collect::<Vec<_>>());
}

#[test]
fn a_line_that_signed_on_is_never_closed_for_another() {
    let admission = Admission::new(CEILINGS, []);
    let mut signed = Vec::new();
    for last in 0..12 {
        let place = admission.admit(Kind::Line, peer(last)).expect("a place");
        place.set_idle(false);
        signed.push(place);
    }
    assert!(admission.admit(Kind::Line, peer(50)).is_none(), "all lines are taken by participants");
    assert_eq!(closed(&signed), [0; 0]);
    signed.pop();
    assert!(admission.admit(Kind::Line, peer(50)).is_some());
}

#[test]
fn an_http_connection_with_a_request_in_hand_outlives_the_idle_ones() {
    let admission = Admission::new(CEILINGS, []);
    let busy = taken(&admission, Kind::Http, 1, 1);
    busy[0].set_idle(false);
    let idle = taken(&admission, Kind::Http, 2, 7);
    assert_eq!((closed(&busy), closed(&idle)), (vec![], vec![0, 1]));
    busy[0].set_idle(true);
    let _more = taken(&admission, Kind::Http, 3, 5);
    assert_eq!(closed(&busy), [0; 0], "it was idle for the shortest time");
    assert_eq!(closed(&idle), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn ceilings_count_all_listeners_together() {
    let ceilings = Ceilings { per_address: 5, ..CEILINGS };
    let admission = Admission::new(ceilings, []);
    let lines = taken(&admission, Kind::Line, 1, 3);
    let http = taken(&admission, Kind::Http, 1, 4);
    assert_eq!((closed(&lines), closed(&http)), (vec![0, 1], vec![]));
    for place in lines.iter().chain(&http) {
        place.set_idle(false);
    }
    assert!(admission.admit(Kind::Peer, peer(1)).is_none());
    assert!(admission.admit(Kind::Peer, peer(2)).is_some());
}

#[test]
fn no_more_sockets_are_open_than_there_are_descriptors_for() {
    let admission = Admission::new(Ceilings { sockets: 3, ..CEILINGS }, []);
    let places = taken(&admission, Kind::Line, 1, 3);
    assert!(admission.admit(Kind::Line, peer(2)).is_none());
    assert_eq!(closed(&places), [0], "the oldest is told to end, and its socket counts until then");
    drop(places);
    assert!(admission.is_empty());
    assert!(admission.admit(Kind::Line, peer(2)).is_some());
}

#[test]
fn where_there_are_few_descriptors_strangers_of_one_kind_keep_no_other_kind_out() {
    let configured =
        Ceilings { sockets: 160, per_address: 2000, lines: 1024, http: 4096, peers: 0, ..CEILINGS };
    let ceilings = configured.within_sockets();
    assert!(ceilings.lines + ceilings.http < ceilings.sockets);
    let admission = Admission::new(ceilings, []);
    let mut strangers = Vec::new();
    for last in 0..=255 {
        strangers.push(admission.admit(Kind::Http, peer(last)).expect("a place"));
        // The tasks of those that were displaced end.
        strangers.retain(|place| !place.closed().is_cancelled());
    }
    assert_eq!(strangers.len(), ceilings.http);
    for last in 0..20 {
        let line = admission.admit(Kind::Line, peer(last)).expect("a place for a bank's line");
        line.set_idle(false);
    }
}

#[test]
fn ceilings_that_fit_stay_as_configured() {
    let ceilings = CEILINGS.within_sockets();
    assert_eq!((ceilings.lines, ceilings.http, ceilings.peers), (12, 6, 2));
    assert_eq!((ceilings.per_address, ceilings.unsigned), (20, 8));
}

#[test]
fn a_line_about_what_a_peer_sent_tells_how_many_about_all_peers_were_left_out() {
    let admission = Admission::new(CEILINGS, []);
    let flood = taken(&admission, Kind::Line, 1, 1);
    let written = (0..50).filter(|_| flood[0].may_log_frame().is_some()).count();
    let other = taken(&admission, Kind::Line, 2, 1);
    assert_eq!((written, other[0].may_log_frame()), (30, Some(20)));
}
