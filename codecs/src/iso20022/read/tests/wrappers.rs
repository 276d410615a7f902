//! Envelopes, and what they may enclose.

use super::super::*;
use crate::iso20022::leaves;

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";
const BODY: &str = "<FIToFICstmrCdtTrf><GrpHdr><MsgId>M1</MsgId></GrpHdr><CdtTrfTxInf><PmtId>\
                    <EndToEndId>E1</EndToEndId></PmtId><IntrBkSttlmAmt Ccy='BRL'>150.00\
                    </IntrBkSttlmAmt></CdtTrfTxInf></FIToFICstmrCdtTrf>";

/// What a message is, what its header states and what it says.
fn found(xml: &str) -> (String, String, String) {
    let message = read(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let amount = message.transaction.amount.as_ref().and_then(|amount| amount.money);
    let id = message.header.as_ref().and_then(|header| header.id.as_deref());
    let said = format!(
        "{} {} {}",
        message.msg_id.as_deref().unwrap_or_default(),
        message.transaction.end_to_end_id.as_deref().unwrap_or_default(),
        amount.map(|money| money.to_string()).unwrap_or_default()
    );
    (message.message.to_string(), id.unwrap_or_default().to_owned(), said)
}

fn expect(message: &str, header: &str) -> (String, String, String) {
    (message.to_owned(), header.to_owned(), "M1 E1 150.00 BRL".to_owned())
}

#[test]
fn a_national_envelope_has_header_and_document_in_its_own_namespace() {
    // Public report: bacen/pix-perguntas-e-respostas issues 104, 212 and 330.
    let spi = |prefix: &str, binding: &str, identifier: &str| {
        let of = |xml: &str| {
            xml.replace("</", &format!("</{prefix}"))
                .replace('<', &format!("<{prefix}"))
                .replace(&format!("<{prefix}/{prefix}"), &format!("</{prefix}"))
        };
        let inner = format!(
            "<AppHdr><BizMsgIdr>B1</BizMsgIdr><MsgDefIdr>{identifier}</MsgDefIdr><Sgntr/></AppHdr><Document>{BODY}</Document>"
        );
        format!(
            "<{prefix}Envelope {binding}='https://www.bcb.gov.br/pi/pacs.008/1.4'>{}</{prefix}Envelope>",
            of(&inner)
        )
    };
    let expected = expect("pacs.008.spi.1.4", "B1");
    assert_eq!(found(&spi("", "xmlns", "pacs.008.spi.1.4")), expected);
    assert_eq!(found(&spi("e:", "xmlns:e", "pacs.008.spi.1.4")), expected);
    // The header is more exact than the namespace, and says nothing of another message.
    assert_eq!(found(&spi("", "xmlns", "pacs.008.spi.1.41")).0, "pacs.008.spi.1.41");
    assert_eq!(found(&spi("", "xmlns", "pacs.002.spi.1.6")).0, "pacs.008.spi.1.4");
    let unnamed = format!(
        "<Envelope><AppHdr><BizMsgIdr>B1</BizMsgIdr><MsgDefIdr>pacs.008.spi.1.4</MsgDefIdr></AppHdr><Document>{BODY}</Document></Envelope>"
    );
    assert_eq!(found(&unnamed), expected);
}

#[test]
fn a_wrapper_may_be_in_the_namespace_of_its_message_or_of_an_envelope() {
    let head = "<BizMsgIdr>B1</BizMsgIdr><MsgDefIdr>pacs.008.001.08</MsgDefIdr>";
    let header = format!("<AppHdr xmlns='{NAMESPACE}head.001.001.02'>{head}</AppHdr>");
    let document = format!("<Document xmlns='{NAMESPACE}pacs.008.001.08'>{BODY}</Document>");
    let expected = expect("pacs.008.001.08", "B1");
    for (wrapper, namespace, hull) in [
        ("BizMsgEnvlp", "nvlp.001.001.01", ("<Hdr>", "</Hdr><Doc>", "</Doc>")),
        ("Xchg", "head.002.001.01", ("<PyldDesc/><Pyld><BizData>", "", "</BizData></Pyld>")),
        ("Message", "pacs.008.001.08", ("<MsgId>no</MsgId>", "", "<EndToEndId>no</EndToEndId>")),
    ] {
        let (before, between, after) = hull;
        let xml = format!(
            "<{wrapper} xmlns='{NAMESPACE}{namespace}'>{before}{header}{between}{document}{after}</{wrapper}>"
        );
        assert_eq!(found(&xml), expected, "{wrapper}");
    }
    let same = format!(
        "<Message xmlns='{NAMESPACE}pacs.008.001.08'><AppHdr>{head}</AppHdr><Document>{BODY}</Document></Message>"
    );
    assert_eq!(found(&same), expected);
    // A bulk file of a clearing has no document at all.
    let bare = BODY.replacen('>', &format!(" xmlns='{NAMESPACE}$pacs.008.001.02'>"), 1);
    let bulk = format!("<S:Blk xmlns:S='urn:S2SCTIcf:xsd:$SCTIcfBlkCredTrf'>{bare}</S:Blk>");
    assert_eq!(found(&bulk), expect("pacs.008.001.02", ""));
    // Public report: prowide/prowide-iso20022 issue 210.
    let prefixed = format!(
        "<Saa:DataPDU xmlns:Saa='urn:swift:saa:xsd:saa.2.0'><Saa:Body>{header}{document}</Saa:Body></Saa:DataPDU>"
    );
    assert_eq!(found(&prefixed), expected);
}

#[test]
fn a_document_within_a_document_is_no_other_message() {
    let inner =
        format!("<Document xmlns='{NAMESPACE}pacs.008.001.08'><X><MsgId>no</MsgId></X></Document>");
    let xml = format!("<Document xmlns='{NAMESPACE}pacs.008.001.08'>{BODY}{inner}</Document>");
    assert_eq!(found(&xml), expect("pacs.008.001.08", ""));
    let foreign = BODY.replacen('>', &format!(" xmlns='{NAMESPACE}pacs.008.001.08'>"), 1);
    let foreign =
        foreign.replace("<GrpHdr>", "<Document xmlns='urn:x'><MsgId>no</MsgId></Document><GrpHdr>");
    assert_eq!(found(&foreign), expect("pacs.008.001.08", ""));
}

/// A request to pay that encloses something in a leaf.
fn enclosing(leaf: &str, content: &str) -> String {
    format!(
        "<Document xmlns='{NAMESPACE}pain.013.001.07'><CdtrPmtActvtnReq><GrpHdr><MsgId>M1</MsgId>\
         </GrpHdr><PmtInf><CdtTrfTx><PmtId><EndToEndId>E1</EndToEndId></PmtId><NclsdFile><{leaf}>\
         {content}</{leaf}></NclsdFile></CdtTrfTx></PmtInf></CdtrPmtActvtnReq></Document>"
    )
}

fn refusal(xml: &str) -> (XmlErrorKind, String) {
    let error = read(xml.as_bytes()).expect_err("too much");
    (error.kind, error.path.rsplit('/').next().unwrap_or_default().to_owned())
}

#[test]
fn an_enclosed_document_may_be_as_long_as_the_message() {
    // pain.013.001.07, `NclsdFile/Nclsr`: `Max10MbBinary`. 9,000 bytes, and 6,000,000.
    for content in ["QUJD".repeat(3_000), "QUJD".repeat(2_000_000), "QUJD\r\n".repeat(500_000)] {
        let xml = enclosing("Nclsr", &content);
        let message = read(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(message.transaction.end_to_end_id.as_deref(), Some("E1"));
        assert!(leaves(xml.as_bytes(), None).is_ok());
    }
    let escaped = enclosing("Nclsr", &format!("{}&#10;QUI=", "QUJD".repeat(3_000)));
    assert!(read(escaped.as_bytes()).is_ok());
}

#[test]
fn only_base64_is_longer_than_a_text_and_nothing_than_the_message_may_be() {
    let leaf = "Nclsr".to_owned();
    let long = XmlErrorKind::TextTooLong;
    for content in ["QUJ".repeat(3_001), "QU.D".repeat(3_000), "=".repeat(9_000), "é".repeat(5_000)]
    {
        assert_eq!(refusal(&enclosing("Nclsr", &content)), (long, leaf.clone()));
    }
    // An identifier is no enclosure, whatever its letters are.
    assert_eq!(refusal(&enclosing("MsgId", &"QUJD".repeat(3_000))), (long, "MsgId".to_owned()));
    let (large, whole) = (XmlErrorKind::TooLarge, 8 * 1024 * 1024);
    assert_eq!(refusal(&enclosing("Nclsr", &"QUJD".repeat(whole / 4))).0, large);
    // What is not enclosed is bounded as ever.
    let padded = enclosing("Nclsr", &"QUJD".repeat(3_000)) + &" ".repeat(256 * 1024);
    assert_eq!(refusal(&padded).0, large);
    let notes = format!("<AddtlTxInf>{}</AddtlTxInf>", "x ".repeat(500)).repeat(300);
    let padded = enclosing("Nclsr", "QUJD").replace("<NclsdFile>", &format!("{notes}<NclsdFile>"));
    assert_eq!(refusal(&padded).0, large);
}
