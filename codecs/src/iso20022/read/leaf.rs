//! Puts the content of a leaf where it belongs.
//!
//! A message says the same things at several levels; each has a place of its own here, and
//! [`Levels::settle`] puts them together at the end.

use std::borrow::Cow;

use super::Frame;
use super::level::{Level, Levels, is_information, is_transaction};
use super::place::{Place, Role, Side};
use super::stated::is_stated_amount;
use crate::iso20022::amount::Amount;
use crate::iso20022::canonical::{
    Account, Agent, Entry, Header, Iso20022, Party, Reason, Transaction, Word,
};
use crate::iso20022::message_id::MessageId;
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
            (Place::Practice, Name::Id) => first(&mut self.practice, text),
            (Place::Practice, _) => {}
            (_, Name::BizSvc) => first(&mut self.service, text),
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

    fn keep_proxy(&mut self, name: Name, text: Cow<'a, str>) {
        match name {
            Name::Id => first(&mut self.proxy, text),
            Name::Cd | Name::Prtry => first(&mut self.proxy_kind, text),
            _ => {}
        }
    }
}

impl<'a> Transaction<'a> {
    fn keep(&mut self, place: Place, outer: Option<Name>, name: Name, text: Cow<'a, str>) {
        match (place, name) {
            (Place::ReasonCode, Name::Cd | Name::Prtry) => first(&mut self.reason.code, text),
            (Place::Reason, _) => first(&mut self.reason.info, text),
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
            Name::TxSts
            | Name::PmtInfSts
            | Name::GrpSts
            | Name::TxCxlSts
            | Name::PmtInfCxlSts
            | Name::GrpCxlSts
            | Name::Conf => first(&mut self.status, text),
            Name::AccptncDtTm => first(&mut self.accepted, text),
            Name::ChrgBr => first(&mut self.charge_bearer, text),
            // Plain dates in old versions.
            Name::XpryDt | Name::ReqdExctnDt => self.keep_dated(name, text),
            _ => {}
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

/// A message half read.
pub(super) struct Draft<'a> {
    pub message: Iso20022<'a>,
    levels: Levels<'a>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(message: MessageId) -> Self {
        Self { message: Iso20022::new(message), levels: Levels::default() }
    }

    /// The message, whole.
    pub(super) fn finish(mut self) -> Iso20022<'a> {
        self.levels.settle(&mut self.message);
        self.message
    }

    /// Begins what an element is: a transaction, an entry, its details, a reason. Of several
    /// transactions all but the first are only counted, with the groups around them.
    pub(super) fn begin(&mut self, place: Place, outer: Frame, name: Option<Name>) -> Place {
        match (place, name) {
            (Place::Body | Place::Counted, Some(name)) if is_transaction(name) => {
                self.message.transaction_count = self.message.transaction_count.saturating_add(1);
                if self.message.transaction_count > 1 { Place::Skip } else { place }
            }
            (Place::Body, Some(name)) if is_information(name) => {
                if self.message.transaction_count > 0 {
                    return Place::Counted;
                }
                self.levels.begin_information();
                place
            }
            (Place::Body, Some(Name::Undrlyg | Name::CxlDtls))
                if self.message.transaction_count > 0 =>
            {
                Place::Counted
            }
            (Place::Entry, _) if outer.place != Place::Entry => {
                self.message.entries.push(Entry::default());
                place
            }
            (Place::Details, _) if outer.place != Place::Details => {
                if let Some(entry) = self.message.entries.last_mut() {
                    entry.details.push(Transaction::default());
                }
                place
            }
            (Place::Reason, _) if outer.place != Place::Reason => {
                self.begin_reason(outer.level, place)
            }
            (_, _) => place,
        }
    }

    /// Of several reasons the first with a code is kept, with its own explanation.
    fn begin_reason(&mut self, level: Level, place: Place) -> Place {
        let reason = &mut self.at(level).reason;
        if reason.code.is_some() {
            return Place::Skip;
        }
        *reason = Reason::default();
        place
    }

    /// Where statements of a level are kept.
    fn at(&mut self, level: Level) -> &mut Transaction<'a> {
        let levels = &mut self.levels;
        match level {
            Level::Group => levels.group.get_or_insert_default(),
            Level::Information => &mut levels.information.get_or_insert_default().stated,
            Level::Original => levels.original.get_or_insert_default(),
            Level::Transaction => &mut self.message.transaction,
            Level::Details => {
                let entry = self.message.entries.last_mut();
                let details = entry.and_then(|entry| entry.details.last_mut());
                details.unwrap_or(&mut self.message.transaction)
            }
        }
    }

    /// Keeps the content of a leaf named `name` within `outer`.
    pub(super) fn keep(&mut self, outer: Frame, name: Name, text: Cow<'a, str>) {
        let level = outer.level;
        match (outer.place, name) {
            (Place::Body | Place::Assignment, _) => self.keep_of_body(outer, name, text),
            (Place::Settlement, Name::Cd | Name::Prtry) => {
                first(&mut self.message.clearing_system, text);
            }
            (Place::Agent(role), _) => self.agent(role, level).keep(name, text),
            (Place::Clearing(role), Name::Cd | Name::Prtry) => {
                first(&mut self.agent(role, level).clearing_system, text);
            }
            (Place::Party(side), _) => self.party(side, level).keep(name, text),
            (Place::Contact(side), Name::PhneNb | Name::MobNb) => {
                first(&mut self.party(side, level).phone, text);
            }
            (Place::Account(side), _) => self.party(side, level).account.keep(name, text),
            (Place::Proxy(side), _) => self.party(side, level).account.keep_proxy(name, text),
            (Place::Entry, _) | (Place::Dated(Name::Sts | Name::BookgDt | Name::ValDt), _) => {
                if let Some(entry) = self.message.entries.last_mut() {
                    entry.keep(outer.place, name, text);
                }
            }
            (Place::Details, Name::MsgId) => first(&mut self.at(level).msg_id, text),
            (place, _) => self.at(level).keep(place, outer.name, name, text),
        }
    }

    fn keep_of_body(&mut self, outer: Frame, name: Name, text: Cow<'a, str>) {
        let Iso20022 { msg_id, assignment_id, created, settlement_method, original, .. } =
            &mut self.message;
        match name {
            Name::Id if outer.name == Some(Name::Assgnmt) => first(assignment_id, text),
            Name::MsgId => first(msg_id, text),
            Name::CreDtTm => first(created, text),
            Name::SttlmMtd => first(settlement_method, text),
            Name::OrgnlMsgId => first(&mut original.msg_id, text),
            Name::OrgnlMsgNmId => first(&mut original.msg_name, text),
            Name::OrgnlCreDtTm => first(&mut original.created, text),
            Name::OrgnlInstrId => first(&mut original.instr_id, text),
            Name::OrgnlEndToEndId => first(&mut original.end_to_end_id, text),
            Name::OrgnlTxId => first(&mut original.tx_id, text),
            Name::OrgnlUETR => first(&mut original.uetr, text),
            Name::OrgnlPmtInfId if outer.level == Level::Information => {
                first(&mut self.levels.information.get_or_insert_default().original_id, text);
            }
            Name::OrgnlPmtInfId => first(&mut original.payment_info_id, text),
            Name::OrgnlIntrBkSttlmDt => first(&mut original.settlement_date, text),
            _ => self.keep_of_system(outer, name, text),
        }
    }

    fn keep_of_system(&mut self, outer: Frame, name: Name, text: Cow<'a, str>) {
        let Iso20022 { reject, event, .. } = &mut self.message;
        match name {
            Name::Ref if outer.name == Some(Name::RltdRef) => first(&mut reject.reference, text),
            Name::RjctgPtyRsn => first(&mut reject.code, text),
            Name::RjctnDtTm => first(&mut reject.rejected, text),
            Name::ErrLctn => first(&mut reject.location, text),
            Name::RsnDesc => first(&mut reject.description, text),
            Name::AddtlData => first(&mut reject.data, text),
            Name::EvtCd => first(&mut event.code, text),
            Name::EvtParam => event.parameters.push(text),
            Name::EvtDesc => first(&mut event.description, text),
            Name::EvtTm => first(&mut event.time, text),
            // Most messages say nothing else of their group, which then needs no place.
            Name::NbOfTxs => {}
            _ => self.at(outer.level).keep(outer.place, outer.name, name, text),
        }
    }

    /// Keeps an amount named `name` within `outer`.
    pub(super) fn keep_amount(&mut self, outer: Frame, name: Name, amount: Amount<'a>) {
        match outer.place {
            Place::Entry => {
                if let (Name::Amt, Some(entry)) = (name, self.message.entries.last_mut()) {
                    entry.amount.get_or_insert(amount);
                }
            }
            Place::Body if is_stated_amount(name, outer.name) => {
                if name == Name::OrgnlIntrBkSttlmAmt {
                    self.message.original.amount.get_or_insert_with(|| amount.clone());
                }
                self.at(outer.level).keep_amount(amount);
            }
            Place::Details if (name, outer.name) == (Name::Amt, Some(Name::TxDtls)) => {
                self.at(outer.level).keep_amount(amount);
            }
            Place::Amounts if name == Name::Amt => {
                if let Some(of @ (Name::TxAmt | Name::InstdAmt)) = outer.name {
                    let amount = Amount { element: of.as_str(), ..amount };
                    self.at(outer.level).keep_amount_of_details(amount);
                }
            }
            _ => {}
        }
    }

    fn agent(&mut self, role: Role, level: Level) -> &mut Agent<'a> {
        match role {
            Role::Instructing => &mut self.message.instructing,
            Role::Instructed => &mut self.message.instructed,
            Role::Of(side) => &mut self.party(side, level).agent,
        }
    }

    fn party(&mut self, side: Side, level: Level) -> &mut Party<'a> {
        match side {
            Side::Debtor => &mut self.at(level).debtor,
            Side::Creditor => &mut self.at(level).creditor,
            Side::Initiator => &mut self.message.initiator,
        }
    }
}
