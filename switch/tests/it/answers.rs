//! What a bank answers, in time or late, and what the switch makes of it.

use std::collections::HashSet;
use std::time::Duration;

use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings, Fields};
use router::id::PaymentId;
use router::outcome::{Cause, Decline, Outcome};
use router::payment::{Payment, PaymentState};
use router::reason::Reason;
use switch::app::App;
use tempfile::TempDir;

use crate::harness::{ACQUIRER, CONFIG, PATIENCE, card_order, eventually, start_text};
use crate::scripted::{Message, ScriptedBank};

/// A switch whose only bank follows a script.
struct Town {
    app: App,
    bank: ScriptedBank,
    /// A line of bank-a: one for all payments, so that each has a STAN of its own.
    line: Acquirer,
    _dir: TempDir,
}

impl Town {
    async fn with(
        extra: &str,
        script: impl Fn(&ScriptedBank, &Message) + Send + Sync + 'static,
    ) -> Self {
        Self::of(CONFIG, extra, script).await
    }

    async fn of(
        rules: &str,
        extra: &str,
        script: impl Fn(&ScriptedBank, &Message) + Send + Sync + 'static,
    ) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let (dir, bank) = (TempDir::new().expect("a folder"), ScriptedBank::open(script));
        let text = rules.replace("@issuer@", &bank.addr.to_string());
        let app = start_text(dir.path(), &text, extra).await;
        let settings = AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(ACQUIRER) };
        let line = Acquirer::connect(app.addresses.iso8583, settings).await.expect("a line");
        Self { app, bank, line, _dir: dir }
    }

    /// Pays an amount; gives DE39 as the originator is told it, and the payment.
    async fn pay(&self, minor: i64) -> (String, PaymentId) {
        let (_, answer) = self.line.pay(&card_order(minor)).await.expect("an answer");
        let folio = answer.folio().parse().expect("a folio");
        let found = self.app.engine.store.payment_by_folio(folio).await.expect("the journal");
        (answer.response_code().to_owned(), found.expect("a payment").id)
    }

    async fn payment(&self, id: PaymentId) -> Payment {
        self.app.engine.store.payment(id).await.expect("the journal").expect("a payment")
    }

    async fn until(&self, what: &str, id: PaymentId, is_so: impl Fn(&Payment) -> bool) -> Payment {
        eventually(what, async || Some(self.payment(id).await).filter(|payment| is_so(payment)))
            .await
    }

    async fn until_reversed(&self, id: PaymentId) -> Payment {
        self.until("the reversal", id, |payment| payment.state == PaymentState::Reversed).await
    }
}

/// STANs of the reversals that came: a repeat has that of the first.
fn reversals(bank: &ScriptedBank) -> HashSet<String> {
    bank.seen("0420").iter().map(|message| message.fields.text(11).to_owned()).collect()
}

/// Approves payments, confirms reversals.
fn honest(bank: &ScriptedBank, message: &Message) {
    let answer = message.answer("00");
    let is_payment = message.mti == "0200";
    bank.answer(message, &if is_payment { answer.with(38, "A1B2C3") } else { answer });
}

/// Silent to payments, confirms reversals.
fn silent(bank: &ScriptedBank, message: &Message) {
    if message.mti != "0200" {
        honest(bank, message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_contradicts_its_request_leaves_it_unknown_and_it_is_reversed() {
    let lies: [(&str, u8, &str); 8] = [
        ("01", 4, "000000005000"),
        ("02", 49, "840"),
        ("03", 2, "4000000000000010"),
        ("04", 3, "510000"),
        ("06", 32, "00000000077"),
        ("07", 41, "TERM9999"),
        ("08", 42, "ANOTHER00000001"),
        ("09", 4, "000000099999"),
    ];
    let town = Town::with("", move |bank, message| {
        let lie = lies.iter().find(|(cents, ..)| *cents == message.cents());
        match lie.filter(|_| message.mti == "0200") {
            // The last one is a decline, which may be another payment's.
            Some((cents, field, value)) => {
                let code = if *cents == "09" { "51" } else { "00" };
                let truth = message.answer(code);
                assert_ne!(truth.get(*field), Some(value.as_bytes()));
                bank.answer(message, &truth.with(*field, *value));
            }
            None => honest(bank, message),
        }
    })
    .await;
    for (cents, field, _) in lies {
        let minor = 15_000 + cents.parse::<i64>().expect("digits");
        let (told, id) = town.pay(minor).await;
        assert_eq!(told, "68", "DE{field}");
        let payment = town.until_reversed(id).await;
        assert_eq!(payment.outcome, Some(Outcome::Unknown(Cause::ContradictsRequest)), "DE{field}");
    }
    assert_eq!(reversals(&town.bank).len(), lies.len());
    assert_eq!(town.pay(15_000).await.0, "00", "an answer that agrees is believed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_approval_that_was_not_asked_for_is_unknown_and_reversed() {
    let town = Town::with("", |bank, message| match message.mti.as_str() {
        "0200" if message.cents() == "00" => {
            bank.answer(message, &message.answer("10").with(4, "000000010000"));
        }
        "0200" => bank.answer(message, &message.answer("10")),
        _ => honest(bank, message),
    })
    .await;
    for minor in [15_000, 15_001] {
        let (told, id) = town.pay(minor).await;
        assert_eq!(told, "68");
        let payment = town.until_reversed(id).await;
        assert_eq!(payment.outcome, Some(Outcome::Unknown(Cause::PartialApproval)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_another_reversal_confirms_nothing() {
    let town = Town::with("", |bank, message| match message.mti.as_str() {
        "0200" => {}
        // Of another original, then of another amount, then the truth.
        "0420" => {
            let other = ["0200", "000041", "1123211722", "00000123456", "00000000000"].concat();
            bank.answer(message, &message.answer("00").with(90, other));
        }
        _ if bank.seen("0420").len() == 2 => {
            bank.answer(message, &message.answer("00").with(4, "000000000001"));
        }
        _ => honest(bank, message),
    })
    .await;
    let (_, id) = town.pay(15_000).await;
    town.until_reversed(id).await;
    assert_eq!(town.bank.seen("0420").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_response_code_is_a_decline_with_that_code() {
    let town = Town::with("", |bank, message| {
        let code = match message.cents() {
            "01" => "ZZ",
            "02" => "  ",
            "03" => "7 ",
            _ => "99",
        };
        bank.answer(message, &message.answer(code));
    })
    .await;
    for (minor, code) in [(15_001, b"ZZ"), (15_002, b"  "), (15_003, b"7 "), (15_004, b"99")] {
        let (told, id) = town.pay(minor).await;
        assert_eq!(told.as_bytes(), code);
        let declined = Decline { reason: Reason::CardDeclined, network_code: Some(*code) };
        let payment = town.payment(id).await;
        assert_eq!(payment.outcome, Some(Outcome::Declined(declined)));
        assert_eq!(payment.state, PaymentState::Declined);
    }
    assert!(town.bank.seen("0420").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_behind_a_confirmed_reversal_is_reversed_again() {
    let town = Town::with("", silent).await;
    let (told, id) = town.pay(15_000).await;
    assert_eq!(told, "68");
    let first = town.until_reversed(id).await;
    let request = town.bank.seen("0200")[0].clone();
    for round in 2..=4 {
        town.bank.answer(&request, &request.answer("00").with(38, "A1B2C3"));
        eventually("another reversal", async || {
            (reversals(&town.bank).len() == round).then_some(())
        })
        .await;
        let again = town.until_reversed(id).await;
        assert!(matches!(again.late_answer, Some(Outcome::Approved(_))));
        assert_eq!(again.reversed_at, first.reversed_at, "its merchant was told once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_approval_is_found_by_its_request_under_whatever_reference() {
    let town = Town::with("", silent).await;
    let (_, id) = town.pay(15_000).await;
    town.until_reversed(id).await;
    let request = town.bank.seen("0200")[0].clone();
    let late = request.answer("00");
    let forms = [late.clone().with(37, "REF000000001"), late.without(7)];
    for (round, form) in (2..).zip(forms) {
        town.bank.answer(&request, &form);
        eventually("another reversal", async || {
            (reversals(&town.bank).len() == round).then_some(())
        })
        .await;
        town.until_reversed(id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_held_against_its_request_too_and_is_reversed_all_the_same() {
    let town = Town::with("", silent).await;
    let (_, id) = town.pay(15_000).await;
    town.until_reversed(id).await;
    let request = town.bank.seen("0200")[0].clone();
    town.bank.answer(&request, &request.answer("00").with(4, "000000005000"));
    let reopened = |payment: &Payment| payment.late_answer.is_some();
    let payment = town.until("the late answer", id, reopened).await;
    assert_eq!(payment.late_answer, Some(Outcome::Unknown(Cause::ContradictsRequest)));
    town.until_reversed(id).await;
    assert_eq!(reversals(&town.bank).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_approval_makes_the_answer_to_an_earlier_reversal_no_evidence() {
    let town = Town::with("", |bank, message| match message.mti.as_str() {
        "0200" => {}
        // The debit came behind the first reversal; its confirmation comes behind the approval.
        _ if reversals(bank).len() == 1 => {
            let request = &bank.seen("0200")[0];
            bank.answer(request, &request.answer("00").with(38, "A1B2C3"));
            honest(bank, message);
        }
        _ => honest(bank, message),
    })
    .await;
    let (_, id) = town.pay(15_000).await;
    let undone = |payment: &Payment| {
        payment.state == PaymentState::Reversed
            && matches!(payment.late_answer, Some(Outcome::Approved(_)))
    };
    town.until("the reversal of the late approval", id, undone).await;
    assert!(reversals(&town.bank).len() >= 2, "a reversal of its own for the approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_behind_a_decline_is_recorded_and_reversed() {
    let town = Town::with("", |bank, message| match message.mti.as_str() {
        "0200" => {
            bank.answer(message, &message.answer("51"));
            bank.answer(message, &message.answer("00").with(38, "A1B2C3"));
        }
        _ => honest(bank, message),
    })
    .await;
    let line = &town.line;
    let (request, answer) = line.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "51");
    let folio = answer.folio().parse().expect("a folio");
    let found = town.app.engine.store.payment_by_folio(folio).await.expect("the journal");
    let payment = town.until_reversed(found.expect("a payment").id).await;
    assert!(matches!(payment.late_answer, Some(Outcome::Approved(_))));
    assert!(matches!(payment.outcome, Some(Outcome::Declined(_))));
    assert_eq!(reversals(&town.bank).len(), 1);
    let repeat = line.repeat("0200", &request).await.expect("an answer");
    assert_eq!(repeat.response_code(), "51", "its originator was told no, and nothing is charged");
    let asked = line.request("0200", &line.inquiry_about(&request)).await.expect("an answer");
    assert_eq!(asked.response_code(), "51");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_behind_an_approval_is_recorded_and_the_payment_stands() {
    let town = Town::with("", |bank, message| {
        honest(bank, message);
        honest(bank, message);
        bank.answer(message, &message.answer("05"));
    })
    .await;
    let (told, id) = town.pay(15_000).await;
    assert_eq!(told, "00");
    let payment = town.until("the decline", id, |payment| payment.late_answer.is_some()).await;
    assert!(matches!(payment.late_answer, Some(Outcome::Declined(_))));
    assert_eq!(payment.state, PaymentState::Approved);
    assert!(town.bank.seen("0420").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_waits_behind_its_original_on_the_line_that_took_it() {
    // A bank that has not seen an original says so, and takes what then arrives.
    let town = Town::with("", |bank, message| {
        let folio = message.fields.text(37);
        let has_come = bank.seen("0200").iter().any(|request| request.fields.text(37) == folio);
        let code = if has_come { "00" } else { "25" };
        bank.answer(message, &message.answer(code));
    })
    .await;
    town.bank.stall(0);
    let mut given_up = Vec::new();
    // Two lines in turn: of each pair one payment takes the stalled line. Each waits out the time
    // limit there, in which the reversals of those before are repeated.
    for pair in 0..3 {
        let (one, two) = tokio::join!(town.pay(15_000 + pair), town.pay(16_000 + pair));
        given_up.extend([one, two].into_iter().filter(|(told, _)| told == "68"));
    }
    assert_eq!(given_up.len(), 3, "one of each pair");
    for (_, id) in &given_up {
        assert_ne!(town.payment(*id).await.state, PaymentState::Reversed);
    }
    assert!(town.bank.seen("0420").is_empty(), "no reversal overtakes by the other line");
    town.bank.release(0);
    for (_, id) in &given_up {
        let folio = town.until_reversed(*id).await.folio.to_string();
        let of_payment = |mti| {
            let seen = town.bank.seen(mti).into_iter();
            seen.filter(|message| message.fields.text(37) == folio).collect::<Vec<_>>()
        };
        let (debit, undone) = (of_payment("0200"), of_payment("0420"));
        assert!(undone.iter().all(|reversal| reversal.line == debit[0].line));
        assert!(undone.iter().any(|reversal| reversal.at >= debit[0].at));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_found_on_another_line_is_no_evidence_until_the_original_can_no_longer_arrive() {
    const AFTER: Duration = Duration::from_millis(1200);
    let town =
        Town::with("[reversals]\nnot_found_after_ms = 1200\n", |bank, message| {
            match message.mti.as_str() {
                "0200" => bank.hang_up(message.line),
                _ => bank.answer(message, &message.answer("25")),
            }
        })
        .await;
    let (told, id) = town.pay(15_000).await;
    assert_eq!(told, "68");
    town.until_reversed(id).await;
    let asked = town.bank.seen("0420");
    let (first, last) = (asked.first().expect("asked"), asked.last().expect("asked"));
    assert!(asked.len() > 2, "said twice was not enough");
    assert!(last.at.duration_since(first.at) + Duration::from_millis(50) >= AFTER);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_late_approvals_than_are_recorded_at_once_are_all_recorded() {
    const COUNT: usize = 300;
    let town = Town::with("", silent).await;
    let line = &town.line;
    let orders = (0..COUNT).map(|_| async {
        let (_, answer) = line.pay(&card_order(15_000)).await.expect("an answer");
        let folio = answer.folio().parse().expect("a folio");
        let found = town.app.engine.store.payment_by_folio(folio).await.expect("the journal");
        found.expect("a payment").id
    });
    let ids = futures_util::future::join_all(orders).await;
    for request in town.bank.seen("0200") {
        // Each is one of a crowd: copies tell nothing new and take a place all the same.
        for _ in 0..8 {
            town.bank.answer(&request, &request.answer("00").with(38, "A1B2C3"));
        }
    }
    for id in ids {
        let recorded = |payment: &Payment| {
            payment.state == PaymentState::Reversed
                && matches!(payment.late_answer, Some(Outcome::Approved(_)))
        };
        town.until("the late approval, undone", id, recorded).await;
    }
}

/// What a bank is answered to an 0800 of its own on the first line the switch opened.
async fn own_network_message(town: &Town, code: &str, acquirer: Option<&str>) -> String {
    let stan = format!("{:06}", 700_000 + town.bank.seen("0810").len());
    let fields = Fields::new().with(7, "1123211722").with(11, stan.as_str()).with(70, code);
    let fields = acquirer.iter().fold(fields, |fields, name| fields.with(32, *name));
    town.bank.say(0, "0800", &fields);
    eventually("an answer", async || {
        let answers = town.bank.seen("0810").into_iter();
        answers.filter(|answer| answer.fields.text(11) == stan).map(|one| one.fields).next()
    })
    .await
    .text(39)
    .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_we_called_signs_off_and_on_without_naming_itself() {
    let one_line = CONFIG.replace("lines = 2", "lines = 1");
    let town = Town::of(&one_line, "", honest).await;
    assert_eq!(own_network_message(&town, "002", None).await, "00");
    for other in [ACQUIRER, "00000000099"] {
        assert_eq!(own_network_message(&town, "001", Some(other)).await, "63", "{other}");
    }
    let refused = town.line.pay(&card_order(15_000)).await.expect("an answer").1;
    assert_eq!(refused.response_code(), "91", "still signed off");
    assert_eq!(own_network_message(&town, "001", None).await, "00");
    assert_eq!(town.pay(15_000).await.0, "00");

    // One whose name is configured may give it, in whatever width.
    let named =
        one_line.replace("id = \"bank-b\"", "id = \"bank-b\"\nacquirer_id = \"00000000014\"");
    let town = Town::of(&named, "", honest).await;
    assert_eq!(own_network_message(&town, "002", None).await, "00");
    assert_eq!(own_network_message(&town, "001", Some(ACQUIRER)).await, "63");
    for own in ["00000000014", "14"] {
        assert_eq!(own_network_message(&town, "001", Some(own)).await, "00", "{own}");
    }
    assert_eq!(town.pay(15_000).await.0, "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_an_address_of_its_own_a_participant_signs_on_without_naming_itself() {
    let extra = "[[participants]]\nid = \"bank-d\"\nacquirer_id = \"00000000016\"\n\
                 listen = \"127.0.0.1:0\"\n";
    let town = Town::with(extra, honest).await;
    let own = town.app.own_addresses[0].1;
    let sign_on = async |addr, acquirer: Option<&str>| {
        let settings = AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(ACQUIRER) };
        let line = Acquirer::connect_unsigned(addr, settings).await.expect("a line");
        let fields = Fields::new().with(7, "1123211722").with(11, "000001").with(70, "001");
        let fields = acquirer.iter().fold(fields, |fields, name| fields.with(32, *name));
        let answer = line.request("0800", &fields).await.expect("an answer");
        (answer.response_code().to_owned(), answer.fields.text(44).to_owned())
    };
    assert_eq!(sign_on(own, None).await.0, "00");
    assert_eq!(sign_on(own, Some("00000000016")).await.0, "00");
    assert_eq!(sign_on(own, Some(ACQUIRER)).await.0, "63", "another's name");
    let (code, place) = sign_on(town.app.addresses.iso8583, None).await;
    assert_eq!((code.as_str(), place.as_str()), ("30", "6006 DE32 @0"), "at everybody's address");
}
