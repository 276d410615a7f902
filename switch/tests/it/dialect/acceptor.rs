//! How whoever takes a payment is presented to a bank, where the request does not say.

use serde_json::json;

use super::*;
use crate::api::{Api, card_payment};

const OF_PARTICIPANT: &str =
    "[participants.acceptor]\ncategory = \"4900\"\nterminal = \"CAUCE001\"\n";
const ZONE: &str = "time_zone = \"America/Caracas\"\n";
const OF_BILLER: &str = "[billers.acceptor]\nterminal = \"SHOPTERM\"\nid = \"SHOP-1\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_speaks_for_itself_then_its_biller_s_entry_then_the_participant_s() {
    let (dir, bank) = (folder(), Bank::open(Codes::Without));
    let rules = CONFIG.replace(ZONE, &format!("{ZONE}{OF_BILLER}"));
    let house = house_under(&rules, dir, &bank, OF_PARTICIPANT, "").await;
    let shop_id = letters(&format!("{:15}", "SHOP-1"));
    let last = |mti: &str| bank.seen(mti).pop().expect("a message");

    let shop = Api::of(&house, "isp-ve");
    let silent = shop.pay("order-1", &card_payment(15_069, "B-1")).await;
    let asked = last("0200");
    for part in [plain("4900"), letters("SHOPTERM"), shop_id.clone()] {
        assert!(asked.contains(&part), "{part} in {asked}");
    }
    // The undoing presents the same.
    let id = silent.text("/id").parse().expect("an id");
    house.wait_for_state(id, PaymentState::Reversed).await;
    let undone = last("042");
    assert!(undone.contains(&letters("SHOPTERM")) && undone.contains(&shop_id), "{undone}");

    // The same request again is the same request, whatever was filled in.
    let again = shop.pay("order-1", &card_payment(15_069, "B-1")).await;
    assert_eq!(again.text("/id"), silent.text("/id"), "{}", again.body);

    let mut body = card_payment(15_000, "B-2");
    body["terminal"] = json!("OWNTERM1");
    shop.pay("order-2", &body).await;
    let asked = last("0200");
    assert!(asked.contains(&letters("OWNTERM1")) && !asked.contains(&letters("SHOPTERM")));

    let acquirer = house.bank().await;
    let (_, answer) = acquirer.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    let asked = last("0200");
    assert!(asked.contains(&letters("TERM0001")) && !asked.contains(&letters("CAUCE001")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_a_biller_without_an_entry_is_presented_as_the_participant_s_entry_says() {
    let (dir, bank) = (folder(), Bank::open(Codes::Without));
    let house = house_under(CONFIG, dir, &bank, OF_PARTICIPANT, "").await;
    let paid = Api::of(&house, "isp-ve").pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    let asked = bank.seen("0200").pop().expect("a message");
    assert!(asked.contains(&plain("4900")) && asked.contains(&letters("CAUCE001")), "{asked}");
    assert!(!asked.contains(&letters("SHOP")), "{asked}");
}

#[test]
fn a_constant_that_the_participant_s_format_cannot_hold_is_told_with_file_and_key() {
    let dir = folder();
    let bank = |more: &str| {
        mistakes(
            dir.path(),
            &format!(
                "[[participants]]\nid = \"banco\"\nconnect = \"127.0.0.1:1\"\n\
                 [participants.dialect]\nspec = \"banco.toml\"\n[participants.acceptor]\n{more}\n"
            ),
        )
    };
    assert_eq!(bank("terminal = \"CAUCE001\"\nid = \"SHOP-1\""), [""; 0]);
    let place = bank("place = \"Shop One, Puebla MX\"");
    assert!(place[0].starts_with("participants[0].acceptor.place: the participant's format"));
    assert!(place[0].contains("43"), "{place:?}");
}
