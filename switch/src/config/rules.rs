//! The rules: billers, routes, fees, limits, floats.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use router::fee::{Bearer, FeeBasis, FeeRule, FeeTiming};
use router::id::{BillerId, FloatRef, ParticipantId};
use router::message::{Originator, Rail};
use router::money::{Currency, Money};
use router::policy::{
    Biller, Float, FloatDebits, LimitRule, Measure, Participant, ParticipantStatus, Policy, Route,
    Scope, Window,
};
use router::reason::Reason;
use router::text::Text;

use super::acceptor;
use super::participant::{ParticipantConfig, ParticipantEntry};
use super::read::Section;
use super::zone::Zones;

/// A float to open at the first start.
#[derive(Debug, Clone)]
pub struct FloatConfig {
    /// The administrator's reference number.
    pub float_ref: FloatRef,
    /// Its opening balance.
    pub opening: Money,
}

/// The rules' view of one participant.
pub(super) fn participant(section: &mut Section<'_>, id: ParticipantId) -> Participant {
    let statuses =
        [("active", ParticipantStatus::Active), ("suspended", ParticipantStatus::Suspended)];
    Participant {
        id,
        currencies: currencies(section),
        status: section.choice("status", &statuses),
        net_debit_caps: section
            .tables("net_debit_caps", |cap| money_of(cap, "minor"))
            .into_iter()
            .flatten()
            .collect(),
    }
}

/// Reads everything a payment is planned by.
pub(super) fn read(
    root: &mut Section<'_>,
    entries: Vec<ParticipantEntry>,
    bill_retention: Option<Duration>,
) -> (Policy, Vec<FloatConfig>) {
    let participants: HashMap<ParticipantId, Participant> =
        entries.into_iter().map(|entry| (entry.rules.id, entry.rules)).collect();
    let mut billers: HashMap<BillerId, Biller> = HashMap::new();
    let mut zones = Zones::default();
    root.tables("billers", |section| {
        if let Some(biller) = biller(section, &mut zones) {
            if billers.contains_key(&biller.id) {
                section.mistake("id", format!("there is another biller `{}`", biller.id));
            }
            if ParticipantId::new(biller.id.as_str()).is_ok_and(|id| participants.contains_key(&id))
            {
                section.mistake("id", format!("`{}` is a participant's name already", biller.id));
            }
            if router::misplaced::find(biller.id.as_str()).is_some() {
                // Payments are found by it, and what looks like a card number is kept masked.
                section.mistake("id", "looks like a card number");
            }
            billers.insert(biller.id, biller);
        }
    });
    let routes = root.tables("routes", |section| route(section, &participants, &billers));
    let fees = root.tables("fees", |section| fee(section, &billers));
    let mut names: HashSet<Box<str>> = HashSet::new();
    let limits = root.tables("limits", |section| {
        let limit = limit(section, &billers)?;
        if !names.insert(limit.name.clone()) {
            section.mistake("name", format!("there is another limit `{}`", limit.name));
        }
        Some(limit)
    });
    let mut rules: HashMap<FloatRef, Float> = HashMap::new();
    let floats = root.tables("floats", |section| {
        let float_ref = section.required("ref");
        let opening = money_of(section, "opening_minor");
        let rule = float_rule(section, &participants, &billers);
        let float_ref = float_ref?;
        if rules.insert(float_ref, rule.clone()).is_some_and(|other| other != rule) {
            section.mistake("ref", format!("float `{float_ref}` has other owners elsewhere"));
        }
        Some(FloatConfig { float_ref, opening: opening? })
    });
    let policy = Policy {
        floats: rules,
        participants,
        billers,
        routes: routes.into(),
        fees: fees.into_iter().flatten().collect(),
        limits: limits.into_iter().flatten().collect(),
        bill_retention,
        version: 0,
    };
    (policy, floats.into_iter().flatten().collect())
}

/// Who may draw on a float.
fn float_rule(
    section: &mut Section<'_>,
    participants: &HashMap<ParticipantId, Participant>,
    billers: &HashMap<BillerId, Biller>,
) -> Float {
    let named = |name: &str| {
        let participant = ParticipantId::new(name).ok().filter(|id| participants.contains_key(id));
        let biller = BillerId::new(name).ok().filter(|id| billers.contains_key(id));
        participant.map(Originator::Participant).or(biller.map(Originator::Biller))
    };
    let known = |section: &Section<'_>, key: &str, name: &str| {
        let found = named(name);
        if found.is_none() {
            section.mistake(key, format!("there is no participant or biller `{name}`"));
        }
        found
    };
    let owner = section.text("owner").and_then(|name| known(section, "owner", &name));
    let drawers = section.texts("drawers");
    let drawers = drawers.iter().filter_map(|name| known(section, "drawers", name)).collect();
    Float { owner, drawers }
}

fn biller(section: &mut Section<'_>, zones: &mut Zones) -> Option<Biller> {
    let id = section.id("id");
    section.text("name");
    let zone = match section.text("time_zone") {
        Some(name) => zones.by_name(&name).unwrap_or_else(|| {
            section.mistake("time_zone", format!("`{name}` is not an IANA time zone"));
            Default::default()
        }),
        None => Default::default(),
    };
    let debits = [("total", FloatDebits::Total), ("amount", FloatDebits::Amount)];
    Some(Biller {
        currencies: currencies(section),
        rails: rails(section),
        zone,
        float_debits: section.choice("float_debits", &debits),
        acceptor: acceptor::read(section, None),
        id: id?,
    })
}

fn route(
    section: &mut Section<'_>,
    participants: &HashMap<ParticipantId, Participant>,
    billers: &HashMap<BillerId, Biller>,
) -> Route {
    let to: Vec<ParticipantId> = section.parsed_list("to");
    if to.is_empty() {
        section.mistake("to", "names no participant");
    }
    for id in to.iter().filter(|id| !participants.contains_key(*id)) {
        section.mistake("to", format!("there is no participant `{id}`"));
    }
    let card_prefixes = section.texts("card_prefixes");
    for prefix in &card_prefixes {
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(1..=6).contains(&prefix.len()) {
            section.mistake("card_prefixes", format!("`{prefix}` is not 1 to 6 digits"));
        }
    }
    Route {
        rails: rails(section),
        card_prefixes: card_prefixes.into_iter().map(Into::into).collect(),
        bank_codes: section.texts("bank_codes").into_iter().map(Into::into).collect(),
        billers: known_billers(section, billers),
        currencies: currencies(section),
        min_minor: section.integer("min_minor"),
        max_minor: section.integer("max_minor"),
        to,
    }
}

fn fee(section: &mut Section<'_>, billers: &HashMap<BillerId, Biller>) -> Option<FeeRule> {
    let label: Option<Text<24>> = section.required("label");
    let by_share = section.has("basis_points");
    let basis = if by_share == section.has("fixed_minor") {
        section.mistake("basis_points", "either basis_points or fixed_minor must be given");
        None
    } else if by_share {
        let basis_points = section.number("basis_points", 0..=10_000, 0);
        u32::try_from(basis_points).ok().map(|basis_points| FeeBasis::Share { basis_points })
    } else {
        money_of(section, "fixed_minor").map(FeeBasis::Fixed)
    };
    Some(FeeRule {
        billers: known_billers(section, billers),
        rails: rails(section),
        borne_by: section
            .choice("borne_by", &[("payer", Bearer::Payer), ("merchant", Bearer::Merchant)]),
        timing: section
            .choice("timing", &[("net", FeeTiming::Net), ("invoice", FeeTiming::Invoice)]),
        label: label?,
        basis: basis?,
    })
}

fn limit(section: &mut Section<'_>, billers: &HashMap<BillerId, Biller>) -> Option<LimitRule> {
    let name: Option<String> = section.required("name");
    let measure = measure(section);
    let default_reason = measure.as_ref().map_or(Reason::AmountOverLimit, default_reason);
    let reason = match section.text("reason") {
        None => default_reason,
        Some(code) => {
            Reason::ALL.into_iter().find(|reason| reason.info().code == code).unwrap_or_else(|| {
                section.mistake("reason", format!("`{code}` is not in the decline catalogue"));
                default_reason
            })
        }
    };
    Some(LimitRule {
        billers: known_billers(section, billers),
        rails: rails(section),
        products: section.parsed_list("products"),
        reason,
        name: name?.into(),
        measure: measure?,
    })
}

fn measure(section: &mut Section<'_>) -> Option<Measure> {
    match section.choice(
        "measure",
        &["amount", "count", "sum", "remaining_debt", "product_allowed", "repeated_operation"]
            .map(|word| (word, word)),
    ) {
        "amount" => {
            let min = section.has("min_minor").then(|| money_of(section, "min_minor")).flatten();
            let max = section.has("max_minor").then(|| money_of(section, "max_minor")).flatten();
            if min.is_none() && max.is_none() {
                section.mistake("measure", "`amount` needs min_minor or max_minor");
            }
            Some(Measure::Amount { min, max })
        }
        "count" => {
            let max = i64::try_from(section.number("max", 1..=1_000_000_000, 1)).ok()?;
            Some(Measure::Count { scope: scope(section), window: window(section), max })
        }
        "sum" => {
            let (scope, window) = (scope(section), window(section));
            Some(Measure::Sum { scope, window, max: money_of(section, "max_minor")? })
        }
        "remaining_debt" => {
            Some(Measure::RemainingDebt { must_leave: money_of(section, "must_leave_minor")? })
        }
        "product_allowed" => {
            Some(Measure::ProductAllowed { products: section.parsed_list("allowed") })
        }
        _ => Some(Measure::RepeatedOperation),
    }
}

fn default_reason(measure: &Measure) -> Reason {
    match measure {
        Measure::Amount { .. } => Reason::AmountOverLimit,
        Measure::Count { .. } => Reason::DailyCountExceeded,
        Measure::Sum { .. } => Reason::DailyAmountExceeded,
        Measure::RemainingDebt { .. } => Reason::MustLeaveBalance,
        Measure::ProductAllowed { .. } => Reason::ProductNotAllowed,
        Measure::RepeatedOperation => Reason::DuplicateTransaction,
    }
}

fn scope(section: &mut Section<'_>) -> Scope {
    let scopes = [
        ("client", Scope::Client),
        ("operator", Scope::Operator),
        ("terminal", Scope::Terminal),
        ("float", Scope::Float),
        ("biller", Scope::Biller),
        ("originator", Scope::Originator),
    ];
    section.choice("scope", &scopes)
}

fn window(section: &mut Section<'_>) -> Window {
    section.choice("window", &[("day", Window::Day), ("month", Window::Month)])
}

fn known_billers(section: &mut Section<'_>, billers: &HashMap<BillerId, Biller>) -> Vec<BillerId> {
    let named: Vec<BillerId> = section.parsed_list("billers");
    for id in named.iter().filter(|id| !billers.contains_key(*id)) {
        section.mistake("billers", format!("there is no biller `{id}`"));
    }
    named
}

fn rails(section: &mut Section<'_>) -> Vec<Rail> {
    let mut rails = Vec::new();
    for name in section.strs("rails") {
        match Rail::from_name(name) {
            Some(rail) => rails.push(rail),
            None => section.mistake("rails", format!("there is no rail `{name}`")),
        }
    }
    rails
}

fn currencies(section: &mut Section<'_>) -> Vec<Currency> {
    let mut currencies = Vec::new();
    for code in section.strs("currencies") {
        match Currency::from_code(code) {
            Some(currency) => currencies.push(currency),
            None => section.mistake("currencies", format!("`{code}` is not an ISO 4217 code")),
        }
    }
    currencies
}

/// Money from `<name>` in minor units and `currency` beside it.
fn money_of(section: &mut Section<'_>, name: &str) -> Option<Money> {
    let code = section.text("currency");
    let currency = code.as_deref().and_then(Currency::from_code);
    if currency.is_none() {
        section.mistake("currency", "an ISO 4217 code is expected");
    }
    let minor = section.integer(name);
    if minor.is_none() {
        section.mistake(name, "is missing");
    }
    let (minor, currency) = (minor?, currency?);
    if minor < 0 {
        section.mistake(name, "must not be negative");
        return None;
    }
    Some(Money::new(minor, currency))
}

/// The lines of the entries that were read.
pub(super) fn lines_of(entries: &[ParticipantEntry]) -> Vec<ParticipantConfig> {
    entries.iter().map(|entry| entry.lines.clone()).collect()
}
