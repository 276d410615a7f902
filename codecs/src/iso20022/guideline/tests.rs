use super::*;
use crate::iso20022::{leaves, read};

const TRANSFER: &str = "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08'>\
    <FIToFICstmrCdtTrf><GrpHdr><MsgId>M1</MsgId><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf>\
    </GrpHdr><CdtTrfTxInf><PmtId><EndToEndId>E1</EndToEndId>\
    <UETR>97ed4827-7b6f-4491-a06f-b548d5a7512d</UETR></PmtId>\
    <IntrBkSttlmAmt Ccy='EUR'>10.00</IntrBkSttlmAmt><ChrgBr>SLEV</ChrgBr>\
    <DbtrAgt><FinInstnId><BICFI>AAAAGB2LXXX</BICFI></FinInstnId></DbtrAgt>\
    <CdtrAgt><FinInstnId><BICFI>BBBBUS33XXX</BICFI></FinInstnId></CdtrAgt>\
    <CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>\
    </CdtTrfTxInf></FIToFICstmrCdtTrf></Document>";
const ROOT: &str = "/Document/FIToFICstmrCdtTrf";

/// The transfer with something else in the place of a part.
fn with(part: &str, other: &str) -> String {
    assert!(TRANSFER.contains(part), "{part}");
    TRANSFER.replace(part, other)
}

/// What is wrong under a guideline: kind and path within the document's root.
fn broken(guideline: Guideline, xml: &str) -> Option<(XmlErrorKind, String)> {
    let error = guideline.check(&read(xml.as_bytes()).expect("well-formed")).err()?;
    let path = error.path.split('/').skip(3).collect::<Vec<_>>().join("/");
    Some((error.kind, path))
}

#[test]
fn no_rule_is_applied_where_no_guideline_is_named() {
    assert!(leaves(TRANSFER.as_bytes(), None).is_ok());
    let error = leaves(TRANSFER.as_bytes(), Some(Guideline::FedNow)).expect_err("euros");
    let amount = TRANSFER.find("<IntrBkSttlmAmt").expect("an amount");
    assert_eq!((error.kind, error.offset), (XmlErrorKind::CurrencyNotAllowed, amount));
    assert_eq!(&*error.path, format!("{ROOT}/CdtTrfTxInf/IntrBkSttlmAmt"));
}

#[test]
fn a_header_names_its_guideline_and_that_of_a_related_message_does_not() {
    let under = |header: &str| {
        let namespace = "urn:iso:std:iso:20022:tech:xsd:head.001.001.02";
        let xml = format!("<M><AppHdr xmlns='{namespace}'>{header}</AppHdr>{TRANSFER}</M>");
        leaves(xml.as_bytes(), None).map_err(|error| error.kind).err()
    };
    assert_eq!(under("<MsgDefIdr>pacs.008.001.08</MsgDefIdr>"), None);
    assert_eq!(under("<BizSvc>acme.clearing.01</BizSvc>"), None);
    let (currency, rule) = (XmlErrorKind::CurrencyNotAllowed, XmlErrorKind::GuidelineBroken);
    assert_eq!(under("<BizSvc>swift.cbprplus.02</BizSvc>"), Some(rule));
    assert_eq!(under("<BizSvc>SWIFT.CBPRPLUS.STP.03</BizSvc>"), Some(rule));
    let practice = "<MktPrctc><Regy>frb</Regy><Id>frb.fednow.01</Id></MktPrctc>";
    assert_eq!(under(practice), Some(currency));
    assert_eq!(under("<BizSvc>eba.sepa.01</BizSvc>"), None, "it keeps the rules of SEPA");
    assert_eq!(under("<Rltd><BizSvc>swift.cbprplus.02</BizSvc></Rltd>"), None);
}

#[test]
fn a_cross_border_transfer_is_one_and_has_its_reference_and_no_clearing() {
    let direct = TRANSFER.replace("CLRG", "INDA");
    assert_eq!(broken(Guideline::CbprPlus, &direct), None);
    let rule = |path: &str| Some((XmlErrorKind::GuidelineBroken, path.to_owned()));
    let settled = "GrpHdr/SttlmInf/SttlmMtd";
    assert_eq!(broken(Guideline::CbprPlus, TRANSFER), rule(settled));
    let uetr = "<UETR>97ed4827-7b6f-4491-a06f-b548d5a7512d</UETR>";
    let unreferenced = direct.replace(uetr, "");
    assert_eq!(broken(Guideline::CbprPlus, &unreferenced), rule("CdtTrfTxInf/PmtId/UETR"));
    let second = direct.replace("</FIToFI", "<CdtTrfTxInf/></FIToFI");
    assert_eq!(broken(Guideline::CbprPlus, &second), rule("GrpHdr/NbOfTxs"));
    let answer = "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10'><R><TxInfAndSts>\
                  <TxSts>ACSP</TxSts></TxInfAndSts></R></Document>";
    assert_eq!(broken(Guideline::CbprPlus, answer), rule("TxInfAndSts/OrgnlUETR"));
}

#[test]
fn a_sepa_transfer_is_in_euros_with_shared_charges_between_ibans() {
    let check = |part: &str, other: &str| broken(Guideline::Sepa, &with(part, other));
    let rule = |path: &str| Some((XmlErrorKind::GuidelineBroken, format!("CdtTrfTxInf/{path}")));
    assert_eq!(broken(Guideline::Sepa, TRANSFER), None);
    let dollars = (XmlErrorKind::CurrencyNotAllowed, "CdtTrfTxInf/IntrBkSttlmAmt".to_owned());
    assert_eq!(check("Ccy='EUR'", "Ccy='USD'"), Some(dollars));
    assert_eq!(check(">10.00<", ">999999999.99<"), None);
    assert_eq!(check(">10.00<", ">1000000000.00<"), rule("IntrBkSttlmAmt"));
    assert_eq!(check("SLEV", "SHAR"), rule("ChrgBr"));
    let number = "<Othr><Id>123456</Id></Othr>";
    let iban = "<IBAN>DE89370400440532013000</IBAN>";
    assert_eq!(check(iban, number), rule("CdtrAcct/Id/Othr/Id"));
}

#[test]
fn a_fednow_transfer_is_in_dollars_through_the_clearing() {
    let dollars = TRANSFER.replace("Ccy='EUR'", "Ccy='USD'");
    assert_eq!(broken(Guideline::FedNow, &dollars), None);
    let direct = dollars.replace("CLRG", "INDA");
    let settled = (XmlErrorKind::GuidelineBroken, "GrpHdr/SttlmInf/SttlmMtd".to_owned());
    assert_eq!(broken(Guideline::FedNow, &direct), Some(settled));
}

#[test]
fn a_message_without_rules_breaks_none() {
    let notice = "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.054.001.08'><N/></Document>";
    for guideline in [Guideline::CbprPlus, Guideline::Sepa, Guideline::FedNow] {
        assert_eq!(broken(guideline, notice), None);
    }
}
