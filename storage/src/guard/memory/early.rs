//! Reversals that came before their originals, for as long as an original is refused.

use foldhash::{HashMap, HashMapExt};
use router::early::{EarlyReversal, Handle};
use router::message::PaymentRequest;
use router::time::Timestamp;

use crate::packing::{Reader, put_blob, put_i64, put_u64};
use crate::record::DecodeError;
use crate::record::field::{self, Field};

/// Reversals of one STAN or RRN that are kept; beyond, the oldest is forgotten.
const OF_HANDLE_MAX: usize = 64;

#[derive(Default)]
pub(super) struct EarlyByHandle(HashMap<Handle, Vec<Kept>>);

/// One, and the elapsed time at which it is dropped, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Kept {
    early: EarlyReversal,
    drop_at: i64,
}

impl EarlyByHandle {
    /// Whether a request received at an instant is refused.
    pub fn refuse(&self, request: &PaymentRequest, received_at: Timestamp) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let handles = EarlyReversal::handles_of(request).into_iter().flatten();
        handles
            .filter_map(|handle| self.0.get(&handle))
            .flatten()
            .any(|kept| kept.early.names(request, received_at))
    }

    /// Remembers one; the same said again replaces it.
    pub fn put(&mut self, early: EarlyReversal, drop_at: i64) {
        let Some(handle) = early.handle() else { return };
        let of_handle = self.0.entry(handle).or_default();
        of_handle.retain(|kept| !kept.early.says_the_same(&early));
        if of_handle.len() == OF_HANDLE_MAX {
            of_handle.remove(0);
        }
        of_handle.push(Kept { early, drop_at });
    }

    /// Drops what refuses nothing any more.
    pub fn sweep(&mut self, elapsed: i64) {
        self.0.retain(|_, of_handle| {
            of_handle.retain(|kept| kept.drop_at > elapsed);
            !of_handle.is_empty()
        });
    }

    /// Those that may still refuse something, in a fixed order.
    pub fn live(&self, elapsed: i64) -> impl Iterator<Item = &EarlyReversal> {
        self.kept(elapsed).map(|kept| &kept.early)
    }

    fn kept(&self, elapsed: i64) -> impl Iterator<Item = &Kept> {
        let mut handles: Vec<_> = self.0.iter().collect();
        handles.sort_by_key(|(handle, _)| **handle);
        let all = handles.into_iter().flat_map(|(_, of_handle)| of_handle);
        all.filter(move |kept| kept.drop_at > elapsed)
    }

    pub fn put_image(&self, elapsed: i64, out: &mut Vec<u8>) {
        put_u64(self.kept(elapsed).count() as u64, out);
        for kept in self.kept(elapsed) {
            let mut fields = Vec::new();
            kept.early.write(&mut field::ValueWriter::new(&mut fields));
            put_blob(&fields, out);
            put_i64(kept.drop_at, out);
        }
    }

    pub fn from_image(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut all = Self(HashMap::new());
        for _ in 0..reader.u64()? {
            let early = EarlyReversal::read(&mut field::ValueReader::new(reader.blob()?))?;
            all.put(early, reader.i64()?);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::{Sample, early_reversal};

    #[test]
    fn an_original_is_refused_until_the_time_is_over_and_no_other_is() {
        let (original, other) = (Sample::new(1), Sample::new(2));
        let early = early_reversal(&original);
        let mut all = EarlyByHandle::default();
        all.put(early, 10);
        let refuse =
            |all: &EarlyByHandle, sample: &Sample, at| all.refuse(&sample.intent().request, at);
        assert!(refuse(&all, &original, early.at));
        assert!(!refuse(&all, &original, early.until));
        assert!(!refuse(&all, &other, early.at));
        all.sweep(9);
        assert!(refuse(&all, &original, early.at));
        all.sweep(10);
        assert!(!refuse(&all, &original, early.at));
    }

    #[test]
    fn of_one_stan_no_more_are_kept_than_the_ceiling_says() {
        let early = early_reversal(&Sample::new(1));
        let mut all = EarlyByHandle::default();
        for terminal in 0..2 * OF_HANDLE_MAX {
            let terminal = format!("T{terminal}").parse().unwrap();
            all.put(EarlyReversal { terminal, ..early }, 10);
            all.put(EarlyReversal { terminal, ..early }, 10);
        }
        assert_eq!(all.live(0).count(), OF_HANDLE_MAX);
    }
}
