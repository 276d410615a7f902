//! The payment that a reversal or inquiry names.
//!
//! Messages name it in several ways. They are tried in this order, and each counts only where it
//! leads to exactly one payment of the same asker, at the same terminal where DE41 is there:
//!
//! 1. the folio in DE48 tag 10;
//! 2. STAN and DE7 in DE90;
//! 3. DE37, the RRN of the request or the folio of its answer;
//! 4. the STAN in DE90, where DE7 is zeros there or a repeat's (x1), at the terminal in DE41;
//! 5. the message's own DE11 and DE7, where DE90 names no STAN;
//! 6. the terminal in DE41, where nothing else names anything.
//!
//! A STAN in DE90 holds for the third way, too. Where a way leads to several, an amount, an RRN and
//! an acquirer (DE90) that the message has choose among them; the fourth and the sixth way do not
//! lead to a payment of another amount at all.

use router::id::Folio;
use router::message::{Asker, Original, Trace};
use router::misplaced::kept_rrn;
use router::money::Money;
use router::payment::Payment;
use router::time::Timestamp;
use storage::StoreError;
use storage::view::NamedBy;

use crate::clock;
use crate::engine::Engine;

/// How far back payments are looked for by terminal and RRN: as long as keys are remembered.
const RECENT_MICROS: i64 = 48 * 3_600_000_000;
/// DE7 has no year: of one trace, only the payments of the half year before the latest count.
const TRACE_MS: i64 = 180 * 86_400_000;
/// Most payments of one terminal or RRN that are looked at, the newest first.
const CANDIDATES_MAX: usize = 256;

/// What a message says of the payment it means.
#[derive(Debug, Clone, Copy)]
pub struct NamedPayment<'a> {
    /// Who asks; only its own payments are found.
    pub asker: &'a Asker,
    /// DE90, DE48 tag 10 and DE37.
    pub original: &'a Original,
    /// The message's own data elements.
    pub trace: &'a Trace,
    /// DE4 and DE49, where the message has them.
    pub amount: Option<Money>,
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
    /// Those that look at one row.
    const EXACT: [Self; 3] = [Self::Folio, Self::Whole, Self::Itself];
}

/// The payment a message names, also one that is only about to be seen.
///
/// Errors: the journal's. Cancel-safe: it only reads.
pub async fn find(
    engine: &Engine,
    named: &NamedPayment<'_>,
) -> Result<Option<Payment>, StoreError> {
    if let Some(found) = look(engine, named).await? {
        return Ok(Some(found));
    }
    // The message may have overtaken what it names.
    engine.store.settled().await?;
    for pause in engine.store.pauses_between_looks() {
        if let Some(found) = by_ways(engine, named, &Way::EXACT).await? {
            return Ok(Some(found));
        }
        tokio::time::sleep(pause).await;
    }
    look(engine, named).await
}

/// The payment a message names, among those that can be seen now.
///
/// Errors: the journal's. Cancel-safe: it only reads.
pub async fn look(
    engine: &Engine,
    named: &NamedPayment<'_>,
) -> Result<Option<Payment>, StoreError> {
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
        let Asker::Participant(asker) = *self.asker else {
            return self.of_folio(engine, self.original.folio.as_str()).await;
        };
        let (original, trace) = (self.original, self.trace);
        let stan_and_time = original.stan.filter(|_| !original.transmitted_at.is_empty());
        let by = match way {
            Way::Folio => return self.of_folio(engine, original.folio.as_str()).await,
            Way::Whole => {
                stan_and_time.map(|stan| NamedBy::Trace(asker, stan, original.transmitted_at))
            }
            Way::Reference if original.rrn.is_empty() => None,
            Way::Reference => {
                let mut found = self.of_folio(engine, original.rrn.as_str()).await?;
                found.extend(self.recent(engine, NamedBy::Rrn(asker, original.rrn)).await?);
                if let Some(kept) = kept_rrn(&original.rrn) {
                    found.extend(self.recent(engine, NamedBy::Rrn(asker, kept)).await?);
                }
                return Ok(found);
            }
            Way::Stan => self.has_stan_alone().then_some(NamedBy::Terminal(asker, trace.terminal)),
            Way::Itself => trace
                .stan
                .filter(|_| original.stan.is_none())
                .map(|stan| NamedBy::Trace(asker, stan, trace.transmitted_at)),
            Way::Terminal => {
                self.has_terminal_alone().then_some(NamedBy::Terminal(asker, trace.terminal))
            }
        };
        match by {
            Some(by @ NamedBy::Trace(..)) => {
                let all = Timestamp(0);
                engine.store.payments_named(by, all, CANDIDATES_MAX).await
            }
            Some(by) => self.recent(engine, by).await,
            None => Ok(Vec::new()),
        }
    }

    async fn of_folio(&self, engine: &Engine, folio: &str) -> Result<Vec<Payment>, StoreError> {
        let Ok(folio) = folio.parse::<Folio>() else { return Ok(Vec::new()) };
        Ok(engine.store.payment_of_folio_now(folio).await?.into_iter().collect())
    }

    async fn recent(&self, engine: &Engine, by: NamedBy) -> Result<Vec<Payment>, StoreError> {
        let since = clock::now().plus_micros(-RECENT_MICROS);
        engine.store.payments_named(by, since, CANDIDATES_MAX).await
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
        let is_own = request.asker == *self.asker;
        let is_there = terminal.is_empty() || *terminal == request.trace.terminal;
        let has_stan = original.stan.is_none() || original.stan == request.trace.stan;
        let has_amount = self.amount.is_none_or(|amount| amount == request.amount);
        is_own
            && is_there
            && match way {
                Way::Folio | Way::Whole | Way::Itself => true,
                Way::Reference => has_stan,
                Way::Stan | Way::Terminal => has_stan && has_amount,
            }
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
