//! At which level of a message something is said, and what the levels below take over.

use super::place::Place;
use crate::iso20022::canonical::{Account, Agent, Iso20022, Party, Reason, Transaction, Word};
use crate::iso20022::name::Name;

/// The level of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The message as a whole, and its group.
    Group,
    /// A payment information: what several transactions share.
    Information,
    /// The transaction.
    Transaction,
    /// What a transaction repeats of its original.
    Original,
    /// Details of an entry.
    Details,
}

/// What is said at the levels around the transaction, and of its original.
#[derive(Default)]
pub(super) struct Levels<'a> {
    pub group: Option<Box<Transaction<'a>>>,
    pub information: Option<Box<Information<'a>>>,
    /// The first payment information, when it has no transaction and others follow.
    first_information: Option<Box<Information<'a>>>,
    pub original: Option<Box<Transaction<'a>>>,
}

/// What is said of a payment information.
#[derive(Default)]
pub(super) struct Information<'a> {
    pub stated: Transaction<'a>,
    /// `OrgnlPmtInfId`.
    pub original_id: Word<'a>,
}

/// Whether an element is a transaction.
pub(super) fn is_transaction(name: Name) -> bool {
    use Name::{CdtTrfTx, CdtTrfTxInf, DrctDbtTxInf, Itm, TxInf, TxInfAndSts};
    matches!(name, CdtTrfTx | CdtTrfTxInf | DrctDbtTxInf | Itm | TxInf | TxInfAndSts)
}

/// Whether an element holds what several transactions share.
pub(super) fn is_information(name: Name) -> bool {
    use Name::{CdtInstr, OrgnlPmtInfAndCxl, OrgnlPmtInfAndRvsl, OrgnlPmtInfAndSts, PmtInf};
    matches!(name, CdtInstr | OrgnlPmtInfAndCxl | OrgnlPmtInfAndRvsl | OrgnlPmtInfAndSts | PmtInf)
}

impl<'a> Levels<'a> {
    /// A payment information begins, before there was any transaction.
    pub(super) fn begin_information(&mut self) {
        let ended = self.information.replace(Box::default());
        if self.first_information.is_none() {
            self.first_information = ended;
        }
    }

    /// Gives the transaction what the levels around it say.
    pub(super) fn settle(mut self, message: &mut Iso20022<'a>) {
        let has_transaction = message.transaction_count > 0;
        let information = match (has_transaction, self.first_information.take()) {
            (false, Some(first)) => Some(first),
            (_, _) => self.information.take(),
        };
        let stated = information.map(|information| {
            let Information { stated, original_id } = *information;
            if message.original.payment_info_id.is_none() {
                message.original.payment_info_id = original_id;
            }
            stated
        });
        // Without a transaction the message speaks for itself.
        if !has_transaction && let Some(group) = self.group.take() {
            message.transaction = *group;
        }
        let transaction = &mut message.transaction;
        for level in stated.into_iter().chain(self.group.map(|group| *group)) {
            transaction.take_status(&level.status, &level.reason);
            transaction.inherit(level);
        }
        if let Some(original) = self.original {
            let amount = original.amount.clone();
            transaction.inherit(*original);
            if let Some(amount) = amount {
                transaction.keep_amount(amount);
            }
        }
    }
}

impl<'a> Transaction<'a> {
    /// Takes over the status of the level around, where there is none yet, with its reason; a
    /// reason that was stated without a status of its own belongs to that of the level around.
    fn take_status(&mut self, status: &Word<'a>, reason: &Reason<'a>) {
        if self.status.is_some() {
            return;
        }
        self.status.clone_from(status);
        let is_reason_there = self.reason.code.is_some();
        if reason.code.is_some() && (status.is_some() || !is_reason_there) {
            self.reason.clone_from(reason);
        }
    }

    /// Takes over what holds for it too, where it says nothing of its own.
    fn inherit(&mut self, from: Self) {
        let words = [
            (&mut self.instr_id, from.instr_id),
            (&mut self.end_to_end_id, from.end_to_end_id),
            (&mut self.tx_id, from.tx_id),
            (&mut self.uetr, from.uetr),
            (&mut self.payment_info_id, from.payment_info_id),
            (&mut self.settlement_date, from.settlement_date),
            (&mut self.accepted, from.accepted),
            (&mut self.purpose, from.purpose),
            (&mut self.category_purpose, from.category_purpose),
            (&mut self.local_instrument, from.local_instrument),
            (&mut self.service_level, from.service_level),
            (&mut self.charge_bearer, from.charge_bearer),
            (&mut self.expires, from.expires),
            (&mut self.requested_date, from.requested_date),
        ];
        for (own, other) in words {
            if own.is_none() {
                *own = other;
            }
        }
        self.debtor.inherit(from.debtor);
        self.creditor.inherit(from.creditor);
        let texts = [&self.remittance, &self.creditor_reference, &self.document_number];
        if texts.iter().all(|text| text.is_none()) {
            self.remittance = from.remittance;
            self.creditor_reference = from.creditor_reference;
            self.document_number = from.document_number;
        }
    }
}

impl<'a> Party<'a> {
    /// Takes over a name with its identification, an account, a bank: each whole or not at all, so
    /// that no party is made of two.
    fn inherit(&mut self, from: Self) {
        let Party { name, id, phone, account, agent } = from;
        if self.name.is_none() && self.id.is_none() && self.phone.is_none() {
            (self.name, self.id, self.phone) = (name, id, phone);
        }
        if self.account == Account::default() {
            self.account = account;
        }
        if self.agent == Agent::default() {
            self.agent = agent;
        }
    }
}

impl Level {
    /// The level of an element within this one.
    pub(super) fn inner(self, place: Place, name: Option<Name>) -> Self {
        match (place, name) {
            (Place::Details, _) => Self::Details,
            (Place::Body, Some(name)) if is_transaction(name) => Self::Transaction,
            (Place::Body, Some(name)) if is_information(name) => Self::Information,
            (Place::Body, Some(Name::OrgnlTxRef)) => Self::Original,
            (_, _) => self,
        }
    }
}
