//! What the simulated bank did: its own book of debits and reversals, and why a repeat gets the
//! answer it got before.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use router::text::Text;

use crate::conduct::{Verdict, mix};
use crate::wire;

/// Enough that two lines rarely meet, and that no map grows for long while it is locked.
const SHARDS: usize = 256;

/// DE39 of a request that was already undone when it came.
const UNDONE_BEFORE: [u8; 2] = *b"17";
/// DE39 of another amount under a trace that is taken, or of a repeat of something else.
const DUPLICATE: [u8; 2] = *b"94";
/// DE39 of a reversal or inquiry whose original is not known.
const NOT_FOUND: [u8; 2] = *b"25";
/// DE39 of a refund that is more than what is left.
const TOO_MUCH: [u8; 2] = *b"13";
const APPROVED: [u8; 2] = *b"00";

/// What the bank holds of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Retrieval reference number (DE37) of the request; the switch's folio. Empty where the
    /// request had none.
    pub rrn: Text<12>,
    /// STAN of the request (DE11).
    pub stan: Text<6>,
    /// Amount in minor units.
    pub amount_minor: u64,
    /// Currency, ISO 4217 numeric, as digits.
    pub currency: Text<3>,
    /// Times money was taken: 0 or 1.
    pub debits: u8,
    /// Times it was given back: 0 or 1.
    pub reversals: u8,
    /// What was given back, in minor units: less than the amount where a part was reversed.
    pub given_back_minor: u64,
    /// What was given back by refunds, in minor units.
    pub refunded_minor: u64,
    /// Times the request came again.
    pub repeats: u16,
    /// The answer, DE39; none for a payment met with silence, or known by its reversal alone.
    pub answer: Option<[u8; 2]>,
}

/// The data elements of one request that the book goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestElements<'a> {
    /// DE37; empty where there is none.
    pub rrn: &'a [u8],
    /// DE11.
    pub stan: &'a [u8],
    /// DE7.
    pub transmitted_at: &'a [u8],
    /// DE4.
    pub amount_minor: u64,
    /// DE49.
    pub currency: &'a [u8],
    /// What is to stand (the first amount of DE95); none where the message has none.
    pub stands_minor: Option<u64>,
}

/// What the bank says to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// A first request, decided now.
    New(Verdict),
    /// It came before; the same answer as then, or the same silence.
    Repeat(Verdict),
    /// A refusal that has nothing to do with the amount.
    Refused([u8; 2]),
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    effect: Effect,
    verdict: Verdict,
    forestalled: Forestalled,
}

/// Whether the reversal of a payment came before the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forestalled {
    /// It did not.
    No,
    /// It did, and named the trace of the payment (DE90).
    ByTrace,
    /// It did, and named the reference of the payment (DE37) alone.
    ByReference,
}

/// The bank's book.
///
/// A payment is its trace (STAN and transmission time, DE11 and DE7), its reference (DE37) and its
/// amount together. None of them alone names one: a switch that starts with an empty data folder
/// gives its folios anew, and one that restarts may give its STANs anew within the same second.
#[derive(Debug)]
pub(super) struct Book {
    payments: Vec<Mutex<Map<Entry>>>,
    /// The key of the latest payment of a name: trace with reference, reference, trace.
    names: Vec<Mutex<Map<u64>>>,
    /// Refunds, by their traces: why a repeat gives nothing back again.
    refunds: Mutex<Map<Verdict>>,
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<Mixed>>;

impl Book {
    pub(super) fn new() -> Self {
        Self {
            payments: (0..SHARDS).map(|_| Mutex::default()).collect(),
            names: (0..SHARDS).map(|_| Mutex::default()).collect(),
            refunds: Mutex::default(),
        }
    }

    /// Decides a payment (0200, 0201), once.
    pub(super) fn pay(&self, request: RequestElements<'_>, is_repeat: bool) -> Decision {
        let key = request.key();
        if let Some(entry) = lock(&self.payments, key).get_mut(&key) {
            return entry.again(request);
        }
        if let Some(decision) = self.pay_by_name(request, is_repeat) {
            return decision;
        }
        let verdict = Verdict::of(request.amount_minor);
        let entry =
            Entry { effect: effect(request, verdict), verdict, forestalled: Forestalled::No };
        match lock(&self.payments, key).entry(key) {
            // Another line was faster with the same request.
            MapEntry::Occupied(mut taken) => return taken.get_mut().again(request),
            MapEntry::Vacant(free) => free.insert(entry),
        };
        self.name(request);
        Decision::New(verdict)
    }

    /// What an earlier message makes of a payment that has its name and is not word for word the
    /// same: the repeat of an earlier request, or a payment whose reversal came first.
    fn pay_by_name(&self, request: RequestElements<'_>, is_repeat: bool) -> Option<Decision> {
        let (exact, reference) = (self.look_up(request.exact()), self.look_up(request.reference()));
        for (earlier, forestalled) in
            [(exact, Forestalled::ByTrace), (reference, Forestalled::ByReference)]
        {
            let Some(earlier) = earlier else { continue };
            let mut payments = lock(&self.payments, earlier);
            let Some(entry) = payments.get_mut(&earlier) else { continue };
            if entry.forestalled == forestalled {
                let decision = entry.again(request);
                let moved = payments.remove(&earlier)?;
                drop(payments);
                let key = request.key();
                lock(&self.payments, key).insert(key, moved);
                self.name(request);
                return Some(decision);
            }
            if is_repeat {
                return Some(entry.again(request));
            }
        }
        None
    }

    /// Undoes a payment, once, or what is not to stand of it, and gives the response code.
    ///
    /// A reversal that comes before its original is answered "not found" and remembered: the
    /// original is declined when it comes.
    pub(super) fn reverse(
        &self,
        request: RequestElements<'_>,
        original: Option<RequestElements<'_>>,
    ) -> [u8; 2] {
        let Some((key, _)) = self.find(request.rrn, original) else {
            self.forestall(request, original);
            return NOT_FOUND;
        };
        let mut payments = lock(&self.payments, key);
        let Some(entry) = payments.get_mut(&key) else { return NOT_FOUND };
        let effect = &mut entry.effect;
        if effect.debits > effect.reversals {
            let stands = request.stands_minor.unwrap_or(0);
            let given_back = effect.amount_minor.saturating_sub(stands);
            effect.given_back_minor = given_back.max(effect.given_back_minor);
            effect.reversals += u8::from(stands == 0);
        }
        APPROVED
    }

    /// Gives money of a payment back by a refund (0200 with DE3 20), once for each trace; never more
    /// than is left of it.
    pub(super) fn refund(
        &self,
        request: RequestElements<'_>,
        original: Option<RequestElements<'_>>,
    ) -> Decision {
        let mut refunds = self.refunds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = refunds.get(&request.trace()) {
            return Decision::Repeat(*known);
        }
        let Some((key, _)) = self.find(request.rrn, original) else {
            return Decision::Refused(NOT_FOUND);
        };
        let verdict = Verdict::of(request.amount_minor);
        if let Some(entry) = lock(&self.payments, key).get_mut(&key).filter(|_| verdict.debits()) {
            let effect = &mut entry.effect;
            let is_undone = effect.debits <= effect.reversals;
            let gone = effect.given_back_minor + effect.refunded_minor + request.amount_minor;
            if is_undone || gone > effect.amount_minor {
                return Decision::Refused(TOO_MUCH);
            }
            effect.refunded_minor += request.amount_minor;
        }
        refunds.insert(request.trace(), verdict);
        Decision::New(verdict)
    }

    /// What became of a payment: its response code as an inquiry is told it.
    pub(super) fn inquire(&self, rrn: &[u8], original: Option<RequestElements<'_>>) -> [u8; 2] {
        let Some((_, entry)) = self.find(rrn, original) else { return NOT_FOUND };
        let is_undone = entry.effect.reversals > 0;
        match entry.verdict {
            Verdict::Decline(code) => code,
            Verdict::Approve | Verdict::Silent | Verdict::Late if is_undone => UNDONE_BEFORE,
            Verdict::Approve | Verdict::Silent | Verdict::Late => APPROVED,
        }
    }

    /// Everything the book holds, in no order.
    pub(super) fn effects(&self) -> Vec<Effect> {
        let shards = self.payments.iter();
        shards
            .flat_map(|shard| {
                let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                shard.values().map(|entry| entry.effect).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The payment that a message names: by the trace of the original (DE90) where it gives that,
    /// together with its reference where that is known here; else the latest one of the reference.
    fn find(&self, rrn: &[u8], original: Option<RequestElements<'_>>) -> Option<(u64, Entry)> {
        let get = |key: u64| lock(&self.payments, key).get(&key).map(|entry| (key, *entry));
        let by_reference = self.look_up(reference_name(rrn));
        let key = match original {
            None => by_reference,
            Some(original) => {
                let original = RequestElements { rrn, ..original };
                let exact = self.look_up(original.exact());
                // A reference that is known under other traces alone is of another payment.
                exact.or_else(|| match by_reference {
                    Some(_) => None,
                    None => self.look_up(Some(original.trace())),
                })
            }
        };
        key.and_then(get)
    }

    fn look_up(&self, name: Option<u64>) -> Option<u64> {
        let name = name?;
        lock(&self.names, name).get(&name).copied()
    }

    /// Lets a payment be found by each of its names.
    fn name(&self, request: RequestElements<'_>) {
        let names = [request.exact(), request.reference(), Some(request.trace())];
        for name in names.into_iter().flatten() {
            lock(&self.names, name).insert(name, request.key());
        }
    }

    fn forestall(&self, request: RequestElements<'_>, original: Option<RequestElements<'_>>) {
        let (of, forestalled) = match original {
            Some(original) => (original, Forestalled::ByTrace),
            None => (request, Forestalled::ByReference),
        };
        let of = RequestElements { rrn: request.rrn, amount_minor: request.amount_minor, ..of };
        let verdict = Verdict::Decline(UNDONE_BEFORE);
        let effect = Effect { answer: None, ..effect(request, verdict) };
        let key = of.key();
        lock(&self.payments, key).insert(key, Entry { effect, verdict, forestalled });
        self.name(of);
    }
}

impl RequestElements<'_> {
    /// The key of the payment.
    fn key(&self) -> u64 {
        let name = self.exact().unwrap_or_else(|| self.trace());
        mix(name ^ mix(self.amount_minor))
    }

    /// The name by trace and reference; none without a reference.
    fn exact(&self) -> Option<u64> {
        self.reference().map(|reference| mix(self.trace() ^ reference.rotate_left(29)))
    }

    /// The name by reference; none for an empty or blank one.
    fn reference(&self) -> Option<u64> {
        reference_name(self.rrn)
    }

    /// The name by trace.
    fn trace(&self) -> u64 {
        trace_key(self.stan, self.transmitted_at)
    }
}

fn reference_name(rrn: &[u8]) -> Option<u64> {
    key(rrn).map(|reference| mix(reference.rotate_left(7)))
}

impl Entry {
    /// The same request once more, or the original of a reversal that came first.
    fn again(&mut self, request: RequestElements<'_>) -> Decision {
        if self.forestalled != Forestalled::No {
            self.forestalled = Forestalled::No;
            self.effect.answer = Some(UNDONE_BEFORE);
            return Decision::Refused(UNDONE_BEFORE);
        }
        if self.effect.amount_minor != request.amount_minor {
            return Decision::Refused(DUPLICATE);
        }
        self.effect.repeats = self.effect.repeats.saturating_add(1);
        Decision::Repeat(self.verdict)
    }
}

fn effect(request: RequestElements<'_>, verdict: Verdict) -> Effect {
    let answer = match verdict {
        Verdict::Approve | Verdict::Late => Some(APPROVED),
        Verdict::Decline(code) => Some(code),
        Verdict::Silent => None,
    };
    Effect {
        rrn: text(request.rrn),
        stan: text(request.stan),
        amount_minor: request.amount_minor,
        currency: text(request.currency),
        debits: u8::from(verdict.debits()),
        reversals: 0,
        given_back_minor: 0,
        refunded_minor: 0,
        repeats: 0,
        answer,
    }
}

fn text<const MAX: usize>(bytes: &[u8]) -> Text<MAX> {
    Text::from_ascii(bytes).unwrap_or(Text::EMPTY)
}

/// The key of a reference; none for an empty or blank one.
pub(super) fn key(rrn: &[u8]) -> Option<u64> {
    if rrn.iter().all(|byte| *byte == b' ') {
        return None;
    }
    Some(wire::number(rrn).map_or_else(|| digest(rrn), mix))
}

/// The key of STAN and transmission time.
pub(super) fn trace_key(stan: &[u8], transmitted_at: &[u8]) -> u64 {
    mix(digest(stan) ^ digest(transmitted_at).rotate_left(17))
}

fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0x517C_C1B7_2722_0A95, |sum, byte| mix(sum ^ u64::from(*byte)))
}

fn lock<V>(shards: &[Mutex<Map<V>>], key: u64) -> MutexGuard<'_, Map<V>> {
    let shard = usize::try_from(key >> 40).unwrap_or(0) % SHARDS;
    shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keys are spread by [`mix`] already; hashing them again would be work for nothing.
#[derive(Debug, Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = digest(bytes);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests;
