//! What becomes of an unknown payment where its bank is asked first, or where it counts as approved.

use loadtest::simulator::issuer::Mood;
use router::exchange::InquiryFinding;
use router::outcome::{Cause, Outcome};
use router::payment::PaymentState;
use tempfile::TempDir;

use crate::harness::{CONFIG, House, card_order, issuer, net_debits, start_text};

/// A switch whose issuer's unknown payments are treated so.
async fn house(on_unknown: &str) -> House {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (dir, issuer) = (TempDir::new().expect("a folder"), issuer().await);
    let said = format!("partial_reversals = true\non_unknown = \"{on_unknown}\"\n");
    let text = CONFIG.replace("partial_reversals = true\n", &said);
    let text = text.replace("@issuer@", &issuer.addr().to_string());
    let app = start_text(dir.path(), &text, "").await;
    House { app, issuer, dir }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_bank_that_is_asked_first_tells_of_its_approval_and_nothing_is_reversed() {
    let house = house("inquire_first").await;
    let bank = house.bank().await;
    let (request, answer) = bank.pay(&card_order(15_068)).await.expect("an answer");
    assert_eq!(answer.response_code(), "68", "what is not known is told so");
    let id = house.payment(answer.folio()).await.id;
    let payment = house.wait_for_state(id, PaymentState::Approved).await;
    let inquiry = payment.inquiry.as_ref().expect("an inquiry");
    assert!(matches!(inquiry.finding, InquiryFinding::Approved(_)), "{inquiry:?}");
    assert_eq!(inquiry.raw_code.as_str(), "00");
    assert_eq!(payment.given_up.map(|given_up| given_up.cause), Some(Cause::Timeout));
    assert!(!payment.is_open());
    assert_eq!((house.issuer.counts().inquiries, house.issuer.counts().reversals), (1, 0));
    assert_eq!(net_debits(&house.issuer.truth()[0]), 1);
    let repeat = bank.repeat("0200", &request).await.expect("an answer");
    assert_eq!(repeat.response_code(), "00", "a repeat is told the outcome as it stands now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_its_bank_does_not_know_is_reversed_after_the_inquiry() {
    let house = house("inquire_first").await;
    let bank = house.bank().await;
    house.issuer.set_mood(Mood::Deaf);
    let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "68");
    let id = house.payment(answer.folio()).await.id;
    house.issuer.set_mood(Mood::Working);
    let payment = house.wait_for_state(id, PaymentState::Reversed).await;
    let inquiry = payment.inquiry.as_ref().expect("an inquiry");
    assert_eq!((inquiry.finding, inquiry.raw_code.as_str()), (InquiryFinding::NotFound, "25"));
    assert!(house.issuer.counts().reversals > 0, "its request may still have been on its way");
    assert_eq!(payment.outcome, Some(Outcome::Unknown(Cause::Timeout)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_a_bank_whose_silence_counts_as_approval_is_approved() {
    let house = house("deem_accepted").await;
    let bank = house.bank().await;
    let (_, answer) = bank.pay(&card_order(15_068)).await.expect("an answer");
    assert_eq!(answer.response_code(), "68");
    let id = house.payment(answer.folio()).await.id;
    let payment = house.wait_for_state(id, PaymentState::Approved).await;
    let finding = payment.inquiry.as_ref().map(|inquiry| inquiry.finding);
    assert_eq!(finding, Some(InquiryFinding::DeemedApproved));
    assert_eq!((house.issuer.counts().inquiries, house.issuer.counts().reversals), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_was_reversed_since_is_told_as_reversed_to_a_repeat() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    let told = bank.request("0420", &bank.reversal_of(&request)).await.expect("an answer");
    assert_eq!(told.response_code(), "00");
    let id = house.payment(answer.folio()).await.id;
    house.wait_for_state(id, PaymentState::Reversed).await;
    let repeat = bank.repeat("0200", &request).await.expect("an answer");
    let said = (repeat.response_code(), repeat.fields.text(44));
    assert_eq!(said, ("21", "4004"), "never as an approval");
    assert_eq!(repeat.folio(), answer.folio());
}
