//! What is said of a transaction, and what is said beside it.

use super::super::*;
use crate::iso20022::canonical::{Transaction, Word};

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";

/// A message of a definition, with a body within its root.
fn document(id: &str, body: &str) -> String {
    format!("<Document xmlns='{NAMESPACE}{id}'><R>{body}</R></Document>")
}

/// What a test looks at in the message of a definition.
fn check<T>(id: &str, body: &str, look: impl Fn(&Iso20022<'_>) -> T) -> T {
    let xml = document(id, body);
    look(&read(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}")))
}

fn owned(word: &Word<'_>) -> String {
    word.as_deref().unwrap_or_default().to_owned()
}

/// Status and reason of the transaction.
fn verdict(id: &str, body: &str) -> (String, String) {
    check(id, body, |message| {
        let Transaction { status, reason, .. } = &message.transaction;
        (owned(status), owned(&reason.code))
    })
}

fn expect(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

/// Which element states the amount, and how much it is.
fn amount(id: &str, body: &str) -> (&'static str, String) {
    check(id, body, |message| {
        let amount = message.transaction.amount.as_ref().expect("an amount");
        (amount.element, amount.text.to_string())
    })
}

const DATED: &str = "<GrpHdr><MsgId>M</MsgId><IntrBkSttlmDt>2026-11-29</IntrBkSttlmDt></GrpHdr>";

#[test]
fn a_reason_is_the_code_in_the_reason_s_own_element() {
    // Public report: viafintech/camt_parser issues 31 and 32.
    let returned = "<RtrInf><OrgnlBkTxCd><Domn><Cd>PMNT</Cd></Domn><Prtry><Cd>NDDT+105+00931</Cd>\
                    <Issr>DK</Issr></Prtry></OrgnlBkTxCd><Orgtr><Nm>B</Nm><Id><OrgId><Othr><Id>1\
                    </Id><SchmeNm><Cd>BANK</Cd></SchmeNm></Othr></OrgId></Id></Orgtr><Rsn>\
                    <Cd>AC04</Cd></Rsn><AddtlInf>KONTO ERLOSCHEN</AddtlInf></RtrInf>";
    let entry =
        format!("<Ntfctn><Ntry><NtryDtls><TxDtls>{returned}</TxDtls></NtryDtls></Ntry></Ntfctn>");
    for id in ["camt.052.001.08", "camt.053.001.02", "camt.054.001.08"] {
        let reason = check(id, &entry, |message| {
            let reason = &message.entries[0].details[0].reason;
            (owned(&reason.code), owned(&reason.info))
        });
        assert_eq!(reason, expect("AC04", "KONTO ERLOSCHEN"), "{id}");
    }
    let own = "<RtrInf><OrgnlBkTxCd><Prtry><Cd>X</Cd></Prtry></OrgnlBkTxCd></RtrInf>";
    let entry = format!("<Ntry><NtryDtls><TxDtls>{own}</TxDtls></NtryDtls></Ntry>");
    let reason = check("camt.054.001.08", &entry, |message| {
        owned(&message.entries[0].details[0].reason.code)
    });
    assert_eq!(reason, "", "a booking's code is no reason");
}

#[test]
fn reasons_of_old_versions_are_read_and_those_of_the_bank_s_own_too() {
    for (id, block) in [
        (
            "pacs.002.001.02",
            "<StsRsnInf><StsOrgtr><Nm>B</Nm></StsOrgtr><StsRsn><Cd>AC01</Cd></StsRsn>\
                             </StsRsnInf>",
        ),
        ("pacs.004.001.01", "<RtrRsnInf><RtrRsn><Cd>AC01</Cd></RtrRsn></RtrRsnInf>"),
        ("pacs.007.001.01", "<RvslRsnInf><RvslRsn><Prtry>AC01</Prtry></RvslRsn></RvslRsnInf>"),
        ("pacs.007.001.11", "<RvslRsnInf><Rsn><Prtry>AC01</Prtry></Rsn></RvslRsnInf>"),
    ] {
        let body = format!("<TxInf>{block}</TxInf>");
        assert_eq!(verdict(id, &body).1, "AC01", "{id}");
    }
}

#[test]
fn a_reason_is_that_of_the_level_which_states_the_status() {
    let reason = |code: &str| format!("<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>");
    let group = |status: &str, code: &str| {
        let reason = if code.is_empty() { String::new() } else { reason(code) };
        format!("<OrgnlGrpInfAndSts><OrgnlMsgId>O</OrgnlMsgId>{status}{reason}</OrgnlGrpInfAndSts>")
    };
    let transaction = |status: &str, code: &str| {
        let reason = if code.is_empty() { String::new() } else { reason(code) };
        format!("<TxInfAndSts>{status}{reason}</TxInfAndSts>")
    };
    let (part, refused) = ("<GrpSts>PART</GrpSts>", "<TxSts>RJCT</TxSts>");
    let body = group(part, "NARR") + &transaction(refused, "AC04");
    assert_eq!(verdict("pacs.002.001.10", &body), expect("RJCT", "AC04"));
    // A transaction that was refused for no stated reason, in a group that was taken in part.
    let body = group(part, "NARR") + &transaction(refused, "");
    assert_eq!(verdict("pacs.002.001.10", &body), expect("RJCT", ""));
    // The group was refused, and its transactions with it.
    let body = group("<GrpSts>RJCT</GrpSts>", "FF01") + &transaction("", "");
    assert_eq!(verdict("pain.002.001.10", &body), expect("RJCT", "FF01"));
    let body = group("<GrpSts>RJCT</GrpSts>", "") + &transaction("", "AC01");
    assert_eq!(verdict("pain.002.001.10", &body), expect("RJCT", "AC01"));
    assert_eq!(
        verdict("pacs.002.001.10", &group("<GrpSts>RJCT</GrpSts>", "DU01")),
        expect("RJCT", "DU01")
    );
    // The payment information between them.
    let within = |status: &str, code: &str, inner: &str| {
        let reason = if code.is_empty() { String::new() } else { reason(code) };
        format!(
            "<OrgnlPmtInfAndSts><OrgnlPmtInfId>P</OrgnlPmtInfId>{status}{reason}{inner}</OrgnlPmtInfAndSts>"
        )
    };
    let (taken, half) = ("<PmtInfSts>ACCP</PmtInfSts>", "<PmtInfSts>PART</PmtInfSts>");
    let body = group(part, "")
        + &within(taken, "NARR", "")
        + &within(half, "AM05", &transaction(refused, "BE04"));
    assert_eq!(verdict("pain.002.001.10", &body), expect("RJCT", "BE04"));
    let body =
        group(part, "NARR") + &within("<PmtInfSts>RJCT</PmtInfSts>", "DT01", &transaction("", ""));
    assert_eq!(verdict("pain.002.001.10", &body), expect("RJCT", "DT01"));
}

#[test]
fn answers_to_cancellations_state_their_levels_too() {
    let reason = "<CxlStsRsnInf><Orgtr><Nm>B</Nm></Orgtr><Rsn><Cd>LEGL</Cd></Rsn></CxlStsRsnInf>";
    let answer = |status: &str| {
        format!(
            "<Sts><Conf>RJCR</Conf></Sts><CxlDtls><TxInfAndSts>{status}{reason}</TxInfAndSts></CxlDtls>"
        )
    };
    assert_eq!(verdict("camt.029.001.09", &answer("")), expect("RJCR", "LEGL"));
    let pending = answer("<TxCxlSts>PDCR</TxCxlSts>");
    assert_eq!(verdict("camt.029.001.09", &pending), expect("PDCR", "LEGL"));
    let request = "<Undrlyg><OrgnlGrpInfAndCxl><CxlRsnInf><Rsn><Cd>DUPL</Cd></Rsn></CxlRsnInf>\
                   </OrgnlGrpInfAndCxl><TxInf><CxlRsnInf><Rsn><Cd>FRAD</Cd></Rsn></CxlRsnInf></TxInf>\
                   </Undrlyg>";
    assert_eq!(verdict("camt.056.001.08", request), expect("", "FRAD"));
    // The payment that settles a case is not the one that was asked about.
    let settled = "<CxlDtls><TxInfAndSts><RsltnRltdInf><EndToEndId>OTHER</EndToEndId><IntrBkSttlmAmt \
                   Ccy='EUR'>9.00</IntrBkSttlmAmt></RsltnRltdInf><OrgnlEndToEndId>E1\
                   </OrgnlEndToEndId></TxInfAndSts></CxlDtls>";
    let ids = check("camt.029.001.09", settled, |message| {
        (owned(&message.transaction.end_to_end_id), owned(&message.original.end_to_end_id))
    });
    assert_eq!(ids, expect("", "E1"));
}

#[test]
fn of_several_reasons_the_first_with_a_code_keeps_its_own_explanation() {
    let body = "<TxInfAndSts><TxSts>RJCT</TxSts><StsRsnInf><AddtlInf>see below</AddtlInf></StsRsnInf>\
                <StsRsnInf><Rsn><Cd>AC01</Cd></Rsn></StsRsnInf><StsRsnInf><Rsn><Prtry>9</Prtry></Rsn>\
                <AddtlInf>of nine</AddtlInf></StsRsnInf></TxInfAndSts>";
    let reason =
        check("pacs.002.001.10", body, |message| message.transaction.reason.clone().info.is_none());
    assert_eq!(verdict("pacs.002.001.10", body), expect("RJCT", "AC01"));
    assert!(reason, "an explanation of another reason");
}

/// An amount in euros.
fn eur(element: &str, text: &str) -> String {
    format!("<{element} Ccy='EUR'>{text}</{element}>")
}

/// Amounts that stand beside a transaction's own.
fn amounts_beside() -> String {
    [
        format!("<ChrgsInf>{}</ChrgsInf>", eur("Amt", "1.00")),
        format!("<RgltryRptg><Dtls>{}</Dtls></RgltryRptg>", eur("Amt", "2.00")),
        format!("<Tax>{}</Tax>", eur("TtlTaxAmt", "3.00")),
        format!("<UndrlygCstmrCdtTrf>{}</UndrlygCstmrCdtTrf>", eur("InstdAmt", "4.00")),
    ]
    .concat()
}

#[test]
fn an_amount_is_the_transaction_s_and_no_sum_or_charge() {
    let group = format!("<GrpHdr>{}</GrpHdr>", eur("TtlIntrBkSttlmAmt", "99.00"));
    let settled = eur("IntrBkSttlmAmt", "7.00");
    let instructed = eur("InstdAmt", "7.00");
    let equivalent = format!("<Amt><EqvtAmt>{}</EqvtAmt></Amt>", eur("Amt", "7.00"));
    for (id, transaction, stated, element) in [
        ("pacs.008.001.08", "CdtTrfTxInf", eur("InstdAmt", "8.00") + &settled, "IntrBkSttlmAmt"),
        ("pacs.009.001.08", "CdtTrfTxInf", settled.clone(), "IntrBkSttlmAmt"),
        ("pacs.003.001.08", "DrctDbtTxInf", settled, "IntrBkSttlmAmt"),
        ("pain.001.001.09", "CdtTrfTxInf", format!("<Amt>{instructed}</Amt>"), "InstdAmt"),
        ("pain.001.001.09", "CdtTrfTxInf", equivalent, "Amt"),
        ("pain.008.001.08", "DrctDbtTxInf", instructed, "InstdAmt"),
        ("camt.057.001.06", "Itm", eur("Amt", "7.00"), "Amt"),
    ] {
        let beside = amounts_beside();
        let body = format!("{group}<{transaction}>{stated}{beside}</{transaction}>");
        assert_eq!(amount(id, &body), (element, "7.00".to_owned()), "{id}");
    }
    let liquidity =
        format!("<LqdtyCdtTrf><TrfdAmt>{}</TrfdAmt></LqdtyCdtTrf>", eur("AmtWthCcy", "7.00"));
    assert_eq!(amount("camt.050.001.05", &liquidity), ("AmtWthCcy", "7.00".to_owned()));
    let bare = format!("{group}<CdtTrfTxInf>{}</CdtTrfTxInf>", amounts_beside());
    let is_none = check("pacs.008.001.08", &bare, |message| message.transaction.amount.is_none());
    assert!(is_none, "nothing beside it stands in for an amount");
}

#[test]
fn what_is_returned_or_reversed_goes_before_what_the_original_moved() {
    let original = format!("<OrgnlTxRef>{}</OrgnlTxRef>", eur("IntrBkSttlmAmt", "5.00"));
    for (id, before, stated, after) in [
        (
            "pacs.004.001.10",
            "OrgnlIntrBkSttlmAmt",
            "RtrdIntrBkSttlmAmt",
            eur("RtrdInstdAmt", "6.00"),
        ),
        (
            "pacs.007.001.11",
            "OrgnlIntrBkSttlmAmt",
            "RvsdIntrBkSttlmAmt",
            eur("RvsdInstdAmt", "6.00"),
        ),
        ("pain.007.001.09", "OrgnlInstdAmt", "RvsdInstdAmt", String::new()),
    ] {
        let own = eur(before, "9.00") + &eur(stated, "7.00") + &after;
        let original = if id.starts_with("pacs") { original.as_str() } else { "" };
        let body = format!("<TxInf>{own}{original}</TxInf>");
        assert_eq!(amount(id, &body), (stated, "7.00".to_owned()), "{id}");
    }
    let status = format!(
        "<TxInfAndSts><OrgnlTxRef><Amt>{}</Amt></OrgnlTxRef></TxInfAndSts>",
        eur("InstdAmt", "5.00")
    );
    assert_eq!(amount("pain.002.001.10", &status), ("InstdAmt", "5.00".to_owned()));
}

#[test]
fn a_statement_s_balances_and_summaries_are_no_entries() {
    let statement = "<GrpHdr><MsgId>S1</MsgId></GrpHdr><Stmt><Id>1</Id><Bal><Tp><CdOrPrtry><Cd>OPBD\
        </Cd></CdOrPrtry></Tp><CdtLine><Amt Ccy='EUR'>5000.00</Amt></CdtLine><Amt Ccy='EUR'>1000.00\
        </Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-29</Dt></Dt><Avlbty><Amt Ccy='EUR'>900.00\
        </Amt></Avlbty></Bal><TxsSummry><TtlNtries><Sum>37.20</Sum></TtlNtries></TxsSummry><Ntry>\
        <Amt Ccy='EUR'>37.20</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts><Avlbty><Amt Ccy='EUR'>\
        1.00</Amt></Avlbty><NtryDtls><TxDtls><Refs><EndToEndId>E1</EndToEndId></Refs><AmtDtls>\
        <InstdAmt><Amt Ccy='USD'>40.00</Amt></InstdAmt><TxAmt><Amt Ccy='EUR'>37.20</Amt></TxAmt>\
        <CntrValAmt><Amt Ccy='EUR'>36.00</Amt></CntrValAmt></AmtDtls><Chrgs><Rcrd><Amt Ccy='EUR'>\
        0.20</Amt></Rcrd></Chrgs><RltdPties><Dbtr><Nm>Ana</Nm></Dbtr><UltmtDbtr><Nm>Eva</Nm>\
        </UltmtDbtr></RltdPties></TxDtls></NtryDtls></Ntry></Stmt>";
    for id in ["camt.052.001.02", "camt.053.001.08", "camt.054.001.02"] {
        check(id, statement, |message| {
            assert_eq!(message.transaction, Transaction::default(), "{id}");
            let [entry] = &message.entries[..] else { panic!("one entry") };
            let worth = |amount: &Option<Amount<'_>>| amount.clone().expect("one").text.to_string();
            assert_eq!((worth(&entry.amount), owned(&entry.direction)), expect("37.20", "DBIT"));
            let detail = &entry.details[0];
            assert_eq!(worth(&detail.amount), "37.20");
            assert_eq!(owned(&detail.debtor.name), "Ana");
        });
    }
}

#[test]
fn a_date_of_the_group_holds_where_the_transaction_states_none() {
    let date = |id: &str, body: &str| check(id, body, |m| owned(&m.transaction.settlement_date));
    let own = "<IntrBkSttlmDt>2026-11-30</IntrBkSttlmDt>";
    let transfer = |inner: &str| format!("{DATED}<CdtTrfTxInf>{inner}</CdtTrfTxInf>");
    assert_eq!(date("pacs.008.001.08", &transfer(own)), "2026-11-30");
    assert_eq!(date("pacs.008.001.08", &transfer("")), "2026-11-29");
    // What the original settled on is not when its return settles.
    let original = "<OrgnlTxRef><IntrBkSttlmDt>2026-11-01</IntrBkSttlmDt></OrgnlTxRef>";
    let returned = |inner: &str| format!("{DATED}<TxInf>{inner}{original}</TxInf>");
    assert_eq!(date("pacs.004.001.10", &returned(own)), "2026-11-30");
    assert_eq!(date("pacs.004.001.10", &returned("")), "2026-11-29");
    assert_eq!(date("pacs.004.001.10", &format!("<TxInf>{original}</TxInf>")), "2026-11-01");
}

#[test]
fn a_party_is_the_transaction_s_and_never_made_of_two() {
    let named = |tag: &str, name: &str| format!("<{tag}><Nm>{name}</Nm></{tag}>");
    let parties = |id: &str, body: &str| {
        check(id, body, |message| {
            let Transaction { debtor, creditor, .. } = &message.transaction;
            (owned(&debtor.name), owned(&creditor.name))
        })
    };
    // The debtor of a payment information pays all of its transactions.
    let one = |debtor: &str, creditor: &str| {
        let inner = named("UltmtCdtr", "Eva") + &named("Cdtr", creditor);
        let tax = "<Tax><Dbtr><Authstn><Nm>Clerk</Nm></Authstn></Dbtr></Tax>";
        format!("<PmtInf>{}<CdtTrfTxInf>{tax}{inner}</CdtTrfTxInf></PmtInf>", named("Dbtr", debtor))
    };
    let group = format!("<GrpHdr>{}</GrpHdr>", named("InitgPty", "Office"));
    let both = group + &one("Ana", "Luz") + &one("Max", "Sol");
    assert_eq!(parties("pain.001.001.09", &both), expect("Ana", "Luz"));
    // The customer's transfer beneath one between banks.
    let cover = "<CdtTrfTxInf><Dbtr><FinInstnId><BICFI>AAAAGB2LXXX</BICFI></FinInstnId></Dbtr><Cdtr>\
                 <FinInstnId><Nm>Bank B</Nm></FinInstnId></Cdtr><UndrlygCstmrCdtTrf><Dbtr><Nm>Ana</Nm>\
                 </Dbtr><Cdtr><Nm>Luz</Nm></Cdtr></UndrlygCstmrCdtTrf></CdtTrfTxInf>";
    assert_eq!(parties("pacs.009.001.08", cover), expect("", "Bank B"));
    // A return goes the other way than its original.
    let chain = "<TxInf><RtrChain><Dbtr><Pty><Nm>Luz</Nm></Pty></Dbtr><Cdtr><Pty><Nm>Ana</Nm></Pty>\
                 </Cdtr></RtrChain><OrgnlTxRef><Dbtr><Pty><Nm>Ana</Nm><Id><OrgId><Othr><Id>1</Id></Othr>\
                 </OrgId></Id></Pty></Dbtr><Cdtr><Pty><Nm>Luz</Nm></Pty></Cdtr></OrgnlTxRef></TxInf>";
    assert_eq!(parties("pacs.004.001.10", chain), expect("Luz", "Ana"));
    let id = check("pacs.004.001.10", chain, |message| message.transaction.debtor.id.is_none());
    assert!(id, "an identification of the original's debtor");
}

#[test]
fn of_several_groups_of_transactions_the_first_s_is_kept_and_all_are_counted() {
    let group = |id: &str, kind: &str, transactions: usize| {
        let one = "<CdtTrfTxInf><PmtId><EndToEndId>E</EndToEndId></PmtId></CdtTrfTxInf>";
        let kind = if kind.is_empty() {
            String::new()
        } else {
            format!("<PmtTpInf><SvcLvl><Cd>{kind}</Cd></SvcLvl></PmtTpInf>")
        };
        format!("<PmtInf><PmtInfId>{id}</PmtInfId>{kind}{}</PmtInf>", one.repeat(transactions))
    };
    let look = |body: &str| {
        check("pain.001.001.09", body, |message| {
            let transaction = &message.transaction;
            let kept = (owned(&transaction.payment_info_id), owned(&transaction.service_level));
            (message.transaction_count, kept)
        })
    };
    assert_eq!(look(&(group("A", "", 2) + &group("B", "URGP", 3))), (5, expect("A", "")));
    assert_eq!(look(&(group("A", "URGP", 0) + &group("B", "", 1))), (1, expect("B", "")));
    assert_eq!(look(&(group("A", "URGP", 0) + &group("B", "", 0))), (0, expect("A", "URGP")));
}

#[test]
fn what_a_transaction_states_goes_before_what_its_group_states() {
    let kind = |code: &str| format!("<PmtTpInf><LclInstrm><Cd>{code}</Cd></LclInstrm></PmtTpInf>");
    let body =
        format!("<GrpHdr>{}</GrpHdr><CdtTrfTxInf>{}</CdtTrfTxInf>", kind("INST"), kind("CORE"));
    let kept = check("pacs.008.001.08", &body, |m| owned(&m.transaction.local_instrument));
    assert_eq!(kept, "CORE");
}
