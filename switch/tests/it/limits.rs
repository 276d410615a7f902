//! Limits and balances hold under parallel requests (invariant I7; rows ).

use std::collections::BTreeMap;

use futures_util::future::join_all;
use router::posting::account;

use crate::api::{Api, card_payment};
use crate::harness::{House, card_order, cash_order, money, net_debits};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_parallel_payments_of_a_once_a_day_client_give_one_approval() {
    let house = House::start().await;
    let mut lines = Vec::new();
    for nth in 0..8 {
        lines.push(house.terminal(&format!("TERM000{nth}")).await);
    }
    let orders: Vec<_> =
        (0..200).map(|nth| cash_order("0000123456781234", 10_000 + nth * 100, 9_000_000)).collect();
    let asked = orders.iter().zip(lines.iter().cycle());
    let answers = join_all(asked.map(async |(order, line)| {
        let (_, answer) = line.pay(order).await.expect("an answer");
        answer.response_code().to_owned()
    }))
    .await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer).or_default() += 1;
    }
    assert_eq!(counts, BTreeMap::from([("00".to_owned(), 1), ("65".to_owned(), 199)]));
    let debited = house.issuer.truth().iter().map(net_debits).sum::<i64>();
    assert_eq!(debited, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_a_collector_s_payment_answer_with_their_own_numbers() {
    let house = House::start().await;
    let bank = house.bank().await;
    let check = async |client: &str, minor, debt, code: &str, no: &str| {
        let (_, answer) = bank.pay(&cash_order(client, minor, debt)).await.expect("an answer");
        assert_eq!((answer.response_code(), answer.fields.text(44)), (code, no), "{minor}/{debt}");
    };
    check("0000000000000001", 9_999_999, 99_999_999, "00", "").await;
    check("0000000000000002", 10_000_000, 99_999_999, "61", "2001").await;
    check("0000000000000003", 49_900, 50_000, "00", "").await;
    check("0000000000000004", 49_901, 50_000, "61", "2008").await;
    check("0000000000000003", 49_900, 50_000, "94", "4001").await;
    check("0000000000000003", 10_000, 50_000, "65", "2006").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_float_is_never_overdrawn_by_parallel_collectors() {
    let house =
        House::start_with("[[floats]]\nref = \"77\"\nowner = \"bank-a\"\nopening_minor = 512000\ncurrency = \"MXN\"\n")
            .await;
    let bank = house.bank().await;
    // 500.00 + 12.00 each: ten fit into 5,120.00.
    let orders: Vec<_> = (0..64)
        .map(|nth| {
            let mut order = cash_order(&format!("{nth:016}"), 50_000, 9_000_000);
            for (tag, value) in &mut order.private {
                if *tag == "05" {
                    *value = "77".to_owned();
                }
            }
            order
        })
        .collect();
    let answers = join_all(orders.iter().map(async |order| {
        let (_, answer) = bank.pay(order).await.expect("an answer");
        answer.response_code().to_owned()
    }))
    .await;
    let approved = answers.iter().filter(|code| *code == "00").count();
    assert_eq!(approved, 10);
    assert!(answers.iter().all(|code| code == "00" || code == "51"));
    let balance =
        house.engine().store.account_balance(account("float", "77"), money(0, "MXN").currency);
    let balance = balance.await.expect("the journal");
    assert_eq!((balance.balance, balance.held), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_the_amount_the_count_and_the_window_of_the_rule_that_refused() {
    let rule = |name: &str, rest: &str| {
        format!("[[limits]]\nname = \"{name}\"\nbillers = [\"isp-ve\"]\n{rest}\n")
    };
    let rules = [
        rule("a month", "measure = \"count\"\nscope = \"client\"\nwindow = \"month\"\nmax = 9"),
        rule("a day", "measure = \"count\"\nscope = \"client\"\nwindow = \"day\"\nmax = 2"),
        rule(
            "sum",
            "measure = \"sum\"\nscope = \"biller\"\nwindow = \"month\"\nmax_minor = 50000\n\
             currency = \"VES\"",
        ),
        rule("one", "measure = \"amount\"\nmax_minor = 45000\ncurrency = \"VES\""),
    ];
    let house = House::start_with(&rules.concat()).await;
    let (api, bank) = (Api::of(&house, "isp-ve"), house.bank().await);
    let body = |client: &str, minor| {
        let mut body = card_payment(minor, "any");
        body["client"] = client.into();
        body.as_object_mut().expect("an object").remove("bill");
        body
    };
    for key in ["1", "2"] {
        let paid = api.pay(key, &body("C-1", 15_000)).await;
        assert_eq!(paid.status, 201, "{}", paid.body);
    }
    let a_day = "At most 2 payments per day per customer";
    for _ in 0..2 {
        // The second one is the stored answer.
        let refused = api.pay("3", &body("C-1", 15_000)).await;
        assert_eq!((refused.status, refused.text("/code")), (422, "daily_count_exceeded"));
        assert_eq!((refused.text("/detail"), refused.text("/reason/detail")), (a_day, a_day));
    }
    let refused = api.pay("4", &body("C-2", 30_000)).await;
    assert_eq!(refused.text("/detail"), "At most 500.00 VES per month per biller");
    let refused = api.pay("5", &body("C-2", 45_001)).await;
    assert_eq!(refused.text("/detail"), "At most 450.00 VES per transaction");
    let told = async |client: &str, minor| {
        let mut order = card_order(minor);
        order.private.push(("02", client.to_owned()));
        let (_, answer) = bank.pay(&order).await.expect("an answer");
        answer.fields.text(48).to_owned()
    };
    let text = told("C-1", 15_000).await;
    assert!(text.ends_with("Maximo 2 pagos por dia por cliente"), "{text}");
    let text = told("C-2", 45_001).await;
    assert!(text.ends_with("Maximo 450.00 VES por transaccion"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_is_not_taken_hears_which_are() {
    let house = House::start().await;
    let bank = house.bank().await;
    let mut order = cash_order("0000000000000009", 10_000, 9_000_000);
    for (tag, value) in &mut order.private {
        if *tag == "07" {
            *value = "other".to_owned();
        }
    }
    let (_, answer) = bank.pay(&order).await.expect("an answer");
    let text = answer.fields.text(48).to_owned();
    assert!(text.ends_with("Productos admitidos: credimax"), "{text}");
}
