//! IANA time zones as the plain offset lists the core computes with.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp as JiffTimestamp;
use jiff::tz::TimeZone;
use router::time::{Timestamp, Zone};

/// Offsets are listed over these years; outside, the nearest one holds.
const FIRST_YEAR_SECONDS: i64 = 1_577_836_800; // 2020-01-01
const LAST_YEAR_SECONDS: i64 = 4_102_444_800; // 2100-01-01

/// The zones that were named, each worked out once: all billers of a zone share it.
#[derive(Debug, Default)]
pub(super) struct Zones(HashMap<String, Option<Arc<Zone>>>);

impl Zones {
    /// The zone of an IANA name such as `America/Mexico_City`; none where there is none.
    pub fn by_name(&mut self, name: &str) -> Option<Arc<Zone>> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let zone = by_name(name).map(Arc::new);
        self.0.insert(name.to_owned(), zone.clone());
        zone
    }
}

fn by_name(name: &str) -> Option<Zone> {
    let zone = TimeZone::get(name).ok()?;
    let start = JiffTimestamp::from_second(FIRST_YEAR_SECONDS).ok()?;
    let end = JiffTimestamp::from_second(LAST_YEAR_SECONDS).ok()?;
    let mut offsets = vec![(Timestamp(i64::MIN), zone.to_offset(start).seconds())];
    let transitions = zone.following(start).take_while(|transition| transition.timestamp() < end);
    offsets.extend(transitions.map(|transition| {
        (Timestamp(transition.timestamp().as_microsecond()), transition.offset().seconds())
    }));
    Some(Zone { offsets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_time_moves_midnight() {
        let rome = by_name("Europe/Rome").expect("a zone");
        // 2026-03-29T01:00Z is when clocks in Rome go from +1 to +2.
        let change = Timestamp(1_774_746_000_000_000);
        assert_eq!(rome.offset_seconds(change.plus_micros(-1)), 3600);
        assert_eq!(rome.offset_seconds(change), 7200);
        assert_eq!(by_name("Mars/Olympus"), None);
    }

    #[test]
    fn a_zone_that_many_billers_name_is_there_once() {
        let mut zones = Zones::default();
        let [one, two] = ["Europe/Rome"; 2].map(|name| zones.by_name(name).expect("a zone"));
        assert!(Arc::ptr_eq(&one, &two));
        assert!(zones.by_name("Mars/Olympus").is_none() && zones.by_name("Mars/Olympus").is_none());
    }
}
