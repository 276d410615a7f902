use proptest::prelude::*;
use router::bill::PlannedBill;
use router::exchange::{Awaited, InquiryFinding};
use router::id::{BillId, RefundId};
use router::outcome::{Approval, Cause, Decline, Outcome};
use router::reason::Reason;
use router::record::{NoticeMark, RefundStep, Refused};
use router::reservation::Keep;
use router::secret::Secret;
use router::time::{Date, Timestamp};

use super::*;
use crate::conformance::frozen::{OF_A_LATER_BUILD, with_field};
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
        Record::Refused(Box::new(full.refused(Reason::NoRoute))),
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
        full.approval_reversed(10),
        full.part_owed(40, 30),
        full.part_confirmed(10, 30),
        full.late(),
        sample::top_up("float:1", -7),
        sample::endpoint(4),
        sample::endpoint_with_old_secrets(4),
        Record::Event(Box::new(sample::event_of_a_later_build(2))),
        Record::NoticeMark(NoticeMark { endpoint, through: 12 }),
        Record::EarlyReversal(sample::early_reversal(&full)),
        full.awaiting(),
        full.awaiting_what(Awaited::Redirect("https://gateway.example/pay/7".into())),
        full.awaiting_what(Awaited::Confirmation),
        full.confirming(),
        full.expired(0),
        full.inquired(InquiryFinding::Approved(Approval::default())),
        full.inquired(InquiryFinding::Declined(Decline::ours(Reason::NoRoute))),
        full.inquired(InquiryFinding::NotFound),
        full.inquired(InquiryFinding::DeemedApproved),
        full.refund_begun(1, 10),
        full.refund_done((0, 1), 10),
        full.refund_failed((0, 1), 10),
    ]
}

#[test]
fn an_intent_says_by_which_rules_it_was_planned_and_an_older_one_says_none() {
    for rules_version in [0, u64::MAX >> 1] {
        let mut intent = Sample::new(3).intent();
        intent.plan.rules_version = rules_version;
        let bytes = encoded(&Record::Intent(Box::new(intent)));
        let Record::Intent(read) = decode(&bytes[RECORD_HEADER_LEN..]).unwrap() else {
            panic!("an intent")
        };
        assert_eq!(read.plan.rules_version, rules_version);
    }
}

#[test]
fn an_intent_and_a_refusal_keep_what_the_register_said_of_the_bill() {
    let whole = PlannedBill {
        id: BillId::from_parts(1_795_000_000_000, 7),
        version: u32::MAX,
        amount_minor: 100_000,
        last_due: Some(Date(20_801)),
    };
    for bill in [None, Some(whole), Some(PlannedBill { last_due: None, ..whole })] {
        let mut intent = Sample::new(3).intent();
        intent.plan.bill = bill;
        let refused = Refused { bill, ..Sample::new(3).refused(Reason::AmountMismatch) };
        for record in [Record::Intent(Box::new(intent)), Record::Refused(Box::new(refused))] {
            let read = decode(&encoded(&record)[RECORD_HEADER_LEN..]).unwrap();
            let (payment, _) = router::payment::Payment::begin(&read).unwrap();
            assert_eq!(payment.bill, bill);
        }
    }
}

#[test]
fn what_rows_need_of_an_intent_is_what_the_whole_intent_says() {
    let mut repeat = Sample::new(4).intent();
    repeat.request.key = router::message::IdempotencyKey(99);
    for intent in [Sample::new(3).intent(), repeat] {
        let bytes = encoded(&Record::Intent(Box::new(intent.clone())));
        let read = intent_request(&bytes[RECORD_HEADER_LEN..]).unwrap();
        let names = (read.payment, read.folio, read.business_date);
        assert_eq!(names, (intent.payment, intent.folio, intent.plan.business_date));
        assert_eq!(read.request.key, intent.request.key);
        assert_eq!(read.request.fingerprint, intent.request.fingerprint);
        assert_eq!(read.request.trace, intent.request.trace);
        assert_eq!(read.request.biller, intent.request.biller);
    }
}

#[test]
fn a_step_without_what_it_posted_leads_where_the_whole_one_does() {
    use router::payment::Progress;
    let sample = Sample { hold: Some(("float:1", 40)), ..Sample::new(3) };
    for record in [sample.approved(), sample.declined(), sample.unknown()] {
        let bytes = encoded(&record);
        let step = decode_step(&bytes[RECORD_HEADER_LEN..]).unwrap();
        let [mut whole, mut alone] = [Progress::SENT; 2];
        assert_eq!(whole.apply(&record).unwrap(), alone.apply(&step).unwrap());
        assert_eq!((whole, step.payment(), step.at()), (alone, record.payment(), record.at()));
    }
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

#[test]
fn a_field_of_a_later_build_is_passed_over_wherever_it_stands() {
    for record in samples() {
        let bytes = encoded(&record);
        let body = &bytes[RECORD_HEADER_LEN..];
        for number in [30, 63, 200] {
            let later = with_field(body, number, OF_A_LATER_BUILD);
            let read = decode(&later).unwrap_or_else(|why| panic!("{}: {why}", record.kind()));
            assert_eq!(encoded(&read), bytes, "{}", record.kind());
        }
        let first = [&body[..3], &[0x18, 30], OF_A_LATER_BUILD, &body[3..]].concat();
        assert_eq!(encoded(&decode(&first).unwrap()), bytes, "before all others");
    }
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    for record in samples() {
        let bytes = encoded(&record);
        let body = &bytes[RECORD_HEADER_LEN..];
        let error = decode(&with_field(body, 0, &[0x00])).err();
        let at = body.len() - 1;
        assert_eq!(error, Some(DecodeError::Twice { number: 0, at }), "{}", record.kind());
        let twice = with_field(&with_field(body, 40, &[0x00]), 40, &[0x00]);
        let error = decode(&twice).err();
        assert!(matches!(error, Some(DecodeError::Twice { number: 40, .. })), "{error:?}");
    }
}

#[test]
fn a_missing_field_is_its_default_or_named() {
    let sample = Sample::new(3);
    let id = sample.id().0.to_be_bytes();
    let head = [&[Kind::Outcome as u8, VERSION, 0xBF, 0x00, 0x50][..], &id].concat();
    // An approval of field 2, which has no authorisation and no reference; no entry.
    let outcome = [0x02, 0x82, 0x01, 0xBF, 0xFF];
    let body = [&head, &[0x01, 0x18, 0x2A][..], &outcome, &[0xFF]].concat();
    let Record::Outcome(read) = decode(&body).unwrap() else { panic!() };
    assert_eq!((read.payment, read.at, read.entry.is_empty()), (sample.id(), Timestamp(42), true));
    let Outcome::Approved(approval) = read.outcome else { panic!() };
    assert_eq!(approval, Approval::default());
    let without_time = [&head, &outcome[..], &[0xFF]].concat();
    assert_eq!(decode(&without_time).err(), Some(DecodeError::Missing { field: "at" }));
}

#[test]
fn another_kind_or_version_and_nothing_at_all_are_refused_by_name() {
    let bytes = encoded(&sample::top_up("float:1", 5));
    let body = &bytes[RECORD_HEADER_LEN..];
    let with_head = |kind, version| [&[kind, version], &body[2..]].concat();
    assert_eq!(decode(&with_head(99, VERSION)).err(), Some(DecodeError::Kind { kind: 99 }));
    let newer = decode(&with_head(Kind::Account as u8, VERSION + 1)).err();
    assert_eq!(newer, Some(DecodeError::Version { version: VERSION + 1 }));
    assert_eq!(decode(&[]).err(), Some(DecodeError::Truncated { at: 0 }));
    assert_eq!(decode(&body[..2]).err(), Some(DecodeError::Truncated { at: 2 }));
}

#[test]
fn a_list_of_too_many_items_is_refused_before_they_are_read() {
    let id = Sample::new(3).id().0.to_be_bytes();
    let head = [&[Kind::Outcome as u8, VERSION, 0xBF, 0x00, 0x50][..], &id].concat();
    for count in [&[0x99, 0x01, 0x00][..], &[0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]]
    {
        let body = [&head, &[0x03][..], count].concat();
        let error = decode(&body).err();
        assert!(matches!(error, Some(DecodeError::Value { field: "list", .. })), "{error:?}");
    }
}

#[test]
fn a_history_is_taken_off_and_fields_of_a_later_build_stay() {
    let sample = Sample::new(3);
    let Record::Reversal(reversal) = sample.reversal_asked() else { panic!() };
    let (mut carrying, mut alone) = (Vec::new(), Vec::new());
    encode_reopening(Reopening::Reversal(&reversal), b"history", &mut carrying);
    encode(&Record::Reversal(reversal), &sealer(), &mut alone);
    let later = with_field(&carrying[RECORD_HEADER_LEN..], 30, OF_A_LATER_BUILD);
    assert_eq!(reopened_history(&later), Ok(Some(&b"history"[..])));
    let mut without = Vec::new();
    put_without_history(&later, &mut without).unwrap();
    assert_eq!(without, with_field(&alone[RECORD_HEADER_LEN..], 30, OF_A_LATER_BUILD));
}

/// Bytes laid out by hand (RFC 8949), of the first build that has these kinds: what a later one reads
/// must stay the same.
#[test]
fn the_kinds_of_payments_that_wait_are_read_from_bytes_laid_out_by_hand() {
    let id = Sample::new(3).id();
    let head = |kind: u8| [&[kind, VERSION, 0xBF, 0x00, 0x50][..], &id.0.to_be_bytes()].concat();
    let at_42 = [0x01, 0x18, 0x2A];
    let read =
        |kind, fields: &[u8]| decode(&[&head(kind)[..], &at_42, fields, &[0xFF]].concat()).unwrap();
    let Record::Awaiting(wait) =
        read(12, &[0x02, 0x81, 0x61, b'u', 0x03, 0x18, 0x63, 0x04, 0x62, b'o', b'7'])
    else {
        panic!()
    };
    assert_eq!(wait.awaited, Awaited::Redirect("u".into()));
    assert_eq!((wait.payment, wait.at, wait.until), (id, Timestamp(42), Timestamp(99)));
    assert_eq!(wait.reference.as_str(), "o7");
    let Record::Awaiting(wait) = read(12, &[0x02, 0x01, 0x03, 0x18, 0x63]) else { panic!() };
    assert_eq!((wait.awaited, wait.reference.is_empty()), (Awaited::OneTimeKey, true));
    let Record::Confirming(confirming) = read(13, &[]) else { panic!() };
    assert_eq!((confirming.payment, confirming.at), (id, Timestamp(42)));
    let Record::Expired(expired) = read(14, &[]) else { panic!() };
    assert_eq!((expired.payment, expired.at), (id, Timestamp(42)));
    let Record::Inquiry(inquiry) = read(15, &[0x02, 0x03, 0x03, 0x62, b'2', b'5']) else {
        panic!()
    };
    assert_eq!((inquiry.finding, inquiry.raw_code.as_str()), (InquiryFinding::NotFound, "25"));
    let failed = [0x82, 0x03, 0xBF, 0x00, 0x01, 0x01, 0x0A, 0x02, 0xBF, 0x00, 0x19, 0x03, 0xE9];
    let refund = [&[0x02][..], &failed, &[0xFF, 0xFF, 0x04, 0x50], &[0; 15], &[7]].concat();
    let Record::Refund(refund) = read(16, &refund) else { panic!() };
    let RefundStep::Failed(failed) = refund.step else { panic!() };
    assert_eq!((refund.refund, failed.place, failed.amount_minor), (RefundId(7), 1, 10));
    assert_eq!(failed.decline, Decline::ours(Reason::InsufficientFunds));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_and_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        kind in 0_u8..18,
    ) {
        let _ = decode(&bytes);
        let _ = decode(&[&[kind, VERSION], &bytes[..]].concat());
        for body in bodies(&bytes) {
            let _ = body.and_then(decode);
        }
    }

    #[test]
    fn altered_records_are_refused_or_read_but_never_panic(
        which in 0_usize..31, at in any::<prop::sample::Index>(), flip in 1_u8..,
    ) {
        let mut bytes = encoded(&samples()[which]);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        for body in bodies(&bytes) {
            let _ = body.and_then(decode);
        }
    }
}
