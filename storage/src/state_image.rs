//! The state as bytes: what a snapshot holds, and the beginning of a pruned journal.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use router::endpoint::Endpoint;
use router::event::Subject;
use router::id::{AccountId, EndpointId, PaymentId};
use router::ledger::{AccountBalance, Ledger};

use crate::guard::MemoryGuard;
use crate::history::History;
use crate::journal::{Chain, Damage, Head};
use crate::packing::{
    Reader, put_blob, put_option, put_text, put_timestamp, put_u16, put_u32, put_u64, put_u128,
};
use crate::record::{self, DecodeError};
use crate::state::{OpenPayment, State};

/// Why a snapshot was not made or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not whole.
    #[error("its checksum or header is wrong")]
    NotWhole,
    /// A later build wrote it.
    #[error("its version is {found}, and this build reads versions up to {newest}")]
    UnknownVersion {
        /// The version it says.
        found: u64,
        /// The newest version that this build reads.
        newest: u64,
    },
    /// Its bytes make no state.
    #[error("it cannot be read")]
    Decode(#[from] DecodeError),
    /// The journal it is made from is damaged.
    #[error("it cannot be folded from the journal")]
    Journal(#[from] Damage),
    /// The disk refused.
    #[error("it cannot be read or written")]
    Io(#[from] io::Error),
}

/// The state and where it stands, without magic, version and checksum: a snapshot's content, and part
/// of the file `beginning`, which has a version of its own (`beginning`).
pub(crate) fn put_state(head: &Head, state: &State, out: &mut Vec<u8>) {
    put_u64(head.sequence, out);
    out.extend_from_slice(&head.chain.0);
    put_u64(state.fold.folio_next, out);
    put_option(state.fold.last_at.as_ref(), out, |at, out| put_timestamp(*at, out));
    put_u64(state.fold.endpoints.len() as u64, out);
    for endpoint in state.fold.endpoints.values() {
        put_endpoint(endpoint, out);
    }
    put_versions(&state.fold.versions, out);
    put_u64(state.fold.marks.len() as u64, out);
    for (endpoint, through) in &state.fold.marks {
        put_u128(endpoint.0, out);
        put_u64(*through, out);
    }
    let mut open: Vec<_> = state.fold.open.iter().collect();
    open.sort_by_key(|(id, _)| **id);
    put_u64(open.len() as u64, out);
    for (id, payment) in open {
        put_u128(id.0, out);
        put_blob(payment.history.bytes(), out);
    }
    state.guard.put_image(out);
    put_ledger(&state.ledger, out);
}

/// What [`put_state`] wrote.
pub(crate) fn read_state(
    reader: &mut Reader<'_>,
    key_retention: Duration,
) -> Result<(State, Head), SnapshotError> {
    let head = Head { sequence: reader.u64()?, chain: Chain(reader.array()?) };
    let mut state = State::new(key_retention);
    state.fold.folio_next = reader.u64()?;
    state.fold.last_at = reader.option(Reader::timestamp)?;
    for _ in 0..reader.u64()? {
        let endpoint = read_endpoint(reader)?;
        state.fold.endpoints.insert(endpoint.id, endpoint);
    }
    state.fold.versions = read_versions(reader)?;
    for _ in 0..reader.u64()? {
        state.fold.marks.insert(EndpointId(reader.u128()?), reader.u64()?);
    }
    for _ in 0..reader.u64()? {
        let id = PaymentId(reader.u128()?);
        let history = History::from_bytes(reader.blob()?);
        let progress = history.progress().map_err(|_| SnapshotError::NotWhole)?;
        state.fold.open.insert(id, OpenPayment { progress, history });
    }
    state.guard = MemoryGuard::from_image(key_retention, reader)?;
    state.ledger = read_ledger(reader)?;
    Ok((state, head))
}

fn put_endpoint(endpoint: &Endpoint, out: &mut Vec<u8>) {
    put_u128(endpoint.id.0, out);
    put_u32(endpoint.version, out);
    put_timestamp(endpoint.at, out);
    let mut body = Vec::new();
    record::put_endpoint_body(endpoint, &mut body);
    put_blob(&body, out);
}

fn read_endpoint(reader: &mut Reader<'_>) -> Result<Endpoint, DecodeError> {
    let beside = (EndpointId(reader.u128()?), reader.u32()?, reader.timestamp()?);
    record::endpoint_body(beside, reader.blob()?)
}

fn put_versions(versions: &BTreeMap<Subject, u32>, out: &mut Vec<u8>) {
    put_u64(versions.len() as u64, out);
    for (subject, version) in versions {
        put_text(&subject.kind(), out);
        put_text(&subject.id(), out);
        put_u32(*version, out);
    }
}

fn read_versions(reader: &mut Reader<'_>) -> Result<BTreeMap<Subject, u32>, DecodeError> {
    let len = reader.u64()?;
    let version = |_| {
        let at = reader.at();
        let subject = Subject::of_parts(reader.text()?, reader.text()?);
        let subject = subject.ok_or(DecodeError::Value { field: "subject", at })?;
        Ok((subject, reader.u32()?))
    };
    (0..len).map(version).collect()
}

fn put_ledger(ledger: &Ledger, out: &mut Vec<u8>) {
    let accounts = ledger.accounts();
    put_u64(accounts.len() as u64, out);
    for AccountBalance { account, currency, balance_minor } in accounts {
        put_text(&account.0, out);
        put_u16(currency.numeric(), out);
        put_u128(balance_minor.cast_unsigned(), out);
    }
}

fn read_ledger(reader: &mut Reader<'_>) -> Result<Ledger, DecodeError> {
    let len = reader.u64()?;
    let balance = |_| {
        Ok(AccountBalance {
            account: AccountId(reader.text()?),
            currency: reader.currency()?,
            balance_minor: reader.u128()?.cast_signed(),
        })
    };
    (0..len).map(balance).collect()
}
