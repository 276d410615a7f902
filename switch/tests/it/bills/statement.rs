//! The account of a payer: what was charged, what was paid, what is still owed.

use serde_json::{Value, json};

use super::{bill, house, registered, ves};
use crate::api::{Api, card_payment};
use crate::harness::eventually;

fn minor(value: &Value) -> i64 {
    value["minor"].as_i64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn l_6_a_payer_s_statement_lists_charges_and_payments_and_its_balance_is_that_of_the_bills() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut parts = bill("F-1", 20_000);
    parts["allow_partial"] = json!(true);
    let mut ids = vec![registered(&api, &parts).await];
    for (number, amount) in [("F-2", 15_000), ("F-3", 7_000), ("F-4", 9_000), ("F-5", 4_000)] {
        ids.push(registered(&api, &bill(number, amount)).await);
    }
    let mut other = bill("F-9", 99_000);
    other["client_id"] = json!("C-78");
    registered(&api, &other).await;
    let part = api.pay("k-1", &card_payment(5_000, "F-1")).await;
    assert_eq!(part.status, 201, "{part:?}");
    let whole = api.pay("k-2", &card_payment(15_000, "F-2")).await;
    let payment = whole.text("/id").to_owned();
    api.post(&format!("/v1/payments/{payment}/reverse"), &json!({})).await;
    let desk =
        json!({"method": "desk", "amount": ves(9_000), "date": "2026-11-30", "reference": "1"});
    api.post(&format!("/v1/bills/{}/external-payments", ids[3]), &desk).await;
    api.post(&format!("/v1/bills/{}/cancel", ids[4]), &json!({})).await;
    eventually("the reversal", async || {
        let shown = api.get(&format!("/v1/bills/{}", ids[1])).await;
        (shown.text("/state") == "open").then_some(())
    })
    .await;
    let page = api.get("/v1/clients/C-77/statement").await;
    assert_eq!((page.status, page.text("/client_id")), (200, "C-77"), "{page:?}");
    let data = page.body["data"].as_array().expect("a list");
    let told: Vec<(&str, &str, i64, i64, i64, usize)> = data
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().expect("text");
            let amount = |name: &str| minor(&line[name]);
            let payments = line["payments"].as_array().expect("a list").len();
            let (charged, paid) = (amount("charged"), amount("paid"));
            (text("bill_no"), text("state"), charged, paid, amount("balance"), payments)
        })
        .collect();
    let expected = [
        ("F-1", "partially_paid", 20_000, 5_000, 15_000, 1),
        ("F-2", "open", 15_000, 0, 15_000, 1),
        ("F-3", "open", 7_000, 0, 7_000, 0),
        ("F-4", "paid_external", 9_000, 9_000, 0, 1),
        ("F-5", "cancelled", 0, 0, 0, 0),
    ];
    assert_eq!(told, expected);
    assert_eq!(page.text("/data/1/payments/0/state"), "reversed");
    assert_eq!(page.text("/data/3/payments/0/rail"), "external");
    let totals = json!([{"charged": ves(51_000), "paid": ves(14_000), "balance": ves(37_000)}]);
    assert_eq!(page.body["totals"], totals);
    let mut remaining = 0;
    for (id, line) in ids.iter().zip(data) {
        let shown = api.get(&format!("/v1/bills/{id}")).await;
        if shown.text("/state") != "cancelled" {
            remaining += minor(&shown.body["remaining"]);
            assert_eq!(minor(&shown.body["remaining"]), minor(&line["balance"]));
        }
    }
    assert_eq!(remaining, 37_000, "the sum agrees with the bills");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_pages_by_bill_and_its_totals_are_of_all() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    for number in 1..=5 {
        registered(&api, &bill(&format!("F-{number}"), 1_000)).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/v1/clients/C-77/statement?limit=2{cursor}")).await;
        assert_eq!(page.body["totals"][0]["balance"], ves(5_000), "{page:?}");
        let data = page.body["data"].as_array().expect("a list").clone();
        seen.extend(data.iter().map(|line| line["bill_no"].as_str().expect("text").to_owned()));
        match page.text("/next_cursor") {
            "" => break,
            next => cursor = format!("&cursor={next}"),
        }
    }
    assert_eq!(seen, ["F-1", "F-2", "F-3", "F-4", "F-5"]);
    for missing in ["C-99", "x%20y", &"9".repeat(40)] {
        let none = api.get(&format!("/v1/clients/{missing}/statement")).await;
        assert_eq!((none.status, none.text("/code")), (404, "not_found"), "{missing}");
    }
    let other = Api::of(&house, "lender-mx");
    assert_eq!(other.get("/v1/clients/C-77/statement").await.status, 404);
    house.stop().await;
}
