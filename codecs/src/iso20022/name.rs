//! The element names that mean something to the switch, each as a small number.
//!
//! A message has sixty elements or more, and each name would be compared with a hundred others. So
//! a name is looked up once, in a table built by the compiler, and compared as a number then.

/// Slots of the table; a power of two, well above the number of names so that look-ups are short.
const SLOTS: usize = 512;

/// Where a name is looked for first: its length and four of its letters tell most names apart.
const fn slot(name: &[u8]) -> usize {
    let len = name.len();
    if len == 0 {
        return 0;
    }
    let (first, last) = (name[0] as usize, name[len - 1] as usize);
    let (middle, before) = (name[len / 2] as usize, name[len.saturating_sub(3)] as usize);
    (len * 7 + first * 31 + middle * 5 + last * 113 + before * 59) % SLOTS
}

macro_rules! names {
    ($($name:ident)*) => {
        /// An element name, without its namespace.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(clippy::upper_case_acronyms, reason = "spelled as the standard spells them")]
        pub(super) enum Name { $($name,)* }

        const NAMES: &[(&str, Name)] = &[$((stringify!($name), Name::$name),)*];
    };
}

names! {
    AccptncDtTm Acct AcctSvcrRef AddtlData AddtlInf AddtlNtryInf AddtlRtrRsnInf AddtlRvslRsnInf
    AddtlStsRsnInf Amt AmtDtls AmtWthCcy AnyBIC AppHdr Assgne Assgnmt Assgnr Avlbty BIC BICFI Bal
    BizMsgIdr BizSvc BookgDt BrnchId Btch CardTx Case Cd CdtDbtInd CdtInstr CdtTrfTx CdtTrfTxInf
    Cdtr CdtrAcct CdtrAgt CdtrRefInf ChrgBr Chrgs ChrgsInf ClrSys ClrSysId ClrSysMmbId Conf CreDt
    CreDtTm CrrctnTx CshDpst CtctDtls CtgyPurp CxlDtls CxlId CxlRsn CxlRsnInf CxlStsRsnInf Dbtr
    DbtrAcct DbtrAgt Document DrctDbtTxInf Dt DtTm EndToEndId EqvtAmt ErrLctn EvtCd EvtDesc EvtParam
    EvtTm Fr GrpCxlSts GrpHdr GrpSts IBAN Id InitgPty InstdAgt InstdAmt InstgAgt InstrId
    IntrBkSttlmAmt IntrBkSttlmDt Intrst Itm LclInstrm LqdtyCdtTrf MktPrctc MmbId MobNb MsgDefIdr
    MsgId Nb NbOfTxs NbOfTxsPerSts Nm Ntry NtryRef OrgnlCreDtTm OrgnlEndToEndId OrgnlInstdAmt
    OrgnlInstrId OrgnlIntrBkSttlmAmt OrgnlIntrBkSttlmDt OrgnlMsgId OrgnlMsgNmId OrgnlPmtInfAndCxl
    OrgnlPmtInfAndRvsl OrgnlPmtInfAndSts OrgnlPmtInfId OrgnlTxId OrgnlTxRef OrgnlUETR Orgtr Othr
    Ownr PhneNb PmtInf PmtInfCxlSts PmtInfId PmtInfSts Prtry Prxy PssblDplct PstlAdr Purp Ref Refs
    Regy ReqdExctnDt RfrdDocInf RgltryRptg RjctgPtyRsn RjctnDtTm Rltd RltdAcct RltdRef RltdRmtInf
    RmtInf RsltnRltdInf Rsn RsnDesc RtrId RtrInf RtrRsn RtrRsnInf RtrdInstdAmt RtrdIntrBkSttlmAmt
    RvsdInstdAmt RvsdIntrBkSttlmAmt RvslId RvslInd RvslRsn RvslRsnInf SchmeNm Sgntr SplmtryData Strd
    Sts StsId StsReqId StsRsn StsRsnInf SttlmMtd SvcLvl Svcr Tax To Tp TxAmt TxCxlSts TxDtls TxId
    TxInf TxInfAndSts TxSts TxsSummry UETR Undrlyg UndrlygCstmrCdtTrf Ustrd ValDt XpryDt
}

static TABLE: [Option<(&str, Name)>; SLOTS] = table();

const fn table() -> [Option<(&'static str, Name)>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut next = 0;
    while next < NAMES.len() {
        let mut at = slot(NAMES[next].0.as_bytes());
        while table[at].is_some() {
            at = (at + 1) % SLOTS;
        }
        table[at] = Some(NAMES[next]);
        next += 1;
    }
    table
}

impl Name {
    /// The name, when it is one of those that mean something.
    pub(super) fn of(local: &str) -> Option<Self> {
        let mut at = slot(local.as_bytes());
        while let Some((name, number)) = TABLE[at] {
            if name == local {
                return Some(number);
            }
            at = (at + 1) % SLOTS;
        }
        None
    }

    /// The name as it is written.
    pub(super) fn as_str(self) -> &'static str {
        NAMES[self as usize].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_itself_and_nothing_else_finds_one() {
        for (text, name) in NAMES {
            assert_eq!(Name::of(text), Some(*name));
            assert_eq!(name.as_str(), *text);
        }
        for stranger in ["", "Xyz", "MsgIdr", "msgid"] {
            assert_eq!(Name::of(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn the_table_has_room_to_spare() {
        let probes = |(text, name): &(&str, Name)| {
            let taken = |at: usize| TABLE[at % SLOTS].is_some_and(|(_, other)| other != *name);
            let from = slot(text.as_bytes());
            (from..from + SLOTS).take_while(|at| taken(*at)).count()
        };
        let total: usize = NAMES.iter().map(probes).sum();
        assert!(total < NAMES.len() / 2, "{total} probes for {} names", NAMES.len());
    }
}
