//! The rules a payment is planned by, validated and ready to use: the originators that may
//! ask, the routes, the fees and the limits.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::fee::FeeRule;
use crate::id::{BillerId, FloatRef, ParticipantId, Product};
use crate::message::{Acceptor, Originator, Rail};
use crate::money::{Currency, Money};
use crate::reason::Reason;
use crate::rules::{Criteria, Rule, RuleList, sort};
use crate::time::Zone;

/// All rules of one configuration version.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Participants by id.
    pub participants: HashMap<ParticipantId, Participant>,
    /// Billers by id.
    pub billers: HashMap<BillerId, Biller>,
    /// Routes, best first; all that match are candidates, in this order.
    pub routes: RuleList<Route>,
    /// Fees, each itemised on its own; all that match apply.
    pub fees: RuleList<FeeRule>,
    /// Limits; all that match apply.
    pub limits: RuleList<LimitRule>,
    /// Collectors' floats by reference. No payment draws on a float that is not here.
    pub floats: HashMap<FloatRef, Float>,
    /// How long a bill is remembered after its last payment: a payment of a bill that is forgotten
    /// is taken as its first. None: for ever.
    pub bill_retention: Option<Duration>,
    /// Digest of these rules: it stands in each intent, so that an auditor can tell by which rules a
    /// payment was decided. 0 where there is none.
    pub version: u64,
}

/// A collector's float and the originators that may pay out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Float {
    /// Its owner; without an owner no payment draws on it.
    pub owner: Option<Originator>,
    /// Other originators that may draw on it.
    pub drawers: HashSet<Originator>,
}

impl Float {
    /// Whether an originator may pay out of it.
    pub fn may_be_drawn_on_by(&self, originator: &Originator) -> bool {
        self.owner.as_ref() == Some(originator) || self.drawers.contains(originator)
    }
}

/// What the rules need to know of a participant.
#[derive(Debug, Clone)]
pub struct Participant {
    /// Its id.
    pub id: ParticipantId,
    /// Currencies it may be asked in; empty means any.
    pub currencies: Vec<Currency>,
    /// Whether it may ask (as an acquirer) and be asked (as an issuer).
    pub status: ParticipantStatus,
    /// Most it may owe before it settles, per currency; each is an account `cap:<id>:<currency>`.
    pub net_debit_caps: Vec<Money>,
}

/// Whether a participant takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParticipantStatus {
    /// Takes part.
    Active,
    /// Everything from it is refused with `participant_suspended`, nothing is routed to it.
    Suspended,
}

/// What the rules need to know of a biller.
#[derive(Debug, Clone)]
pub struct Biller {
    /// Its id.
    pub id: BillerId,
    /// Currencies it takes; empty means any.
    pub currencies: Vec<Currency>,
    /// Rails it takes; empty means any.
    pub rails: Vec<Rail>,
    /// Whose calendar days its limits count; one value for all billers of a zone.
    pub zone: Arc<Zone>,
    /// What a collector's float loses.
    pub float_debits: FloatDebits,
    /// How it is presented to participants where a request of its own does not say.
    pub acceptor: Acceptor,
}

/// What a float loses at a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatDebits {
    /// The amount and the payer's fees: the collector has taken both in cash.
    Total,
    /// The amount alone.
    Amount,
}

/// Sends matching payments to a participant. An empty criterion matches everything.
#[derive(Debug, Clone)]
pub struct Route {
    /// Rails it is for.
    pub rails: Vec<Rail>,
    /// First digits of card numbers it is for, 1 to 6 of them. The configuration refuses longer
    /// ones: no more than six digits of a sealed card number can be seen.
    pub card_prefixes: Vec<Box<str>>,
    /// Payer's bank codes it is for.
    pub bank_codes: Vec<Box<str>>,
    /// Billers it is for.
    pub billers: Vec<BillerId>,
    /// Currencies it is for.
    pub currencies: Vec<Currency>,
    /// Least amount, in minor units.
    pub min_minor: Option<i64>,
    /// Greatest amount, in minor units.
    pub max_minor: Option<i64>,
    /// Participants to try, best first.
    pub to: Vec<ParticipantId>,
}

/// A limit on matching payments. An empty criterion matches everything.
#[derive(Debug, Clone)]
pub struct LimitRule {
    /// Its name in the configuration; part of its counters' names, so keep it stable.
    pub name: Box<str>,
    /// Billers it is for.
    pub billers: Vec<BillerId>,
    /// Rails it is for.
    pub rails: Vec<Rail>,
    /// Products it is for.
    pub products: Vec<Product>,
    /// The measure that is limited.
    pub measure: Measure,
    /// Said when it is passed. A rule with both a least and a greatest amount that says
    /// `amount_over_limit` says `amount_below_minimum` at the lower one.
    pub reason: Reason,
}

/// What a limit limits.
///
/// A limit in one currency says nothing of payments in another. A count or sum refuses a request
/// that does not name what it counts by: leaving a field out must not be a way around a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// The amount of one payment, inclusive bounds in minor units of a currency.
    Amount {
        /// Least.
        min: Option<Money>,
        /// Greatest.
        max: Option<Money>,
    },
    /// Payments per scope and window.
    Count {
        /// Counted per what.
        scope: Scope,
        /// Counted over how long.
        window: Window,
        /// Most.
        max: i64,
    },
    /// Sum of amounts per scope and window.
    Sum {
        /// Summed per what.
        scope: Scope,
        /// Summed over how long.
        window: Window,
        /// Most.
        max: Money,
    },
    /// Debt that must remain after the payment, where the request states the debt.
    RemainingDebt {
        /// Least that must stay owed.
        must_leave: Money,
    },
    /// Only these products may be paid; a request that names none is refused too.
    ProductAllowed {
        /// The list.
        products: Vec<Product>,
    },
    /// The same operator (terminal, where none is named), client, bill (where named) and amount on
    /// one day is a duplicate, not a second payment. Only a decline or a reversal allows it again
    /// that day.
    RepeatedOperation,
}

/// Per what a count or sum is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The biller's client (`client`), within the biller.
    Client,
    /// The operator at the terminal, within the originator.
    Operator,
    /// The terminal, within the originator.
    Terminal,
    /// The float.
    Float,
    /// The biller.
    Biller,
    /// The asking participant or biller.
    Originator,
}

/// Over how long a count or sum is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// A calendar day in the biller's zone (UTC without a biller).
    Day,
    /// A calendar month in the biller's zone.
    Month,
}

impl Rule for Route {
    fn criteria(&self) -> Criteria<'_> {
        Criteria {
            billers: &self.billers,
            rails: &self.rails,
            products: &[],
            currencies: &self.currencies,
            bank_codes: &self.bank_codes,
            card_prefixes: &self.card_prefixes,
            min_minor: self.min_minor,
            max_minor: self.max_minor,
        }
    }

    fn sort_criteria(&mut self) {
        sort(&mut self.billers);
        sort(&mut self.bank_codes);
        sort(&mut self.card_prefixes);
    }
}

impl Rule for LimitRule {
    fn criteria(&self) -> Criteria<'_> {
        let Self { billers, rails, products, .. } = self;
        Criteria { billers, rails, products, ..Criteria::default() }
    }

    fn sort_criteria(&mut self) {
        sort(&mut self.billers);
        sort(&mut self.products);
    }
}
