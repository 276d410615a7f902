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
    AccptncDtTm Acct AcctSvcrRef AddtlData AddtlInf AddtlNtryInf Amt AnyBIC AppHdr Assgne Assgnmt
    Assgnr BIC BICFI BizMsgIdr BizSvc BookgDt BrnchId Btch CardTx Case Cd CdtDbtInd CdtTrfTx
    CdtTrfTxInf Cdtr CdtrAcct CdtrAgt CdtrRefInf ChrgBr Chrgs ChrgsInf ClrSys ClrSysId ClrSysMmbId
    Conf CreDt CreDtTm CtctDtls CtgyPurp CxlDtls CxlId CxlRsnInf CxlStsRsnInf Dbtr DbtrAcct DbtrAgt
    Document Dt DtTm EndToEndId ErrLctn EvtCd EvtDesc EvtParam EvtTm Fr GrpHdr GrpSts IBAN Id
    InitgPty InstdAgt InstdAmt InstgAgt InstrId IntrBkSttlmAmt IntrBkSttlmDt Intrst LclInstrm
    MmbId MobNb MsgDefIdr MsgId NbOfTxs Nm Ntry NtryRef Nb Orgtr OrgnlCreDtTm OrgnlEndToEndId
    OrgnlInstrId OrgnlIntrBkSttlmAmt OrgnlIntrBkSttlmDt OrgnlMsgId OrgnlMsgNmId OrgnlPmtInfId
    OrgnlTxId OrgnlUETR Othr Ownr PhneNb PmtInfId Prtry Prxy PssblDplct PstlAdr Purp Ref Refs
    ReqdExctnDt RfrdDocInf RjctgPtyRsn RjctnDtTm RltdRef RmtInf Rsn RsnDesc RtrId RtrInf RtrRsnInf
    RtrdIntrBkSttlmAmt RvsdIntrBkSttlmAmt RvslId RvslInd RvslRsnInf SchmeNm Sgntr SplmtryData Sts
    StsId StsReqId StsRsnInf Strd SttlmMtd Svcr SvcLvl To TxDtls TxId TxInf TxInfAndSts TxSts
    Tp TxCxlSts UETR Ustrd ValDt XpryDt
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
