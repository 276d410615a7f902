//! How early reversals, and the requests that they may name, are written for the functions.

use router::early::{EarlyReversal, Handle};
use router::message::PaymentRequest;
use router::money::Money;

use crate::pack::{self, PackedArray};

/// What the functions take of one early reversal: by what it is looked up, until, DE7, terminal,
/// amount. None where it names nothing.
pub(crate) fn arguments(early: &EarlyReversal) -> Option<[Vec<u8>; 5]> {
    let texts = [
        pack::instant(early.until),
        early.transmitted_at.as_str().to_owned(),
        early.terminal.as_str().to_owned(),
        early.amount.map(amount).unwrap_or_default(),
    ];
    let [until, transmitted_at, terminal, amount] = texts.map(String::into_bytes);
    let handle = handle(&early.handle()?);
    Some([handle, until, transmitted_at, terminal, amount])
}

/// What an early reversal may name a request by; nothing for a merchant's.
pub(crate) fn name(request: &PaymentRequest) -> Vec<u8> {
    let handles = EarlyReversal::handles_of(request);
    if handles.iter().all(Option::is_none) {
        return Vec::new();
    }
    let mut list = PackedArray::default();
    for by in &handles {
        list.text(&by.as_ref().map(handle).unwrap_or_default());
    }
    let trace = &request.trace;
    // A repeat may have a DE7 of its own.
    list.text(if trace.is_repeat() { b"" } else { trace.transmitted_at.as_bytes() });
    list.text(trace.terminal.as_bytes());
    list.text(amount(request.amount).as_bytes());
    list.packed()
}

fn handle(handle: &Handle) -> Vec<u8> {
    match handle {
        Handle::Stan(originator, stan) => format!("s{stan}{originator}").into_bytes(),
        Handle::Rrn(originator, rrn) => format!("r{rrn} {originator}").into_bytes(),
    }
}

fn amount(Money { minor, currency }: Money) -> String {
    format!("{} {minor}", currency.numeric())
}
