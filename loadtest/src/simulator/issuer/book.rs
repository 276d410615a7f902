//! What the simulated bank did: its own book of debits and reversals, and why a repeat gets the
//! answer it got before.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use router::text::Text;

use super::conduct::{Verdict, mix};
use crate::wire;

/// Enough that two lines rarely meet, and that no map grows for long while it is locked.
const SHARDS: usize = 256;

/// DE39 of a request that was already undone when it came.
const UNDONE_BEFORE: [u8; 2] = *b"17";
/// DE39 of another request under a reference that is taken.
const DUPLICATE: [u8; 2] = *b"94";
/// DE39 of a reversal or inquiry whose original is not known.
const NOT_FOUND: [u8; 2] = *b"25";
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
    /// Times the request came again.
    pub repeats: u16,
    /// The answer, DE39; none for a payment met with silence, or known by its reversal alone.
    pub answer: Option<[u8; 2]>,
}

/// One request, by what names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
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
    trace: u64,
}

/// The bank's book.
#[derive(Debug)]
pub(super) struct Book {
    payments: Vec<Mutex<Map<Entry>>>,
    traces: Vec<Mutex<Map<u64>>>,
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<Mixed>>;

impl Book {
    pub(super) fn new() -> Self {
        Self {
            payments: (0..SHARDS).map(|_| Mutex::default()).collect(),
            traces: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Decides a payment (0200, 0201), once.
    pub(super) fn pay(&self, named: Named<'_>, is_repeat: bool) -> Decision {
        let trace = trace_key(named.stan, named.transmitted_at);
        let key = key(named.rrn).unwrap_or(trace);
        let verdict = Verdict::of(named.amount_minor);
        let mut payments = lock(&self.payments, key);
        if let Some(entry) = payments.get_mut(&key) {
            return entry.again(named, trace, is_repeat);
        }
        payments.insert(key, Entry { effect: effect(named, verdict), verdict, trace });
        drop(payments);
        if key != trace {
            lock(&self.traces, trace).insert(trace, key);
        }
        Decision::New(verdict)
    }

    /// Undoes a payment, once, or what is not to stand of it, and gives the response code.
    ///
    /// A reversal that comes before its original is answered "not found" and remembered: the
    /// original is declined when it comes.
    pub(super) fn reverse(&self, named: Named<'_>, original: Option<Named<'_>>) -> [u8; 2] {
        let Some((key, _)) = self.find(named.rrn, original) else {
            self.forestall(named, original);
            return NOT_FOUND;
        };
        let mut payments = lock(&self.payments, key);
        let entry = payments.get_mut(&key).expect("invariant: entries are never removed");
        let effect = &mut entry.effect;
        if effect.debits > effect.reversals {
            let stands = named.stands_minor.unwrap_or(0);
            let given_back = effect.amount_minor.saturating_sub(stands);
            effect.given_back_minor = given_back.max(effect.given_back_minor);
            effect.reversals += u8::from(stands == 0);
        }
        APPROVED
    }

    /// What became of a payment: its response code as an inquiry is told it.
    pub(super) fn inquire(&self, rrn: &[u8], original: Option<Named<'_>>) -> [u8; 2] {
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

    fn find(&self, rrn: &[u8], original: Option<Named<'_>>) -> Option<(u64, Entry)> {
        let get = |key: u64| lock(&self.payments, key).get(&key).map(|entry| (key, *entry));
        if let Some(found) = key(rrn).and_then(get) {
            return Some(found);
        }
        let original = original?;
        let trace = trace_key(original.stan, original.transmitted_at);
        let key = lock(&self.traces, trace).get(&trace).copied().unwrap_or(trace);
        get(key)
    }

    fn forestall(&self, named: Named<'_>, original: Option<Named<'_>>) {
        let trace_of = |named: Named<'_>| trace_key(named.stan, named.transmitted_at);
        let trace = original.map_or_else(|| trace_of(named), trace_of);
        let key = key(named.rrn).unwrap_or(trace);
        let verdict = Verdict::Decline(UNDONE_BEFORE);
        let effect = Effect { answer: None, ..effect(named, verdict) };
        lock(&self.payments, key).insert(key, Entry { effect, verdict, trace });
        if key != trace {
            lock(&self.traces, trace).insert(trace, key);
        }
    }
}

impl Entry {
    fn again(&mut self, named: Named<'_>, trace: u64, is_repeat: bool) -> Decision {
        let was_forestalled = self.effect.answer.is_none() && !self.verdict.debits();
        if was_forestalled {
            self.effect.answer = Some(UNDONE_BEFORE);
            return Decision::Refused(UNDONE_BEFORE);
        }
        let is_same =
            self.effect.amount_minor == named.amount_minor && (is_repeat || self.trace == trace);
        if !is_same {
            return Decision::Refused(DUPLICATE);
        }
        self.effect.repeats = self.effect.repeats.saturating_add(1);
        Decision::Repeat(self.verdict)
    }
}

fn effect(named: Named<'_>, verdict: Verdict) -> Effect {
    let answer = match verdict {
        Verdict::Approve | Verdict::Late => Some(APPROVED),
        Verdict::Decline(code) => Some(code),
        Verdict::Silent => None,
    };
    Effect {
        rrn: text(named.rrn),
        stan: text(named.stan),
        amount_minor: named.amount_minor,
        currency: text(named.currency),
        debits: u8::from(verdict.debits()),
        reversals: 0,
        given_back_minor: 0,
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
mod tests {
    use super::*;

    fn payment(amount_minor: u64) -> Named<'static> {
        Named {
            rrn: b"000000000042",
            stan: b"000007",
            transmitted_at: b"1123211722",
            amount_minor,
            currency: b"484",
            stands_minor: None,
        }
    }

    fn only(book: &Book) -> Effect {
        let effects = book.effects();
        assert_eq!(effects.len(), 1);
        effects[0]
    }

    #[test]
    fn a_repeat_gets_the_same_answer_and_no_second_debit() {
        let book = Book::new();
        assert_eq!(book.pay(payment(1_000), false), Decision::New(Verdict::Approve));
        assert_eq!(book.pay(payment(1_000), true), Decision::Repeat(Verdict::Approve));
        assert_eq!((only(&book).debits, only(&book).repeats), (1, 1));
    }

    #[test]
    fn another_request_under_the_same_reference_is_refused() {
        let book = Book::new();
        book.pay(payment(1_000), false);
        assert_eq!(book.pay(payment(2_000), true), Decision::Refused(*b"94"));
        let other_trace = Named { stan: b"000008", ..payment(1_000) };
        assert_eq!(book.pay(other_trace, false), Decision::Refused(*b"94"));
        assert_eq!(only(&book).debits, 1);
    }

    #[test]
    fn a_reversal_finds_its_original_by_reference_or_by_trace_and_counts_once() {
        let book = Book::new();
        book.pay(payment(1_068), false);
        let undo = Named { stan: b"000009", ..payment(1_068) };
        assert_eq!(book.reverse(undo, None), *b"00");
        let by_trace = Named { rrn: b"", ..undo };
        assert_eq!(book.reverse(by_trace, Some(payment(1_068))), *b"00");
        assert_eq!((only(&book).debits, only(&book).reversals), (1, 1));
    }

    #[test]
    fn a_reversal_of_a_part_leaves_what_is_to_stand_however_often_it_comes() {
        let book = Book::new();
        book.pay(payment(1_000), false);
        for stands in [700, 700, 400] {
            let part = Named { stands_minor: Some(stands), ..payment(1_000) };
            assert_eq!(book.reverse(part, None), *b"00");
        }
        let effect = only(&book);
        assert_eq!((effect.debits, effect.reversals, effect.given_back_minor), (1, 0, 600));
        book.reverse(payment(1_000), None);
        let effect = only(&book);
        assert_eq!((effect.debits, effect.reversals, effect.given_back_minor), (1, 1, 1_000));
    }

    #[test]
    fn a_reversal_that_overtakes_its_original_makes_the_original_declined() {
        let book = Book::new();
        assert_eq!(book.reverse(payment(1_000), Some(payment(1_000))), *b"25");
        assert_eq!(book.pay(payment(1_000), false), Decision::Refused(*b"17"));
        assert_eq!(book.reverse(payment(1_000), Some(payment(1_000))), *b"00");
        assert_eq!((only(&book).debits, only(&book).reversals), (0, 0));
    }

    #[test]
    fn an_inquiry_tells_what_silence_hid() {
        let book = Book::new();
        assert_eq!(book.inquire(payment(0).rrn, None), *b"25");
        book.pay(payment(1_068), false);
        assert_eq!(book.inquire(payment(0).rrn, None), *b"00");
        book.reverse(payment(1_068), None);
        assert_eq!(book.inquire(payment(0).rrn, None), *b"17");
    }
}
