//! How what a function takes is written: MessagePack for lists, decimal text for numbers.

use router::id::{AccountId, PaymentId};
use router::message::Fingerprint;
use router::money::Currency;
use router::reservation::{ClaimOwner, Keep};
use router::time::Timestamp;

/// Beyond this a Lua number is no longer every integer. In microseconds it is the year 2255.
const INSTANT_MAX: i64 = (1 << 53) - 1;

/// Since when payments may be what a request repeats, in milliseconds; empty where its key alone
/// counts.
pub(crate) fn since(day_began: Option<Timestamp>) -> String {
    day_began.map_or(String::new(), |at| at.millis().to_string())
}

/// A MessagePack array being written; its length is known at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PackedArray {
    len: u32,
    bytes: Vec<u8>,
}

impl PackedArray {
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn text(&mut self, text: &[u8]) {
        self.len += 1;
        put_text(text, &mut self.bytes);
    }

    pub fn number(&mut self, value: i64) {
        self.text(value.to_string().as_bytes());
    }

    pub fn position(&mut self, sequence: u64) {
        self.len += 1;
        self.bytes.push(0xcf);
        self.bytes.extend_from_slice(&within_lane(sequence).to_be_bytes());
    }

    pub fn mark(&mut self) {
        self.len += 1;
        self.bytes.push(0xc3);
    }

    pub fn list(&mut self, inner: &Self) {
        self.len += 1;
        inner.write(&mut self.bytes);
    }

    /// Its elements behind those here.
    pub fn append(&mut self, other: &Self) {
        self.len += other.len;
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Its header and elements.
    pub fn write(&self, out: &mut Vec<u8>) {
        match (u8::try_from(self.len), u16::try_from(self.len)) {
            (Ok(len @ 0..=15), _) => out.push(0x90 | len),
            (_, Ok(len)) => {
                out.push(0xdc);
                out.extend_from_slice(&len.to_be_bytes());
            }
            _ => {
                out.push(0xdd);
                out.extend_from_slice(&self.len.to_be_bytes());
            }
        }
        out.extend_from_slice(&self.bytes);
    }

    pub fn packed(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 5);
        self.write(&mut out);
        out
    }
}

fn put_text(text: &[u8], out: &mut Vec<u8>) {
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(len @ 0..=31), _) => out.push(0xa0 | len),
        (Ok(len), _) => out.extend_from_slice(&[0xd9, len]),
        (_, Ok(len)) => {
            out.push(0xda);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            let len = u32::try_from(text.len()).expect("invariant: no argument has 4 GiB");
            out.push(0xdb);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

/// What an open payment gives back, of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    slots: PackedArray,
    counters: PackedArray,
    holds: PackedArray,
    is_withheld: bool,
}

impl Held {
    pub fn slot(&mut self, key: u128, keep: Keep) {
        self.slots.text(&slot_name(key));
        self.slots.text(keep_text(keep).as_bytes());
    }

    pub fn counter(&mut self, key: u128, delta: i64) {
        self.counters.text(&counter_name(key));
        self.counters.number(delta);
    }

    pub fn hold(&mut self, account: AccountId, currency: Currency, minor: i64) {
        self.holds.text(account_name(account, currency).as_bytes());
        self.holds.number(minor);
    }

    /// A movement's, which no key and no payment stands for.
    pub fn withheld() -> Self {
        Self { is_withheld: true, ..Self::default() }
    }

    /// Nothing, where it holds nothing.
    pub fn packed(&self) -> Vec<u8> {
        let lists = [&self.slots, &self.counters, &self.holds];
        if lists.iter().all(|list| list.is_empty()) {
            return Vec::new();
        }
        let mut all = PackedArray::default();
        lists.into_iter().for_each(|list| all.list(list));
        if self.is_withheld {
            all.mark();
        }
        all.packed()
    }
}

pub(crate) fn keep_text(keep: Keep) -> String {
    match keep {
        Keep::UntilOutcome => "o".to_owned(),
        Keep::WhileApproved => "a".to_owned(),
        Keep::Until(until) => instant(until),
    }
}

/// The names of rows; no two kinds share one.
pub(crate) fn account_name(account: AccountId, currency: Currency) -> String {
    format!("a{}:{account}", currency.numeric())
}

pub(crate) fn counter_name(key: u128) -> [u8; 17] {
    row_name(b'c', key)
}

pub(crate) fn slot_name(key: u128) -> [u8; 17] {
    row_name(b's', key)
}

fn row_name(kind: u8, key: u128) -> [u8; 17] {
    let mut name = [kind; 17];
    name[1..].copy_from_slice(&key.to_be_bytes());
    name
}

/// A time as the functions in Redis read it: microseconds as decimal text.
///
/// Redis computes with doubles, which are exact up to 2^53. Times beyond that (years after 2255)
/// are set to the greatest exact value, so all earlier times order in Redis as they do here.
pub(crate) fn instant(at: Timestamp) -> String {
    at.0.clamp(-INSTANT_MAX, INSTANT_MAX).to_string()
}

pub(crate) fn payment(id: PaymentId) -> [u8; 16] {
    id.0.to_be_bytes()
}

/// The kind of the owner, and its id.
pub(crate) fn owner(owner: ClaimOwner) -> [u8; 17] {
    match owner {
        ClaimOwner::Payment(id) => row_name(b'p', id.0),
    }
}

/// Half is enough to tell two requests of one key apart, as in the guard in memory.
pub(crate) fn half(fingerprint: Fingerprint) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = fingerprint.0.to_be_bytes();
    [a, b, c, d, e, f, g, h]
}

/// A position without the lane in its upper bits: a lane's number is beside it wherever it is
/// compared, and a double, which is what Lua counts in, holds the rest of it exactly.
pub fn within_lane(sequence: u64) -> u64 {
    sequence & ((1 << 48) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_message_pack() {
        // Bytes by the specification of MessagePack.
        let mut list = PackedArray::default();
        list.text(b"ab");
        list.position(258);
        list.mark();
        list.list(&PackedArray::default());
        assert_eq!(list.packed(), b"\x94\xa2ab\xcf\0\0\0\0\0\0\x01\x02\xc3\x90");
        let mut of_a_high_lane = PackedArray::default();
        of_a_high_lane.position(0xffff << 48 | 258);
        assert_eq!(of_a_high_lane.packed(), b"\x91\xcf\0\0\0\0\0\0\x01\x02");
        let mut long = PackedArray::default();
        (0..16).for_each(|_| long.text(&[7; 32]));
        assert_eq!(long.packed()[..5], *b"\xdc\0\x10\xd9\x20");
    }

    #[test]
    fn an_instant_beyond_a_lua_number_stays_the_latest() {
        assert_eq!(instant(Timestamp(i64::MAX)), "9007199254740991");
        assert_eq!(instant(Timestamp(i64::MIN)), "-9007199254740991");
        assert_eq!(instant(Timestamp(1_700_000_000_000_000)), "1700000000000000");
    }
}
