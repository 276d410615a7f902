//! Unknown payments that an inquiry tells more of.

use super::*;
use crate::exchange::InquiryFinding;
use crate::record::Inquiry;

pub(super) fn every_finding() -> [InquiryFinding; 4] {
    [
        InquiryFinding::Approved(Approval::default()),
        InquiryFinding::Declined(Decline::ours(Reason::InsufficientFunds)),
        InquiryFinding::NotFound,
        InquiryFinding::DeemedApproved,
    ]
}

pub(super) fn inquiry(finding: InquiryFinding) -> Record {
    let (at, raw_code, entry) = (NOON.plus_micros(9), Text::new("00").unwrap(), Entry::default());
    Record::Inquiry(Box::new(Inquiry { payment: ID, at, finding, raw_code, entry }))
}

pub(super) fn ways(way: MakeWay) -> Vec<Way> {
    use PaymentState as State;
    let found =
        |finding, more: Vec<Record>| [vec![concluded(silence()), inquiry(finding)], more].concat();
    let [yes_found, no_found, not_found, deemed] = every_finding();
    const OF_AN_APPROVAL: &[&str] = &["owed", "part owed", "late_answer", "refund begun"];
    vec![
        way("found approved", found(yes_found, vec![]), State::Approved, OF_AN_APPROVAL),
        way("deemed approved", found(deemed, vec![]), State::Approved, OF_AN_APPROVAL),
        way("found declined", found(no_found, vec![]), State::Declined, &["late_answer"]),
        way(
            "not found",
            found(not_found, vec![]),
            State::Unknown,
            &["owed", "late_answer", "inquiry"],
        ),
        way(
            "a yes behind a payment that was not found and reversed",
            found(not_found, vec![owed(), confirmed(), late(yes())]),
            State::Reversing,
            &["owed", "late_answer"],
        ),
    ]
}

#[test]
fn an_inquiry_that_finds_an_answer_ends_the_payment_as_the_answer_would_have() {
    let [yes_found, no_found, _, deemed] = every_finding();
    for (finding, answer) in [(yes_found, yes()), (no_found, no()), (deemed, yes())] {
        let mut payment = after(&[intent(), concluded(silence())]);
        let told = payment.apply(&inquiry(finding)).unwrap();
        assert_eq!(told, after(&[intent()]).apply(&concluded(answer)).unwrap(), "{finding:?}");
        assert_eq!(payment.outcome, finding.outcome());
        assert_eq!(payment.given_up.map(|given_up| given_up.at), Some(NOON));
        assert_eq!(payment.concluded_at, Some(NOON.plus_micros(9)));
        assert!(!payment.is_open() && !payment.was_given_up());
    }
}

#[test]
fn an_approval_that_an_inquiry_found_is_undone_like_any_other() {
    let found = inquiry(every_finding()[0]);
    let mut payment = after(&[intent(), concluded(silence()), found, owed()]);
    assert_eq!(payment.apply(&confirmed()).unwrap().settle, Some(Settle::Undo));
}

#[test]
fn a_payment_that_its_participant_does_not_know_is_reversed_all_the_same() {
    let mut payment = after(&[intent(), concluded(silence())]);
    let reversal_owed = Effects { owes_reversal: true, ..Effects::default() };
    assert_eq!(payment.apply(&inquiry(InquiryFinding::NotFound)).unwrap(), reversal_owed);
    assert_eq!((payment.state, payment.is_open()), (PaymentState::Unknown, true));
    payment.apply(&owed()).unwrap();
    assert_eq!(payment.apply(&confirmed()).unwrap().settle, Some(Settle::Release));
    // It arrived behind the inquiry and the reversal.
    assert_eq!(payment.apply(&late(yes())).unwrap(), reversal_owed);
    assert!(payment.is_open());
}
