//! The keys that all nodes know, as their table says.
//!
//! Every request has a key, so what the table said is remembered. Its word on a key that it knows
//! counts for a second, and is renewed after half of it, behind the request that finds it so old: a
//! key in use costs no request a wait, and one that was deleted is refused a second later. While the
//! table is silent its last word counts on, for a minute. Guesses stand apart: however many there
//! are, they take neither the looks nor the memory of keys that are known.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use storage_cql::CqlError;
use storage_cql::api_keys::ApiKeyRow;
use tokio::sync::Semaphore;

use super::{Hash, KeyHolder, KeyTableUnavailable, table};
use crate::log::Seldom;

/// The table's word on a key it knows is renewed when it is this old.
const RENEWED_AFTER: Duration = Duration::from_millis(500);
/// A request that finds a word older than this waits for a new one.
const COUNTS_FOR: Duration = Duration::from_secs(1);
/// How long an old word counts on while the table is silent, which revokes nothing then.
const COUNTS_IN_SILENCE_FOR: Duration = Duration::from_secs(60);
/// Pause between two looks for one key, so that a silent table keeps few threads.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the table's word that it knows no such key counts: it may just be being made.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// How long a request waits for the table.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Looks at the table at once, for keys that are known and for others.
const LOOKS_MAX: usize = 16;
/// Keys whose word is remembered, of each kind.
const REMEMBERED_MAX: usize = 16_384;

type Find = dyn Fn(&Hash) -> Result<Option<ApiKeyRow>, CqlError> + Send + Sync;

/// The table, and what it said.
pub(super) struct Common {
    inner: Arc<Inner>,
}

struct Inner {
    find: Box<Find>,
    said: Mutex<Said>,
    renewals: Arc<Semaphore>,
    guesses: Arc<Semaphore>,
}

/// What the table said of keys.
#[derive(Default)]
struct Said {
    known: HashMap<Hash, Word>,
    unknown: HashMap<Hash, Instant>,
}

/// The table's word on a key that it knows.
struct Word {
    principal: KeyHolder,
    at: Instant,
    /// When it is asked about again at the earliest.
    look_at: Instant,
}

/// What is to be done about a key.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// That is the answer.
    Tell(Option<KeyHolder>),
    /// So is that, but the table is to be asked behind it.
    TellAndRenew(KeyHolder),
    /// The table is asked before; the old word counts if it is silent.
    Ask(Option<KeyHolder>),
}

impl std::fmt::Debug for Common {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Common")
            .field("known", &self.inner.said.lock().known.len())
            .finish()
    }
}

impl Common {
    /// Over the look at the table, which blocks.
    pub fn new(
        find: impl Fn(&Hash) -> Result<Option<ApiKeyRow>, CqlError> + Send + Sync + 'static,
    ) -> Self {
        let places = || Arc::new(Semaphore::new(LOOKS_MAX));
        let (renewals, guesses) = (places(), places());
        let said = Mutex::default();
        Self { inner: Arc::new(Inner { find: Box::new(find), said, renewals, guesses }) }
    }

    /// Whose key this is. Cancel-safe.
    ///
    /// Errors: the table does not answer, and has not known the key before.
    pub async fn principal(
        &self,
        hash: Hash,
        now: Instant,
    ) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        let next = self.inner.said.lock().next(&hash, now);
        match next {
            Next::Tell(principal) => Ok(principal),
            Next::TellAndRenew(principal) => {
                if let Ok(place) = Arc::clone(&self.inner.renewals).try_acquire_owned() {
                    let inner = Arc::clone(&self.inner);
                    tokio::task::spawn_blocking(move || {
                        let _place = place;
                        // What it says counts from the next request on.
                        let _ = inner.look(hash, now);
                    });
                }
                Ok(Some(principal))
            }
            Next::Ask(old) => {
                let places = if old.is_some() { &self.inner.renewals } else { &self.inner.guesses };
                let asked = tokio::time::timeout(ANSWER_WITHIN, self.ask(hash, now, places)).await;
                match asked.unwrap_or(Err(KeyTableUnavailable)) {
                    Err(KeyTableUnavailable) => old.map(Some).ok_or(KeyTableUnavailable),
                    told => told,
                }
            }
        }
    }

    async fn ask(
        &self,
        hash: Hash,
        now: Instant,
        places: &Arc<Semaphore>,
    ) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        let place = Arc::clone(places).acquire_owned().await.map_err(|_| KeyTableUnavailable)?;
        // Another request with the same key may have asked meanwhile.
        if let Some(principal) = self.inner.said.lock().since(&hash, now) {
            return Ok(principal);
        }
        let inner = Arc::clone(&self.inner);
        // Goes on to its end, and holds its place until then, though nobody waits for it.
        let looked = tokio::task::spawn_blocking(move || {
            let _place = place;
            inner.look(hash, now)
        });
        looked.await.map_err(|_| KeyTableUnavailable)?
    }
}

impl Inner {
    /// Asks the table, and remembers what it says. Blocks.
    fn look(&self, hash: Hash, now: Instant) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        match (self.find)(&hash) {
            Ok(row) => {
                let principal = row.and_then(table::shown).map(|key| key.principal());
                self.said.lock().take(hash, principal.clone(), now);
                Ok(principal)
            }
            Err(error) => {
                static NOT_READ: Seldom = Seldom::new();
                if let Some(left_out) = NOT_READ.is_due() {
                    let error = storage::with_causes(&error);
                    tracing::warn!(%error, left_out, "the common API keys cannot be read");
                }
                Err(KeyTableUnavailable)
            }
        }
    }
}

impl Said {
    fn next(&mut self, hash: &Hash, now: Instant) -> Next {
        if let Some(word) = self.known.get_mut(hash) {
            let principal = word.principal.clone();
            if now < word.look_at {
                return Next::Tell(Some(principal));
            }
            let age = now.saturating_duration_since(word.at);
            if age < COUNTS_FOR {
                word.look_at = word.at + COUNTS_FOR;
                return Next::TellAndRenew(principal);
            }
            word.look_at = now + LOOK_EVERY;
            return Next::Ask(Some(principal).filter(|_| age < COUNTS_IN_SILENCE_FOR));
        }
        let at = self.unknown.get(hash);
        match at.is_some_and(|at| now.saturating_duration_since(*at) < UNKNOWN_FOR) {
            true => Next::Tell(None),
            false => Next::Ask(None),
        }
    }

    /// What the table has said of a key since then, if it has been asked.
    fn since(&self, hash: &Hash, then: Instant) -> Option<Option<KeyHolder>> {
        if let Some(word) = self.known.get(hash).filter(|word| word.at >= then) {
            return Some(Some(word.principal.clone()));
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
            self.known.retain(|_, word| now.saturating_duration_since(word.at) < COUNTS_FOR);
        }
        if self.known.len() < REMEMBERED_MAX {
            let look_at = now + RENEWED_AFTER;
            self.known.insert(hash, Word { principal, at: now, look_at });
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

    fn holder() -> Option<KeyHolder> {
        Some(KeyHolder { role: Role::Biller, owner: "isp-ve".to_owned() })
    }

    const KEY: Hash = [1; 32];
    const HALF: Duration = RENEWED_AFTER;

    /// The answer, once a look that was begun behind it has ended.
    async fn told(common: &Common, now: Instant) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        let told = common.principal(KEY, now).await;
        let all = u32::try_from(LOOKS_MAX).expect("few");
        drop(common.inner.renewals.acquire_many(all).await);
        told
    }

    #[tokio::test]
    async fn a_key_that_was_deleted_is_refused_after_the_look_that_finds_it_gone() {
        let (common, looks) = table(vec![Ok(Some(row())), Ok(None), Ok(None)]);
        let now = Instant::now();
        for at in [now, now + HALF / 2, now + HALF] {
            assert_eq!(told(&common, at).await, Ok(holder()));
        }
        assert_eq!(looks.load(Ordering::Relaxed), 2);
        assert_eq!(told(&common, now + HALF).await, Ok(None));
    }

    #[tokio::test]
    async fn a_word_that_is_a_second_old_is_renewed_before_it_counts() {
        let (common, looks) = table(vec![Ok(Some(row())), Ok(None)]);
        let now = Instant::now();
        assert_eq!(told(&common, now).await, Ok(holder()));
        assert_eq!(told(&common, now + COUNTS_FOR).await, Ok(None));
        assert_eq!(looks.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_word_whose_renewal_was_lost_is_asked_for_again_when_it_is_a_second_old() {
        let (common, looks) = table(vec![Ok(Some(row())), silent(), Ok(None)]);
        let now = Instant::now();
        for at in [now, now + HALF, now + HALF * 3 / 2] {
            assert_eq!(told(&common, at).await, Ok(holder()));
        }
        assert_eq!(told(&common, now + COUNTS_FOR).await, Ok(None));
        assert_eq!(looks.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_guess_costs_one_look_and_a_new_key_is_known_a_second_later() {
        let (common, looks) = table(vec![Ok(None), Ok(Some(row()))]);
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(told(&common, now).await, Ok(None));
        }
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        assert_eq!(told(&common, now + UNKNOWN_FOR).await, Ok(holder()));
    }

    #[tokio::test]
    async fn a_silent_table_revokes_nothing_grants_nothing_and_is_not_pressed() {
        let (common, looks) = table(vec![Ok(Some(row())), silent(), silent(), silent()]);
        let now = Instant::now();
        assert_eq!(told(&common, now).await, Ok(holder()));
        for _ in 0..100 {
            assert_eq!(told(&common, now + HALF).await, Ok(holder()));
            assert_eq!(told(&common, now + COUNTS_FOR * 59).await, Ok(holder()));
        }
        assert_eq!(looks.load(Ordering::Relaxed), 3);
        assert_eq!(common.principal(KEY, now + COUNTS_FOR * 60).await, Err(KeyTableUnavailable));
        assert_eq!(common.principal([2; 32], now).await, Err(KeyTableUnavailable));
    }

    #[test]
    fn guesses_have_a_ceiling_and_push_out_no_key_that_is_known() {
        let (mut said, now) = (Said::default(), Instant::now());
        said.take(KEY, holder(), now);
        for number in 0..=2 * REMEMBERED_MAX {
            let mut guess = [9; 32];
            guess[..8].copy_from_slice(&number.to_le_bytes());
            said.take(guess, None, now + HALF / 2);
        }
        assert!(said.unknown.len() <= REMEMBERED_MAX);
        assert_eq!(said.next(&KEY, now + HALF / 2), Next::Tell(holder()));
    }
}
