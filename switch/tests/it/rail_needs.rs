//! What a rail needs to be told of the payer, and what a bank's line can carry of it.

use serde_json::{Value, json};

use crate::api::Api;
use crate::harness::House;

fn body(rail: &str, payer: &Value) -> Value {
    json!({"rail": rail, "amount": {"currency": "VES", "minor": 15_000}, "payer": payer})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_what_its_rail_needs_is_refused_with_the_field_before_anything_leaves() {
    let routes = "[[routes]]\nrails = [\"c2p\"]\nto = [\"bank-b\"]\n";
    let house = House::start_with(routes).await;
    let api = Api::of(&house, "isp-ve");
    let whole = json!({"doc": "V12345678", "phone": "584121234567", "bank_code": "0105"});
    for (key, field) in
        [("doc", "payer.doc"), ("phone", "payer.phone"), ("bank_code", "payer.bank_code")]
    {
        let mut payer = whole.clone();
        payer.as_object_mut().expect("an object").remove(key);
        let refused = api.pay(&format!("without-{key}"), &body("c2p", &payer)).await;
        assert_eq!((refused.status, refused.text("/field")), (400, field), "{}", refused.body);
    }
    let refused = api.pay("account", &body("account", &json!({"bank_code": "0105"}))).await;
    assert_eq!((refused.status, refused.text("/field")), (400, "payer"), "{}", refused.body);

    // It has all that the rail needs, and ISO 8583 has no place for it: a bank that was asked all
    // the same would debit the card without the payer's key.
    let mut payer = whole;
    payer["card"] = json!({"number": "4111111111111111", "expiry": "3012"});
    let refused = api.pay("c2p", &body("c2p", &payer)).await;
    assert_eq!((refused.status, refused.text("/field")), (400, "payer.doc"), "{}", refused.body);
    assert!(refused.text("/detail").contains("ISO 8583"), "{}", refused.body);
    assert_eq!(house.issuer.counts().payments, 0);
}
