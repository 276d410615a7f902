//! A stop and a start in between change nothing.

use loadtest::simulator::issuer::Mood;
use router::payment::PaymentState;

use crate::harness::{House, card_order, cash_order, net_debits, start_app};

#[tokio::test(flavor = "multi_thread")]
async fn answers_limits_and_folios_survive_a_restart() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, first) = bank.pay(&card_order(15_000)).await.expect("an answer");
    let (_, cash) =
        bank.pay(&cash_order("0000000000000001", 10_000, 90_000)).await.expect("an answer");
    assert_eq!(cash.response_code(), "00");
    let (dir, issuer) = house.stop().await;

    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    // A line counts its STANs from 1: another terminal, so that they name other payments.
    let bank = house.terminal("TERM0002").await;
    let repeat = bank.repeat("0200", &request).await.expect("an answer");
    assert_eq!((repeat.response_code(), repeat.folio()), ("00", first.folio()));
    assert_eq!(repeat.authorisation(), first.authorisation());
    let (_, cash) =
        bank.pay(&cash_order("0000000000000001", 20_000, 90_000)).await.expect("an answer");
    assert_eq!(cash.response_code(), "65", "once a day, also after a restart");
    let (_, next) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert!(first.folio() < next.folio());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_unknown_at_the_stop_is_reversed_after_the_start_card_number_included() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (_, answer) = bank.pay(&card_order(15_068)).await.expect("an answer");
    // Deaf before the reversal can be confirmed.
    house.issuer.set_mood(Mood::Deaf);
    let id = house.payment(answer.folio()).await.id;
    let (dir, issuer) = house.stop().await;
    issuer.set_mood(Mood::Working);
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    house.wait_for_state(id, PaymentState::Reversed).await;
    assert!(house.issuer.truth().iter().all(|effect| net_debits(effect) == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_the_data_folder_holds_a_card_number() {
    let house = House::start().await;
    let bank = house.bank().await;
    for minor in [15_000, 15_051, 15_068] {
        bank.pay(&card_order(minor)).await.expect("an answer");
    }
    let (dir, _issuer) = house.stop().await;
    let card = loadtest::simulator::acquirer::TEST_CARD.as_bytes();
    let mut folders = vec![dir.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).expect("a file");
            files += 1;
            let holds = bytes.windows(card.len()).any(|window| window == card);
            assert!(!holds, "{} holds a card number", path.display());
        }
    }
    assert!(2 < files, "the journal is somewhere");
}
