//! Snapshots of the state, so that a start need not replay everything.
//!
//! One is made in the background from the one before and the segments closed since: a fold of
//! the journal, which the writer does not notice. It always stands at the end of a segment. A
//! damaged one is passed over, and replay begins earlier.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError};
use router::endpoint::Endpoint;
use router::event::Subject;
use router::id::{AccountId, EndpointId, PaymentId};
use router::ledger::{AccountBalance, Ledger};

use crate::beginning;
use crate::guard::MemoryGuard;
use crate::history::History;
use crate::journal::{Chain, Damage, End, Head, dir_of, list, sync_dir, walk};
use crate::proof::LedgerProof;
use crate::prune::Pruner;
use crate::record::bytes::{
    Reader, put_blob, put_option, put_text, put_timestamp, put_u16, put_u32, put_u64, put_u128,
};
use crate::record::{self, DecodeError, bodies};
use crate::settings::Settings;
use crate::state::{OpenPayment, State};

const MAGIC: &[u8; 8] = b"CAUCES\r\n";
const VERSION: u64 = 4;
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Snapshots kept; the older ones are for when the newest is damaged.
const KEPT: usize = 2;

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

/// Makes snapshots as segments close, and removes old segments, until told to stop.
pub(crate) fn run(settings: &Settings, mut pruner: Option<Pruner>, stop: &Receiver<()>) {
    loop {
        match stop.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Err(error) = snapshot_now(settings) {
            tracing::warn!(%error, "no snapshot was made; starts take longer");
        }
        if let Some(pruner) = &mut pruner {
            pruner.run(stop);
        }
    }
}

/// Makes a snapshot when enough segments were closed since the last one; says whether it did.
///
/// The store does this by itself while it is open; this is for tools and tests.
pub fn snapshot_now(settings: &Settings) -> Result<bool, SnapshotError> {
    let last = positions(&settings.dir)?.last().copied().unwrap_or(0);
    let segments = list(&dir_of(&settings.dir))?;
    let newer: Vec<u64> = segments.into_iter().filter(|first| *first > last).collect();
    let closed = newer.len().saturating_sub(1);
    let Some(current) = newer.last().filter(|_| settings.snapshot_segments > 0) else {
        return Ok(false);
    };
    if closed < usize::try_from(settings.snapshot_segments).unwrap_or(usize::MAX) {
        return Ok(false);
    }
    let (mut state, head) = load_latest(&settings.dir, settings.key_retention)?;
    let walked = walk(&settings.dir, head, End::Before(*current), |_, frame| {
        for (sequence, body) in (frame.first_sequence..).zip(bodies(frame.body)) {
            let body = body.map_err(|source| Damage::Record { sequence, source })?;
            state.apply(sequence, body)?;
        }
        Ok::<(), Damage>(())
    })?;
    write(&settings.dir, &walked.head, &state)?;
    Ok(true)
}

/// The newest snapshot that is whole, or the state the journal begins with.
///
/// Errors: [`Damage`] of that beginning.
pub(crate) fn load_latest(data: &Path, key_retention: Duration) -> Result<(State, Head), Damage> {
    load_newest(data, u64::MAX, key_retention)
}

/// The same of the snapshots that stand at or before a record, for a look at balances alone.
pub(crate) fn load_until(data: &Path, last: u64) -> Result<(State, Head), Damage> {
    load_newest(data, last, LedgerProof::KEY_RETENTION)
}

fn load_newest(data: &Path, last: u64, key_retention: Duration) -> Result<(State, Head), Damage> {
    let (state, begun_after) = beginning::load(data, key_retention)?;
    // Records behind an older snapshot were removed.
    let is_usable = |sequence: &u64| (begun_after.sequence..=last).contains(sequence);
    for sequence in positions(data)?.into_iter().rev().filter(is_usable) {
        if let Some(found) = read(data, sequence, key_retention)? {
            return Ok(found);
        }
    }
    Ok((state, begun_after))
}

/// Removes the snapshots before a record.
pub(crate) fn remove_before(data: &Path, sequence: u64) -> io::Result<()> {
    for old in positions(data)?.into_iter().filter(|position| *position < sequence) {
        fs::remove_file(path_of(data, old))?;
    }
    Ok(())
}

/// The snapshot of a position, for a look at balances alone; none where it is damaged.
pub(crate) fn load(data: &Path, sequence: u64) -> io::Result<Option<(State, Head)>> {
    read(data, sequence, LedgerProof::KEY_RETENTION)
}

fn read(data: &Path, sequence: u64, retention: Duration) -> io::Result<Option<(State, Head)>> {
    let bytes = match fs::read(path_of(data, sequence)) {
        // Another start of this moment has made two newer ones.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    match parse(&bytes, retention) {
        Ok(found) => Ok(Some(found)),
        Err(error) => {
            tracing::warn!(%error, sequence, "a snapshot is passed over");
            Ok(None)
        }
    }
}

fn write(data: &Path, head: &Head, state: &State) -> Result<(), SnapshotError> {
    let dir = data.join("snapshots");
    fs::create_dir_all(&dir)?;
    let fresh = dir.join("fresh.tmp");
    let mut file = File::create(&fresh)?;
    file.write_all(&image(head, state))?;
    file.sync_all()?;
    fs::rename(&fresh, path_of(data, head.sequence))?;
    sync_dir(&dir)?;
    sync_dir(data)?;
    let kept = positions(data)?;
    for old in kept.iter().rev().skip(KEPT) {
        fs::remove_file(path_of(data, *old))?;
    }
    Ok(())
}

impl State {
    /// The state as bytes, where a snapshot keeps it; equal states give equal bytes.
    pub fn image(&self, head: &Head) -> Vec<u8> {
        image(head, self)
    }

    /// The state of an image, and the head it was made at.
    pub fn from_image(
        bytes: &[u8],
        key_retention: Duration,
    ) -> Result<(Self, Head), SnapshotError> {
        parse(bytes, key_retention)
    }
}

fn image(head: &Head, state: &State) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    put_u64(VERSION, &mut out);
    put_state(head, state, &mut out);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// The state and where it stands, without magic, version and checksum: a snapshot's content, and part
/// of the file `beginning`, which has a version of its own ([`crate::beginning`]).
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

/// The state of an image, and the head it was made at.
fn parse(bytes: &[u8], key_retention: Duration) -> Result<(State, Head), SnapshotError> {
    let (whole, crc) = bytes.split_last_chunk::<4>().ok_or(SnapshotError::NotWhole)?;
    if crc32c::crc32c(whole).to_le_bytes() != *crc || !whole.starts_with(MAGIC) {
        return Err(SnapshotError::NotWhole);
    }
    let mut reader = Reader::new(&whole[MAGIC.len()..]);
    if reader.u64()? != VERSION {
        return Err(SnapshotError::NotWhole);
    }
    let found = read_state(&mut reader, key_retention)?;
    reader.finish()?;
    Ok(found)
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

/// Positions of the snapshots there are, ascending.
pub(crate) fn positions(data: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(data.join("snapshots")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".snap"));
        found.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

fn path_of(data: &Path, sequence: u64) -> PathBuf {
    data.join("snapshots").join(format!("{sequence:020}.snap"))
}
