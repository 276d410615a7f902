use proptest::prelude::*;
use router::outcome::Cause;
use router::record::NoticeMark;
use router::reservation::Keep;
use router::secret::Secret;

use super::*;
use crate::conformance::sample::{self, CARD, Sample};
use crate::seal::SealingKey;

fn sealer() -> Sealer {
    Sealer::new("k1", vec![SealingKey { name: "k1".into(), bytes: [7; 32].into() }]).unwrap()
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    encode(record, &sealer(), &mut out);
    out
}

fn samples() -> Vec<Record> {
    let full = Sample {
        hold: Some(("float:1", 40)),
        counter: Some((7, 1)),
        slot: Some((5, Keep::Until(sample::at(9)))),
        ..Sample::new(3)
    };
    let endpoint = router::id::EndpointId(4);
    vec![
        Record::Intent(Box::new(full.intent())),
        Record::Refused(Box::new(full.refused(router::reason::Reason::NoRoute))),
        Record::Rerouted(router::record::Rerouted {
            payment: full.id(),
            at: sample::at(1),
            attempt: full.intent().attempt,
        }),
        full.approved(),
        full.declined(),
        full.unknown(),
        full.reversal_owed_for(Cause::LineLost),
        full.reversal_asked(),
        full.reversal_confirmed(),
        full.part_owed(40, 30),
        full.part_confirmed(10, 30),
        full.late(),
        sample::top_up("float:1", -7),
        sample::endpoint(4),
        Record::NoticeMark(NoticeMark { endpoint, through: 12 }),
        Record::EarlyReversal(sample::early_reversal(&full)),
    ]
}

#[test]
fn every_kind_comes_back_as_it_was() {
    for record in samples() {
        let bytes = encoded(&record);
        let body = &bytes[RECORD_HEADER_LEN..];
        let back = decode(body).unwrap();
        // The card comes back sealed; everything else is compared by its print.
        let hide = |record: &Record| {
            format!("{record:?}")
                .replace("Sealed(411111******1111 sealed under k1)", "CARD")
                .replace("Clear(411111******1111)", "CARD")
        };
        assert_eq!(hide(&back), hide(&record));
        assert_eq!(encoded(&back), bytes, "a sealed card is copied as it is");
        for cut in 0..body.len() {
            assert!(decode(&body[..cut]).is_err(), "{} cut at {cut}", record.kind());
        }
        let longer = [body, &[0]].concat();
        assert_eq!(decode(&longer).err(), Some(DecodeError::Trailing { len: 1 }));
    }
}

#[test]
fn what_may_not_be_kept_is_not_in_the_bytes() {
    let mut intent = Sample::new(1).intent();
    let secret = |text: &[u8]| Some(Secret::new(text));
    intent.request.transient = Some(Box::new(router::message::Transient {
        track2: secret(b"4111111111111111=2912101"),
        pin_block: secret(b"PINPINPI"),
        chip: secret(b"CHIPDATA"),
    }));
    let bytes = encoded(&Record::Intent(Box::new(intent)));
    for hidden in [CARD.as_bytes(), b"2912101", b"PINPINPI", b"CHIPDATA"] {
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
    }
    let Record::Intent(back) = decode(&bytes[RECORD_HEADER_LEN..]).unwrap() else { panic!() };
    let Some(router::secret::CardNumber::Sealed(sealed)) = back.request.payer.card else {
        panic!()
    };
    let pan = sealer().open(&sealed, back.payment).unwrap();
    assert_eq!(pan.expose_for_wire(), CARD.as_bytes());
}

#[test]
fn a_field_that_looks_like_a_card_number_is_not_in_the_bytes_and_can_be_revealed() {
    let mut intent = Sample::new(1).intent();
    let lookalike = "4000001234567890";
    let account = router::text::Text::new(lookalike).unwrap();
    intent.request.payer.account = Some(account);
    intent.request.metadata = Some(format!("{{\"{lookalike}\":{lookalike}}}").into());
    let bytes = encoded(&Record::Intent(Box::new(intent)));
    assert!(!bytes.windows(lookalike.len()).any(|window| window == lookalike.as_bytes()));
    let body = &bytes[RECORD_HEADER_LEN..];
    let Record::Intent(mut back) = decode(body).unwrap() else { panic!() };
    assert_eq!(
        encoded(&Record::Intent(back.clone())),
        bytes,
        "sealed texts are copied as they are"
    );
    assert!((0..body.len()).all(|cut| decode(&body[..cut]).is_err()));
    crate::reveal(&mut back.request, back.payment, &sealer()).unwrap();
    assert_eq!(back.request.payer.account, Some(account));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_and_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        kind in 0_u8..12,
    ) {
        let _ = decode(&bytes);
        let _ = decode(&[&[kind, VERSION], &bytes[..]].concat());
        for body in bodies(&bytes) {
            let _ = body.and_then(decode);
        }
    }

    #[test]
    fn altered_records_are_refused_or_read_but_never_panic(
        which in 0_usize..15, at in any::<prop::sample::Index>(), flip in 1_u8..,
    ) {
        let mut bytes = encoded(&samples()[which]);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        for body in bodies(&bytes) {
            let _ = body.and_then(decode);
        }
    }
}
