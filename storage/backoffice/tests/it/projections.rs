//! Rows from records: the same rows however the records are split, and nothing twice.

use router::exchange::InquiryFinding;
use router::id::{BillNo, Lane, PaymentId};
use router::money::Currency;
use router::outcome::{Approval, Cause};
use router::payment::Payment;
use router::reason::Reason;
use router::record::Record;
use storage::conformance::sample::{Sample, endpoint, top_up};
use storage_backoffice::payment_row::PaymentRow;
use storage_backoffice::projection::LanePosition;
use storage_backoffice::{Backoffice, BackofficeError};

use crate::places::{bill_no, biller, block_on, on_both};

const LANE: Lane = Lane(0);

/// A payment of a bill.
fn paying(number: u64, bill: &str) -> (Sample, Record) {
    let sample = Sample::new(number);
    let mut intent = sample.intent();
    intent.request.bill = Some(BillNo::new(bill).unwrap());
    (sample, Record::Intent(Box::new(intent)))
}

/// A journal with payments in every state, and what stands between them.
fn journal() -> Vec<(u64, Record)> {
    let (approved, began_approved) = paying(1, "F-1");
    let (reversed, began_reversed) = paying(2, "F-2");
    let (unknown, began_unknown) = paying(3, "F-3");
    let (parted, began_parted) = paying(4, "F-4");
    let (late, began_late) = paying(5, "F-5");
    let (_, began_open) = paying(6, "F-1");
    let refused = Sample::new(7).refused(Reason::AmountOverLimit);
    let mut records = vec![
        endpoint(1),
        top_up("float:1", 1_000_000),
        began_approved,
        began_reversed,
        approved.approved(),
        began_unknown,
        reversed.approved(),
        Record::Refused(Box::new(refused)),
        reversed.reversal_asked(),
        unknown.unknown(),
        began_parted,
        unknown.reversal_owed_for(Cause::Timeout),
        reversed.approval_reversed(50_000),
        parted.approved(),
        began_late,
        parted.part_owed(50_000, 20_000),
        late.declined(),
        unknown.reversal_confirmed(),
        parted.part_confirmed(30_000, 20_000),
        late.late(),
        began_open,
    ];
    records.extend(later());
    (1..).zip(records).collect()
}

/// Payments that wait, are inquired about or are refunded; each of a bill of its own.
fn later() -> Vec<Record> {
    let (refunded, began_refunded) = paying(8, "G-8");
    let (expired, began_expired) = paying(9, "G-9");
    let (inquired, began_inquired) = paying(10, "G-10");
    let (emptied, began_emptied) = paying(11, "G-11");
    let (waiting, began_waiting) = paying(12, "G-12");
    let (refunding, began_refunding) = paying(13, "G-13");
    let (late, began_late) = paying(14, "G-14");
    let found = InquiryFinding::Approved(Approval::default());
    vec![
        began_refunded,
        refunded.awaiting(),
        refunded.confirming(),
        began_expired,
        expired.awaiting(),
        refunded.approved(),
        refunded.refund_begun(1, 20_000),
        refunded.refund_begun(2, 10_000),
        refunded.refund_done((0, 1), 20_000),
        refunded.refund_failed((1, 2), 10_000),
        expired.expired(0),
        began_inquired,
        inquired.unknown(),
        inquired.inquired(InquiryFinding::NotFound),
        inquired.inquired(found),
        began_emptied,
        emptied.approved(),
        emptied.refund_begun(3, 50_000),
        emptied.refund_done((0, 3), 50_000),
        began_waiting,
        waiting.awaiting(),
        began_refunding,
        refunding.approved(),
        refunding.refund_begun(4, 50_000),
        began_late,
        late.awaiting(),
        late.expired(1),
        late.late(),
    ]
}

async fn project(office: &Backoffice, records: &[(u64, Record)]) -> LanePosition {
    let from = office.lane_position(LANE).await.unwrap();
    office.project(LANE, from, records).await.unwrap()
}

async fn all_rows(office: &Backoffice) -> Vec<PaymentRow> {
    let ids: Vec<PaymentId> = (1..=14).map(|number| Sample::new(number).id()).collect();
    let mut rows = office.payment_rows(&ids).await.unwrap();
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    rows
}

#[test]
fn rows_are_the_same_however_the_records_are_split_and_made_anew_they_are_equal() {
    on_both(async |place| {
        let office = place.office().await;
        let journal = journal();
        project(&office, &journal).await;
        let at_once = all_rows(&office).await;
        assert_eq!(at_once.len(), 14);
        for size in [1, 2, 3, 5, 8] {
            office.clear_projections().await.unwrap();
            assert_eq!(office.lane_position(LANE).await.unwrap(), LanePosition::NONE);
            assert_eq!(all_rows(&office).await, []);
            for records in journal.chunks(size) {
                project(&office, records).await;
            }
            assert_eq!(all_rows(&office).await, at_once, "{size} records a batch");
        }
        office.clear_projections().await.unwrap();
        let records = journal.iter().cloned().map(Ok);
        let reached = office.project_all(LANE, records).await.unwrap();
        assert_eq!(reached.position, journal.last().unwrap().0);
        assert_eq!(all_rows(&office).await, at_once);
        office.close().await;
    });
}

#[test]
fn a_row_says_what_the_payment_s_own_records_say() {
    on_both(async |place| {
        let office = place.office().await;
        let journal = journal();
        project(&office, &journal).await;
        for row in all_rows(&office).await {
            let id: PaymentId = row.id.parse().unwrap();
            let own = journal.iter().map(|(_, record)| record);
            let own = own.filter(|record| record.payment() == Some(id));
            let payment = Payment::fold(own).unwrap().unwrap();
            assert_eq!(row.state, payment.state.name(), "{id}");
            let stands = match row.state.as_str() {
                "approved" | "refunding" | "refunded" => {
                    let refunds = payment.refund_sums();
                    payment.stands_minor() - refunds.map_or(0, |sums| sums.done_minor)
                }
                _ => 0,
            };
            assert_eq!(row.stands_minor, stands, "{id}");
            assert_eq!(row.concluded_at, payment.concluded_at.map(|at| at.0));
            assert_eq!(row.reversed_at, payment.reversed_at.map(|at| at.0));
            assert_eq!(row.amount_minor, payment.request.amount.minor);
            assert_eq!(row.business_date, payment.business_date.to_string());
        }
        let mut rows = all_rows(&office).await;
        rows.sort_by_key(|row| row.folio);
        let states: Vec<&str> = rows.iter().map(|row| row.state.as_str()).collect();
        let first = ["approved", "reversed", "reversed", "approved", "reversing", "sent"];
        let second = ["declined", "approved", "expired", "approved", "refunded"];
        let last = ["awaiting_payer", "refunding", "reversing"];
        assert_eq!(states, [&first[..], &second, &last].concat());
        office.close().await;
    });
}

#[test]
fn records_that_were_taken_before_are_refused_and_change_nothing() {
    on_both(async |place| {
        let office = place.office().await;
        let journal = journal();
        let middle = project(&office, &journal[..10]).await;
        let end = project(&office, &journal[10..]).await;
        let rows = all_rows(&office).await;
        for from in [LanePosition::NONE, middle] {
            let again = office.project(LANE, from, &journal[10..]).await.unwrap_err();
            let is_other = matches!(again, BackofficeError::OtherProjector { lane: 0, .. });
            assert!(is_other, "{again:?}");
        }
        assert_eq!(office.lane_position(LANE).await.unwrap(), end);
        assert_eq!(all_rows(&office).await, rows);
        office.close().await;
    });
}

#[test]
fn what_was_paid_of_a_bill_is_exact_at_every_record() {
    on_both(async |place| {
        let office = place.office().await;
        let currency = Currency::from_code("MXN").unwrap();
        let numbers = ["F-1", "F-2", "F-3", "F-4", "F-5"].map(bill_no);
        for record in &journal() {
            project(&office, std::slice::from_ref(record)).await;
            let standings = office.standings(biller(), &numbers).await.unwrap();
            let [first, second, _, fourth, _] =
                numbers.map(|number| standings.of(number, currency).paid_minor);
            let position = record.0;
            assert_eq!(first, if position < 5 { 0 } else { 50_000 }, "{position}");
            let is_paid = (7..13).contains(&position);
            assert_eq!(second, if is_paid { 50_000 } else { 0 }, "{position}");
            let expected = match position {
                ..14 => 0,
                14..19 => 50_000,
                19.. => 20_000,
            };
            assert_eq!(fourth, expected, "{position}");
        }
        let standings = office.standings(biller(), &numbers).await.unwrap();
        assert!(standings.of(numbers[0], currency).is_in_payment, "the sixth is under way");
        assert!(!standings.of(numbers[1], currency).is_in_payment);
        assert!(standings.of(numbers[4], currency).is_in_payment, "it is owed a reversal");
        let later = ["G-8", "G-9", "G-10", "G-11", "G-12", "G-13"].map(bill_no);
        let standings = office.standings(biller(), &later).await.unwrap();
        let standings = later.map(|number| standings.of(number, currency));
        let paid_minor = standings.map(|standing| standing.paid_minor);
        assert_eq!(paid_minor, [30_000, 0, 50_000, 0, 0, 50_000], "what was given back is not");
        let under_way = standings.map(|standing| standing.is_in_payment);
        assert_eq!(under_way, [false, false, false, false, true, false], "the payer is awaited");
        let told = async |number| {
            let steps = office.paid_after_steps(Sample::new(number).id()).await.unwrap();
            let told = steps.into_iter().map(|step| (step.step, step.bill_paid_minor));
            told.collect::<Vec<_>>()
        };
        let steps = |steps: &[(&str, i64)]| {
            let owned = steps.iter().map(|(step, paid)| ((*step).to_owned(), *paid));
            owned.collect::<Vec<_>>()
        };
        let reversed = [("sent", 0), ("approved", 50_000), ("reversing", 50_000), ("reversed", 0)];
        assert_eq!(told(2).await, steps(&reversed));
        assert_eq!(told(6).await, steps(&[("sent", 50_000)]), "the first paid as much");
        let approved = [("sent", 0), ("awaiting_payer", 0), ("sent", 0), ("approved", 50_000)];
        let begun = [("refund_begun", 50_000), ("refund_begun", 50_000)];
        let ended = [("refund_done", 30_000), ("refund_failed", 30_000)];
        assert_eq!(told(8).await, steps(&[&approved[..], &begun, &ended].concat()));
        office.close().await;
    });
}

#[test]
fn the_steps_of_a_bill_s_payments_are_its_timeline() {
    on_both(async |place| {
        let office = place.office().await;
        for records in journal().chunks(4) {
            project(&office, records).await;
        }
        let id = crate::places::bill(1, 1).id;
        let told = async |number| {
            let events = office.bill_timeline(id, biller(), bill_no(number)).await.unwrap();
            events.iter().map(|event| event.kind.to_string()).collect::<Vec<_>>()
        };
        let sent = "payment.sent";
        assert_eq!(told("F-1").await, [sent, sent, "payment.approved"], "by their times");
        let reversed = ["payment.approved", "payment.reversing", "payment.reversed"];
        assert_eq!(told("F-2").await, [&[sent], &reversed[..]].concat());
        let parts = ["payment.partial_reversal_asked", "payment.partial_reversal_confirmed"];
        assert_eq!(told("F-4").await, [&[sent, "payment.approved"], &parts[..]].concat());
        assert_eq!(told("F-5").await, [sent, "payment.declined", "payment.reversing"]);
        let waited = [sent, "payment.awaiting_payer", "payment.sent", "payment.approved"];
        let begun = ["payment.refund_begun", "payment.refund_begun"];
        let ended = ["payment.refund_done", "payment.refund_failed"];
        assert_eq!(told("G-8").await, [&waited[..], &begun, &ended].concat());
        let inquired = ["payment.unknown", "payment.approved"];
        assert_eq!(told("G-10").await, [&[sent], &inquired[..]].concat());
        office.close().await;
    });
}

#[test]
fn a_batch_of_many_rows_is_written_in_one_transaction() {
    on_both(async |place| {
        let office = place.office().await;
        let payments = (1..=700_u64).flat_map(|number| {
            let (sample, began) = paying(number, "F-1");
            [began, sample.approved()]
        });
        let records: Vec<(u64, Record)> = (1..).zip(payments).collect();
        project(&office, &records).await;
        let standings = office.standings(biller(), &[bill_no("F-1")]).await.unwrap();
        let currency = Currency::from_code("MXN").unwrap();
        let paid = standings.of(bill_no("F-1"), currency).paid_minor;
        assert_eq!(paid, 700 * 50_000);
        assert_eq!(office.status().await.unwrap().payments, 700);
        office.close().await;
    });
}

#[test]
fn positions_of_the_highest_lane_are_kept() {
    on_both(async |place| {
        let office = place.office().await;
        let lane = Lane(u16::MAX);
        let first = storage::journal::Head::of_lane(lane).sequence + 1;
        let records = [(first, endpoint(1)), (first + 1, endpoint(2))];
        let from = office.lane_position(lane).await.unwrap();
        let reached = office.project(lane, from, &records[..1]).await.unwrap();
        let reached = office.project(lane, reached, &records[1..]).await.unwrap();
        assert_eq!(reached.position, first + 1);
        assert_eq!(office.lane_position(lane).await.unwrap(), reached);
        assert_eq!(office.lane_positions().await.unwrap(), [(lane, reached)]);
        office.close().await;
    });
}

#[test]
fn the_currency_of_the_samples_is_the_one_of_these_tests() {
    block_on(async { assert_eq!(storage::conformance::sample::currency().code(), "MXN") });
}
