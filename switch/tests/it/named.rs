//! How a message finds the payment it is about: a reversal its original, a repeat its first.

use loadtest::simulator::acquirer::{Acquirer, Answer, Fields};
use router::payment::{Payment, PaymentState};

use crate::harness::{House, card_order, eventually, net_debits, start_app};

const NOTHING: &str = "000000000000000000000000000000000000000000";

/// A payment at a terminal with a reference (DE37) of its own, whose end is its STAN: no other
/// payment of its second has that.
async fn paid(bank: &Acquirer, rrn: &str) -> (Fields, Answer) {
    let request = bank.payment(&card_order(15_000)).with(37, rrn).with(11, &rrn[6..]);
    let answer = bank.request("0200", &request).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    (request, answer)
}

/// DE7 some seconds later than another.
fn later(request: &Fields, seconds: u64) -> String {
    let (minute, second) = request.text(7).split_at(8);
    let second: u64 = second.parse().expect("two digits");
    format!("{minute}{:02}", (second + seconds) % 60)
}

/// What a reversal says of its original, made of the original's request and answer.
type Naming = fn(Fields, &Fields, &Answer) -> Fields;

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_finds_its_original_by_each_way_that_names_it() {
    let ways: [(&str, Naming); 11] = [
        ("DE90 whole", |reversal, _, _| reversal),
        ("DE90 whole, no DE41", |reversal, _, _| reversal.without(37).without(41)),
        ("DE90 without acquirer", |reversal, request, _| {
            let (stan, time) = (request.text(11), request.text(7));
            reversal.without(37).with(90, format!("0200{stan}{time}{:022}", 0))
        }),
        ("the STAN in DE90 and DE41", |reversal, request, _| {
            reversal.without(37).with(90, format!("0000{}{:032}", request.text(11), 0))
        }),
        ("DE37 of the request", |reversal, _, _| reversal.without(90)),
        ("DE37 of the request, DE90 of zeros", |reversal, _, _| reversal.with(90, NOTHING)),
        ("DE37 of the request, no DE41", |reversal, _, _| reversal.without(90).without(41)),
        ("DE37 of the answer", |reversal, _, answer| reversal.without(90).with(37, answer.folio())),
        ("DE48 tag 10", |reversal, _, answer| {
            let folio = format!("1012{}", answer.folio());
            reversal.without(90).without(37).with(48, folio)
        }),
        ("its own DE11 and DE7", |reversal, request, _| {
            let own = reversal.with(11, request.text(11)).with(7, request.text(7));
            own.without(90).without(37).without(41)
        }),
        ("DE41 alone", |reversal, _, _| reversal.without(90).without(37)),
    ];
    let house = House::start().await;
    for (number, (way, naming)) in ways.into_iter().enumerate() {
        let bank = house.terminal(&format!("TERM1{number:03}")).await;
        let (request, answer) = paid(&bank, &format!("2026110000{number:02}")).await;
        let reversal = naming(bank.reversal_of(&request), &request, &answer);
        let told = bank.request("0420", &reversal).await.expect("an answer");
        assert_eq!((told.response_code(), told.folio()), ("00", answer.folio()), "{way}");
        let id = house.payment(answer.folio()).await.id;
        house.wait_for_state(id, PaymentState::Reversed).await;
        let inquiry = naming(bank.inquiry_about(&request), &request, &answer);
        let inquiry = inquiry.with(3, "320000");
        let told = bank.request("0200", &inquiry).await.expect("an answer");
        assert_eq!(told.response_code(), "21", "an inquiry by {way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_that_may_mean_several_payments_or_another_s_undoes_none() {
    let house = House::start().await;
    let bank = house.terminal("TERM2001").await;
    let (first, one) = paid(&bank, "202611000101").await;
    let (_, two) = paid(&bank, "202611000102").await;
    let reversal = bank.reversal_of(&first);
    let foreign = Acquirer::connect(
        house.app.addresses.iso8583,
        loadtest::simulator::acquirer::AcquirerSettings::new("00000000013"),
    );
    let foreign = foreign.await.expect("a line");
    let by_rrn = reversal.clone().without(90);
    for (line, way, said) in [
        (&bank, "DE41 of two payments", by_rrn.clone().without(37)),
        (&bank, "an RRN at another terminal", by_rrn.clone().with(41, "TERM2002")),
        (&bank, "an RRN and the STAN of another", {
            by_rrn.clone().with(90, format!("0200999999{:032}", 0))
        }),
        (&bank, "a STAN and time that no payment has", {
            reversal
                .clone()
                .without(37)
                .with(90, format!("0200{}0101000000{:022}", first.text(11), 0))
        }),
        (&foreign, "another participant's RRN", by_rrn.clone().without(41)),
        (&foreign, "another participant's DE90", reversal.clone().without(37).without(41)),
        (&foreign, "another participant's folio", by_rrn.with(37, one.folio()).without(41)),
    ] {
        let told = line.request("0420", &said).await.expect("an answer");
        assert_eq!(told.response_code(), "25", "{way}");
    }
    let other_amount = bank.reversal_of(&first).without(90).with(4, "000000014999");
    let told = bank.request("0420", &other_amount).await.expect("an answer");
    assert_ne!(told.response_code(), "00", "an RRN and another amount");
    for answer in [one, two] {
        assert_eq!(house.payment(answer.folio()).await.state, PaymentState::Approved);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_of_a_repeat_finds_the_payment_it_repeated() {
    let house = House::start().await;
    let bank = house.terminal("TERM3001").await;
    let (request, answer) = paid(&bank, "202611000201").await;
    let repeat = request.clone().with(7, later(&request, 5));
    let again = bank.request("0201", &repeat).await.expect("an answer");
    assert_eq!(again.folio(), answer.folio());
    let elements = format!("0201{}{}{:022}", repeat.text(11), repeat.text(7), 0);
    let reversal = bank.reversal_of(&repeat).without(37).with(90, elements);
    let told = bank.request("0420", &reversal).await.expect("an answer");
    assert_eq!((told.response_code(), told.folio()), ("00", answer.folio()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_original_that_comes_after_its_reversal_is_refused_also_after_a_restart() {
    let house = House::start().await;
    let bank = house.terminal("TERM4001").await;
    let namings: [fn(Fields, &Fields) -> Fields; 4] = [
        |reversal, _| reversal.without(37),
        |reversal, _| reversal.without(90),
        |reversal, request| {
            reversal.without(37).with(90, format!("0000{}{:032}", request.text(11), 0))
        },
        |reversal, request| {
            let own = reversal.with(11, request.text(11)).with(7, request.text(7));
            own.without(90).without(37)
        },
    ];
    let mut originals = Vec::new();
    for (number, naming) in namings.into_iter().enumerate() {
        let request = bank.payment(&card_order(15_000)).with(37, format!("2026110003{number:02}"));
        let reversal = naming(bank.reversal_of(&request), &request);
        for mti in ["0400", "0420", "0421"] {
            let told = bank.request(mti, &reversal).await.expect("an answer");
            assert_eq!(told.response_code(), "25", "{mti} {number}");
        }
        originals.push(request);
    }
    refused(&bank, &originals[0]).await;
    let unnamed = bank.payment(&card_order(15_000)).with(37, "202611000399");
    let (dir, issuer) = house.stop().await;

    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let bank = house.terminal("TERM4001").await;
    for request in &originals {
        refused(&bank, request).await;
    }
    assert_eq!(house.issuer.counts().payments, 0, "none was sent");
    // A repeat with a time of its own is refused, too; what no reversal named is not.
    let repeat = originals[0].clone().with(7, later(&originals[0], 7));
    let told = bank.request("0201", &repeat).await.expect("an answer");
    assert_eq!((told.response_code(), told.fields.text(44)), ("21", "4006"));
    let told = bank.request("0200", &unnamed).await.expect("an answer");
    assert_eq!(told.response_code(), "00");
}

async fn refused(bank: &Acquirer, request: &Fields) {
    let told = bank.request("0200", request).await.expect("an answer");
    assert_eq!((told.response_code(), told.fields.text(44)), ("21", "4006"), "{request:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_original_is_taken_once_the_time_of_its_early_reversal_is_over() {
    let house = House::start_with("[reversals]\nearly_kept_s = 3\n").await;
    let bank = house.bank().await;
    let request = bank.payment(&card_order(15_000));
    let told = bank.request("0420", &bank.reversal_of(&request)).await.expect("an answer");
    assert_eq!(told.response_code(), "25");
    let next = || bank.payment(&card_order(15_000)).with(11, request.text(11));
    let mut number = 0;
    eventually("an original to be taken again", async || {
        number += 1;
        // Another reference makes it another request, which the reversal names all the same.
        let request = next().with(7, request.text(7)).with(37, format!("{number:012}"));
        let told = bank.request("0200", &request).await.expect("an answer");
        (told.response_code() == "00").then_some(())
    })
    .await;
    assert!(number > 1, "the first was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_original_and_its_reversal_at_the_same_moment_nothing_stays_approved() {
    let house = House::start().await;
    let (one, two) = (house.terminal("TERM5001").await, house.terminal("TERM5002").await);
    for _ in 0..40 {
        let request = one.payment(&card_order(15_000));
        let reversal = one.reversal_of(&request);
        let (paid, undone) =
            tokio::join!(one.request("0200", &request), two.request("0420", &reversal));
        let (paid, _) = (paid.expect("an answer"), undone.expect("an answer"));
        eventually("the payment to be undone, or refused", async || {
            let state = house.payment(paid.folio()).await.state;
            matches!(state, PaymentState::Reversed | PaymentState::Declined).then_some(())
        })
        .await;
    }
    assert!(house.issuer.truth().iter().all(|effect| net_debits(effect) == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_that_differs_in_its_transmission_time_alone_gets_the_stored_answer() {
    let house = House::start().await;
    let bank = house.terminal("TERM6001").await;
    for (minor, rrn) in [(15_000, Some("202611000401")), (15_051, None)] {
        let request = bank.payment(&card_order(minor));
        let request = rrn.map_or(request.clone(), |rrn| request.with(37, rrn));
        let first = bank.request("0200", &request).await.expect("an answer");
        let repeat = request.clone().with(7, later(&request, 3));
        let again = bank.request("0201", &repeat).await.expect("an answer");
        assert_eq!(again.response_code(), first.response_code());
        assert_eq!((again.folio(), again.authorisation()), (first.folio(), first.authorisation()));
    }
    assert_eq!(house.issuer.counts().payments, 2);

    let (request, first) = paid(&bank, "202611000402").await;
    let more = request.clone().with(7, later(&request, 3)).with(4, "000000015001");
    let other_amount = bank.request("0201", &more).await.expect("an answer");
    assert_ne!(other_amount.folio(), first.folio(), "another amount is another payment");
    let plain = request.clone().with(7, later(&request, 4));
    let plain = bank.request("0200", &plain).await.expect("an answer");
    assert_eq!(plain.response_code(), "00");
    assert_ne!(plain.folio(), first.folio(), "what calls itself no repeat is a new payment");
    let of_either = request.clone().with(7, later(&request, 5));
    let told = bank.request("0201", &of_either).await.expect("an answer");
    assert_eq!(told.response_code(), "30", "it may repeat either, and is charged in no case");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_whose_first_never_came_is_a_payment_and_the_first_then_joins_it() {
    let house = House::start().await;
    let bank = house.terminal("TERM7001").await;
    let request = bank.payment(&card_order(15_000)).with(37, "202611000501");
    let repeat = request.clone().with(7, later(&request, 3));
    let first = bank.request("0201", &repeat).await.expect("an answer");
    assert_eq!(first.response_code(), "00");
    let late = bank.request("0200", &request).await.expect("an answer");
    assert_eq!((late.response_code(), late.folio()), ("00", first.folio()));
    assert_eq!(house.issuer.counts().payments, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_and_its_repeats_at_the_same_moment_are_one_payment() {
    let house = House::start().await;
    let lines = [
        house.terminal("TERM8001").await,
        house.terminal("TERM8001").await,
        house.terminal("TERM8001").await,
    ];
    for round in 0..20_u32 {
        let request =
            lines[0].payment(&card_order(15_000)).with(37, format!("2026110006{round:02}"));
        let mti = if round % 2 == 0 { "0200" } else { "0201" };
        let (again, third) = (
            request.clone().with(7, later(&request, 3)),
            request.clone().with(7, later(&request, 6)),
        );
        let (one, two, three) = tokio::join!(
            lines[0].request(mti, &request),
            lines[1].request("0201", &again),
            lines[2].request("0201", &third),
        );
        let answers = [one, two, three].map(|answer| answer.expect("an answer"));
        for answer in &answers {
            assert_eq!((answer.response_code(), answer.folio()), ("00", answers[0].folio()));
        }
    }
    assert_eq!(house.issuer.counts().payments, 20);
    let all: Vec<Payment> = house.engine().store.open_payments().await.expect("the journal");
    assert!(all.is_empty());
}
