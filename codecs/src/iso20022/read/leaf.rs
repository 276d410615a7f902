//! Puts the content of a leaf where it belongs.

use std::borrow::Cow;

use super::Frame;
use super::place::{Place, Role, Side};
use crate::iso20022::amount::Amount;
use crate::iso20022::canonical::{
    Account, Agent, Entry, Header, Iso20022, Party, Transaction, Word,
};
use crate::iso20022::name::Name;

/// Keeps the first of several.
fn first<'a>(slot: &mut Word<'a>, text: Cow<'a, str>) {
    if slot.is_none() {
        *slot = Some(text);
    }
}

impl<'a> Header<'a> {
    pub(super) fn keep(&mut self, place: Place, name: Name, text: Cow<'a, str>) {
        match (place, name) {
            (Place::HeaderFrom, _) => self.from.keep(name, text),
            (Place::HeaderTo, _) => self.to.keep(name, text),
            (_, Name::BizMsgIdr) => first(&mut self.id, text),
            (_, Name::MsgDefIdr) => first(&mut self.message, text),
            (_, Name::CreDt) => first(&mut self.created, text),
            (_, Name::PssblDplct) => first(&mut self.possible_duplicate, text),
            _ => {}
        }
    }
}

impl<'a> Agent<'a> {
    fn keep(&mut self, name: Name, text: Cow<'a, str>) {
        match name {
            Name::BICFI | Name::BIC | Name::AnyBIC => first(&mut self.bic, text),
            Name::MmbId => first(&mut self.member, text),
            Name::Nm => first(&mut self.name, text),
            Name::Id => first(&mut self.other, text),
            _ => {}
        }
    }
}

impl<'a> Party<'a> {
    fn keep(&mut self, name: Name, text: Cow<'a, str>) {
        match name {
            Name::Nm => first(&mut self.name, text),
            Name::Id | Name::AnyBIC => first(&mut self.id, text),
            _ => {}
        }
    }
}

impl<'a> Account<'a> {
    /// `IBAN` and `Othr/Id` in today's versions; `Prtry`, `BBAN` and the like are not read.
    fn keep(&mut self, name: Name, text: Cow<'a, str>) {
        match name {
            Name::IBAN => first(&mut self.iban, text),
            Name::Id => first(&mut self.other, text),
            _ => {}
        }
    }
}

impl<'a> Transaction<'a> {
    fn keep(&mut self, place: Place, outer: Option<Name>, name: Name, text: Cow<'a, str>) {
        match (place, name) {
            (Place::Reason, Name::Cd | Name::Prtry) => first(&mut self.reason.code, text),
            (Place::Reason, Name::AddtlInf) => first(&mut self.reason.info, text),
            (Place::Remittance, Name::Ustrd) => first(&mut self.remittance, text),
            (Place::Remittance, Name::Ref) if outer == Some(Name::CdtrRefInf) => {
                first(&mut self.creditor_reference, text);
            }
            (Place::Remittance, Name::Nb) if outer == Some(Name::RfrdDocInf) => {
                first(&mut self.document_number, text);
            }
            (Place::Coded(kind), Name::Cd | Name::Prtry) => self.keep_coded(kind, text),
            (Place::Dated(kind), Name::Dt | Name::DtTm) => self.keep_dated(kind, text),
            (Place::Body | Place::Details, _) => self.keep_own(name, text),
            _ => {}
        }
    }

    fn keep_coded(&mut self, kind: Name, text: Cow<'a, str>) {
        match kind {
            Name::Purp => first(&mut self.purpose, text),
            Name::CtgyPurp => first(&mut self.category_purpose, text),
            Name::LclInstrm => first(&mut self.local_instrument, text),
            Name::SvcLvl => first(&mut self.service_level, text),
            _ => {}
        }
    }

    fn keep_dated(&mut self, kind: Name, text: Cow<'a, str>) {
        match kind {
            Name::XpryDt => first(&mut self.expires, text),
            Name::ReqdExctnDt => first(&mut self.requested_date, text),
            _ => {}
        }
    }

    fn keep_own(&mut self, name: Name, text: Cow<'a, str>) {
        match name {
            Name::StsId | Name::RtrId | Name::RvslId | Name::CxlId | Name::StsReqId => {
                first(&mut self.id, text);
            }
            Name::InstrId => first(&mut self.instr_id, text),
            Name::EndToEndId => first(&mut self.end_to_end_id, text),
            Name::TxId => first(&mut self.tx_id, text),
            Name::UETR => first(&mut self.uetr, text),
            Name::PmtInfId => first(&mut self.payment_info_id, text),
            Name::CdtDbtInd => first(&mut self.direction, text),
            Name::IntrBkSttlmDt => first(&mut self.settlement_date, text),
            // The status of the transaction says more than that of its group.
            Name::TxSts => self.status = Some(text),
            Name::GrpSts | Name::TxCxlSts | Name::Conf => first(&mut self.status, text),
            Name::AccptncDtTm => first(&mut self.accepted, text),
            Name::ChrgBr => first(&mut self.charge_bearer, text),
            // Plain dates in old versions.
            Name::XpryDt | Name::ReqdExctnDt => self.keep_dated(name, text),
            _ => {}
        }
    }

    /// Keeps the amount that says most about what moves, and of equals the first.
    fn keep_amount(&mut self, amount: Amount<'a>) {
        fn rank(element: &str) -> u8 {
            match element {
                "RtrdIntrBkSttlmAmt" | "RvsdIntrBkSttlmAmt" => 0,
                "IntrBkSttlmAmt" => 1,
                "InstdAmt" => 2,
                _ => 3,
            }
        }
        if self.amount.as_ref().is_none_or(|kept| rank(amount.element) < rank(kept.element)) {
            self.amount = Some(amount);
        }
    }
}

impl<'a> Entry<'a> {
    fn keep(&mut self, place: Place, name: Name, text: Cow<'a, str>) {
        match (place, name) {
            (Place::Entry, Name::NtryRef) => first(&mut self.reference, text),
            (Place::Entry, Name::CdtDbtInd) => first(&mut self.direction, text),
            (Place::Entry, Name::RvslInd) => first(&mut self.reversal, text),
            // A plain code in old versions.
            (Place::Entry, Name::Sts) => first(&mut self.status, text),
            (Place::Dated(Name::Sts), Name::Cd | Name::Prtry) => first(&mut self.status, text),
            (Place::Dated(Name::BookgDt), _) => first(&mut self.booked, text),
            (Place::Dated(Name::ValDt), _) => first(&mut self.value_date, text),
            (Place::Entry, Name::AcctSvcrRef) => first(&mut self.bank_reference, text),
            (Place::Entry, Name::AddtlNtryInf) => first(&mut self.info, text),
            _ => {}
        }
    }
}

impl<'a> Iso20022<'a> {
    /// Begins a transaction, an entry or its details; a second transaction is only counted.
    pub(super) fn begin(&mut self, place: Place, outer: Place, name: Option<Name>) -> Place {
        use Name::{CdtTrfTx, CdtTrfTxInf, TxInf, TxInfAndSts};
        match (place, name) {
            (Place::Body, Some(CdtTrfTxInf | TxInf | TxInfAndSts | CdtTrfTx)) => {
                self.transaction_count += 1;
                if self.transaction_count > 1 { Place::Skip } else { place }
            }
            (Place::Entry, _) if outer != Place::Entry => {
                self.entries.push(Entry::default());
                place
            }
            (Place::Details, _) if outer != Place::Details => {
                if let Some(entry) = self.entries.last_mut() {
                    entry.details.push(Transaction::default());
                }
                place
            }
            _ => place,
        }
    }

    /// The transaction that leaves belong to: of the message, or of the entry begun last.
    fn current(&mut self) -> &mut Transaction<'a> {
        let details = self.entries.last_mut().and_then(|entry| entry.details.last_mut());
        details.unwrap_or(&mut self.transaction)
    }

    /// Keeps the content of a leaf named `name` within `outer`.
    pub(super) fn keep(&mut self, outer: Frame, name: Name, text: Cow<'a, str>) {
        match (outer.place, name) {
            (Place::Body | Place::Assignment, _) => self.keep_of_group(outer, name, text),
            (Place::Settlement, Name::Cd | Name::Prtry) => {
                first(&mut self.clearing_system, text);
            }
            (Place::Agent(role), _) => self.agent(role).keep(name, text),
            (Place::Clearing(role), Name::Cd | Name::Prtry) => {
                first(&mut self.agent(role).clearing_system, text);
            }
            (Place::Party(side), _) => self.party(side).keep(name, text),
            (Place::Contact(side), Name::PhneNb | Name::MobNb) => {
                first(&mut self.party(side).phone, text);
            }
            (Place::Account(side), _) => self.party(side).account.keep(name, text),
            (Place::Proxy(side), _) => self.keep_proxy(side, name, text),
            (Place::Entry, _) | (Place::Dated(Name::Sts | Name::BookgDt | Name::ValDt), _) => {
                if let Some(entry) = self.entries.last_mut() {
                    entry.keep(outer.place, name, text);
                }
            }
            (Place::Details, Name::MsgId) => first(&mut self.current().msg_id, text),
            (place, _) => self.current().keep(place, outer.name, name, text),
        }
    }

    fn keep_proxy(&mut self, side: Side, name: Name, text: Cow<'a, str>) {
        let account = &mut self.party(side).account;
        match name {
            Name::Id => first(&mut account.proxy, text),
            Name::Cd | Name::Prtry => first(&mut account.proxy_kind, text),
            _ => {}
        }
    }

    /// Keeps an amount named `name` within `place`.
    pub(super) fn keep_amount(&mut self, place: Place, name: Name, amount: Amount<'a>) {
        match (place, name) {
            (Place::Entry, Name::Amt) => {
                if let Some(entry) = self.entries.last_mut() {
                    entry.amount.get_or_insert(amount);
                }
            }
            (_, Name::OrgnlIntrBkSttlmAmt) => {
                self.original.amount.get_or_insert_with(|| amount.clone());
                self.transaction.keep_amount(amount);
            }
            (
                Place::Body | Place::Details,
                Name::IntrBkSttlmAmt
                | Name::InstdAmt
                | Name::RtrdIntrBkSttlmAmt
                | Name::RvsdIntrBkSttlmAmt
                | Name::Amt,
            ) => self.current().keep_amount(amount),
            _ => {}
        }
    }

    fn keep_of_group(&mut self, outer: Frame, name: Name, text: Cow<'a, str>) {
        match name {
            Name::Id if outer.name == Some(Name::Assgnmt) => first(&mut self.assignment_id, text),
            Name::MsgId => first(&mut self.msg_id, text),
            Name::CreDtTm => first(&mut self.created, text),
            Name::SttlmMtd => first(&mut self.settlement_method, text),
            Name::OrgnlMsgId => first(&mut self.original.msg_id, text),
            Name::OrgnlMsgNmId => first(&mut self.original.msg_name, text),
            Name::OrgnlCreDtTm => first(&mut self.original.created, text),
            Name::OrgnlInstrId => first(&mut self.original.instr_id, text),
            Name::OrgnlEndToEndId => first(&mut self.original.end_to_end_id, text),
            Name::OrgnlTxId => first(&mut self.original.tx_id, text),
            Name::OrgnlUETR => first(&mut self.original.uetr, text),
            Name::OrgnlPmtInfId => first(&mut self.original.payment_info_id, text),
            Name::OrgnlIntrBkSttlmDt => first(&mut self.original.settlement_date, text),
            Name::Ref if outer.name == Some(Name::RltdRef) => {
                first(&mut self.reject.reference, text);
            }
            _ => self.keep_of_system(outer, name, text),
        }
    }

    fn keep_of_system(&mut self, outer: Frame, name: Name, text: Cow<'a, str>) {
        match name {
            Name::RjctgPtyRsn => first(&mut self.reject.code, text),
            Name::RjctnDtTm => first(&mut self.reject.rejected, text),
            Name::ErrLctn => first(&mut self.reject.location, text),
            Name::RsnDesc => first(&mut self.reject.description, text),
            Name::AddtlData => first(&mut self.reject.data, text),
            Name::EvtCd => first(&mut self.event.code, text),
            Name::EvtParam => self.event.parameters.push(text),
            Name::EvtDesc => first(&mut self.event.description, text),
            Name::EvtTm => first(&mut self.event.time, text),
            _ => self.transaction.keep(outer.place, outer.name, name, text),
        }
    }

    fn agent(&mut self, role: Role) -> &mut Agent<'a> {
        match role {
            Role::Instructing => &mut self.instructing,
            Role::Instructed => &mut self.instructed,
            Role::Of(side) => &mut self.party(side).agent,
        }
    }

    fn party(&mut self, side: Side) -> &mut Party<'a> {
        match side {
            Side::Debtor => &mut self.current().debtor,
            Side::Creditor => &mut self.current().creditor,
            Side::Initiator => &mut self.initiator,
        }
    }
}
