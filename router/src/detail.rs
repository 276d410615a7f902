//! What a limit says when it refuses: its own amount, count and window, in the reader's language.

use std::borrow::Cow;
use std::sync::LazyLock;

use smallvec::SmallVec;

use crate::money::Money;
use crate::policy::{Scope, Window};
use crate::reason::{Language, Reason};

static LIMITS: &str = include_str!("../data/limits.tsv");
static TEXTS: LazyLock<Vec<(&'static str, [&'static str; 5])>> = LazyLock::new(|| {
    let rows = LIMITS.lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|row| {
        let mut columns = row.split('\t');
        let name = columns.next().unwrap_or_default();
        let texts: Vec<&str> = columns.collect();
        (name, texts.try_into().expect("invariant: limits.tsv gives five texts"))
    })
    .collect()
});

/// What people need beyond the text of a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// The same in every language.
    Text(Box<str>),
    /// The limit that refused.
    Limit(BrokenLimit),
}

/// A limit that refused a payment, as far as its originator is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokenLimit {
    /// The greatest amount of one payment.
    Most(Money),
    /// The least amount of one payment.
    Least(Money),
    /// Payments per scope and window.
    Count {
        /// Most.
        max: i64,
        /// Counted per what.
        scope: Scope,
        /// Counted over how long.
        window: Window,
    },
    /// Sum of amounts per scope and window.
    Sum {
        /// Most.
        max: Money,
        /// Summed per what.
        scope: Scope,
        /// Summed over how long.
        window: Window,
    },
    /// What the originator may owe at most.
    NetDebit(Money),
    /// What of a bill may be paid: the highest amount that would be taken.
    Bill(Money),
    /// The debt that must remain.
    Remaining {
        /// Least that must stay owed.
        least: Money,
        /// The highest amount that would be taken.
        most: Money,
    },
    /// The products that may be paid, separated by commas.
    Products(Box<str>),
}

/// The limits behind the counters and holds of a reservation, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReservedLimits {
    /// One for each counter; none where the reason says all.
    pub counters: SmallVec<[Option<BrokenLimit>; 2]>,
    /// One for each hold; none where a balance is not to be told.
    pub holds: SmallVec<[Option<BrokenLimit>; 2]>,
}

impl Detail {
    /// The text for people.
    pub fn text(&self, language: Language) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Limit(limit) => Cow::Owned(limit.text(language)),
        }
    }

    /// The highest amount that would be taken of the bill, where it is the bill that refused.
    pub fn payable_now(&self) -> Option<Money> {
        match self {
            Self::Limit(BrokenLimit::Bill(most) | BrokenLimit::Remaining { most, .. }) => {
                Some(*most)
            }
            Self::Text(_)
            | Self::Limit(
                BrokenLimit::Most(_)
                | BrokenLimit::Least(_)
                | BrokenLimit::Count { .. }
                | BrokenLimit::Sum { .. }
                | BrokenLimit::NetDebit(_)
                | BrokenLimit::Products(_),
            ) => None,
        }
    }

    /// The limit that refused, where its text says all that the reason's own says, and more.
    pub fn limit_of(&self, reason: Reason) -> Option<&BrokenLimit> {
        match self {
            Self::Text(_) => None,
            Self::Limit(limit) => Some(limit).filter(|limit| limit.reason() == reason),
        }
    }
}

impl BrokenLimit {
    /// What it says, with its own figures.
    pub fn text(&self, language: Language) -> String {
        let row = |name: &str| text_of(name, language);
        let per = |text: &str, scope: Scope, window: Window| {
            text.replace("{window}", row(window_name(window)))
                .replace("{scope}", row(scope_name(scope)))
        };
        match self {
            Self::Most(amount) => row("most").replace("{amount}", &amount.to_string()),
            Self::Least(amount) => row("least").replace("{amount}", &amount.to_string()),
            Self::Count { max, scope, window } => {
                // In Romanian, twenty and more of something are "20 de plăți".
                let name = match max {
                    1 => "once",
                    _ if matches!(max % 100, 1..=19) => "count",
                    _ => "count_of_20",
                };
                per(row(name), *scope, *window).replace("{count}", &max.to_string())
            }
            Self::Sum { max, scope, window } => {
                per(row("sum"), *scope, *window).replace("{amount}", &max.to_string())
            }
            Self::NetDebit(cap) => row("net_debit").replace("{amount}", &cap.to_string()),
            Self::Bill(most) => row("bill").replace("{amount}", &most.to_string()),
            Self::Remaining { least, most } => row("remaining")
                .replace("{least}", &least.to_string())
                .replace("{amount}", &most.to_string()),
            Self::Products(products) => row("products").replace("{products}", products),
        }
    }

    /// What a limit says that was broken with so much left below it: of a bill, what may still be
    /// paid; nothing of one that is paid.
    pub fn with_left(self, left_minor: Option<i64>) -> Option<Self> {
        match (self, left_minor) {
            (Self::Bill(_), None | Some(..=0)) => None,
            (Self::Bill(most), Some(minor)) => Some(Self::Bill(Money::new(minor, most.currency))),
            (other, _) => Some(other),
        }
    }

    /// The reason that says this, unless the rule has another.
    fn reason(&self) -> Reason {
        match self {
            Self::Most(_) => Reason::AmountOverLimit,
            Self::Least(_) => Reason::AmountBelowMinimum,
            Self::Count { .. } => Reason::DailyCountExceeded,
            Self::Sum { .. } => Reason::DailyAmountExceeded,
            Self::NetDebit(_) => Reason::NetDebitCapExceeded,
            Self::Bill(_) => Reason::AmountMismatch,
            Self::Remaining { .. } => Reason::MustLeaveBalance,
            Self::Products(_) => Reason::ProductNotAllowed,
        }
    }
}

fn text_of(name: &str, language: Language) -> &'static str {
    let row = TEXTS.iter().find(|(known, _)| *known == name);
    let texts = row.expect("invariant: limits.tsv has every name").1;
    match language {
        Language::Es => texts[0],
        Language::Ro => texts[1],
        Language::It => texts[2],
        Language::En => texts[3],
        Language::Pt => texts[4],
    }
}

fn window_name(window: Window) -> &'static str {
    match window {
        Window::Day => "day",
        Window::Month => "month",
    }
}

fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Client => "client",
        Scope::Operator => "operator",
        Scope::Terminal => "terminal",
        Scope::Float => "float",
        Scope::Biller => "biller",
        Scope::Originator => "originator",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pesos;

    const LANGUAGES: [Language; 5] =
        [Language::Es, Language::Ro, Language::It, Language::En, Language::Pt];
    const SCOPES: [Scope; 6] = [
        Scope::Client,
        Scope::Operator,
        Scope::Terminal,
        Scope::Float,
        Scope::Biller,
        Scope::Originator,
    ];

    fn check(limit: &BrokenLimit, expect: [&str; 5]) {
        assert_eq!(LANGUAGES.map(|language| limit.text(language)), expect);
    }

    #[test]
    fn a_count_says_how_many_per_what_and_in_which_time() {
        let count = |max, scope, window| BrokenLimit::Count { max, scope, window };
        check(
            &count(1, Scope::Client, Window::Day),
            [
                "Solo 1 pago por día por cliente",
                "O singură plată pe zi per client",
                "Un solo pagamento al giorno per cliente",
                "One payment per day per customer",
                "Um pagamento por dia por cliente",
            ],
        );
        let three = count(3, Scope::Operator, Window::Month);
        assert_eq!(three.text(Language::En), "At most 3 payments per month per operator");
        assert_eq!(three.text(Language::Es), "Máximo 3 pagos por mes por operador");
        let twenty = count(20, Scope::Biller, Window::Day);
        assert_eq!(twenty.text(Language::Ro), "Maximum 20 de plăți pe zi per emitent");
    }

    #[test]
    fn an_amount_says_itself() {
        assert_eq!(
            BrokenLimit::Most(pesos(12_345)).text(Language::It),
            "Massimo 123.45 MXN per operazione"
        );
        let sum = BrokenLimit::Sum { max: pesos(500), scope: Scope::Float, window: Window::Month };
        assert_eq!(sum.text(Language::En), "At most 5.00 MXN per month per float");
        let debt = BrokenLimit::Remaining { least: pesos(100), most: pesos(49_900) };
        assert_eq!(
            debt.text(Language::Es),
            "Debe quedar al menos 1.00 MXN; se aceptan hasta 499.00 MXN"
        );
    }

    #[test]
    fn no_text_leaves_a_place_unfilled() {
        let limits = SCOPES.into_iter().flat_map(|scope| {
            [Window::Day, Window::Month].into_iter().flat_map(move |window| {
                [1, 2, 20].map(|max| BrokenLimit::Count { max, scope, window }).into_iter().chain([
                    BrokenLimit::Sum { max: pesos(1), scope, window },
                    BrokenLimit::Most(pesos(1)),
                    BrokenLimit::Least(pesos(1)),
                    BrokenLimit::NetDebit(pesos(1)),
                    BrokenLimit::Remaining { least: pesos(1), most: pesos(2) },
                    BrokenLimit::Products("a, b".into()),
                ])
            })
        });
        for limit in limits {
            for text in LANGUAGES.map(|language| limit.text(language)) {
                assert!(!text.contains(['{', '}']) && text.len() < 99, "{text}");
            }
        }
    }
}
