use router::bill::{BillState, PlannedBill};
use router::detail::{BrokenLimit, Detail};
use router::id::{BillId, BillerId};
use router::message::IdempotencyKey;
use router::money::Currency;
use router::notice::NoticeType;
use router::record::{Record, Refused};
use router::time::Date;
use serde_json::json;

use super::*;
use crate::api::NoticeBody;

#[test]
fn texts_are_hidden_but_for_their_last_characters() {
    assert_eq!(hide_but_last("V12345678", 3), "******678");
    assert_eq!(hide_but_last("123", 3), "***");
    assert_eq!(hide_but_last("", 3), "");
}

#[test]
fn a_payer_of_whom_nothing_is_known_is_left_out() {
    assert!(PayerView::of(&Payer::default()).is_none());
}

/// A payment of a card that a rule refused.
fn refused() -> Payment {
    let body = br#"{"rail":"card","amount":{"currency":"MXN","minor":50000},"bill":"F-7",
        "payer":{"doc":"GODE561231GR8","phone":"5215500000000",
                 "card":{"number":"4111111111111111","expiry":"3012"}},
        "metadata":{"cart": [1,2]}}"#;
    let originator = BillerId::new("lender").expect("an id");
    let body = crate::api::parse_payment(body).expect("a body");
    let request = body.to_request(originator, IdempotencyKey(1)).expect("a request");
    let refused = Refused {
        payment: PaymentId::from_parts(1_795_456_800_000, 1),
        folio: Folio::new(77).expect("a folio"),
        at: Timestamp(1_795_456_800_000_000),
        business_date: Date(0),
        request,
        reason: Reason::AmountOverLimit,
        original: None,
        detail: Some(Detail::Limit(BrokenLimit::Most(Money::new(
            9_999_999,
            Currency::from_code("MXN").expect("a currency"),
        )))),
        bill: None,
    };
    Payment::begin(&Record::Refused(Box::new(refused))).expect("begins").0
}

#[test]
fn a_payment_is_shown_with_its_payer_masked() {
    let payment = refused();
    let view = PaymentView::new(&payment, Language::En, None);
    let json = serde_json::to_string(&view).expect("serialises");
    let expect = "{\"id\":\"ID\",\"folio\":\"000000000077\",\"state\":\"declined\",\
        \"rail\":\"card\",\"amount\":{\"currency\":\"MXN\",\"minor\":50000},\"fees\":[],\
        \"total\":{\"currency\":\"MXN\",\"minor\":50000},\"biller\":\"lender\",\"bill\":{\"bill_no\":\"F-7\"},\
        \"payer\":{\"doc\":\"**********GR8\",\"phone\":\"*********0000\",\
        \"card\":\"411111******1111\"},\
        \"reason\":{\"no\":\"2001\",\"code\":\"amount_over_limit\",\
        \"text\":\"Over the limit per transaction\",\"detail\":\"At most 99999.99 MXN per transaction\"},\
        \"received_at\":\"2026-11-23T18:00:00.000Z\",\"concluded_at\":\"2026-11-23T18:00:00.000Z\",\
        \"metadata\":{\"cart\":[1,2]}}";
    assert_eq!(json, expect.replace("ID", &payment.id.to_string()));
}

#[test]
fn the_bill_of_a_payment_is_named_and_stands_where_that_is_known() {
    let id = BillId::from_parts(1_795_000_000_000, 7);
    let bill = PlannedBill { id, version: 1, amount_minor: 80_000, last_due: None };
    let payment = Payment { bill: Some(bill), ..refused() };
    let named = BillStandingView::named(&payment).expect("it names one");
    let json = |view: &BillStandingView| serde_json::to_value(view).expect("serialises");
    assert_eq!(json(&named), json!({ "id": id.to_string(), "bill_no": "F-7" }));
    let standing = named.standing(BillState::PartiallyPaid, 50_000, 30_000);
    let amount = |minor: i64| json!({ "currency": "MXN", "minor": minor });
    let expect = json!({
        "id": id.to_string(), "bill_no": "F-7", "state": "partially_paid",
        "paid": amount(50_000), "remaining": amount(30_000),
    });
    assert_eq!(json(&standing), expect);
}

#[test]
fn a_notice_wraps_the_payment_with_type_and_time() {
    let payment = refused();
    let view = PaymentView::new(&payment, Language::En, Folio::new(76));
    let kind = NoticeType::PaymentDeclined;
    let id = router::notice::notice_id(payment.id, kind);
    let body = NoticeBody::new(id, kind, payment.received_at, &view).to_json();
    let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(value["type"], "payment.declined");
    assert_eq!(value["timestamp"], "2026-11-23T18:00:00.000Z");
    assert_eq!(value["id"], id.to_string());
    assert_eq!(value["data"]["folio"], "000000000077");
    assert_eq!(value["data"]["original_folio"], "000000000076");
}
