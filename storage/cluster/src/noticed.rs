//! How far the notices of every lane are known: one look for all endpoints that are served here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use router::id::Lane;
use storage::store::{OtherLane, OtherLanes};
use storage_cql::{Cql, CqlError, CqlViews};

/// Pause between two looks: what a notice waits for at most that another node's lane owes.
pub const LOOK_EVERY: Duration = Duration::from_millis(150);

/// What was seen at the last look.
pub struct Noticed {
    cql: Cql,
    lanes: Mutex<BTreeMap<Lane, SeenNotices>>,
}

struct SeenNotices {
    views: Arc<CqlViews>,
    noticed: u64,
}

impl Noticed {
    /// Of no lane yet.
    pub fn new(cql: &Cql) -> Arc<Self> {
        Arc::new(Self { cql: cql.clone(), lanes: Mutex::default() })
    }

    /// Looks at lanes; gives those that owe something they did not owe at the look before, and an
    /// error of one that cannot be looked at. A lane that was seen once stays known. Blocks.
    pub fn look(&self, lanes: &[Lane]) -> (Vec<Lane>, Option<CqlError>) {
        let views: Vec<Arc<CqlViews>> = {
            let known = self.lanes.lock();
            let fresh = |lane: &Lane| Arc::new(CqlViews::new(&self.cql, *lane));
            let of =
                |lane| known.get(lane).map_or_else(|| fresh(lane), |seen| Arc::clone(&seen.views));
            lanes.iter().map(of).collect()
        };
        let noticed = CqlViews::noticed(&views);
        let mut known = self.lanes.lock();
        let (mut news, mut failed) = (Vec::new(), None);
        for ((lane, views), noticed) in lanes.iter().zip(views).zip(noticed) {
            match noticed {
                Ok(noticed) => {
                    let before = known.insert(*lane, SeenNotices { views, noticed });
                    if before.is_none_or(|before| before.noticed < noticed) {
                        news.push(*lane);
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        (news, failed)
    }
}

impl OtherLanes for Noticed {
    fn all(&self) -> Vec<OtherLane> {
        let lanes = self.lanes.lock();
        let other = |(lane, seen): (&Lane, &SeenNotices)| {
            let views = Arc::clone(&seen.views);
            OtherLane { lane: *lane, noticed: seen.noticed, views }
        };
        lanes.iter().map(other).collect()
    }
}
