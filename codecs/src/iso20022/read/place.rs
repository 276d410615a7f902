//! What an element's leaves say something about.

use crate::iso20022::name::Name;

/// What the leaves right within an element say something about.
///
/// An element that is not named in [`Place::inner`] is passed through: its leaves count as its
/// parent's. So wrappers such as `PmtId`, `FinInstnId` or `Pty` need no line here, and versions
/// that differ in them read alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A wrapper, before header and body.
    Outside,
    /// The business header.
    Header,
    /// Who sends.
    HeaderFrom,
    /// Who is to receive.
    HeaderTo,
    /// The usage guideline that the header names.
    Practice,
    /// The message, its groups and its transaction.
    Body,
    /// `Assgnmt`.
    Assignment,
    /// A party.
    Party(Side),
    /// A party's telephone numbers.
    Contact(Side),
    /// A party's account.
    Account(Side),
    /// Another name for a party's account.
    Proxy(Side),
    /// A bank.
    Agent(Role),
    /// The clearing system whose member the bank is.
    Clearing(Role),
    /// The clearing system that settles.
    Settlement,
    /// Why, with explanations.
    Reason,
    /// Why, as a code.
    ReasonCode,
    /// What the money is for.
    Remittance,
    /// A code or a text in its stead.
    Coded(Name),
    /// A date, or a date with time.
    Dated(Name),
    /// An entry of a notification.
    Entry,
    /// Details of an entry.
    Details,
    /// The amounts that an entry's details are made of.
    Amounts,
    /// Transactions after the first, which are counted.
    Counted,
    /// Nothing the switch needs.
    Skip,
}

/// Which party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Debtor,
    Creditor,
    Initiator,
}

/// Which bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Of(Side),
    Instructing,
    Instructed,
}

impl Place {
    /// The place of an element within this one.
    pub(super) fn inner(self, name: Option<Name>) -> Self {
        use Name::*;
        let Some(name) = name else { return self.around_unknown() };
        match (self, name) {
            (Self::Skip | Self::Counted, _) => self,
            (Self::Header, Fr) => Self::HeaderFrom,
            (Self::Header, To) => Self::HeaderTo,
            (Self::Header, MktPrctc) => Self::Practice,
            // The header of another message.
            (Self::Header, Rltd) => Self::Skip,
            (_, SplmtryData | Sgntr | PstlAdr | BrnchId | SchmeNm) => Self::Skip,
            (Self::Header | Self::HeaderFrom | Self::HeaderTo, _) => self,
            (Self::Body | Self::Assignment | Self::Entry | Self::Details, _) => self.group(name),
            (Self::Party(side), CtctDtls) => Self::Contact(side),
            (Self::Account(side), Prxy) => Self::Proxy(side),
            (Self::Account(_), Ownr | Svcr | Tp) => Self::Skip,
            (Self::Agent(role), ClrSysId) => Self::Clearing(role),
            (Self::Reason, Rsn | StsRsn | RtrRsn | RvslRsn | CxlRsn) => Self::ReasonCode,
            (Self::Reason, AddtlInf | AddtlStsRsnInf | AddtlRtrRsnInf | AddtlRvslRsnInf) => self,
            (Self::Reason, _) => Self::Skip,
            (_, _) => self,
        }
    }

    /// The place of an element within this one whose name means nothing: a wrapper, but around a
    /// reason a statement of something else.
    fn around_unknown(self) -> Self {
        if self == Self::Reason { Self::Skip } else { self }
    }

    /// Within the message, its transaction, an entry or its details.
    fn group(self, name: Name) -> Self {
        use Name::*;
        match name {
            InitgPty | InstgAgt | InstdAgt if self.is_report() => Self::Skip,
            Dbtr => Self::Party(Side::Debtor),
            Cdtr => Self::Party(Side::Creditor),
            InitgPty => Self::Party(Side::Initiator),
            DbtrAcct => Self::Account(Side::Debtor),
            CdtrAcct => Self::Account(Side::Creditor),
            DbtrAgt => Self::Agent(Role::Of(Side::Debtor)),
            CdtrAgt => Self::Agent(Role::Of(Side::Creditor)),
            InstgAgt | Assgnr => Self::Agent(Role::Instructing),
            InstdAgt | Assgne => Self::Agent(Role::Instructed),
            Assgnmt => Self::Assignment,
            StsRsnInf | RtrRsnInf | CxlRsnInf | RvslRsnInf | CxlStsRsnInf | RtrInf => Self::Reason,
            RmtInf => Self::Remittance,
            ClrSys => Self::Settlement,
            Purp | CtgyPurp | LclInstrm | SvcLvl => Self::Coded(name),
            XpryDt | ReqdExctnDt => Self::Dated(name),
            BookgDt | ValDt | Sts if self == Self::Entry => Self::Dated(name),
            Ntry => Self::Entry,
            TxDtls if self == Self::Entry => Self::Details,
            AmtDtls if self == Self::Details => Self::Amounts,
            _ if is_beside(name) => Self::Skip,
            _ => self,
        }
    }

    /// Whether it is an entry of an account, or its details.
    fn is_report(self) -> bool {
        matches!(self, Self::Entry | Self::Details)
    }
}

/// Whether an element stands beside the transaction, or holds another one: balances, sums, charges,
/// taxes, reports to authorities, the customer's transfer beneath one between banks. Their amounts,
/// dates and parties have the names of the transaction's.
fn is_beside(name: Name) -> bool {
    use Name::*;
    matches!(
        name,
        Acct | AmtDtls
            | Avlbty
            | Bal
            | Btch
            | CardTx
            | Case
            | Chrgs
            | ChrgsInf
            | CrrctnTx
            | CshDpst
            | Intrst
            | NbOfTxsPerSts
            | RgltryRptg
            | RltdAcct
            | RltdRmtInf
            | RsltnRltdInf
            | Tax
            | TxsSummry
            | UndrlygCstmrCdtTrf
    )
}
