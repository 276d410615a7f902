//! A cache in front of the table of API keys that all nodes of a cluster share.
//!
//! Every request presents a key, so the switch remembers the table's answers. The answer for a known
//! key is valid for one second. When it is half a second old, the next request with the key starts a
//! new look-up in the background and does not wait for it. So a key in use delays no request, and a
//! deleted key is refused a second after its deletion. While the table does not answer, the last
//! answer for a known key stays valid for one minute. Unknown keys are remembered apart and looked
//! up in places of their own: a stranger who guesses keys takes neither look-ups nor memory from
//! known keys.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use storage_cql::CqlError;
use storage_cql::api_keys::ApiKeyRow;
use tokio::sync::Semaphore;

use super::{Hash, KeyHolder, KeyTableUnavailable, table};
use crate::log::Seldom;

/// Age at which the answer for a known key is renewed in the background.
const RENEWED_AFTER: Duration = Duration::from_millis(500);
/// A request that finds an answer of this age waits for a new one.
const VALID_FOR: Duration = Duration::from_secs(1);
/// How long the last answer for a known key stays valid while the table does not answer. A key that
/// is deleted meanwhile is accepted for that long.
const VALID_IN_OUTAGE_FOR: Duration = Duration::from_secs(60);
/// Pause between two look-ups of one key while the table does not answer. Each takes a thread.
const LOOK_UP_EVERY: Duration = Duration::from_secs(1);
/// How long the answer that a key is unknown is valid: the key may be created the next moment.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// How long a request waits for the table.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Look-ups at once: as many for known keys, and as many for others.
const LOOK_UPS_MAX: usize = 16;
/// Keys that are remembered: as many known ones, and as many unknown ones.
const REMEMBERED_MAX: usize = 16_384;

type Find = dyn Fn(&Hash) -> Result<Option<ApiKeyRow>, CqlError> + Send + Sync;

/// The table of keys, behind its cache.
pub(super) struct CachedKeyTable {
    inner: Arc<Inner>,
}

struct Inner {
    find: Box<Find>,
    answers: Mutex<TableAnswers>,
    /// Places for look-ups of known keys.
    renewals: Arc<Semaphore>,
    /// Places for look-ups of other keys.
    guesses: Arc<Semaphore>,
}

/// The answers of the table that are remembered.
#[derive(Default)]
struct TableAnswers {
    known: HashMap<Hash, KnownKey>,
    /// When the table answered that it has no such key.
    unknown: HashMap<Hash, Instant>,
}

/// The answer for a key that the table has.
struct KnownKey {
    principal: KeyHolder,
    answered_at: Instant,
    /// The earliest time of the next look-up.
    look_up_at: Instant,
}

/// What a request with a key does.
#[derive(Debug, PartialEq, Eq)]
enum CacheStep {
    /// It takes the remembered answer.
    Use(Option<KeyHolder>),
    /// It takes the remembered answer and starts a look-up in the background.
    UseAndRenew(KeyHolder),
    /// It waits for a look-up. If the table does not answer, the old answer is valid, if there is one.
    LookUp(Option<KeyHolder>),
}

impl std::fmt::Debug for CachedKeyTable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CachedKeyTable")
            .field("known", &self.inner.answers.lock().known.len())
            .finish()
    }
}

impl CachedKeyTable {
    /// A cache in front of `find`, which looks one key up in the table and blocks.
    pub fn new(
        find: impl Fn(&Hash) -> Result<Option<ApiKeyRow>, CqlError> + Send + Sync + 'static,
    ) -> Self {
        let places = || Arc::new(Semaphore::new(LOOK_UPS_MAX));
        let (renewals, guesses) = (places(), places());
        let answers = Mutex::default();
        Self { inner: Arc::new(Inner { find: Box::new(find), answers, renewals, guesses }) }
    }

    /// Whose key this is. Cancel-safe.
    ///
    /// Errors: the table does not answer, and no valid answer for the key is remembered.
    pub async fn principal(
        &self,
        hash: Hash,
        now: Instant,
    ) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        let step = self.inner.answers.lock().step(&hash, now);
        match step {
            CacheStep::Use(principal) => Ok(principal),
            CacheStep::UseAndRenew(principal) => {
                if let Ok(place) = Arc::clone(&self.inner.renewals).try_acquire_owned() {
                    let inner = Arc::clone(&self.inner);
                    tokio::task::spawn_blocking(move || {
                        let _place = place;
                        // The next request uses its answer.
                        let _ = inner.look_up(hash, now);
                    });
                }
                Ok(Some(principal))
            }
            CacheStep::LookUp(old) => {
                let places = if old.is_some() { &self.inner.renewals } else { &self.inner.guesses };
                let looked = self.look_up(hash, now, places);
                let answer = tokio::time::timeout(ANSWER_WITHIN, looked).await;
                match answer.unwrap_or(Err(KeyTableUnavailable)) {
                    Err(KeyTableUnavailable) => old.map(Some).ok_or(KeyTableUnavailable),
                    answer => answer,
                }
            }
        }
    }

    async fn look_up(
        &self,
        hash: Hash,
        now: Instant,
        places: &Arc<Semaphore>,
    ) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        let place = Arc::clone(places).acquire_owned().await.map_err(|_| KeyTableUnavailable)?;
        // Another request with the same key may have looked it up meanwhile.
        if let Some(principal) = self.inner.answers.lock().answered_since(&hash, now) {
            return Ok(principal);
        }
        let inner = Arc::clone(&self.inner);
        // The look-up holds its place until it ends, even if the request is dropped before.
        let looked = tokio::task::spawn_blocking(move || {
            let _place = place;
            inner.look_up(hash, now)
        });
        looked.await.map_err(|_| KeyTableUnavailable)?
    }
}

impl Inner {
    /// Looks a key up in the table, and remembers the answer. Blocks.
    fn look_up(&self, hash: Hash, now: Instant) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        match (self.find)(&hash) {
            Ok(row) => {
                let principal = row.and_then(table::shown).map(|key| key.principal());
                self.answers.lock().take(hash, principal.clone(), now);
                Ok(principal)
            }
            Err(error) => {
                static NOT_READ: Seldom = Seldom::new();
                if let Some(left_out) = NOT_READ.is_due() {
                    let error = storage::with_causes(&error);
                    tracing::warn!(%error, left_out, "the table of API keys cannot be read");
                }
                Err(KeyTableUnavailable)
            }
        }
    }
}

impl TableAnswers {
    fn step(&mut self, hash: &Hash, now: Instant) -> CacheStep {
        if let Some(key) = self.known.get_mut(hash) {
            let principal = key.principal.clone();
            if now < key.look_up_at {
                return CacheStep::Use(Some(principal));
            }
            let age = now.saturating_duration_since(key.answered_at);
            if age < VALID_FOR {
                key.look_up_at = key.answered_at + VALID_FOR;
                return CacheStep::UseAndRenew(principal);
            }
            key.look_up_at = now + LOOK_UP_EVERY;
            return CacheStep::LookUp(Some(principal).filter(|_| age < VALID_IN_OUTAGE_FOR));
        }
        let at = self.unknown.get(hash);
        match at.is_some_and(|at| now.saturating_duration_since(*at) < UNKNOWN_FOR) {
            true => CacheStep::Use(None),
            false => CacheStep::LookUp(None),
        }
    }

    /// The answer for a key that the table gave since a time; none if it gave none since.
    fn answered_since(&self, hash: &Hash, then: Instant) -> Option<Option<KeyHolder>> {
        if let Some(key) = self.known.get(hash).filter(|key| key.answered_at >= then) {
            return Some(Some(key.principal.clone()));
        }
        self.unknown.get(hash).filter(|at| **at >= then).map(|_| None)
    }

    fn take(&mut self, hash: Hash, principal: Option<KeyHolder>, now: Instant) {
        let Some(principal) = principal else {
            self.known.remove(&hash);
            if self.unknown.len() >= REMEMBERED_MAX {
                self.unknown.clear();
            }
            self.unknown.insert(hash, now);
            return;
        };
        self.unknown.remove(&hash);
        if self.known.len() >= REMEMBERED_MAX {
            self.known.retain(|_, key| now.saturating_duration_since(key.answered_at) < VALID_FOR);
        }
        if self.known.len() < REMEMBERED_MAX {
            let look_up_at = now + RENEWED_AFTER;
            self.known.insert(hash, KnownKey { principal, answered_at: now, look_up_at });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::keys::Role;

    type Answer = Result<Option<ApiKeyRow>, CqlError>;

    fn row() -> ApiKeyRow {
        ApiKeyRow {
            sha256: [1; 32],
            role: "biller".into(),
            owner: "isp-ve".into(),
            created_at: "2026-11-27T00:00:00Z".into(),
            seconds_left: None,
        }
    }

    fn outage() -> Answer {
        Err(CqlError::Connect { nodes: "nobody".into(), source: "cut".into() })
    }

    /// A table that gives these answers one after the other, and a count of the look-ups.
    fn table(answers: Vec<Answer>) -> (CachedKeyTable, Arc<AtomicUsize>) {
        let look_ups = Arc::new(AtomicUsize::new(0));
        let (answers, counted) = (Mutex::new(answers.into_iter()), Arc::clone(&look_ups));
        let keys = CachedKeyTable::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            answers.lock().next().expect("an answer")
        });
        (keys, look_ups)
    }

    fn holder() -> Option<KeyHolder> {
        Some(KeyHolder { role: Role::Biller, owner: "isp-ve".to_owned() })
    }

    const KEY: Hash = [1; 32];
    const HALF: Duration = RENEWED_AFTER;

    /// The answer, once a look-up that was begun in the background has ended.
    async fn answered(
        keys: &CachedKeyTable,
        now: Instant,
    ) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        let answered = keys.principal(KEY, now).await;
        let all = u32::try_from(LOOK_UPS_MAX).expect("few");
        drop(keys.inner.renewals.acquire_many(all).await);
        answered
    }

    #[tokio::test]
    async fn a_deleted_key_is_refused_after_the_look_up_that_finds_it_gone() {
        let (keys, look_ups) = table(vec![Ok(Some(row())), Ok(None), Ok(None)]);
        let now = Instant::now();
        for at in [now, now + HALF / 2, now + HALF] {
            assert_eq!(answered(&keys, at).await, Ok(holder()));
        }
        assert_eq!(look_ups.load(Ordering::Relaxed), 2);
        assert_eq!(answered(&keys, now + HALF).await, Ok(None));
    }

    #[tokio::test]
    async fn an_answer_that_is_a_second_old_is_renewed_before_it_is_used() {
        let (keys, look_ups) = table(vec![Ok(Some(row())), Ok(None)]);
        let now = Instant::now();
        assert_eq!(answered(&keys, now).await, Ok(holder()));
        assert_eq!(answered(&keys, now + VALID_FOR).await, Ok(None));
        assert_eq!(look_ups.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_answer_whose_renewal_failed_is_looked_up_again_when_it_is_a_second_old() {
        let (keys, look_ups) = table(vec![Ok(Some(row())), outage(), Ok(None)]);
        let now = Instant::now();
        for at in [now, now + HALF, now + HALF * 3 / 2] {
            assert_eq!(answered(&keys, at).await, Ok(holder()));
        }
        assert_eq!(answered(&keys, now + VALID_FOR).await, Ok(None));
        assert_eq!(look_ups.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_guess_costs_one_look_up_and_a_new_key_is_known_a_second_later() {
        let (keys, look_ups) = table(vec![Ok(None), Ok(Some(row()))]);
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(answered(&keys, now).await, Ok(None));
        }
        assert_eq!(look_ups.load(Ordering::Relaxed), 1);
        assert_eq!(answered(&keys, now + UNKNOWN_FOR).await, Ok(holder()));
    }

    #[tokio::test]
    async fn an_outage_of_the_table_revokes_nothing_grants_nothing_and_is_not_met_with_more_look_ups()
     {
        let (keys, look_ups) = table(vec![Ok(Some(row())), outage(), outage(), outage()]);
        let now = Instant::now();
        assert_eq!(answered(&keys, now).await, Ok(holder()));
        for _ in 0..100 {
            assert_eq!(answered(&keys, now + HALF).await, Ok(holder()));
            assert_eq!(answered(&keys, now + VALID_FOR * 59).await, Ok(holder()));
        }
        assert_eq!(look_ups.load(Ordering::Relaxed), 3);
        assert_eq!(keys.principal(KEY, now + VALID_FOR * 60).await, Err(KeyTableUnavailable));
        assert_eq!(keys.principal([2; 32], now).await, Err(KeyTableUnavailable));
    }

    #[test]
    fn guesses_have_a_ceiling_and_push_out_no_key_that_is_known() {
        let (mut answers, now) = (TableAnswers::default(), Instant::now());
        answers.take(KEY, holder(), now);
        for number in 0..=2 * REMEMBERED_MAX {
            let mut guess = [9; 32];
            guess[..8].copy_from_slice(&number.to_le_bytes());
            answers.take(guess, None, now + HALF / 2);
        }
        assert!(answers.unknown.len() <= REMEMBERED_MAX);
        assert_eq!(answers.step(&KEY, now + HALF / 2), CacheStep::Use(holder()));
    }
}
