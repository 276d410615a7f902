use super::*;

fn other(version: u32, kind: EventKind) -> Event {
    let (subject, id) = (word("service"), Text::new("srv_1").unwrap());
    let body = OtherBody { kind: subject, id, version, at: Timestamp(1), bytes: [].into() };
    Event {
        kind,
        actor: Actor::Node,
        approver: None,
        body: EventBody::Other(body),
        entry: Entry::default(),
        notices: Vec::new(),
    }
}

#[test]
fn an_event_follows_the_version_before_it_and_no_other() {
    let check = |present: Option<u32>, found: u32, expected: Option<u32>| {
        let event = other(found, EventKind::Changed);
        let subject = event.subject();
        let refused = expected.map(|expected| StaleVersion { subject, expected, found });
        assert_eq!(event.follows(present).err(), refused, "{present:?} {found}");
    };
    check(None, 1, None);
    check(None, 0, Some(1));
    check(None, 2, Some(1));
    check(Some(1), 1, Some(2));
    check(Some(1), 2, None);
    check(Some(7), 8, None);
    check(Some(7), 9, Some(8));
    check(Some(u32::MAX), u32::MAX, Some(u32::MAX));
}

#[test]
fn a_stale_version_says_subject_expected_and_found() {
    let stale = other(5, EventKind::Changed).follows(Some(7)).unwrap_err();
    let text = "stale version of service srv_1: version 8 is expected, version 5 was found";
    assert_eq!(stale.to_string(), text);
}

#[test]
fn known_parts_are_known_again_and_others_stay_as_they_came() {
    let endpoint = Subject::Endpoint(EndpointId(7));
    assert_eq!(Subject::of_parts(endpoint.kind(), endpoint.id()), Some(endpoint));
    let broken = Text::new("ep_1").unwrap();
    assert_eq!(Subject::of_parts(endpoint.kind(), broken), None);
    let service = other(1, EventKind::Created).subject();
    assert_eq!(Subject::of_parts(service.kind(), service.id()), Some(service));
    let id = Text::new("usr_1").unwrap();
    for actor in [Actor::Key(id), Actor::Node, Actor::Other { kind: word("user"), id }] {
        assert_eq!(Actor::of_parts(actor.kind(), actor.id()), actor);
    }
    for kind in EventKind::KNOWN.into_iter().chain([EventKind::Other(word("approved"))]) {
        assert_eq!(EventKind::of_name(kind.name()), kind);
    }
}

#[test]
fn a_second_notice_to_one_biller_is_found() {
    let notice = |biller: &&str| OwedNotice {
        biller: BillerId::new(biller).unwrap(),
        kind: NoticeType::PaymentReversed,
        payment: PaymentId(1),
        bill: None,
    };
    let owing = |billers: &[&str]| Event {
        notices: billers.iter().map(notice).collect(),
        ..other(1, EventKind::Created)
    };
    assert_eq!(owing(&["one", "two"]).biller_owed_twice(), None);
    let twice = owing(&["one", "two", "one"]).biller_owed_twice();
    assert_eq!(twice, Some(BillerId::new("one").unwrap()));
}
