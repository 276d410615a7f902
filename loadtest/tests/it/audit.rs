//! The audit on a small world that is right, and on the same world with one entry corrupted for
//! each equation: every corruption must be caught, by name.

use loadtest::audit::client::ClientClaim;
use loadtest::audit::issuer::IssuerFacts;
use loadtest::audit::journal::{Amount, Journal, JournalLine, JournalOutcome, JournalPosting};
use loadtest::audit::{Evidence, Mismatch, Notice, audit};
use loadtest::drive::record::Ending;
use router::invariant::Violation;

/// Payment 1 is approved, 2 declined, 3 met with silence and undone.
struct World {
    claims: Vec<ClientClaim>,
    journal: Vec<JournalLine>,
    evidence: Evidence,
}

fn claim(index: u64, code: &str) -> ClientClaim {
    ClientClaim {
        index,
        rrn: format!("7777{index:08}"),
        stan: format!("{index:06}"),
        amount_minor: 1_000,
        ending: Ending::Answered,
        folio: Some(format!("{index:012}")),
        response_code: Some(code.to_owned()),
        reason_no: None,
    }
}

fn intent(index: u64) -> JournalLine {
    JournalLine {
        kind: "intent".to_owned(),
        folio: Some(format!("{index:012}")),
        rrn: Some(format!("7777{index:08}")),
        amount: Some(Amount { currency: "MXN".to_owned(), minor: 1_000 }),
        biller: Some("isp-ve".to_owned()),
        participant: Some("bank-a".to_owned()),
        ..step(index, "intent")
    }
}

fn step(index: u64, kind: &str) -> JournalLine {
    let payment = Some(format!("pay_{index}"));
    JournalLine { kind: kind.to_owned(), payment, ..JournalLine::default() }
}

fn outcome(index: u64, state: &str) -> JournalLine {
    let outcome = JournalOutcome { state: state.to_owned(), ..JournalOutcome::default() };
    JournalLine { outcome: Some(outcome), ..step(index, "outcome") }
}

fn reversal(index: u64, name: &str) -> JournalLine {
    JournalLine { step: Some(name.to_owned()), ..step(index, "reversal") }
}

fn endpoint() -> JournalLine {
    JournalLine {
        kind: "event".to_owned(),
        endpoint: Some("ep_1".to_owned()),
        biller: Some("isp-ve".to_owned()),
        url: Some("http://127.0.0.1:1/isp-ve".to_owned()),
        ..JournalLine::default()
    }
}

fn notice(index: u64, kind: &str) -> Notice {
    Notice {
        webhook_id: format!("ntc_{index}_{kind}"),
        kind: kind.to_owned(),
        payment: format!("pay_{index}"),
    }
}

impl World {
    fn right() -> Self {
        let mut evidence = Evidence::default();
        let facts = |net_debits| IssuerFacts { net_debits, debited_minor: Some(1_000) };
        evidence.issuers.participants.insert("bank-a".to_owned());
        evidence.issuers.payments.insert(format!("{:012}", 1), facts(1));
        evidence.issuers.payments.insert(format!("{:012}", 3), facts(0));
        evidence.notices = Some(vec![
            notice(1, "payment.approved"),
            notice(2, "payment.declined"),
            notice(3, "payment.unknown"),
            notice(3, "payment.reversed"),
        ]);
        Self {
            claims: vec![claim(1, "00"), claim(2, "51"), claim(3, "68")],
            journal: vec![
                endpoint(),
                intent(1),
                outcome(1, "approved"),
                intent(2),
                outcome(2, "declined"),
                intent(3),
                outcome(3, "unknown"),
                reversal(3, "owed"),
                step(3, "late_answer"),
                reversal(3, "confirmed"),
            ],
            evidence,
        }
    }

    fn audit(mut self) -> Vec<Mismatch> {
        let mut journal = Journal::default();
        for (sequence, line) in (1..).zip(self.journal) {
            journal.take(JournalLine { sequence, ..line });
        }
        self.evidence.journal = journal;
        self.evidence.claims = self.claims;
        audit(&self.evidence)
    }

    fn issuer(&mut self, index: u64) -> &mut IssuerFacts {
        self.evidence.issuers.payments.entry(format!("{index:012}")).or_default()
    }

    fn notices(&mut self) -> &mut Vec<Notice> {
        self.evidence.notices.as_mut().unwrap()
    }
}

#[test]
fn a_world_that_is_right_has_no_mismatch() {
    assert_eq!(World::right().audit(), []);
}

/// Corrupts one entry and expects a mismatch of this kind.
fn check(corrupt: impl FnOnce(&mut World), is_expected: impl Fn(&Mismatch) -> bool) {
    let mut world = World::right();
    corrupt(&mut world);
    let found = world.audit();
    assert!(found.iter().any(is_expected), "found only {found:?}");
}

fn violation(is_expected: fn(&Violation) -> bool) -> impl Fn(&Mismatch) -> bool {
    move |mismatch| matches!(mismatch, Mismatch::Payment(violation) if is_expected(violation))
}

#[test]
fn an_answer_the_journal_does_not_support_is_caught() {
    let expected = || violation(|found| matches!(found, Violation::AnswerNotInJournal { .. }));
    check(|world| world.claims[1] = claim(2, "00"), expected());
    check(|world| world.claims[0] = claim(1, "05"), expected());
    check(|world| world.claims[2] = claim(3, "00"), expected());
    check(|world| world.claims.push(claim(9, "00")), expected());
}

#[test]
fn a_debit_too_many_or_too_few_is_caught() {
    check(
        |world| world.issuer(1).net_debits = 2,
        violation(|found| matches!(found, Violation::DebitedWrongly { .. })),
    );
    let disagrees = || violation(|found| matches!(found, Violation::IssuerDisagrees { .. }));
    check(|world| world.issuer(1).net_debits = 0, disagrees());
    check(|world| world.issuer(2).net_debits = 1, disagrees());
    check(|world| world.issuer(3).net_debits = 1, disagrees());
    check(
        |world| world.issuer(9).net_debits = 1,
        violation(|found| matches!(found, Violation::SentWithoutIntent { .. })),
    );
}

#[test]
fn a_payment_left_open_is_caught() {
    let expected = || violation(|found| matches!(found, Violation::LeftOpen { .. }));
    check(|world| drop(world.journal.pop()), expected());
    check(|world| world.journal.truncate(6), expected());
}

#[test]
fn a_notice_missing_untrue_or_doubled_is_caught() {
    check(
        |world| drop(world.notices().remove(0)),
        violation(|found| matches!(found, Violation::NoticeMissing { .. })),
    );
    check(
        |world| world.notices().push(notice(2, "payment.approved")),
        violation(|found| matches!(found, Violation::NoticeUntrue { .. })),
    );
    let second = Notice { webhook_id: "ntc_other".to_owned(), ..notice(1, "payment.approved") };
    check(
        |world| world.notices().push(second),
        violation(|found| matches!(found, Violation::NoticeIdsDiffer { .. })),
    );
    check(
        |world| world.notices().push(notice(9, "payment.approved")),
        |found| matches!(found, Mismatch::NoticeOfNothing { .. }),
    );
}

#[test]
fn a_request_that_ran_twice_or_was_never_sent_is_caught() {
    let again = JournalLine { payment: Some("pay_4".to_owned()), ..intent(1) };
    check(
        |world| world.journal.push(again),
        |found| matches!(found, Mismatch::RanTwice { payments: 2, .. }),
    );
    check(|world| drop(world.claims.pop()), |found| matches!(found, Mismatch::WithoutCause { .. }));
}

#[test]
fn folios_and_amounts_that_differ_are_caught() {
    check(
        |world| world.claims[0].folio = Some("000000000099".to_owned()),
        |found| matches!(found, Mismatch::FolioDiffers { .. }),
    );
    check(
        |world| world.journal[3].folio = Some(format!("{:012}", 1)),
        |found| matches!(found, Mismatch::FolioTwice { .. }),
    );
    check(
        |world| world.issuer(1).debited_minor = Some(999),
        |found| matches!(found, Mismatch::AmountDiffers { by: "the issuer debited", .. }),
    );
    check(
        |world| world.claims[0].amount_minor = 999,
        |found| matches!(found, Mismatch::AmountDiffers { by: "the client asked", .. }),
    );
}

#[test]
fn a_history_that_cannot_be_is_caught() {
    let illegal = |found: &Mismatch| matches!(found, Mismatch::IllegalHistory(_));
    check(|world| world.journal.push(outcome(1, "declined")), illegal);
    check(|world| world.journal.push(outcome(9, "approved")), illegal);
    check(|world| world.journal.push(intent(1)), illegal);
    check(|world| world.journal.push(reversal(2, "owed")), illegal);
}

#[test]
fn an_entry_that_does_not_balance_is_caught() {
    let line = |account: &str, side: &str, currency: &str, minor| JournalPosting {
        account: account.to_owned(),
        side: side.to_owned(),
        amount: Amount { currency: currency.to_owned(), minor },
    };
    let balanced = vec![
        line("funding:1", "debit", "MXN", 500),
        line("float:1", "credit", "MXN", 500),
        line("funding:1", "debit", "USD", 7),
        line("float:1", "credit", "USD", 7),
    ];
    let top_up = |entry| JournalLine { kind: "account".to_owned(), entry, ..Default::default() };
    let mut world = World::right();
    world.journal.push(top_up(balanced.clone()));
    assert_eq!(world.audit(), []);
    for (at, words) in [(1, "off by -1 MXN"), (2, "off by 1 USD")] {
        let mut off = balanced.clone();
        off[at].amount.minor += 1;
        let told = |found: &Mismatch| matches!(found, Mismatch::IllegalHistory(found) if found.contains(words));
        check(|world| world.journal.push(top_up(off.clone())), told);
    }
}

#[test]
fn a_bank_is_not_asked_about_what_was_before_it() {
    let mut world = World::right();
    world.issuer(1).net_debits = 0;
    world.journal[1].at = Some("2026-11-23T21:00:00.000Z".to_owned());
    world.evidence.issuers.since = Some("2026-11-23T21:00:00.001Z".to_owned());
    assert_eq!(world.audit(), []);
}

#[test]
fn an_issuer_s_log_gives_the_same_truth_as_its_book() {
    let log = concat!(
        r#"{"at":"","participant":"bank-a","mti":"0200","processing_code":"000000","stan":"1","rrn":"1","payment":"1","amount":{"currency":"MXN","minor":100},"answer":"00"}"#,
        "\n",
        r#"{"at":"","participant":"bank-a","mti":"0201","processing_code":"000000","stan":"1","rrn":"1","payment":"1","amount":{"currency":"MXN","minor":100},"answer":"00"}"#,
        "\n",
        r#"{"at":"","participant":"bank-a","mti":"0420","processing_code":"000000","stan":"4","rrn":"1","payment":"1","amount":{"currency":"MXN","minor":100},"answer":"00","stands_minor":40}"#,
        "\n",
        r#"{"at":"","participant":"bank-a","mti":"0200","processing_code":"000000","stan":"2","rrn":"2","payment":"2","amount":{"currency":"MXN","minor":168},"answer":null}"#,
        "\n",
        r#"{"at":"","participant":"bank-a","mti":"0200","processing_code":"320000","stan":"5","rrn":"3","payment":"3","amount":{"currency":"MXN","minor":168},"answer":"00"}"#,
        "\n",
        r#"{"at":"","participant":"bank-a","mti":"0420","processing_code":"000000","stan":"3","rrn":"2","payment":"2","amount":{"currency":"MXN","minor":168},"answer":"00"}"#,
        "\n",
        r#"{"at":"","participant":"bank-a","mti":"0421","processing_code":"000000","stan":"3","rrn":"2","payment":"2","amount":{"currency":"MXN","minor":168},"answer":"00"}"#,
        "\n",
    );
    let mut truth = loadtest::audit::issuer::IssuerTruth::default();
    truth.add_log(log.as_bytes()).unwrap();
    let net = |rrn: &str| truth.payments[rrn].net_debits;
    assert_eq!((net("1"), net("2"), net("3")), (1, 0, 0));
    assert_eq!(truth.payments["2"].debited_minor, Some(168));
}

fn logged(at: &str, mti: &str, stan: u32, payment: u64) -> String {
    format!(
        concat!(
            r#"{{"at":"2026-11-23T{}.000Z","participant":"bank-a","mti":"{}","stan":"{:06}","#,
            r#""processing_code":"000000","rrn":"{:012}","payment":"{:012}","#,
            r#""amount":{{"currency":"MXN","minor":1000}},"answer":"00"}}"#,
            "\n",
        ),
        at, mti, stan, payment, payment
    )
}

#[test]
fn a_bank_s_log_of_an_earlier_data_folder_is_passed_over() {
    let log = [logged("08:00:00", "0200", 1, 7), logged("09:00:00", "0200", 2, 7)].concat();
    let mut truth = loadtest::audit::issuer::IssuerTruth {
        journal_from: Some("2026-11-23T08:30:00.000Z".to_owned()),
        ..Default::default()
    };
    truth.add_log(log.as_bytes()).unwrap();
    assert_eq!(truth.payments["000000000007"].net_debits, 1);
}

#[test]
fn one_folio_debited_under_two_traces_is_debited_twice() {
    let log = [
        logged("08:00:00", "0200", 1, 7),
        logged("08:00:01", "0201", 1, 7),
        logged("08:00:02", "0200", 2, 7),
    ]
    .concat();
    let mut truth = loadtest::audit::issuer::IssuerTruth::default();
    truth.add_log(log.as_bytes()).unwrap();
    assert_eq!(truth.payments["000000000007"].net_debits, 2);
}

#[test]
fn what_the_bank_saw_after_the_journal_was_read_is_no_mismatch() {
    let log = [logged("08:00:00", "0200", 1, 7), logged("09:00:00", "0200", 2, 8)].concat();
    let mut world = World::right();
    let issuers = &mut world.evidence.issuers;
    issuers.journal_read_at = Some("2026-11-23T08:30:00.000Z".to_owned());
    issuers.add_log(log.as_bytes()).unwrap();
    let is_known = Violation::SentWithoutIntent { key: "reference 000000000007".into() };
    assert_eq!(world.audit(), [Mismatch::Payment(is_known)]);
}

#[test]
fn what_others_began_beside_the_run_may_be_under_way_and_what_was_left_open_before_may_not() {
    let began = |line: &mut JournalLine, at: &str| {
        line.at = Some(format!("2026-11-23T{at}.000Z"));
        line.rrn = Some("123400000001".to_owned());
    };
    let world = |other_at: &str| {
        let mut world = World::right();
        world.journal[1].at = Some("2026-11-23T08:00:00.000Z".to_owned());
        world.journal[3].at = Some("2026-11-23T08:00:01.000Z".to_owned());
        world.journal[5].at = Some("2026-11-23T08:00:01.000Z".to_owned());
        let mut other = intent(9);
        began(&mut other, other_at);
        world.journal.push(other);
        world
    };
    assert_eq!(world("08:00:02").audit(), []);
    let left = world("07:00:00").audit();
    assert!(matches!(left[..], [Mismatch::Payment(Violation::LeftOpen { .. })]), "{left:?}");
}

#[test]
fn a_request_over_http_is_found_by_the_key_in_the_journal() {
    let mut world = World::right();
    let key = "00112233445566778899aabbccddeeff";
    world.claims[0].rrn = key.to_owned();
    world.journal[1].rrn = None;
    world.journal[1].key = Some(key.to_owned());
    assert_eq!(world.audit(), []);
}
