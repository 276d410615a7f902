//! Repeats and reused keys (invariant I2).

use crate::harness::{House, card_order};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gets_the_stored_answer_and_the_issuer_hears_nothing() {
    let house = House::start().await;
    let bank = house.bank().await;
    for minor in [15_000, 15_051] {
        let (request, first) = bank.pay(&card_order(minor)).await.expect("an answer");
        let repeat = bank.repeat("0200", &request).await.expect("an answer");
        assert_eq!(repeat.mti, "0210");
        assert_eq!(repeat.fields.text(39), first.fields.text(39));
        assert_eq!(repeat.fields.text(37), first.fields.text(37));
        assert_eq!(repeat.fields.text(38), first.fields.text(38));
    }
    assert_eq!(house.issuer.counts().payments, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_with_another_amount_is_refused_and_the_original_untouched() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, first) = bank.pay(&card_order(15_000)).await.expect("an answer");
    let other = request.clone().with(4, "000000015001");
    let refused = bank.repeat("0200", &other).await.expect("an answer");
    assert_eq!((refused.response_code(), refused.fields.text(44)), ("30", "4002"));
    let repeat = bank.repeat("0200", &request).await.expect("an answer");
    assert_eq!((repeat.response_code(), repeat.folio()), ("00", first.folio()));
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_of_a_payment_under_way_join_it() {
    let house = House::start().await;
    let (one, two) = (house.bank().await, house.bank().await);
    // …69 is answered late: the original is under way until the switch gives it up.
    let request = one.payment(&card_order(15_069));
    let (first, joined) = tokio::join!(one.request("0200", &request), two.repeat("0200", &request));
    let (first, joined) = (first.expect("an answer"), joined.expect("an answer"));
    assert_eq!((first.response_code(), joined.response_code()), ("68", "68"));
    assert_eq!(first.folio(), joined.folio());
    assert_eq!(house.issuer.counts().payments, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_stan_on_another_participant_s_line_is_another_payment() {
    let house = House::start().await;
    let bank = house.bank().await;
    let other = loadtest::simulator::acquirer::Acquirer::connect(
        house.app.addresses.iso8583,
        loadtest::simulator::acquirer::AcquirerSettings::new("00000000013"),
    );
    let other = other.await.expect("a line");
    let request = bank.payment(&card_order(15_000));
    let one = bank.request("0200", &request).await.expect("an answer");
    let two = other.request("0200", &request).await.expect("an answer");
    assert_ne!(one.folio(), two.folio());
}
