//! Who may draw on a float, and names that a participant and a biller have in common.

use router::posting::account;
use serde_json::{Value, json};
use switch::config::{self, Layers};

use crate::api::Api;
use crate::harness::{CONFIG, House, cash_order, money};

fn cash(float: &str) -> Value {
    json!({
        "rail": "cash_float",
        "amount": {"currency": "MXN", "minor": 50_000},
        "client": "1002003001",
        "product": "credimax",
        "operator": "OPER01",
        "float_ref": float,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_float_that_is_another_s_is_not_found_and_loses_nothing() {
    let house = House::start_with(
        "[[floats]]\nref = \"77\"\nowner = \"lender-mx\"\nopening_minor = 100000\ncurrency = \"MXN\"\n\
         [[floats]]\nref = \"78\"\nopening_minor = 100000\ncurrency = \"MXN\"\n",
    )
    .await;
    let lender = Api::of(&house, "lender-mx");
    // One of bank-a's, one that nobody owns yet, one that there is not: the same answer.
    for (nth, float) in ["58341122", "78", "99999999"].into_iter().enumerate() {
        let reply = lender.pay(&format!("steal-{nth}"), &cash(float)).await;
        let told = (reply.status, reply.text("/code"), reply.text("/field"));
        assert_eq!(told, (404, "float_not_found", "float_ref"), "{float}");
    }
    let own = lender.pay("own", &cash("77")).await;
    assert_eq!((own.status, own.text("/state")), (201, "approved"), "{}", own.body);

    // Another participant's line is no better than another biller's key.
    let bank = house.bank().await;
    let mut order = cash_order("1002003002", 50_000, 900_000);
    for (tag, value) in &mut order.private {
        if *tag == "05" {
            *value = "77".to_owned();
        }
    }
    let (_, answer) = bank.pay(&order).await.expect("an answer");
    assert_eq!((answer.response_code(), answer.fields.text(44)), ("25", "3011"));
    assert_eq!(house.issuer.counts().payments, 1);
    for (float, left) in [("58341122", 1_000_000_000), ("77", 100_000 - 50_000 - 1_200)] {
        let of = account("float", float);
        let balance = house.engine().store.account_balance(of, money(0, "MXN").currency);
        assert_eq!(balance.await.expect("the journal").balance, left, "{float}");
    }
}

#[test]
fn a_biller_with_a_participant_s_name_is_refused_and_a_float_of_nobody_is_told() {
    let check = |extra: &str| {
        let layers = Layers::compiled_in()
            .with_text("harness.toml", &CONFIG.replace("@issuer@", "127.0.0.1:1"))
            .and_then(|layers| layers.with_text("extra.toml", extra));
        layers.and_then(|layers| config::load(&layers))
    };
    let mistakes = |extra: &str| -> Vec<String> {
        let mistakes = check(extra).expect_err("mistakes");
        mistakes.iter().map(ToString::to_string).collect()
    };
    let twice = mistakes("[[billers]]\nid = \"bank-a\"\n").join("\n");
    assert!(twice.contains("`bank-a` is a participant's name already"), "{twice}");
    let float = "[[floats]]\nref = \"77\"\nopening_minor = 1\ncurrency = \"MXN\"\n";
    let unknown = mistakes(&format!("{float}owner = \"nobody-x\"\n")).join("\n");
    assert!(unknown.contains("there is no participant or biller `nobody-x`"), "{unknown}");
    let warnings = check(float).expect("a configuration").warnings.join("\n");
    assert!(warnings.contains("float 77 has no owner"), "{warnings}");
}
