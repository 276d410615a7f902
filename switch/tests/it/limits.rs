//! Limits and balances hold under parallel requests (invariant I7; rows ).

use std::collections::BTreeMap;

use futures_util::future::join_all;
use router::plan::account;

use crate::harness::{House, cash_order, money, net_debits};

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
