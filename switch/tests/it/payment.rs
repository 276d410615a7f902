//! One payment from an acquirer's line to the issuer and back.

use router::id::ParticipantId;
use router::payment::PaymentState;
use switch::adapter::DECIDED_AT_ONCE_MAX;

use crate::harness::{House, card_order, net_debits};

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_reaches_acquirer_issuer_and_journal_alike() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");

    assert_eq!(answer.mti, "0210");
    assert_eq!(answer.response_code(), "00");
    for field in [2, 3, 4, 7, 11, 32, 41, 42, 49] {
        assert_eq!(answer.fields.text(field), request.text(field), "DE{field} is repeated");
    }
    let payment = house.payment(answer.folio()).await;
    assert_eq!(payment.state, PaymentState::Approved);
    assert_eq!(payment.fees[0].amount.minor, 450, "3 % of 150.00");
    let approval = payment.approval().expect("an approval");
    assert_eq!(approval.authorisation.as_str(), answer.authorisation());
    let account = |line: &router::posting::Posting| line.account.to_string();
    let posted: Vec<String> = payment.planned_entry.lines().iter().map(account).collect();
    assert_eq!(posted, ["clearing:account", "payable:isp-ve", "fee_income:isp-ve"]);

    let truth = house.issuer.truth();
    assert_eq!(truth.len(), 1);
    assert_eq!(truth[0].rrn.as_str(), answer.folio(), "the folio travels as DE37");
    assert_eq!(net_debits(&truth[0]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_s_decline_passes_with_its_code_and_our_number() {
    let house = House::start().await;
    let bank = house.bank().await;
    for (minor, code, no) in [(1_051, "51", "1001"), (1_054, "54", "1201"), (1_005, "05", "1206")] {
        let (_, answer) = bank.pay(&card_order(minor)).await.expect("an answer");
        assert_eq!((answer.response_code(), answer.fields.text(44)), (code, no));
        let payment = house.payment(answer.folio()).await;
        assert_eq!(payment.state, PaymentState::Declined);
    }
    assert!(house.issuer.truth().iter().all(|effect| net_debits(effect) == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_issuer_signed_on_nothing_is_kept_and_the_key_may_be_used_again() {
    let house = House::start().await;
    let bank = house.bank().await;
    let request = bank.payment(&card_order(15_000));
    let (engine, addr) = (house.engine(), house.issuer.addr());
    house.issuer.set_mood(loadtest::simulator::issuer::Mood::HangingUp);
    // Whatever is asked now hangs up the lines, until no line is left.
    let participants = engine.participants();
    let issuer = participants.iso8583().find(|participant| participant.config.reach.is_some());
    let issuer = issuer.expect("an issuer");
    crate::harness::eventually("the issuer to be gone", async || {
        bank.pay(&card_order(100)).await.expect("an answer");
        (!issuer.is_signed_on()).then_some(())
    })
    .await;
    let answer = bank.request("0200", &request).await.expect("an answer");
    // A line may have come back for an instant; then the payment was lost with it, and is unknown.
    assert!(["91", "68"].contains(&answer.response_code()), "{answer:?}");
    let was_sent = answer.response_code() == "68";

    house.issuer.set_mood(loadtest::simulator::issuer::Mood::Working);
    assert_eq!(house.issuer.addr(), addr);
    crate::harness::eventually("the issuer to be back", async || {
        issuer.is_signed_on().then_some(())
    })
    .await;
    let again = bank.repeat("0200", &request).await.expect("an answer");
    assert_eq!(again.response_code(), if was_sent { "68" } else { "00" });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_tells_what_became_of_the_originator_s_own_payment() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    let inquiry = bank.inquiry_about(&request);
    let told = bank.request("0200", &inquiry).await.expect("an answer");
    assert_eq!((told.response_code(), told.folio()), ("00", answer.folio()));

    let unknown = bank.inquiry_about(&bank.payment(&card_order(1)));
    let told = bank.request("0200", &unknown).await.expect("an answer");
    assert_eq!(told.response_code(), "25");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_turn_does_not_come_is_refused_and_is_taken_when_it_comes_again() {
    let house = House::start().await;
    let acquirer = house.bank().await;
    let acquirer_id = ParticipantId::new("bank-a").expect("an id");
    let participants = house.engine().participants();
    let participant = participants.by_id(acquirer_id).expect("a participant");
    let mut turns = Vec::new();
    for _ in 0..DECIDED_AT_ONCE_MAX {
        turns.push(participant.bulkhead().decision_turn().await);
    }
    let request = acquirer.payment(&card_order(15_000));
    let refused = acquirer.request("0200", &request).await.expect("an answer");
    assert_eq!((refused.response_code(), refused.fields.text(44)), ("96", "6007"));
    assert!(house.issuer.truth().is_empty(), "nothing left for the bank");
    drop(turns);
    let paid = acquirer.request("0200", &request).await.expect("an answer");
    assert_eq!(paid.response_code(), "00", "the same request");
}
