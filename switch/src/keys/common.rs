//! The keys that all nodes know, as their table says.
//!
//! Every request has a key, so what the table said is remembered: of a key that is known for some
//! seconds, after which one that was deleted is refused; of one that is not for fewer, as it may
//! just be being made. Whoever tries keys at random must not keep the table's servers busy.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use storage_cql::CqlError;
use storage_cql::api_keys::ApiKeyRow;
use tokio::sync::Semaphore;

use super::{NoWord, Principal, Role};
use crate::log;

/// How long the table's word on a key counts.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// The same, where it knows no such key.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// Time for the table to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Looks at the table at once.
const LOOKS_MAX: usize = 8;
/// Keys whose word is remembered; then those that count no more are forgotten, or all.
const REMEMBERED_MAX: usize = 16_384;

type Hash = [u8; 32];
type Find = dyn Fn(&Hash) -> Result<Option<ApiKeyRow>, CqlError> + Send + Sync;

/// The table, and what it said.
pub(super) struct Common {
    find: Arc<Find>,
    said: Mutex<HashMap<Hash, Said>>,
    looks: Semaphore,
}

impl std::fmt::Debug for Common {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Common").field("remembered", &self.said.lock().len()).finish()
    }
}

/// The table's word on a key.
#[derive(Clone)]
struct Said {
    principal: Option<Principal>,
    at: Instant,
}

impl Said {
    fn counts(&self, now: Instant) -> bool {
        let counts_for = if self.principal.is_some() { KNOWN_FOR } else { UNKNOWN_FOR };
        now.saturating_duration_since(self.at) < counts_for
    }
}

impl Common {
    /// Over the look at the table, which blocks.
    pub fn new(
        find: impl Fn(&Hash) -> Result<Option<ApiKeyRow>, CqlError> + Send + Sync + 'static,
    ) -> Self {
        Self { find: Arc::new(find), said: Mutex::default(), looks: Semaphore::new(LOOKS_MAX) }
    }

    /// Whose key this is. Cancel-safe.
    ///
    /// Errors: the table does not answer, and has not known the key before. One that it knew goes
    /// on: servers that are silent revoke nothing.
    pub async fn principal(&self, hash: Hash, now: Instant) -> Result<Option<Principal>, NoWord> {
        if let Some(said) = self.remembered(&hash).filter(|said| said.counts(now)) {
            return Ok(said.principal);
        }
        let asked = tokio::time::timeout(ANSWER_WITHIN, self.ask(hash, now)).await;
        match asked.unwrap_or(Err(NoWord)) {
            Ok(principal) => Ok(principal),
            Err(NoWord) => {
                let known = self.remembered(&hash).and_then(|said| said.principal);
                known.map(Some).ok_or(NoWord)
            }
        }
    }

    fn remembered(&self, hash: &Hash) -> Option<Said> {
        self.said.lock().get(hash).cloned()
    }

    async fn ask(&self, hash: Hash, now: Instant) -> Result<Option<Principal>, NoWord> {
        let _look = self.looks.acquire().await.map_err(|_| NoWord)?;
        // Another request with the same key may have asked meanwhile.
        if let Some(said) = self.remembered(&hash).filter(|said| said.counts(now)) {
            return Ok(said.principal);
        }
        let find = Arc::clone(&self.find);
        let found = tokio::task::spawn_blocking(move || find(&hash)).await;
        let row = found.map_err(|_| NoWord)?.map_err(|error| {
            tracing::warn!(error = %log::chain(&error), "the common API keys cannot be read");
            NoWord
        })?;
        let principal = row.and_then(principal);
        self.remember(hash, Said { principal: principal.clone(), at: now });
        Ok(principal)
    }

    fn remember(&self, hash: Hash, word: Said) {
        let mut said = self.said.lock();
        if said.len() >= REMEMBERED_MAX {
            said.retain(|_, old| old.counts(word.at));
        }
        if said.len() >= REMEMBERED_MAX {
            said.clear();
        }
        said.insert(hash, word);
    }
}

/// None where the role is one that only a later version knows.
fn principal(row: ApiKeyRow) -> Option<Principal> {
    let role = <Role as clap::ValueEnum>::from_str(&row.role, false).ok()?;
    Some(Principal { role, owner: row.owner.into() })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    type Answer = Result<Option<ApiKeyRow>, CqlError>;

    fn row() -> ApiKeyRow {
        ApiKeyRow {
            sha256: [1; 32],
            role: "biller".into(),
            owner: "isp-ve".into(),
            created_at: "2026-11-27T00:00:00Z".into(),
        }
    }

    fn silent() -> Answer {
        Err(CqlError::Connect { nodes: "nobody".into(), source: "cut".into() })
    }

    /// A table that gives these answers one after the other, and a count of the looks at it.
    fn table(answers: Vec<Answer>) -> (Common, Arc<AtomicUsize>) {
        let looks = Arc::new(AtomicUsize::new(0));
        let (answers, counted) = (Mutex::new(answers.into_iter()), Arc::clone(&looks));
        let common = Common::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            answers.lock().next().expect("an answer")
        });
        (common, looks)
    }

    fn holder() -> Option<Principal> {
        Some(Principal { role: Role::Biller, owner: "isp-ve".to_owned() })
    }

    const KEY: Hash = [1; 32];
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_key_that_was_deleted_is_refused_some_seconds_later() {
        let (common, looks) = table(vec![Ok(Some(row())), Ok(None)]);
        let now = Instant::now();
        assert_eq!(common.principal(KEY, now).await, Ok(holder()));
        assert_eq!(common.principal(KEY, now + SECOND * 9).await, Ok(holder()));
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        assert_eq!(common.principal(KEY, now + SECOND * 10).await, Ok(None));
    }

    #[tokio::test]
    async fn a_guess_costs_one_look_and_a_new_key_is_known_a_second_later() {
        let (common, looks) = table(vec![Ok(None), Ok(Some(row()))]);
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(common.principal(KEY, now).await, Ok(None));
        }
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        assert_eq!(common.principal(KEY, now + SECOND).await, Ok(holder()));
    }

    #[tokio::test]
    async fn a_silent_table_revokes_nothing_and_grants_nothing() {
        let (common, _) = table(vec![Ok(Some(row())), silent(), silent()]);
        let now = Instant::now();
        assert_eq!(common.principal(KEY, now).await, Ok(holder()));
        assert_eq!(common.principal(KEY, now + SECOND * 11).await, Ok(holder()));
        assert_eq!(common.principal([2; 32], now).await, Err(NoWord));
    }

    #[tokio::test]
    async fn what_is_remembered_has_a_ceiling() {
        let common = Common::new(|_| Ok(None));
        let now = Instant::now();
        for number in 0..REMEMBERED_MAX {
            common.remember(hash(number), Said { principal: None, at: now });
        }
        common.remember(KEY, Said { principal: None, at: now });
        assert_eq!(common.said.lock().len(), 1, "all counted");
        common.remember([2; 32], Said { principal: None, at: now + SECOND * 60 });
        assert_eq!(common.said.lock().len(), 2);
    }

    fn hash(number: usize) -> Hash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        hash
    }
}
