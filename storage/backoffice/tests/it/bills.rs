//! Bills: registered once, changed by version, listed by payer.

use router::bill::DueAmount;
use router::id::{ClientRef, Product};
use router::time::Date;
use storage_backoffice::bill::{
    Amended, BillEntry, BillLine, BillOrigin, BillSearch, Cancelled, Contact, RegisteredAs,
};

use crate::places::{Place, at, bill, bill_no, biller, by, on_both};

/// A bill with everything that one can have.
fn whole_bill() -> BillEntry {
    let mut bill = bill(1, 100_000);
    bill.contract_no = Some("K-9".into());
    bill.contact = Contact {
        name: Some("Ana Pérez".into()),
        phone: Some("584120000000".into()),
        email: Some("ana@example.com".into()),
        doc: Some("V12345678".into()),
        language: Some("es".into()),
    };
    bill.lines = [("Internet", 110_000), ("Rebate", -10_000)]
        .map(|(text, minor)| BillLine { text: text.into(), minor })
        .to_vec();
    bill.terms.due = [(20_000, 100_000), (20_010, 105_000), (20_020, 110_000)]
        .map(|(day, minor)| DueAmount { date: Date(day), minor })
        .to_vec();
    bill.terms.allows_partial = true;
    bill.terms.min_minor = Some(1_000);
    bill.terms.max_minor = Some(50_000);
    bill.terms.must_leave_minor = Some(100);
    bill.terms.expires_at = Some(at(1));
    bill.product = Some(Product::new("internet").unwrap());
    bill.origin = BillOrigin::Online;
    bill.metadata = Some(r#"{"cart":"c-1"}"#.into());
    bill
}

#[test]
fn a_bill_is_read_as_it_was_registered() {
    on_both(async |place| {
        let office = place.office().await;
        let bill = whole_bill();
        assert_eq!(office.register_bill(&bill, &by(0)).await.unwrap(), RegisteredAs::New);
        assert_eq!(office.bill(bill.id).await.unwrap(), Some(bill.clone()));
        assert_eq!(office.bill_by_no(biller(), bill.bill_no).await.unwrap(), Some(bill.clone()));
        let terms = office.bill_terms(biller(), bill.bill_no).await.unwrap().unwrap();
        assert_eq!((terms.terms, terms.lines), (bill.terms, Vec::new()));
        assert_eq!(office.bill_by_no(biller(), bill_no("F-2")).await.unwrap(), None);
        assert_eq!(office.billers_with_bills().await.unwrap(), [biller()]);
        office.close().await;
    });
}

#[test]
fn a_number_is_registered_once_and_the_first_bill_stays_as_it_is() {
    on_both(async |place| {
        let office = place.office().await;
        let first = bill(1, 100_000);
        let second = BillEntry { bill_no: first.bill_no, ..bill(2, 900) };
        assert_eq!(office.register_bill(&first, &by(0)).await.unwrap(), RegisteredAs::New);
        assert_eq!(office.register_bill(&second, &by(1)).await.unwrap(), RegisteredAs::Repeated);
        assert_eq!(office.repeated_bill(biller(), first.bill_no).await.unwrap(), first);
        assert_eq!(office.bill(second.id).await.unwrap(), None);
        let other = BillEntry { biller: "shop".parse().unwrap(), ..second };
        assert_eq!(office.register_bill(&other, &by(2)).await.unwrap(), RegisteredAs::New);
        office.close().await;
    });
}

#[test]
fn of_two_changes_made_from_one_version_one_is_stale() {
    on_both(async |place| {
        let office = place.office().await;
        let bill = whole_bill();
        office.register_bill(&bill, &by(0)).await.unwrap();
        let mut next = bill.clone();
        next.terms.amount.minor = 120_000;
        next.lines.truncate(1);
        next.terms.due.clear();
        assert_eq!(office.amend_bill(&next, &by(1)).await.unwrap(), Amended::Done);
        assert_eq!(office.amend_bill(&bill, &by(2)).await.unwrap(), Amended::Stale);
        let expected = BillEntry { version: 2, changed_at: at(1), ..next };
        assert_eq!(office.bill(bill.id).await.unwrap(), Some(expected));
        office.close().await;
    });
}

#[test]
fn a_cancelled_bill_stays_cancelled_and_takes_no_change() {
    on_both(async |place| {
        let office = place.office().await;
        let bill = bill(1, 100_000);
        office.register_bill(&bill, &by(0)).await.unwrap();
        assert_eq!(office.cancel_bill(bill.id, &by(1)).await.unwrap(), Cancelled::Done);
        assert_eq!(office.cancel_bill(bill.id, &by(2)).await.unwrap(), Cancelled::Before);
        let cancelled = office.bill(bill.id).await.unwrap().unwrap();
        assert_eq!((cancelled.terms.cancelled_at, cancelled.version), (Some(at(1)), 2));
        assert_eq!(office.amend_bill(&cancelled, &by(3)).await.unwrap(), Amended::Stale);
        let events = office.bill_timeline(bill.id, biller(), bill.bill_no).await.unwrap();
        let told: Vec<_> =
            events.iter().map(|event| (&*event.kind, event.at.0 - at(0).0)).collect();
        assert_eq!(told, [("bill.registered", 0), ("bill.cancelled", 1)]);
        assert!(events.iter().all(|event| &*event.actor == "key:ck_test"));
        office.close().await;
    });
}

#[test]
fn pages_of_bills_hold_each_once_and_a_payer_s_alone_where_one_is_named() {
    on_both(async |place| {
        let office = place.office().await;
        let other = ClientRef::new("C-78").unwrap();
        for number in 1..=25 {
            let mut bill = bill(number, 1_000);
            if number % 5 == 0 {
                bill.client_id = other;
            }
            office.register_bill(&bill, &by(0)).await.unwrap();
        }
        assert_eq!(pages(&office, None, 10).await, (1..=25).collect::<Vec<_>>());
        assert_eq!(pages(&office, Some(other), 2).await, [5, 10, 15, 20, 25]);
        assert_eq!(pages(&office, ClientRef::new("C-79").ok(), 2).await, [0; 0]);
        office.close().await;
    });
}

async fn pages(
    office: &storage_backoffice::Backoffice,
    client: Option<ClientRef>,
    limit: u32,
) -> Vec<u32> {
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let search = BillSearch { biller: biller(), client, after, limit };
        let page = office.bills(&search).await.unwrap();
        let Some(last) = page.last() else { return numbers };
        after = Some(last.id);
        let number = |bill: &BillEntry| bill.bill_no.as_str()[2..].parse::<u32>().unwrap();
        numbers.extend(page.iter().map(number));
    }
}

#[test]
fn a_copy_of_the_files_has_what_was_registered_and_is_never_written_over() {
    let place = Place::files();
    crate::places::block_on(async {
        let office = place.office().await;
        let bill = whole_bill();
        office.register_bill(&bill, &by(0)).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("backoffice/registered.db");
        std::fs::create_dir(dir.path().join("backoffice")).unwrap();
        office.backup(&copy).await.unwrap();
        assert!(office.backup(&copy).await.is_err(), "it is there already");
        office.cancel_bill(bill.id, &by(1)).await.unwrap();
        office.close().await;
        let settings = storage_backoffice::BackofficeSettings::in_folder(dir.path());
        let restored = storage_backoffice::Backoffice::open(&settings).await.unwrap();
        assert_eq!(restored.bill(bill.id).await.unwrap(), Some(bill));
        restored.close().await;
    });
}
