//! The guard's state as bytes, for snapshots. Sorted, so that equal states have equal images.

use router::id::{AccountId, PaymentId};
use router::reservation::{ClaimOwner, Keep};
use router::time::Timestamp;

use super::early::EarlyByHandle;
use super::elapsed::ElapsedTime;
use super::keys::KnownKeys;
use super::{Account, ClaimTerm, CounterRow, MemoryGuard, Open, SlotRow};
use crate::packing::{
    Reader, put_i64, put_list, put_text, put_timestamp, put_u16, put_u64, put_u128,
};
use crate::record::DecodeError;

impl MemoryGuard {
    /// Appends the image of the state.
    pub(crate) fn put_image(&self, out: &mut Vec<u8>) {
        put_timestamp(self.time.last(), out);
        put_i64(self.time.elapsed(), out);
        put_timestamp(self.forgotten_until(), out);
        put_keys(&self.keys, out);
        put_sorted(
            self.accounts.iter(),
            |((name, currency), _)| (*name, *currency),
            out,
            |row, out| {
                let ((name, currency), account) = row;
                put_text(&name.0, out);
                put_u16(currency.numeric(), out);
                put_i128(account.balance, out);
                put_i128(account.held, out);
            },
        );
        let elapsed = self.time.elapsed();
        let counters = self.counters.iter().filter(|(_, row)| row.drop_at > elapsed);
        put_sorted(
            counters,
            |(key, _)| **key,
            out,
            |(key, row), out| {
                put_u128(**key, out);
                put_i64(row.value, out);
                put_timestamp(row.window_end, out);
                put_i64(row.drop_at, out);
            },
        );
        let slots = self.slots.iter().filter(|(_, row)| !row.is_over(elapsed));
        put_sorted(
            slots,
            |(key, _)| **key,
            out,
            |(key, row), out| {
                put_u128(**key, out);
                put_owner(row.owner, out);
                put_claim(row.claim, out);
                put_i64(row.drop_at, out);
            },
        );
        put_sorted(
            self.open.iter(),
            |(id, _)| **id,
            out,
            |(id, open), out| {
                put_u128(id.0, out);
                put_open(open, out);
            },
        );
        self.early.put_image(self.time.elapsed(), out);
    }

    /// The state of an image.
    pub(crate) fn from_image(
        key_retention: std::time::Duration,
        reader: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let mut guard = Self::new(key_retention);
        guard.time = ElapsedTime::restored(reader.timestamp()?, reader.i64()?);
        guard.dropped_until = reader.timestamp()?;
        read_keys(&mut guard.keys, reader)?;
        for _ in 0..reader.u64()? {
            let name = (AccountId(reader.text()?), reader.currency()?);
            guard.accounts.insert(name, Account { balance: i128(reader)?, held: i128(reader)? });
        }
        for _ in 0..reader.u64()? {
            let key = reader.u128()?;
            let (value, window_end) = (reader.i64()?, reader.timestamp()?);
            guard.counters.insert(key, CounterRow { value, window_end, drop_at: reader.i64()? });
        }
        for _ in 0..reader.u64()? {
            let key = reader.u128()?;
            let (owner, claim) = (owner(reader)?, claim(reader)?);
            guard.slots.insert(key, SlotRow { owner, claim, drop_at: reader.i64()? });
        }
        for _ in 0..reader.u64()? {
            let id = PaymentId(reader.u128()?);
            guard.open.insert(id, open(reader)?);
        }
        guard.early = EarlyByHandle::from_image(reader)?;
        Ok(guard)
    }
}

fn put_sorted<T, K: Ord>(
    rows: impl Iterator<Item = T>,
    key: impl Fn(&T) -> K,
    out: &mut Vec<u8>,
    put: impl Fn(&T, &mut Vec<u8>),
) {
    let mut rows: Vec<T> = rows.collect();
    put_u64(rows.len() as u64, out);
    rows.sort_unstable_by_key(key);
    rows.iter().for_each(|row| put(row, out));
}

fn put_keys(keys: &KnownKeys, out: &mut Vec<u8>) {
    put_i64(keys.began.unwrap_or(i64::MIN), out);
    for generation in [&keys.current, &keys.previous] {
        put_sorted(
            generation.rows(),
            |row| row.key,
            out,
            |row, out| {
                put_u128(row.key, out);
                put_u64(row.fingerprint, out);
                put_u128(row.payment, out);
            },
        );
    }
}

fn read_keys(keys: &mut KnownKeys, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    keys.began = Some(reader.i64()?).filter(|began| *began > i64::MIN);
    for generation in [&mut keys.current, &mut keys.previous] {
        for _ in 0..reader.u64()? {
            generation.put(reader.u128()?, reader.u64()?, reader.u128()?);
        }
    }
    Ok(())
}

/// The kind of the owner, and its id.
fn put_owner(owner: ClaimOwner, out: &mut Vec<u8>) {
    match owner {
        ClaimOwner::Payment(id) => {
            out.push(1);
            put_u128(id.0, out);
        }
    }
}

fn owner(reader: &mut Reader<'_>) -> Result<ClaimOwner, DecodeError> {
    let at = reader.at();
    match reader.u8()? {
        1 => Ok(ClaimOwner::Payment(PaymentId(reader.u128()?))),
        _ => Err(DecodeError::Value { field: "claim owner", at }),
    }
}

fn put_claim(claim: ClaimTerm, out: &mut Vec<u8>) {
    match claim {
        ClaimTerm::Open => out.push(1),
        ClaimTerm::Kept => out.push(2),
        ClaimTerm::KeptUntil(until) => {
            out.push(3);
            put_timestamp(until, out);
        }
    }
}

fn claim(reader: &mut Reader<'_>) -> Result<ClaimTerm, DecodeError> {
    let at = reader.at();
    match reader.u8()? {
        1 => Ok(ClaimTerm::Open),
        2 => Ok(ClaimTerm::Kept),
        3 => Ok(ClaimTerm::KeptUntil(Timestamp(reader.timestamp()?.0))),
        _ => Err(DecodeError::Value { field: "claim", at }),
    }
}

fn put_open(open: &Open, out: &mut Vec<u8>) {
    put_list(&open.holds, out, |(account, currency, minor), out| {
        put_text(&account.0, out);
        put_u16(currency.numeric(), out);
        put_i64(*minor, out);
    });
    put_list(&open.counters, out, |(key, delta), out| {
        put_u128(*key, out);
        put_i64(*delta, out);
    });
    put_list(&open.slots, out, |(key, keep), out| {
        put_u128(*key, out);
        put_keep(*keep, out);
    });
}

fn open(reader: &mut Reader<'_>) -> Result<Open, DecodeError> {
    Ok(Open {
        holds: reader
            .list(|reader| Ok((AccountId(reader.text()?), reader.currency()?, reader.i64()?)))?,
        counters: reader.list(|reader| Ok((reader.u128()?, reader.i64()?)))?,
        slots: reader.list(|reader| Ok((reader.u128()?, keep(reader)?)))?,
    })
}

fn put_keep(keep: Keep, out: &mut Vec<u8>) {
    match keep {
        Keep::UntilOutcome => out.push(1),
        Keep::WhileApproved => out.push(2),
        Keep::Until(until) => {
            out.push(3);
            put_timestamp(until, out);
        }
    }
}

fn keep(reader: &mut Reader<'_>) -> Result<Keep, DecodeError> {
    let at = reader.at();
    match reader.u8()? {
        1 => Ok(Keep::UntilOutcome),
        2 => Ok(Keep::WhileApproved),
        3 => Ok(Keep::Until(reader.timestamp()?)),
        _ => Err(DecodeError::Value { field: "keep", at }),
    }
}

fn put_i128(value: i128, out: &mut Vec<u8>) {
    put_u128(value.cast_unsigned(), out);
}

fn i128(reader: &mut Reader<'_>) -> Result<i128, DecodeError> {
    reader.u128().map(u128::cast_signed)
}
