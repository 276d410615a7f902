//! Silence is never a decline (invariant I6): unknown, then reversed until there is evidence.

use loadtest::simulator::issuer::Mood;
use router::outcome::{Cause, Outcome};
use router::payment::PaymentState;

use crate::harness::{House, card_order, eventually, net_debits};

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_issuer_leaves_the_payment_unknown_and_it_is_reversed() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (_, answer) = bank.pay(&card_order(15_068)).await.expect("an answer");
    assert_eq!((answer.response_code(), answer.fields.text(44)), ("68", "6002"));
    let payment = house.payment(answer.folio()).await;
    assert_eq!(payment.outcome, Some(Outcome::Unknown(Cause::Timeout)));
    house.wait_for_state(payment.id, PaymentState::Reversed).await;
    let truth = house.issuer.truth();
    assert_eq!(net_debits(&truth[0]), 0, "the silent bank had debited; the reversal undid it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_approval_is_recorded_and_never_forwarded() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, answer) = bank.pay(&card_order(15_069)).await.expect("an answer");
    assert_eq!(answer.response_code(), "68");
    let id = house.payment(answer.folio()).await.id;
    let store = &house.engine().store;
    let late = eventually("the late answer", async || {
        store
            .payment(id)
            .await
            .expect("the journal")
            .filter(|payment| payment.late_answer.is_some())
    })
    .await;
    assert!(matches!(late.late_answer, Some(Outcome::Approved(_))));
    house.wait_for_state(id, PaymentState::Reversed).await;
    let repeat = bank.repeat("0200", &request).await.expect("an answer");
    assert_eq!(repeat.response_code(), "68", "the originator was told unknown, for ever");
    assert_eq!(net_debits(&house.issuer.truth()[0]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_falls_makes_what_was_on_it_unknown_at_once_and_reversed_later() {
    let house = House::start().await;
    let bank = house.bank().await;
    house.issuer.set_mood(Mood::HangingUp);
    let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "68");
    let payment = house.payment(answer.folio()).await;
    assert_eq!(payment.outcome, Some(Outcome::Unknown(Cause::LineLost)));
    house.issuer.set_mood(Mood::Working);
    house.wait_for_state(payment.id, PaymentState::Reversed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reversals_are_repeated_until_a_deaf_bank_hears_again() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (_, answer) = bank.pay(&card_order(15_068)).await.expect("an answer");
    house.issuer.set_mood(Mood::Deaf);
    let payment = house.payment(answer.folio()).await;
    // Time for at least one advice to get no answer.
    let (_, other) = bank.pay(&card_order(20_000)).await.expect("an answer");
    assert_eq!(other.response_code(), "68");
    house.issuer.set_mood(Mood::Working);
    house.wait_for_state(payment.id, PaymentState::Reversed).await;
    assert!(house.issuer.truth().iter().all(|effect| net_debits(effect) == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acquirer_s_reversal_undoes_its_own_payment_once() {
    let house = House::start().await;
    let (bank, second_line) = (house.bank().await, house.bank().await);
    let (request, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    let reversal = bank.reversal_of(&request);
    let told = bank.request("0420", &reversal).await.expect("an answer");
    assert_eq!((told.mti.as_str(), told.response_code()), ("0430", "00"));
    let id = house.payment(answer.folio()).await.id;
    house.wait_for_state(id, PaymentState::Reversed).await;
    let again = second_line.repeat("0420", &reversal).await.expect("an answer");
    assert_eq!((again.mti.as_str(), again.response_code()), ("0430", "00"));
    assert_eq!(net_debits(&house.issuer.truth()[0]), 0);
    assert_eq!(house.issuer.counts().reversals, 1);

    let strange = bank.reversal_of(&bank.payment(&card_order(15_000)));
    let told = bank.request("0400", &strange).await.expect("an answer");
    assert_eq!((told.mti.as_str(), told.response_code()), ("0410", "25"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_undoes_its_own_terminal_s_payment_though_another_has_the_same_stan() {
    let house = House::start().await;
    let (one, two) = (house.bank().await, house.bank().await);
    let mine = one.payment(&card_order(15_000));
    let theirs = mine.clone().with(41, "TERM0002");
    let my_answer = one.request("0200", &mine).await.expect("an answer");
    let their_answer = two.request("0200", &theirs).await.expect("an answer");
    assert_ne!(my_answer.folio(), their_answer.folio());

    let told = one.request("0420", &one.reversal_of(&mine)).await.expect("an answer");
    assert_eq!(told.response_code(), "00");
    let id = house.payment(my_answer.folio()).await.id;
    house.wait_for_state(id, PaymentState::Reversed).await;
    let other = house.payment(their_answer.folio()).await;
    assert_eq!(other.state, PaymentState::Approved);

    let wrong_amount = one.reversal_of(&theirs).with(41, "TERM0002").with(4, "000000014999");
    let told = one.request("0420", &wrong_amount).await.expect("an answer");
    assert_eq!((told.response_code(), told.fields.text(44)), ("13", "4013"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_about_an_undone_payment_does_not_say_approved() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    let reversal = bank.reversal_of(&request);
    bank.request("0420", &reversal).await.expect("an answer");
    let id = house.payment(answer.folio()).await.id;
    house.wait_for_state(id, PaymentState::Reversed).await;
    let told = bank.request("0200", &bank.inquiry_about(&request)).await.expect("an answer");
    assert_eq!((told.response_code(), told.fields.text(44)), ("21", "4004"));
}
