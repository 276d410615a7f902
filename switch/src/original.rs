//! The payment that a reversal or inquiry names.
//!
//! Messages name it in several ways. They are tried in this order, and each counts only where it
//! leads to exactly one payment of the same originator, at the same terminal where DE41 is there:
//!
//! 1. the folio in DE48 tag 10;
//! 2. STAN and DE7 in DE90;
//! 3. DE37, the RRN of the request or the folio of its answer;
//! 4. the STAN in DE90, where DE7 is zeros there or a repeat's (x1), at the terminal in DE41;
//! 5. the message's own DE11 and DE7, where DE90 names no STAN;
//! 6. the terminal in DE41, where nothing else names anything, and only to a payment of the last
//!    minutes whose amount a reversal repeats.
//!
//! STAN and DE7 in DE90 hold for the third way, too. Where a way leads to several, an amount, an RRN
//! and an acquirer (DE90) that the message has choose among them; the third, the fourth and the
//! sixth way do not lead to a payment of another amount at all. More candidates than are looked at
//! name nothing.

use router::id::Folio;
use router::message::{Original, Originator, Trace};
use router::misplaced::kept_rrn;
use router::money::Money;
use router::payment::Payment;
use router::time::Timestamp;
use storage::StoreError;
use storage::view::NamedBy;

use crate::clock;
use crate::config::ORIGINAL_WITHIN_MICROS;
use crate::engine::Engine;

/// How far back a payment is looked for that is named by its terminal alone: as long as an
/// originator may take to give one up.
const TERMINAL_ALONE_MICROS: i64 = 10 * 60_000_000;
/// DE7 has no year: of one trace, only the payments of the half year before the latest count.
const TRACE_MS: i64 = 180 * 86_400_000;
/// How far ahead of this node's clock an id may be.
const AHEAD_MICROS: i64 = 15 * 60_000_000;
/// Most payments of one terminal or RRN that are looked at, the newest first.
const CANDIDATES_MAX: usize = 256;

/// What a message says of the payment it means.
#[derive(Debug, Clone, Copy)]
pub struct NamedPayment<'a> {
    /// Who asks; only its own payments are found.
    pub originator: &'a Originator,
    /// DE90, DE48 tag 10 and DE37.
    pub original: &'a Original,
    /// The message's own data elements.
    pub trace: &'a Trace,
    /// DE4 and DE49, where the message has them.
    pub amount: Option<Money>,
    /// What the message wants of the payment.
    pub purpose: Purpose,
}

/// What a message wants of the payment it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be told of it; nothing changes.
    Inquiry,
    /// To have it undone: a terminal alone names it only where the amount is repeated.
    Reversal,
}

/// The ways, in the order they are tried in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Folio,
    Whole,
    Reference,
    Stan,
    Itself,
    Terminal,
}

impl Way {
    const ALL: [Self; 6] =
        [Self::Folio, Self::Whole, Self::Reference, Self::Stan, Self::Itself, Self::Terminal];
    /// The first two, which no other payment can answer to.
    const EXACT: [Self; 2] = [Self::Folio, Self::Whole];
}

/// The payment a message names, also one that is only about to be seen.
///
/// Errors: the journal's. Cancel-safe: it only reads.
pub async fn find(
    engine: &Engine,
    named: &NamedPayment<'_>,
) -> Result<Option<Payment>, StoreError> {
    // What names one payment alone comes first, also where the message has overtaken it.
    if let Some(found) = look_exactly(engine, named).await? {
        return Ok(Some(found));
    }
    engine.store.settled().await?;
    for pause in engine.store.pauses_between_looks() {
        if let Some(found) = by_ways(engine, named, &Way::EXACT).await? {
            return Ok(Some(found));
        }
        tokio::time::sleep(pause).await;
    }
    look(engine, named).await
}

/// The payment a message names by what no other payment has, among those that can be seen now.
///
/// Errors: the journal's. Cancel-safe: it only reads.
pub async fn look_exactly(
    engine: &Engine,
    named: &NamedPayment<'_>,
) -> Result<Option<Payment>, StoreError> {
    by_ways(engine, named, &Way::EXACT).await
}

/// The payment a message names, among those that can be seen now.
///
/// Errors: the journal's. Cancel-safe: it only reads.
async fn look(engine: &Engine, named: &NamedPayment<'_>) -> Result<Option<Payment>, StoreError> {
    by_ways(engine, named, &Way::ALL).await
}

async fn by_ways(
    engine: &Engine,
    named: &NamedPayment<'_>,
    ways: &[Way],
) -> Result<Option<Payment>, StoreError> {
    for way in ways {
        let candidates = named.candidates(engine, *way).await?;
        if let Some(only) = named.only_of(candidates, *way) {
            return Ok(Some(only));
        }
    }
    Ok(None)
}

impl NamedPayment<'_> {
    /// The payments that a way leads to, of whomever; the newest first.
    async fn candidates(&self, engine: &Engine, way: Way) -> Result<Vec<Payment>, StoreError> {
        let Originator::Participant(originator) = *self.originator else {
            return self.of_folio(engine, self.original.folio.as_str()).await;
        };
        let (original, trace) = (self.original, self.trace);
        let stan_and_time = original.stan.filter(|_| !original.transmitted_at.is_empty());
        let by = match way {
            Way::Folio => return self.of_folio(engine, original.folio.as_str()).await,
            Way::Whole => {
                stan_and_time.map(|stan| NamedBy::Trace(originator, stan, original.transmitted_at))
            }
            Way::Reference if original.rrn.is_empty() => None,
            Way::Reference => {
                let mut found = self.of_folio(engine, original.rrn.as_str()).await?;
                found.extend(self.recent(engine, NamedBy::Rrn(originator, original.rrn)).await?);
                if let Some(kept) = kept_rrn(&original.rrn) {
                    found.extend(self.recent(engine, NamedBy::Rrn(originator, kept)).await?);
                }
                return Ok(found);
            }
            Way::Stan => {
                self.has_stan_alone().then_some(NamedBy::Terminal(originator, trace.terminal))
            }
            Way::Itself => trace
                .stan
                .filter(|_| original.stan.is_none())
                .map(|stan| NamedBy::Trace(originator, stan, trace.transmitted_at)),
            Way::Terminal => {
                self.has_terminal_alone().then_some(NamedBy::Terminal(originator, trace.terminal))
            }
        };
        match by {
            Some(by @ NamedBy::Trace(..)) => {
                let all = Timestamp(0)..=Timestamp(i64::MAX);
                engine.store.payments_named(by, all, CANDIDATES_MAX).await
            }
            Some(by) if way == Way::Terminal => self.since(engine, by, TERMINAL_ALONE_MICROS).await,
            Some(by) => self.recent(engine, by).await,
            None => Ok(Vec::new()),
        }
    }

    async fn of_folio(&self, engine: &Engine, folio: &str) -> Result<Vec<Payment>, StoreError> {
        let Ok(folio) = folio.parse::<Folio>() else { return Ok(Vec::new()) };
        Ok(engine.store.payment_of_folio_now(folio).await?.into_iter().collect())
    }

    async fn recent(&self, engine: &Engine, by: NamedBy) -> Result<Vec<Payment>, StoreError> {
        self.since(engine, by, ORIGINAL_WITHIN_MICROS).await
    }

    /// The payments of the last so many microseconds; none where there are more than are looked at.
    async fn since(
        &self,
        engine: &Engine,
        by: NamedBy,
        micros: i64,
    ) -> Result<Vec<Payment>, StoreError> {
        let now = clock::now();
        // Ids of other nodes may be ahead of this clock.
        let within = now.plus_micros(-micros)..=now.plus_micros(AHEAD_MICROS);
        let found = engine.store.payments_named(by, within, CANDIDATES_MAX).await?;
        Ok(if found.len() < CANDIDATES_MAX { found } else { Vec::new() })
    }

    /// Whether DE90 names a STAN whose DE7 is not known, or is a repeat's own.
    fn has_stan_alone(&self) -> bool {
        let Original { mti, stan, transmitted_at, .. } = self.original;
        let is_repeat = mti.as_bytes().last() == Some(&b'1');
        stan.is_some()
            && (transmitted_at.is_empty() || is_repeat)
            && !self.trace.terminal.is_empty()
    }

    fn has_terminal_alone(&self) -> bool {
        let Original { stan, folio, rrn, .. } = self.original;
        let names_nothing = stan.is_none() && folio.is_empty() && rrn.is_empty();
        names_nothing && !self.trace.terminal.is_empty()
    }

    /// The one payment that agrees with the message; none where several do.
    fn only_of(&self, mut candidates: Vec<Payment>, way: Way) -> Option<Payment> {
        candidates.sort_by_key(|payment| std::cmp::Reverse(payment.id));
        candidates.dedup_by_key(|payment| payment.id);
        candidates.retain(|payment| self.may_be(payment, way));
        let newest_ms = candidates.first()?.id.unix_ms();
        candidates.retain(|payment| newest_ms - payment.id.unix_ms() < TRACE_MS);
        let says: [fn(&Self, &Payment) -> bool; 3] =
            [Self::has_amount_of, Self::has_rrn_of, Self::has_acquirer_of];
        for says in says {
            if candidates.len() > 1 && candidates.iter().any(|payment| says(self, payment)) {
                candidates.retain(|payment| says(self, payment));
            }
        }
        candidates.pop().filter(|_| candidates.is_empty())
    }

    fn may_be(&self, payment: &Payment, way: Way) -> bool {
        let request = &payment.request;
        let (terminal, original) = (&self.trace.terminal, self.original);
        let is_own = request.originator == *self.originator;
        let is_there = terminal.is_empty() || *terminal == request.trace.terminal;
        let has_stan = original.stan.is_none() || original.stan == request.trace.stan;
        let has_amount = self.amount.is_none_or(|amount| amount == request.amount);
        // A repeat has a DE7 of its own.
        let has_time = original.transmitted_at.is_empty()
            || original.mti.as_bytes().last() == Some(&b'1')
            || original.transmitted_at == request.trace.transmitted_at;
        is_own
            && is_there
            && match way {
                Way::Folio | Way::Whole | Way::Itself => true,
                Way::Reference => has_stan && has_time && (has_amount || self.is_folio_of(payment)),
                Way::Stan => has_stan && has_amount,
                Way::Terminal => match self.purpose {
                    Purpose::Inquiry => has_amount,
                    Purpose::Reversal => self.has_amount_of(payment),
                },
            }
    }

    fn is_folio_of(&self, payment: &Payment) -> bool {
        self.original.rrn.as_str().parse() == Ok(payment.folio)
    }

    fn has_amount_of(&self, payment: &Payment) -> bool {
        self.amount == Some(payment.request.amount)
    }

    fn has_rrn_of(&self, payment: &Payment) -> bool {
        let (rrn, stored) = (self.original.rrn, payment.request.trace.rrn);
        !rrn.is_empty() && (rrn == stored || kept_rrn(&rrn) == Some(stored))
    }

    fn has_acquirer_of(&self, payment: &Payment) -> bool {
        let acquirer = payment.request.trace.acquirer.as_str().trim_start_matches('0');
        !acquirer.is_empty() && self.original.acquirer.as_str() == acquirer
    }
}
