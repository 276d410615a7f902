mod levels;
mod wrappers;

use super::*;
use crate::iso20022::{Agent, Word};

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../../testdata/iso20022/vectors/", $name, ".xml"))
    };
}

fn found(xml: &[u8]) -> Iso20022<'_> {
    read(xml).unwrap_or_else(|error| panic!("{error}"))
}

fn text<'w>(word: &'w Word<'_>) -> &'w str {
    word.as_deref().unwrap_or_default()
}

fn error(xml: &str) -> (XmlErrorKind, usize) {
    let error = read(xml.as_bytes()).expect_err(xml);
    (error.kind, error.offset)
}

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";

#[test]
fn parties_accounts_and_banks_are_kept_apart() {
    let message = found(vector!("mx-fednow-pacs008"));
    let payment = &message.transaction;
    assert_eq!(text(&payment.debtor.name), "Alice Smith");
    assert_eq!(text(&payment.debtor.account.iban), "GB82WEST12345698765432");
    assert_eq!(text(&payment.debtor.agent.bic), "AAAAGB2LXXX");
    assert_eq!(text(&payment.creditor.name), "Bob Jones");
    assert_eq!(text(&payment.creditor.account.iban), "DE89370400440532013000");
    assert_eq!(text(&payment.creditor.agent.bic), "BBBBUS33XXX");
    assert_eq!(text(&message.instructing.bic), "FRNYUS33XXX");
    assert_eq!(text(&message.instructed.bic), "CHASUS33XXX");
    assert_eq!(text(&message.settlement_method), "CLRG");
    assert_eq!(text(&payment.remittance), "Invoice 12345 payment");
    let amount = payment.amount.as_ref().expect("an amount");
    assert_eq!(amount.money.expect("money").to_string(), "1000.00 USD");
}

#[test]
fn names_of_banks_and_contacts_are_not_those_of_people() {
    let message = found(vector!("prowide-pacs008-07"));
    assert_eq!(text(&message.transaction.debtor.name), "JOHN DOE");
    assert_eq!(text(&message.transaction.debtor.agent.name), "Juan Perez");
    assert_eq!(text(&message.transaction.creditor.name), "Mike Smith");
    assert_eq!(text(&message.instructing.other), "2342342342");
    let header = message.header.expect("a header");
    assert_eq!(text(&header.id), "12312312312");
    assert_eq!(text(&header.from.bic), "MLCOUS33XXX");
    assert_eq!(text(&header.possible_duplicate), "false");
}

#[test]
fn a_request_to_pay_says_until_when_and_by_whom() {
    let message = found(vector!("rtp-pain013"));
    let request = &message.transaction;
    assert_eq!(text(&request.expires), "2023-07-18T15:24:23");
    assert_eq!(text(&request.requested_date), "2023-07-13T15:24:23");
    assert_eq!(text(&request.payment_info_id), "20230713234567891T1BBQKJ00227516029");
    assert_eq!(text(&message.initiator.id), "234567891");
    assert_eq!(text(&request.debtor.agent.member), "000000010");
    assert_eq!(text(&request.creditor.account.other), "US88664715164441");
    assert_eq!(text(&request.service_level), "SDVA");
    assert_eq!(text(&request.local_instrument), "STANDARD");
    assert_eq!(text(&request.category_purpose), "BUSINESS");
}

#[test]
fn entries_and_their_details_are_all_kept() {
    let message = found(vector!("genkgo-camt054-v8"));
    let [entry] = &message.entries[..] else { panic!("one entry") };
    assert_eq!(text(&entry.direction), "DBIT");
    assert_eq!(text(&entry.status), "BOOK");
    assert_eq!(text(&entry.booked), "2007-10-18");
    assert_eq!(text(&entry.value_date), "2007-10-18");
    assert_eq!(text(&entry.bank_reference), "ACSR160617103200001");
    assert_eq!(text(&entry.info), "Order");
    let worth = |amount: &Option<Amount<'_>>| {
        amount.as_ref().and_then(|amount| amount.money).expect("money").to_string()
    };
    assert_eq!(worth(&entry.amount), "200000.00 SEK");
    let names: Vec<_> = entry.details.iter().map(|detail| text(&detail.creditor.name)).collect();
    assert_eq!(
        names,
        ["Example Creditor 3 - V1", "Example Creditor 3 - V2", "Example Creditor 3 - V3"]
    );
    assert_eq!(worth(&entry.details[2].amount), "3.20 CHF");
    assert_eq!(text(&entry.details[2].creditor_reference), "Ref number V3 block 1");
    let agent = &entry.details[0].creditor.agent;
    let expected = Agent {
        member: Some("100".into()),
        clearing_system: Some("CHBCC".into()),
        ..Agent::default()
    };
    assert_eq!(agent, &expected);
    let old = found(vector!("genkgo-camt054-v2"));
    assert_eq!(text(&old.entries[0].status), "BOOK");
    assert_eq!(old.entries[0].details.len(), 3);
}

#[test]
fn a_rejected_message_quoted_whole_stays_text() {
    let quoted = "<?xml version='1.0'?><!DOCTYPE x><Document><MsgId>1</MsgId></Document>";
    let long = quoted.repeat(200);
    let xml = format!(
        "<Document xmlns='{NAMESPACE}admi.002.001.01'><admi.002.001.01><RltdRef><Ref>R</Ref>\
         </RltdRef><Rsn><RjctgPtyRsn>690</RjctgPtyRsn><AddtlData><![CDATA[{long}]]></AddtlData>\
         </Rsn></admi.002.001.01></Document>"
    );
    let reject = found(xml.as_bytes()).reject;
    assert_eq!((text(&reject.reference), text(&reject.code)), ("R", "690"));
    assert_eq!(text(&reject.data), long);
}

#[test]
fn the_message_is_known_by_namespace_whatever_the_prefix_and_the_wrapper() {
    let body = |open: &str| format!("<{open}><X><GrpHdr><MsgId>1</MsgId></GrpHdr></X></Document>");
    let bare = body(&format!("Document xmlns='{NAMESPACE}pacs.002.001.12'"));
    let wrapped = format!("<RequestPayload xmlns='urn:x'><Other/>{bare}</RequestPayload>");
    for xml in [&bare, &wrapped] {
        let message = found(xml.as_bytes());
        assert_eq!(message.message.as_str(), "pacs.002.001.12");
        assert_eq!(text(&message.msg_id), "1");
    }
    let header = "<AppHdr><MsgDefIdr>pacs.002.001.10</MsgDefIdr></AppHdr>";
    let unnamed = format!("<Message>{header}{}</Message>", body("Document"));
    let message = found(unnamed.as_bytes());
    assert_eq!(message.message.as_str(), "pacs.002.001.10");
    assert_eq!(text(&message.msg_id), "1");
    let alone =
        format!("<AppHdr xmlns='{NAMESPACE}head.001.001.02'><BizMsgIdr>B</BizMsgIdr></AppHdr>");
    assert_eq!(found(alone.as_bytes()).message.family, Family::Header);
}

#[test]
fn what_is_no_message_is_refused() {
    let unknown = XmlErrorKind::UnknownMessage;
    assert_eq!(error("<html/>").0, unknown);
    assert_eq!(error("<Document/>").0, unknown);
    assert_eq!(error("<Document xmlns='urn:x'><MsgId>1</MsgId></Document>").0, unknown);
    assert_eq!(error("<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.008'/>").0, unknown);
}

#[test]
fn supplementary_data_and_foreign_elements_say_nothing() {
    let xml = format!(
        "<Document xmlns='{NAMESPACE}pacs.008.001.08' xmlns:f='urn:x'><T><SplmtryData><MsgId>no\
         </MsgId></SplmtryData><f:MsgId>no</f:MsgId><f:GrpHdr><MsgId>no</MsgId></f:GrpHdr>\
         <GrpHdr><MsgId>yes</MsgId></GrpHdr></T></Document>"
    );
    assert_eq!(text(&found(xml.as_bytes()).msg_id), "yes");
}

#[test]
fn a_payment_message_is_shorter_than_a_report() {
    let long = |id: &str| {
        let entry = format!("<Ntry><AddtlNtryInf>{}</AddtlNtryInf></Ntry>", "x".repeat(1000));
        format!("<Document xmlns='{NAMESPACE}{id}'><T>{}</T></Document>", entry.repeat(300))
    };
    let (kind, offset) = error(&long("pacs.008.001.08"));
    assert_eq!(kind, XmlErrorKind::TooLarge);
    assert!((256 * 1024..257 * 1024 + 1000).contains(&offset), "{offset}");
    assert_eq!(found(long("camt.054.001.08").as_bytes()).entries.len(), 300);
    let header = "<AppHdr><MsgDefIdr>pacs.008.001.08</MsgDefIdr></AppHdr>";
    let document = long("").replace(&format!(" xmlns='{NAMESPACE}'"), "");
    assert_eq!(error(&format!("<M>{header}{document}</M>")).0, XmlErrorKind::TooLarge);
}

#[test]
fn of_several_transactions_the_first_is_kept_and_all_are_counted() {
    let one = |id: &str| format!("<CdtTrfTxInf><PmtId><TxId>{id}</TxId></PmtId></CdtTrfTxInf>");
    let xml = format!(
        "<Document xmlns='{NAMESPACE}pacs.008.001.08'><T>{}{}</T></Document>",
        one("1"),
        one("2")
    );
    let message = found(xml.as_bytes());
    assert_eq!((text(&message.transaction.tx_id), message.transaction_count), ("1", 2));
}
