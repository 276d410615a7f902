//! What a message says, whatever its family and version, borrowed from its bytes.

use std::borrow::Cow;

use super::amount::Amount;
use super::message_id::MessageId;

/// A text of the message; owned only where it had references to resolve.
pub type Word<'a> = Option<Cow<'a, str>>;

/// One message, of any family.
///
/// Shape: of elements that occur more than once the first is kept, in the order of the message; of
///        several transactions the first (`transaction_count` tells); entries are all kept.
///        What holds for every transaction of a group or of a payment information – dates, parties,
///        kinds of payment – is the transaction's where it states nothing of its own; the amounts of
///        a group are not. Texts are without white space around them, and never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iso20022<'a> {
    /// Which message it is.
    pub message: MessageId,
    /// The business application header, where there is one.
    pub header: Option<Header<'a>>,
    /// `GrpHdr/MsgId`.
    pub msg_id: Word<'a>,
    /// `Assgnmt/Id`, which stands for it in investigations and cancellations.
    pub assignment_id: Word<'a>,
    /// `CreDtTm`.
    pub created: Word<'a>,
    /// `SttlmInf/SttlmMtd`, e.g. `CLRG`.
    pub settlement_method: Word<'a>,
    /// `SttlmInf/ClrSys`, the clearing system's code or name.
    pub clearing_system: Word<'a>,
    /// `InstgAgt`, or who assigns.
    pub instructing: Agent<'a>,
    /// `InstdAgt`, or who is assigned to.
    pub instructed: Agent<'a>,
    /// `InitgPty`: who asks for a payment.
    pub initiator: Party<'a>,
    /// The message that this one is about.
    pub original: Original<'a>,
    /// How many transactions there are; those after the first are not kept.
    pub transaction_count: u32,
    /// The first transaction.
    pub transaction: Transaction<'a>,
    /// What is notified, camt.054.
    pub entries: Vec<Entry<'a>>,
    /// What is wrong with a message, admi.002.
    pub reject: Reject<'a>,
    /// What happened, admi.004.
    pub event: SystemEvent<'a>,
}

impl Iso20022<'_> {
    pub(super) fn new(message: MessageId) -> Self {
        Self {
            message,
            header: None,
            msg_id: None,
            assignment_id: None,
            created: None,
            settlement_method: None,
            clearing_system: None,
            instructing: Agent::default(),
            instructed: Agent::default(),
            initiator: Party::default(),
            original: Original::default(),
            transaction_count: 0,
            transaction: Transaction::default(),
            entries: Vec::new(),
            reject: Reject::default(),
            event: SystemEvent::default(),
        }
    }
}

/// The business application header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// Which header it is, e.g. `head.001.001.02`; none when its elements have no namespace.
    pub version: Option<MessageId>,
    /// Who sends: a BIC or a member number.
    pub from: Agent<'a>,
    /// Who is to receive.
    pub to: Agent<'a>,
    /// `BizMsgIdr`.
    pub id: Word<'a>,
    /// `MsgDefIdr`.
    pub message: Word<'a>,
    /// `BizSvc`, e.g. `swift.cbprplus.02`.
    pub service: Word<'a>,
    /// `MktPrctc/Id`, e.g. `frb.fednow.01`.
    pub practice: Word<'a>,
    /// `CreDt`.
    pub created: Word<'a>,
    /// `PssblDplct`.
    pub possible_duplicate: Word<'a>,
}

/// A bank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agent<'a> {
    /// `BICFI`, `BIC` in old versions.
    pub bic: Word<'a>,
    /// `ClrSysMmbId/MmbId`.
    pub member: Word<'a>,
    /// `ClrSysMmbId/ClrSysId`, e.g. `USABA`.
    pub clearing_system: Word<'a>,
    /// `Nm`.
    pub name: Word<'a>,
    /// `Othr/Id`.
    pub other: Word<'a>,
}

/// A person or company.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party<'a> {
    /// `Nm`.
    pub name: Word<'a>,
    /// The first identification, of whatever kind.
    pub id: Word<'a>,
    /// `CtctDtls/MobNb` or `PhneNb`.
    pub phone: Word<'a>,
    /// The party's account.
    pub account: Account<'a>,
    /// The party's bank.
    pub agent: Agent<'a>,
}

/// An account, named in one way or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account<'a> {
    /// `IBAN`.
    pub iban: Word<'a>,
    /// `Othr/Id`.
    pub other: Word<'a>,
    /// `Prxy/Id`: a telephone number, an e-mail address.
    pub proxy: Word<'a>,
    /// `Prxy/Tp`.
    pub proxy_kind: Word<'a>,
}

/// The message and transaction that this message is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Original<'a> {
    /// `OrgnlMsgId`.
    pub msg_id: Word<'a>,
    /// `OrgnlMsgNmId`.
    pub msg_name: Word<'a>,
    /// `OrgnlCreDtTm`.
    pub created: Word<'a>,
    /// `OrgnlInstrId`.
    pub instr_id: Word<'a>,
    /// `OrgnlEndToEndId`.
    pub end_to_end_id: Word<'a>,
    /// `OrgnlTxId`.
    pub tx_id: Word<'a>,
    /// `OrgnlUETR`.
    pub uetr: Word<'a>,
    /// `OrgnlPmtInfId`.
    pub payment_info_id: Word<'a>,
    /// `OrgnlIntrBkSttlmDt`.
    pub settlement_date: Word<'a>,
    /// `OrgnlIntrBkSttlmAmt`.
    pub amount: Option<Amount<'a>>,
}

/// One movement of money, or what is said about one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// The transaction's own number in a status, return, reversal or cancellation (`StsId`,
    /// `RtrId`, `RvslId`, `CxlId`, `StsReqId`).
    pub id: Word<'a>,
    /// `Refs/MsgId` in a notification.
    pub msg_id: Word<'a>,
    /// `InstrId`.
    pub instr_id: Word<'a>,
    /// `EndToEndId`.
    pub end_to_end_id: Word<'a>,
    /// `TxId`.
    pub tx_id: Word<'a>,
    /// `UETR`.
    pub uetr: Word<'a>,
    /// `PmtInfId`.
    pub payment_info_id: Word<'a>,
    /// What moves: returned or reversed before settled, settled before instructed, these before
    /// what the original stated. Never a balance, a sum or a charge.
    pub amount: Option<Amount<'a>>,
    /// `CdtDbtInd` of a notified transaction, where it is stated beside that of its entry.
    pub direction: Word<'a>,
    /// `IntrBkSttlmDt`.
    pub settlement_date: Word<'a>,
    /// `TxSts`, else `PmtInfSts`, else `GrpSts`, or their like in answers to cancellations.
    pub status: Word<'a>,
    /// Why: the reason of the level that states the status.
    pub reason: Reason<'a>,
    /// `AccptncDtTm`.
    pub accepted: Word<'a>,
    /// `Dbtr` with account and bank.
    pub debtor: Party<'a>,
    /// `Cdtr` with account and bank.
    pub creditor: Party<'a>,
    /// `RmtInf/Ustrd`.
    pub remittance: Word<'a>,
    /// `RmtInf/Strd/CdtrRefInf/Ref`.
    pub creditor_reference: Word<'a>,
    /// `RmtInf/Strd/RfrdDocInf/Nb`.
    pub document_number: Word<'a>,
    /// `Purp`.
    pub purpose: Word<'a>,
    /// `CtgyPurp`.
    pub category_purpose: Word<'a>,
    /// `LclInstrm`.
    pub local_instrument: Word<'a>,
    /// `SvcLvl`.
    pub service_level: Word<'a>,
    /// `ChrgBr`.
    pub charge_bearer: Word<'a>,
    /// `XpryDt`.
    pub expires: Word<'a>,
    /// `ReqdExctnDt`.
    pub requested_date: Word<'a>,
}

/// Why something was refused, returned or cancelled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `Rsn/Cd`, or `Rsn/Prtry` where there is no code.
    pub code: Word<'a>,
    /// `AddtlInf`.
    pub info: Word<'a>,
}

/// One entry of a notification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry<'a> {
    /// `NtryRef`.
    pub reference: Word<'a>,
    /// `Amt`.
    pub amount: Option<Amount<'a>>,
    /// `CdtDbtInd`: `CRDT` or `DBIT`.
    pub direction: Word<'a>,
    /// `RvslInd`.
    pub reversal: Word<'a>,
    /// `Sts`, e.g. `BOOK`.
    pub status: Word<'a>,
    /// `BookgDt`.
    pub booked: Word<'a>,
    /// `ValDt`.
    pub value_date: Word<'a>,
    /// `AcctSvcrRef`.
    pub bank_reference: Word<'a>,
    /// `AddtlNtryInf`.
    pub info: Word<'a>,
    /// `NtryDtls/TxDtls`.
    pub details: Vec<Transaction<'a>>,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reject<'a> {
    /// `RltdRef/Ref`: the message.
    pub reference: Word<'a>,
    /// `RjctgPtyRsn`.
    pub code: Word<'a>,
    /// `RjctnDtTm`.
    pub rejected: Word<'a>,
    /// `ErrLctn`.
    pub location: Word<'a>,
    /// `RsnDesc`.
    pub description: Word<'a>,
    /// `AddtlData`: often the whole message.
    pub data: Word<'a>,
}

/// Something that happened to the system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemEvent<'a> {
    /// `EvtCd`.
    pub code: Word<'a>,
    /// `EvtParam`, in order.
    pub parameters: Vec<Cow<'a, str>>,
    /// `EvtDesc`.
    pub description: Word<'a>,
    /// `EvtTm`.
    pub time: Word<'a>,
}
