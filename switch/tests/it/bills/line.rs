//! Bills paid over ISO 8583: DE48 tag 06 names the bill, and its terms hold as they do in the API.

use loadtest::simulator::acquirer::Order;
use router::reason::Reason;
use serde_json::json;

use super::{bill, events_of, house, registered, told, ves};
use crate::api::Api;
use crate::harness::{card_order, eventually};

fn of_bill(minor: i64, bill: &str) -> Order {
    let order = card_order(minor);
    let mut private = order.private.clone();
    private.push(("06", bill.to_owned()));
    Order { private, ..order }
}

#[tokio::test(flavor = "multi_thread")]
async fn p_4_a_bank_s_line_pays_a_bill_on_its_terms_and_a_reversal_opens_it_again() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let hook = api.post("/v1/endpoints", &json!({"url": "http://127.0.0.1:1/"})).await;
    assert_eq!(hook.status, 201, "{hook:?}");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let bank = house.bank().await;
    let refused = async |order: &Order, reason: Reason| {
        let (_, answer) = bank.pay(order).await.expect("an answer");
        assert_eq!(answer.fields.text(44), reason.info().no, "{}", answer.response_code());
    };
    refused(&of_bill(14_999, "F-1"), Reason::AmountMismatch).await;
    let (request, answer) = bank.pay(&of_bill(15_000, "F-1")).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    let shown = api.get(&format!("/v1/bills/{id}")).await;
    assert_eq!((shown.text("/state"), &shown.body["paid"]), ("paid", &ves(15_000)));
    refused(&of_bill(15_000, "F-1"), Reason::BillAlreadyPaid).await;
    let repeat = bank.repeat("0200", &request).await.expect("an answer");
    assert_eq!((repeat.response_code(), repeat.folio()), ("00", answer.folio()));
    let reversal = bank.reversal_of(&request);
    let reversed = bank.request("0420", &reversal).await.expect("an answer");
    assert_eq!(reversed.response_code(), "00");
    eventually("the bill to be open again", async || {
        let shown = api.get(&format!("/v1/bills/{id}")).await;
        (shown.text("/state") == "open" && shown.body["remaining"] == ves(15_000)).then_some(())
    })
    .await;
    let events = events_of(&api, &id).await;
    let approved = events.iter().find(|event| event["type"] == json!("payment.approved"));
    let approved = approved.expect("the approval is told");
    assert_eq!(
        (&approved["channel"], &approved["actor"]),
        (&json!("iso8583"), &json!("participant:bank-a"))
    );
    let notices = told(&api, 4).await;
    let of = |kind: &str| {
        let found = notices.iter().find(|notice| notice["type"] == json!(kind));
        found.map(|notice| notice["data"]["bill"]["state"].clone())
    };
    assert_eq!(of("payment.approved"), Some(json!("paid")));
    assert_eq!(of("payment.reversed"), Some(json!("open")));
    api.post(&format!("/v1/bills/{id}/cancel"), &json!({})).await;
    refused(&of_bill(15_000, "F-1"), Reason::BillCancelled).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_bill_by_line_and_by_api_together_never_come_to_more_than_the_bill() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut body = bill("F-1", 20_000);
    body["allow_partial"] = json!(true);
    let id = registered(&api, &body).await;
    let bank = house.bank().await;
    let (mut by_line, mut by_api) = (0, 0);
    for round in 0..20 {
        let (order, key) = (of_bill(3_000, "F-1"), format!("k-{round}"));
        let wish = crate::api::card_payment(3_000, "F-1");
        let (line, reply) = tokio::join!(bank.pay(&order), api.pay(&key, &wish));
        by_line += usize::from(line.expect("an answer").1.response_code() == "00");
        by_api += usize::from(reply.status == 201);
    }
    assert_eq!(by_line + by_api, 6, "six times 30.00 of 200.00: {by_line} and {by_api}");
    let shown = api.get(&format!("/v1/bills/{id}")).await;
    assert_eq!((&shown.body["paid"], &shown.body["remaining"]), (&ves(18_000), &ves(2_000)));
    house.stop().await;
}
