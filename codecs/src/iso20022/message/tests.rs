use super::*;
use crate::iso20022::read;

const PAYMENT: &[u8] = include_bytes!("../../../testdata/iso20022/vectors/mx-fednow-pacs008.xml");
const REQUEST_TO_PAY: &[u8] = include_bytes!("../../../testdata/iso20022/vectors/rtp-pain013.xml");
const INQUIRY: &[u8] = include_bytes!("../../../testdata/iso20022/vectors/mx-pacs028.xml");
const CANCELLATION: &[u8] =
    include_bytes!("../../../testdata/iso20022/vectors/rtp-camt056-timeout.xml");
const SIGN_OFF: &[u8] =
    include_bytes!("../../../testdata/iso20022/vectors/rtp-admi004-signoff.xml");
const STATUS: &[u8] = include_bytes!("../../../testdata/iso20022/vectors/rtp-pacs002-rjct.xml");

fn bank_a() -> ParticipantId {
    ParticipantId::new("bank-a").expect("an id")
}

fn map(xml: &[u8]) -> Result<Message, MapError> {
    to_message(&read(xml).expect("well-formed"), bank_a())
}

fn payment_of(xml: &[u8]) -> PaymentRequest {
    match map(xml) {
        Ok(Message::Payment(payment)) => *payment,
        other => panic!("{other:?}"),
    }
}

fn edited(xml: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(xml).expect("UTF-8");
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}

#[test]
fn a_credit_transfer_is_a_payment_from_the_debtor_s_account() {
    let payment = payment_of(PAYMENT);
    assert_eq!(payment.amount.to_string(), "1000.00 USD");
    assert_eq!(payment.rail, Rail::Account);
    assert_eq!(payment.payer.account, Text::new("GB82WEST12345698765432").ok());
    assert_eq!(payment.payer.bank_code, Text::new("AAAAGB2LXXX").ok());
    assert_eq!(payment.reference, FreeText::new("E2E-FEDNOW-20240101-001").ok());
    assert_eq!(payment.trace.acquirer.as_str(), "FRNYUS33XXX");
}

#[test]
fn a_request_to_pay_is_a_payment_too() {
    let payment = payment_of(REQUEST_TO_PAY);
    assert_eq!(payment.amount.to_string(), "21838.41 USD");
    assert_eq!(payment.payer.account, Text::new("66906867108802622").ok());
    assert_eq!(payment.payer.bank_code, Text::new("000000010").ok());
}

#[test]
fn references_name_client_bill_and_biller() {
    let xml = edited(
        PAYMENT,
        "<Ustrd>Invoice 12345 payment</Ustrd>",
        "<Strd><RfrdDocInf><Nb>F-77</Nb></RfrdDocInf><CdtrRefInf><Ref>100200</Ref></CdtrRefInf></Strd>",
    );
    let id = "<Nm>Bob Jones</Nm><Id><OrgId><Othr><Id>isp-ve</Id></Othr></OrgId></Id>";
    let payment = payment_of(&edited(&xml, "<Nm>Bob Jones</Nm>", id));
    assert_eq!(payment.bill, BillNo::new("F-77").ok());
    assert_eq!(payment.client, ClientRef::new("100200").ok());
    assert_eq!(payment.biller, BillerId::new("isp-ve").ok());
}

#[test]
fn a_repeat_in_a_new_message_has_the_key_of_its_original() {
    let repeat = payment_of(&edited(PAYMENT, "FEDNOW-20240101-001", "FEDNOW-20240101-002"));
    assert_eq!(repeat.key, payment_of(PAYMENT).key);
    let other = edited(PAYMENT, "97ed4827-7b6f", "97ed4828-7b6f");
    assert_ne!(payment_of(&other).key, payment_of(PAYMENT).key);
}

#[test]
fn payments_without_identifiers_of_their_own_differ_by_their_message() {
    let uetr = "<UETR>97ed4827-7b6f-4491-a06f-b548d5a7512d</UETR>";
    let bare = edited(&edited(PAYMENT, uetr, ""), "E2E-FEDNOW-20240101-001", "NOTPROVIDED");
    let other = edited(&bare, "FEDNOW-20240101-001", "FEDNOW-20240101-002");
    assert_ne!(payment_of(&bare).key, payment_of(&other).key);
}

#[test]
fn an_inquiry_finds_the_payment_by_the_identifiers_it_states() {
    assert!(matches!(map(INQUIRY), Ok(Message::Inquiry(_))));
    let inquiry = read(INQUIRY).expect("well-formed");
    assert_eq!(original_keys(&inquiry, &bank_a())[0], payment_of(PAYMENT).key);
    let other = ParticipantId::new("bank-b").expect("an id");
    assert_ne!(original_keys(&inquiry, &other)[0], payment_of(PAYMENT).key);
}

#[test]
fn a_cancellation_may_be_refused_and_a_reversal_may_not() {
    let Ok(Message::Reversal(request)) = map(CANCELLATION) else { panic!("a reversal") };
    assert!(!request.is_advice);
    assert_eq!(request.amount.map(|amount| amount.to_string()).as_deref(), Some("21838.41 USD"));
    let advice = "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.007.001.11'><FIToFIPmtRvsl>\
                  <GrpHdr><MsgId>R1</MsgId></GrpHdr><TxInf><OrgnlTxId>000000000077</OrgnlTxId>\
                  <RvsdIntrBkSttlmAmt Ccy='EUR'>1.50</RvsdIntrBkSttlmAmt></TxInf></FIToFIPmtRvsl>\
                  </Document>";
    let Ok(Message::Reversal(request)) = map(advice.as_bytes()) else { panic!("a reversal") };
    assert!(request.is_advice);
    assert_eq!(request.original.folio.as_str(), "000000000077");
    assert_eq!(request.amount.map(|amount| amount.to_string()).as_deref(), Some("1.50 EUR"));
}

#[test]
fn a_sign_off_is_network_management() {
    let Ok(Message::Network(request)) = map(SIGN_OFF) else { panic!("network management") };
    assert_eq!(request.kind, NetworkKind::SignOff);
    assert_eq!(request.acquirer.as_str(), "11141286888");
    let echo = edited(SIGN_OFF, "<ne:EvtCd>982<", "<ne:EvtCd>301<");
    let Ok(Message::Network(request)) = map(&echo) else { panic!("network management") };
    assert_eq!(request.kind, NetworkKind::Echo);
}

#[test]
fn what_is_missing_or_senseless_is_named() {
    let refused = |from: &str, to: &str| {
        let error = map(&edited(PAYMENT, from, to)).expect_err(to);
        (error.reason, error.path)
    };
    let amount = "<IntrBkSttlmAmt Ccy=\"USD\">1000.00</IntrBkSttlmAmt>";
    for senseless in [
        "",
        "<IntrBkSttlmAmt Ccy=\"USD\">0</IntrBkSttlmAmt>",
        "<IntrBkSttlmAmt Ccy=\"USD\">1.001</IntrBkSttlmAmt>",
    ] {
        assert_eq!(refused(amount, senseless), (Reason::AmountInvalid, "IntrBkSttlmAmt"));
    }
    let id = "<EndToEndId>E2E-FEDNOW-20240101-001</EndToEndId>";
    assert_eq!(refused(id, ""), (Reason::FormatError, "PmtId/EndToEndId"));
    let second = "<CdtTrfTxInf/></FIToFICstmrCdtTrf>";
    assert_eq!(refused("</FIToFICstmrCdtTrf>", second), (Reason::ServiceNotEnabled, "NbOfTxs"));
    let error = map(STATUS).expect_err("an answer");
    assert_eq!((error.reason, error.detail), (Reason::ServiceNotEnabled, "not a request"));
}

#[test]
fn a_guideline_is_kept_where_the_header_names_it() {
    let under = |practice: &str| {
        let header = format!(
            "<M><AppHdr xmlns='urn:iso:std:iso:20022:tech:xsd:head.001.001.02'><MktPrctc><Id>\
             {practice}</Id></MktPrctc></AppHdr><Document"
        );
        let euros = edited(PAYMENT, "Ccy=\"USD\"", "Ccy=\"EUR\"");
        let wrapped = edited(&euros, "<Document", &header);
        let wrapped = edited(&wrapped, "</Document>", "</Document></M>");
        map(&wrapped).map(|_| ()).map_err(|error| (error.reason, error.path))
    };
    assert_eq!(under("acme.01"), Ok(()));
    assert_eq!(under("frb.fednow.01"), Err((Reason::CurrencyNotAllowed, "IntrBkSttlmAmt")));
    assert_eq!(under("swift.cbprplus.02"), Err((Reason::FormatError, "GrpHdr/SttlmInf/SttlmMtd")));
}
