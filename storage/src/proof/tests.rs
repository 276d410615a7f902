use router::endpoint::Endpoint;
use router::event::{Event, StaleVersion, Subject};
use router::id::{EndpointId, PaymentId};
use router::posting::{Entry, EntryError};
use router::record::{Concluded, ReversalStep};

use super::*;
use crate::conformance::sample::{self, Sample};
use crate::history::History;
use crate::record::{RECORD_HEADER_LEN, Reopening, encode, encode_reopening};
use crate::seal::{Sealer, SealingKey};

fn body(record: &Record) -> Vec<u8> {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    let sealer = Sealer::new("k1", vec![key]).unwrap();
    let mut encoded = Vec::new();
    encode(record, &sealer, &mut encoded);
    encoded.split_off(RECORD_HEADER_LEN)
}

fn intent(sample: &Sample) -> Record {
    Record::Intent(Box::new(sample.intent()))
}

/// A payment of 40 out of a float.
fn paid(number: u64) -> Sample {
    Sample { hold: Some(("float:1", 40)), ..Sample::new(number) }
}

/// The bodies of records from position 1 on: one that opens a closed payment again carries its
/// history, as the writer makes it.
fn bodies_of(records: &[Record]) -> Vec<Vec<u8>> {
    let mut histories: BTreeMap<PaymentId, History> = BTreeMap::new();
    (1..)
        .zip(records)
        .map(|(sequence, record)| {
            let plain = body(record);
            let Some(id) = record.payment() else { return plain };
            let history = histories.entry(id).or_default();
            let is_closed = history.progress().is_ok_and(|progress| !progress.is_open());
            let mut body = plain.clone();
            if let Record::Reversal(reversal) = record
                && is_closed
            {
                let mut encoded = Vec::new();
                encode_reopening(Reopening::Reversal(reversal), history.bytes(), &mut encoded);
                body = encoded.split_off(RECORD_HEADER_LEN);
            }
            history.push(sequence, &plain);
            body
        })
        .collect()
}

/// Takes records from position 1 on; what the first that breaks something says.
fn prove(records: &[Record]) -> Result<LedgerProof, Damage> {
    let mut proof = LedgerProof::new();
    for (sequence, body) in (1..).zip(&bodies_of(records)) {
        proof.take_record(sequence, body)?;
        proof.balances(sequence)?;
    }
    Ok(proof)
}

fn broken(records: &[Record]) -> (u64, &'static str, Violation) {
    match prove(records).map(drop) {
        Err(Damage::Ledger { sequence, kind, source }) => (sequence, kind, *source),
        other => panic!("a record that breaks the ledger, not {other:?}"),
    }
}

fn with_entry(record: Record, entry: Entry) -> Record {
    match record {
        Record::Outcome(concluded) => Record::Outcome(Box::new(Concluded { entry, ..*concluded })),
        Record::Reversal(mut reversal) => {
            match &mut reversal.step {
                ReversalStep::Confirmed(confirmed) => confirmed.entry = entry,
                ReversalStep::PartConfirmed(part) => part.entry = entry,
                ReversalStep::Owed(_) | ReversalStep::PartOwed(_) => {
                    panic!("a step that posts something")
                }
            }
            Record::Reversal(reversal)
        }
        other => panic!("a record of a payment that posts, not {other:?}"),
    }
}

#[test]
fn a_journal_of_every_movement_balances_at_every_record() {
    let (kept, undone, lost) = (paid(1), paid(2), paid(3));
    let records = [
        sample::top_up("float:1", 1_000),
        intent(&kept),
        intent(&undone),
        kept.approved(),
        intent(&lost),
        undone.approved(),
        lost.unknown(),
        sample::top_up("float:1", -100),
        lost.reversal_owed_for(router::outcome::Cause::Timeout),
        lost.reversal_confirmed(),
        undone.part_owed(40, 30),
        undone.part_confirmed(10, 30),
        undone.reversal_asked(),
        undone.approval_reversed(10),
    ];
    let proof = prove(&records).unwrap();
    let balance = |name| proof.ledger().balance(sample::account(name), sample::currency());
    assert_eq!(
        ["float:1", "funding:1", "payable:isp-ve"].map(balance),
        [860, -900, 40],
        "one payment stands"
    );
}

#[test]
fn a_record_whose_entry_does_not_balance_is_named_with_kind_account_and_difference() {
    let thousand = sample::top_up_entry("float:1", 1_000);
    let event = Event { entry: thousand, ..sample::event_of_a_later_build(1) };
    let event = Record::Event(Box::new(event));
    for (record, expected) in [(sample::top_up("float:1", 1_000), "account"), (event, "event")] {
        // 1,000 in CBOR (RFC 8949): the debit comes first, so the credit is made one more.
        let mut altered = body(&record);
        let thousand = [0x19, 0x03, 0xE8];
        let at = altered.windows(3).rposition(|window| window == thousand).unwrap();
        altered[at + 2] = 0xE9;
        let mut proof = prove(&[sample::top_up("float:2", 7)]).unwrap();
        let Err(Damage::Entry { sequence: 2, kind, source }) = proof.take_record(2, &altered)
        else {
            panic!("an entry that does not balance")
        };
        assert_eq!(kind, expected);
        let (account, currency) = (sample::account("funding:1"), sample::currency());
        assert_eq!(*source, EntryError::Unbalanced { account, currency, off_minor: -1 });
    }
}

#[test]
fn an_event_that_does_not_follow_its_subject_s_version_is_named() {
    let set = |version| sample::set(Endpoint { version, ..sample::first_endpoint(4) });
    assert!(prove(&[set(1), set(2), set(3)]).is_ok());
    for (records, expected, found) in [(vec![set(2)], 1, 2), (vec![set(1), set(3)], 2, 3)] {
        let sequence = records.len() as u64;
        let Err(Damage::Event { sequence: at, source }) = prove(&records) else {
            panic!("an event that does not follow")
        };
        let subject = Subject::Endpoint(EndpointId(4));
        assert_eq!((at, *source), (sequence, StaleVersion { subject, expected, found }));
    }
}

#[test]
fn an_outcome_that_posts_other_than_its_intent_planned_is_named() {
    let top_up = sample::top_up("float:1", 1_000);
    let (account, currency) = (sample::account("float:1"), sample::currency());
    let other = Sample { hold: Some(("float:1", 39)), ..Sample::new(1) };
    for (entry, off_minor) in [(other.entry(), 1), (Entry::default(), 40)] {
        let outcome = with_entry(paid(1).approved(), entry);
        let found = broken(&[top_up.clone(), intent(&paid(1)), outcome]);
        let differs = Violation::EntryDiffers { account, currency, off_minor };
        assert_eq!(found, (3, "outcome", differs));
    }
    let declined = with_entry(paid(1).declined(), paid(1).entry());
    let found = broken(&[top_up, intent(&paid(1)), declined]);
    let differs = Violation::EntryDiffers { account, currency, off_minor: -40 };
    assert_eq!(found, (3, "outcome", differs));
}

#[test]
fn a_reversal_that_takes_back_more_or_less_than_stands_is_named() {
    let (account, currency) = (sample::account("payable:isp-ve"), sample::currency());
    let paid = paid(1);
    let before = [
        sample::top_up("float:1", 1_000),
        intent(&paid),
        paid.approved(),
        paid.part_owed(40, 30),
        paid.part_confirmed(10, 30),
        paid.reversal_asked(),
    ];
    for (given_back, off_minor) in [(0, -10), (15, 5)] {
        let records = [&before[..], &[paid.approval_reversed(given_back)]].concat();
        let first = match broken(&records) {
            (7, "reversal", Violation::EntryDiffers { account, off_minor, .. }) => {
                (account, off_minor)
            }
            other => panic!("another entry than due, not {other:?}"),
        };
        let signs = [(account, off_minor), (sample::account("float:1"), -off_minor)];
        assert!(signs.contains(&first), "{first:?}");
    }
    let never_posted = [
        sample::top_up("float:1", 1_000),
        intent(&paid),
        paid.unknown(),
        paid.reversal_owed_for(router::outcome::Cause::Timeout),
        paid.approval_reversed(0),
    ];
    let found = broken(&never_posted);
    assert_eq!((found.0, found.1), (5, "reversal"));
    assert!(
        matches!(found.2, Violation::EntryDiffers { currency: found, .. } if found == currency)
    );
}

#[test]
fn a_reversal_of_an_approval_that_names_no_payee_may_post_nothing() {
    let paid = paid(1);
    let planned = sample::top_up_entry("float:1", -40);
    let mut intent = paid.intent();
    intent.plan.entry = planned.clone();
    let records = [
        sample::top_up("float:1", 1_000),
        Record::Intent(Box::new(intent)),
        with_entry(paid.approved(), planned),
        paid.part_owed(40, 30),
        paid.part_confirmed(10, 30),
    ];
    let (sequence, kind, violation) = broken(&records);
    assert_eq!((sequence, kind), (5, "reversal"));
    assert!(matches!(violation, Violation::EntryDiffers { .. }), "{violation:?}");
}

#[test]
fn a_snapshot_with_other_balances_is_found() {
    let proof = prove(&[sample::top_up("float:1", 1_000)]).unwrap();
    proof.agrees_with(1, &prove(&[sample::top_up("float:1", 1_000)]).unwrap().state).unwrap();
    let other = prove(&[sample::top_up("float:1", 999)]).unwrap().state;
    let Err(Damage::Books { sequence: 1, source }) = proof.agrees_with(1, &other) else {
        panic!("other balances")
    };
    let account = sample::account("float:1");
    assert_eq!(*source, Violation::AccountNotConserved { account, gained_minor: -1 });

    // A guard that gained something without an entry.
    let mut other = prove(&[sample::top_up("float:1", 1_000)]).unwrap().state;
    other.guard.credit(&sample::top_up_entry("float:1", 5));
    let Err(Damage::Books { sequence: 1, source }) = proof.agrees_with(1, &other) else {
        panic!("other balances")
    };
    let currency = sample::currency();
    assert_eq!(*source, Violation::GuardDiffers { account, currency, off_minor: 5 });
}
