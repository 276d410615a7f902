//! Reversals that come before their originals: remembered for a while, so that an original which
//! still comes is refused.
//!
//! The reversal is made durable first and its original looked for afterwards; the original takes
//! its key first and is held against early reversals in the same step. So of two that come at the
//! same moment, on whichever lines or nodes, one meets the other.

use router::early::{EarlyReversal, kept_reference};
use router::message::{Original, Originator, ReversalRequest};
use router::payment::Payment;
use router::record::Record;
use router::text::Text;
use smallvec::SmallVec;
use storage::StoreError;

use crate::clock;
use crate::engine::{EarlyReversals, Engine};
use crate::original::{self, NamedPayment, Purpose};

/// The payment that a reversal names. Where there is none, the reversal is remembered.
///
/// Errors: the journal's. Cancel-safe: a dropped call either remembered the reversal or did not.
pub async fn find(
    engine: &Engine,
    request: &ReversalRequest,
) -> Result<Option<Payment>, StoreError> {
    let ReversalRequest { originator, original, trace, amount, .. } = request;
    let purpose = Purpose::Reversal;
    let named = NamedPayment { originator, original, trace, amount: *amount, purpose };
    if let Some(found) = original::look_exactly(engine, &named).await? {
        return Ok(Some(found));
    }
    remember(engine, request).await?;
    // An original that was taken before is seen now; any later one is refused.
    original::find(engine, &named).await
}

async fn remember(engine: &Engine, request: &ReversalRequest) -> Result<(), StoreError> {
    for early in said(request, &engine.early) {
        let counted = engine.early.count(&early);
        let result = counted.err().unwrap_or("remembered");
        metrics::counter!("cauce_early_reversals_total", "result" => result).increment(1);
        if counted.is_ok()
            && let Err(error) = engine.store.append(Record::EarlyReversal(early)).await
        {
            engine.early.forget(&early);
            return Err(error);
        }
    }
    Ok(())
}

/// What a reversal says of its original: by DE90; where that names no STAN, by DE37, and by the
/// reversal's own DE11 and DE7.
fn said(request: &ReversalRequest, kept: &EarlyReversals) -> SmallVec<[EarlyReversal; 2]> {
    let ReversalRequest { originator, original, trace, amount, .. } = request;
    let Originator::Participant(originator) = *originator else { return SmallVec::new() };
    let at = clock::now();
    let nothing = EarlyReversal {
        originator,
        at,
        until: kept.until(at),
        stan: None,
        rrn: Text::EMPTY,
        transmitted_at: Text::EMPTY,
        terminal: trace.terminal,
        amount: *amount,
    };
    if original.stan.is_some() {
        return [by_elements(original, nothing)].into_iter().collect();
    }
    let by_rrn = EarlyReversal { rrn: kept_reference(original.rrn), ..nothing };
    let (stan, transmitted_at) = (trace.stan, trace.transmitted_at);
    let by_itself = EarlyReversal { stan, transmitted_at, ..nothing };
    let both = [by_rrn, by_itself].into_iter();
    both.filter(|early| early.handle().is_some()).collect()
}

fn by_elements(original: &Original, nothing: EarlyReversal) -> EarlyReversal {
    // The DE7 of a repeat may be its own, and the original have another.
    let is_repeat = original.mti.as_bytes().last() == Some(&b'1');
    let transmitted_at = if is_repeat { Text::EMPTY } else { original.transmitted_at };
    EarlyReversal { stan: original.stan, transmitted_at, ..nothing }
}
