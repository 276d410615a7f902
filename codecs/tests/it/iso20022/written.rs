//! What is written is read again.

use bytes::BytesMut;
use codecs::iso20022::write::{
    About, Bank, Group, Outgoing, PaymentStatus, Person, TransactionStatus, WriteErrorKind, write,
};
use codecs::iso20022::{MessageId, read};
use proptest::prelude::*;
use router::reason::{Language, Reason};

use super::outgoing::{self, AT};
use super::vectors;

fn group(msg_id: &str) -> Group<'_> {
    Group { msg_id, created: AT, instructing: None, instructed: None }
}

fn written(message: &Outgoing<'_>) -> String {
    let mut out = BytesMut::new();
    write(message, message.usual_version(), None, &mut out).expect("written");
    String::from_utf8(out.to_vec()).expect("UTF-8")
}

#[test]
fn every_message_written_is_read_as_the_message_it_is() {
    outgoing::with_all(|messages| {
        for message in messages {
            let xml = written(message);
            let found = read(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}"));
            assert_eq!(found.message, message.usual_version());
        }
    });
}

#[test]
fn a_refusal_carries_the_nearest_code_and_the_number_of_the_reason() {
    // Codes and numbers of the decline catalogue, research/domain.md section 5.
    for (reason, status, code, info) in [
        (Reason::InsufficientFunds, "RJCT", Some("AM04"), Some("1001 Insufficient funds")),
        (Reason::CardExpired, "RJCT", Some("1201"), Some("1201 Card expired")),
        (Reason::OriginalNotFound, "RJCT", Some("NOOR"), Some("4003 Original not found")),
        (Reason::Pending, "PDNG", Some("0009"), Some("0009 Waiting for the bank's answer")),
        (Reason::OutcomeUnknown, "PDNG", Some("AB05"), Some("6002 No answer yet; we are checking")),
        (Reason::Approved, "ACSC", None, None),
    ] {
        let about = About { end_to_end_id: Some("E2E"), ..About::default() };
        let answer = PaymentStatus::of(group("M1"), about, reason, Language::En);
        let xml = written(&Outgoing::PaymentStatus(answer));
        let found = read(xml.as_bytes()).expect("well-formed").transaction;
        assert_eq!(found.status.as_deref(), Some(status), "{reason:?}");
        assert_eq!(found.reason.code.as_deref(), code, "{reason:?}");
        assert_eq!(found.reason.info.as_deref(), info, "{reason:?}");
    }
    assert!(written(&rejected()).contains("<Rsn><Prtry>1201</Prtry></Rsn>"));
}

fn rejected() -> Outgoing<'static> {
    let about = About::default();
    Outgoing::PaymentStatus(PaymentStatus::of(
        group("M1"),
        about,
        Reason::CardExpired,
        Language::En,
    ))
}

#[test]
fn an_answer_names_the_request_it_is_about() {
    let request = vectors::all().into_iter().find(|vector| vector.id == "mx-fednow-pacs008");
    let request = request.expect("a vector").bytes;
    let request = read(&request).expect("well-formed");
    let answer =
        PaymentStatus::of(group("M1"), About::request(&request), Reason::Approved, Language::Es);
    let xml = written(&Outgoing::PaymentStatus(answer));
    let original = read(xml.as_bytes()).expect("well-formed").original;
    assert_eq!(original.msg_id.as_deref(), Some("FEDNOW-20240101-001"));
    assert_eq!(original.msg_name.as_deref(), Some("pacs.008.001.13"));
    assert_eq!(original.end_to_end_id.as_deref(), Some("E2E-FEDNOW-20240101-001"));
    assert_eq!(original.uetr.as_deref(), Some("97ed4827-7b6f-4491-a06f-b548d5a7512d"));
    assert_eq!(original.created.as_deref(), Some("2024-01-01T12:00:00Z"));
}

#[test]
fn values_that_do_not_fit_are_refused_with_their_place_and_nothing_is_appended() {
    let refused = |edit: &dyn Fn(&mut PaymentStatus<'_>)| {
        let about = About { end_to_end_id: Some("E2E"), ..About::default() };
        let mut status = PaymentStatus::of(group("M1"), about, Reason::Approved, Language::En);
        edit(&mut status);
        let message = Outgoing::PaymentStatus(status);
        let mut out = BytesMut::from("before");
        let error = write(&message, message.usual_version(), None, &mut out).expect_err("refused");
        assert_eq!(&out[..], b"before");
        (error.kind, error.path.into_string())
    };
    let root = "/Document/FIToFIPmtStsRpt";
    let long = "x".repeat(36);
    let id = format!("{root}/GrpHdr/MsgId");
    assert_eq!(
        refused(&|status| status.group.msg_id = "x\u{1}"),
        (WriteErrorKind::BadFormat, id.clone())
    );
    assert_eq!(refused(&|status| status.group.msg_id = ""), (WriteErrorKind::Missing, id));
    let bic = format!("{root}/GrpHdr/InstgAgt/FinInstnId/BICFI");
    assert_eq!(
        refused(&|status| status.group.instructing = Some(Bank::Bic("aaaagb2l"))),
        (WriteErrorKind::BadFormat, bic)
    );
    let uetr = format!("{root}/TxInfAndSts/OrgnlUETR");
    assert_eq!(
        refused(&|status| status.about.uetr = Some("97ED4827-7B6F-4491-A06F-B548D5A7512D")),
        (WriteErrorKind::BadFormat, uetr)
    );
    let about = About { tx_id: Some(&long), ..About::default() };
    let status = PaymentStatus::of(group("M1"), about, Reason::Approved, Language::En);
    let message = Outgoing::PaymentStatus(status);
    let error = write(&message, message.usual_version(), None, &mut BytesMut::new());
    assert_eq!(error.expect_err("refused").kind, WriteErrorKind::TooLong);
    let other = MessageId::parse("pacs.002.001.03").expect("an identifier");
    let error = write(&message, other, None, &mut BytesMut::new()).expect_err("refused");
    assert_eq!(error.kind, WriteErrorKind::UnsupportedVersion);
}

proptest! {
    #[test]
    fn any_name_is_written_and_read_back_as_far_as_xml_can_hold_it(name in "\\PC{0,200}|[\u{0}-\u{FF}]{0,20}") {
        outgoing::with_all(|messages| -> Result<(), TestCaseError> {
            let Outgoing::CreditTransfer(transfer) = &messages[0] else { panic!("a transfer") };
            let mut transfer = *transfer;
            transfer.payment.debtor = Person { name: Some(&name), ..transfer.payment.debtor };
            let xml = written(&Outgoing::CreditTransfer(transfer));
            let found = read(xml.as_bytes()).expect("well-formed").transaction.debtor.name;
            let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
            let sent: String =
                name.chars().take(140).map(|c| if allowed(c) { c } else { '?' }).collect();
            let sent = sent.trim_matches([' ', '\t', '\n', '\r']);
            prop_assert_eq!(found.as_deref().unwrap_or_default(), sent);
            Ok(())
        })?;
    }

    #[test]
    fn random_identifiers_bring_nothing_down(id in "\\PC{0,40}|[\u{0}-\u{FF}]{0,40}") {
        let about = About {
            msg_id: Some(&id), msg_name: Some(&id), created: Some(&id), instr_id: Some(&id),
            ..About::default()
        };
        let status = PaymentStatus {
            group: group(&id),
            id: None,
            about,
            status: TransactionStatus::Received,
            why: None,
            accepted: None,
        };
        let message = Outgoing::PaymentStatus(status);
        let mut out = BytesMut::new();
        match write(&message, message.usual_version(), None, &mut out) {
            Ok(()) => prop_assert!(read(&out).is_ok()),
            Err(_) => prop_assert!(out.is_empty()),
        }
    }
}
