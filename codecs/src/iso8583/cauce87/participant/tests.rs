use super::*;
use crate::iso8583::cauce87::read;

fn answer(code: &str) -> ParticipantAnswer {
    let message = format!("1123211722000042000000000077A1B2C3{code}");
    let bytes = [&b"0210\x02\x20\x00\x00\x0E\x00\x00\x00"[..], message.as_bytes()].concat();
    participant_answer(&read(&bytes).expect("well formed"), &bytes).expect("an answer")
}

#[test]
fn an_answer_names_its_request_and_the_verdict() {
    let answer = answer("00");
    assert_eq!((answer.stan.number(), answer.transmitted_at.as_str()), (42, "1123211722"));
    assert_eq!((answer.rrn.as_str(), answer.de39), ("000000000077", *b"00"));
    assert_eq!(answer.authorisation.as_str(), "A1B2C3");
}

#[test]
fn only_a_plain_yes_is_an_approval_and_no_answer_in_between_is_a_decline() {
    let folio = |number| Folio::new(number).expect("a folio");
    let Outcome::Approved(approval) = answer("00").outcome(folio(77)) else { panic!("approved") };
    assert_eq!((approval.authorisation.as_str(), approval.bank_reference.as_str()), ("A1B2C3", ""));
    let Outcome::Approved(approval) = answer("00").outcome(folio(78)) else { panic!("approved") };
    assert_eq!(approval.bank_reference.as_str(), "000000000077");
    let declined = |reason, code| Outcome::Declined(Decline { reason, network_code: Some(code) });
    assert_eq!(answer("51").outcome(folio(1)), declined(Reason::InsufficientFunds, *b"51"));
    assert_eq!(answer("Z9").outcome(folio(1)), declined(Reason::CardDeclined, *b"Z9"));
    for code in ["08", "09", "11", "16", "32", "68"] {
        assert_eq!(answer(code).outcome(folio(1)), Outcome::Unknown(Cause::BadAnswer), "{code}");
    }
    assert_eq!(answer("10").outcome(folio(1)), Outcome::Unknown(Cause::PartialApproval));
}

#[test]
fn a_code_that_is_not_known_is_a_decline_with_that_very_code_whatever_its_characters() {
    let folio = Folio::new(1).expect("a folio");
    for code in ["ZZ", "  ", "0 ", " 0", "a1", "01", "99"] {
        let Outcome::Declined(decline) = answer(code).outcome(folio) else { panic!("{code:?}") };
        assert_eq!(decline.network_code.map(|code| code.to_vec()), Some(code.into()), "{code:?}");
        assert_eq!(decline.reason, Reason::CardDeclined, "{code:?}");
        assert!(!answer(code).has_known_code(), "{code:?}");
    }
    assert!(["00", "05", "10", "68"].iter().all(|code| answer(code).has_known_code()));
}

#[test]
fn an_answer_without_a_verdict_is_none() {
    let bytes = b"0210\x00\x20\x00\x00\x00\x00\x00\x00000042";
    let error = participant_answer(&read(bytes).expect("well formed"), bytes).expect_err("refused");
    assert_eq!(error.field, 39);
}
