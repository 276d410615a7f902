use super::*;
use crate::id::{FloatRef, Folio};
use crate::ledger::AccountBalance;
use crate::outcome::{Approval, Cause, Decline};
use crate::posting::{account, top_up};
use crate::reason::Reason;
use crate::reservation::CounterKey;
use crate::testing::{self, NOON, pesos};

#[test]
fn the_accounts_of_a_currency_sum_to_zero() {
    let float = account("float", "1");
    let balance = |name, balance_minor| AccountBalance {
        account: account(name, "1"),
        currency: testing::currency("MXN"),
        balance_minor,
    };
    let whole: Ledger = [balance("float", 500), balance("funding", -500)].into_iter().collect();
    assert_eq!(trial_balance(&whole), Ok(()));
    let currency = testing::currency("MXN");
    let off: Ledger = [balance("float", 500), balance("funding", -499)].into_iter().collect();
    let violation = Violation::LedgerUnbalanced { currency, off_minor: 1 };
    assert_eq!(trial_balance(&off), Err(violation));
    assert_eq!(guard_agrees(&whole, float, currency, 500), Ok(()));
    let violation = guard_agrees(&whole, float, currency, 493).unwrap_err();
    assert_eq!(violation, Violation::GuardDiffers { account: float, currency, off_minor: -7 });
    assert!(violation.to_string().contains("float:1 has -7 minor units of MXN more"));
}

#[test]
fn an_entry_moves_what_is_due_and_no_more() {
    let float = FloatRef::new("1").unwrap();
    let due = top_up(&float, pesos(500)).unwrap();
    assert_eq!(entry_is_due(&due, &due), Ok(()));
    let (account, currency) = (account("funding", "1"), testing::currency("MXN"));
    for (minor, off_minor) in [(501, -1), (-500, 1_000)] {
        let other = top_up(&float, pesos(minor)).unwrap();
        let first = other.lines()[0].account;
        let off_minor = if first == account { off_minor } else { -off_minor };
        let violation = Violation::EntryDiffers { account: first, currency, off_minor };
        assert_eq!(entry_is_due(&other, &due), Err(violation));
    }
    assert!(entry_is_due(&Entry::default(), &due).is_err(), "nothing is too little");
}

#[test]
fn an_account_neither_gains_nor_loses() {
    let account = account("float", "1");
    let figures = AccountFigures {
        account,
        opening: 1_000,
        topups: 500,
        completed: 700,
        open: 200,
        available: 600,
    };
    assert_eq!(account_conserves(&figures), Ok(()));
    let lost = AccountFigures { available: 599, ..figures };
    let violation = account_conserves(&lost).unwrap_err();
    assert_eq!(violation, Violation::AccountNotConserved { account, gained_minor: -1 });
    assert_eq!(violation.to_string(), "account float:1 came by -1 minor units nobody gave it");
}

#[test]
fn a_counter_may_reach_its_ceiling_and_not_pass_it() {
    let counter = Counter {
        key: CounterKey(7),
        delta: 1,
        ceiling: 3,
        window_end: NOON,
        reason: Reason::DailyCountExceeded,
        reason_once_full: None,
    };
    assert_eq!(counter_within(&counter, 3), Ok(()));
    let violation = counter_within(&counter, 4).unwrap_err();
    assert!(violation.to_string().ends_with("07 stands at 4, at most 3 allowed"), "{violation}");
}

#[test]
fn a_key_is_approved_once_however_often_it_is_declined() {
    let (one, two) = (IdempotencyKey(1), IdempotencyKey(2));
    let yes = Outcome::Approved(Approval::default());
    let no = Outcome::Declined(Decline::ours(Reason::NoRoute));
    let unknown = Outcome::Unknown(Cause::Timeout);
    assert_eq!(
        one_approval_per_key([(one, &no), (one, &yes), (one, &unknown), (two, &yes)]),
        Ok(())
    );
    assert_eq!(
        one_approval_per_key([(one, &yes), (two, &yes), (one, &yes)]),
        Err(Violation::ApprovedTwice { key: one })
    );
}

#[test]
fn an_answer_must_be_the_recorded_one() {
    let payment = PaymentId(1);
    let unknown = Outcome::Unknown(Cause::Timeout);
    assert_eq!(answer_matches_outcome(payment, OutcomeKind::Unknown, &unknown), Ok(()));
    assert_eq!(
        answer_matches_outcome(payment, OutcomeKind::Declined, &unknown),
        Err(Violation::AnswerDiffers {
            payment,
            answer: OutcomeKind::Declined,
            recorded: OutcomeKind::Unknown
        })
    );
}

/// An approved payment that everybody agrees on.
fn approved() -> PaymentFacts {
    PaymentFacts {
        key: "key-1".into(),
        folio: Folio::new(1),
        client_answer: Some(OutcomeKind::Approved),
        journal_state: Some(PaymentState::Approved),
        reversal_asked: false,
        was_inquired: false,
        issuer_net_debits: 1,
        notices: Some(told(&[(NoticeType::PaymentApproved, "ntc_1")])),
        settled: true,
    }
}

fn told(notices: &[(NoticeType, &str)]) -> Vec<ToldNotice> {
    notices.iter().map(|(kind, id)| ToldNotice { kind: *kind, id: (*id).into() }).collect()
}

fn declined() -> PaymentFacts {
    PaymentFacts {
        client_answer: Some(OutcomeKind::Declined),
        journal_state: Some(PaymentState::Declined),
        issuer_net_debits: 0,
        notices: Some(told(&[(NoticeType::PaymentDeclined, "ntc_1")])),
        ..approved()
    }
}

fn undone_unknown() -> PaymentFacts {
    let (unknown, reversed) = (NoticeType::PaymentUnknown, NoticeType::PaymentReversed);
    PaymentFacts {
        client_answer: Some(OutcomeKind::Unknown),
        journal_state: Some(PaymentState::Reversed),
        issuer_net_debits: 0,
        notices: Some(told(&[(unknown, "ntc_1"), (reversed, "ntc_2")])),
        ..approved()
    }
}

fn reversed_as_asked() -> PaymentFacts {
    let (approval, reversed) = (NoticeType::PaymentApproved, NoticeType::PaymentReversed);
    PaymentFacts {
        journal_state: Some(PaymentState::Reversed),
        reversal_asked: true,
        issuer_net_debits: 0,
        notices: Some(told(&[(approval, "ntc_1"), (reversed, "ntc_2")])),
        ..approved()
    }
}

#[test]
fn payments_on_which_everybody_agrees_pass_the_audit() {
    let lost_answer = PaymentFacts { client_answer: None, ..approved() };
    let again =
        told(&[(NoticeType::PaymentApproved, "ntc_1"), (NoticeType::PaymentApproved, "ntc_1")]);
    let repeated_notice = PaymentFacts { notices: Some(again), ..approved() };
    let no_merchant = PaymentFacts { notices: None, ..approved() };
    let under_way = PaymentFacts {
        client_answer: None,
        journal_state: Some(PaymentState::Sent),
        notices: Some(Vec::new()),
        settled: false,
        ..approved()
    };
    let never_recorded =
        PaymentFacts { journal_state: None, notices: Some(Vec::new()), ..declined() };
    for facts in [
        approved(),
        declined(),
        undone_unknown(),
        reversed_as_asked(),
        lost_answer,
        repeated_notice,
        no_merchant,
        under_way,
        never_recorded,
    ] {
        assert_eq!(audit_payment(&facts), [], "{facts:?}");
    }
}

/// Facts that disagree, and what an audit says of them.
type Cases = Vec<(PaymentFacts, Vec<Violation>)>;

fn check_named(cases: Cases) {
    for (facts, expect) in cases {
        assert_eq!(audit_payment(&facts), expect, "{facts:?}");
    }
}

#[test]
fn each_disagreement_of_client_journal_and_issuer_is_named() {
    use Violation as V;
    let key = || Box::<str>::from("key-1");
    let (no, yes) = (OutcomeKind::Declined, OutcomeKind::Approved);
    let journal = Some(PaymentState::Declined);
    let cases: Cases = vec![
        (
            PaymentFacts { client_answer: Some(no), ..approved() },
            vec![V::AnswerNotInJournal {
                key: key(),
                answer: no,
                journal: Some(PaymentState::Approved),
            }],
        ),
        (
            PaymentFacts { client_answer: Some(yes), ..declined() },
            vec![V::AnswerNotInJournal { key: key(), answer: yes, journal }],
        ),
        (
            PaymentFacts { reversal_asked: false, ..reversed_as_asked() },
            vec![V::AnswerNotInJournal {
                key: key(),
                answer: yes,
                journal: Some(PaymentState::Reversed),
            }],
        ),
        (
            PaymentFacts { issuer_net_debits: 2, ..approved() },
            vec![V::DebitedWrongly { key: key(), net_debits: 2 }],
        ),
        (
            PaymentFacts { issuer_net_debits: -1, ..undone_unknown() },
            vec![V::DebitedWrongly { key: key(), net_debits: -1 }],
        ),
        (
            PaymentFacts { issuer_net_debits: 0, ..approved() },
            vec![V::IssuerDisagrees {
                key: key(),
                journal: Some(PaymentState::Approved),
                net_debits: 0,
            }],
        ),
        (
            PaymentFacts { issuer_net_debits: 1, ..declined() },
            vec![V::IssuerDisagrees { key: key(), journal, net_debits: 1 }],
        ),
        (
            PaymentFacts { issuer_net_debits: 1, ..undone_unknown() },
            vec![V::IssuerDisagrees {
                key: key(),
                journal: Some(PaymentState::Reversed),
                net_debits: 1,
            }],
        ),
    ];
    check_named(cases);
}

#[test]
fn each_disagreement_of_journal_and_merchant_is_named() {
    use Violation as V;
    let key = || Box::<str>::from("key-1");
    let (state, kind) = (PaymentState::Unknown, NoticeType::PaymentApproved);
    let journal = Some(PaymentState::Declined);
    check_named(vec![
        (
            PaymentFacts { journal_state: None, client_answer: None, notices: None, ..approved() },
            vec![V::SentWithoutIntent { key: key() }],
        ),
        (
            PaymentFacts { journal_state: Some(state), notices: None, ..undone_unknown() },
            vec![V::LeftOpen { key: key(), state }],
        ),
        (
            PaymentFacts { notices: Some(Vec::new()), ..approved() },
            vec![V::NoticeMissing { key: key(), kind }],
        ),
        (
            PaymentFacts { notices: Some(told(&[(kind, "ntc_1"), (kind, "ntc_2")])), ..approved() },
            vec![V::NoticeIdsDiffer { key: key(), kind, ids: 2 }],
        ),
        (
            PaymentFacts { notices: Some(told(&[(kind, "ntc_1")])), ..declined() },
            vec![
                V::NoticeUntrue { key: key(), kind, journal },
                V::NoticeMissing { key: key(), kind: NoticeType::PaymentDeclined },
            ],
        ),
    ]);
}

#[test]
fn a_violation_reads_as_a_sentence_without_a_card_number() {
    let violation = Violation::AnswerNotInJournal {
        key: "key-1".into(),
        answer: OutcomeKind::Approved,
        journal: None,
    };
    assert_eq!(
        violation.to_string(),
        "key-1: the originator heard `approved`, the journal says nothing"
    );
}
