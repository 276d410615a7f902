//! Payments that are opened again long after their first records were made. What leads to a payment
//! stays as long as one of its records does, and goes with the last one.

use router::id::EndpointId;
use router::outcome::Cause;
use router::record::NoticeMark;

use super::*;
use crate::view::TraceName;

/// Approved among the first payments, reversed behind the last one.
const REVERSED: u64 = 5;
/// The same; the reversal is still owed.
const OWED: u64 = 6;

fn later(n: u64, second: u64) -> Sample {
    Sample { at: i64::try_from(second).unwrap() * SECOND, ..payment(n) }
}

async fn approve(store: &Store, payments: std::ops::RangeInclusive<u64>) {
    for n in payments {
        let paid = Sample { hold: None, ..payment(n) };
        let admitted = store.admit(paid.intent()).await.unwrap();
        assert!(matches!(admitted, Admission::Granted { .. }));
        store.append(paid.approved()).await.unwrap();
    }
}

/// A folder with two payments that were opened again behind the last one.
async fn opened_again() -> (TempDir, Settings) {
    let (dir, settings) = filled().await;
    let (store, _) = open(&settings);
    for n in [REVERSED, OWED] {
        store.append(later(n, PAYMENTS).reversal_asked()).await.unwrap();
    }
    store.append(later(REVERSED, PAYMENTS).approval_reversed(0)).await.unwrap();
    store.close().await;
    (dir, settings)
}

/// Whether the rows of a payment lead to it, by id, by folio, by its trace, and in its biller's day:
/// all or none.
fn has_rows(settings: &Settings, n: u64) -> bool {
    let (_lock, views) = open_views(settings, &sealer()).unwrap();
    let (id, intent) = (payment(n).id(), payment(n).intent());
    let (biller, date) = (sample::biller(), intent.plan.business_date);
    let trace = TraceName::of(&intent.request).unwrap();
    let of_biller = views.ids_of_biller(&biller, date, None, 10_000).unwrap();
    let found = [
        views.history(id).unwrap().is_some(),
        views.id_of_folio(intent.folio).unwrap() == Some(id),
        views.id_of_trace(&trace).unwrap() == Some(id),
        of_biller.contains(&id),
    ];
    views.close();
    assert!(found.iter().all(|is_found| *is_found == found[0]), "payment {n}: {found:?}");
    found[0]
}

#[tokio::test]
async fn a_payment_opened_again_keeps_its_look_ups_when_its_first_segment_is_removed() {
    let (_dir, settings) = opened_again().await;
    assert!(prune_now(&settings, &sealer()).unwrap() > 3);
    for rebuilt in [false, true] {
        if rebuilt {
            fs::remove_dir_all(LocalViews::dir_of(&settings.dir)).unwrap();
        }
        let (store, _) = open(&settings);
        assert_eq!(found(&store, REVERSED).await, Some(PaymentState::Reversed));
        assert_eq!(found(&store, OWED).await, Some(PaymentState::Reversing));
        store.close().await;
        assert!(has_rows(&settings, REVERSED) && has_rows(&settings, OWED));
        assert!(!has_rows(&settings, 1), "nothing is kept of it");
    }
    verify(&settings.dir).unwrap();
}

#[tokio::test]
async fn the_look_ups_of_a_payment_opened_again_go_with_its_last_record() {
    let (_dir, settings) = opened_again().await;
    prune_now(&settings, &sealer()).unwrap();
    let (store, _) = open(&settings);
    approve(&store, PAYMENTS + 1..=2 * PAYMENTS).await;
    store.close().await;
    prune_now(&settings, &sealer()).unwrap();
    assert!(!has_rows(&settings, REVERSED), "its last record is removed");
    assert!(has_rows(&settings, OWED), "it is open");
    let (store, _) = open(&settings);
    store.append(later(OWED, 2 * PAYMENTS).approval_reversed(0)).await.unwrap();
    approve(&store, 2 * PAYMENTS + 1..=3 * PAYMENTS).await;
    store.close().await;
    prune_now(&settings, &sealer()).unwrap();
    assert!(!has_rows(&settings, OWED), "it ended, and its last record is removed");
    assert!(has_rows(&settings, OPEN) && has_rows(&settings, 3 * PAYMENTS));
    verify(&settings.dir).unwrap();
}

/// A payment is carried while it is open. The removal of the segment in which it ended is cut short
/// before its look-ups are removed: no record that is left tells what they are.
#[tokio::test]
async fn look_ups_that_a_removal_left_behind_are_removed_by_the_next() {
    let (_dir, settings) = filled().await;
    let (store, _) = open(&settings);
    store.append(later(OPEN, PAYMENTS).reversal_owed_for(Cause::Timeout)).await.unwrap();
    store.append(later(OPEN, PAYMENTS).reversal_confirmed()).await.unwrap();
    approve(&store, PAYMENTS + 1..=2 * PAYMENTS).await;
    store.close().await;
    let (lock, views) = open_views(&settings, &sealer()).unwrap();
    let views = Arc::new(views);
    let mut pruner = Pruner::of(&settings, Arc::clone(&views)).unwrap();
    for next in first_segments(&settings).into_iter().skip(1) {
        pruner.begin_before(next).unwrap();
        if !pruner.ended.is_empty() {
            break;
        }
        pruner.finish().unwrap();
    }
    assert_eq!(pruner.ended.len(), 1, "it ended in the segment that is removed");
    views.close();
    drop((pruner, views, lock));
    prune_now(&settings, &sealer()).unwrap();
    assert!(!has_rows(&settings, OPEN));
    verify(&settings.dir).unwrap();
}

#[tokio::test]
async fn segments_of_notice_marks_alone_do_not_stop_the_removal() {
    let (_dir, settings) = filled().await;
    let (store, _) = open(&settings);
    for through in 1..=100 {
        let mark = NoticeMark { endpoint: EndpointId(4), through };
        store.append(Record::NoticeMark(mark)).await.unwrap();
    }
    let marked = store.position();
    approve(&store, PAYMENTS + 1..=2 * PAYMENTS).await;
    store.close().await;
    prune_now(&settings, &sealer()).unwrap();
    let first = first_segments(&settings)[0];
    assert!(first > marked, "the journal begins with {first}, the marks end with {marked}");
    verify(&settings.dir).unwrap();
}

#[tokio::test]
async fn records_read_while_segments_are_removed_go_on_with_the_first_that_is_kept() {
    let (_dir, settings) = filled().await;
    let (segments, end) = (first_segments(&settings), 2 + 2 * PAYMENTS);
    let mut records = crate::verify::records(&settings.dir);
    assert_eq!(records.next().unwrap().unwrap().0, 1);
    prune_now(&settings, &sealer()).unwrap();
    let first = first_segments(&settings)[0];
    let read: Vec<u64> = records.map(|record| record.unwrap().0).collect();
    // The first segment was open already.
    let expected: Vec<u64> = (2..segments[1]).chain(first..=end).collect();
    assert_eq!(read, expected);
}
